"""The search: runs sequences step by step, counts what it sees, and hands divergences to triage."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from etcd_lockstep.comparing.lockstep import (
    REFERENCES,
    UNDECIDED,
    Died,
    Divergence,
    FoundInexpressible,
    Inconclusive,
    Inexpressible,
    Lockstep,
    Skipped,
)
from etcd_lockstep.names import name_of
from etcd_lockstep.searching.coverage import Coverage
from etcd_lockstep.searching.findings import DIED, Finding, Signature, features, signature
from etcd_lockstep.searching.situations import Situation, situation
from etcd_lockstep.searching.triage import TargetGone, TraceRunner, Triage
from etcd_lockstep.strategies.operation_table import reads_only
from etcd_lockstep.target import Target
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import Trace
from etcd_model import Server
from etcd_model.operations import Operation

SHRINK_SECONDS = 20.0
"""How long one finding may be shrunk. A target in the same process needs a fraction of a second; one that dies of
the trace and is started again each time needs it all."""

JUDGED = 16
"""Where targets are searched that are in this process, or have a second instance: the real etcd, which takes many
times as long as all of them, runs along in one of so many sequences. It judges every finding all the same."""

_AT_MOST = 4
"""What it has not met yet is run again with it, as long as that makes no more than one in so many sequences."""


class NewFinding(Exception):
    """A divergence that no finding made so far explains."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding.signature))
        self.finding = finding


def spoils(operation: Operation, seen: Signature) -> bool:
    """Whether the target now holds something else than the others, as far as this answer shows."""
    if seen.field in ("answer", "error", "succeeded", "waiting"):
        return not reads_only(operation)
    if seen.field == "canceled":  # it has a watcher, or has none, and what reads the stream takes other steps then
        return True
    return seen.field.startswith("kvs") and not features(operation)


def _tokens_of(server: Server) -> str:
    """As in `ServerSettings.tokens`."""
    if not server.client_cert_auth:
        return ""
    return "jwt" if server.signed_tokens else "simple"


