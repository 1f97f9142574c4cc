"""Which schedules are drawn: most runs differ, and what needs one deviation or several is found."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from hypothesis import given, settings

from etcd_lockstep.simulation import Client, Simulation, World, simulate
from etcd_lockstep.simulation.running import DROP_REQUEST
from etcd_lockstep.simulation.schedule import Schedule, schedules
from fake_etcd.wire import messages as pb

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def _count(me: Client) -> None:
    """Reads, adds one and writes: what loses an update."""
    value, _ = me.etcd.get("/n")
    me.etcd.put("/n", str(int(value) + 1))


def _with_put(key: str) -> Any:
    def putter(me: Client) -> None:
        me.etcd.put(key, "1")

    return putter


def _simulation(test: Any) -> Simulation:
    made: Simulation = test.simulation
    return made


def _nothing(world: World) -> None:
    """A set-up without any invariant."""


def _runs_drawn(simulation: Simulation, examples: int) -> list[str]:
    """Their timelines."""
    extent, drawn = simulation.extent(), []

    @settings(max_examples=examples, derandomize=True, database=None, deadline=None)
    @given(schedules(lambda: extent))
    def draw(schedule: Schedule) -> None:
        drawn.append(simulation.run(schedule).timeline)

    draw()
    return drawn


def test_most_schedules_that_are_drawn_give_a_run_of_their_own() -> None:
    def works(me: Client) -> None:
        lease = me.etcd.lease(10)
        for n in range(5):
            me.etcd.put(f"/{me.index}/{n}", "1", lease=lease)

    drawn = _runs_drawn(_simulation(simulate([works, works], may_raise=[grpc.RpcError])(_nothing)), 100)
    assert len(drawn) == 100
    assert len(set(drawn)) >= 70


def test_a_program_without_a_choice_runs_once() -> None:
    assert len(_runs_drawn(_simulation(simulate([_with_put("/k")], faults=())(_nothing)), 100)) == 1


@pytest.mark.parametrize("at", [0, 6, 11])
def test_an_update_that_is_lost_at_one_place_of_a_long_run_is_found(at: int) -> None:
    def works(me: Client) -> None:
        for n in range(12):
            if n == at:
                _count(me)
            else:
                me.etcd.put(f"/{me.index}/{n}", "1")

    def set_up(world: World) -> None:
        world.etcd.put("/n", "0")

        @world.at_end
        def nothing_is_lost() -> None:
            assert world.etcd.get("/n")[0] == b"2"

    run = _simulation(simulate([works, works], faults=())(set_up)).shortest_failure(examples=200)
    assert run is not None
    assert len(run.schedule) == 1


def test_several_faults_in_a_row_are_found_where_the_simplest_run_has_one_step() -> None:
    def insists(me: Client) -> None:
        for _ in range(3):
            try:
                me.stubs.kv.Put(pb.PutRequest(key=b"/k"))
                return
            except grpc.RpcError:
                continue

    def set_up(world: World) -> None:
        @world.at_end
        def it_is_there() -> None:
            assert world.etcd.get("/k")[0] is not None

    run = _simulation(simulate([insists], faults=[DROP_REQUEST])(set_up)).shortest_failure()
    assert run is not None
    assert run.schedule == [(0, 16), (0, 16), (0, 16)]
