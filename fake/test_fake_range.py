"""Range: what a read answers, case by case on one store."""

import pytest

from fake_etcd import Engine, EtcdError
from fake_etcd.wire import messages as pb


def call(engine: Engine, method: str, request: pb.PutRequest | pb.DeleteRangeRequest | pb.RangeRequest) -> None:
    engine.call(f"/etcdserverpb.KV/{method}", request)


def range_(engine: Engine, request: pb.RangeRequest) -> pb.RangeResponse:
    response = engine.call("/etcdserverpb.KV/Range", request)
    assert isinstance(response, pb.RangeResponse)
    return response


@pytest.fixture
def engine() -> Engine:
    """a=3 (put twice), b=2 (re-created), c=1, d=1 deleted; revision 8."""
    engine = Engine()
    call(engine, "Put", pb.PutRequest(key=b"a", value=b"0"))  # revision 2
    call(engine, "Put", pb.PutRequest(key=b"b", value=b"0"))  # 3
    call(engine, "DeleteRange", pb.DeleteRangeRequest(key=b"b"))  # 4
    call(engine, "Put", pb.PutRequest(key=b"c", value=b"1"))  # 5
    call(engine, "Put", pb.PutRequest(key=b"a", value=b"3"))  # 6
    call(engine, "Put", pb.PutRequest(key=b"b", value=b"2"))  # 7
    call(engine, "DeleteRange", pb.DeleteRangeRequest(key=b"missing"))  # 7 still
    call(engine, "Put", pb.PutRequest(key=b"b", value=b"2"))  # 8
    return engine


ALL = {"key": b"\0", "range_end": b"\0"}
COUNT = {**ALL, "count_only": True}

CASES = [
    ("one key", {"key": b"a"}, [b"a"], 1, False),
    ("a missing key", {"key": b"x"}, [], 0, False),
    ("[a, c)", {"key": b"a", "range_end": b"c"}, [b"a", b"b"], 2, False),
    ("from b on", {"key": b"b", "range_end": b"\0"}, [b"b", b"c"], 2, False),
    ("everything", ALL, [b"a", b"b", b"c"], 3, False),
    ("an inverted range", {"key": b"c", "range_end": b"a"}, [], 0, False),
    ("an empty range", {"key": b"a", "range_end": b"a"}, [], 0, False),
    ("two zero bytes are a literal end", {"key": b"a", "range_end": b"\0\0"}, [], 0, False),
    ("limit: count stays whole", {**ALL, "limit": 2}, [b"a", b"b"], 3, True),
    ("limit = what there is", {**ALL, "limit": 3}, [b"a", b"b", b"c"], 3, False),
    ("a negative limit is none", {**ALL, "limit": -1}, [b"a", b"b", b"c"], 3, False),
    ("count_only ignores limit and filters", {**COUNT, "limit": 1, "min_mod_revision": 8}, [], 3, False),
    ("a filter: count stays whole", {**ALL, "min_mod_revision": 6}, [b"a", b"b"], 3, False),
    ("max_mod_revision", {**ALL, "max_mod_revision": 6}, [b"a", b"c"], 3, False),
    ("a negative filter is set", {**ALL, "max_mod_revision": -1}, [], 3, False),
    ("create filters", {**ALL, "min_create_revision": 3, "max_create_revision": 6}, [b"c"], 3, False),
    ("descending", {**ALL, "sort_order": 2}, [b"c", b"b", b"a"], 3, False),
    ("by mod", {**ALL, "sort_order": 1, "sort_target": 3}, [b"c", b"a", b"b"], 3, False),
    ("by create, descending", {**ALL, "sort_order": 2, "sort_target": 2}, [b"b", b"c", b"a"], 3, False),
    ("a tie stays in key order", {**ALL, "sort_order": 2, "sort_target": 1}, [b"a", b"b", b"c"], 3, False),
    ("by value", {**ALL, "sort_order": 1, "sort_target": 4}, [b"c", b"b", b"a"], 3, False),
    ("by hidden values", {**ALL, "sort_order": 1, "sort_target": 4, "keys_only": True}, [b"c", b"b", b"a"], 3, False),
    ("a target without an order ascends", {**ALL, "sort_target": 4}, [b"c", b"b", b"a"], 3, False),
    ("... but a limit comes before it", {**ALL, "sort_target": 4, "limit": 1}, [b"b"], 3, True),
    ("... unless a filter is set", {**ALL, "sort_target": 4, "limit": 1, "min_mod_revision": 1}, [b"c"], 3, True),
    ("sort, then limit", {**ALL, "sort_order": 2, "limit": 1}, [b"c"], 3, True),
    ("an unknown order is key order", {**ALL, "sort_order": 9, "sort_target": 4}, [b"a", b"b", b"c"], 3, False),
    ("unknown order and target sort nothing", {**ALL, "sort_order": 9, "sort_target": 9}, [b"a", b"b", b"c"], 3, False),
    ("history: before the first write", {**ALL, "revision": 1}, [], 0, False),
    ("history: b in its first life", {**ALL, "revision": 3}, [b"a", b"b"], 2, False),
    ("history: b deleted", {**ALL, "revision": 4}, [b"a"], 1, False),
    ("history: count_only", {**ALL, "revision": 5, "count_only": True}, [], 2, False),
    ("a negative revision is now", {**ALL, "revision": -5}, [b"a", b"b", b"c"], 3, False),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "keys", "count", "more"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_range(engine: Engine, request_: dict[str, int | bytes], keys: list[bytes], count: int, more: bool) -> None:
    response = range_(engine, pb.RangeRequest(**request_))  # type: ignore[arg-type]
    assert ([kv.key for kv in response.kvs], response.count, response.more) == (keys, count, more)
    assert response.header.revision == 8  # the current one, whichever was read


def test_key_values_report_their_history(engine: Engine) -> None:
    assert list(range_(engine, pb.RangeRequest(key=b"b")).kvs) == [
        pb.KeyValue(key=b"b", value=b"2", create_revision=7, mod_revision=8, version=2)
    ]
    assert list(range_(engine, pb.RangeRequest(key=b"a", revision=5)).kvs) == [
        pb.KeyValue(key=b"a", value=b"0", create_revision=2, mod_revision=2, version=1)
    ]
    assert list(range_(engine, pb.RangeRequest(key=b"b", keys_only=True)).kvs) == [
        pb.KeyValue(key=b"b", create_revision=7, mod_revision=8, version=2)
    ]


def test_header_names_a_cluster() -> None:
    header = range_(Engine(), pb.RangeRequest(key=b"a")).header
    assert header.cluster_id
    assert header.member_id
    assert (header.raft_term, header.revision) == (2, 1)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"key": b""}, "etcdserver: key is not provided"),
        ({"key": b"", "revision": 99}, "etcdserver: key is not provided"),
        ({"key": b"missing", "revision": 9}, "etcdserver: mvcc: required revision is a future revision"),
        ({"key": b"a", "sort_target": 9, "revision": 9}, "etcdserver: mvcc: required revision is a future revision"),
        (
            {"key": b"a", "sort_target": 9},
            "fake-etcd: a real etcd 3.5.16 would crash on this request: a range with an unknown sort_target",
        ),
    ],
)
def test_range_refused(engine: Engine, request_: dict[str, int | bytes], message: str) -> None:
    with pytest.raises(EtcdError) as refusal:
        range_(engine, pb.RangeRequest(**request_))  # type: ignore[arg-type]
    assert refusal.value.message == message
