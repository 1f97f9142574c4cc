"""What the checker says of a history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Anomaly(Enum):
    """What is wrong, by its name."""

    LOST_WRITE = "lost write"
    """A write was acknowledged, and the store has it not."""
    PHANTOM_WRITE = "phantom write"
    """The store has a write that no call can have made."""
    STALE_READ = "stale read"
    """An answer was right earlier, and no longer when its call was made."""
    FUTURE_READ = "future read"
    """An answer shows what was only written later."""
    WRONG_ANSWER = "wrong answer"
    """An answer was right at no revision."""
    TORN_TXN = "torn txn"
    """A txn was carried out, or seen, in part."""
    TWO_WRITES = "two writes at one revision"
    """Two writes were acknowledged with the same revision."""
    REAL_TIME = "real-time order broken"
    """A write has a lower revision than one that had returned before it was invoked."""
    WATCH_LOST = "watch lost"
    """A watcher was not sent an event, and was sent a later one, or its progress is reported as beyond it."""
    WATCH_REPEATED = "watch repeated"
    """A watcher was sent an event twice."""
    WATCH_OUT_OF_ORDER = "watch out of order"
    """A watcher was sent an earlier event after a later one."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where the history can't be that of an etcd."""

    anomaly: Anomaly
    what: str
    """In one sentence or two."""
    calls: tuple[int, ...] = ()
    """The calls that show it, as indices into `History.calls`; the offending one first."""
    watch: int | None = None
    """The watch that shows it, as an index into `History.watches`."""
    revision: int | None = None
    """Where in the store's order."""


@dataclass(frozen=True, slots=True)
class Linearizable:
    """There is an order of the calls in which every answer is right, and which agrees with real time."""

    unchecked: int = 0
    """How many refusals had a reason outside of what is checked, such as a lack of space: that they had no effect is
    checked, that they were due is not."""

    def __str__(self) -> str:
        return "linearizable"


@dataclass(frozen=True, slots=True)
class Violated:
    """There is no such order."""

    violations: tuple[Violation, ...]
    """At least one; the first that the checker met stands first. Later ones may follow from it."""

    @property
    def first(self) -> Violation:
        return self.violations[0]

    def __str__(self) -> str:
        return f"violation: {self.first.anomaly.value}"


@dataclass(frozen=True, slots=True)
class Unknown:
    """The checker can't decide."""

    where: str
    """The part of the history that it is about."""
    why: str
    calls: tuple[int, ...] = ()

    def __str__(self) -> str:
        return "unknown"


Verdict: TypeAlias = "Linearizable | Violated | Unknown"

MOST_VIOLATIONS = 10
"""So many are reported: what comes later mostly follows from the first."""


def verdict(violations: Sequence[Violation], unknowns: Sequence[Unknown], unchecked: int) -> Verdict:
    """A violation is one whatever else is unknown."""
    if violations:
        return Violated(tuple(violations[:MOST_VIOLATIONS]))
    return unknowns[0] if unknowns else Linearizable(unchecked)
