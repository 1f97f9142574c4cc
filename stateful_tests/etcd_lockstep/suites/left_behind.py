"""What a test leaves behind: leases, watches and calls in its etcd, and threads in its process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from fake_etcd.in_use import HeldLease

_PATIENCE = 0.5
"""Seconds that what is about to end has for it: a thread of a channel that was just closed, a watch whose
cancellation is under way on a thread of its client's."""

_LOOK = 0.002
"""Seconds between two looks at what is in use."""

_OF_LIBRARIES = ("_poll_wrapper", "asyncio_")
"""In the names of threads that nobody is to blame for: grpc.aio has one for the whole process, and an event loop's
executor ends with the loop, which may be a fixture's."""


class Threads:
    """The threads that are there at first."""

    def __init__(self) -> None:
        self._before = set(threading.enumerate())

    def new(self) -> list[threading.Thread]:
        """Those that have come since, and stay; waits a little for those that are about to end."""
        deadline = time.monotonic() + _PATIENCE
        for thread in self._come():
            thread.join(max(0.0, deadline - time.monotonic()))
        return self._come()

    def _come(self) -> list[threading.Thread]:
        return [
            thread
            for thread in threading.enumerate()
            if thread not in self._before
            and thread is not threading.current_thread()
            and not any(name in thread.name for name in _OF_LIBRARIES)
        ]


def settled(in_use: Callable[[], Sequence[object]]) -> Sequence[object]:
    """What stays in use; waits a little for what may be about to end, which a lease is not."""
    deadline = time.monotonic() + _PATIENCE
    while not all(isinstance(held, HeldLease) for held in in_use()) and time.monotonic() < deadline:
        time.sleep(_LOOK)
    return in_use()


def left_behind(held: Iterable[object], threads: Iterable[threading.Thread]) -> str:
    """What is left in one line, or "" if nothing is."""
    return ", ".join((*map(str, held), *(f"thread {thread.name!r}" for thread in threads)))
