"""The engine as a whole: versions, methods, reset, sharing."""

import threading

import pytest
from grpc import StatusCode

from fake_etcd import Engine, EtcdError
from fake_etcd.quirks import quirks_of
from fake_etcd.wire import messages as pb
from fake_etcd.wire.methods import METHODS

PUT = "/etcdserverpb.KV/Put"
RANGE = "/etcdserverpb.KV/Range"
TXN = "/etcdserverpb.KV/Txn"


def status(engine: Engine) -> pb.StatusResponse:
    response = engine.call("/etcdserverpb.Maintenance/Status", pb.StatusRequest())
    assert isinstance(response, pb.StatusResponse)
    return response


def get(engine: Engine, **fields: bytes | int) -> pb.RangeResponse:
    response = engine.call(RANGE, pb.RangeRequest(**fields))  # type: ignore[arg-type]
    assert isinstance(response, pb.RangeResponse)
    return response


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("3.5", "not an etcd version: '3.5' (expected three numbers, such as 3.5.16)"),
        ("v3.5.16", "not an etcd version: 'v3.5.16' (expected three numbers, such as 3.5.16)"),
        ("3.5.16-rc.0", "not an etcd version: '3.5.16-rc.0' (expected three numbers, such as 3.5.16)"),
        ("3.3.27", "fake-etcd can't be etcd 3.3.27: it knows 3.4 and later releases of etcd 3"),
        ("4.0.0", "fake-etcd can't be etcd 4.0.0: it knows 3.4 and later releases of etcd 3"),
    ],
)
def test_a_version_that_is_none(version: str, message: str) -> None:
    with pytest.raises(ValueError, match="etcd") as error:
        Engine(version)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("version", "kept"),
    [("3.4.33", False), ("3.4.34", True), ("3.5.0", False), ("3.5.16", True), ("3.6.0", True), ("3.8.0", True)],
)
def test_a_quirk_has_a_first_release_in_each_line(version: str, kept: bool) -> None:
    assert quirks_of(version).compaction_keeps_tombstones is kept


def test_sort_options_are_validated_since_3_6() -> None:
    for field in ("sort_order", "sort_target"):
        with pytest.raises(EtcdError, match="INVALID_ARGUMENT: etcdserver: invalid sort option"):
            get(Engine("3.6.0"), key=b"a", revision=99, **{field: 9})
    with pytest.raises(EtcdError, match="etcdserver: key is not provided"):
        get(Engine("3.6.0"), sort_order=9)


