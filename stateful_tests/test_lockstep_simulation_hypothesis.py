"""A simulation is a Hypothesis test: its settings, its examples and its assumptions apply."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, assume, example, settings
from hypothesis.errors import DeadlineExceeded, Unsatisfiable

from etcd_lockstep.simulation import Client, InvariantBroken, World, simulate
from simulated import counts, no_update_is_lost, nothing

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@settings(max_examples=20, database=None)
@simulate(clients=[counts, counts], faults=())
def _with_as_many_as(world: World, seen: list[str]) -> None:
    world.etcd.put("/n", "0")
    seen.append("a run")


def test_settings_and_fixtures_reach_a_simulation() -> None:
    seen: list[str] = []
    _with_as_many_as(seen=seen)
    assert len(seen) == 1 + 20  # the simplest run is measured


def test_hypothesis_runs_it_as_a_test_and_reports_the_timeline() -> None:
    counting = simulate(clients=[counts, counts], faults=())(no_update_is_lost)
    test = settings(max_examples=300, derandomize=True, database=None)(counting)
    with pytest.raises(InvariantBroken, match="nothing is lost") as failed:
        test()
    assert "(get /n) → /n = 0" in str(failed.value)


def _takes_a_while(_: Client) -> None:
    until = time.perf_counter() + 0.3
    while time.perf_counter() < until:
        pass


@pytest.fixture
def _usual_deadline() -> Iterator[None]:
    """Hypothesis' own, of 200 ms, where our profiles have none."""
    settings.register_profile("as before", settings.default)
    settings.register_profile("with a deadline", settings.default, deadline=200)
    settings.load_profile("with a deadline")
    yield
    settings.load_profile("as before")


@pytest.mark.usefixtures("_usual_deadline")
def test_a_run_has_no_deadline_on_the_wall_unless_the_test_has_one_of_its_own() -> None:
    slow = simulate(clients=[_takes_a_while], faults=())
    settings(max_examples=2, database=None)(slow(nothing))()
    with pytest.raises(DeadlineExceeded):
        settings(max_examples=2, database=None, deadline=100)(slow(nothing))()


@example(schedule=[(2, 0)])
@settings(max_examples=1, phases=[Phase.explicit], database=None)
@simulate(clients=[counts, counts], faults=())
def _with_example(world: World, request: pytest.FixtureRequest) -> None:
    assert request.node.name == "test_a_schedule_can_be_given_as_an_example"
    no_update_is_lost(world)


def test_a_schedule_can_be_given_as_an_example(request: pytest.FixtureRequest) -> None:
    with pytest.raises(InvariantBroken, match="nothing is lost"):
        _with_example(request=request)


def test_an_assumption_in_an_invariant_makes_no_failure() -> None:
    @settings(max_examples=5, database=None, suppress_health_check=list(HealthCheck))
    @simulate(clients=[counts])
    def assuming(world: World) -> None:
        world.etcd.put("/n", "0")

        @world.invariant
        def assumed() -> None:
            assume(False)

    with pytest.raises(Unsatisfiable):
        assuming()
