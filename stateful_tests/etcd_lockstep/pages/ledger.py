"""docs/fidelity.json: how many steps each campaign agreed on, so that those of several sessions and machines add up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from etcd_lockstep.campaigns.state import BadState
from etcd_lockstep.filing.writing import write_whole
from etcd_lockstep.pages.fidelity import Measured
from etcd_model.quirks import parse_version


@dataclass(frozen=True, slots=True)
class Campaigned:
    """What one campaign came to."""

    seed: int
    last: str
    """The day on which its last shard ended, as `2026-11-27`."""
    steps: Mapping[str, int]
    """By release of etcd."""
    lies: int


def read(file: Path) -> list[Campaigned]:
    """The campaigns so far; none where there is no file. Raises `BadState` and OSError."""
    if not file.exists():
        return []
    try:
        return [Campaigned(**one) for one in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise BadState(f"{file} is no list of campaigns: {error}") from None


def enter(file: Path, seed: int, last: str, measured: Sequence[Measured]) -> list[Campaigned]:
    """Note what a campaign has come to, in the place of what the one with this seed had come to before; and return all.
    Raises `BadState` and OSError."""
    steps = {one.version: one.steps for one in measured}
    this = Campaigned(seed, last, steps, sum(one.findings for one in measured))
    campaigns = [*(one for one in read(file) if one.seed != seed), this]
    write_whole(file, json.dumps([asdict(one) for one in campaigns], indent=2) + "\n")
    return campaigns


def table(campaigns: Sequence[Campaigned]) -> Iterator[str]:
    """A row each, and their sum, in Markdown."""
    versions = sorted({version for one in campaigns for version in one.steps}, key=parse_version)
    yield f"| seed | until | {' | '.join(versions)} | lies |"
    yield f"|---|---|{'---:|' * len(versions)}---:|"
    for one in campaigns:
        steps = " | ".join(f"{one.steps.get(version, 0):,}" for version in versions)
        yield f"| {one.seed} | {one.last} | {steps} | {one.lies} |"
    sums = " | ".join(f"{sum(one.steps.get(version, 0) for one in campaigns):,}" for version in versions)
    yield f"| all | | {sums} | {sum(one.lies for one in campaigns)} |"