def test_keys_only_leaves_the_lease_out_since_3_7() -> None:
    leases = {}
    for version in ("3.6.16", "3.7.0"):
        engine = Engine(version)
        engine.call("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantRequest(ID=7, TTL=10))
        engine.call(PUT, pb.PutRequest(key=b"a", lease=7))
        leases[version] = [
            get(engine, key=b"a", keys_only=True).kvs[0].lease,
            get(engine, key=b"a", keys_only=True, sort_target=pb.RangeRequest.VALUE).kvs[0].lease,
        ]
    assert leases == {"3.6.16": [7, 7], "3.7.0": [0, 7]}


def test_status() -> None:
    old, new = status(Engine("3.4.23")), status(Engine("3.6.16"))
    assert (old.version, old.storageVersion, old.HasField("downgradeInfo")) == ("3.4.23", "", False)
    assert (new.version, new.storageVersion, new.HasField("downgradeInfo")) == ("3.6.16", "3.6.0", True)
    assert new.leader == new.header.member_id
    assert new.raftIndex == new.raftAppliedIndex > 0
    assert new.dbSize >= new.dbSizeInUse > 0


def test_every_other_method_is_unimplemented() -> None:
    engine = Engine()
    for method in METHODS:
        if not engine.implements(method.path):
            with pytest.raises(EtcdError, match="unknown method") as refusal:
                engine.call(method.path, method.request())
            assert refusal.value.code is StatusCode.UNIMPLEMENTED
    with pytest.raises(EtcdError, match=r"unknown method Nope for service etcdserverpb\.KV"):
        engine.call("/etcdserverpb.KV/Nope", pb.RangeRequest())


def test_reset_gives_a_fresh_store() -> None:
    engine = Engine()
    engine.call("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantRequest(ID=7, TTL=10))
    engine.call(PUT, pb.PutRequest(key=b"a", lease=7))
    engine.call("/etcdserverpb.KV/Compact", pb.CompactionRequest(revision=2))
    engine.reset()
    response = get(engine, key=b"\0", range_end=b"\0", revision=1)
    assert (response.count, response.header.revision) == (0, 1)
    with pytest.raises(EtcdError, match="lease not found"):
        engine.call(PUT, pb.PutRequest(key=b"a", lease=7))


def test_answers_and_requests_belong_to_the_caller() -> None:
    engine = Engine()
    request = pb.PutRequest(key=b"a", value=b"1")
    engine.call(PUT, request)
    request.value = b"mine"
    first = get(engine, key=b"a")
    first.kvs[0].value = b"mine"
    first.header.revision = 99
    second = get(engine, key=b"a")
    assert (second.kvs[0].value, second.header.revision) == (b"1", 2)


def test_concurrent_increments_lose_nothing() -> None:
    engine = Engine()
    engine.call(PUT, pb.PutRequest(key=b"n", value=b"0"))
    each = 300

    def increment() -> None:
        for _ in range(each):
            while True:
                read = get(engine, key=b"n").kvs[0]
                unchanged = pb.Compare(key=b"n", target=pb.Compare.MOD, mod_revision=read.mod_revision)
                write = pb.PutRequest(key=b"n", value=b"%d" % (int(read.value) + 1))
                txn = pb.TxnRequest(compare=[unchanged], success=[pb.RequestOp(request_put=write)])
                response = engine.call(TXN, txn)
                assert isinstance(response, pb.TxnResponse)
                if response.succeeded:
                    break

    threads = [threading.Thread(target=increment) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    final = get(engine, key=b"n")
    assert (final.kvs[0].value, final.kvs[0].version) == (b"%d" % (2 * each), 2 * each + 1)
    assert final.header.revision == 2 * each + 2


def streamed(engine: Engine, **fields: bytes | int) -> list[pb.RangeResponse]:
    request = pb.RangeRequest(**fields)  # type: ignore[arg-type]
    answers = engine.stream("/etcdserverpb.KV/RangeStream", request)
    return [answer.range_response for answer in answers if isinstance(answer, pb.RangeStreamResponse)]


def test_range_stream_answers_in_chunks_of_which_the_last_reports_the_rest() -> None:
    """The chunks are those of a real 3.7.3."""
    engine = Engine("3.7.3")
    for number in range(300):
        engine.call(PUT, pb.PutRequest(key=b"m%05d" % number, value=b"v" * 10_000))
    everything = streamed(engine, key=b"m", range_end=b"n")
    assert [len(chunk.kvs) for chunk in everything] == [10, 20, 40, 80, 80, 70]
    assert [kv.key for chunk in everything for kv in chunk.kvs] == [b"m%05d" % number for number in range(300)]
    assert {chunk.HasField("header") or chunk.count or chunk.more for chunk in everything[:-1]} == {False}
    assert (everything[-1].header.revision, everything[-1].count, everything[-1].more) == (301, 300, False)
    limited = streamed(engine, key=b"m", range_end=b"n", limit=150, keys_only=True)
    assert [len(chunk.kvs) for chunk in limited] == [10, 20, 40, 80]
    assert (limited[-1].count, limited[-1].more) == (300, True)
    assert [len(chunk.kvs) for chunk in streamed(engine, key=b"m", range_end=b"n", limit=-1)] == [300]
    for _ in range(10):
        engine.call(PUT, pb.PutRequest(key=b"big%d" % _, value=b"v" * 1_000_000))
    assert [len(chunk.kvs) for chunk in streamed(engine, key=b"b", range_end=b"\0")] == [10, 5, 10, 20, 40, 80, 80, 65]


@pytest.mark.parametrize(
    "fields",
    [
        {"key": b"z"},
        {"key": b"a"},
        {"key": b"\0", "range_end": b"\0", "count_only": True},
        {"key": b"a", "revision": 2},
    ],
)
def test_range_stream_answers_little_like_range(fields: dict[str, bytes | int]) -> None:
    engine = Engine("3.7.3")
    for value in (b"1", b"2"):
        engine.call(PUT, pb.PutRequest(key=b"a", value=value))
    assert streamed(engine, **fields) == [get(engine, **fields)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sort_order": 2}, "INVALID_ARGUMENT: etcdserver: key is not provided"),
        ({"key": b"a", "sort_order": 3, "min_mod_revision": 1}, "INVALID_ARGUMENT: etcdserver: invalid sort option"),
        (
            {"key": b"a", "sort_order": 1, "sort_target": 1, "revision": 9},
            "UNIMPLEMENTED: RangeStream does not support custom sort orders",
        ),
        (
            {"key": b"a", "max_create_revision": -1, "revision": 9},
            "UNIMPLEMENTED: RangeStream does not support revision filters",
        ),
        ({"key": b"a", "revision": 9}, "OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision"),
    ],
)
def test_range_stream_refused(fields: dict[str, bytes | int], message: str) -> None:
    with pytest.raises(EtcdError) as refusal:
        streamed(Engine("3.7.3"), **fields)
    assert str(refusal.value) == message
    with pytest.raises(EtcdError, match="unknown method RangeStream for service"):
        streamed(Engine("3.6.16"), **fields)
