"""The in-process channel, and that the same client code gets the same over a real one."""

import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from queue import SimpleQueue

import grpc
import pytest

from fake_etcd import Engine, InProcessChannel, stubs
from fake_etcd.compat.etcd3 import client_on, import_etcd3
from fake_etcd.stubs import Stubs
from fake_etcd.wire import messages as pb


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
    reported: list[object] = []
    refused = etcd.kv.Put.future(pb.PutRequest())
    with pytest.raises(grpc.RpcError):
        refused.result(timeout=5)
    refused.add_done_callback(reported.append)
    assert reported == [refused]
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


def test_a_method_that_is_not_there(channel: grpc.Channel) -> None:
    nope = channel.unary_unary("/etcdserverpb.KV/Nope", bytes, bytes)
    stream = channel.stream_stream("/etcdserverpb.KV/Nope", bytes, bytes)
    for call in (lambda: nope(b""), lambda: list(stream(iter(())))):
        with pytest.raises(grpc.RpcError) as refusal:
            call()
        assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_stream_that_the_release_does_not_have(etcd: Stubs) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        list(etcd.kv.RangeStream(pb.RangeRequest(key=b"a")))
    error = refusal.value
    assert (error.code(), error.details()) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "unknown method RangeStream for service etcdserverpb.KV",
    )


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


def watch(**options: object) -> pb.WatchRequest:
    return pb.WatchRequest(create_request=pb.WatchCreateRequest(**options))  # type: ignore[arg-type]


def requests_from(queue: "SimpleQueue[pb.WatchRequest | None]") -> Iterator[pb.WatchRequest]:
    while (request := queue.get()) is not None:
        yield request


def test_a_watch(etcd: Stubs) -> None:
    queue: SimpleQueue[pb.WatchRequest | None] = SimpleQueue()
    call = etcd.watch.Watch(requests_from(queue))
    queue.put(watch(key=b"a", watch_id=7))
    assert (next(call).created, call.is_active()) == (True, True)
    etcd.kv.Put(pb.PutRequest(key=b"a", value=b"1"))
    assert next(call).events[0].kv.value == b"1"
    queue.put(None)  # half-closed, and still reported
    etcd.kv.Put(pb.PutRequest(key=b"a", value=b"2"))
    assert next(call).events[0].kv.value == b"2"
    ended: list[object] = []
    call.add_done_callback(ended.append)
    assert call.cancel()
    with pytest.raises(grpc.RpcError) as cancelled:
        next(call)
    assert cancelled.value.code() is grpc.StatusCode.CANCELLED
    assert (call.code(), call.cancelled(), call.done()) == (grpc.StatusCode.CANCELLED, True, True)
    wait_for(lambda: ended == [call])


def test_a_watch_cancelled_by_another_thread(etcd: Stubs) -> None:
    call = etcd.watch.Watch(iter([watch(key=b"a")]))
    assert next(call).created
    threading.Timer(0.05, call.cancel).start()
    with pytest.raises(grpc.RpcError) as cancelled:
        next(call)
    assert cancelled.value.code() is grpc.StatusCode.CANCELLED


def test_a_watch_for_a_while(etcd: Stubs) -> None:
    call = etcd.watch.Watch(iter([watch(key=b"a")]), timeout=0.2)
    with pytest.raises(grpc.RpcError) as late:
        list(call)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_closing_the_channel_ends_its_streams(channel: grpc.Channel) -> None:
    call = stubs(channel).watch.Watch(iter([watch(key=b"a")]))
    next(call)
    channel.close()
    with pytest.raises(grpc.RpcError) as cancelled:
        next(call)
    assert cancelled.value.code() is grpc.StatusCode.CANCELLED


def test_requests_that_raise_end_the_call(etcd: Stubs, caplog: pytest.LogCaptureFixture) -> None:
    def requests() -> Iterator[pb.WatchRequest]:
        yield watch(key=b"a")
        raise LookupError

    with pytest.raises(grpc.RpcError) as failed:
        list(etcd.watch.Watch(requests()))
    assert failed.value.code() is grpc.StatusCode.UNKNOWN
    assert "Exception iterating requests!" in caplog.text


