"""Which cells are searched next: a round gives each its turn, and as many more to those with thin coverage.

A round is planned from what the rounds before the last one have seen, whatever has come in of the last one. So the plan
doesn't depend on which worker was faster, and no worker waits for the end of a round unless it is a round ahead. Where
steps say how much is searched, all rounds before say which cells have had enough, so there each waits for the last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from etcd_lockstep.campaigns.definition import Cell

THIN = 10
"""Steps below which an area of a cell's coverage is thin: an operation, its answer, and a field that was set."""


def turns_for(workers: int, cells: int) -> int:
    """How many turns a round gives each cell, so that two rounds keep all workers busy."""
    return max(math.ceil(workers / (2 * cells)), 1)


def round_of(cells: Sequence[Cell], turns: int, thin: Mapping[Cell, int]) -> list[Cell]:
    """The cells of a round's shards. `thin`: how many thin areas each has; all alike where it is empty."""
    evenly = list(cells) * turns
    return evenly + apportioned(len(evenly), cells, thin)


def apportioned(number: int, cells: Sequence[Cell], weights: Mapping[Cell, int]) -> list[Cell]:
    """So many turns, shared out in proportion to the weights; by the largest remainder, the first cell first."""
    total = sum(weights.get(cell, 0) for cell in cells)
    exact = [number * weights.get(cell, 0) / total if total else number / len(cells) for cell in cells]
    shares = [math.floor(one) for one in exact]
    by_remainder = sorted(range(len(cells)), key=lambda at: shares[at] - exact[at])
    for at in by_remainder[: number - sum(shares)]:
        shares[at] += 1
    most = max(shares, default=0)
    return [cell for turn in range(most) for cell, share in zip(cells, shares, strict=True) if turn < share]
