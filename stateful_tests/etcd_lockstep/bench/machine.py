"""The state machine for users' own tests, beside the command line's driver on the same targets."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import ClassVar

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import seed as with_seed
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from etcd_lockstep.bench.driver import drive
from etcd_lockstep.bench.figures import Figure, Sizes, ratio
from etcd_lockstep.machine import LockstepMachine
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.session import session_of
from etcd_lockstep.targets.etcd import EtcdTarget

ROUND = 200
"""Examples to a round. Hypothesis remembers all that it drew in one, so rounds are kept short."""


class TimeUp(BaseException):
    """The time of a measurement is over. Not an Exception, so that Hypothesis does not take it for a failure."""


def machine_over_driver(run: Participants, sizes: Sizes) -> Figure:
    """Without a server, by processor time: what the machine itself costs."""
    fakes = [target for target in run.others if target.name == "fake"]
    machine = type("Machine", (_Timed,), {})

    def driver(number: int) -> float:
        steps, seconds = drive(run, fakes, sizes.seconds, number, time.process_time)
        return steps / seconds

    return ratio(
        "machine ÷ driver: model and fake",
        lambda number: steps_per_second(machine, sizes.seconds, number, time.process_time),
        driver,
        0.3,
        "steps",
        sizes.repetitions,
    )


def machine_over_driver_on_etcd(run: Participants, sizes: Sizes) -> Figure:
    """With a real etcd in every sequence, by the time on the wall."""
    assert run.etcd is not None
    etcd = next(target for target in run.others if isinstance(target, EtcdTarget))
    etcd.reset()  # or it would be refused as an endpoint that holds data
    machine = type("MachineOnEtcd", (_Timed,), {"etcd": f"endpoint:{run.etcd.address}"})

    def driver(number: int) -> float:
        steps, seconds = drive(run, run.others, sizes.seconds, number, time.perf_counter)
        return steps / seconds

    return ratio(
        "machine ÷ driver: model, fake and etcd",
        lambda number: steps_per_second(machine, sizes.seconds, number, time.perf_counter),
        driver,
        0.8,
        "steps",
        sizes.repetitions,
    )


class _Timed(LockstepMachine):
    """Ends when its time is up."""

    end: ClassVar[float]

    def begin(self) -> None:
        if time.monotonic() > self.end:
            raise TimeUp
        super().begin()


def steps_per_second(machine: type[_Timed], seconds: float, seed: int, clock: Callable[[], float]) -> float:
    """How many steps a test of a machine class makes in a second by a clock."""
    session = session_of(machine)
    session.new_search()
    machine.end = time.monotonic() + seconds
    options = settings(
        settings.get_profile("default"),
        max_examples=ROUND,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        database=None,
    )
    started = clock()
    with suppress(TimeUp, Flaky):  # Flaky: what ran out of time had run to its end before
        for number in count(seed):
            run_state_machine_as_test(with_seed(number)(machine), settings=options)  # type: ignore[no-untyped-call, unused-ignore]  # on Python 3.10
    return max(session.search.steps, 1) / (clock() - started)
