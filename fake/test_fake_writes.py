"""Put and DeleteRange: what they answer and what they leave."""

import pytest
from grpc import StatusCode

from fake_etcd import Engine, EtcdError
from fake_etcd.engine import MAX_FRAME_BYTES, MAX_REQUEST_BYTES
from fake_etcd.wire import messages as pb


def put(engine: Engine, **fields: bytes | int) -> pb.PutResponse:
    response = engine.call("/etcdserverpb.KV/Put", pb.PutRequest(**fields))  # type: ignore[arg-type]
    assert isinstance(response, pb.PutResponse)
    return response


def delete(engine: Engine, **fields: bytes | int) -> pb.DeleteRangeResponse:
    response = engine.call("/etcdserverpb.KV/DeleteRange", pb.DeleteRangeRequest(**fields))  # type: ignore[arg-type]
    assert isinstance(response, pb.DeleteRangeResponse)
    return response


def get(engine: Engine, key: bytes) -> list[pb.KeyValue]:
    response = engine.call("/etcdserverpb.KV/Range", pb.RangeRequest(key=key))
    assert isinstance(response, pb.RangeResponse)
    return list(response.kvs)


def grant(engine: Engine, id: int) -> None:
    engine.call("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantRequest(ID=id, TTL=100))


def test_every_put_is_a_revision_and_a_version() -> None:
    engine = Engine()
    assert put(engine, key=b"a", value=b"1").header.revision == 2
    assert put(engine, key=b"a", value=b"1").header.revision == 3
    assert get(engine, b"a") == [pb.KeyValue(key=b"a", value=b"1", create_revision=2, mod_revision=3, version=2)]
    assert delete(engine, key=b"a").header.revision == 4
    assert put(engine, key=b"a").header.revision == 5
    assert get(engine, b"a") == [pb.KeyValue(key=b"a", create_revision=5, mod_revision=5, version=1)]


def test_prev_kv_is_the_key_value_before() -> None:
    engine = Engine()
    grant(engine, 7)
    assert not put(engine, key=b"a", value=b"1", lease=7, prev_kv=True).HasField("prev_kv")
    previous = pb.KeyValue(key=b"a", value=b"1", create_revision=2, mod_revision=2, version=1, lease=7)
    assert put(engine, key=b"a", value=b"2", prev_kv=True).prev_kv == previous
    assert not put(engine, key=b"a", value=b"3").HasField("prev_kv")


def test_ignore_value_keeps_the_value_and_takes_the_lease() -> None:
    engine = Engine()
    grant(engine, 7)
    put(engine, key=b"a", value=b"1", lease=7)
    put(engine, key=b"a", ignore_value=True)
    [kv] = get(engine, b"a")
    assert (kv.value, kv.lease, kv.version) == (b"1", 0, 2)


def test_ignore_lease_keeps_the_lease() -> None:
    engine = Engine()
    grant(engine, 7)
    put(engine, key=b"a", value=b"1", lease=7)
    put(engine, key=b"a", value=b"2", ignore_lease=True)
    [kv] = get(engine, b"a")
    assert (kv.value, kv.lease) == (b"2", 7)


def test_delete_range_counts_and_shows_what_it_removed() -> None:
    engine = Engine()
    for key in (b"a", b"ab", b"b"):
        put(engine, key=key)
    response = delete(engine, key=b"a", range_end=b"b", prev_kv=True)
    assert (response.deleted, [kv.key for kv in response.prev_kvs]) == (2, [b"a", b"ab"])
    assert response.header.revision == 5
    assert not delete(engine, key=b"b").prev_kvs


def test_deleting_nothing_is_no_revision() -> None:
    engine = Engine()
    response = delete(engine, key=b"\0", range_end=b"\0", prev_kv=True)
    assert (response.deleted, response.header.revision) == (0, 1)
    assert delete(engine, key=b"b", range_end=b"a").deleted == 0


LARGE = b"v" * MAX_REQUEST_BYTES
BOTH = {"ignore_value": True, "ignore_lease": True}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"key": b""}, "etcdserver: key is not provided"),
        ({"key": b"", "value": LARGE}, "etcdserver: key is not provided"),
        ({"key": b"a", "ignore_value": True, "value": b"1"}, "etcdserver: value is provided"),
        ({"key": b"a", "ignore_lease": True, "lease": 9}, "etcdserver: lease is provided"),
        ({**BOTH, "key": b"a", "value": b"1", "lease": 9}, "etcdserver: value is provided"),
        ({"key": b"a", "value": LARGE, "lease": 9}, "etcdserver: request is too large"),
        ({"key": b"a", "lease": 9, "ignore_value": True}, "etcdserver: requested lease not found"),
        ({"key": b"a", "lease": -9}, "etcdserver: requested lease not found"),
        ({"key": b"a", "ignore_value": True}, "etcdserver: key not found"),
        ({"key": b"a", "ignore_lease": True}, "etcdserver: key not found"),
    ],
)
def test_put_refused(fields: dict[str, bytes | int], message: str) -> None:
    engine = Engine()
    with pytest.raises(EtcdError) as refusal:
        put(engine, **fields)
    assert refusal.value.message == message
    assert put(engine, key=b"a").header.revision == 2  # nothing happened before


def test_sizes() -> None:
    engine = Engine()
    put(engine, key=b"a", value=b"v" * (MAX_REQUEST_BYTES - 64))
    with pytest.raises(EtcdError, match="etcdserver: request is too large"):
        put(engine, key=b"a", value=b"v" * (MAX_REQUEST_BYTES - 16))
    with pytest.raises(EtcdError, match="received message larger than max") as refusal:
        put(engine, value=b"v" * (MAX_FRAME_BYTES + 1))
    assert refusal.value.code is StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(EtcdError, match="etcdserver: request is too large"):
        delete(engine, key=LARGE)
    assert get(engine, LARGE) == []  # a read may be as large as a frame
