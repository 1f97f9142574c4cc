"""Which schedules are drawn: most runs differ, and what needs one deviation or several is found."""

from __future__ import annotations

import grpc
import pytest
from hypothesis import given, settings

from etcd_lockstep.simulation import Client, Simulation, World
from etcd_lockstep.simulation.running import DROP_REQUEST
from etcd_lockstep.simulation.schedule import Schedule, schedules
from fake_etcd.wire import messages as pb
from simulated import counts, made, no_update_is_lost, with_put

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


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

    drawn = _runs_drawn(made(works, works, may_raise=[grpc.RpcError]), 100)
    assert len(drawn) == 100
    assert len(set(drawn)) >= 70


def test_a_program_without_a_choice_runs_once() -> None:
    assert len(_runs_drawn(made(with_put("/k"), faults=()), 100)) == 1


@pytest.mark.parametrize("at", [0, 6, 11])
def test_an_update_that_is_lost_at_one_place_of_a_long_run_is_found(at: int) -> None:
    def works(me: Client) -> None:
        for n in range(12):
            if n == at:
                counts(me)
            else:
                me.etcd.put(f"/{me.index}/{n}", "1")

    run = made(works, works, set_up=no_update_is_lost, faults=()).shortest_failure(examples=200)
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

    run = made(insists, set_up=set_up, faults=[DROP_REQUEST]).shortest_failure()
    assert run is not None
    assert run.schedule == [(0, 16), (0, 16), (0, 16)]
