"""Schedules: where a run differs from the simplest one, as data that Hypothesis draws and shrinks.

In the simplest run, whose schedule is empty, each client runs for as long as it can, one after the other, and nothing
fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias, TypeVar

from hypothesis import strategies as st

Deviation: TypeAlias = tuple[int, int]
"""After so many plain steps, take another one: which of those that can be taken, from 0; from `FAULT` on, a fault."""
Schedule: TypeAlias = Sequence[Deviation]

FAULT = 16
_FAULTS = 12
"""Of so many faults one is drawn; there are seldom more at once."""
_AFTER = 15
_SOON = (*range(_AFTER // 2 + 1),)
_LONGEST = 40

T = TypeVar("T")


def schedules() -> st.SearchStrategy[list[Deviation]]:
    """All schedules; the empty one is the simplest."""
    after = st.sampled_from((*_SOON, *_SOON, *range(_AFTER + 1)))  # most programs are short
    return st.lists(st.tuples(after, st.integers(0, FAULT + _FAULTS - 1)), max_size=_LONGEST)


def shorter(schedule: Schedule) -> Iterator[list[Deviation]]:
    """Schedules with a deviation less, the next one put later or turned into a fault: what Hypothesis does not try."""
    for left_out in range(len(schedule)):
        rest = [*schedule[:left_out], *schedule[left_out + 1 :]]
        yield rest
        if left_out < len(rest):
            for after in range(_AFTER + 1):
                for choice in dict.fromkeys((rest[left_out][1], FAULT, FAULT + 1)):
                    yield [*rest[:left_out], (after, choice), *rest[left_out + 1 :]]


class Reader:
    """Reads a schedule, step by step."""

    def __init__(self, schedule: Schedule) -> None:
        self._rest = list(reversed(schedule))
        self._plain = 0

    def choose(self, plain: T, calm: Sequence[T], faults: Sequence[T]) -> T:
        """The plain step, or another one; where there is no other, the schedule doesn't count it."""
        if not self._rest or not (calm or faults):
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
