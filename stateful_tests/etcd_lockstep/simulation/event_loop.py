"""An asyncio event loop without a selector: where it would wait for sockets and time, it stands at a gate.

It runs in the thread of a client. Once none of its tasks can go on, the schedule says what happens next: a call's
answer is delivered, or time goes by until the next timer. Tasks and futures are numbered, and hashed by their numbers,
so that sets of them, such as those that `asyncio.wait` returns, are in the same order in each run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

from etcd_lockstep.simulation.errors import Crashed
from etcd_lockstep.simulation.places import place_of_coroutine
from etcd_lockstep.simulation.scheduler import Gate, Scheduler, Task

_BUSY_ROUNDS = 100
"""After so many rounds in which some task could go on, a loop lets others go on as well: it may be one that polls."""
_CLOCK_RESOLUTION = 1e-9
"""Seconds; as that of the monotonic clock on Linux. A timer is due that is no further away."""


class _Future(asyncio.Future[Any]):
    number = 0

    def __hash__(self) -> int:
        return self.number


class _Task(asyncio.Task[Any]):
    number = 0

    def __hash__(self) -> int:
        return self.number


class LoopGate(Gate):
    """Where a loop waits."""

    def __init__(self, loop: SimulatedLoop, ready: Callable[[], bool], wake_at: float | None) -> None:
        super().__init__("its event loop", ready, wake_at)
        self._loop = loop

    def in_words(self, place: str) -> str:
        """Each task of the loop, and the line at which it waits; else that at which the loop was started."""
        tasks = ", ".join(map(_place, self._loop.unfinished()))
        return f"{self.words}, where {tasks}" if tasks else super().in_words(place)


class LoopCall(Task):
    """A call on a loop: it stands at a gate of its own, and goes on in the loop's thread."""

    def __init__(self, loop: SimulatedLoop, gate: Gate, then: Callable[[], None], dropped: Callable[[], None]) -> None:
        """`then` is called on the loop once the gate is open, or `dropped` if the loop is closed before."""
        super().__init__(loop.carrier.client, loop.carrier.name, daemon=True)
        self.gate = gate
        self._loop = loop
        self._then = then
        self._dropped = dropped
        loop.calls.append(self)
        loop.scheduler.add(self)

    @property
    def carrier(self) -> Task:
        return self._loop.carrier

    @property
    def is_listening(self) -> bool:
        return self._loop.is_waiting

    def wake(self) -> None:
        self.forget()
        self._loop.call_soon_threadsafe(self._then)

    def forget(self) -> None:
        """It is over."""
        self.over = True
        self._loop.calls.remove(self)
        self._loop.scheduler.tasks.remove(self)

    def drop(self) -> None:
        """It will not go on."""
        if not self.over:
            self.forget()
            self._dropped()


class SimulatedLoop(asyncio.BaseEventLoop):
    """The event loop of a client's thread, on the clock of the run. It has no sockets, processes or signals."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        carrier = scheduler.current()
        assert carrier is not None
        self.scheduler = scheduler
        self.carrier = carrier
        self.calls: list[LoopCall] = []
        self.is_waiting = False
        self._clock_resolution = _CLOCK_RESOLUTION
        self._selector = self  # BaseEventLoop waits by `self._selector.select(timeout)`, and in no other way
        self._is_woken = False
        self._busy_rounds = 0
        self._crashes = 0
        self._numbers, self._names = count(1), count(1)
        self._futures: WeakValueDictionary[int, _Future] = WeakValueDictionary()
        self._tasks: WeakValueDictionary[int, _Task] = WeakValueDictionary()
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        return self.scheduler.clock()

    def create_future(self) -> asyncio.Future[Any]:
        future = _Future(loop=self)
        future.number = next(self._numbers)
        self._futures[future.number] = future
        return future

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """A task whose name, too, is the same in each run."""
        options["name"] = options.get("name") or f"Task-{next(self._names)}"
        return super().create_task(coro, **options)

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        /,
        **options: Any,
    ) -> asyncio.Task[Any]:
        task = _Task(coroutine, loop=loop, **options)
        task.number = next(self._numbers)
        self._tasks[task.number] = task
        return task

    def unfinished(self) -> list[asyncio.Task[Any]]:
        return [task for task in self._tasks.values() if not task.done()]

    # Where it waits

    def select(self, timeout: float | None) -> tuple[()]:
        """Nothing of what there is to wait for is a file; None is for ever."""
        if timeout is not None and timeout <= 0:
            self._busy_rounds += 1
            if self._busy_rounds < _BUSY_ROUNDS:
                return ()
        gate = LoopGate(self, lambda: self._is_woken, None if timeout is None else self.time() + timeout)
        gate.yields = self._busy_rounds >= _BUSY_ROUNDS
        self._busy_rounds = 0
        self.is_waiting = True
        try:
            self.scheduler.wait(gate)
        except Crashed:
            self._crash()
        finally:
            self.is_waiting = self._is_woken = False
        return ()

    def _process_events(self, event_list: tuple[()]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """What `call_soon_threadsafe` wakes it with."""
        self._is_woken = True

    # How it ends

    def _crash(self) -> None:
        """Throw `Crashed` in whoever waits; and cancel, from the second time on, whoever goes on without waiting."""
        self._crashes += 1
        for future in tuple(self._futures.values()):
            if not future.done():
                future.set_exception(Crashed())
        if self._crashes > 1:
            for task in self.unfinished():
                task.cancel()

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """An error of a task or callback that nobody retrieves is one of the client's."""
        error = context.get("exception")
        if self.carrier.condemned:
            return
        if error is None:
            super().default_exception_handler(context)
            return
        task = context.get("task") or context.get("future")
        self._note_death(task.get_name() if isinstance(task, asyncio.Task) else "a callback", error)

    def _note_death(self, what: str, error: BaseException) -> None:
        self.scheduler.note_death(self.carrier.client, f"{what} of {self.carrier.name}", error)

    def close(self) -> None:
        """Its calls are given up. What a task raised and nobody has asked for would be logged, and is noted."""
        super().close()
        for call in tuple(self.calls):
            call.drop()
        for task in self._tasks.values():
            # Private, but the same from Python 3.7 to 3.14: whether the exception was not retrieved.
            if task.done() and getattr(task, "_log_traceback") and not self.carrier.condemned:  # noqa: B009
                error = task.exception()
                assert error is not None
                self._note_death(task.get_name(), error)


def _place(task: asyncio.Task[Any]) -> str:
    return f"{task.get_name()} waits {place_of_coroutine(task.get_coro())}".rstrip()