def test_a_lock_that_is_waited_for(etcd: Stubs) -> None:
    def lock(**options: float) -> object:
        return etcd.lock.Lock(pb.LockRequest(name=b"l", lease=7), **options)

    for id in (7, 8):
        etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=id, TTL=60))
    held = etcd.lock.Lock(pb.LockRequest(name=b"l", lease=8))
    with pytest.raises(grpc.RpcError) as late:
        lock(timeout=0.2)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    def keys() -> list[bytes]:
        return [kv.key for kv in etcd.kv.Range(pb.RangeRequest(key=b"l/", range_end=b"l0")).kvs]

    wait_for(lambda: keys() == [held.key])  # it takes its key back
    given_up = etcd.lock.Lock.future(pb.LockRequest(name=b"l", lease=7))
    assert given_up.running()
    wait_for(lambda: len(keys()) == 2)
    given_up.cancel()
    assert given_up.cancelled()
    wait_for(lambda: keys() == [held.key])  # and so does this one
    waiting = etcd.lock.Lock.future(pb.LockRequest(name=b"l", lease=7))
    etcd.lock.Unlock(pb.UnlockRequest(key=held.key))
    assert waiting.result(timeout=5).key == b"l/7"
    assert waiting.code() is grpc.StatusCode.OK


def test_a_lock_whose_deadline_passes_at_once_is_given_up() -> None:
    """The timer may fire while the call is being made."""
    etcd = stubs(InProcessChannel(Engine()))
    etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=1, TTL=60))
    etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=2, TTL=60))
    held = etcd.lock.Lock(pb.LockRequest(name=b"l", lease=1))
    for _ in range(100):
        with pytest.raises(grpc.RpcError) as late:
            etcd.lock.Lock(pb.LockRequest(name=b"l", lease=2), timeout=1e-6)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    count = pb.RangeRequest(key=b"l/", range_end=b"l0", count_only=True)
    wait_for(lambda: etcd.kv.Range(count).count == 1)
    etcd.lock.Unlock(pb.UnlockRequest(key=held.key))
    assert etcd.lock.Lock(pb.LockRequest(name=b"l", lease=2), timeout=5).key == b"l/2"


def test_a_call_that_waits_when_its_channel_is_closed(channel: grpc.Channel) -> None:
    etcd = stubs(channel)
    for id in (1, 2):
        etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=id, TTL=60))
    etcd.lock.Lock(pb.LockRequest(name=b"l", lease=1))
    errors: list[grpc.RpcError] = []

    def wait() -> None:
        try:
            etcd.lock.Lock(pb.LockRequest(name=b"l", lease=2))
        except grpc.RpcError as error:
            errors.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_for(lambda: etcd.kv.Range(pb.RangeRequest(key=b"l/", range_end=b"l0")).count == 2)
    channel.close()
    waiting.join(5)
    assert [(error.code(), error.details()) for error in errors] == [(grpc.StatusCode.CANCELLED, "Channel closed!")]


UNKNOWN = grpc.StatusCode.UNIMPLEMENTED
MALFORMED = grpc.StatusCode.INTERNAL


@pytest.mark.parametrize(
    ("path", "body", "code", "details"),
    [
        ("/etcdserverpb.KV/Nope", b"", UNKNOWN, "unknown method Nope for service etcdserverpb.KV"),
        ("/no.Such/Thing", b"", UNKNOWN, "unknown service no.Such"),
        ("/nope", b"", UNKNOWN, 'malformed method name: "/nope"'),
        ("/etcdserverpb.KV/Put", b"\xff", MALFORMED, "grpc: error unmarshalling request: unexpected EOF"),
        ("/v3lockpb.Lock/Lock", b"\xff", MALFORMED, "grpc: error unmarshalling request: unexpected EOF"),
        (
            "/etcdserverpb.KV/Range",
            b"\x10\x01",
            MALFORMED,
            "grpc: error unmarshalling request: proto: wrong wireType = 0 for field RangeEnd",
        ),
        (
            "/etcdserverpb.Auth/UserAdd",
            b"\x0a\x01\xff",
            MALFORMED,
            "grpc: error unmarshalling request: string field contains invalid UTF-8",
        ),
    ],
)
def test_requests_that_etcd_never_sees(
    channel: grpc.Channel, path: str, body: bytes, code: grpc.StatusCode, details: str
) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        channel.unary_unary(path, None, None)(body)
    assert (refusal.value.code(), refusal.value.details()) == (code, details)


