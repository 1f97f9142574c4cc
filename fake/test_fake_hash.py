"""HashKV: what real servers answered."""

import pytest

from fake_etcd import Engine, EtcdError
from fake_etcd.wire import messages as pb

EMPTY = 1084519789
"""Of nothing but the bucket's name."""


def hash_kv(engine: Engine, revision: int = 0) -> pb.HashKVResponse:
    response = engine.call("/etcdserverpb.Maintenance/HashKV", pb.HashKVRequest(revision=revision))
    assert isinstance(response, pb.HashKVResponse)
    return response


def put(engine: Engine, key: bytes, value: bytes = b"v") -> None:
    engine.call("/etcdserverpb.KV/Put", pb.PutRequest(key=key, value=value))


def delete(engine: Engine, key: bytes, range_end: bytes = b"") -> None:
    engine.call("/etcdserverpb.KV/DeleteRange", pb.DeleteRangeRequest(key=key, range_end=range_end))


def compact(engine: Engine, revision: int) -> None:
    engine.call("/etcdserverpb.KV/Compact", pb.CompactionRequest(revision=revision))


def written(version: str = "3.5.16") -> Engine:
    engine = Engine(version)
    for key in (b"a", b"a", b"b", b"a"):
        put(engine, key)
    return engine


@pytest.mark.parametrize(
    ("revision", "expected"),
    [(0, 1826011252), (-1, EMPTY), (1, EMPTY), (2, 260576384), (3, 2376758335), (5, 1826011252)],
)
def test_hashes_of_a_real_server(revision: int, expected: int) -> None:
    for version, reported in (("3.5.16", 0), ("3.7.3", revision or 5)):
        response = hash_kv(written(version), revision)
        assert (response.hash, response.compact_revision, response.hash_revision) == (expected, -1, reported)
        assert response.header.revision == 5


@pytest.mark.parametrize("version", ["3.5.1", "3.5.16"])
def test_revisions_that_are_not_there(version: str) -> None:
    engine = written(version)
    compact(engine, 3)
    compact(engine, 4)
    assert hash_kv(engine, -1).hash == EMPTY
    with pytest.raises(EtcdError, match="required revision is a future revision"):
        hash_kv(engine, 6)
    with pytest.raises(EtcdError, match="required revision has been compacted"):
        hash_kv(engine, 2)


def test_the_compacted_revision_itself() -> None:
    """Since 3.4.27 and 3.5.10 it is hashed like any other; since 3.5.5, what was there before is what is reported."""
    for version, expected in (("3.5.4", None), ("3.4.27", 4), ("3.5.5", -1), ("3.6.0", -1)):
        engine = written(version)
        compact(engine, 4)
        if expected is None:
            with pytest.raises(EtcdError, match="has been compacted"):
                hash_kv(engine, 4)
        else:
            assert hash_kv(engine, 4).compact_revision == expected
        assert hash_kv(engine).compact_revision == 4


def test_compaction_leaves_the_hash_of_what_was_there() -> None:
    engine = written()
    before = hash_kv(engine, 4)
    compact(engine, 4)
    assert hash_kv(engine, 4) == before
    compact(engine, 5)
    assert hash_kv(engine, 4) == before
    for _ in range(9):
        put(engine, b"a")
        compact(engine, hash_kv(engine).header.revision)
    with pytest.raises(EtcdError, match="has been compacted"):  # only the last ten are known
        hash_kv(engine, 4)


def test_compaction_at_0_answers_for_the_current_revision() -> None:
    engine = written("3.7.3")
    compact(engine, 0)
    response = hash_kv(engine)
    assert (response.hash, response.compact_revision, response.hash_revision) == (EMPTY, -1, 0)


def test_what_compaction_leaves_is_hashed_in_its_place() -> None:
    """Also where its place in its revision is known from nothing else any more."""
    hashes = set()
    for order in ((b"a", b"b", b"c"), (b"c", b"b", b"a")):
        engine = Engine("3.4.27")  # keeps no hashes of its own
        request = pb.TxnRequest()
        for key in order:
            request.success.add(request_put=pb.PutRequest(key=key))
        engine.call("/etcdserverpb.KV/Txn", request)
        delete(engine, b"b")
        put(engine, b"d")
        before = hash_kv(engine).hash
        compact(engine, 3)
        compacted = hash_kv(engine).hash
        compact(engine, 4)
        hashes |= {before, compacted, hash_kv(engine).hash}
    # b's death at the compacted revision is not hashed, before it is gone and after
    assert len(hashes) == 4


def test_a_rebirth_counts_for_nothing_in_its_own_revision_where_tombstones_are_kept() -> None:
    """A real 3.5.16 hashes what compaction left, as nothing of it is needed and nothing else lives."""
    hashes = {}
    for version in ("3.5.15", "3.5.16"):
        engine = Engine(version)
        put(engine, b"a")
        put(engine, b"a")
        compact(engine, 3)
        request = pb.TxnRequest()
        request.success.add(request_delete_range=pb.DeleteRangeRequest(key=b"a", range_end=b"\0"))
        request.success.add(request_put=pb.PutRequest(key=b"a"))
        engine.call("/etcdserverpb.KV/Txn", request)
        hashes[version] = hash_kv(engine).hash
    assert hashes["3.5.15"] != hashes["3.5.16"]


@pytest.mark.parametrize("records", [900, 1_100])
def test_a_compaction_is_hashed_at_once_or_when_somebody_asks(records: int) -> None:
    engine = Engine()
    for number in range(records):
        put(engine, b"%d" % (number % 7))
    before = hash_kv(engine)
    compact(engine, records + 1)
    put(engine, b"1")
    assert hash_kv(engine, records + 1).hash == before.hash


@pytest.mark.parametrize(("puts", "compact_revision"), [(20, -1), (21, 22)])
def test_a_compaction_of_very_much_leaves_no_hash(
    puts: int, compact_revision: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_etcd.hash_kv._MOST_HASHED", 20)
    engine = Engine()
    for _ in range(puts):
        put(engine, b"a")
    compact(engine, puts + 1)
    assert hash_kv(engine, puts + 1).compact_revision == compact_revision
