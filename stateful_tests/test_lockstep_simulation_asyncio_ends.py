"""What ends asyncio programs under drawn schedules: faults, crashes, errors, and what blocks them."""

from __future__ import annotations

import asyncio
import gc
import os
import queue
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from grpc import aio

from etcd_lockstep.simulation import (
    BlockedOutside,
    Client,
    ClientFailed,
    Deadlock,
    NotFinished,
    SwallowedCrash,
    World,
    simulate,
)
from etcd_lockstep.simulation.running import CLOCK, CRASH, DROP_ANSWER, DROP_REQUEST
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


# Faults


async def _failing_put(me: Client) -> None:
    import aetcd

    try:
        await me.aetcd.put(b"/k", b"1")
    except aetcd.exceptions.ConnectionFailedError as error:
        me.note(f"got {error}")
    me.note(f"there is {await me.aetcd.get(b'/k')}")


def test_a_dropped_request_is_unavailable_and_did_not_happen() -> None:
    run = made(_failing_put, faults=[DROP_REQUEST]).run([(0, 16)])
    assert run.failure is None
    assert run.timeline == (
        "   _failing_put\n"
        "1  put /k = 1 → UNAVAILABLE: the schedule dropped the request\n"
        "2  got the schedule dropped the request\n"
        "3  get /k → nothing\n"
        "4  there is None"
    )


def test_a_dropped_answer_is_unavailable_and_did_happen() -> None:
    run = made(_failing_put, faults=[DROP_ANSWER]).run([(0, 16)])
    assert run.failure is None
    assert "got the schedule dropped the answer\n3  get /k → /k = 1\n" in run.timeline


def test_a_lease_runs_out_where_the_schedule_says_so() -> None:
    async def holder(me: Client) -> None:
        lease = await me.aetcd.lease(10)
        await me.aetcd.put(b"/k", b"1", lease=lease)
        me.note(f"{await me.aetcd.get(b'/k')}")

    late = made(holder, faults=[CLOCK]).run([(3, 0)])
    assert late.timeline.endswith(
        "3  — holder stands still, and 10 s go by: lease 1 runs out\n4  get /k → nothing\n5  None"
    )


def test_a_program_that_dies_of_a_fault_is_no_failure() -> None:
    async def puts(me: Client) -> None:
        await me.aetcd.put(b"/k", b"1")

    run = made(puts, faults=[DROP_REQUEST]).run([(0, 16)])
    assert run.failure is None
    assert "dies: ConnectionFailedError: the schedule dropped the request" in run.timeline


def test_a_program_that_raises_of_itself_is_one() -> None:
    async def wrong(me: Client) -> None:
        await me.aetcd.put(b"/k", b"1")
        raise KeyError("oh")

    failure = made(wrong).run().failure
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

    failure = made(wrong).run().failure
    assert isinstance(failure, ClientFailed)
    assert str(failure).startswith("Task-2 of wrong raised KeyError: 'oh'\n")


def test_and_one_whose_callback_raises() -> None:
    async def wrong(_: Client) -> None:
        asyncio.get_running_loop().call_later(1, lambda: os.environ["OH"])
        await asyncio.sleep(2)

    failure = made(wrong).run().failure
    assert isinstance(failure, ClientFailed)
    assert str(failure).startswith("a callback of wrong raised KeyError: 'OH'\n")


def test_a_task_that_dies_of_a_fault_does_not_crash_its_client() -> None:
    async def careless(me: Client) -> None:
        task = asyncio.create_task(me.aetcd.put(b"/k", b"1"))
        await asyncio.sleep(1)
        me.note(f"goes on, {task.done()}")

    run = made(careless, faults=[DROP_REQUEST]).run([(0, 16)])
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

    simulation = made(careful, faults=[CRASH])
    crashed = simulation.run([(2, 16)])
    assert crashed.failure is None
    assert crashed.timeline == "   careful\n1  put /k = 1\n2  crashes"
    assert sorted(cleaned_up) == ["background", "main"]
    again = simulation.run([(2, 16), (0, 0)])  # else it is over: nobody waits for it
    assert again.timeline.startswith("   careful\n1  put /k = 1\n2  crashes\n3  starts again\n4  put /k = 2 → ok\n")


def test_a_client_that_polls_can_be_crashed() -> None:
    async def polls(me: Client) -> None:
        asyncio.create_task(me.aetcd.put(b"/k", b"1"))  # noqa: RUF006  # it lives as long as the loop
        while True:
            await asyncio.sleep(0)

    run = made(polls, faults=[CRASH]).run([(1, 16)])
    assert run.failure is None
    assert run.timeline == "   polls\n1  crashes"


