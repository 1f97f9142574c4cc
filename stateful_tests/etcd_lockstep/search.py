"""The search: what a run knows so far, the judging of each step, and what becomes of a lie that was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from etcd_lockstep.comparison import Difference
from etcd_lockstep.lies import KnownLie, KnownLies, Symptom, symptom
from etcd_lockstep.lockstep import REFERENCES, UNDECIDED, Died, Divergence, Lockstep, Overtaken, Step
from etcd_lockstep.observation import Observation
from etcd_lockstep.shrinking import shrink
from etcd_lockstep.target import Target
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import Trace, map_keys
from etcd_model import Quirks, lethal
from etcd_model.operations import Operation, Range

SHRINK_SECONDS = 20.0
"""How long one lie may be shrunk. A target in the same process needs a fraction of a second; one that dies of
the trace and is started again each time needs it all."""

DIED = Difference("answer", "died")


@dataclass(frozen=True, slots=True)
class Lie:
    """One lie, with the shortest trace that shows it at its last step."""

    symptom: Symptom
    trace: Trace
    answers: Mapping[str, Observation]
    """What each target said to the last operation; a target that died said nothing."""
    differences: tuple[Difference, ...]
    reproduced: bool = True
    """False for what was seen once and never again; its trace is not shrunk."""

    @property
    def odd_one_out(self) -> str:
        return self.symptom.target

    @property
    def fingerprint(self) -> str:
        return KnownLie(self.symptom, self.trace).fingerprint


class LieFound(Exception):
    """A divergence that no lie found so far explains."""

    def __init__(self, found: Symptom, trace: Trace) -> None:
        super().__init__(str(found))
        self.symptom = found
        self.trace = trace


@cache
def lie_found(found: Symptom) -> type[LieFound]:
    """An exception type for each symptom, so that Hypothesis takes each for a bug of its own."""
    return type("LieFound", (LieFound,), {"__doc__": str(found)})


class Search:
    """A run's targets, what it has seen of them, and the lies it has found."""

    def __init__(
        self, model: ModelTarget, others: Sequence[Target], quirks: Quirks, on_shrinking: Callable[[str], None]
    ) -> None:
        self.targets: tuple[Target, ...] = (model, *others)
        self.lies: list[Lie] = []
        self.sequences = 0
        self.steps = 0
        self.overtaken = 0
        """Sequences given up because leases may have expired meanwhile."""
        self.pending: LieFound | None = None
        self._model = model
        self._others = tuple(others)
        self._quirks = quirks
        self._on_shrinking = on_shrinking
        self._all = Lockstep(model, others)
        self._known = KnownLies(self._shows)
        self._trace: Trace = ()
        self._over = False

    # One sequence

    def start(self) -> None:
        """Begin a sequence."""
        self._trace = ()
        self._over = False
        self.sequences += 1
        try:
            self._all.start()
        except Died as died:
            self._over = True
            died.target.revive()

    def can_apply(self, operation: Operation) -> bool:
        """Whether every target has words for it, and none would die of it for a reason that is known."""
        return lethal(operation, self._quirks) is None and all(target.can_express(operation) for target in self._others)

    def step(self, operation: Operation) -> bool:
        """One step of the sequence, and whether it was taken: none is once the sequence is over.

        Raises `LieFound` for what is new; then the sequence is over.
        """
        if self._over or not self.can_apply(operation):
            return False
        self._trace = (*self._trace, operation)
        self.steps += 1
        try:
            step = self._all.step(operation)
        except Overtaken:
            self.overtaken += 1
            self._over = True
            return True
        except Died as died:
            self._over = True
            died.target.revive()
            self._judge(operation, Divergence(died.target.name, (DIED,)))
            return True
        for divergence in step.divergences:
            self._judge(operation, divergence)
        return True

    def _judge(self, operation: Operation, divergence: Divergence) -> None:
        for difference in divergence.differences:
            found = symptom(divergence.odd_one_out, operation, difference)
            if not self._known.explain(self._trace, found):
                self._over = True
                self.pending = lie_found(found)(found, self._trace)
                raise self.pending
        if divergence.odd_one_out in (*REFERENCES, UNDECIDED):
            # They no longer hold the same store: nothing after this says anything about the others.
            self._over = True

    # What becomes of a lie

    def settle(self) -> Lie | None:
        """Shrink what was found last, and remember it.

        None where the shortest trace turns out to show a lie known already.
        """
        assert self.pending is not None
        found, trace = self.pending.symptom, self.pending.trace
        self.pending = None
        self._on_shrinking(str(found))
        deadline = time.monotonic() + SHRINK_SECONDS

        def new(candidate: Trace, sought: Symptom) -> bool:
            return (
                time.monotonic() < deadline
                and self._shows(candidate, sought)
                and not self._known.explain(candidate, sought)
            )

        if not self._shows(trace, found):
            return self._record(found, trace, reproduced=False)
        trace = shrink(trace, lambda candidate: new(candidate, found))
        witnessed = self._plain_witness(trace, found)
        if witnessed is not None:
            trace, found = witnessed
            if self._known.explain(trace, found):
                return None
            trace = shrink(trace, lambda candidate: new(candidate, found))
        return self._record(found, trace, reproduced=True)

    def _plain_witness(self, trace: Trace, found: Symptom) -> tuple[Trace, Symptom] | None:
        """The same trace with a plain read as its last step, if that shows that the stores differ.

        One wrong state shows in the answers to many operations; read plainly, it is one lie.
        """
        target = next((target for target in self._others if target.name == found.target), None)
        if target is None or found.kind == DIED.kind or "range" not in target.capabilities:
            return None
        keys: list[bytes] = []
        for operation in reversed(trace):
            map_keys(operation, lambda key: keys.append(key) or key)  # type: ignore[func-returns-value]  # collects
        for key in dict.fromkeys(key for key in keys if key):
            read = Range(key)
            witness = (*trace[:-1], read)
            for seen in self._symptoms(witness, found.target):
                if not seen.anywhere and seen.field.startswith("kvs"):
                    return witness, seen
        return None

    def _record(self, found: Symptom, trace: Trace, *, reproduced: bool) -> Lie:
        step = self._run(trace, self._all)
        divergence = next(
            (divergence for divergence in step.divergences if divergence.odd_one_out == found.target), None
        )
        lie = Lie(found, trace, step.observations, divergence.differences if divergence else (), reproduced)
        self.lies.append(lie)
        self._known.add(KnownLie(found, trace))
        return lie

    # Running a trace

    def _shows(self, trace: Trace, found: Symptom) -> bool:
        return found in self._symptoms(trace, found.target)

    def _symptoms(self, trace: Trace, target: str) -> list[Symptom]:
        """What a trace, run on its own, shows of a target at its last step."""
        if any(not self.can_apply(operation) for operation in trace):
            return []
        others = [other for other in self._others if other.name == target and target not in REFERENCES]
        step = self._run(trace, Lockstep(self._model, others) if others else self._all)
        return [
            symptom(target, trace[-1], difference)
            for divergence in step.divergences
            if divergence.odd_one_out == target
            for difference in divergence.differences
        ]

    def _run(self, trace: Trace, lockstep: Lockstep) -> Step:
        """The last step. One in which nothing differs stands for a run that stopped before its end."""
        step = Step({}, ())
        try:
            lockstep.start()
            for number, operation in enumerate(trace, 1):
                step = lockstep.step(operation)
        except Overtaken:
            return Step({}, ())
        except Died as died:
            died.target.revive()
            last = lockstep.steps == len(trace)
            return Step({}, (Divergence(died.target.name, (DIED,)),) if last else ())
        return step
