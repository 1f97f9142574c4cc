"""What is measured, how much of it, and how two speeds become a ratio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    seconds: float
    """For each side of a ratio, each time."""
    repetitions: int
    keys: int


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table: what was measured, several times over, and what it should be."""

    name: str
    values: Sequence[float]
    aim: float
    unit: str
    """`×` for a ratio, which should be at least its aim; of anything else there should be at most so much."""
    detail: str

    @property
    def met(self) -> bool:
        return median(self.values) >= self.aim if self.unit == "×" else median(self.values) <= self.aim


Speed = Callable[[int], float]
"""Measures once, and returns how many a second. Is reported which repetition it is."""


def ratio(
    name: str,
    one: Speed,
    other: Speed,
    aim: float,
    what: str,
    repetitions: int,
    *,
    other_what: str = "",
    note: str = "",
) -> Figure:
    """The speed of one thing over that of another, measured in turns. `other_what` is what the other side counts,
    where that is something else."""
    pairs = [(one(number), other(number)) for number in range(repetitions)]
    mine, theirs = (f"{median(speeds):,.0f}" for speeds in zip(*pairs, strict=True))
    typical = f"{mine} {what}/s ÷ {theirs} {other_what}/s" if other_what else f"{mine} ÷ {theirs} {what}/s"
    return Figure(name, [mine / theirs for mine, theirs in pairs], aim, "×", f"{typical}; {note}" if note else typical)
