"""asyncio programs under drawn schedules: their event loop is the simulation's."""

from __future__ import annotations

import asyncio
import gc
import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
from grpc import aio
from hypothesis import given

from etcd_lockstep.servers import RunningEtcd
from etcd_lockstep.simulation import (
    BlockedOutside,
    Client,
    ClientFailed,
    Deadlock,
    InvariantBroken,
    NotFinished,
    Simulation,
    SwallowedCrash,
    World,
    on_real,
    simulate,
)
from etcd_lockstep.simulation.running import BREAK_WATCH, CLOCK, CRASH, DROP_ANSWER, DROP_REQUEST
from etcd_lockstep.simulation.schedule import Schedule, schedules
from fake_etcd import stubs
from fake_etcd.wire import messages as pb

pytest.importorskip("aetcd", reason="aetcd is not installed: pip install 'etcd-lockstep[aetcd]'")

_really_locked = threading.Lock()


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert {thread for thread in threading.enumerate() if thread.name != "simulated stubborn"} <= before
    assert gc.isenabled()


def _nothing(world: World) -> None:
    """A set-up without any invariant."""


def _made(*clients: Any, **options: Any) -> Simulation:
    made: Any = simulate(clients, **options)(_nothing)
    simulation: Simulation = made.simulation
    return simulation


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
    _made(_synchronous, _synchronous, _synchronous),
    _made(_asynchronous, _asynchronous, _asynchronous),
    _made(_asynchronous, _synchronous, _asynchronous),
]


@given(schedules())
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


_MUCH = _made(_busy, _watch, _busy)


def _outcome(schedule: Schedule) -> tuple[str, str]:
    run = _MUCH.run(schedule)
    return run.timeline, str(run.failure)


@pytest.mark.parametrize("schedule", [(), _FAR])
def test_the_same_schedule_gives_the_same_run_many_times(schedule: Schedule) -> None:
    assert len({_outcome(schedule) for _ in range(200)}) == 1


@given(schedules())
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

    assert _made(sleeper, sleeper).run().failure is None


def test_a_call_that_is_timed_out_by_its_program_is_cancelled() -> None:
    async def waits(me: Client) -> None:
        lock = stubs(me.aio_channel).lock
        await lock.Lock(pb.LockRequest(name=b"l", lease=(await me.aetcd.lease(60)).id))
        other = (await me.aetcd.lease(60)).id
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(lock.Lock(pb.LockRequest(name=b"l", lease=other)), 5)

    run = _made(waits).run()
    assert run.failure is None
    assert run.timeline.endswith("5  — 5 s go by\n6  (lock l) → cancelled")


def test_a_call_has_a_deadline_of_the_clock() -> None:
    async def waits(me: Client) -> None:
        lock = stubs(me.aio_channel).lock
        await lock.Lock(pb.LockRequest(name=b"l", lease=(await me.aetcd.lease(60)).id))
        with pytest.raises(aio.AioRpcError, match="Deadline Exceeded"):
            await lock.Lock(pb.LockRequest(name=b"l", lease=(await me.aetcd.lease(60)).id), timeout=5)
        assert time.monotonic() == 5

    run = _made(waits).run()
    assert run.failure is None
    assert run.timeline.endswith("(lock l) → DEADLINE_EXCEEDED: Deadline Exceeded")


def test_a_call_that_nobody_awaits_is_given_up_at_the_end() -> None:
    async def forgets(me: Client) -> None:
        stubs(me.aio_channel).kv.Put(pb.PutRequest(key=b"/k"))

    assert _made(forgets).run().timeline == "   forgets"


def test_a_watch_delivers_its_events_one_step_at_a_time() -> None:
    def puts(me: Client) -> None:
        me.etcd.put("/jobs/1", "1")

    run = _made(_watch, puts, faults=()).run()
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

    late = _made(_watch, puts, faults=[BREAK_WATCH]).run([(4, 16)])
    assert late.failure is None
    assert "the watch breaks\n4  saw AioRpcError" in late.timeline
    early = _made(_watch, puts, faults=[BREAK_WATCH]).run([(1, 16)])
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

    assert _made(leaves_a_task).run().timeline.endswith("1  put /k = 1 → ok\n2  put /bye = 1 → ok")


def test_a_client_can_make_its_own_aetcd_client_or_run_a_loop_in_a_thread() -> None:
    async def own(_: Client) -> None:
        import aetcd

        async with aetcd.Client() as client:
            await client.put(b"/k", b"1")

    def runs(me: Client) -> None:
        thread = threading.Thread(target=lambda: asyncio.run(own(me)))
        thread.start()
        thread.join()

    run = _made(own, runs).run()
    assert run.failure is None
    assert run.timeline.count("put /k = 1 → ok") == 2


# Faults


