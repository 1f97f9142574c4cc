"""Lock: its key, its queue, and who gives up; in-process and over a server."""

import threading
import time
from collections.abc import Callable, Iterator

import grpc
import pytest
from google.protobuf.message import Message

from fake_etcd import Engine, EtcdError, serve, stubs
from fake_etcd.stubs import Stubs
from fake_etcd.wire import messages as pb

VERSIONS = ["3.4.23", "3.5.16", "3.6.16", "3.7.3"]

LOCK = "/v3lockpb.Lock/Lock"
UNLOCK = "/v3lockpb.Lock/Unlock"


class Caller(threading.Thread):
    """A call of Lock in a thread of its own, and what came of it."""

    def __init__(self, engine: Engine, name: bytes, lease: int, token: str = "") -> None:
        super().__init__(daemon=True)
        self._engine = engine
        self._request = pb.LockRequest(name=name, lease=lease)
        self._token = token
        self.cancelled = threading.Event()
        self.outcome = ""
        self.start()

    def run(self) -> None:
        try:
            response = self._engine.call(LOCK, self._request, self._token, self.cancelled)
        except EtcdError as error:
            self.outcome = str(error)
        else:
            assert isinstance(response, pb.LockResponse)
            self.outcome = f"{response.key.decode()} at {response.header.revision}"

    def ended(self) -> str:
        self.join(5)
        assert not self.is_alive()
        return self.outcome


