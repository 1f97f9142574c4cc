"""Clocks for tests: time goes by when a test says so, or by itself and when a test says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod


class VirtualClock:
    """Seconds that only `advance` moves. An engine that was given it acts at once on what has become due."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._followers: list[WeakMethod[Callable[[], Any]]] = []

    def __call__(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Let so many seconds go by, at once."""
        if seconds < 0:
            raise ValueError(f"time doesn't go back: {seconds}")
        self._seconds += seconds
        self._followers = [follower for follower in self._followers if follower() is not None]
        for follower in self._followers:
            tick = follower()
            if tick is not None:
                tick()

    def copy(self) -> VirtualClock:
        """Another clock of the same kind that reads the same now, and that nobody follows."""
        return type(self)(self._seconds)

    def follow(self, tick: Callable[[], Any]) -> None:
        """Call this method at every advance, as long as its object lives."""
        self._followers.append(WeakMethod(tick))


class RunningClock(VirtualClock):
    """The machine's monotonic time, and what `advance` adds to it."""

    def __call__(self) -> float:
        return time.monotonic() + super().__call__()
