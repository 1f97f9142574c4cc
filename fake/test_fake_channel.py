"""The in-process channel, and that the same client code gets the same over a real one."""

from collections.abc import Iterator

import grpc
import pytest

from fake_etcd import Engine, InProcessChannel, serve, stubs
from fake_etcd.stubs import Stubs
from fake_etcd.wire import messages as pb


@pytest.fixture(params=["in-process", "loopback"])
def channel(request: pytest.FixtureRequest) -> Iterator[grpc.Channel]:
    engine = Engine()
    if request.param == "in-process":
        with InProcessChannel(engine) as channel:
            yield channel
        return
    with serve(engine) as server, grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.fixture
def etcd(channel: grpc.Channel) -> Stubs:
    return stubs(channel)


def test_a_call(etcd: Stubs) -> None:
    assert etcd.kv.Put(pb.PutRequest(key=b"a"), timeout=5, metadata=(("token", "x"),)).header.revision == 2
    response, call = etcd.kv.Range.with_call(pb.RangeRequest(key=b"a"), 5)
    assert (response.count, call.code(), call.details()) == (1, grpc.StatusCode.OK, "")


def test_a_refusal(etcd: Stubs) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        etcd.kv.Put(pb.PutRequest())
    error = refusal.value
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "etcdserver: key is not provided")


def test_futures(etcd: Stubs) -> None:
    future = etcd.kv.Put.future(pb.PutRequest(key=b"a"), timeout=5)
    assert future.result(timeout=5).header.revision == 2
    assert (future.done(), future.cancelled(), future.exception()) == (True, False, None)
    assert future.code() is grpc.StatusCode.OK
    told: list[object] = []
    refused = etcd.kv.Put.future(pb.PutRequest())
    with pytest.raises(grpc.RpcError):
        refused.result(timeout=5)
    refused.add_done_callback(told.append)
    assert told == [refused]
    assert isinstance(refused.exception(), grpc.RpcError)
    assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_stream(etcd: Stubs) -> None:
    etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=7, TTL=10))
    call = etcd.lease.LeaseKeepAlive(iter([pb.LeaseKeepAliveRequest(ID=id) for id in (7, 8)]), timeout=5)
    assert [(response.ID, response.TTL) for response in call] == [(7, 10), (8, 0)]
    assert (call.code(), call.is_active()) == (grpc.StatusCode.OK, False)


def test_a_cancelled_stream(etcd: Stubs) -> None:
    call = etcd.lease.LeaseKeepAlive(iter([pb.LeaseKeepAliveRequest(ID=7)] * 2))
    next(call)
    call.cancel()
    with pytest.raises(grpc.RpcError) as cancelled:
        list(call)
    assert cancelled.value.code() is grpc.StatusCode.CANCELLED


@pytest.mark.parametrize(
    ("service", "method", "request_"),
    [
        ("auth", "AuthEnable", pb.AuthEnableRequest()),
        ("election", "Leader", pb.LeaderRequest()),
        ("cluster", "MemberList", pb.MemberListRequest()),
    ],
)
def test_a_method_that_is_not_there(etcd: Stubs, service: str, method: str, request_: object) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        getattr(getattr(etcd, service), method)(request_)
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_streams_that_are_not_there(etcd: Stubs) -> None:
    for call in (etcd.watch.Watch(iter([pb.WatchRequest()])), etcd.maintenance.Snapshot(pb.SnapshotRequest())):
        with pytest.raises(grpc.RpcError) as refusal:
            list(call)
        assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_client_with_classes_of_its_own(channel: grpc.Channel) -> None:
    """Bytes in, bytes out: what a client's own generated messages come down to."""
    put = channel.unary_unary("/etcdserverpb.KV/Put", lambda text: text.encode(), lambda data: data[:1])
    assert put("\n\x01a\x12\x011") == b"\n"
    raw = channel.unary_unary("/etcdserverpb.KV/Range", None, None)
    assert pb.RangeResponse.FromString(raw(b"\n\x01a")).kvs[0].value == b"1"


def test_timeouts_and_closing() -> None:
    channel = InProcessChannel(Engine())
    kv = stubs(channel).kv
    with pytest.raises(grpc.RpcError) as late:
        kv.Range(pb.RangeRequest(key=b"a"), timeout=0)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    grpc.channel_ready_future(channel).result(timeout=5)
    channel.close()
    with pytest.raises(ValueError, match="closed channel"):
        kv.Range(pb.RangeRequest(key=b"a"))


def test_stubs_have_no_other_methods() -> None:
    with pytest.raises(AttributeError, match="etcd has no such method: Get"):
        stubs(InProcessChannel(Engine())).kv.Get(pb.RangeRequest())
