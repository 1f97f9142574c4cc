"""One run of a simulation: from its set-up, step by step as the schedule says, until its clients are over."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import grpc
from google.protobuf.message import Message
from hypothesis.errors import HypothesisException

from etcd_lockstep.simulation.aio_channel import simulated_aio_channel
from etcd_lockstep.simulation.backends import Backend
from etcd_lockstep.simulation.calls import (
    AnswerGate,
    Call,
    ClientExchange,
    DirectExchange,
    RequestGate,
    WatchGate,
    WatchRequestGate,
)
from etcd_lockstep.simulation.channel import SimulatedChannel
from etcd_lockstep.simulation.errors import (
    BlockedOutside,
    ChannelClosed,
    ClientFailed,
    Deadlock,
    InvariantBroken,
    NotFinished,
    SwallowedCrash,
    deadline_exceeded,
    dropped,
    explained_by_fault,
)
from etcd_lockstep.simulation.event_loop import LoopGate
from etcd_lockstep.simulation.patches import Patches
from etcd_lockstep.simulation.schedule import Extent, Reader, Schedule
from etcd_lockstep.simulation.scheduler import Scheduler, Task
from etcd_lockstep.simulation.timeline import Timeline
from etcd_lockstep.simulation.words import error_in_words
from etcd_lockstep.simulation.world import Client, World
from fake_etcd import VirtualClock
from fake_etcd.aio_channel import AioChannel

_RESTART_SECONDS = 60.0
"""So long after a crash a client is started again, if the others are not over by then: somebody would do it."""

Program = Callable[[Client], object]
Step = Callable[[], None]

CLOCK, DROP_REQUEST, DROP_ANSWER, BREAK_WATCH, CRASH = "clock", "drop-request", "drop-answer", "break-watch", "crash"
FAULTS = frozenset({CLOCK, DROP_REQUEST, DROP_ANSWER, BREAK_WATCH, CRASH})
"""What can go wrong: time goes by while clients could go on, as where a process stands still; a request, an answer or
a stream of watchers is lost; a client crashes, and is started again sooner or later."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a run is given up."""

    steps: int
    patience: float
    """Seconds, on the wall, for which a client may not come to a gate."""


@dataclass(slots=True)
class _Process:
    """A client: its threads from one start to the next crash."""

    name: str
    program: Program
    starts: int = 0
    tasks: list[Task] = field(default_factory=list)
    exchange: ClientExchange | None = None
    over: bool = True
    restart_at: float | None = None
    """When it is started again at the latest, if it crashed."""


def _run(program: Program, me: Client) -> None:
    """Call a client. What a coroutine function gives is run on an event loop, which is the simulation's."""
    made = program(me)
    if inspect.iscoroutine(made):
        asyncio.run(made)


def _yields(task: Task) -> bool:
    return task.gate is not None and task.gate.yields


