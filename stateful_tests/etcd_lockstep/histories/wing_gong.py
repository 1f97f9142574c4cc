"""The search for an order: Wing and Gong's, with Lowe's memo of states that were tried already.

It is exponential where many calls overlap that change the state, so it has a bound, past which nothing is known.
Calls may have a place in a second order, besides that of time: the store's revisions. An entry precedes another that
was invoked after it returned, and another whose place is above its own.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from etcd_lockstep.histories.history import FOREVER

S = TypeVar("S")

BUDGET = 200_000
"""How many steps a search may take beyond one for each entry."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[S]):
    """One call, as the search sees it."""

    step: Callable[[S], S | None]
    """The state after the call; None where its answer would have been another."""
    invoked: int
    returned: int = FOREVER
    optional: bool = False
    """Whether it may never have been carried out."""
    low: int = -1
    """Its least place in the second order."""
    high: int = FOREVER
    """The greatest one."""
    call: int = -1
    """Which call of the history it is, for reports; -1 is none of them."""


@dataclass(frozen=True, slots=True)
class Found:
    """There is an order: indices of entries. Optional ones that it lacks were not carried out."""

    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Impossible:
    """There is none."""

    placed: int
    """How many entries the longest order has after which nothing could follow."""
    stuck: tuple[int, ...]
    """The entries that could have followed it in time, none of which its state allowed."""


@dataclass(frozen=True, slots=True)
class OutOfBudget:
    """The bound was reached."""

    placed: int
    stuck: tuple[int, ...]


class _Frame(Generic[S]):
    """One branching: the state before it, what was placed by then, and what is still to be tried."""

    __slots__ = ("choices", "next", "placed", "state", "tried")

    def __init__(self, state: S, placed: int, tried: int, choices: list[tuple[int, S]]) -> None:
        self.state = state
        self.placed = placed
        self.tried = tried
        self.choices = choices
        self.next = 0


class _Ring:
    """Indices in an order, from which one can be taken and put back in constant time: last taken, first put back."""

    __slots__ = ("after", "before", "head")

    def __init__(self, order: Sequence[int], size: int) -> None:
        self.head = size
        self.after = [size] * (size + 1)
        self.before = [size] * (size + 1)
        last = size
        for index in order:
            self.after[last], self.before[index] = index, last
            last = index
        self.after[last], self.before[size] = size, last

    def take(self, index: int) -> None:
        before, after = self.before[index], self.after[index]
        self.after[before], self.before[after] = after, before

    def put_back(self, index: int) -> None:
        self.after[self.before[index]] = index
        self.before[self.after[index]] = index


class _Remaining(Generic[S]):
    """The entries that are not placed yet."""

    def __init__(self, entries: Sequence[Entry[S]]) -> None:
        self.entries = entries
        size = len(entries)
        self._by_time = _Ring(sorted(range(size), key=lambda index: entries[index].invoked), size)
        mandatory = [index for index in range(size) if not entries[index].optional]
        self._by_place = _Ring(sorted(mandatory, key=lambda index: entries[index].high), size)
        self.mandatory = len(mandatory)
        self.order: list[int] = []
        self._last_chances = sorted(entry.high for entry in entries if entry.optional and entry.high < FOREVER)
        self._floors: list[int] = []
        """After each entry of the order: the highest of the least places so far."""

    def take(self, index: int) -> None:
        self._by_time.take(index)
        if not self.entries[index].optional:
            self._by_place.take(index)
            self.mandatory -= 1
        self.order.append(index)
        low = self.entries[index].low
        self._floors.append(max(low, self._floors[-1]) if self._floors else low)

    def put_back_to(self, placed: int) -> None:
        while len(self.order) > placed:
            index = self.order.pop()
            self._floors.pop()
            if not self.entries[index].optional:
                self._by_place.put_back(index)
                self.mandatory += 1
            self._by_time.put_back(index)

    def is_free(self, index: int) -> bool:
        """Whether an entry can be placed without an optional one losing its last chance by that."""
        floor = self._floors[-1] if self._floors else -1
        chances = self._last_chances
        position = bisect_left(chances, floor)
        return position == len(chances) or chances[position] >= self.entries[index].low

    def minimal(self) -> list[int]:
        """Those that nothing else that remains precedes; of optional ones, those that may be next."""
        entries, ring = self.entries, self._by_time
        first_place = self._by_place.after[self._by_place.head]
        ceiling = entries[first_place].high if first_place != self._by_place.head else FOREVER
        floor = self._floors[-1] if self._floors else -1
        found, bound = [], FOREVER
        index = ring.after[ring.head]
        while index != ring.head:
            entry = entries[index]
            if entry.invoked > bound:
                break
            if entry.returned < bound and not entry.optional:
                bound = entry.returned
            if entry.low <= ceiling and entry.high >= floor:
                found.append(index)
            index = ring.after[index]
        return found


def find_order(
    entries: Sequence[Entry[S]],
    initial: S,
    key: Callable[[S], Hashable],
    budget: int = BUDGET,
) -> Found | Impossible | OutOfBudget:
    """An order of all entries, the optional ones excepted, in which every step is possible.

    `key`: what of a state decides everything that can follow. What is in the memo is a sum of 128 random bits for each
    entry placed, instead of the set of them.
    """
    remaining = _Remaining(entries)
    source = random.Random(0)
    marks = [source.getrandbits(128) for _ in entries]
    tried: set[tuple[int, Hashable]] = set()
    frames: list[_Frame[S]] = []
    state, sign, left = initial, 0, budget + len(entries)
    without: S | None = None
    """The state before an optional entry that was just placed."""
    longest = -1
    stuck: tuple[int, ...] = ()
    while True:
        if not remaining.mandatory:
            return Found(tuple(remaining.order))
        candidates = remaining.minimal()
        choices: list[tuple[int, S]] = []
        settled = -1
        for index in candidates:
            entry = entries[index]
            after = entry.step(state)
            left -= 1
            if after is None:
                continue
            if after is state or key(after) == key(state):
                if entry.optional:
                    continue  # it may as well not have been carried out
                if remaining.is_free(index):
                    settled = index  # what leaves the state as it is may as well be placed at once
                    break
                after = state
            elif without is not None and _is_the_same(entry, without, after, key):
                continue  # then what was just placed, and need not be, makes no difference
            choices.append((index, after))
        if left < 0:
            return OutOfBudget(max(longest, len(remaining.order)), tuple(candidates) if longest < 0 else stuck)
        if settled >= 0:
            remaining.take(settled)
            sign ^= marks[settled]
            without = None
            continue
        if not choices and len(remaining.order) > longest:
            longest, stuck = len(remaining.order), tuple(candidates)
        choices.sort(key=lambda choice: (entries[choice[0]].optional, entries[choice[0]].returned))
        frames.append(_Frame(state, len(remaining.order), sign, choices))
        while frames:
            frame = frames[-1]
            remaining.put_back_to(frame.placed)
            if frame.next == len(frame.choices):
                frames.pop()
                continue
            index, after = frame.choices[frame.next]
            frame.next += 1
            mark = (frame.tried ^ marks[index], key(after))
            if mark in tried:
                continue
            tried.add(mark)
            without = frame.state if entries[index].optional else None
            state, sign = after, frame.tried ^ marks[index]
            remaining.take(index)
            break
        else:
            return Impossible(max(longest, 0), stuck)


def _is_the_same(entry: Entry[S], without: S, after: S, key: Callable[[S], Hashable]) -> bool:
    """Whether an entry leads to the same state from another one."""
    other = entry.step(without)
    return other is not None and key(other) == key(after)
