"""Two lies at once: whether a search finds both of two specimens that are one fake, or one hides behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from random import Random

from etcd_lockstep.catalogue import UserTarget
from etcd_lockstep.comparing.lockstep import Step
from etcd_lockstep.names import name_of, operation_name
from etcd_lockstep.proving.covered import why_covered
from etcd_lockstep.proving.last_step import last_step
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.run import Run, RunOptions
from etcd_lockstep.servers import NoEtcd
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.specimens.composed import composed
from etcd_lockstep.specimens.shortest import SHORTEST
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.trace import Trace
from etcd_model import Server
from etcd_model.operations import Advance

Pair = tuple[str, str]
"""The names of two specimens."""

EXAMPLES = 600
"""Of each workload at first."""

PATIENTLY = 3000
"""Of each workload where one lie was not found so: one that takes more of them counts as hidden."""


@dataclass(frozen=True, slots=True)
class SearchedPair:
    """What one search came to."""

    pair: Pair
    found: tuple[str, ...]
    """The lies that a finding's trace shows by themselves, at its last step: that finding goes on showing once the
    other lie is mended."""
    examples: int
    """That were drawn until both were found, or all was drawn."""
    findings: tuple[str, ...]
    """The failure signatures of all findings."""

    @property
    def task(self) -> Pair:
        return self.pair

    @property
    def covered(self) -> dict[str, str]:
        """The lies that were not found and need not be, each with the reason."""
        first, second = self.pair
        reasons = {first: why_covered(first, second), second: why_covered(second, first)}
        return {lie: reason for lie, reason in reasons.items() if reason and lie not in self.found}

    @property
    def hidden(self) -> tuple[str, ...]:
        """The lies that should have been found, and were not."""
        return tuple(lie for lie in self.pair if lie not in self.found and lie not in self.covered)


def pairs() -> list[Pair]:
    """All pairs of specimens whose lies show in the answer to the same operation."""
    shown_by = {name: name_of(trace[-1]) for name, trace in SHORTEST.items()}
    return [(one, other) for one, other in combinations(SHORTEST, 2) if shown_by[one] == shown_by[other]]


def sample(number: int, seed: int) -> list[Pair]:
    """So many of them, or all, in an order that the seed decides."""
    every = pairs()
    Random(seed).shuffle(every)
    return every[:number]


def kind_of(name: str) -> type[Specimen]:
    """The class of a specimen with one lie."""
    kind = SPECIMENS[name]
    assert isinstance(kind, type)
    assert issubclass(kind, Specimen)
    return kind


def both(pair: Pair) -> type[Specimen]:
    """The two in one."""
    first, second = pair
    return composed(kind_of(first), kind_of(second))


def search(pair: Pair, seed: int) -> SearchedPair:
    """Search for both, and once more, patiently, where one was not found."""
    first = _search(pair, seed, EXAMPLES)
    return _search(pair, seed, PATIENTLY) if first.hidden else first


def _search(pair: Pair, seed: int, examples: int) -> SearchedPair:
    """Search as `fuzz --etcd none --seed N` does, in the workloads in which the two lies show, until both are found or
    all that are left are covered by the other one."""
    kind = both(pair)
    found: list[str] = []
    signatures: list[str] = []
    run = Run(
        RunOptions(
            NoEtcd(),
            [UserTarget(kind.name, kind, is_ours=True)],
            workloads={_workload_of(kind_of(lie)) for lie in pair},
            examples=examples,
            seed=seed,
        ),
        on_finding=lambda finding, participants: note(finding, participants),
    )

    def note(finding: Finding, _participants: Participants) -> None:
        signatures.append(str(finding.signature))
        found.extend(lie for lie in pair if lie not in found and shows(finding.trace, kind_of(lie)))
        if is_over():
            for one in run.searches:
                one.deadline = 0.0

    def is_over() -> bool:
        return not SearchedPair(pair, tuple(found), 0, ()).hidden and bool(found)

    drawn = 0
    with closing(run.stages()) as stages:
        for stage in stages:
            run.fuzz(stage)
            drawn += stage.driver.examples
            if is_over():
                break
    return SearchedPair(pair, tuple(found), drawn, tuple(signatures))


def _workload_of(kind: type[Specimen]) -> str:
    if "authenticate" in kind.capabilities:
        return "auth"
    return "time" if operation_name(Advance) in kind.capabilities else "store"


def shows(trace: Trace, kind: type[Specimen]) -> bool:
    """Whether the last answer of a specimen to a trace is not the model's."""
    step = last_step(trace, kind(), Server())
    return step is not None and bool(step.divergences)


def is_indistinguishable(trace: Trace, pair: type[Specimen], alone: type[Specimen]) -> bool:
    """Whether two specimens give the same last answer to a trace."""
    steps: Sequence[Step | None] = [last_step(trace, kind(), Server()) for kind in (pair, alone)]
    one, other = steps
    return one is not None and other is not None and one.observations[pair.name] == other.observations[alone.name]
