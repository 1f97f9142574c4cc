"""The search: what a run knows so far, the judging of each step, and what becomes of a lie that was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from etcd_lockstep.comparing.comparison import Difference
from etcd_lockstep.comparing.lockstep import (
    REFERENCES,
    UNDECIDED,
    Died,
    Divergence,
    Inconclusive,
    Lockstep,
    Skipped,
    Step,
)
from etcd_lockstep.comparing.observation import Observation
from etcd_lockstep.searching.coverage import Coverage
from etcd_lockstep.searching.findings import KnownFinding, KnownFindings, Signature, features, signature
from etcd_lockstep.searching.shrinking import ShownByKnown, Verdict, shrink
from etcd_lockstep.target import Target, TargetDied
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import RevisionAt, Trace, bare, keys_of, symbols
from etcd_model.operations import (
    As,
    AuthStatus,
    Hash,
    HashKV,
    Leader,
    LeaseLeases,
    LeaseTimeToLive,
    MemberList,
    Observe,
    Operation,
    Range,
    RoleGet,
    RoleList,
    Snapshot,
    Status,
    Txn,
    UserGet,
    UserList,
)

SHRINK_SECONDS = 20.0
"""How long one lie may be shrunk. A target in the same process needs a fraction of a second; one that dies of
the trace and is started again each time needs it all."""

JUDGED = 4
"""Where targets are searched that are in this process, or have a second instance: the real etcd, which takes several
times as long as all of them, runs along in one of so many sequences. It judges every lie all the same."""

SHORT = 6
"""Up to how many steps a trace that shows a known lie in another way is remembered as that."""

DIED = Difference("answer", "died")


@dataclass(frozen=True, slots=True)
class Finding:
    """One lie, with the shortest trace that shows it at its last step."""

    signature: Signature
    trace: Trace
    answers: Mapping[str, Observation]
    """What each target said to the last operation; a target that died said nothing."""
    differences: tuple[Difference, ...]
    note: str = ""
    """Why the trace is not shrunk, where it isn't."""
    over_quota: bool = False
    """Whether it was found on a server that is over its quota from the start."""

    @property
    def odd_one_out(self) -> str:
        return self.signature.target

    @property
    def fingerprint(self) -> str:
        return KnownFinding(self.signature, self.trace).fingerprint


class TargetGone(BaseException):
    """A target died and can't be brought back: the run is over. Not an Exception, so that Hypothesis lets it pass."""


class NewFinding(Exception):
    """A divergence that no lie found so far explains."""

    def __init__(self, found: Signature, trace: Trace) -> None:
        super().__init__(str(found))
        self.signature = found
        self.trace = trace


@cache
def new_finding(found: Signature) -> type[NewFinding]:
    """An exception type for each signature, so that Hypothesis takes each for a bug of its own."""
    return type("NewFinding", (NewFinding,), {"__doc__": str(found)})


_READS = (
    Range,
    LeaseTimeToLive,
    LeaseLeases,
    AuthStatus,
    UserGet,
    UserList,
    RoleGet,
    RoleList,
    Status,
    Hash,
    HashKV,
    Snapshot,
    MemberList,
    Leader,
    Observe,
)
"""Operations that leave a store as it was, whatever is answered."""


def _spoils(operation: Operation, found: Signature) -> bool:
    """Whether the target now holds something else than the others, as far as this answer tells."""
    if found.field in ("answer", "error", "succeeded", "waiting"):
        return not isinstance(bare(operation), _READS)
    return found.field.startswith("kvs") and not features(operation)


