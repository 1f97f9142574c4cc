"""Compact: what it refuses, what it forgets, what it must not forget."""

import gc
import tracemalloc

import pytest

from fake_etcd import Engine, EtcdError
from fake_etcd.wire import messages as pb

COMPACTED = "etcdserver: mvcc: required revision has been compacted"
FUTURE = "etcdserver: mvcc: required revision is a future revision"


def put(engine: Engine, key: bytes, value: bytes = b"") -> None:
    engine.call("/etcdserverpb.KV/Put", pb.PutRequest(key=key, value=value))


def delete(engine: Engine, key: bytes, end: bytes = b"") -> None:
    engine.call("/etcdserverpb.KV/DeleteRange", pb.DeleteRangeRequest(key=key, range_end=end))


def compact(engine: Engine, revision: int) -> str:
    """The refusal, or nothing."""
    try:
        engine.call("/etcdserverpb.KV/Compact", pb.CompactionRequest(revision=revision))
    except EtcdError as error:
        return error.message
    return ""


def values(engine: Engine, revision: int = 0) -> dict[bytes, bytes]:
    response = engine.call("/etcdserverpb.KV/Range", pb.RangeRequest(key=b"\0", range_end=b"\0", revision=revision))
    assert isinstance(response, pb.RangeResponse)
    return {kv.key: kv.value for kv in response.kvs}


def test_a_fresh_store_is_compacted_at_minus_one() -> None:
    engine = Engine()
    assert [compact(engine, revision) for revision in (-1, 0, 0, 1, 1)] == [COMPACTED, "", COMPACTED, "", COMPACTED]
    assert compact(engine, 2) == FUTURE


def test_compaction_forgets_what_no_later_read_can_see() -> None:
    engine = Engine()
    put(engine, b"a", b"1")  # 2
    put(engine, b"b", b"1")  # 3
    put(engine, b"a", b"2")  # 4
    delete(engine, b"b")  # 5
    put(engine, b"b", b"3")  # 6
    put(engine, b"a", b"3")  # 7
    assert compact(engine, 5) == ""
    assert values(engine, 5) == {b"a": b"2"}  # the compacted revision itself is readable
    assert values(engine, 6) == {b"a": b"2", b"b": b"3"}
    assert values(engine) == {b"a": b"3", b"b": b"3"}
    with pytest.raises(EtcdError, match=COMPACTED):
        values(engine, 4)
    assert compact(engine, 4) == COMPACTED
    assert compact(engine, 7) == ""
    assert values(engine) == {b"a": b"3", b"b": b"3"}
    kv = engine.call("/etcdserverpb.KV/Range", pb.RangeRequest(key=b"a"))
    assert isinstance(kv, pb.RangeResponse)
    assert (kv.kvs[0].create_revision, kv.kvs[0].version, kv.header.revision) == (2, 3, 7)


def test_a_deleted_key_lives_again_after_compaction() -> None:
    engine = Engine()
    put(engine, b"a")  # 2
    delete(engine, b"a")  # 3
    assert compact(engine, 3) == ""
    assert values(engine, 3) == {}
    put(engine, b"a", b"new")  # 4
    assert compact(engine, 4) == ""
    assert values(engine) == {b"a": b"new"}


@pytest.mark.parametrize(
    ("version", "loses"),
    [("3.4.33", False), ("3.5.15", False), ("3.4.34", True), ("3.5.16", True), ("3.6.0", True), ("3.7.3", True)],
)
def test_a_compaction_that_loses_a_key(version: str, loses: bool) -> None:
    engine = Engine(version)
    put(engine, b"a")
    ops = [
        pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=b"a", range_end=b"\0")),
        pb.RequestOp(request_put=pb.PutRequest(key=b"a", value=b"2")),
    ]
    engine.call("/etcdserverpb.KV/Txn", pb.TxnRequest(success=ops))
    refusal = (
        f"fake-etcd: a real etcd {version} would crash on this request: it loses b'a', whose next read is then fatal"
    )
    assert compact(engine, 3) == (refusal if loses else "")
    put(engine, b"b")
    assert compact(engine, 4) == ""
    assert values(engine) == {b"a": b"2", b"b": b""}


def test_compaction_frees_memory() -> None:
    engine = Engine()
    gc.collect()
    tracemalloc.start()
    try:
        empty, _ = tracemalloc.get_traced_memory()
        for number in range(3000):
            put(engine, b"%d" % (number % 10), b"v" * 200)
        for number in range(3000):
            put(engine, b"gone/%d" % number, b"v" * 200)
        delete(engine, b"gone/", b"gone0")
        full, _ = tracemalloc.get_traced_memory()
        assert compact(engine, 6002) == ""
        put(engine, b"0")
        gc.collect()
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(values(engine)) == 10
    assert full - empty > 6000 * 200
    # what stays: ten keys, and the events of the compacted revision, which a watch may still ask for
    assert left - empty < (full - empty) / 3
