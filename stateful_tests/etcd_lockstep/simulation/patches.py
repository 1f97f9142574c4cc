"""What blocks in Python, for as long as a run goes on: locks, and all that is made of them, threads, and the clock.

Conditions, events, semaphores, queues, timers and pools of threads are made of `threading.Lock` by code in Python, so
that the lock alone takes part in the schedule. Whoever is no thread of the clients gets what is real, and so does a
module that is being imported. What a module imported by name before (`from time import sleep`) stays real; a program
that blocks there fails, with the line.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from types import FrameType, TracebackType
from typing import Any
from unittest import mock

import grpc
from grpc import aio

from etcd_lockstep.simulation.errors import Crashed
from etcd_lockstep.simulation.event_loop import SimulatedLoop
from etcd_lockstep.simulation.scheduler import Gate, Scheduler, Task

_EPOCH = 1_700_000_000.0
"""What `time.time` reports at the start of a run."""
_real_lock: Callable[[], Any] = threading.Lock
_real_rlock: Callable[[], Any] = threading.RLock


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported, whose locks outlive the run."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


class SimulatedLock:
    """A lock whose waiters stand at a gate. Taking one that is free is no step of the schedule."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._owner: Task | None = None
        self._locked = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As `threading.Lock.acquire`; a timeout is one of the run's clock."""
        task = self._scheduler.current()
        if self._locked and not blocking:
            return False
        if self._locked:
            if task is None:
                raise RuntimeError("a client of the simulation holds this lock: nobody else can wait for it")
            wake_at = self._scheduler.clock() + timeout if timeout >= 0 else None
            self._scheduler.wait(Gate("a lock", lambda: not self._locked, wake_at))
            if self._locked:
                return False
        self._locked, self._owner = True, task
        return True

    def release(self) -> None:
        """As `threading.Lock.release`. A task that was crashed lets go of what it holds, and of nothing else."""
        task = self._scheduler.current()
        if task is not None and task.condemned and not (self._locked and self._owner is task):
            return
        if not self._locked:
            raise RuntimeError("release unlocked lock")
        self._locked, self._owner = False, None

    def locked(self) -> bool:
        return self._locked

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class SimulatedRLock:
    """A lock that its owner may take again."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._lock = SimulatedLock(scheduler)
        self._owner: int | None = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        me = threading.get_ident()
        if self._owner == me:
            self._count += 1
            return True
        if not self._lock.acquire(blocking, timeout):
            return False
        self._owner, self._count = me, 1
        return True

    def release(self) -> None:
        if not self._is_owned():
            task = self._scheduler.current()
            if task is not None and task.condemned:
                return
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if self._count == 0:
            self._owner = None
            self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    # For threading.Condition

    def _is_owned(self) -> bool:
        return self._owner == threading.get_ident()

    def _release_save(self) -> int:
        count, self._count, self._owner = self._count, 0, None
        self._lock.release()
        return count

    def _acquire_restore(self, count: int) -> None:
        self._lock.acquire()
        self._owner, self._count = threading.get_ident(), count


class Patches:
    """Replaces what blocks, while it is in force."""

    def __init__(
        self,
        scheduler: Scheduler,
        open_channel: Callable[[Task | None], grpc.Channel],
        open_aio_channel: Callable[[Task], aio.Channel],
    ) -> None:
        """They make the channels of a task, or of whoever sets the run up."""
        self._scheduler = scheduler
        self._open_channel = open_channel
        self._open_aio_channel = open_aio_channel
        self._setting_up = 0
        self._suspended: set[int] = set()

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """Meanwhile this thread makes what clients share: its locks and channels are simulated, too."""
        self._setting_up = threading.get_ident()
        try:
            yield
        finally:
            self._setting_up = 0

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Meanwhile this thread gets what is real."""
        me = threading.get_ident()
        nested = me in self._suspended
        self._suspended.add(me)
        try:
            yield
        finally:
            if not nested:
                self._suspended.discard(me)

    def _is_simulated(self) -> bool:
        me = threading.get_ident()
        if me in self._suspended or (self._scheduler.current() is None and self._setting_up != me):
            return False
        return not _is_importing(sys._getframe(2))

    @contextmanager
    def in_force(self) -> Iterator[None]:
        with ExitStack() as stack:

            def replace(owner: Any, name: str, new: Any) -> None:
                stack.enter_context(mock.patch.object(owner, name, new))

            replace(threading, "Lock", self._lock)
            replace(threading, "_allocate_lock", self._lock)
            replace(threading, "RLock", self._rlock)
            replace(threading.Thread, "start", self._thread_start())
            replace(threading.Thread, "join", self._thread_join())
            replace(threading.Thread, "is_alive", self._thread_is_alive())
            monotonic = self._clock(time.monotonic, 0.0)
            replace(threading, "_time", monotonic)
            replace(queue, "time", monotonic)
            replace(queue, "SimpleQueue", self._simple_queue(queue.SimpleQueue))
            replace(time, "monotonic", monotonic)
            replace(time, "time", self._clock(time.time, _EPOCH))
            replace(time, "sleep", self._sleep(time.sleep))
            numbers = count(1)
            replace(uuid, "uuid1", self._uuid(uuid.uuid1, numbers))
            replace(uuid, "uuid4", self._uuid(uuid.uuid4, numbers))
            replace(grpc, "insecure_channel", self._channel(grpc.insecure_channel))
            replace(grpc, "secure_channel", self._channel(grpc.secure_channel))
            replace(aio, "insecure_channel", self._aio_channel(aio.insecure_channel))
            replace(aio, "secure_channel", self._aio_channel(aio.secure_channel))
            if (aetcd := sys.modules.get("aetcd.rpc")) is not None:  # it has them under names of its own
                replace(aetcd, "insecure_channel", self._aio_channel(aetcd.insecure_channel))
            new_event_loop, all_tasks = self._new_event_loop(asyncio.new_event_loop), self._all_tasks(asyncio.all_tasks)
            replace(asyncio, "new_event_loop", new_event_loop)
            replace(asyncio.events, "new_event_loop", new_event_loop)
            replace(asyncio, "all_tasks", all_tasks)
            replace(asyncio.tasks, "all_tasks", all_tasks)
            yield

    def _lock(self) -> Any:
        return SimulatedLock(self._scheduler) if self._is_simulated() else _real_lock()

    def _rlock(self) -> Any:
        return SimulatedRLock(self._scheduler) if self._is_simulated() else _real_rlock()

    def _simple_queue(self, real: Any) -> Callable[[], Any]:
        in_python: Any = vars(queue)["_PySimpleQueue"]  # what the module itself falls back to
        return lambda: in_python() if self._is_simulated() else real()

    def _clock(self, real: Callable[[], float], start: float) -> Callable[[], float]:
        return lambda: start + self._scheduler.clock() if self._is_simulated() else real()

    def _sleep(self, real: Callable[[float], None]) -> Callable[[float], None]:
        def sleep(seconds: float) -> None:
            if self._scheduler.current() is None:
                real(seconds)
                return
            if seconds < 0:
                raise ValueError("sleep length must be non-negative")
            self._scheduler.wait(Gate(f"sleep {seconds:g} s", lambda: False, self._scheduler.clock() + seconds))

        return sleep

    def _uuid(self, real: Callable[..., uuid.UUID], numbers: Iterator[int]) -> Callable[..., uuid.UUID]:
        """Ids that are the same in each run, and of which each is another, as `uuid000000000001` in bytes."""

        def make(*args: Any, **kwargs: Any) -> uuid.UUID:
            return uuid.UUID(bytes=b"uuid%012d" % next(numbers)) if self._is_simulated() else real(*args, **kwargs)

        return make

    def _channel(self, real: Callable[..., grpc.Channel]) -> Callable[..., grpc.Channel]:
        def channel(*args: Any, **kwargs: Any) -> grpc.Channel:
            return self._open_channel(self._scheduler.current()) if self._is_simulated() else real(*args, **kwargs)

        return channel

    def _aio_channel(self, real: Callable[..., aio.Channel]) -> Callable[..., aio.Channel]:
        def channel(*args: Any, **kwargs: Any) -> aio.Channel:
            task = self._scheduler.current()
            return real(*args, **kwargs) if task is None else self._open_aio_channel(task)

        return channel

    def _new_event_loop(self, real: Callable[[], Any]) -> Callable[[], asyncio.AbstractEventLoop]:
        """What `asyncio.run` runs on."""
        return lambda: SimulatedLoop(self._scheduler) if self._scheduler.current() is not None else real()

    def _all_tasks(self, real: Callable[..., set[Any]]) -> Callable[..., set[Any]]:
        """A set of them in the order in which they were made, since `asyncio.run` cancels them in that of the set."""

        def all_tasks(loop: asyncio.AbstractEventLoop | None = None) -> set[Any]:
            in_order = sorted(real(loop), key=hash)
            return set(in_order)

        return all_tasks

    def _thread_start(self) -> Callable[[threading.Thread], None]:
        real, scheduler = threading.Thread.start, self._scheduler

        def start(thread: threading.Thread) -> None:
            parent = scheduler.current()
            if parent is None or not self._is_simulated():
                real(thread)
                return
            if parent.condemned:
                raise Crashed
            if thread.ident is not None:
                real(thread)  # which says that it was started before
            with self.suspended():
                self._spawn(parent, thread, real)

        return start

    def _thread_join(self) -> Callable[..., None]:
        real, scheduler = threading.Thread.join, self._scheduler

        def join(thread: threading.Thread, timeout: float | None = None) -> None:
            task = scheduler.task_of(thread)
            if scheduler.current() is None or task is None:
                real(thread, timeout)
            elif not task.over:
                wake_at = None if timeout is None else scheduler.clock() + max(timeout, 0)
                scheduler.wait(Gate(f"the end of {task.name}", lambda: task.over, wake_at))

        return join

    def _thread_is_alive(self) -> Callable[[threading.Thread], bool]:
        real, scheduler = threading.Thread.is_alive, self._scheduler

        def is_alive(thread: threading.Thread) -> bool:
            task = scheduler.task_of(thread)
            return real(thread) if scheduler.current() is None or task is None else not task.over

        return is_alive

    def _spawn(self, parent: Task, thread: threading.Thread, start: Callable[[threading.Thread], None]) -> None:
        """Start a thread of a client's as a task of it."""
        scheduler = self._scheduler
        threads = [task for task in scheduler.tasks if task.client == parent.client and task.thread is not None]
        number = len(threads)  # its name may have an address in it
        name = f"thread {number} of {parent.name.rpartition(' of ')[2]}"
        task = Task(parent.client, name, daemon=thread.daemon)
        body = thread.run
        thread.daemon = True  # so that one that can't be ended never keeps the process
        vars(thread)["run"] = lambda: scheduler.run(task, body)
        vars(thread)["_started"] = threading.Event()  # the one that it was made with is simulated
        task.thread = thread
        scheduler.tasks.append(task)
        start(thread)
