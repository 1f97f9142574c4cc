"""Calls that wait for something to happen, or have many answers: a service writes them as generators.

Nobody's thread is needed for one that waits: it is called when one of the keys that it waits for was written.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from math import inf
from threading import Event
from typing import NamedTuple

from google.protobuf.message import Message
from grpc import StatusCode

from fake_etcd.core import Core
from fake_etcd.errors import EtcdError
from fake_etcd.store import Record
from fake_etcd.watch_events import EventEncoder
from fake_etcd.watch_hub import Watcher

_PATIENCE = 0.05
"""Seconds after which a thread that waits for a call looks at the clock, and whether the call was given up."""


class Wait(NamedTuple):
    """What a call waits for: a write to one of these keys."""

    key: bytes
    range_end: bytes = b""


NEVER = Wait(b"")
"""What doesn't happen: etcd has no empty key."""

Steps = Generator[Wait | Message, None, Message | None]
"""A call: what it waits for, its answers as a stream, and in the end its one answer. With the lock held."""


class Step(NamedTuple):
    """How a call stands after a step: with an answer or waiting for one, and over or not."""

    answer: Message | None
    over: bool


class Task:
    """A call that is under way. Its owner calls `step`, and again whenever it was woken, until it is over."""

    def __init__(self, core: Core, path: str, steps: Steps, wake: Callable[[], None]) -> None:
        """`wake` is called with the engine's lock held, by whoever lets the call go on: it must not block."""
        self.path = path
        """Of the call's method."""
        self._core = core
        self._steps = steps
        self._wake = wake
        self._watcher: Watcher | None = None
        self._was_reset = False
        self._over = False
        with core.lock:
            core.hub.open(self)

    @property
    def waits_for(self) -> bytes:
        """The key that a write is waited for, if there is one."""
        return b"" if self._watcher is None else self._watcher.key

    def step(self) -> Step:
        """Go on until the next answer, the end, or something to wait for. Raises EtcdError where etcd refuses."""
        with self._core.lock:
            self._core.tick()
            return self._step()

    def cancel(self) -> None:
        """Give the call up: it cleans up behind itself."""
        with self._core.lock:
            self.abandon()

    def abandon(self) -> None:
        """The same with the lock held."""
        if not self._over:
            self._end()
            self._throw()

    def _step(self) -> Step:
        if self._over:
            raise _cancelled()
        self._forget_watcher()
        try:
            item = next(self._steps) if not self._was_reset else self._steps.throw(_cancelled())
        except StopIteration as end:
            self._end()
            return Step(end.value, over=True)
        except BaseException:
            self._end()
            raise
        if isinstance(item, Wait):
            self._wait(item)
            return Step(None, over=False)
        return Step(item, over=False)

    def _throw(self) -> None:
        try:
            self._steps.throw(_cancelled())
        except (EtcdError, StopIteration):
            return
        self._steps.close()

    def _wait(self, wait: Wait) -> None:
        self._watcher = Watcher(self, 0, wait.key, wait.range_end, 0)
        self._core.listen()
        self._core.hub.add(self._watcher)

    def _forget_watcher(self) -> None:
        if self._watcher is not None:
            self._core.hub.remove(self._watcher)
            self._watcher = None

    def _end(self) -> None:
        self._over = True
        self._forget_watcher()
        self._core.hub.forget(self)

    # For the hub, with the lock held

    def deliver(self, watcher: Watcher, records: tuple[Record, ...], encoder: EventEncoder) -> None:
        """Something was written that the call waits for."""
        del watcher, records, encoder
        self._wake()

    def tick(self, now: float) -> float:
        """It has no progress to report."""
        del now
        return inf

    def end(self) -> None:
        """The state was reset: the next step finds the call cancelled."""
        self._was_reset = True
        self._forget_watcher()
        self._core.hub.forget(self)
        self._wake()


class Sleeper:
    """Wakes somebody once, when the engine's clock has gone on, or when the state is reset."""

    def __init__(self, core: Core, seconds: float, wake: Callable[[], None]) -> None:
        """`wake` is called with the engine's lock held: it must not block."""
        self._core = core
        self._due = core.settings.clock() + seconds
        self._wake = wake
        self._is_over = False
        with core.lock:
            core.hub.open(self, self._due)

    @property
    def left(self) -> float:
        """How many seconds of the clock are to go by; 0 once it is time."""
        return 0.0 if self._is_over else max(0.0, self._due - self._core.settings.clock())

    def forget(self) -> None:
        """Nobody wants to be woken any more."""
        with self._core.lock:
            self._core.hub.forget(self)

    # For the hub, with the lock held

    def deliver(self, watcher: Watcher, records: tuple[Record, ...], encoder: EventEncoder) -> None:
        """It watches nothing."""
        del watcher, records, encoder

    def tick(self, now: float) -> float:
        """The time has come."""
        if now >= self._due:
            self.end()
            return inf
        return self._due

    def end(self) -> None:
        """It has come, or the state was reset."""
        self._is_over = True
        self._core.hub.forget(self)
        self._wake()


class Cancellation(Event):
    """Set by whoever gives a call up; it wakes the thread that waits for the call at once."""

    def __init__(self) -> None:
        super().__init__()
        self._wake: Callable[[], None] | None = None

    def set(self) -> None:
        super().set()
        if self._wake is not None:
            self._wake()

    def wakes(self, wake: Callable[[], None]) -> None:
        """Call this once it is set, or now if it is."""
        self._wake = wake
        if self.is_set():
            wake()


def steps_of(core: Core, path: str, steps: Steps, cancelled: Event | None) -> Iterator[Step]:
    """A call on this thread: it blocks while the call waits. Raises CANCELLED once `cancelled` is set."""
    woken = Event()
    patience = None if cancelled is None and not core.timed else _PATIENCE
    if isinstance(cancelled, Cancellation):
        cancelled.wakes(woken.set)
        patience = _PATIENCE if core.timed else None
    task = Task(core, path, steps, woken.set)
    try:
        while True:
            woken.clear()
            step = task.step()
            if step.answer is not None or step.over:
                yield step
                if step.over:
                    return
                continue
            while True:
                if cancelled is not None and cancelled.is_set():
                    task.cancel()
                    raise _cancelled()
                if woken.wait(patience):
                    break
                with core.lock:
                    core.tick()
    except GeneratorExit:
        core.abandoned.append(task.abandon)  # whoever collects this garbage may hold the lock
        raise
    except BaseException:
        task.cancel()
        raise


def _cancelled() -> EtcdError:
    return EtcdError(StatusCode.CANCELLED, "context canceled")
