"""What a run has done and found, as every kind of report shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from etcd_lockstep.comparing.lockstep import REFERENCES, UNDECIDED
from etcd_lockstep.filing.corpus import file_name
from etcd_lockstep.names import name_of
from etcd_lockstep.reporting.severity import Severity, severity_of
from etcd_lockstep.searching.coverage import Coverage
from etcd_lockstep.searching.findings import Finding, Signature
from etcd_lockstep.shards.result import ShardResult, WorkloadSummary

_SELDOM = 0.5
"""From which share of inexpressible operations on a report mentions them."""
_ENOUGH = 20
"""How many of an operation have to be drawn for that."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A finding in a report."""

    finding: Finding
    number: int
    """From 1, in the order of the report."""
    seen_again: int
    """How many more steps of the run it explained."""
    operations: tuple[str, ...]
    """Whose answers showed it, that of the trace's last step first."""
    file: Path | None
    """Its corpus file."""

    @property
    def severity(self) -> Severity:
        return severity_of(self.finding.signature)


@dataclass(frozen=True, slots=True)
class Cause:
    """Findings with the same failure signature after the same kinds of operations, or that accept what etcd refuses in
    the same words, the shortest trace first: most often they have one cause."""

    signature: Signature
    """Of the first finding."""
    operations: tuple[str, ...]
    """The names of those in the traces, each once, in alphabetical order."""
    findings: Sequence[Reported]

    @property
    def severity(self) -> Severity:
        return severity_of(self.signature)

    @property
    def shown_by(self) -> list[str]:
        """The operations in whose answers it shows; `any` is any operation's answer."""
        return list(dict.fromkeys(_shown_by(one.finding) for one in self.findings))


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run that has ended, or was ended."""

    etcd: str | None
    """Which real etcd took part, and where it came from."""
    version: str
    """Of etcd: that which the model and the fake emulate."""
    targets: tuple[str, ...]
    """Everything that took part, the model first."""
    seed: int
    seeds: tuple[int, ...]
    """Of its jobs, that of the run first."""
    seconds: float
    workloads: Sequence[WorkloadSummary]
    causes: Sequence[Cause]
    """The worst first; but a finding in which a reference is alone comes before all others."""
    accepted: int
    """How many findings a baseline accepts that still show."""
    has_baseline: bool
    coverage: Coverage
    unknown: tuple[str, ...]
    """Operations that were left out of the run, since some target does not know them."""
    ignored: tuple[str, ...]
    """Fields that were not compared, since the user doesn't want it."""
    drawn: Counter[str]
    inexpressible: Counter[str]
    """Of those drawn, how many no target was asked, since one has no words for them."""
    folder: Path | None
    """Where the findings were filed."""
    cut_short: str = ""
    """Why the run ended before its time; empty where it didn't."""

    @property
    def compared(self) -> tuple[str, ...]:
        """The targets that the run is about: those of the user's, or else all beside the model."""
        return tuple(name for name in self.targets if name not in REFERENCES) or self.targets[1:]

    @property
    def is_about_etcds(self) -> bool:
        """Whether every finding is that one etcd differs from another."""
        return bool(self.causes) and all(one.finding.is_about_an_etcd for one in self.findings)

    @property
    def findings(self) -> list[Reported]:
        """All of them, in the order of the report."""
        return [one for cause in self.causes for one in cause.findings]

    @property
    def sequences(self) -> int:
        return sum(workload.sequences for workload in self.workloads)

    @property
    def steps(self) -> int:
        return sum(workload.steps for workload in self.workloads)

    @property
    def given_up(self) -> int:
        return sum(workload.given_up for workload in self.workloads)

    @property
    def by_severity(self) -> dict[Severity, int]:
        """How many findings of each severity there are, the worst first; those that there are none of are left out."""
        counts = Counter(one.severity for one in self.findings)
        return {severity: counts[severity] for severity in Severity if counts[severity]}

    @property
    def by_operation(self) -> dict[str, int]:
        """How many findings show in the answer to each operation, the most first; `any` is any operation's answer."""
        return dict(Counter(_shown_by(one.finding) for one in self.findings).most_common())

    @property
    def seldom_expressible(self) -> dict[str, tuple[int, int]]:
        """The operations that were drawn often and mostly could not be asked: how many could not, of how many."""
        return {
            name: (number, self.drawn[name])
            for name, number in self.inexpressible.most_common()
            if self.drawn[name] >= _ENOUGH and number >= _SELDOM * self.drawn[name]
        }


def summarize(
    result: ShardResult,
    files: Mapping[str, Path],
    folder: Path | None,
    cut_short: str,
    *,
    has_baseline: bool,
    ignored: Sequence[str],
) -> RunSummary:
    """`files`: by `file_name`, where each finding was filed, all in `folder`. `has_baseline`: whether findings were
    accepted before the run. `ignored`: fields that were not compared."""
    return RunSummary(
        etcd=result.targets.etcd,
        version=result.targets.version,
        targets=result.targets.names,
        seed=result.seeds[0],
        seeds=result.seeds,
        seconds=result.seconds,
        workloads=result.workloads,
        causes=_causes(result.findings, Counter(result.seen_again), files),
        accepted=len(result.accepted.showing),
        has_baseline=has_baseline,
        coverage=Coverage(result.coverage, result.states),
        unknown=result.targets.unknown,
        ignored=tuple(ignored),
        drawn=Counter(result.drawn),
        inexpressible=Counter(result.inexpressible),
        folder=folder,
        cut_short=cut_short,
    )


def reported(findings: Sequence[Finding], files: Mapping[str, Path]) -> list[Cause]:
    """Findings by their cause, of which nothing but their files is known."""
    return _causes(findings, Counter(), files)


def _shown_by(finding: Finding) -> str:
    operation = finding.signature.operation
    return "any" if operation == "*" else operation


def _causes(
    findings: Sequence[Finding], seen_again: Counter[tuple[str, str, str]], files: Mapping[str, Path]
) -> list[Cause]:
    by_cause: dict[tuple[Signature, frozenset[str]], list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: (len(finding.trace), finding.fingerprint)):
        by_cause.setdefault(_shared(finding), []).append(finding)
    causes, number = [], 0
    for alike in sorted(by_cause.values(), key=_cause_order):
        members = []
        for finding in alike:
            number += 1
            again = {
                operation: steps
                for (target, fingerprint, operation), steps in seen_again.items()
                if (target, fingerprint) == (finding.odd_one_out, finding.fingerprint)
            }
            operations = tuple(dict.fromkeys((name_of(finding.trace[-1]), *sorted(again))))
            file = files.get(file_name(finding))
            members.append(Reported(finding, number, sum(again.values()), operations, file))
        kinds = sorted({name_of(operation) for finding in alike for operation in finding.trace})
        causes.append(Cause(alike[0].signature, tuple(kinds), members))
    return causes


def _shared(finding: Finding) -> tuple[Signature, frozenset[str]]:
    """What the findings of one cause have in common. A check that a target lacks, it often lacks in every operation."""
    seen = finding.signature
    if (seen.field, severity_of(seen)) == ("error", Severity.ACCEPTS):
        return replace(seen, operation="*"), frozenset()
    return seen, frozenset(map(name_of, finding.trace))


def _cause_order(alike: Sequence[Finding]) -> tuple[bool, int, int, str]:
    signature = alike[0].signature
    by_reference = signature.target in (*REFERENCES, UNDECIDED)
    return not by_reference, severity_of(signature).rank, len(alike[0].trace), str(signature)
