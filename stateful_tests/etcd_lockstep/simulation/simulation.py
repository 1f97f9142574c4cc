"""`simulate`: a test of programs that use etcd, under schedules that Hypothesis draws."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial, update_wrapper, wraps
from typing import Any

from hypothesis import find, given, settings
from hypothesis.errors import HypothesisException, NoSuchExample

from etcd_lockstep.servers import Access
from etcd_lockstep.simulation.backends import Backend, FakeBackend
from etcd_lockstep.simulation.errors import SimulationFailed
from etcd_lockstep.simulation.real import RealBackend
from etcd_lockstep.simulation.running import FAULTS, Limits, Program, Running
from etcd_lockstep.simulation.schedule import Extent, Schedule, schedules, shorter
from etcd_lockstep.simulation.world import refuse_coroutine_function
from etcd_model import DEFAULT_VERSION
from fake_etcd import VirtualClock

BACKENDS = ("fake", "real")
_REAL_ETCD = "real_etcd"
"""The fixture of the pytest plugin."""


def on_real(access: Access | str) -> Callable[[VirtualClock], Backend]:
    """The etcd at an address as the store of a run, which empties it."""
    return partial(RealBackend, access=Access(access) if isinstance(access, str) else access)


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is over."""

    schedule: Schedule
    timeline: str
    """What happened: a row for each step, a column for each client."""
    failure: SimulationFailed | None
    """Why it failed, if it did."""


@dataclass(frozen=True)
class Simulation:
    """Clients and what must hold of them: `simulate` makes one of a test, which has it as its `simulation`."""

    set_up: Callable[..., object]
    clients: tuple[tuple[str, Program], ...]
    """Each with its name."""
    faults: frozenset[str]
    may_raise: tuple[type[Exception], ...]
    version: str
    limits: Limits

    def run(self, schedule: Schedule = (), backend: Callable[[VirtualClock], Backend] | None = None) -> Run:
        """Run it once; without a schedule, the simplest run. `backend` makes the store, which else is a new fake.

        Raises what the set-up raises.
        """
        running = self._running(schedule, backend)
        failure = None
        try:
            running.go(self.set_up)
        except SimulationFailed as failed:
            failure = failed
        return Run(schedule, str(running.timeline), failure)

    def extent(self, backend: Callable[[VirtualClock], Backend] | None = None) -> Extent:
        """That of the simplest run, up to where it fails if it does. Raises what the set-up raises."""
        running = self._running((), backend)
        with suppress(SimulationFailed, HypothesisException):
            running.go(self.set_up)
        return running.extent

    def _running(self, schedule: Schedule, backend: Callable[[VirtualClock], Backend] | None) -> Running:
        store = backend or partial(FakeBackend, version=self.version)
        return Running(self.clients, store, schedule, self.faults, self.may_raise, self.limits)

    def shortest_failure(
        self,
        examples: int = 1000,
        expected: type[SimulationFailed] = SimulationFailed,
        backend: Callable[[VirtualClock], Backend] | None = None,
    ) -> Run | None:
        """The failing run with the simplest schedule that Hypothesis finds in so many tries, always the same."""

        def fails(schedule: Schedule) -> bool:
            return isinstance(self.run(schedule, backend).failure, expected)

        extent = self.extent(backend)
        try:
            found: Schedule = find(
                schedules(lambda: extent),
                fails,
                settings=settings(max_examples=examples, derandomize=True, database=None, deadline=None),
            )
        except NoSuchExample:
            return None
        while (less := next(filter(fails, shorter(found, extent)), None)) is not None:
            found = less
        return self.run(found, backend)


