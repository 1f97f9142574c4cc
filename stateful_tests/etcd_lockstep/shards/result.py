"""What shards came to, as data: what every report is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from etcd_lockstep.searching.coverage import Coverage, CoverageCounts, StateCounts
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.run import Run, Stage
from etcd_lockstep.target import ALL

T = TypeVar("T")

SeenAgain: TypeAlias = Mapping[tuple[str, str, str], int]
"""By target, fingerprint and the step's operation: how many more steps a finding has explained."""


@dataclass(frozen=True, slots=True)
class WorkloadSummary:
    """What one workload came to."""

    name: str
    sequences: int = 0
    steps: int = 0
    given_up: int = 0
    """Sequences that proved nothing, since a lease may have expired meanwhile."""


@dataclass(frozen=True, slots=True)
class AcceptedByShard:
    """What became of the findings that were accepted before."""

    showing: tuple[Finding, ...] = ()
    no_longer_showing: tuple[Finding, ...] = ()
    unchecked: tuple[Finding, ...] = ()
    """Those that no workload could replay."""


@dataclass(frozen=True, slots=True)
class ShardTargets:
    """Who takes part in a shard."""

    etcd: str | None
    """Which real etcd, and where it comes from."""
    version: str
    """Of etcd: that which the model and the fake emulate."""
    names: tuple[str, ...]
    """Of everything that takes part, the model first."""
    unknown: tuple[str, ...]
    """Operations that are left out, since some target does not know them."""
    only_store: bool
    """Whether a store among them is there once, so that no other shard may run at the same time."""


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What a shard came to; of several that were merged, what they came to together."""

    seeds: tuple[int, ...]
    """Of the shards."""
    targets: ShardTargets
    seconds: float = 0.0
    """From the first step to the end."""
    workloads: tuple[WorkloadSummary, ...] = ()
    findings: tuple[Finding, ...] = ()
    seen_again: SeenAgain = field(default_factory=dict)
    coverage: CoverageCounts = field(default_factory=dict)
    states: StateCounts = field(default_factory=dict)
    drawn: Mapping[str, int] = field(default_factory=dict)
    """Operations by name, those among them that no target was asked."""
    inexpressible: Mapping[str, int] = field(default_factory=dict)
    """Those that some target has no words for."""
    accepted: AcceptedByShard = AcceptedByShard()

    @property
    def steps(self) -> int:
        return sum(workload.steps for workload in self.workloads)


def targets_of(participants: Participants) -> ShardTargets:
    """Who takes part, as data."""
    return ShardTargets(
        etcd=participants.etcd.how if participants.etcd else None,
        version=participants.version,
        names=(participants.model.name, *(target.name for target in participants.others)),
        unknown=tuple(sorted(ALL - participants.capabilities)),
        only_store=participants.has_the_only_store,
    )


def workloads_of(stages: Sequence[Stage]) -> tuple[WorkloadSummary, ...]:
    """How far the workloads of a run are."""
    return tuple(
        WorkloadSummary(one.workload.name, one.search.sequences, one.search.steps, one.search.inconclusive)
        for one in stages
    )


def result_of(run: Run, stages: Sequence[Stage], seconds: float) -> ShardResult:
    """What a run came to. `stages`: those that were begun, at least one."""
    coverage, drawn, inexpressible = Coverage(), Counter[str](), Counter[str]()
    seen_again: Counter[tuple[str, str, str]] = Counter()
    for search in run.searches:
        coverage.add(search.coverage)
        drawn.update(search.drawn)
        inexpressible.update(search.inexpressible)
        seen_again.update(search.triage.seen_again)
    accepted = run.accepted
    return ShardResult(
        seeds=(run.plan.seed,),
        targets=targets_of(stages[0].participants),
        seconds=seconds,
        workloads=workloads_of(stages),
        findings=tuple(run.findings),
        seen_again=seen_again,
        coverage=coverage.counts,
        states=coverage.states,
        drawn=drawn,
        inexpressible=inexpressible,
        accepted=AcceptedByShard(tuple(accepted.showing), tuple(accepted.no_longer_showing), tuple(accepted.unchecked)),
    )


def merged(results: Sequence[ShardResult]) -> ShardResult:
    """What several shards came to together, at least one. Of findings with one fingerprint the first one stays."""
    first = results[0]
    return ShardResult(
        seeds=tuple(seed for result in results for seed in result.seeds),
        targets=first.targets,
        seconds=max(result.seconds for result in results),
        workloads=added(workload for result in results for workload in result.workloads),
        findings=tuple(distinct(finding for result in results for finding in result.findings)),
        seen_again=_sum(result.seen_again for result in results),
        coverage=_sum(result.coverage for result in results),
        states=_sum(result.states for result in results),
        drawn=_sum(result.drawn for result in results),
        inexpressible=_sum(result.inexpressible for result in results),
        accepted=_merged_accepted([result.accepted for result in results]),
    )


def added(workloads: Iterable[WorkloadSummary]) -> tuple[WorkloadSummary, ...]:
    """One for each workload, with what it came to in all."""
    total: dict[str, WorkloadSummary] = {}
    for one in workloads:
        so_far = total.get(one.name, WorkloadSummary(one.name))
        total[one.name] = WorkloadSummary(
            one.name,
            so_far.sequences + one.sequences,
            so_far.steps + one.steps,
            so_far.given_up + one.given_up,
        )
    return tuple(total.values())


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """The first finding of each fingerprint, target by target."""
    return list({(one.odd_one_out, one.fingerprint): one for one in reversed(list(findings))}.values())[::-1]


def _sum(counts: Iterable[Mapping[T, int]]) -> Counter[T]:
    total: Counter[T] = Counter()
    for one in counts:
        total.update(one)
    return total


def _merged_accepted(every: Sequence[AcceptedByShard]) -> AcceptedByShard:
    """One that shows in any shard shows."""
    showing, not_showing, unchecked = [], [], []
    for finding in (*every[0].showing, *every[0].no_longer_showing, *every[0].unchecked):
        if any(finding in one.showing for one in every):
            showing.append(finding)
        elif any(finding in one.no_longer_showing for one in every):
            not_showing.append(finding)
        else:
            unchecked.append(finding)
    return AcceptedByShard(tuple(showing), tuple(not_showing), tuple(unchecked))
