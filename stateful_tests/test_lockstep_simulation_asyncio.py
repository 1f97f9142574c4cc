"""asyncio programs under drawn schedules: their event loop is the simulation's."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from hypothesis import given

from etcd_lockstep.servers import RunningEtcd
from etcd_lockstep.simulation import (
    FAULTS,
    Client,
    InvariantBroken,
    Simulation,
    World,
    on_real,
    simulate,
)
from etcd_lockstep.simulation.running import BREAK_WATCH, CLOCK
from etcd_lockstep.simulation.schedule import Extent, Schedule, schedules
from fake_etcd import stubs
from fake_etcd.wire import messages as pb
from simulated import made

pytest.importorskip("aetcd", reason="aetcd is not installed: pip install 'etcd-lockstep[aetcd]'")

pytestmark = pytest.mark.usefixtures("no_thread_is_left")

_really_locked = threading.Lock()


@pytest.fixture(autouse=True)
def _garbage_is_collected() -> Iterator[None]:
    yield
    assert gc.isenabled()


async def _count(me: Client) -> None:
    """Reads, adds one and writes: what loses an update."""
    read = await me.aetcd.get(b"/n")
    await me.aetcd.put(b"/n", str(int(read.value) + 1).encode())


@simulate(clients=[_count, _count], faults=())
def _counting(world: World) -> None:
    world.etcd.put("/n", "0")

    @world.at_end
    def nothing_is_lost() -> None:
        assert world.etcd.get("/n")[0] == b"2"


def test_a_lost_update_is_found_and_shrunk_to_one_deviation() -> None:
    simulation: Simulation = _counting.simulation  # type: ignore[attr-defined]  # simulate adds it
    run = simulation.shortest_failure()
    assert run is not None
    assert isinstance(run.failure, InvariantBroken)
    assert run.schedule == [(2, 0)]
    assert run.timeline == (
        "   _count 1           _count 2\n"
        "1  get /n\n"
        "2                     get /n → /n = 0\n"
        "3                     put /n = 1 → ok\n"
        "4  (get /n) → /n = 0\n"
        "5  put /n = 1 → ok"
    )


# The same as for functions


def _synchronous(me: Client) -> None:
    kv, lease, lock = me.stubs.kv, me.stubs.lease, me.stubs.lock
    granted = lease.LeaseGrant(pb.LeaseGrantRequest(TTL=20)).ID
    kv.Put(pb.PutRequest(key=b"/n", value=me.name.encode(), lease=granted))
    with suppress(grpc.RpcError):
        lock.Lock(pb.LockRequest(name=b"l", lease=granted), timeout=5)
    time.sleep(3)
    for answer in lease.LeaseKeepAlive(iter([pb.LeaseKeepAliveRequest(ID=granted)])):
        me.note(f"{answer.TTL} s")
    kv.Range(pb.RangeRequest(key=b"/n"))


async def _asynchronous(me: Client) -> None:
    of = stubs(me.aio_channel)
    granted = (await of.lease.LeaseGrant(pb.LeaseGrantRequest(TTL=20))).ID
    await of.kv.Put(pb.PutRequest(key=b"/n", value=me.name.encode(), lease=granted))
    with suppress(grpc.RpcError):
        await of.lock.Lock(pb.LockRequest(name=b"l", lease=granted), timeout=5)
    await asyncio.sleep(3)
    async for answer in of.lease.LeaseKeepAlive([pb.LeaseKeepAliveRequest(ID=granted)]):
        me.note(f"{answer.TTL} s")
    await of.kv.Range(pb.RangeRequest(key=b"/n"))


_synchronous.__name__ = _asynchronous.__name__ = "client"


_ALIKE = [
    made(_synchronous, _synchronous, _synchronous),
    made(_asynchronous, _asynchronous, _asynchronous),
    made(_asynchronous, _synchronous, _asynchronous),
]


@cache
def _extent(simulation: Simulation) -> Extent:
    return simulation.extent()


@given(schedules(lambda: _extent(_ALIKE[0])))
def test_a_program_that_does_one_thing_at_a_time_has_the_timeline_of_a_function(schedule: Schedule) -> None:
    as_functions, as_coroutines, mixed = (
        (run.timeline, str(run.failure)) for run in (simulation.run(schedule) for simulation in _ALIKE)
    )
    assert as_coroutines == as_functions
    assert mixed == as_functions


async def _busy(me: Client) -> None:
    """Tasks, a queue, a lock, timeouts, a thread, a keep-alive that is cancelled, and sets of tasks."""
    of = stubs(me.aio_channel)
    jobs: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
    lock = asyncio.Lock()
    lease = await me.aetcd.lease(10)

    async def keep_alive() -> None:
        try:
            while True:
                await asyncio.sleep(3)
                await lease.refresh()
        finally:
            me.note("keeps it alive no more")

    async def work(name: str) -> None:
        while True:
            job = await jobs.get()
            async with lock:
                await of.kv.Put(pb.PutRequest(key=f"/jobs/{job}".encode(), value=name.encode(), lease=lease.id))
            jobs.task_done()

    keeping = asyncio.create_task(keep_alive())
    workers = {asyncio.create_task(work(f"{me.name}, {n}")) for n in range(3)}
    for job in range(4):
        await jobs.put(job)
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(of.lock.Lock(pb.LockRequest(name=b"l", lease=lease.id)), 7)
    await jobs.join()
    counts = [asyncio.create_task(me.aetcd.get(f"/jobs/{job}".encode())) for job in range(4)]
    done, _ = await asyncio.wait(counts)
    me.note(", ".join(task.get_name() for task in done))
    await asyncio.to_thread(time.sleep, 2)
    me.note(f"{asyncio.get_running_loop().time():g} s")
    for one in (keeping, *workers):
        one.cancel()
    await asyncio.gather(keeping, *workers, return_exceptions=True)


async def _watch(me: Client) -> None:
    event = await me.aetcd.watch_prefix_once(b"/jobs/")
    me.note(f"saw {event.kv.key.decode()}" if hasattr(event, "kv") else f"saw {type(event).__name__}")


_FAR = [(3, 1), (9, 2), (4, 17), (2, 0), (7, 3), (1, 16), (5, 2), (0, 20), (12, 1)]


_MUCH = made(_busy, _watch, _busy)


def _outcome(schedule: Schedule) -> tuple[str, str]:
    run = _MUCH.run(schedule)
    return run.timeline, str(run.failure)


@pytest.mark.parametrize("schedule", [(), _FAR])
def test_the_same_schedule_gives_the_same_run_many_times(schedule: Schedule) -> None:
    assert len({_outcome(schedule) for _ in range(200)}) == 1


@given(schedules(lambda: _extent(_MUCH)))
def test_so_does_any(schedule: Schedule) -> None:
    assert _outcome(schedule) == _outcome(schedule)


# One loop, several calls


def test_calls_of_one_program_overtake_each_other() -> None:
    order: list[str] = []

    async def both(me: Client) -> None:
        async def put(key: str) -> None:
            await me.aetcd.put(key.encode(), b"1")
            order.append(key)

        order.clear()
        await me.aetcd.connect()
        await asyncio.gather(put("/a"), put("/b"))

    @simulate(clients=[both], faults=())
    def putting(world: World) -> None:
        @world.at_end
        def in_order() -> None:
            assert order == ["/a", "/b"]

    simulation: Simulation = putting.simulation  # type: ignore[attr-defined]  # simulate adds it
    assert simulation.run().timeline == "   both\n1  put /a = 1 → ok\n2  put /b = 1 → ok"
    run = simulation.shortest_failure()
    assert run is not None
    assert run.timeline == "   both\n1  put /b = 1 → ok\n2  put /a = 1 → ok"


def test_time_goes_by_when_nobody_can_go_on() -> None:
    async def sleeper(_: Client) -> None:
        begun = time.monotonic()
        await asyncio.sleep(3600)
        assert time.monotonic() - begun == 3600
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 5)
        assert asyncio.get_running_loop().time() - begun == 3605

    assert made(sleeper, sleeper).run().failure is None


def test_a_call_that_is_timed_out_by_its_program_is_cancelled() -> None:
    async def waits(me: Client) -> None:
        lock = stubs(me.aio_channel).lock
        await lock.Lock(pb.LockRequest(name=b"l", lease=(await me.aetcd.lease(60)).id))
        other = (await me.aetcd.lease(60)).id
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(lock.Lock(pb.LockRequest(name=b"l", lease=other)), 5)

    run = made(waits).run()
    assert run.failure is None
    assert run.timeline.endswith("5  — 5 s go by\n6  (lock l) → cancelled")


def test_a_call_has_a_deadline_of_the_clock() -> None:
    async def waits(me: Client) -> None:
        lock = stubs(me.aio_channel).lock
        await lock.Lock(pb.LockRequest(name=b"l", lease=(await me.aetcd.lease(60)).id))
        with pytest.raises(aio.AioRpcError, match="Deadline Exceeded"):
            await lock.Lock(pb.LockRequest(name=b"l", lease=(await me.aetcd.lease(60)).id), timeout=5)
        assert time.monotonic() == 5

    run = made(waits).run()
    assert run.failure is None
    assert run.timeline.endswith("(lock l) → DEADLINE_EXCEEDED: Deadline Exceeded")


def test_a_call_that_nobody_awaits_is_given_up_at_the_end() -> None:
    async def forgets(me: Client) -> None:
        stubs(me.aio_channel).kv.Put(pb.PutRequest(key=b"/k"))

    assert made(forgets).run().timeline == "   forgets"


def test_a_watch_delivers_its_events_one_step_at_a_time() -> None:
    def puts(me: Client) -> None:
        me.etcd.put("/jobs/1", "1")

    run = made(_watch, puts, faults=()).run()
    assert run.failure is None
    assert run.timeline == (
        "   _watch                  puts\n"
        "1  watch /jobs/*\n"
        "2  the watch is there\n"
        "3                          put /jobs/1 = 1 → ok\n"
        "4  watch: PUT /jobs/1 = 1\n"
        "5  saw /jobs/1"
    )


def test_a_watch_breaks_where_the_schedule_says_so() -> None:
    def puts(me: Client) -> None:
        me.etcd.put("/jobs/1", "1")

    late = made(_watch, puts, faults=[BREAK_WATCH]).run([(4, 16)])
    assert late.failure is None
    assert "the watch breaks\n4  saw AioRpcError" in late.timeline
    early = made(_watch, puts, faults=[BREAK_WATCH]).run([(1, 16)])
    assert early.failure is None
    assert "the watch breaks\n2  dies: " in early.timeline


def test_a_program_that_is_cancelled_at_its_end_goes_by_the_schedule_too() -> None:
    async def leaves_a_task(me: Client) -> None:
        async def background() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await me.aetcd.put(b"/bye", b"1")

        asyncio.create_task(background())  # noqa: RUF006  # the loop cancels it, and that is what is meant
        await me.aetcd.put(b"/k", b"1")

    assert made(leaves_a_task).run().timeline.endswith("1  put /k = 1 → ok\n2  put /bye = 1 → ok")


def test_a_client_can_make_its_own_aetcd_client_or_run_a_loop_in_a_thread() -> None:
    async def own(_: Client) -> None:
        import aetcd

        async with aetcd.Client() as client:
            await client.put(b"/k", b"1")

    def runs(me: Client) -> None:
        thread = threading.Thread(target=lambda: asyncio.run(own(me)))
        thread.start()
        thread.join()

    run = made(own, runs).run()
    assert run.failure is None
    assert run.timeline.count("put /k = 1 → ok") == 2


# On a real etcd


@pytest.mark.parametrize("schedule", [(), [(2, 0)], [(3, 16)], [(4, 20), (2, 1)], _FAR])
@pytest.mark.parametrize("clients", [(_asynchronous, _asynchronous), (_busy, _watch)])
def test_a_run_on_a_real_etcd_is_the_run_on_the_fake(
    real_etcd: RunningEtcd, clients: Any, schedule: list[tuple[int, int]]
) -> None:
    simulation = made(*clients)
    fake, real = simulation.run(schedule), simulation.run(schedule, on_real(real_etcd.access))
    assert real.timeline == fake.timeline
    assert str(real.failure) == str(fake.failure)


# What docs/simulation.md says


_PAGE = (Path(__file__).parents[1] / "docs" / "simulation.md").read_text().split("\n## asyncio\n")[1]


def test_the_page_shows_what_is_wrong_with_the_lock_of_aetcd() -> None:
    program, report = (block.split("\n", 1)[1].rstrip() for block in _PAGE.split("```")[1:4:2])
    names: dict[str, Any] = {}
    exec(program, names)
    simulation: Simulation = names["test_lock"].simulation
    found = simulation.shortest_failure()
    assert found is not None
    assert found.schedule == []
    shown = report.split("\nFailing test case")[0]
    assert shown == f"InvariantBroken: {found.failure}"


def test_what_the_page_calls_mended_is_so_for_who_never_stands_still() -> None:
    inside: list[str] = []

    async def worker(me: Client) -> None:
        lock = me.aetcd.lock(b"/lock", ttl=60)
        if await lock.acquire(timeout=None):
            inside.append(me.name)
            try:
                await asyncio.sleep(15)
            finally:
                inside.remove(me.name)
                await lock.release()

    def locking(world: World) -> None:
        inside.clear()

        @world.invariant
        def at_most_one_is_inside() -> None:
            assert len(inside) <= 1, inside

    mended, standing_still = (
        made(worker, worker, set_up=locking, faults=faults) for faults in (FAULTS - {CLOCK}, FAULTS)
    )
    assert mended.shortest_failure(examples=300) is None
    assert "`[(4, 1)]`" in _PAGE
    assert isinstance(standing_still.run([(4, 1)]).failure, InvariantBroken)
