"""The same simulations on a real etcd: the same schedules, the same timelines."""

from __future__ import annotations

import queue
import time
from typing import Any

import grpc
import pytest
from hypothesis import settings

from etcd_lockstep.servers import RunningEtcd
from etcd_lockstep.simulation import Client, Simulation, World, on_real, simulate
from etcd_lockstep.simulation.running import CRASH, DROP_ANSWER, DROP_REQUEST
from fake_etcd.wire import messages as pb


def _count(me: Client) -> None:
    value, _ = me.etcd.get("/n")
    me.etcd.put("/n", str(int(value) + 1))


def _hold(me: Client) -> None:
    lease = me.etcd.lease(10)
    me.etcd.put("/held", me.name, lease=lease)
    time.sleep(4)
    me.note(f"{lease.remaining_ttl} of {lease.granted_ttl} s left")
    lease.refresh()
    time.sleep(8)
    me.note(f"{lease.remaining_ttl} s left")
    time.sleep(8)
    me.note(f"holds it: {me.etcd.get('/held')[0] is not None}")


def _watch(me: Client) -> None:
    arrived: queue.Queue[Any] = queue.Queue()
    watch = me.etcd.add_watch_callback("/held", arrived.put)
    for _ in range(2):
        response = arrived.get()
        me.note(", ".join(f"{type(event).__name__}" for event in getattr(response, "events", ())))
    me.etcd.cancel_watch(watch)


def _lock(me: Client) -> None:
    lease = me.etcd.lease(60).id
    key = me.stubs.lock.Lock(pb.LockRequest(name=b"l", lease=lease)).key
    me.note("in")
    me.stubs.lock.Unlock(pb.UnlockRequest(key=key))


def _refused(me: Client) -> None:
    me.etcd.put("/k", "1", lease=1234)


def _set_up(world: World) -> None:
    world.etcd.put("/n", "0")


def _made(*clients: Any) -> Simulation:
    made: Any = simulate(clients=clients)(_set_up)
    simulation: Simulation = made.simulation
    return simulation


@pytest.mark.parametrize("schedule", [(), [(2, 0)], [(3, 16)], [(4, 20), (2, 1)], [(0, 3), (1, 1), (5, 0), (2, 17)]])
@pytest.mark.parametrize("clients", [(_count, _count), (_hold, _hold), (_watch, _hold), (_lock, _lock), (_refused,)])
def test_a_run_on_a_real_etcd_is_the_run_on_the_fake(
    real_etcd: RunningEtcd, clients: Any, schedule: list[tuple[int, int]]
) -> None:
    simulation = _made(*clients)
    fake, real = simulation.run(schedule), simulation.run(schedule, on_real(real_etcd.access))
    assert real.timeline == fake.timeline
    assert str(real.failure) == str(fake.failure)


def test_a_failure_is_found_on_a_real_etcd(real_etcd: RunningEtcd) -> None:
    @simulate(clients=[_count, _count], faults=())
    def counting(world: World) -> None:
        world.etcd.put("/n", "0")

        @world.at_end
        def nothing_is_lost() -> None:
            assert world.etcd.get("/n")[0] == b"2"

    simulation: Simulation = counting.simulation  # type: ignore[attr-defined]  # simulate adds it
    found = simulation.shortest_failure(backend=on_real(real_etcd.access))
    assert found is not None
    assert found.schedule == [(2, 0)]


_begun: list[str] = []


def _count_again(me: Client) -> None:
    _begun.append(me.name)
    _count(me)


@settings(derandomize=True, deadline=None)  # a real server takes its time
@simulate(
    clients=[_count_again, _lock],
    backend="real",
    faults=[DROP_REQUEST, DROP_ANSWER, CRASH],
    may_raise=[grpc.RpcError],  # of a lock whose session is over by the time that a crashed holder's is
)
def test_a_simulation_takes_the_plugins_etcd(world: World) -> None:
    _begun.clear()
    world.etcd.put("/n", "0")

    @world.at_end
    def it_is_counted_once_at_most_by_who_began() -> None:
        assert 0 <= int(world.etcd.get("/n")[0]) <= len(_begun)
