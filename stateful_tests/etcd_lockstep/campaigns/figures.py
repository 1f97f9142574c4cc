"""What a campaign has come to, as its status and its report have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from etcd_lockstep.campaigns.definition import Campaign
from etcd_lockstep.campaigns.state import CampaignState
from etcd_lockstep.reporting.summary import Cause, reported
from etcd_lockstep.searching.findings import Finding

_MOST_POINTS = 200
"""Of a curve."""


@dataclass(frozen=True, slots=True)
class EtcdFigures:
    """What was searched with one etcd."""

    etcd: str
    """Its version; or `none`, with the version that model and fake emulate."""
    shards: int
    sequences: int
    steps: int
    seconds: float
    """Of search, of all workers together."""
    findings: int


@dataclass(frozen=True, slots=True)
class Sighted:
    """A finding, and when it was seen."""

    finding: Finding
    found_with: str
    first: float
    """When the first shard that saw it ended, in seconds since the epoch."""
    last: float
    shards: int
    """How many saw it."""
    searched: float
    """Seconds of search of all workers together, until then."""
    etcds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """How far the campaign was at a time."""

    searched: float
    """Seconds of search, of all workers together."""
    steps: int
    findings: int


@dataclass(frozen=True, slots=True)
class CampaignFigures:
    """All there is to say about a state."""

    campaign: Campaign
    uniform: bool
    shards: dict[str, int]
    """By their status."""
    etcds: Sequence[EtcdFigures]
    sighted: Sequence[Sighted]
    """The first found first."""
    points: Sequence[Point]
    answers: dict[tuple[str, str], int]
    """Agreed steps by operation and error, which is empty where there was none."""
    fields: dict[str, int]
    """Agreed steps in which a field was set."""
    failures: Sequence[tuple[str, int, str]]
    """The cells with shards that came to nothing: which, how many shards, and why the last did."""

    @property
    def steps(self) -> int:
        return sum(one.steps for one in self.etcds)

    @property
    def seconds(self) -> float:
        """Of search, of all workers together."""
        return sum(one.seconds for one in self.etcds)

    @property
    def causes(self) -> list[Cause]:
        """The findings by their cause."""
        return reported([one.finding for one in self.sighted], {})

    def to_json(self) -> dict[str, Any]:
        """As `campaign status --json` writes it."""
        return {
            "campaign": self.campaign.to_json(),
            "uniform": self.uniform,
            "shards": {name: self.shards.get(name, 0) for name in ("planned", "running", "done", "failed")},
            "etcds": [
                {
                    "etcd": one.etcd,
                    "shards": one.shards,
                    "sequences": one.sequences,
                    "steps": one.steps,
                    "seconds": round(one.seconds, 3),
                    "findings": one.findings,
                }
                for one in self.etcds
            ],
            "findings": [
                {
                    "target": one.finding.odd_one_out,
                    "fingerprint": one.finding.fingerprint,
                    "steps": len(one.finding.trace),
                    "shards": one.shards,
                    "first_seen": moment(one.first),
                    "last_seen": moment(one.last),
                    "searched_seconds": round(one.searched, 3),
                    "etcds": list(one.etcds),
                }
                for one in self.sighted
            ],
            "coverage": {
                "fields": self.fields,
                "answers": [
                    {"operation": operation, "error": error, "steps": steps}
                    for (operation, error), steps in self.answers.items()
                ],
            },
            "failures": [{"cell": cell, "shards": shards, "reason": why} for cell, shards, why in self.failures],
        }


def moment(seconds: float) -> str:
    """A time of day, in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def figures_of(state: CampaignState) -> CampaignFigures:
    """Read them. Raises sqlite3.Error."""
    points, searched_at = _points(state)
    return CampaignFigures(
        campaign=state.campaign,
        uniform=state.uniform,
        shards=dict(state.by_status()),
        etcds=[
            EtcdFigures(*row)
            for row in state.rows(
                "SELECT etcd, count(*), sum(sequences), sum(steps), sum(seconds), (SELECT count(DISTINCT finding) "
                "FROM sightings JOIN shards AS seen ON seen.number = shard WHERE seen.etcd = shards.etcd) "
                "FROM shards WHERE status = 'done' GROUP BY etcd ORDER BY etcd"
            )
        ],
        sighted=_sighted(state, searched_at),
        points=points,
        answers={
            (operation, error): steps
            for operation, error, steps in state.rows(
                "SELECT operation, error, sum(steps) FROM coverage WHERE field = '' "
                "GROUP BY operation, error ORDER BY operation, error"
            )
        },
        fields=dict(
            state.rows("SELECT field, sum(steps) FROM coverage WHERE field != '' GROUP BY field ORDER BY field")
        ),
        failures=[
            (str(state.cells[cell]), shards, reason)
            for cell, shards, reason, _ in state.rows(
                "SELECT cell, count(*), reason, max(ended) FROM shards WHERE status = 'failed' GROUP BY cell"
            )
        ],
    )


def _points(state: CampaignState) -> tuple[list[Point], dict[int, float]]:
    """The curve, and by shard the seconds of search until its end."""
    new_in = dict(
        state.rows(
            "SELECT shard, count(*) FROM (SELECT shard, min(ended) FROM sightings JOIN shards ON number = shard "
            "GROUP BY finding) GROUP BY shard"
        )
    )
    points, searched_at = [Point(0, 0, 0)], {}
    for number, seconds, steps in state.rows(
        "SELECT number, seconds, steps FROM shards WHERE status = 'done' ORDER BY ended"
    ):
        last = points[-1]
        points.append(Point(last.searched + seconds, last.steps + steps, last.findings + new_in.get(number, 0)))
        searched_at[number] = points[-1].searched
    every = max(len(points) // _MOST_POINTS, 1)
    return [*points[:-1:every], points[-1]], searched_at


def _sighted(state: CampaignState, searched_at: dict[int, float]) -> list[Sighted]:
    findings = state.findings()
    seen = state.rows(
        "SELECT min(ended), max(ended), count(*), group_concat(DISTINCT etcd), "
        "(SELECT shard FROM sightings AS one JOIN shards AS at ON at.number = one.shard "
        "WHERE one.finding = sightings.finding ORDER BY at.ended LIMIT 1) "
        "FROM sightings JOIN shards ON number = shard GROUP BY finding ORDER BY finding"
    )
    return [
        Sighted(finding, found_with, first, last, shards, searched_at[shard], tuple(sorted(etcds.split(","))))
        for (finding, found_with), (first, last, shards, etcds, shard) in zip(findings, seen, strict=True)
    ]
