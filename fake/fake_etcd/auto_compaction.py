"""When the history is compacted without being asked (etcd: server/etcdserver/api/v3compactor)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_REVISION_INTERVAL = 300.0
"""Seconds between two compactions by revision. etcd: v3compactor/revision.go revInterval."""

_LONGEST_INTERVAL = 3600.0
"""Seconds between two compactions by time, at most. etcd: v3compactor/periodic.go getCompactInterval."""

_LOOKS = 10
"""At the revision in an interval. etcd: v3compactor/periodic.go retryDivisor."""


@dataclass(frozen=True, slots=True)
class ByRevision:
    """Keep so many revisions."""

    revisions: int


@dataclass(frozen=True, slots=True)
class ByTime:
    """Keep the revisions of so many seconds."""

    seconds: float


AutoCompaction = ByRevision | ByTime


class Compactor(Protocol):
    """Compacts when it is due, with the engine's lock held."""

    def tick(self, now: float, revision: int) -> None:
        """Do what has become due by this reading of the clock; the store's revision is given."""


def compactor(how: AutoCompaction, now: float, compact: Callable[[int], bool]) -> Compactor:
    """`compact` reports whether a revision is compacted, now or before."""
    match how:
        case ByRevision(revisions):
            return _RevisionCompactor(revisions, now, compact)
        case ByTime(seconds):
            return _PeriodicCompactor(seconds, now, compact)


class _RevisionCompactor:
    """etcd: v3compactor/revision.go Run."""

    def __init__(self, retention: int, now: float, compact: Callable[[int], bool]) -> None:
        self._retention = retention
        self._compact = compact
        self._next = now + _REVISION_INTERVAL
        self._last = 0

    def tick(self, now: float, revision: int) -> None:
        if now < self._next:
            return
        self._next += _REVISION_INTERVAL * (1 + (now - self._next) // _REVISION_INTERVAL)
        target = revision - self._retention
        if target > 0 and target != self._last and self._compact(target):
            self._last = target


class _PeriodicCompactor:
    """etcd: v3compactor/periodic.go Run."""

    def __init__(self, period: float, now: float, compact: Callable[[int], bool]) -> None:
        self._compact = compact
        self._interval = min(period, _LONGEST_INTERVAL)
        self._look = self._interval / _LOOKS
        self._revisions: deque[int] = deque(maxlen=int(period / self._look) + 1)
        """The revisions at the last looks: the first is of a period ago."""
        self._base = period
        self._last = 0
        self._last_success = now
        self._next = now

    def tick(self, now: float, revision: int) -> None:
        """Of looks that were missed, as many count as are kept: the revision was the same at all of them."""
        missed = int((now - self._next) // self._look) - 2 * (self._revisions.maxlen or 0)
        if missed > 0:
            self._next += missed * self._look
        while self._next <= now:
            if self._revisions:
                self._try(self._next, self._revisions[0])
            self._revisions.append(revision)
            self._next += self._look

    def _try(self, now: float, target: int) -> None:
        if now - self._last_success < self._base or target == self._last:
            return
        self._base = self._interval
        if self._compact(target):
            self._last = target
            self._last_success = now


def auto_compaction(mode: str, retention: str, duration: Callable[[str], float]) -> AutoCompaction | None:
    """What etcd's flags ask for; None for a retention of 0. ValueError where that is nothing.

    A bare number is of hours by time. etcd: server/embed/etcd.go parseCompactionRetention.
    """
    if mode not in ("periodic", "revision"):
        raise ValueError(f"--auto-compaction-mode is periodic or revision, not {mode}")
    if re.fullmatch(r"\d{1,12}", retention, re.ASCII):
        number = int(retention)
        if number == 0:
            return None
        return ByRevision(number) if mode == "revision" else ByTime(number * 3600.0)
    if mode == "revision":
        raise ValueError(f"--auto-compaction-retention is not a number of revisions: {retention}")
    if re.fullmatch(r"0+(ns|us|µs|ms|s|m|h)", retention):
        return None
    return ByTime(duration(retention))
