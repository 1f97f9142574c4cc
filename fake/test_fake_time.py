"""Time: leases end by the clock, and by nothing else."""

import gc
import threading
import time
import weakref

import pytest

from fake_etcd import Engine, EtcdError, VirtualClock
from fake_etcd.lease import Lessor
from fake_etcd.wire import messages as pb


def grant(engine: Engine, id: int, ttl: int) -> None:
    engine.call("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantRequest(ID=id, TTL=ttl))


def put(engine: Engine, key: bytes, lease: int = 0) -> None:
    engine.call("/etcdserverpb.KV/Put", pb.PutRequest(key=key, lease=lease))


def keep_alive(engine: Engine, id: int) -> int:
    response = engine.call("/etcdserverpb.Lease/LeaseKeepAlive", pb.LeaseKeepAliveRequest(ID=id))
    assert isinstance(response, pb.LeaseKeepAliveResponse)
    return response.TTL


def time_to_live(engine: Engine, id: int) -> int:
    response = engine.call("/etcdserverpb.Lease/LeaseTimeToLive", pb.LeaseTimeToLiveRequest(ID=id))
    assert isinstance(response, pb.LeaseTimeToLiveResponse)
    return response.TTL


def keys(engine: Engine) -> tuple[int, list[bytes]]:
    """The revision, and the keys that are there."""
    response = engine.call("/etcdserverpb.KV/Range", pb.RangeRequest(key=b"\0", range_end=b"\0"))
    assert isinstance(response, pb.RangeResponse)
    return response.header.revision, [kv.key for kv in response.kvs]


def deletions(engine: Engine) -> list[tuple[int, list[bytes]]]:
    """Each revision's, from the start."""
    stream = engine.watch()
    create = pb.WatchCreateRequest(key=b"\0", range_end=b"\0", start_revision=1, filters=[pb.WatchCreateRequest.NOPUT])
    stream.send(pb.WatchRequest(create_request=create))
    found: dict[int, list[bytes]] = {}
    while (response := stream.receive(0)) is not None:
        for event in response.events:
            found.setdefault(event.kv.mod_revision, []).append(event.kv.key)
    return sorted(found.items())


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1000)


@pytest.fixture
def engine(clock: VirtualClock) -> Engine:
    return Engine(clock=clock)


def test_a_lease_expires_with_its_keys_when_its_time_is_over(engine: Engine, clock: VirtualClock) -> None:
    grant(engine, 7, 10)
    put(engine, b"b", 7)
    put(engine, b"a", 7)
    put(engine, b"free")
    clock.advance(9.5)
    assert keys(engine) == (4, [b"a", b"b", b"free"])
    clock.advance(0.5)
    assert keys(engine) == (5, [b"free"])
    assert deletions(engine) == [(5, [b"a", b"b"])]
    assert (time_to_live(engine, 7), keep_alive(engine, 7)) == (-1, 0)
    with pytest.raises(EtcdError, match="requested lease not found"):
        put(engine, b"a", 7)


def test_leases_expire_by_time_and_then_by_id_each_in_its_own_revision(engine: Engine, clock: VirtualClock) -> None:
    for id, ttl in ((9, 10), (8, 10), (-7, 10), (1, 5), (2, 20), (3, 10)):
        grant(engine, id, ttl)
        if id != 3:
            put(engine, b"of %d" % id, id)
    clock.advance(15)
    assert deletions(engine) == [(7, [b"of 1"]), (8, [b"of -7"]), (9, [b"of 8"]), (10, [b"of 9"])]
    assert keys(engine) == (10, [b"of 2"])  # lease 3 had no keys, and made no revision


def test_a_lease_that_is_kept_alive_lives_on(engine: Engine, clock: VirtualClock) -> None:
    grant(engine, 7, 10)
    put(engine, b"a", 7)
    for _ in range(5):
        clock.advance(9)
        assert keep_alive(engine, 7) == 10
    assert keys(engine) == (2, [b"a"])
    clock.advance(10)
    assert keys(engine) == (3, [])


def test_a_lease_granted_again_does_not_end_with_the_one_before(engine: Engine, clock: VirtualClock) -> None:
    grant(engine, 7, 10)
    engine.call("/etcdserverpb.Lease/LeaseRevoke", pb.LeaseRevokeRequest(ID=7))
    clock.advance(5)
    grant(engine, 7, 10)
    put(engine, b"a", 7)
    clock.advance(5)
    assert keys(engine) == (2, [b"a"])
    clock.advance(5)
    assert keys(engine) == (3, [])


def test_a_key_that_left_its_lease_stays(engine: Engine, clock: VirtualClock) -> None:
    grant(engine, 7, 10)
    grant(engine, 8, 20)
    put(engine, b"free", 7)
    put(engine, b"free")
    put(engine, b"other", 7)
    put(engine, b"other", 8)
    clock.advance(10)
    assert keys(engine) == (5, [b"free", b"other"])


def test_without_a_clock_nothing_ever_expires() -> None:
    engine = Engine()
    grant(engine, 7, 2)
    put(engine, b"a", 7)
    engine.tick()
    assert keys(engine) == (2, [b"a"])


def test_a_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="time doesn't go back: -1"):
        VirtualClock().advance(-1)


def test_a_clock_keeps_no_engine_alive(clock: VirtualClock) -> None:
    engine = Engine(clock=clock)
    gone = weakref.ref(engine)
    del engine
    gc.collect()
    assert gone() is None
    clock.advance(1)


def test_a_watch_in_this_process_sees_expiry_by_a_clock_that_nobody_advances() -> None:
    """While nobody calls, whoever waits for events looks at the clock."""
    engine = Engine(clock=time.monotonic, min_lease_ttl=1)
    stream = engine.watch()
    stream.send(pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a", filters=[pb.WatchCreateRequest.NOPUT])))
    assert stream.receive(5) is not None
    grant(engine, 7, 1)
    put(engine, b"a", 7)
    received: list[pb.WatchResponse | None] = []
    waiting = threading.Thread(target=lambda: received.append(stream.receive(10)))
    waiting.start()
    waiting.join(10)
    assert received[0] is not None
    assert received[0].events[0].kv.mod_revision == 3


def test_renewals_and_revocations_leave_nothing_behind() -> None:
    lessor = Lessor(1, lambda: 0.0)
    for number in range(10_000):
        lease = lessor.grant(0, 100)
        lessor.renew(lease)
        if number % 100:
            lessor.forget(lease.id)
    assert len(lessor._expiries) < 400
    assert lessor.due(99.0) is None
    assert lessor.due(100.0) is not None


def test_the_next_expiry_is_that_of_the_lease_that_runs_out_first() -> None:
    clock = VirtualClock()
    engine = Engine(clock=clock)
    assert engine.next_expiry() is None
    grant(engine, 1, 10)
    grant(engine, 2, 5)
    assert engine.next_expiry() == 5
    clock.advance(4)
    assert keep_alive(engine, 2) == 5
    assert engine.next_expiry() == 9
    clock.advance(5)
    assert engine.next_expiry() == 10
