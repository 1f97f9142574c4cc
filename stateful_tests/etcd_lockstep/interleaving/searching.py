"""Looks for a schedule under which a program goes wrong, and makes both as small as can be.

The number of preemptions is bounded, as in CHESS (Musuvathi and others, OSDI 2008): most races need one or two. All
schedules with one are tried, where they are not too many, and some of those with two.

A program that goes wrong even when its clients run one after the other shows no race, but what `fuzz` shows better. It
is kept in case there is nothing else.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import permutations

from etcd_lockstep.interleaving.drawing import Draw
from etcd_lockstep.interleaving.program import Preemption, Program, Schedule
from etcd_lockstep.interleaving.running import DEADLOCK, ENDLESS, RAISED, Ran, Running
from etcd_lockstep.interleaving.tracing import OwnCode
from etcd_lockstep.strategies.operation_table import simpler
from etcd_lockstep.target import Target
from etcd_model.operations import Operation, Put, WatchCreate

_SINGLE, _DOUBLE = 60, 40
"""So many schedules with one preemption, and with two, are tried for a drawn program."""
_SHRINKING_SINGLE, _SHRINKING_DOUBLE = 200, 100
"""The same for one that is to become smaller."""
_SHRINKING_SECONDS = 20.0
"""After these, what is smallest so far is reported."""
_REPLAYS = 3
"""How often what was found is run again, to see that it is always the same."""


@dataclass(slots=True)
class Races:
    """What a search did so far."""

    seconds: float = 0.0
    programs: int = 0
    runs: int = 0
    """Of a program under a schedule."""
    calls: int = 0
    wrong_without: int = 0
    """Programs that go wrong without any race."""


@dataclass(frozen=True, slots=True)
class Race:
    """A program that goes wrong under a schedule, as small as it was made."""

    program: Program
    schedule: Schedule
    ran: Ran
    again: int = 0
    """How many of `_REPLAYS` further runs showed the same."""
    replays: int = _REPLAYS

    @property
    def needs_race(self) -> bool:
        return bool(self.schedule.preemptions)


@dataclass(slots=True)
class Search:
    """A search on one target."""

    make: Callable[[], Target]
    code: OwnCode
    source: random.Random
    seconds: float
    tally: Races = field(default_factory=Races)

    def go(self) -> Race | None:
        """Until the time is over, or a race is found. Raises what `Running.go` does."""
        probe = self.make()
        draw = Draw(self.source, probe.capabilities, probe.keys)
        probe.close()
        started = time.monotonic()
        without: Race | None = None
        while draw.possible and (not self.tally.programs or self.tally.seconds < self.seconds):
            program = draw.program()
            self.tally.programs += 1
            serial = self._in_turn(program)
            if serial is not None:
                self.tally.wrong_without += 1
                without = without or serial
            else:
                race = self._find(program, _SINGLE, _DOUBLE)
                if race is not None:
                    self.tally.seconds = time.monotonic() - started
                    return self._confirmed(self._shrunk(race))
            self.tally.seconds = time.monotonic() - started
        return self._confirmed(self._shrunk(without)) if without is not None else None

    def run(self, program: Program, schedule: Schedule) -> Ran:
        ran = Running(self.make, self.code, program, schedule).go()
        self.tally.runs += 1
        self.tally.calls += len(ran.history.calls)
        return ran

    def _in_turn(self, program: Program) -> Race | None:
        """Whether it goes wrong with each client running to its end."""
        for first in range(1, len(program.clients) + 1):
            schedule = Schedule((), first)
            ran = self.run(program, schedule)
            if ran.shows:
                return Race(program, schedule, ran)
        return None

    def _find(self, program: Program, most_single: int, most_double: int, like: Race | None = None) -> Race | None:
        """A schedule under which it goes wrong, with as few preemptions as can be; with no more than another has, and
        as that does."""
        steps = self.run(program, Schedule()).steps
        for schedule in self._schedules(steps, most_single, most_double):
            ran = self.run(program, schedule)
            if ran.shows and (like is None or _is_alike(ran, like.ran)):
                return Race(program, replace(schedule, preemptions=ran.taken), ran)
        return None

    def _schedules(self, steps: tuple[int, ...], most_single: int, most_double: int) -> Iterator[Schedule]:
        """A preemption of a client that runs first, since what runs later meets nobody."""
        clients = range(1, len(steps) + 1)
        single = [
            Schedule((Preemption(one, step, other),), one)
            for one, other in permutations(clients, 2)
            for step in range(2, steps[one - 1] + 1)
        ]
        yield from single if len(single) <= most_single else self.source.sample(single, most_single)
        if not single:
            return
        tried: set[tuple[Preemption, ...]] = set()
        for _ in range(most_double):
            first = self.source.choice(single)
            (there,) = first.preemptions
            step = self.source.randint(1, max(1, steps[there.to - 1]))
            back = Preemption(there.to, step, self._other(there.to, clients))
            if (there, back) not in tried:
                tried.add((there, back))
                yield Schedule((there, back), first.first)

    def _other(self, client: int, clients: range) -> int:
        return self.source.choice([one for one in clients if one != client])

    # Shrinking

    def _shrunk(self, race: Race) -> Race:
        """Clients first, then calls, then what they ask for, then what was there before."""
        end = time.monotonic() + _SHRINKING_SECONDS
        smaller = True
        while smaller:
            smaller = False
            for program in _smaller(race.program):
                if time.monotonic() > end:
                    break
                found = self._same(race, program)
                if found is not None:
                    race, smaller = found, True
                    break
        return self._fewest_preemptions(race)

    def _same(self, race: Race, program: Program) -> Race | None:
        """Whether a smaller program shows the same."""
        serial = self._in_turn(program)
        if not race.needs_race:
            return serial if serial is not None and _is_alike(serial.ran, race.ran) else None
        if serial is not None:
            return None
        double = _SHRINKING_DOUBLE if len(race.schedule.preemptions) > 1 else 0
        return self._find(program, _SHRINKING_SINGLE, double, race)

    def _fewest_preemptions(self, race: Race) -> Race:
        for number in range(len(race.schedule.preemptions)):
            left = race.schedule.preemptions[:number] + race.schedule.preemptions[number + 1 :]
            schedule = replace(race.schedule, preemptions=left)
            ran = self.run(race.program, schedule)
            if _is_alike(ran, race.ran):
                return self._fewest_preemptions(Race(race.program, schedule, ran))
        return race

    def _confirmed(self, race: Race) -> Race:
        again = sum(self.run(race.program, race.schedule) == race.ran for _ in range(_REPLAYS))
        return replace(race, again=again)


def _is_alike(ran: Ran, other: Ran) -> bool:
    """Whether both got wrong answers, or both raised, or both came to a stop. Which anomaly the checker meets first
    depends on the calls."""
    return bool(ran.shows) and (ran.shows == other.shows or not {ran.shows, other.shows} & {RAISED, DEADLOCK, ENDLESS})


def _smaller(program: Program) -> Iterator[Program]:
    """Programs a little smaller, the boldest first."""
    if len(program.clients) > 2:
        for index in range(len(program.clients)):
            yield program.without_client(index)
    for index, calls in enumerate(program.clients):
        if len(calls) > 1:
            for number in range(len(calls)):
                yield program.with_calls(index, calls[:number] + calls[number + 1 :])
            if not isinstance(calls[0], WatchCreate):
                yield replace(program.with_calls(index, calls[1:]), before=(*program.before, calls[0]))
    for number in range(len(program.before)):
        yield replace(program, before=program.before[:number] + program.before[number + 1 :])
    for index, calls in enumerate(program.clients):
        for number, call in enumerate(calls):
            for one in simpler_call(call):
                yield program.with_calls(index, (*calls[:number], one, *calls[number + 1 :]))
    for number, call in enumerate(program.before):
        for one in simpler_call(call):
            yield replace(program, before=(*program.before[:number], one, *program.before[number + 1 :]))


def simpler_call(call: Operation) -> Iterator[Operation]:
    """Values stay, so that a reader sees which write is which."""
    for one in simpler(call):
        if not (isinstance(call, Put) and isinstance(one, Put) and one.value != call.value):
            yield one