async def _failing_put(me: Client) -> None:
    import aetcd

    try:
        await me.aetcd.put(b"/k", b"1")
    except aetcd.exceptions.ConnectionFailedError as error:
        me.note(f"got {error}")
    me.note(f"there is {await me.aetcd.get(b'/k')}")


def test_a_dropped_request_is_unavailable_and_did_not_happen() -> None:
    run = _made(_failing_put, faults=[DROP_REQUEST]).run([(0, 16)])
    assert run.failure is None
    assert run.timeline == (
        "   _failing_put\n"
        "1  put /k = 1 → UNAVAILABLE: the schedule dropped the request\n"
        "2  got the schedule dropped the request\n"
        "3  get /k → nothing\n"
        "4  there is None"
    )


def test_a_dropped_answer_is_unavailable_and_did_happen() -> None:
    run = _made(_failing_put, faults=[DROP_ANSWER]).run([(0, 16)])
    assert run.failure is None
    assert "got the schedule dropped the answer\n3  get /k → /k = 1\n" in run.timeline


def test_a_lease_runs_out_where_the_schedule_says_so() -> None:
    async def holder(me: Client) -> None:
        lease = await me.aetcd.lease(10)
        await me.aetcd.put(b"/k", b"1", lease=lease)
        me.note(f"{await me.aetcd.get(b'/k')}")

    late = _made(holder, faults=[CLOCK]).run([(3, 0)])
    assert late.timeline.endswith(
        "3  — holder stands still, and 10 s go by: lease 1 runs out\n4  get /k → nothing\n5  None"
    )


def test_a_program_that_dies_of_a_fault_is_no_failure() -> None:
    async def puts(me: Client) -> None:
        await me.aetcd.put(b"/k", b"1")

    run = _made(puts, faults=[DROP_REQUEST]).run([(0, 16)])
    assert run.failure is None
    assert "dies: ConnectionFailedError: the schedule dropped the request" in run.timeline


def test_a_program_that_raises_of_itself_is_one() -> None:
    async def wrong(me: Client) -> None:
        await me.aetcd.put(b"/k", b"1")
        raise KeyError("oh")

    failure = _made(wrong).run().failure
    assert isinstance(failure, ClientFailed)
    assert str(failure).startswith("wrong raised KeyError: 'oh'\n")
    assert isinstance(failure.__cause__, KeyError)


@pytest.mark.parametrize("is_kept", [False, True])
def test_so_is_one_whose_task_raises_what_nobody_asks_for(is_kept: bool) -> None:
    async def wrong(me: Client) -> None:
        async def background() -> None:
            raise KeyError("oh")

        task: Any = asyncio.create_task(background())
        if not is_kept:
            task = None
        await me.aetcd.put(b"/k", b"1")
        del task

    failure = _made(wrong).run().failure
    assert isinstance(failure, ClientFailed)
    assert str(failure).startswith("Task-2 of wrong raised KeyError: 'oh'\n")


def test_and_one_whose_callback_raises() -> None:
    async def wrong(_: Client) -> None:
        asyncio.get_running_loop().call_later(1, lambda: os.environ["oh"])
        await asyncio.sleep(2)

    failure = _made(wrong).run().failure
    assert isinstance(failure, ClientFailed)
    assert str(failure).startswith("a callback of wrong raised KeyError: 'oh'\n")


def test_a_task_that_dies_of_a_fault_does_not_crash_its_client() -> None:
    async def careless(me: Client) -> None:
        task = asyncio.create_task(me.aetcd.put(b"/k", b"1"))
        await asyncio.sleep(1)
        me.note(f"goes on, {task.done()}")

    run = _made(careless, faults=[DROP_REQUEST]).run([(0, 16)])
    assert run.failure is None
    assert run.timeline.endswith("3  goes on, True\n4  dies: ConnectionFailedError: the schedule dropped the request")


def test_a_crashed_client_does_nothing_any_more_and_can_be_started_again() -> None:
    cleaned_up: list[str] = []

    async def careful(me: Client) -> None:
        async def background() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cleaned_up.append("cancelled")  # a crash is no cancellation
            finally:
                cleaned_up.append("background")

        asyncio.create_task(background())  # noqa: RUF006  # it lives as long as the loop
        try:
            await me.aetcd.put(b"/k", str(me.start).encode())
            await me.aetcd.put(b"/done", b"1")
        except Exception:
            me.note("handles it")  # nor an Exception
        finally:
            try:
                await me.aetcd.delete(b"/k")
            except BaseException:
                cleaned_up.append("main")
                raise

    simulation = _made(careful, faults=[CRASH])
    crashed = simulation.run([(2, 16)])
    assert crashed.failure is None
    assert crashed.timeline == "   careful\n1  put /k = 1\n2  crashes"
    assert sorted(cleaned_up) == ["background", "main"]
    again = simulation.run([(2, 16), (0, 0)])  # else it is over: nobody waits for it
    assert again.timeline.startswith("   careful\n1  put /k = 1\n2  crashes\n3  starts again\n4  put /k = 2 → ok\n")


