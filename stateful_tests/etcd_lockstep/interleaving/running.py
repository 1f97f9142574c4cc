"""One run of a program on a new target: a function of the program and its schedule, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from types import FrameType
from typing import NoReturn

from etcd_lockstep.histories import Beginning, Call, History, Indefinite, Outcome, Violated, Watch, WatchResponse, check
from etcd_lockstep.interleaving.locks import locks_replaced
from etcd_lockstep.interleaving.program import Preemption, Program, Schedule
from etcd_lockstep.interleaving.tracing import OwnCode, traced, where
from etcd_lockstep.simulation.errors import BlockedOutside, SwallowedCrash
from etcd_lockstep.simulation.patches import Patches
from etcd_lockstep.simulation.scheduler import Gate, Scheduler, Task
from etcd_lockstep.target import Target, TargetDied, described
from etcd_model.operations import Operation, Range, WatchCreate, WatchRead
from etcd_model.quirks import DEFAULT_VERSION
from etcd_model.ranges import FROM_KEY
from etcd_model.results import RangeResult, WatchCreateResult, WatchReadResult
from fake_etcd import VirtualClock

_PATIENCE = 1.0
"""Seconds, on the wall, for which a thread may neither end nor come to a place where it can be interrupted."""
_MOST_STEPS = 200_000
"""Of one client, in one run: more is an endless loop."""
RAISED, DEADLOCK, ENDLESS = "raised", "deadlock", "endless loop"
_HARNESS = 0
"""The number of the client that reads at the end."""


class Unschedulable(Exception):
    """A thread of the target waits for something that the schedule does not see."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run."""

    history: History
    steps: tuple[int, ...]
    """How many places each client came to where it could have been interrupted."""
    taken: tuple[Preemption, ...]
    """The preemptions that took place, each with its place in the code."""
    shows: str = ""
    """What is wrong, by its name: an anomaly's, `raised` or `deadlock`. Empty where nothing is."""
    what: str = ""
    """The same in a sentence or two."""


class _Endless(BaseException):
    """Ends a client that runs for too long."""


@dataclass(slots=True)
class _Client:
    """What a run knows of one."""

    steps: int = 0
    frame: FrameType | None = None
    """Of the target's code, the last one that was entered."""

    def place(self) -> str:
        return where(self.frame) if self.frame is not None else "at its start"


