"""Schedules: where a run differs from the simplest one, as data that Hypothesis draws and shrinks.

In the simplest run, whose schedule is empty, each client runs for as long as it can, one after the other, and nothing
fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias, TypeVar

from hypothesis import strategies as st

Deviation: TypeAlias = tuple[int, int]
"""After so many plain steps, take another one: which of those that can be taken, from 0; from `FAULT` on, a fault."""
Schedule: TypeAlias = Sequence[Deviation]
Extent: TypeAlias = tuple[tuple[int, int], ...]
"""Of each step of a run that could have been another one: how many others there were, and how many faults."""

FAULT = 16
_NEAR = 3
"""Steps behind a deviation that are near it."""
_ANYWHERE = 8
"""A later deviation may be so many steps behind the one before, also of the shortest program."""

T = TypeVar("T")


@st.composite
def schedules(draw: st.DrawFn, extent: Callable[[], Extent]) -> list[Deviation]:
    """The schedules of a program whose simplest run has that extent; the empty one is the simplest.

    What lies behind the end of a run, or chooses the same as another, would be the same run once more. So the
    first deviation is any of those that the simplest run has, and most others lie in what is left of it. Some are near
    the one before, since some errors need several faults in a row; and some anywhere, since a fault may make a run
    longer. A schedule ends as though its end were one more step of those that are left. There is one draw for each
    deviation and one for the end, so that to Hypothesis fewer deviations are always simpler.
    """
    steps = extent()
    firsts, choices = _single_deviations(steps), _most_choices(steps)
    if not firsts or (drawn := draw(_below(len(firsts) + 1))) == 0:
        return []
    schedule = [firsts[drawn - 1]]
    left = len(steps) - schedule[0][0] - 1
    anywhere = max(len(steps), _ANYWHERE) * len(choices)
    ways = 8 * anywhere
    while True:
        ends = ways // left if left else 3 * ways
        drawn = draw(_below(1 + ways + ends + len(schedule)))
        if drawn == 0 or drawn > ways:
            return schedule
        which = drawn - 1
        if which >= anywhere:
            within = _NEAR if which % 2 else max(left, 1)
            which = which // 2 % (within * len(choices))
        after = which // len(choices)
        schedule.append((after, choices[which % len(choices)]))
        left = max(left - after - 1, 0)


def _below(end: int) -> st.SearchStrategy[int]:
    """From 0; each `end` makes a strategy of its own. Of draws from the same one, Hypothesis likes to copy one over
    another, which makes many schedules that differ behind the end of their runs."""
    return st.sampled_from(range(end))


@lru_cache(maxsize=8)
def _single_deviations(steps: Extent) -> list[Deviation]:
    return [(after, choice) for after, of_step in enumerate(steps) for choice in _choices(*of_step)]


@lru_cache(maxsize=8)
def _most_choices(steps: Extent) -> tuple[int, ...]:
    return _choices(max((calm for calm, _ in steps), default=0), max((faults for _, faults in steps), default=0))


def _choices(calm: int, faults: int) -> tuple[int, ...]:
    return (*range(calm), *range(FAULT, FAULT + faults))


def shorter(schedule: Schedule, extent: Extent) -> Iterator[list[Deviation]]:
    """Simpler schedules that Hypothesis does not try: those of no deviation or of one; and with a deviation less, the
    next one put later or turned into a fault. `extent` is that of the simplest run."""
    for simpler in ([], *([deviation] for deviation in _single_deviations(extent))):
        if simpler == list(schedule):
            return
        yield simpler
    for left_out, (before, _) in enumerate(schedule):
        rest = [*schedule[:left_out], *schedule[left_out + 1 :]]
        yield rest
        if left_out < len(rest):
            next_after, next_choice = rest[left_out]
            for after in range(before + next_after + 2):
                for choice in dict.fromkeys((next_choice, FAULT, FAULT + 1)):
                    yield [*rest[:left_out], (after, choice), *rest[left_out + 1 :]]


class Reader:
    """Reads a schedule, step by step."""

    def __init__(self, schedule: Schedule) -> None:
        self._rest = list(reversed(schedule))
        self._plain = 0
        self._extent: list[tuple[int, int]] = []

    @property
    def extent(self) -> Extent:
        """That of the run so far."""
        return tuple(self._extent)

    def choose(self, plain: T, calm: Sequence[T], faults: Sequence[T]) -> T:
        """The plain step, or another one; where there is no other, the schedule doesn't count it."""
        if not (calm or faults):
            return plain
        self._extent.append((len(calm), len(faults)))
        if not self._rest:
            return plain
        after, choice = self._rest[-1]
        if self._plain < after:
            self._plain += 1
            return plain
        self._rest.pop()
        self._plain = 0
        if choice < FAULT:
            among = calm or faults
            return among[choice % len(among)]
        among = faults or calm
        return among[(choice - FAULT) % len(among)]