class Search:
    """Sequences on one set of targets, and the findings in them."""

    def __init__(
        self,
        model: ModelTarget,
        others: Sequence[Target],
        *,
        second_instances: Mapping[str, Target] | None = None,
        lockstep: type[Lockstep] = Lockstep,
        ignored: Collection[str] = (),
        judged: int = JUDGED,
        etcd: str = "",
        known: Sequence[Finding] = (),
        quirk_of: Callable[[Trace, Signature], str] = lambda _trace, _seen: "",
        on_shrinking: Callable[[str], None] = lambda _what: None,
        on_finding: Callable[[Finding], None] = lambda _finding: None,
    ) -> None:
        """`others` take part beside the model. `second_instances`, by name, are more of some of them, to run
        parts of a trace on while its own sequence goes on; without one, the sequence ends there. The real etcd, if
        there is one beside second instances, runs along in one of `judged` sequences, and some others are run again
        with it, in which something is new. The other options are those of `Triage`."""
        self.targets: tuple[Target, ...] = (model, *others)
        self._model = model
        self.sequences = 0
        self.steps = 0
        self.deadline = float("inf")
        """A reading of `time.monotonic` after which nothing more need be run."""
        self.inconclusive = 0
        """Sequences given up because leases may have expired meanwhile."""
        self.drawn: Counter[str] = Counter()
        """Operations by name, those among them that no target was asked."""
        self.inexpressible: Counter[str] = Counter()
        """Those that a target's interface has no words for (`Target.can_express`)."""
        self.coverage = Coverage()
        """What all targets have agreed on."""
        self.over = True
        """Whether the sequence has come to its end, or none has begun."""
        self._all = lockstep(model, others, ignored)
        pairs = {
            name: lockstep(ModelTarget(model.server), [one], ignored) for name, one in (second_instances or {}).items()
        }
        self._runner = TraceRunner(self._all, pairs)
        self.triage = Triage(
            self._runner,
            {target.name: target.capabilities for target in others},
            etcd=etcd,
            over_quota=model.server.over_quota,
            tokens=_tokens_of(model.server),
            known=known,
            quirk_of=quirk_of,
            on_shrinking=on_shrinking,
            on_finding=on_finding,
        )
        self._judged = judged
        near = [other for other in others if other.name != "etcd"]
        self._near = lockstep(model, near, ignored) if second_instances and near != list(others) else self._all
        self._current = self._all
        self._met: set[Situation] = set()
        """By sequences in which the real etcd took part."""
        self._with_etcd = 0
        """How many there were."""
        self._is_new = False
        """Whether this sequence, in which it does not take part, met something else."""
        self._trace: Trace = ()
        self._gone: TargetGone | None = None
        """Why nothing can be run any more."""

    @property
    def findings(self) -> list[Finding]:
        """All that were made."""
        return self.triage.findings

    # One sequence

    def start(self) -> None:
        """Begin a sequence. Raises `NewFinding` where a target died, and `TargetGone` where it stays dead."""
        if self._gone is not None:
            raise self._gone  # Hypothesis runs a sequence of `LockstepMachine` that failed once more
        if self._is_new and self._with_etcd * _AT_MOST < self.sequences:
            self._run_again()
        self._is_new = False
        self._begin(self._near if (self.sequences + 1) % self._judged else self._all)

    def _begin(self, lockstep: Lockstep) -> None:
        before, self._trace = self._trace, ()
        self.sequences += 1
        self.over = True
        self._current = lockstep
        self._with_etcd += lockstep is self._all
        try:
            self._current.start()
        except Died as died:
            self._died(died, before)
        else:
            self.over = False

    def _run_again(self) -> None:
        """Run the last sequence as one more, with the real etcd, as far as all of it is still sent: what follows names
        steps by their number. Raises `NewFinding` and `TargetGone`."""
        self._is_new = False
        trace = self._trace
        self._begin(self._all)
        for operation in trace:
            if not self.step(operation):
                break

    def step(self, operation: Operation) -> bool:
        """One step of the sequence, and whether it was taken: none is once the sequence is over.

        Raises `NewFinding` for what is new; then the sequence is over. Raises `TargetGone`.
        """
        if self.over:
            return False
        before, self._trace = self._trace, (*self._trace, operation)
        self.drawn[name_of(operation)] += 1
        state = self._model.state
        try:
            step = self._current.step(operation)
        except Skipped as skipped:
            self._skipped(operation, skipped)
            self._trace = before
            return False
        except Inconclusive as reason:
            if isinstance(reason, FoundInexpressible):
                self._skipped(operation, reason)
            else:
                self.inconclusive += 1
            self.over = True
            return True
        except Died as died:
            self.over = True
            self.steps += 1
            self._died(died, self._trace)
            return True
        self.steps += 1
        if self._current is self._near and any(one.odd_one_out == UNDECIDED for one in step.divergences):
            judged = self._runner.last_step(self._trace)  # the real etcd, which didn't run along, decides
            step = judged if judged.divergences else step
            self.over = True
        if not step.divergences:
            answer = step.observations[self._model.name]
            self.coverage.agreed(operation, answer, state)
            if self._near is not self._all:
                self._note_situation(situation(operation, answer, self._model.state))
        for divergence in step.divergences:
            self._judge(operation, divergence)
        return True

    def _note_situation(self, met: Situation) -> None:
        if self._current is self._all:
            self._met.add(met)
        else:
            self._is_new |= met not in self._met

    def flush(self) -> None:
        """Run what was drawn and not yet run. Raises `NewFinding` and `TargetGone`."""
        if self._is_new and time.monotonic() <= self.deadline:
            self._run_again()

    def _skipped(self, operation: Operation, reason: Skipped | FoundInexpressible) -> None:
        if isinstance(reason, Inexpressible | FoundInexpressible):
            self.inexpressible[name_of(operation)] += 1

    def revive(self, died: Died) -> None:
        """Bring a target back that died outside of a sequence. Raises `TargetGone`."""
        self._runner.revive(died)

    def _died(self, died: Died, trace: Trace) -> None:
        """A target died of the last step of a trace, or was found dead after it."""
        try:
            self._runner.revive(died)
        except TargetGone as gone:
            self._gone = gone
            if trace:
                self.triage.record_as_seen(signature(died.target.name, trace[-1], DIED), trace, str(gone))
            raise
        if trace:
            self._trace = trace
            self._judge(trace[-1], Divergence(died.target.name, (DIED,)))

    def _judge(self, operation: Operation, divergence: Divergence) -> None:
        self._runner.disturbed = False
        patience = self._patience()
        for difference in divergence.differences:
            seen = signature(divergence.odd_one_out, operation, difference)
            finding = self._finding(seen, patience)
            if finding is not None:
                self.over = True
                raise NewFinding(finding)
            if spoils(operation, seen):
                # From here on the store is known to be wrong: what follows would show that over and over.
                self.over = True
                return
        # A reference that is wrong no longer holds the store that the others are compared with.
        self.over |= self._runner.disturbed or divergence.odd_one_out in (*REFERENCES, UNDECIDED)

    def _patience(self) -> float:
        """Until when one looks into what a step has shown: a reading of `time.monotonic`."""
        return min(time.monotonic(), self.deadline) + SHRINK_SECONDS

    def _finding(self, seen: Signature, patience: float) -> Finding | None:
        """What the last step showed, if it is to be raised."""
        return self.triage.finding(self._trace, seen, patience)