class Search:
    """A run's targets, what it has seen of them, and the lies it has found."""

    def __init__(
        self,
        model: ModelTarget,
        others: Sequence[Target],
        *,
        second_instances: Mapping[str, Target] | None = None,
        lockstep: type[Lockstep] = Lockstep,
        known: Sequence[Finding] = (),
        on_shrinking: Callable[[str], None] = lambda _what: None,
        on_finding: Callable[[Finding], None] = lambda _lie: None,
    ) -> None:
        """`others` take part beside the model. `second_instances`, by name, are more of some of them, to run
        parts of a trace on while its own sequence goes on; without one, the sequence ends there. `known` are
        lies that another search has found in the same targets: they are not told again. `on_shrinking`
        is told what is being shrunk, and then an empty text; `on_finding` each lie once it is recorded."""
        self.targets: tuple[Target, ...] = (model, *others)
        self.findings: list[Finding] = []
        self.examples = 0
        """Of Hypothesis; one holds one sequence or several."""
        self.sequences = 0
        self.steps = 0
        self._patience = float("inf")
        """A reading of `time.monotonic` after which a divergence is not looked into any further."""
        self.deadline = float("inf")
        """A reading of `time.monotonic` after which nothing more need be run."""
        self.inconclusive = 0
        """Sequences given up because leases may have expired meanwhile."""
        self.coverage = Coverage()
        """What all targets have agreed on."""
        self._over_quota = model.server.over_quota
        self._others = tuple(others)
        self._on_shrinking = on_shrinking
        self._on_finding = on_finding
        self._all = lockstep(model, others)
        self._pairs = {
            name: lockstep(ModelTarget(model.server), [second_instance])
            for name, second_instance in (second_instances or {}).items()
        }
        near = [other for other in others if other.name != "etcd"]
        self._near = lockstep(model, near) if second_instances and near != list(others) else self._all
        self._current = self._all
        self._known = KnownFindings(self._shows)
        for finding in known:
            self._known.add(KnownFinding(finding.signature, finding.trace))
        self._trace: Trace = ()
        self.over = True
        """Whether the sequence has come to its end, or none has begun."""
        self._last_words = ""
        """Of the target that died last."""
        self._disturbed = False
        """Whether the targets of the sequence have been used to run something else meanwhile."""
        self._raised: set[tuple[Signature, Trace]] = set()
        """What was raised in this round: Hypothesis runs such a sequence once more, and must see it raised again."""

    def new_round(self) -> None:
        """Hypothesis starts afresh: what was raised for it is not raised again."""
        self._raised.clear()

    # One sequence

    def start(self) -> None:
        """Begin a sequence."""
        before, self._trace = self._trace, ()
        self.sequences += 1
        self.over = True
        try:
            self._current = self._near if self.sequences % JUDGED else self._all
            self._current.start()
        except Died as died:
            self._died(died, before)
        else:
            self.over = False

    def step(self, operation: Operation) -> bool:
        """One step of the sequence, and whether it was taken: none is once the sequence is over.

        Raises `NewFinding` for what is new; then the sequence is over.
        """
        if self.over:
            return False
        before, self._trace = self._trace, (*self._trace, operation)
        try:
            step = self._current.step(operation)
        except Skipped:
            self._trace = before
            return False
        except Inconclusive:
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
            judged = self._run(self._trace, self._all)  # the real etcd, which didn't run along, says who is wrong
            step = judged if judged.divergences else step
            self.over = True
        if not step.divergences:
            self.coverage.agreed(operation, step.observations[self.targets[0].name])
        for divergence in step.divergences:
            self._judge(operation, divergence)
        return True

    def _died(self, died: Died, trace: Trace) -> None:
        """A target died of the last step of a trace, or was found dead after it."""
        self._last_words = died.reason
        try:
            self._revive(died)
        except TargetGone as gone:
            if trace:
                self._record_as_seen(signature(died.target.name, trace[-1], DIED), trace, str(gone))
            raise
        if trace:
            self._trace = trace
            self._judge(trace[-1], Divergence(died.target.name, (DIED,)))

    def _judge(self, operation: Operation, divergence: Divergence) -> None:
        self._disturbed = False
        self._patience = min(time.monotonic(), self.deadline) + SHRINK_SECONDS
        for difference in divergence.differences:
            found = signature(divergence.odd_one_out, operation, difference)
            again = (found, self._trace) in self._raised
            if again or (not self._known.explain(self._trace, found) and self._settle(found, self._trace)):
                self.over = True
                self._raised.add((found, self._trace))
                raise new_finding(found)(found, self._trace)
            if _spoils(operation, found):
                # From here on the store is known to be wrong: what follows would tell that over and over.
                self.over = True
                return
        # A voter that is wrong no longer holds the store that the others are held against.
        self.over |= self._disturbed or divergence.odd_one_out in (*REFERENCES, UNDECIDED)

    def flush(self) -> None:
        """Run what was drawn and not yet run: nothing, where each step is run as it is drawn."""

    # What becomes of a lie

    def _settle(self, found: Signature, trace: Trace) -> bool:
        """Shrink what was found, and remember it. Whether it is a lie that was not known."""
        self._on_shrinking(str(found))
        try:
            shrunk = self._shrunk(found, trace)
        except (KeyboardInterrupt, TargetGone):
            self._record_as_seen(found, trace, "the run ended before it was shrunk")
            raise
        finally:
            self._on_shrinking("")
        if shrunk is None:
            return False
        if time.monotonic() > self._patience and shrunk == (found, trace):
            if any(finding.signature == found for finding in self.findings):
                return False  # one that nobody had the time to look into is enough
            self._record_as_seen(found, trace, "there was no time to shrink it")
        elif shrunk == (found, trace) and not self._shows(trace, found):
            self._record_as_seen(found, trace, "seen once, and not again")
        else:
            self._record(*shrunk)
        return True

    def _shrunk(self, found: Signature, trace: Trace) -> tuple[Signature, Trace] | None:
        """The signature and the shortest trace; None where that turns out to show a lie known already."""

        def judge(candidate: Trace) -> Verdict:
            seen = self._signatures(candidate, found.target)
            if found in seen:
                return Verdict.KNOWN if self._known.explain(candidate, found) else Verdict.NEW
            # Where a field of a key-value is wrong, a shorter trace may show that the key is not there at all.
            worse = [one for one in seen if one.field == "kvs" and found.field.startswith("kvs.")]
            return Verdict.KNOWN if any(self._known.explain(candidate, one) for one in worse) else Verdict.NOTHING

        if not self._shows(trace, found):
            return found, trace
        try:
            trace = shrink(trace, judge)
            reread = self._plain_read(trace, found)
            if reread is not None:
                self._known.add(KnownFinding(found, trace))
                trace, found = reread
                if judge(trace) is Verdict.KNOWN:
                    return None
                trace = shrink(trace, judge)
        except ShownByKnown as known:
            if len(known.trace) <= SHORT:
                self._known.add(KnownFinding(found, known.trace))
            return None
        finding = KnownFinding(found, trace)
        if (
            self._known.has(finding)
            or self._known.is_one_of_many(found, trace)
            or self._known.is_another_field(found, trace)
            or self._known.explain(trace, found, thorough=True)
            or self._went_wrong_before(trace, found)
            or self._is_header_of_known(trace, found)
        ):
            self._known.add(finding)
            return None
        return found, trace

    def _is_header_of_known(self, trace: Trace, found: Signature) -> bool:
        """Whether only the header's revision is wrong in an answer that tells a known lie in what it brings."""
        return found.field == "revision" and any(
            seen != found and self._known.explain(trace, seen) for seen in self._signatures(trace, found.target)
        )

    def _went_wrong_before(self, trace: Trace, found: Signature) -> bool:
        """Whether an earlier answer already tells that the target does something else: it accepted what should be
        refused, took the other branch, or counted its revisions otherwise. That what it holds differs afterwards, or
        at which revision, is no lie of its own."""
        telling = {"answer", "error", "succeeded", "waiting"}
        if "revision" in str(found) or any(isinstance(symbol, RevisionAt) for symbol in symbols(trace[-1])):
            telling.add("revision")
        return any(
            seen.field in telling
            for end in range(1, len(trace))
            for seen in self._signatures(trace[:end], found.target)
        )

    def _plain_read(self, trace: Trace, found: Signature) -> tuple[Trace, Signature] | None:
        """The same trace, or less of it, with a plain read as its last step, if that shows that the stores differ.

        One wrong state shows in the answers to many operations; read plainly, it is one lie.
        """
        target = next((target for target in self._others if target.name == found.target), None)
        if target is None or found.kind == DIED.kind or "range" not in target.capabilities:
            return None
        last = trace[-1]
        if isinstance(last, As) and found.field.startswith(("error", "cancel_reason")):
            return self._refused_read(trace, last, found)
        if isinstance(last, Txn) and last.compare and (last.success or last.failure):
            compares = (*trace[:-1], Txn(last.compare))
            for seen in self._signatures(compares, found.target):
                if seen.field == "succeeded":
                    return compares, seen  # it took the other branch: all else follows from that
        for end in range(1, len(trace)):
            for key in filter(None, reversed(keys_of(trace[: end + 1]))):
                read = (*trace[:end], Range(key))
                if read == trace:
                    return None  # it is read plainly already
                for seen in self._signatures(read, found.target):
                    if not seen.tells_all and seen.field.startswith("kvs"):
                        return read, seen
        return None

    def _refused_read(self, trace: Trace, last: As, found: Signature) -> tuple[Trace, Signature] | None:
        """The same trace with a plain read in the same name as its last step, if that is refused wrongly too: one
        check of tokens and permissions stands before every operation."""
        read = (*trace[:-1], As(last.token, Range(b"a")))
        if isinstance(last.operation, Range):
            return None  # it is a read already
        refused = (seen for seen in self._signatures(read, found.target) if seen.field.startswith("error"))
        return next(((read, seen) for seen in refused), None)

    def _record(self, found: Signature, trace: Trace) -> None:
        step = self._run(trace, self._all)
        divergence = next((one for one in step.divergences if one.odd_one_out == found.target), None)
        if divergence is None and step.divergences:
            # The real etcd is with it: then it is one of those who vote that is alone.
            divergence = step.divergences[0]
            found = signature(divergence.odd_one_out, trace[-1], divergence.differences[0])
        note = "" if found.kind != DIED.kind else self._last_words
        self._keep(Finding(found, trace, step.observations, divergence.differences if divergence else (), note))

    def _record_as_seen(self, found: Signature, trace: Trace, why: str) -> None:
        self._keep(Finding(found, trace, {}, (), why))

    def _keep(self, finding: Finding) -> None:
        finding = replace(finding, over_quota=self._over_quota)
        self.findings.append(finding)
        self._known.add(KnownFinding(finding.signature, finding.trace))
        self._on_finding(finding)

    # Running a trace

    def _shows(self, trace: Trace, found: Signature) -> bool:
        return found in self._signatures(trace, found.target)

    def _signatures(self, trace: Trace, target: str) -> list[Signature]:
        """What a trace, run on its own, shows of a target at its last step."""
        if time.monotonic() > self._patience:
            return []
        self._disturbed |= target not in self._pairs
        step = self._run(trace, self._pairs.get(target, self._all))
        return [
            signature(target, trace[-1], difference)
            for divergence in step.divergences
            if divergence.odd_one_out == target
            for difference in divergence.differences
        ]

    def _revive(self, died: Died) -> None:
        try:
            died.target.revive()
        except TargetDied as gone:
            raise TargetGone(f"{died.target.name} died ({died.reason}) and can't be brought back: {gone}") from gone

    def _run(self, trace: Trace, lockstep: Lockstep) -> Step:
        """The last step. One in which nothing differs stands for a run that stopped before its end."""
        step = Step({}, ())
        try:
            lockstep.start()
            for operation in trace:
                step = lockstep.step(operation)
        except (Inconclusive, Skipped):
            return Step({}, ())
        except Died as died:
            self._last_words = died.reason
            self._revive(died)
            last = lockstep.steps == len(trace)
            return Step({}, (Divergence(died.target.name, (DIED,)),) if last else ())
        return step
