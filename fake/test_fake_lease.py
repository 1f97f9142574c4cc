"""Leases: grant, attach, revoke, keep alive, time to live."""

import pytest

from fake_etcd import Engine, EtcdError, InProcessChannel, stubs
from fake_etcd.stubs import Stubs
from fake_etcd.wire import messages as pb


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1000.25

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def etcd(clock: Clock) -> Stubs:
    return stubs(InProcessChannel(Engine(clock=clock)))


@pytest.mark.parametrize(
    ("asked", "granted"), [(100, 100), (2, 2), (1, 2), (0, 2), (-5, 2), (9_000_000_000, 9_000_000_000)]
)
def test_grant(etcd: Stubs, asked: int, granted: int) -> None:
    response = etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=-7, TTL=asked))
    assert (response.ID, response.TTL, response.error, response.header.revision) == (-7, granted, "", 1)


def test_grant_picks_an_id(etcd: Stubs) -> None:
    picked = {etcd.lease.LeaseGrant(pb.LeaseGrantRequest(TTL=10)).ID for _ in range(3)}
    assert len(picked) == 3
    assert all(0 < id < 2**63 for id in picked)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (pb.LeaseGrantRequest(ID=7, TTL=9_000_000_001), "OUT_OF_RANGE: etcdserver: too large lease TTL"),
        (pb.LeaseGrantRequest(ID=7, TTL=10), "FAILED_PRECONDITION: etcdserver: lease already exists"),
    ],
)
def test_grant_refused(request_: pb.LeaseGrantRequest, message: str) -> None:
    engine = Engine()
    engine.call("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantRequest(ID=7, TTL=10))
    with pytest.raises(EtcdError) as refusal:
        engine.call("/etcdserverpb.Lease/LeaseGrant", request_)
    assert str(refusal.value) == message


def test_time_to_live_truncates(etcd: Stubs, clock: Clock) -> None:
    etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=7, TTL=10))
    etcd.kv.Put(pb.PutRequest(key=b"b", lease=7))
    etcd.kv.Put(pb.PutRequest(key=b"a", lease=7))
    ask = pb.LeaseTimeToLiveRequest(ID=7, keys=True)
    response = etcd.lease.LeaseTimeToLive(ask)
    assert (response.ID, response.TTL, response.grantedTTL, sorted(response.keys)) == (7, 9, 10, [b"a", b"b"])
    clock.seconds += 0.5
    assert etcd.lease.LeaseTimeToLive(ask).TTL == 9
    clock.seconds += 0.6
    assert etcd.lease.LeaseTimeToLive(ask).TTL == 8
    assert not etcd.lease.LeaseTimeToLive(pb.LeaseTimeToLiveRequest(ID=7)).keys


def test_an_unknown_lease_has_time_to_live_minus_one(etcd: Stubs) -> None:
    response = etcd.lease.LeaseTimeToLive(pb.LeaseTimeToLiveRequest(ID=7, keys=True))
    assert (response.ID, response.TTL, response.grantedTTL, list(response.keys)) == (7, -1, 0, [])


def test_keep_alive_answers_each_request(etcd: Stubs, clock: Clock) -> None:
    etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=7, TTL=10))
    clock.seconds += 6
    requests = [pb.LeaseKeepAliveRequest(ID=7), pb.LeaseKeepAliveRequest(ID=8), pb.LeaseKeepAliveRequest(ID=7)]
    responses = list(etcd.lease.LeaseKeepAlive(iter(requests)))
    assert [(response.ID, response.TTL) for response in responses] == [(7, 10), (8, 0), (7, 10)]
    assert etcd.lease.LeaseTimeToLive(pb.LeaseTimeToLiveRequest(ID=7)).TTL == 9


def test_leases_are_listed_by_remaining_time(etcd: Stubs, clock: Clock) -> None:
    for id, ttl in ((1, 300), (2, 100), (3, 200)):
        etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=id, TTL=ttl))
    assert [lease.ID for lease in etcd.lease.LeaseLeases(pb.LeaseLeasesRequest()).leases] == [2, 3, 1]
    clock.seconds += 50
    list(etcd.lease.LeaseKeepAlive(iter([pb.LeaseKeepAliveRequest(ID=3)])))
    list(etcd.lease.LeaseKeepAlive(iter([pb.LeaseKeepAliveRequest(ID=2)])))
    clock.seconds += 40
    list(etcd.lease.LeaseKeepAlive(iter([pb.LeaseKeepAliveRequest(ID=2)])))
    assert [lease.ID for lease in etcd.lease.LeaseLeases(pb.LeaseLeasesRequest()).leases] == [2, 3, 1]


def test_revoke_deletes_the_keys_in_one_revision(etcd: Stubs) -> None:
    etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=7, TTL=10))
    etcd.kv.Put(pb.PutRequest(key=b"b", lease=7))
    etcd.kv.Put(pb.PutRequest(key=b"a", lease=7))
    etcd.kv.Put(pb.PutRequest(key=b"free"))
    assert etcd.lease.LeaseRevoke(pb.LeaseRevokeRequest(ID=7)).header.revision == 5
    left = etcd.kv.Range(pb.RangeRequest(key=b"\0", range_end=b"\0"))
    assert [kv.key for kv in left.kvs] == [b"free"]
    etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=7, TTL=10))  # the id is free again
    assert etcd.lease.LeaseRevoke(pb.LeaseRevokeRequest(ID=7)).header.revision == 5  # no keys, no revision


@pytest.mark.parametrize("id", [0, 7])
def test_revoke_refused(id: int) -> None:
    with pytest.raises(EtcdError, match="NOT_FOUND: etcdserver: requested lease not found"):
        Engine().call("/etcdserverpb.Lease/LeaseRevoke", pb.LeaseRevokeRequest(ID=id))


def test_a_key_has_one_lease_at_most(etcd: Stubs) -> None:
    def keys(id: int) -> list[bytes]:
        return list(etcd.lease.LeaseTimeToLive(pb.LeaseTimeToLiveRequest(ID=id, keys=True)).keys)

    for id in (1, 2):
        etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=id, TTL=10))
    etcd.kv.Put(pb.PutRequest(key=b"a", lease=1))
    etcd.kv.Put(pb.PutRequest(key=b"a", lease=2))
    assert (keys(1), keys(2)) == ([], [b"a"])
    etcd.kv.Put(pb.PutRequest(key=b"a"))
    assert (keys(1), keys(2)) == ([], [])
    etcd.kv.Put(pb.PutRequest(key=b"a", lease=1))
    etcd.kv.DeleteRange(pb.DeleteRangeRequest(key=b"a"))
    etcd.kv.Put(pb.PutRequest(key=b"a"))
    etcd.lease.LeaseRevoke(pb.LeaseRevokeRequest(ID=1))
    assert etcd.kv.Range(pb.RangeRequest(key=b"a")).count == 1