@contextmanager
def _no_collection() -> Iterator[None]:
    """No cycle is collected meanwhile: what is finalized then, such as a generator, would be so at any place."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Running:
    """A run under way."""

    def __init__(
        self,
        programs: Sequence[tuple[str, Program]],
        backend: Callable[[VirtualClock], Backend],
        schedule: Schedule,
        faults: frozenset[str],
        may_raise: tuple[type[Exception], ...],
        limits: Limits,
    ) -> None:
        self._clock = VirtualClock()
        self._backend = backend(self._clock)
        self._scheduler = Scheduler(self._clock, limits.patience)
        self._patches = Patches(self._scheduler, self._channel_of, self._aio_channel_of)
        self._direct = DirectExchange(self._backend, self._patches.suspended, self._exchange_of_client)
        self._reader = Reader(schedule)
        self._faults = faults
        self._may_raise = may_raise
        self._limits = limits
        self._processes = [_Process(name, program) for name, program in programs]
        self._current: Task | None = None
        self._turn = 0
        """The client whose turn it is."""
        self.timeline = Timeline([name for name, _ in programs])
        self.world = World(tuple(name for name, _ in programs), partial(SimulatedChannel, self._direct), self._clock)

    @property
    def extent(self) -> Extent:
        """That of the run so far."""
        return self._reader.extent

    def go(self, set_up: Callable[[World], object]) -> None:
        """Run to the end. Raises `SimulationFailed`, and whatever the set-up raises."""
        with _no_collection(), self._patches.in_force(), self._ended():
            with self._patches.setting_up():
                set_up(self.world)
            try:
                self._go()
            except (BlockedOutside, SwallowedCrash) as error:
                raise type(error)(error.why, self.timeline) from None

    @contextmanager
    def _ended(self) -> Iterator[None]:
        """Nothing is left behind."""
        try:
            yield
        finally:
            self._scheduler.end_all()
            self._backend.close()

    def _go(self) -> None:
        for client in range(len(self._processes)):
            self._start(client)
        self._check(self.world.invariants)
        for _ in range(self._limits.steps):
            step = self._next()
            if step is None:
                self._check(self.world.at_ends)
                return
            step()
            self._notice_ends()
            self._check(self.world.invariants)
        raise NotFinished(f"the run is not over after {self._limits.steps} steps", self.timeline)

    # What can happen next

    def _next(self) -> Step | None:
        """What happens next; None where the run is over."""
        able = [task for task in self._scheduler.tasks if task.is_able(self._clock())]
        restarts: list[Step | None] = [
            partial(self._start, n) for n, process in enumerate(self._processes) if process.restart_at is not None
        ]
        if all(process.over for process in self._processes):
            return self._reader.choose(None, restarts, ()) if restarts else None
        for client, process in enumerate(self._processes):
            if process.restart_at is not None and process.restart_at <= self._clock():
                return partial(self._start, client)
        wake_up = self._next_wake_up()
        clock: Step | None = partial(self._pass_time, wake_up) if wake_up is not None else None
        if not able:
            if clock is None:
                raise Deadlock(self._what_all_wait_for(), self.timeline)
            return self._reader.choose(clock, restarts, [*self._crashes()])
        first = self._preferred(able)
        others: list[Step | None] = [partial(self._proceed, task) for task in able if task is not first]
        others += restarts
        if wake_up is not None and CLOCK in self._faults:
            others.append(partial(self._stand_still, first, wake_up))
        plain: Step | None = partial(self._proceed, first)
        return self._reader.choose(plain, others, [*self._losses(), *self._crashes()])

    def _preferred(self, able: list[Task]) -> Task:
        """Whoever went on last, or else something else of that client, or else of the next client.

        Of what an event loop waits for, calls come before timers, as with any selector.
        """
        if self._current in able and not _yields(self._current):
            return self._current
        count = len(self._processes)
        return min(
            able,
            key=lambda task: (_yields(task), (task.client - self._turn) % count, isinstance(task.gate, LoopGate)),
        )

    def _next_wake_up(self) -> float | None:
        """The next time at which something is due."""
        now = self._clock()
        times = [task.gate.wake_at for task in self._scheduler.tasks if not task.over and task.gate is not None]
        times += [process.restart_at for process in self._processes]
        times.append(self._backend.next_expiry())
        return min((time for time in times if time is not None and time > now), default=None)

    def _losses(self) -> Iterator[Step | None]:
        for task in self._scheduler.tasks:
            if task.over or not task.is_listening:
                continue
            match task.gate:
                case RequestGate() if DROP_REQUEST in self._faults:
                    yield partial(self._drop, task, "request")
                case AnswerGate() if DROP_ANSWER in self._faults:
                    yield partial(self._drop, task, "answer")
                case WatchGate() if BREAK_WATCH in self._faults:
                    yield partial(self._break_watch, task, task.gate)

    def _crashes(self) -> Iterator[Step | None]:
        if CRASH in self._faults:
            for client, process in enumerate(self._processes):
                if not process.over:
                    yield partial(self._crash, client)

    # Steps

    def _start(self, client: int) -> None:
        process = self._processes[client]
        process.starts += 1
        process.over, process.restart_at = False, None
        given_up = partial(self._give_up, client)
        process.exchange = ClientExchange(self._scheduler, self._backend, self._patches.suspended, given_up)
        if process.starts > 1:
            self.timeline.say(client, "starts again")
        note = partial(self.timeline.say, client)
        open_aio_channel = partial(simulated_aio_channel, process.exchange)
        me = Client(process.name, client, process.starts, SimulatedChannel(process.exchange), open_aio_channel, note)
        task = Task(client, process.name, daemon=False)
        self._scheduler.start(task, partial(_run, process.program, me))

    def _proceed(self, task: Task) -> None:
        """Let a task go on from its gate: a request goes through, an answer is delivered, whatever it is wakes it."""
        self._current, self._turn = task, task.client
        gate = task.gate
        match gate:
            case RequestGate(call=call):
                if gate.deadline is not None and gate.deadline <= self._clock():
                    call.error = deadline_exceeded()
                    self.timeline.request(task.client, call)
                    self.timeline.answer(task.client, call, call.error)
                else:
                    self.timeline.request(task.client, call)
                    task.gate = gate.let_through(self._backend)
                    return
            case AnswerGate(call=call):
                self._deliver(task, gate)
            case WatchRequestGate():
                self.timeline.say(task.client, self.timeline.words.watch_request(gate.request))
                gate.stream.send(gate.request)
            case WatchGate() if (response := gate.stream.peek()) is not None:
                self.timeline.say(task.client, self.timeline.words.watch_response(response))
            case _:
                pass
        self._scheduler.resume(task)

    def _deliver(self, task: Task, gate: AnswerGate) -> None:
        call = gate.call
        assert call.pending is not None
        if not call.pending.poll():
            call.error = deadline_exceeded()
        said: Message | grpc.RpcError
        try:
            said = call.error or call.pending.answer()
        except grpc.RpcError as refusal:
            said = refusal
        self.timeline.answer(task.client, call, said)

    def _drop(self, task: Task, what: str) -> None:
        gate = task.gate
        assert isinstance(gate, RequestGate | AnswerGate)
        gate.call.error = dropped(what)
        if isinstance(gate, RequestGate):
            self.timeline.request(task.client, gate.call)
        self.timeline.answer(task.client, gate.call, gate.call.error)
        self._current, self._turn = task, task.client
        self._scheduler.resume(task)

    def _give_up(self, client: int, call: Call, is_late: bool) -> None:
        """A call on an event loop ends before it is answered."""
        self.timeline.given_up(client, call, error_in_words(deadline_exceeded()) if is_late else "cancelled")

    def _break_watch(self, task: Task, gate: WatchGate) -> None:
        self.timeline.say(task.client, "the watch breaks")
        gate.stream.drop()
        self._current, self._turn = task, task.client
        self._scheduler.resume(task)

    def _crash(self, client: int) -> None:
        self.timeline.say(client, "crashes")
        self._processes[client].restart_at = self._clock() + _RESTART_SECONDS
        self._end(client)

    def _end(self, client: int) -> None:
        """End what is left of a client."""
        process = self._processes[client]
        process.over = True
        tasks = [task for task in self._scheduler.tasks if task.client == client and not task.over]
        for task in tasks:
            task.condemn()
        for task in tasks:
            self._scheduler.end(task)
        if process.exchange is not None:
            process.exchange.close()

    def _stand_still(self, task: Task, until: float) -> None:
        """Time goes by while a task could go on, and others have their turn first."""
        self._pass_time(until, f"{self._processes[task.client].name} stands still, and ")
        self._current = None
        self._turn = (task.client + 1) % len(self._processes)

    def _pass_time(self, until: float, why: str = "") -> None:
        seconds = until - self._clock()
        expired = self._backend.pass_time(seconds)
        leases = ", ".join(map(self.timeline.words.lease, expired))
        what = f": {leases} {'runs' if len(expired) == 1 else 'run'} out" if expired else ""
        self.timeline.say(None, f"{why}{seconds:g} s go by{what}")

    def _notice_ends(self) -> None:
        """A client is over when its callable is, and all threads of its that are no daemons."""
        for client, process in enumerate(self._processes):
            tasks = [task for task in self._scheduler.tasks if task.client == client]
            for task in tasks:
                if task.error is not None:
                    error, task.error = task.error, None
                    self._notice_error(task, error)
            if not process.over and all(task.over or task.daemon for task in tasks):
                self._end(client)

    def _notice_error(self, task: Task, error: BaseException) -> None:
        is_main = task.name == self._processes[task.client].name
        if isinstance(error, SystemExit) or (isinstance(error, ChannelClosed) and not is_main):
            return
        words = error_in_words(error)
        self.timeline.say(task.client, f"dies: {words}")
        if not explained_by_fault(error) and not isinstance(error, self._may_raise):
            raise ClientFailed(f"{task.name} raised {words}", self.timeline) from error
        if is_main:
            self._processes[task.client].restart_at = self._clock() + _RESTART_SECONDS

    def _check(self, checks: Sequence[Callable[[], object]]) -> None:
        __tracebackhide__ = True
        for check in checks:
            try:
                check()
            except HypothesisException:  # such as a failed assumption
                raise
            except Exception as error:
                name = getattr(check, "__name__", "an invariant").replace("_", " ")
                said = f": {error}".splitlines()[0] if str(error) else ""
                raise InvariantBroken(f"{name}{said}", self.timeline) from error

    def _what_all_wait_for(self) -> str:
        tasks = self._scheduler.tasks
        waits = [f"{task.name} waits for {task.awaited()}" for task in tasks if not task.over and task.gate is not None]
        return f"nothing will ever happen again: {', '.join(waits)}"

    def _aio_channel_of(self, task: Task) -> AioChannel:
        return simulated_aio_channel(self._exchange_of(task))

    def _channel_of(self, task: Task | None) -> grpc.Channel:
        return SimulatedChannel(self._direct if task is None else self._exchange_of(task))

    def _exchange_of_client(self) -> ClientExchange | None:
        task = self._scheduler.current()
        return None if task is None else self._exchange_of(task)

    def _exchange_of(self, task: Task) -> ClientExchange:
        exchange = self._processes[task.client].exchange
        assert exchange is not None
        return exchange
