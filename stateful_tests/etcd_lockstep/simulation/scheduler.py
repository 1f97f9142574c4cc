"""The threads of a simulation's clients, of which one at a time runs, until it waits at a gate.

The thread that runs the simulation resumes one of them, and waits until it waits again. So nothing happens at the same
time as anything else, and what happens next is the simulation's to say.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from etcd_lockstep.simulation.errors import BlockedOutside, Crashed, SwallowedCrash
from etcd_lockstep.simulation.places import place_of_thread
from fake_etcd import VirtualClock

_allocate_lock = threading.Lock
"""The real ones: `patches` replaces the name in `threading`."""

_RAISES = 100
"""How often `Crashed` is raised in a thread before it counts as one that catches it."""
_LOOKS = 20
"""How many times one looks whether a thread still computes that has not come to a gate, each half the patience long."""
_JOIN_SECONDS = 5
_NOT_THE_PROGRAMS = (str(Path(__file__).parent), threading.__file__, str(Path(asyncio.__file__).parent))
"""Files and folders of code whose frames are left out where a program is named."""


@dataclass(slots=True)
class Gate:
    """What a thread waits for."""

    words: str
    """For reports, as in `a lock`."""
    ready: Callable[[], bool]
    wake_at: float | None = None
    """The time at which it goes on in any case."""

    yields: bool = False
    """Whether whoever else can go on is preferred."""

    def is_open(self, now: float) -> bool:
        """Whether the thread can go on."""
        return (self.wake_at is not None and self.wake_at <= now) or self.ready()

    def in_words(self, place: str) -> str:
        """With the place in the program at which the thread stands."""
        return f"{self.words} {place}".rstrip()


class Task:
    """One thread of a client."""

    def __init__(self, client: int, name: str, *, daemon: bool) -> None:
        """`client` is the client's index, and `daemon` whether the client is over without it."""
        self.client = client
        self.name = name
        self.daemon = daemon
        self.gate: Gate | None = Gate("its start", lambda: True)
        self.over = False
        self.condemned = False
        self.error: BaseException | None = None
        """What it ended with, if that isn't a crash."""
        self.thread: threading.Thread | None = None
        self.baton = _allocate_lock()
        self.baton.acquire()
        self.raises = 0
        self.left_behind = False
        """Whether nobody waits for its thread any more, as it was blocked outside."""

    @property
    def carrier(self) -> Task:
        """The task whose thread it runs in."""
        return self

    @property
    def is_listening(self) -> bool:
        """Whether its thread would go on with it, if its gate were open."""
        return True

    def awaited(self) -> str:
        """What it waits for, and where in the program."""
        assert self.gate is not None
        return self.gate.in_words(place_of_thread(_frame(self)))

    def is_able(self, now: float) -> bool:
        """Whether it can go on."""
        return not self.over and self.gate is not None and self.gate.is_open(now) and self.is_listening

    def wake(self) -> None:
        """It goes on as soon as its thread runs."""

    def condemn(self) -> None:
        """Throw `Crashed` at its gate, and at each that it comes to from now on."""
        self.condemned = True


