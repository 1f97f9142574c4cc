"""The asyncio channel without a network, and that the same client code gets the same over a real one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc import StatusCode, aio

from fake_etcd import AioInProcessChannel, Engine, RunningClock, VirtualClock, serve, stubs
from fake_etcd.stubs import Stubs
from fake_etcd.wire import messages as pb

Scenario = Callable[[Stubs], Awaitable[None]]


@asynccontextmanager
async def opened(engine: Engine, kind: str) -> AsyncIterator[Any]:
    if kind == "in-process":
        async with AioInProcessChannel(engine) as channel:
            yield channel
        return
    with serve(engine) as server:
        async with aio.insecure_channel(server.address) as channel:
            yield channel


@pytest.fixture(params=["in-process", "loopback"])
def run(request: pytest.FixtureRequest) -> Callable[[Scenario], None]:
    """Runs a scenario on an event loop, with stubs on a channel."""

    async def main(scenario: Scenario) -> None:
        async with opened(Engine(clock=RunningClock()), request.param) as channel:
            await asyncio.wait_for(scenario(stubs(channel)), 20)

    return lambda scenario: asyncio.run(main(scenario))


async def creates(*keys: bytes) -> AsyncIterator[pb.WatchRequest]:
    for key in keys:
        yield pb.WatchRequest(create_request=pb.WatchCreateRequest(key=key))


def test_a_call(run: Callable[[Scenario], None]) -> None:
    async def scenario(etcd: Stubs) -> None:
        call = etcd.kv.Put(pb.PutRequest(key=b"a"), timeout=5, metadata=(("token", "x"),))
        assert (await call).header.revision == 2
        assert (await call).header.revision == 2  # a call can be awaited again
        assert (call.done(), await call.code(), await call.details()) == (True, StatusCode.OK, "")
        assert not call.cancel()
        answers = await asyncio.gather(*(etcd.kv.Range(pb.RangeRequest(key=b"a")) for _ in range(20)))
        assert {answer.count for answer in answers} == {1}

    run(scenario)


def test_a_refusal(run: Callable[[Scenario], None]) -> None:
    async def scenario(etcd: Stubs) -> None:
        with pytest.raises(aio.AioRpcError) as refused:
            await etcd.kv.Put(pb.PutRequest())
        assert (refused.value.code(), refused.value.details()) == (
            StatusCode.INVALID_ARGUMENT,
            "etcdserver: key is not provided",
        )

    run(scenario)


def test_a_call_whose_time_is_over_before_does_nothing(run: Callable[[Scenario], None]) -> None:
    async def scenario(etcd: Stubs) -> None:
        with pytest.raises(aio.AioRpcError) as expired:
            await etcd.kv.Put(pb.PutRequest(key=b"a"), timeout=-1)
        assert expired.value.code() is StatusCode.DEADLINE_EXCEEDED
        assert (await etcd.kv.Range(pb.RangeRequest(key=b"a"))).count == 0

    run(scenario)


def test_a_watch_sees_what_is_written(run: Callable[[Scenario], None]) -> None:
    async def scenario(etcd: Stubs) -> None:
        watch = etcd.watch.Watch(creates(b"a", b"b"))
        responses = aiter_of(watch)
        assert [(await anext_of(responses)).created for _ in range(2)] == [True, True]
        await etcd.kv.Put(pb.PutRequest(key=b"b", value=b"1"))
        await etcd.kv.DeleteRange(pb.DeleteRangeRequest(key=b"b"))
        events: list[int] = []
        while len(events) < 2:  # late ones may come in one response
            events += [event.type for event in (await anext_of(responses)).events]
        assert events == [pb.Event.PUT, pb.Event.DELETE]
        watch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await anext_of(responses)
        assert watch.cancelled()
        assert await watch.code() is StatusCode.CANCELLED

    run(scenario)


def test_a_stream_is_written_and_read_by_hand(run: Callable[[Scenario], None]) -> None:
    async def scenario(etcd: Stubs) -> None:
        lease = await etcd.lease.LeaseGrant(pb.LeaseGrantRequest(TTL=60))
        renewals = etcd.lease.LeaseKeepAlive()
        for _ in range(3):
            await renewals.write(pb.LeaseKeepAliveRequest(ID=lease.ID))
            assert (await renewals.read()).TTL == 60
        await renewals.done_writing()
        assert await renewals.read() is aio.EOF  # type: ignore[attr-defined]  # not in its stubs
        assert await renewals.code() is StatusCode.OK
        with pytest.raises(asyncio.InvalidStateError):
            await renewals.write(pb.LeaseKeepAliveRequest(ID=lease.ID))

    run(scenario)


def test_many_answers_are_iterated_over(run: Callable[[Scenario], None]) -> None:
    async def scenario(etcd: Stubs) -> None:
        blob = b"".join([part.blob async for part in etcd.maintenance.Snapshot(pb.SnapshotRequest())])
        assert blob

    run(scenario)


def test_lock_waiters_have_their_turn_and_one_that_is_cancelled_has_none(run: Callable[[Scenario], None]) -> None:
    async def scenario(etcd: Stubs) -> None:
        first = await etcd.lock.Lock(pb.LockRequest(name=b"l"))
        second = etcd.lock.Lock(pb.LockRequest(name=b"l"))
        third = etcd.lock.Lock(pb.LockRequest(name=b"l"))
        while (await etcd.kv.Range(pb.RangeRequest(key=b"l/", range_end=b"l0"))).count < 3:
            await asyncio.sleep(0)
        waiting = asyncio.ensure_future(_awaited(second))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not third.done()
        await etcd.lock.Unlock(pb.UnlockRequest(key=first.key))
        assert (await third).key != first.key

    run(scenario)


def test_a_call_that_waits_is_over_when_its_time_is(run: Callable[[Scenario], None]) -> None:
    async def scenario(etcd: Stubs) -> None:
        await etcd.lock.Lock(pb.LockRequest(name=b"l"))
        with pytest.raises(aio.AioRpcError) as expired:
            await etcd.lock.Lock(pb.LockRequest(name=b"l"), timeout=0.05)
        assert expired.value.code() is StatusCode.DEADLINE_EXCEEDED

    run(scenario)


def test_a_watcher_of_a_leased_key_learns_of_its_end_without_another_call(run: Callable[[Scenario], None]) -> None:
    async def scenario(etcd: Stubs) -> None:
        lease = await etcd.lease.LeaseGrant(pb.LeaseGrantRequest(TTL=1))
        await etcd.kv.Put(pb.PutRequest(key=b"a", lease=lease.ID))
        responses = aiter_of(etcd.watch.Watch(creates(b"a")))
        assert (await anext_of(responses)).created
        assert (await anext_of(responses)).events[0].type == pb.Event.DELETE

    run(scenario)


@pytest.mark.parametrize("kind", ["in-process", "loopback"])
def test_an_unknown_method(kind: str) -> None:
    async def main() -> None:
        async with opened(Engine(), kind) as channel:
            for call in (
                channel.unary_unary("/etcdserverpb.KV/Nothing")(b""),
                channel.stream_unary("/etcdserverpb.KV/Nothing")(iter([b""])),
            ):
                with pytest.raises(aio.AioRpcError) as unknown:
                    await call
                assert unknown.value.code() is StatusCode.UNIMPLEMENTED

    asyncio.run(main())


def test_requests_that_raise_cancel_the_call(run: Callable[[Scenario], None]) -> None:
    async def failing() -> AsyncIterator[pb.WatchRequest]:
        yield pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))
        raise ValueError("mine")

    async def scenario(etcd: Stubs) -> None:
        watch = etcd.watch.Watch(failing())
        with pytest.raises(asyncio.CancelledError):
            async for _ in watch:
                pass
        assert watch.cancelled()

    run(scenario)


def test_a_closed_channel_ends_its_calls_and_takes_no_more() -> None:
    async def main() -> None:
        engine = Engine()
        channel = AioInProcessChannel(engine)
        etcd = stubs(channel)
        watch = etcd.watch.Watch(creates(b"a"))
        assert (await anext_of(aiter_of(watch))).created
        assert len(engine.in_use()) == 1
        assert channel.get_state() is grpc.ChannelConnectivity.READY
        await channel.close()
        assert watch.cancelled()
        assert engine.in_use() == []
        assert channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN
        with pytest.raises(aio.UsageError, match="Channel is closed"):
            etcd.kv.Range(pb.RangeRequest(key=b"a"))

    asyncio.run(main())


def test_an_event_from_another_thread_wakes_the_loop() -> None:
    engine = Engine(clock=VirtualClock())

    async def main() -> None:
        async with AioInProcessChannel(engine) as channel:
            responses = aiter_of(stubs(channel).watch.Watch(creates(b"a")))
            assert (await anext_of(responses)).created
            writer = threading.Thread(
                target=lambda: [engine.call("/etcdserverpb.KV/Put", pb.PutRequest(key=b"a")) for _ in range(50)]
            )
            writer.start()
            versions: list[int] = []
            while len(versions) < 50:
                versions += [event.kv.version for event in (await anext_of(responses)).events]
            assert versions == list(range(1, 51))
            writer.join()

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_call_whose_loop_is_closed_holds_nobody_up() -> None:
    engine = Engine()
    channel = AioInProcessChannel(engine)
    kept: list[Any] = []

    async def main() -> None:
        kept.append(stubs(channel).watch.Watch(creates(b"a")))
        assert (await anext_of(aiter_of(kept[0]))).created

    asyncio.run(main())
    engine.call("/etcdserverpb.KV/Put", pb.PutRequest(key=b"a"))
    channel.shut_down()
    assert engine.in_use() == []


async def _awaited(call: Any) -> Any:
    return await call


def aiter_of(call: Any) -> Any:
    return call.__aiter__()


async def anext_of(responses: Any) -> Any:
    return await responses.__anext__()
