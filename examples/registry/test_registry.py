"""What a view misses when its watch breaks and the history is compacted meanwhile, on the fake and on a real etcd."""

from __future__ import annotations

from etcd_lockstep.servers import RunningEtcd
from etcd_lockstep.simulation import Client, Simulation, World, on_real, simulate
from registry.registry import PREFIX, RelistingView, View

LAST = f"{PREFIX}last"


def the_view_is_right_in_the_end(kind: type[View]) -> Simulation:
    views: list[View] = []

    def follower(me: Client) -> None:
        view = kind(me.etcd)
        view.follow(until=LAST)
        views.append(view)

    def operator(me: Client) -> None:
        me.etcd.delete(f"{PREFIX}web")
        me.etcd.put(LAST, "10.0.0.2")
        _, last = me.etcd.get(LAST)
        me.etcd.compact(last.mod_revision)

    @simulate([follower, operator])
    def simulated(world: World) -> None:
        views.clear()
        world.etcd.put(f"{PREFIX}web", "10.0.0.1")

        @world.at_end
        def a_view_shows_what_is_registered() -> None:
            registered = {meta.key.decode() for _, meta in world.etcd.get_prefix(PREFIX)}
            assert all(set(view.services) == registered for view in views), views[0].services

    simulation: Simulation = simulated.simulation  # type: ignore[attr-defined]  # simulate adds it
    return simulation


BEFORE_THE_WATCH = [(2, 0)]
"""The shortest schedule: all of it happens between the list and the watch."""


def test_a_view_that_missed_a_deletion_keeps_the_service() -> None:
    found = the_view_is_right_in_the_end(View).shortest_failure()
    assert found is not None
    assert found.schedule == BEFORE_THE_WATCH
    assert str(found.failure).startswith("a view shows what is registered: {'/services/web': '10.0.0.1', ")


def test_so_it_does_on_a_real_etcd(real_etcd: RunningEtcd) -> None:
    run = the_view_is_right_in_the_end(View).run(BEFORE_THE_WATCH, on_real(real_etcd.access))
    assert str(run.failure).startswith("a view shows what is registered: {'/services/web': '10.0.0.1', ")


def test_a_view_that_lists_anew_does_not() -> None:
    found = the_view_is_right_in_the_end(RelistingView).shortest_failure(examples=300)
    assert found is None, str(found.failure)


def test_a_view_that_lists_anew_does_not_on_a_real_etcd(real_etcd: RunningEtcd) -> None:
    simulation = the_view_is_right_in_the_end(RelistingView)
    found = simulation.shortest_failure(examples=30, backend=on_real(real_etcd.access))
    assert found is None, str(found.failure)