def simulate(
    clients: Sequence[Program],
    *,
    backend: str = "fake",
    faults: Collection[str] = FAULTS,
    may_raise: Collection[type[Exception]] = (),
    version: str = DEFAULT_VERSION,
    max_steps: int = 1000,
    patience: float = 1.0,
) -> Callable[[Callable[..., object]], Callable[..., None]]:
    """A decorator that makes a Hypothesis test of a set-up: the test's clients run under schedules that are drawn.

    Args:
        clients: Callables, each with one parameter, a `Client`. One may be there several times.
        backend: `fake`, or `real` for the etcd of the fixture `real_etcd`.
        faults: What may go wrong, of `FAULTS`.
        may_raise: Exceptions of which a client may die, as though it crashed. Those that come of a fault always are.
        version: The release of etcd that the fake emulates.
        max_steps: A run that takes more steps fails.
        patience: Seconds for which a client may block where the schedule doesn't see it.

    Raises:
        ValueError: For no clients, an unknown backend or an unknown fault.
    """
    if not clients:
        raise ValueError("a simulation needs clients")
    if backend not in BACKENDS:
        raise ValueError(f"no such backend: {backend!r}; there are {', '.join(BACKENDS)}")
    unknown = sorted(set(faults) - FAULTS)
    if unknown:
        raise ValueError(f"no such fault: {', '.join(unknown)}; there are {', '.join(sorted(FAULTS))}")
    named = _named(clients)
    limits = Limits(max_steps, patience)

    def decorate(set_up: Callable[..., object]) -> Callable[..., None]:
        parameters = list(inspect.signature(set_up).parameters.values())
        if not parameters:
            raise TypeError(f"{set_up.__name__} needs a parameter for the world, its first")
        refuse_coroutine_function(set_up)
        simulation = Simulation(set_up, named, frozenset(faults), tuple(may_raise), version, limits)

        drawn_within: ContextVar[Extent | None] = ContextVar("drawn_within", default=None)

        def bound(fixtures: dict[str, Any]) -> tuple[Simulation, Callable[[VirtualClock], Backend] | None]:
            store = on_real(fixtures[_REAL_ETCD].access) if backend == "real" else None
            wanted = {name: value for name, value in fixtures.items() if name in names_of_fixtures}
            return replace(simulation, set_up=partial(set_up, **wanted)), store

        def extent() -> Extent:
            measured = drawn_within.get()
            return simulation.extent() if measured is None else measured

        @wraps(set_up)
        def test(*, schedule: Schedule, **fixtures: Any) -> None:
            __tracebackhide__ = True
            this, store = bound(fixtures)
            failure = this.run(schedule, store).failure
            if failure is not None:
                raise failure.with_traceback(None)

        def run_with(**fixtures: Any) -> None:
            """Only here, before anything is drawn, there are the fixtures that the simplest run may take."""
            __tracebackhide__ = True
            this, store = bound(fixtures)
            before = drawn_within.set(this.extent(store))
            _without_usual_deadline(given_test)
            try:
                given_test(**fixtures)
            finally:
                drawn_within.reset(before)

        keyword = inspect.Parameter.KEYWORD_ONLY
        names_of_fixtures = [parameter.name for parameter in parameters[1:]]
        names = dict.fromkeys([*names_of_fixtures, *([_REAL_ETCD] if backend == "real" else [])])
        signature = inspect.Signature([inspect.Parameter(name, keyword) for name in ("schedule", *names)])
        vars(test)["__signature__"] = signature
        given_test: Callable[..., None] = given(schedule=schedules(extent))(test)
        update_wrapper(run_with, set_up, updated=())
        run_with.__dict__ = vars(given_test)  # so that what @settings and @example note on the one stands on the other
        vars(run_with)["__signature__"] = inspect.signature(given_test)
        vars(run_with)["simulation"] = simulation
        return run_with

    return decorate


def _without_usual_deadline(test: Callable[..., None]) -> None:
    """How long a run takes on the wall says nothing: Hypothesis' deadline counts where the test has one of its own."""
    name = "_hypothesis_internal_use_settings"  # Hypothesis has no other way to see what `@settings` has chosen
    usual = settings.default
    assert usual is not None
    chosen: settings = getattr(test, name, None) or usual
    if chosen.deadline == usual.deadline:
        setattr(test, name, settings(chosen, deadline=None))


def _named(clients: Sequence[Program]) -> tuple[tuple[str, Program], ...]:
    """By the names of their callables, numbered where one is there several times."""
    names = [getattr(client, "__name__", type(client).__name__) for client in clients]
    total, seen = Counter(names), Counter[str]()
    named = []
    for name, client in zip(names, clients, strict=True):
        seen[name] += 1
        named.append((f"{name} {seen[name]}" if total[name] > 1 else name, client))
    return tuple(named)
