"""What gRPC itself says to a client before and after a call: the same in this process as over a network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from grpc import StatusCode, aio

from fake_etcd import AioInProcessChannel, Engine, serve, stubs
from fake_etcd.stubs import Stubs
from fake_etcd.wire import messages as pb

PUT = "/etcdserverpb.KV/Put"
WATCH = "/etcdserverpb.Watch/Watch"
SNAPSHOT = "/etcdserverpb.Maintenance/Snapshot"


def _broken(_: Any) -> Any:
    raise LookupError("the client's own")


def _ends_with(call: Callable[[], object], details: str) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        call()
    assert (failed.value.code(), failed.value.details()) == (StatusCode.INTERNAL, details)


def test_a_request_that_the_client_can_not_serialize(channel: grpc.Channel, caplog: pytest.LogCaptureFixture) -> None:
    _ends_with(lambda: channel.unary_unary(PUT, _broken, None)("a"), "Exception serializing request!")
    _ends_with(lambda: list(channel.stream_stream(WATCH, _broken, None)(iter("a"))), "Exception serializing request!")
    assert "the client's own" in caplog.text


def test_an_answer_that_the_client_can_not_deserialize(channel: grpc.Channel, caplog: pytest.LogCaptureFixture) -> None:
    put = pb.PutRequest(key=b"a").SerializeToString()
    _ends_with(lambda: channel.unary_unary(PUT, None, _broken)(put), "Exception deserializing response!")
    answers: Any = channel.unary_stream(SNAPSHOT, None, _broken)(b"")
    _ends_with(lambda: next(answers), "Exception deserializing response!")
    assert answers.code() is StatusCode.INTERNAL
    assert "the client's own" in caplog.text


@pytest.mark.parametrize(("key", "value"), [("A", "1"), ("a b", "1"), ("", "1"), ("a", "1\n2"), ("a", "é")])
def test_metadata_that_can_not_be_sent(channel: grpc.Channel, key: str, value: str) -> None:
    put = stubs(channel).kv.Put
    _ends_with(lambda: put(pb.PutRequest(key=b"a"), metadata=((key, value),)), "Invalid metadata")
    assert stubs(channel).kv.Range(pb.RangeRequest(key=b"a")).count == 0


def test_metadata_of_another_type(channel: grpc.Channel) -> None:
    with pytest.raises(TypeError, match="Expected str, not <class 'int'>"):
        stubs(channel).kv.Put(pb.PutRequest(key=b"a"), metadata=(("a", 1),))


def test_metadata_that_can_be_sent(channel: grpc.Channel) -> None:
    metadata = (("a-b_c.1", "~ !"), ("a", b"1"), ("x-bin", b"\x00\xff"))
    assert stubs(channel).kv.Put(pb.PutRequest(key=b"a"), metadata=metadata).header.revision == 2


def test_the_debug_string_of_a_refusal(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stubs(channel).kv.Put(pb.PutRequest())
    assert "etcdserver: key is not provided" in refused.value.debug_error_string()  # type: ignore[attr-defined]
    stream: Any = channel.unary_stream("/etcdserverpb.KV/Nothing", None, None)(b"")
    with pytest.raises(grpc.RpcError):
        next(stream)
    assert "unknown method Nothing" in stream.debug_error_string()


def test_a_call_without_a_timeout_has_no_time_remaining(channel: grpc.Channel) -> None:
    _, call = stubs(channel).kv.Put.with_call(pb.PutRequest(key=b"a"))
    assert call.time_remaining() is None


Scenario = Callable[[Stubs], Awaitable[None]]


@pytest.fixture(params=["in-process", "loopback"])
def run(request: pytest.FixtureRequest) -> Callable[[Scenario], None]:
    """Runs a scenario on an event loop, with stubs on a channel."""

    async def main(scenario: Scenario) -> None:
        if request.param == "in-process":
            async with AioInProcessChannel(Engine()) as channel:
                await asyncio.wait_for(scenario(stubs(channel)), 20)
            return
        with serve(Engine()) as server:
            async with aio.insecure_channel(server.address) as channel:
                await asyncio.wait_for(scenario(stubs(channel)), 20)

    return lambda scenario: asyncio.run(main(scenario))


def _create() -> pb.WatchRequest:
    return pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))


def test_a_stream_is_iterated_over_or_read_but_not_both(run: Callable[[Scenario], None]) -> None:
    async def scenario(etcd: Stubs) -> None:
        iterated = etcd.watch.Watch(iter([_create()]))
        async for response in iterated:
            assert response.created
            break
        with pytest.raises(aio.UsageError, match="may not be mixed"):
            await iterated.read()
        read = etcd.watch.Watch()
        await read.write(_create())
        assert (await read.read()).created
        with pytest.raises(aio.UsageError, match="may not be mixed"):
            async for _ in read:
                pass

    run(scenario)


def test_requests_come_from_an_iterator_or_are_written_but_not_both(run: Callable[[Scenario], None]) -> None:
    async def scenario(etcd: Stubs) -> None:
        watching = etcd.watch.Watch(iter([_create()]))
        with pytest.raises(aio.UsageError, match="may not be mixed"):
            await watching.write(_create())
        with pytest.raises(aio.UsageError, match="may not be mixed"):
            await watching.done_writing()
        assert (await watching.read()).created

    run(scenario)


def test_the_debug_string_of_a_refusal_on_an_event_loop(run: Callable[[Scenario], None]) -> None:
    async def scenario(etcd: Stubs) -> None:
        with pytest.raises(aio.AioRpcError) as refused:
            await etcd.kv.Put(pb.PutRequest())
        assert refused.value.debug_error_string() == "INVALID_ARGUMENT:etcdserver: key is not provided"

    run(scenario)