# What blocks


def test_who_waits_for_ever_is_named_with_the_line() -> None:
    async def waits(_: Client) -> None:
        await asyncio.Event().wait()

    failure = _made(waits).run().failure
    assert isinstance(failure, Deadlock)
    assert "waits waits for Task-1 at `await asyncio.Event().wait()`" in str(failure)


def test_a_program_that_blocks_its_loop_outside_is_named_with_the_line() -> None:
    async def blocks(_: Client) -> None:
        _really_locked.acquire()

    with _really_locked:
        failure = _made(blocks, patience=0.05).run().failure
    assert isinstance(failure, BlockedOutside)
    assert "blocks blocks where the schedule doesn't see it" in str(failure)
    lines = str(failure).split("\n\n")[0].splitlines()
    assert lines[1].endswith("in blocks")
    assert lines[2].strip() == "_really_locked.acquire()"
    for thread in threading.enumerate():
        if thread.name == "simulated blocks":
            thread.join()  # it has the lock now, and comes to its end
    _really_locked.release()


def test_a_program_that_blocks_its_loop_in_a_sleep_keeps_its_tasks_from_going_on() -> None:
    async def blocks(me: Client) -> None:
        lease = await me.aetcd.lease(10)

        async def keep_alive() -> None:
            while True:
                await asyncio.sleep(3)
                await lease.refresh()

        asyncio.create_task(keep_alive())  # noqa: RUF006  # it lives as long as the loop
        await asyncio.sleep(0)
        time.sleep(20)

    run = _made(blocks, faults=()).run()
    assert run.failure is None
    assert "10 s go by: lease 1 runs out" in run.timeline


def test_a_program_that_polls_lets_its_calls_and_others_go_on() -> None:
    async def polls(me: Client) -> None:
        call = asyncio.create_task(me.aetcd.put(b"/k", b"1"))
        while not call.done() or not is_done:
            await asyncio.sleep(0)

    async def other(me: Client) -> None:
        await me.aetcd.put(b"/k", b"2")
        is_done.append(True)

    is_done: list[bool] = []
    run = _made(polls, other).run()
    assert run.failure is None
    assert run.timeline.count("→ ok") == 2


def test_one_that_polls_for_ever_is_not_finished() -> None:
    async def polls(_: Client) -> None:
        while True:
            await asyncio.sleep(0)

    assert isinstance(_made(polls, max_steps=50).run().failure, NotFinished)


def test_a_task_that_swallows_its_crash_is_named() -> None:
    stop = threading.Event()

    async def stubborn(me: Client) -> None:
        while not stop.is_set():
            try:
                await me.aetcd.put(b"/k", b"1")
            except BaseException:
                me.note("tries again")

    failure = _made(stubborn, faults=[CRASH]).run([(2, 16)]).failure
    assert isinstance(failure, SwallowedCrash)
    assert "stubborn was crashed, and catches it again and again" in str(failure)


def test_a_loop_has_no_sockets() -> None:
    async def connects(_: Client) -> None:
        await asyncio.get_running_loop().sock_recv(None, 1)  # type: ignore[arg-type]  # refused before it is looked at

    failure = _made(connects).run().failure
    assert isinstance(failure, ClientFailed)
    assert isinstance(failure.__cause__, NotImplementedError)


@pytest.mark.parametrize("register", ["invariant", "at_end"])
def test_an_invariant_or_a_set_up_that_would_never_be_awaited_is_refused(register: str) -> None:
    async def checks() -> None: ...

    async def sets_up(world: World) -> None: ...

    def registers(world: World) -> None:
        getattr(world, register)(checks)

    made: Any = simulate(clients=[_count])(registers)
    with pytest.raises(TypeError, match="checks is an async def, which nobody would await: make it a plain function"):
        made.simulation.run()
    with pytest.raises(TypeError, match="sets_up is an async def, which nobody would await"):
        simulate(clients=[_count])(sets_up)


def test_what_is_patched_is_real_again_afterwards() -> None:
    def now() -> list[Any]:
        return [asyncio.new_event_loop, asyncio.all_tasks, aio.insecure_channel, queue.SimpleQueue]

    before = now()
    _made(_failing_put).run()
    assert now() == before


# On a real etcd


@pytest.mark.parametrize("schedule", [(), [(2, 0)], [(3, 16)], [(4, 20), (2, 1)], _FAR])
@pytest.mark.parametrize("clients", [(_asynchronous, _asynchronous), (_busy, _watch)])
def test_a_run_on_a_real_etcd_is_the_run_on_the_fake(
    real_etcd: RunningEtcd, clients: Any, schedule: list[tuple[int, int]]
) -> None:
    simulation = _made(*clients)
    fake, real = simulation.run(schedule), simulation.run(schedule, on_real(real_etcd.access))
    assert real.timeline == fake.timeline
    assert str(real.failure) == str(fake.failure)