class Scheduler:
    """All tasks of a run, in the order in which they came to be."""

    def __init__(self, clock: VirtualClock, patience: float) -> None:
        """A task that doesn't come to a gate for `patience` seconds, on the wall, is blocked outside."""
        self.clock = clock
        self.tasks: list[Task] = []
        self._patience = patience
        self._turn = _allocate_lock()
        self._turn.acquire()
        self._handing_over = _allocate_lock()
        """Held where a thread gives the turn back, and where one stops to wait for it."""
        self._of_thread: dict[int, Task] = {}

    # For the tasks' own threads

    def current(self) -> Task | None:
        """The task whose thread this is."""
        return self._of_thread.get(threading.get_ident())

    def task_of(self, thread: threading.Thread) -> Task | None:
        """The task that a thread is."""
        return next((task for task in self.tasks if task.thread is thread), None)

    def wait(self, gate: Gate) -> None:
        """Stand at a gate until the simulation opens it. Raises `Crashed`."""
        task = self.current()
        if task is None:
            raise RuntimeError("this thread is none of the simulation's clients, and can't wait for its schedule")
        self._raise_if_condemned(task)
        task.gate = gate
        if self._give_back_turn(task):
            task.baton.acquire()
        self._raise_if_condemned(task)
        task.gate = None

    def check_alive(self) -> None:
        """Raises `Crashed` in the thread of a client that was crashed."""
        task = self.current()
        if task is not None:
            self._raise_if_condemned(task)

    def _give_back_turn(self, task: Task, *, is_over: bool = False) -> bool:
        """False if the task was left behind: it has no turn to give, and crashes where it comes to a gate after all."""
        with self._handing_over:
            task.over = is_over
            if task.left_behind:
                task.condemn()
                return False
            self._turn.release()
            return True

    def _raise_if_condemned(self, task: Task) -> None:
        if not task.condemned:
            return
        task.raises += 1
        if task.raises > _RAISES:
            task.gate = Gate("nothing", lambda: False)
            self._give_back_turn(task)
            while True:
                task.baton.acquire()  # it can't be ended, but held: as a daemon, until the process ends
        raise Crashed

    def run(self, task: Task, body: Callable[[], object]) -> None:
        """What a task's thread does from its start to its end."""
        __tracebackhide__ = True
        task.baton.acquire()
        self._of_thread[threading.get_ident()] = task
        try:
            if not task.condemned:
                task.gate = None
                body()
        except Crashed:
            pass
        except BaseException as error:
            if not task.condemned:
                task.error = error
        finally:
            del self._of_thread[threading.get_ident()]
            self._give_back_turn(task, is_over=True)

    def add(self, task: Task) -> None:
        """Add one that has no thread of its own, behind those of its carrier."""
        behind = max(n for n, other in enumerate(self.tasks) if other.carrier is task.carrier)
        self.tasks.insert(behind + 1, task)

    def note_death(self, client: int, name: str, error: BaseException) -> None:
        """A task or a callback of a client ended with an error that nobody retrieved."""
        task = Task(client, name, daemon=True)
        task.over, task.error = True, error
        self.tasks.append(task)

    # For the thread that runs the simulation

    def start(self, task: Task, body: Callable[[], object]) -> None:
        """Give a new task its thread; it stands at its first gate."""
        task.thread = threading.Thread(target=self.run, args=(task, body), name=f"simulated {task.name}", daemon=True)
        self.tasks.append(task)
        task.thread.start()

    def resume(self, task: Task) -> None:
        """Let a task run until it stands at a gate or is over. Raises `BlockedOutside`, `SwallowedCrash`."""
        task.wake()
        task = task.carrier
        with self._handing_over:
            if task.over:  # one that was left behind, and has ended since
                return
            task.left_behind = False
        task.baton.release()
        if not self._turn.acquire(timeout=self._patience) and not self._turn_after_all(task):
            raise BlockedOutside(
                f"{task.name} blocks where the schedule doesn't see it, for more than {self._patience:g} s:\n"
                f"{_where(task)}"
            )
        if task.raises > _RAISES:
            raise SwallowedCrash(f"{task.name} was crashed, and catches it again and again:\n{_where(task)}")

    def _turn_after_all(self, task: Task) -> bool:
        """Wait longer for a task that moves, such as one on a machine that is busy; else leave it behind."""
        if self._moves(task):
            return True
        with self._handing_over:
            task.left_behind = not self._turn.acquire(blocking=False)
        return not task.left_behind

    def _moves(self, task: Task) -> bool:
        before = _progress(task)
        for _ in range(_LOOKS):
            if self._turn.acquire(timeout=self._patience / 2):
                return True
            now = _progress(task)
            if now == before and not _is_waking(task):
                return False
            before = now
        return False

    def end(self, task: Task) -> None:
        """Crash a task, and have it clean up behind itself."""
        if task.over:
            return
        task.condemn()
        if task.carrier is task:
            self.resume(task)

    def end_all(self) -> list[Task]:
        """End every task and its thread. Returns those that can't be ended."""
        left = []
        for task in tuple(self.tasks):
            if task.over:
                continue
            try:
                if task.raises <= _RAISES:
                    self.end(task)
            except (BlockedOutside, SwallowedCrash):
                left.append(task)
        for task in self.tasks:
            if task.over and task.thread is not None:
                task.thread.join(_JOIN_SECONDS)
        return left


def _frame(task: Task) -> FrameType | None:
    ident = task.thread.ident if task.thread is not None else None
    return sys._current_frames().get(ident) if ident is not None else None


def _progress(task: Task) -> str:
    """What changes while a thread computes: its processor time (Linux), or else the place where it is."""
    native_id = task.thread.native_id if task.thread is not None else None
    try:
        return Path(f"/proc/self/task/{native_id}/schedstat").read_text()
    except OSError:  # it is over meanwhile, or this is no Linux
        frame = _frame(task)
        return f"{frame.f_lasti}" if frame is not None else ""


def _is_waking(task: Task) -> bool:
    """Whether a thread was resumed, and the machine has not come to run it."""
    frame = _frame(task)
    return frame is not None and frame.f_code.co_filename == __file__


def _where(task: Task) -> str:
    """The program's own part of the stack."""
    frame = _frame(task)
    if frame is None:
        return "  (its stack is unknown)"
    lines = [one for one in traceback.extract_stack(frame) if not one.filename.startswith(_NOT_THE_PROGRAMS)]
    return "".join(traceback.format_list(lines)).rstrip()