@pytest.mark.parametrize("path", ["/etcdserverpb.Watch/Watch", "/etcdserverpb.Lease/LeaseKeepAlive"])
def test_streams_that_can_not_be_decoded(channel: grpc.Channel, path: str) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        list(channel.stream_stream(path, None, None)(iter([b"\xff"])))
    assert refusal.value.code() is grpc.StatusCode.INTERNAL
    assert refusal.value.details() == "grpc: failed to unmarshal the received message: unexpected EOF"
    with pytest.raises(grpc.RpcError, match="failed to unmarshal the received message: unexpected EOF"):
        list(channel.unary_stream("/etcdserverpb.Maintenance/Snapshot", None, None)(b"\xff"))


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_token_goes_with_its_call(channel: grpc.Channel) -> None:
    etcd = stubs(channel)
    etcd.auth.UserAdd(pb.AuthUserAddRequest(name="root", password="r"))
    etcd.auth.UserGrantRole(pb.AuthUserGrantRoleRequest(user="root", role="root"))
    etcd.auth.AuthEnable(pb.AuthEnableRequest())
    token = etcd.auth.Authenticate(pb.AuthenticateRequest(name="root", password="r")).token
    get = pb.RangeRequest(key=b"a")
    for name in ("token", "authorization"):
        metadata = ((name, token),)
        assert etcd.kv.Range(get, metadata=metadata).count == 0
        assert etcd.kv.Range.future(get, metadata=metadata).result(timeout=5).count == 0
        assert etcd.kv.Range.with_call(get, metadata=metadata)[0].count == 0
        call = etcd.watch.Watch(iter([watch(key=b"a")]), metadata=metadata)
        assert not next(call).canceled
        call.cancel()
    with pytest.raises(grpc.RpcError, match="user name is empty"):
        etcd.kv.Range(get)
    refused = etcd.watch.Watch(iter([watch(key=b"a")]))
    assert next(refused).cancel_reason == "rpc error: code = InvalidArgument desc = etcdserver: user name is empty"
    refused.cancel()
    with pytest.raises(grpc.RpcError, match="invalid auth token"):
        etcd.kv.Range(get, metadata=(("authorization", token), ("token", "nobody.1")))


@pytest.mark.skipif(find_spec("etcd3") is None, reason="the etcd3 client is not installed")
def test_etcd3_watches_over_the_channel() -> None:
    etcd3 = import_etcd3()
    client = client_on(InProcessChannel(Engine()), timeout=5)
    assert isinstance(client, etcd3.Etcd3Client)
    reported: SimpleQueue[object] = SimpleQueue()
    watch_id = client.add_watch_callback("a", lambda response: reported.put(response.events[0].value))
    client.put("a", "1")
    assert reported.get(timeout=5) == b"1"
    events, cancel = client.watch_prefix("p/", start_revision=1)
    client.put("p/1", "x")
    client.delete("p/1")
    assert [(type(event).__name__, event.key) for event in (next(events), next(events))] == [
        ("PutEvent", b"p/1"),
        ("DeleteEvent", b"p/1"),
    ]
    cancel()
    assert list(events) == []
    client.cancel_watch(watch_id)
    client.put("a", "2")
    client.compact(3)
    events, cancel = client.watch("a", start_revision=1)
    with pytest.raises(etcd3.exceptions.RevisionCompactedError):
        next(events)
    assert reported.empty()
    thread = client.watcher._callback_thread
    assert thread.is_alive()
    client.close()
    thread.join(timeout=5)
    assert not thread.is_alive()
