"""What docs/fidelity.md reports of a campaign: the same figures, from its state, however many sessions it took."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from etcd_lockstep.campaigns.definition import Campaign
from etcd_lockstep.campaigns.state import BadState, CampaignState
from etcd_lockstep.pages.fidelity import Measured
from etcd_model.quirks import parse_version

_ONE_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class CampaignCoverage:
    """Agreed steps, as a campaign's state counts them: without the states of the store."""

    fields: Mapping[str, int]
    answers: Mapping[tuple[str, str], int]
    met: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """Nothing: a state holds no features of stores."""


class Searched(NamedTuple):
    """What a campaign has come to."""

    measured: list[Measured]
    """With each real etcd, the oldest release first."""
    how: str
    """For the page."""
    seed: int
    last: str
    """The day on which the last shard ended, as `2026-11-27`."""


def searched(folder: Path) -> Searched:
    """What the state of a campaign says.

    Raises `BadState` where the state has none, or one coverage for several releases, and sqlite3.Error.
    """
    with CampaignState(folder, alone=False) as state:
        versions = dict(sorted(_versions(state).items(), key=lambda one: parse_version(one[0])))
        if not versions:
            raise BadState(f"{folder}: it has no shard that is done with a real etcd and no other target")
        ((last,),) = state.rows("SELECT date(max(ended), 'unixepoch') FROM shards WHERE status = 'done'")
        measured = [_of_version(state, *one) for one in versions.items()]
        return Searched(measured, _how(state.campaign), state.campaign.seed, last)


def _versions(state: CampaignState) -> dict[str, list[int]]:
    """By release of etcd: the places of the cells that were searched with it. Targets say nothing of etcd."""
    found: dict[str, list[int]] = {}
    for place, etcds in state.rows(
        "SELECT cell, group_concat(DISTINCT etcd) FROM shards WHERE status = 'done' GROUP BY cell"
    ):
        cell = state.cells[place]
        if cell.target or not _ONE_VERSION.match(etcds):
            continue
        if not _ONE_VERSION.fullmatch(etcds):
            raise BadState(f"{state.folder}: {cell} was searched with {etcds}, and has one coverage for all of these")
        found.setdefault(etcds, []).append(place)
    return found


def _of_version(state: CampaignState, version: str, places: Sequence[int]) -> Measured:
    cells = f"cell IN ({','.join(map(str, places))})"
    ((shards, steps, seconds, first, last),) = state.rows(
        "SELECT count(*), sum(steps), sum(seconds), date(min(ended), 'unixepoch'), date(max(ended), 'unixepoch') "
        f"FROM shards WHERE status = 'done' AND {cells}"
    )
    ((findings,),) = state.rows(
        f"SELECT count(DISTINCT finding) FROM sightings JOIN shards ON number = shard WHERE {cells}"
    )
    fields, answers = Counter[str](), Counter[tuple[str, str]]()
    for operation, error, used, count in state.rows(
        f"SELECT operation, error, field, sum(steps) FROM coverage WHERE {cells} GROUP BY operation, error, field"
    ):
        if used:
            fields[used] += count
        else:
            answers[operation, error] += count
    when = f"on {first}" if first == last else f"from {first} to {last}"
    searched = f" in {shards:,} {'shard' if shards == 1 else 'shards'}, {seconds / 3600:.1f} hours of search, {when}"
    return Measured(version, steps, findings, CampaignCoverage(fields, answers), searched)


def _how(campaign: Campaign) -> str:
    return "\n".join(
        (
            "Made by `make fidelity STATE=DIR` from the state of a [campaign](campaigns.md), which",
            "`etcd-lockstep campaign run` began and `etcd-lockstep campaign resume` went on with:",
            "",
            "```toml",
            *_definition(campaign),
            "```",
        )
    )


def _definition(campaign: Campaign) -> Iterator[str]:
    """The keys that say something; their values are TOML as they are JSON."""
    for key, value in campaign.to_json().items():
        if value is not None and (key == "seed" or value != getattr(Campaign(), key)):
            yield f"{key} = {json.dumps(value)}"