def engine_with_leases(version: str = "3.5.16") -> Engine:
    engine = Engine(version)
    for id in (1, 2, 3, -5):
        engine.call("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantRequest(ID=id, TTL=1000))
    return engine


def lock(engine: Engine, name: bytes, lease: int) -> str:
    response = engine.call(LOCK, pb.LockRequest(name=name, lease=lease))
    assert isinstance(response, pb.LockResponse)
    return f"{response.key.decode()} at {response.header.revision}"


def unlock(engine: Engine, key: bytes) -> int:
    response = engine.call(UNLOCK, pb.UnlockRequest(key=key))
    assert isinstance(response, pb.UnlockResponse)
    return response.header.revision


def queue(engine: Engine, name: bytes) -> list[bytes]:
    request = pb.RangeRequest(key=name + b"/", range_end=name + b"0", sort_target="CREATE", sort_order="ASCEND")
    response = engine.call("/etcdserverpb.KV/Range", request)
    assert isinstance(response, pb.RangeResponse)
    return [kv.key for kv in response.kvs]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_free_lock_is_taken_with_one_write(version: str) -> None:
    engine = engine_with_leases(version)
    assert lock(engine, b"n", 1) == "n/1 at 2"
    assert lock(engine, b"n", 1) == "n/1 at 2"  # again, without a write
    assert lock(engine, b"", -5) == "/-5 at 3"
    assert lock(engine, b"s/", 3) == "s//3 at 4"
    assert unlock(engine, b"n/1") == 5
    assert unlock(engine, b"n/1") == 5  # it is gone
    kept = engine.call("/etcdserverpb.KV/Range", pb.RangeRequest(key=b"s//3"))
    assert isinstance(kept, pb.RangeResponse)
    assert (kept.kvs[0].value, kept.kvs[0].lease) == (b"", 3)


@pytest.mark.parametrize("version", VERSIONS)
def test_errors_have_lost_their_status_code(version: str) -> None:
    engine = engine_with_leases(version)
    with pytest.raises(EtcdError, match=r"^UNKNOWN: etcdserver: requested lease not found$"):
        lock(engine, b"n", 99)
    with pytest.raises(EtcdError, match=r"^UNKNOWN: etcdserver: key is not provided$"):
        unlock(engine, b"")


def test_without_a_lease_a_new_one_is_granted() -> None:
    engine = Engine()
    key = lock(engine, b"n", 0).partition(" ")[0]
    lease = int(key.removeprefix("n/"), 16)
    left = engine.call("/etcdserverpb.Lease/LeaseTimeToLive", pb.LeaseTimeToLiveRequest(ID=lease, keys=True))
    assert isinstance(left, pb.LeaseTimeToLiveResponse)
    assert (left.grantedTTL, list(left.keys)) == (60, [key.encode()])


@pytest.mark.parametrize("version", VERSIONS)
def test_waiters_get_the_lock_in_the_order_of_their_keys(version: str) -> None:
    engine = engine_with_leases(version)
    lock(engine, b"n", 2)
    first = Caller(engine, b"n", 3)
    until(lambda: len(queue(engine, b"n")) == 2)
    second = Caller(engine, b"n", 1)
    until(lambda: len(queue(engine, b"n")) == 3)
    assert queue(engine, b"n") == [b"n/2", b"n/3", b"n/1"]
    assert unlock(engine, b"n/2") == 5
    assert first.ended() == "n/3 at 5"
    assert second.is_alive()
    engine.call("/etcdserverpb.Lease/LeaseRevoke", pb.LeaseRevokeRequest(ID=3))
    assert second.ended() == "n/1 at 6"


def test_any_key_with_the_prefix_is_in_the_queue() -> None:
    engine = engine_with_leases()
    engine.call("/etcdserverpb.KV/Put", pb.PutRequest(key=b"n/foreign"))
    waiter = Caller(engine, b"n", 1)
    until(lambda: len(queue(engine, b"n")) == 2)
    engine.call("/etcdserverpb.KV/DeleteRange", pb.DeleteRangeRequest(key=b"n/foreign"))
    assert waiter.ended() == "n/1 at 4"


@pytest.mark.parametrize("version", VERSIONS)
def test_who_gives_up_leaves_the_queue(version: str) -> None:
    engine = engine_with_leases(version)
    lock(engine, b"n", 1)
    waiter = Caller(engine, b"n", 2)
    until(lambda: len(queue(engine, b"n")) == 2)
    waiter.cancelled.set()
    assert waiter.ended() == "CANCELLED: context canceled"
    assert queue(engine, b"n") == [b"n/1"]
    assert unlock(engine, b"n/1") == 5  # two revisions for the one who gave up


@pytest.mark.parametrize(
    ("version", "outcome"), [("3.4.23", "n/2 at 5"), ("3.5.16", "UNKNOWN: mutex: session is expired")]
)
def test_a_waiter_whose_lease_ends_waits_on(version: str, outcome: str) -> None:
    engine = engine_with_leases(version)
    lock(engine, b"n", 1)
    waiter = Caller(engine, b"n", 2)
    until(lambda: len(queue(engine, b"n")) == 2)
    engine.call("/etcdserverpb.Lease/LeaseRevoke", pb.LeaseRevokeRequest(ID=2))
    assert queue(engine, b"n") == [b"n/1"]
    assert waiter.is_alive()
    unlock(engine, b"n/1")
    assert waiter.ended() == outcome


def test_a_reset_ends_waiting_and_touches_nothing_new() -> None:
    engine = engine_with_leases()
    lock(engine, b"n", 1)
    waiter = Caller(engine, b"n", 2)
    until(lambda: len(queue(engine, b"n")) == 2)
    engine.reset()
    engine.call("/etcdserverpb.KV/Put", pb.PutRequest(key=b"n/2"))
    assert waiter.ended() == "CANCELLED: context canceled"
    assert queue(engine, b"n") == [b"n/2"]


def test_auth_keeps_who_gives_up_in_the_queue() -> None:
    """The clean-up behind a caller has no token, as in etcd."""
    engine = engine_with_leases()
    for request in (
        pb.AuthUserAddRequest(name="root", password="r"),
        pb.AuthUserGrantRoleRequest(user="root", role="root"),
        pb.AuthEnableRequest(),
    ):
        method = type(request).__name__.removesuffix("Request")
        engine.call(f"/etcdserverpb.Auth/{method if 'Enable' in method else method[4:]}", request)
    login = engine.call("/etcdserverpb.Auth/Authenticate", pb.AuthenticateRequest(name="root", password="r"))
    assert isinstance(login, pb.AuthenticateResponse)
    assert Caller(engine, b"n", 1).ended() == "UNKNOWN: etcdserver: user name is empty"
    assert Caller(engine, b"n", 1, "no.1").ended() == "UNKNOWN: etcdserver: invalid auth token"
    assert Caller(engine, b"n", 1, login.token).ended() == "n/1 at 2"
    waiter = Caller(engine, b"n", 2, login.token)
    time.sleep(0.1)
    waiter.cancelled.set()
    assert waiter.ended() == "CANCELLED: context canceled"
    left = engine.call("/etcdserverpb.KV/Range", pb.RangeRequest(key=b"n/2"), login.token)
    assert isinstance(left, pb.RangeResponse)
    assert left.count == 1


# Over a server


@pytest.fixture
def etcd() -> Iterator[Stubs]:
    with serve(engine_with_leases()) as server, grpc.insecure_channel(server.address) as channel:
        yield stubs(channel)


def keys(etcd: Stubs) -> list[bytes]:
    return [kv.key for kv in etcd.kv.Range(pb.RangeRequest(key=b"\0", range_end=b"\0")).kvs]


def test_a_call_of_a_server_blocks_until_the_lock_is_granted(etcd: Stubs) -> None:
    etcd.lock.Lock(pb.LockRequest(name=b"n", lease=1))
    waiter = etcd.lock.Lock.future(pb.LockRequest(name=b"n", lease=2))
    until(lambda: len(keys(etcd)) == 2)
    assert not waiter.done()
    etcd.lock.Unlock(pb.UnlockRequest(key=b"n/1"))
    assert waiter.result(5).key == b"n/2"


@pytest.mark.parametrize("by", ["cancel", "deadline"])
def test_a_client_that_gives_up_leaves_the_queue_of_a_server(etcd: Stubs, by: str) -> None:
    etcd.lock.Lock(pb.LockRequest(name=b"n", lease=1))
    timeout = 0.3 if by == "deadline" else None
    waiter = etcd.lock.Lock.future(pb.LockRequest(name=b"n", lease=2), timeout=timeout)
    until(lambda: len(keys(etcd)) == 2)
    if by == "cancel":
        waiter.cancel()
    until(lambda: keys(etcd) == [b"n/1"])


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        (LOCK, pb.LockRequest(name=b"n" * 2_100_000, lease=1)),
        (UNLOCK, pb.UnlockRequest(key=b"n" * 2_100_000)),
        ("/v3electionpb.Election/Campaign", pb.CampaignRequest(name=b"n", lease=1, value=b"x" * 2_100_000)),
    ],
)
def test_what_is_too_long_for_a_message_is_refused_in_this_process_too(path: str, request_: Message) -> None:
    with pytest.raises(EtcdError, match="RESOURCE_EXHAUSTED: grpc: received message larger than max"):
        engine_with_leases().call(path, request_)