class Running:
    """A run under way. To be used once."""

    def __init__(self, make: Callable[[], Target], code: OwnCode, program: Program, schedule: Schedule) -> None:
        self._make = make
        self._code = code
        self._program = program
        self._first = schedule.first
        self._due: dict[tuple[int, int], Preemption] = {(one.client, one.step): one for one in schedule.preemptions}
        self._taken: list[Preemption] = []
        self._clock = VirtualClock()
        self._scheduler = Scheduler(self._clock, _PATIENCE)
        self._patches = Patches(self._scheduler, _no_channel, _no_channel)
        self._calls: list[Call] = []
        self._ticks = 0
        self._failures: list[tuple[str, str]] = []
        self._clients = [_Client() for _ in program.clients]
        self._next: int | None = None
        self._created: list[tuple[int, Watch]] = []
        """Each with the number that the target gave it."""
        self._watches: list[Watch] = []
        self._tasks: dict[int, Task] = {}
        self._target: Target | None = None
        self._beginning = Beginning()

    def go(self) -> Ran:
        """Raises `Unschedulable`, `TargetDied` where the target can't be made empty, and what making it raises."""
        try:
            with self._patches.in_force(), locks_replaced(self._code, self._scheduler):
                self._alone("the set-up", self._set_up)
                self._let_loose()
                if not self._failures:
                    self._alone("the end", self._read_all)
        except (BlockedOutside, SwallowedCrash) as blocked:
            raise Unschedulable(str(blocked)) from None
        finally:
            self._scheduler.end_all()
            if self._target is not None:
                self._target.close()
        return self._judged()

    def _judged(self) -> Ran:
        history = History(self._calls, self._watches, None, self._beginning, DEFAULT_VERSION)
        steps = tuple(client.steps for client in self._clients)
        if self._failures:
            return Ran(history, steps, tuple(self._taken), *self._failures[0])
        verdict = check(history)
        if isinstance(verdict, Violated):
            return Ran(history, steps, tuple(self._taken), verdict.first.anomaly.value, verdict.first.what)
        return Ran(history, steps, tuple(self._taken))

    # In threads of the run

    def _set_up(self) -> None:
        self._target = self._make()
        revision = self._target.reset()
        if revision is None and "range" in self._target.capabilities:
            answer = self._target.apply(Range(b"\x00", FROM_KEY))
            revision = answer.revision if isinstance(answer, RangeResult) else None
        self._beginning = Beginning(1 if revision is None else revision, compact_revision=revision or -1)
        for operation in self._program.before:
            self._call(_HARNESS, operation)

    def _use(self, number: int) -> None:
        client = self._clients[number - 1]

        def at(place: str) -> None:
            client.steps += 1
            if client.steps > _MOST_STEPS:
                raise _Endless
            preemption = self._due.get((number, client.steps))
            if preemption is not None and self._can_go_on(preemption.to):
                self._taken.append(replace(preemption, where=place or "before its next call"))
                self._next = preemption.to
                self._scheduler.wait(Gate("its turn", lambda: True))

        def point(frame: FrameType) -> None:
            client.frame = frame
            at(where(frame) if (number, client.steps + 1) in self._due else "")

        def calls() -> None:
            for operation in self._program.clients[number - 1]:
                at("")
                self._call(number, operation)

        try:
            traced(self._code, point, calls)
        except _Endless:
            what = f"client {number} goes on for more than {_MOST_STEPS:,} lines, {client.place()}"
            self._failures.append((ENDLESS, what))

    def _call(self, number: int, operation: Operation) -> None:
        assert self._target is not None
        invoked = self._tick()
        outcome: Outcome | None
        try:
            outcome = self._target.apply(operation)
        except TargetDied as died:
            outcome = Indefinite(str(died))
        except Exception as error:  # whatever a target's code raises is its answer, and none of etcd's
            outcome = Indefinite(f"raised {described(error)}")
            self._failures.append((RAISED, f"{type(operation).__name__} of client {number} raised {described(error)}"))
        returned = self._tick()
        if isinstance(operation, WatchCreate):
            if isinstance(outcome, WatchCreateResult) and not outcome.canceled:
                self._created.append((outcome.watch_id, Watch(number, operation, invoked, outcome.revision)))
            return
        self._calls.append(Call(number, operation, invoked, returned, outcome))

    def _read_all(self) -> None:
        """What is there in the end, and all that watchers were sent: a `WatchRead` waits for what was written."""
        assert self._target is not None
        last = self._beginning.revision
        if "range" in self._target.capabilities:
            self._call(_HARNESS, Range(b"a", b"z"))
            if isinstance(read := self._calls[-1].outcome, RangeResult):
                last = read.revision
        for watch_id, watch in self._created:
            answer = self._target.apply(WatchRead(watch.request.stream))
            watched = answer.watches if isinstance(answer, WatchReadResult) else ()
            for one in watched:
                if one.watch_id == watch_id:
                    together = groupby(one.events, key=lambda event: event.kv.mod_revision)
                    sent = [WatchResponse(self._tick(), revision, tuple(events)) for revision, events in together]
                    self._watches.append(replace(watch, responses=(*sent, WatchResponse(self._tick(), last))))

    # In the thread that runs the run

    def _alone(self, name: str, body: Callable[[], None]) -> None:
        """Let one thread run to its end, and others only while it waits."""
        task = Task(-1, name, daemon=False)
        self._scheduler.start(task, body)
        self._proceed({_HARNESS: task}, _HARNESS)
        if task.error is not None:
            raise task.error

    def _let_loose(self) -> None:
        tasks = {number: Task(number, f"client {number}", daemon=False) for number in range(1, len(self._clients) + 1)}
        for number, task in tasks.items():
            self._scheduler.start(task, _used(self._use, number))
        self._tasks = tasks
        self._proceed(tasks, self._first)
        for task in tasks.values():
            if task.error is not None:
                raise task.error

    def _proceed(self, tasks: Mapping[int, Task], current: int) -> None:
        while not all(task.over for task in tasks.values()):
            if self._next is not None:
                current, self._next = self._next, None
            able = [number for number, task in tasks.items() if self._is_able(task)]
            if able:
                current = current if current in able else able[0]
                self._scheduler.resume(tasks[current])
                continue
            others = [task for task in self._scheduler.tasks if self._is_able(task)]
            if others:
                self._scheduler.resume(others[0])
            elif not self._pass_time():
                waits = [
                    f"client {number} waits for {_awaited(task)} {self._place_of(number)}"
                    for number, task in tasks.items()
                    if not task.over
                ]
                self._failures.append((DEADLOCK, "; ".join(waits)))
                return

    def _is_able(self, task: Task) -> bool:
        return task.is_able(self._clock())

    def _can_go_on(self, number: int) -> bool:
        return number in self._tasks and self._is_able(self._tasks[number])

    def _pass_time(self) -> bool:
        """On to the next time at which something is waited for."""
        times = [task.gate.wake_at for task in self._scheduler.tasks if not task.over and task.gate is not None]
        due = min((time for time in times if time is not None and time > self._clock()), default=None)
        if due is not None:
            self._clock.advance(due - self._clock())
        return due is not None

    def _place_of(self, number: int) -> str:
        return self._clients[number - 1].place() if number else "at the end"

    def _tick(self) -> int:
        """A time that only orders: a millisecond later than the last one."""
        self._ticks += 1_000_000
        return self._ticks


def _used(use: Callable[[int], None], number: int) -> Callable[[], None]:
    return lambda: use(number)


def _awaited(task: Task) -> str:
    return task.gate.words if task.gate is not None else "nothing"


def _no_channel(_task: Task | None) -> NoReturn:
    raise Unschedulable("the target opens a gRPC channel: what is behind it takes no part in the schedule")