def test_a_call_that_a_simulation_does_not_have_is_refused() -> None:
    async def snapshots(me: Client) -> None:
        call = stubs(me.aio_channel).maintenance.Snapshot(pb.SnapshotRequest())
        with pytest.raises(aio.AioRpcError, match="a simulation doesn't have /etcdserverpb"):
            await call.read()

    assert made(snapshots).run().failure is None


# What blocks


def test_who_waits_for_ever_is_named_with_the_line() -> None:
    async def listens() -> None:
        await asyncio.Queue[int]().get()

    async def waits(_: Client) -> None:
        await asyncio.gather(listens(), asyncio.Event().wait())

    failure = made(waits).run().failure
    assert isinstance(failure, Deadlock)
    assert re.sub(r"[\w.]+:\d+", "FILE:LINE", failure.why) == (
        "nothing will ever happen again: waits waits for its event loop, where "
        "Task-1 waits at FILE:LINE (await asyncio.gather(listens(), asyncio.Event().wait())), "
        "Task-2 waits in Queue.get at FILE:LINE (await asyncio.Queue[int]().get()), Task-3 waits in Event.wait"
    )


def test_a_program_that_blocks_its_loop_outside_is_named_with_the_line() -> None:
    async def blocks(_: Client) -> None:
        _really_locked.acquire()

    with _really_locked:
        failure = made(blocks, patience=0.05).run().failure
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

    run = made(blocks, faults=()).run()
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
    run = made(polls, other).run()
    assert run.failure is None
    assert run.timeline.count("→ ok") == 2


def test_one_that_polls_for_ever_is_not_finished() -> None:
    async def polls(_: Client) -> None:
        while True:
            await asyncio.sleep(0)

    assert isinstance(made(polls, max_steps=50).run().failure, NotFinished)


def test_a_task_that_swallows_its_crash_is_named() -> None:
    stop = threading.Event()

    async def stubborn(me: Client) -> None:
        while not stop.is_set():
            try:
                await me.aetcd.put(b"/k", b"1")
            except BaseException:
                me.note("tries again")

    failure = made(stubborn, faults=[CRASH]).run([(2, 16)]).failure
    assert isinstance(failure, SwallowedCrash)
    assert "stubborn was crashed, and catches it again and again" in str(failure)


def test_a_loop_has_no_sockets() -> None:
    async def connects(_: Client) -> None:
        await asyncio.get_running_loop().sock_recv(None, 1)  # type: ignore[arg-type]  # refused before it is looked at

    failure = made(connects).run().failure
    assert isinstance(failure, ClientFailed)
    assert isinstance(failure.__cause__, NotImplementedError)


@pytest.mark.parametrize("register", ["invariant", "at_end"])
def test_an_invariant_or_a_set_up_that_would_never_be_awaited_is_refused(register: str) -> None:
    async def checks() -> None: ...

    async def sets_up(world: World) -> None: ...

    def registers(world: World) -> None:
        getattr(world, register)(checks)

    made: Any = simulate(clients=[_failing_put])(registers)
    with pytest.raises(TypeError, match="checks is an async def, which nobody would await: make it a plain function"):
        made.simulation.run()
    with pytest.raises(TypeError, match="sets_up is an async def, which nobody would await"):
        simulate(clients=[_failing_put])(sets_up)


def test_what_is_patched_is_real_again_afterwards() -> None:
    def now() -> list[Any]:
        return [asyncio.new_event_loop, asyncio.all_tasks, aio.insecure_channel, queue.SimpleQueue]

    before = now()
    made(_failing_put).run()
    assert now() == before


def test_an_event_loop_of_another_kind_is_refused() -> None:
    def brings_its_own(me: Client) -> None:
        loop = asyncio.SelectorEventLoop()
        try:
            loop.run_until_complete(me.aetcd.put(b"/k", b"1"))
        finally:
            loop.close()

    failure = made(brings_its_own).run().failure
    assert isinstance(failure, ClientFailed)
    assert str(failure).startswith("brings_its_own raised RuntimeError: this event loop is not the simulation's")


def test_one_that_waits_is_named() -> None:
    def brings_its_own(_: Client) -> None:
        loop = asyncio.SelectorEventLoop()
        try:
            loop.run_until_complete(asyncio.sleep(0.5))
        finally:
            loop.close()

    failure = made(brings_its_own, patience=0.05).run().failure
    assert isinstance(failure, BlockedOutside)
    assert "loop.run_until_complete(asyncio.sleep(0.5))" in str(failure)
    for thread in threading.enumerate():
        if thread.name == "simulated brings_its_own":
            thread.join()
