"""What each bug of the limiter breaks, as a simulation that any limiter can be put into."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from etcd3.exceptions import ConnectionFailedError

from etcd_lockstep.simulation import Client, Simulation, World, simulate
from fake_etcd.wire import messages as pb
from limiter.limiter import Repository

RUN_SECONDS = 2 * 3600
"""Longer than a lease lives without being kept alive."""


class Queue(Protocol):
    """What a limiter's queue does."""

    limiter: Any

    def start(self, repository: Repository, run: str, cancelled: threading.Event) -> bool: ...

    def complete(self, repository: Repository, run: str) -> None: ...


MakeQueue = Callable[[Any], Queue]
Scenario = Callable[[MakeQueue], Simulation]


def _repository(limit: int) -> Repository:
    return Repository("ns", "repo", limit)


def _simulation(clients: Sequence[Callable[[Client], object]], set_up: Any, *faults: str) -> Simulation:
    test: Any = simulate(clients, faults=faults)(set_up)
    simulation: Simulation = test.simulation
    return simulation


def _insist(action: Callable[[], Any]) -> Any:
    """Do it again for as long as the answer is lost, as controllers do."""
    while True:
        try:
            return action()
        except ConnectionFailedError:
            continue


def _slots(world: World, repository: Repository) -> list[Any]:
    """The keys of slots in etcd, without what else stands there."""
    found = world.etcd.get_prefix(repository.slots)
    return [meta for _, meta in found if not meta.key.endswith(b"/info")]


def s1_info_counts_as_a_slot(make_queue: MakeQueue) -> Simulation:
    """A limit of 2 admits 2."""
    repository, admitted = _repository(2), {}

    def worker(me: Client) -> None:
        admitted[me.name] = make_queue(me.etcd).start(repository, f"run{me.index + 1}", threading.Event())

    def set_up(world: World) -> None:
        admitted.clear()

        @world.at_end
        def both_are_admitted() -> None:
            assert all(admitted.values()), admitted

    return _simulation([worker, worker], set_up)


def s2_a_run_that_is_over_blocks_the_repository(make_queue: MakeQueue) -> Simulation:
    """A slot that was given back can be had again."""
    repository, admitted = _repository(1), []

    def worker(me: Client) -> None:
        queue = make_queue(me.etcd)
        for run in "first", "second":
            admitted.append(queue.start(repository, run, threading.Event()))
            queue.complete(repository, run)

    def set_up(world: World) -> None:
        admitted.clear()

        @world.at_end
        def one_after_the_other_is_admitted() -> None:
            assert admitted == [True, True], f"the answers were {admitted}"

    return _simulation([worker], set_up)


def s3_leases_are_listed_among_the_runs(make_queue: MakeQueue) -> Simulation:
    """What is running is runs."""
    repository, listed = _repository(2), []

    def worker(me: Client) -> None:
        queue = make_queue(me.etcd)
        queue.start(repository, "run", threading.Event())
        listed.extend(queue.limiter.running(repository))

    def set_up(world: World) -> None:
        listed.clear()

        @world.invariant
        def runs_alone_are_listed() -> None:
            assert set(listed) <= {"run"}, f"{len(listed)} are listed"

    return _simulation([worker], set_up)


def s4_completing_twice_fails(make_queue: MakeQueue) -> Simulation:
    """A completion whose answer was lost can be done again."""
    repository = _repository(1)

    def worker(me: Client) -> None:
        queue = make_queue(me.etcd)
        _insist(partial(queue.start, repository, "run", threading.Event()))
        _insist(partial(queue.complete, repository, "run"))

    def set_up(_: World) -> None:
        """A client that fails is what shows it."""

    return _simulation([worker], set_up, "drop-answer")


def s5_two_at_once_exceed_the_limit(make_queue: MakeQueue) -> Simulation:
    """There are never more slots than the limit."""
    repository = _repository(1)

    def worker(me: Client) -> None:
        make_queue(me.etcd).start(repository, f"run{me.index + 1}", threading.Event())

    def set_up(world: World) -> None:
        @world.invariant
        def at_most_one_run_has_a_slot() -> None:
            assert len(_slots(world, repository)) <= 1, "two have one"

    return _simulation([worker, worker], set_up)


def s6_a_slot_that_one_holds_is_refused(make_queue: MakeQueue) -> Simulation:
    """A run whose acquiring was not answered can acquire again, and has its slot."""
    repository, admitted = _repository(3), []

    def worker(me: Client) -> None:
        queue = make_queue(me.etcd)
        admitted.append(_insist(partial(queue.start, repository, "run", threading.Event())))

    def set_up(world: World) -> None:
        admitted.clear()

        @world.at_end
        def who_has_a_slot_acquires_it_again() -> None:
            assert admitted == [bool(_slots(world, repository))], f"the answer was {admitted}"

    return _simulation([worker], set_up, "drop-answer")


def s7_a_slot_lapses_while_its_run_goes_on(make_queue: MakeQueue) -> Simulation:
    """A run has its slot for as long as it goes on, also when the request that started it is over."""
    repository, going_on = _repository(1), []

    def worker(me: Client) -> None:
        request = threading.Event()
        if _insist(partial(make_queue(me.etcd).start, repository, "run", request)):
            request.set()
            going_on.append("run")
            time.sleep(RUN_SECONDS)
            going_on.clear()

    def set_up(world: World) -> None:
        going_on.clear()

        @world.invariant
        def a_run_that_goes_on_has_its_slot() -> None:
            assert len(_slots(world, repository)) >= len(going_on), "it has none"

    return _simulation([worker], set_up, "drop-request", "drop-answer")


def s8_cleaning_up_leaves_leases(make_queue: MakeQueue) -> Simulation:
    """No lease is left without a slot."""
    repository = _repository(2)

    def worker(me: Client) -> None:
        make_queue(me.etcd).start(repository, "run", threading.Event())
        time.sleep(RUN_SECONDS)

    def janitor(me: Client) -> None:
        make_queue(me.etcd).limiter.cleanup()

    def set_up(world: World) -> None:
        @world.at_end
        def every_lease_has_a_slot() -> None:
            leases = world.stubs.lease.LeaseLeases(pb.LeaseLeasesRequest()).leases
            with_slot = {slot.lease_id for slot in _slots(world, repository)}
            assert {lease.ID for lease in leases} <= with_slot, f"{len(leases)} leases, {len(with_slot)} slots"

    return _simulation([worker, janitor], set_up)


SCENARIOS: dict[str, Scenario] = {
    "S1": s1_info_counts_as_a_slot,
    "S2": s2_a_run_that_is_over_blocks_the_repository,
    "S3": s3_leases_are_listed_among_the_runs,
    "S4": s4_completing_twice_fails,
    "S5": s5_two_at_once_exceed_the_limit,
    "S6": s6_a_slot_that_one_holds_is_refused,
    "S7": s7_a_slot_lapses_while_its_run_goes_on,
    "S8": s8_cleaning_up_leaves_leases,
}
