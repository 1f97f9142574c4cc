"""Whether anything comes off the traces that the search has shrunk, of the findings of every specimen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etcd_lockstep.proving.last_step import last_step
from etcd_lockstep.proving.measuring import Found, Task, search
from etcd_lockstep.proving.reducing import Reduction, reductions
from etcd_lockstep.reporting.wording.operations import operation_in_words
from etcd_lockstep.searching.findings import Signature, signature
from etcd_lockstep.searching.known import KnownFinding, KnownFindings
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.trace import Trace
from etcd_model import Server


@dataclass(frozen=True, slots=True)
class Attacked:
    """What came of the findings of one search."""

    specimen: str
    seed: int
    findings: int
    tried: int
    """Simpler traces that were run."""
    off: tuple[str, ...]
    """What came off: a report each."""

    @property
    def task(self) -> Task:
        return self.specimen, self.seed


def attack(task: Task, seconds: float) -> Attacked:
    """Search for a specimen's lie, for so many seconds at most, and try to make each trace that was found simpler."""
    specimen, seed = task
    _, found = search(specimen, seed, seconds)
    found = [one for one in found if not one.finding.note]  # there was time to shrink these
    tried, off = 0, []
    for at, one in enumerate(found):
        simpler = list(reductions(one.finding.trace))
        tried += len(simpler)
        off += [_report(one, reduction) for reduction in coming_off(specimen, one, simpler, found[:at])]
    return Attacked(specimen, seed, len(found), tried, tuple(off))


def coming_off(
    specimen: str, one: Found, simpler: Sequence[Reduction], before: Sequence[Found] = ()
) -> Iterator[Reduction]:
    """Those of the simpler traces that show the same finding, the first of each kind, unless a finding made before
    explains it."""
    kinds: set[str] = set()
    seen = one.finding.signature
    known = KnownFindings(lambda trace, found: found in shown(specimen, trace, one.server))
    for earlier in before:
        known.add(KnownFinding(earlier.finding.signature, earlier.finding.trace))
    for reduction in simpler:
        if (
            reduction.what not in kinds
            and seen in shown(specimen, reduction.trace, one.server)
            and known.explain(reduction.trace, seen, thorough=True) is None
        ):
            kinds.add(reduction.what)
            yield reduction


def shown(specimen: str, trace: Trace, server: Server) -> list[Signature]:
    """What the last step of a trace shows of a specimen, beside the model; nothing where the trace can't be run."""
    step = last_step(trace, SPECIMENS[specimen](), server)
    divergences = () if step is None else step.divergences
    return [signature(specimen, trace[-1], difference) for one in divergences for difference in one.differences]


def _report(one: Found, reduction: Reduction) -> str:
    return "\n".join(
        (
            f"{one.finding.signature}: {reduction.what}",
            *(f"     {operation_in_words(operation)}" for operation in one.finding.trace),
            "  and",
            *(f"     {operation_in_words(operation)}" for operation in reduction.trace),
        )
    )
