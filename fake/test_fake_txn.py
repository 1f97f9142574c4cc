"""Txn: compares, checks and their order, execution."""

import pytest

from fake_etcd import Engine, EtcdError
from fake_etcd.wire import messages as pb


def put(key: bytes, **fields: bytes | int) -> pb.RequestOp:
    return pb.RequestOp(request_put=pb.PutRequest(key=key, **fields))  # type: ignore[arg-type]


def get(key: bytes, **fields: bytes | int) -> pb.RequestOp:
    return pb.RequestOp(request_range=pb.RangeRequest(key=key, **fields))  # type: ignore[arg-type]


def delete(key: bytes, end: bytes = b"") -> pb.RequestOp:
    return pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key, range_end=end))


def nest(*then: pb.RequestOp, otherwise: tuple[pb.RequestOp, ...] = (), when: pb.Compare | None = None) -> pb.RequestOp:
    compare = [when] if when else []
    return pb.RequestOp(request_txn=pb.TxnRequest(compare=compare, success=then, failure=otherwise))


def txn(engine: Engine, *then: pb.RequestOp, otherwise: tuple[pb.RequestOp, ...] = ()) -> pb.TxnResponse:
    return call(engine, pb.TxnRequest(success=then, failure=otherwise))


def call(engine: Engine, request: pb.TxnRequest) -> pb.TxnResponse:
    response = engine.call("/etcdserverpb.KV/Txn", request)
    assert isinstance(response, pb.TxnResponse)
    return response


def refusal(engine: Engine, *then: pb.RequestOp) -> str:
    with pytest.raises(EtcdError) as refusal:
        txn(engine, *then)
    return refusal.value.message


KEY_NOT_PROVIDED = "etcdserver: key is not provided"
KEY_NOT_FOUND = "etcdserver: key not found"
DUPLICATE = "etcdserver: duplicate key given in txn request"
TOO_MANY = "etcdserver: too many operations in txn request"
FUTURE = "etcdserver: mvcc: required revision is a future revision"
COMPACTED = "etcdserver: mvcc: required revision has been compacted"
NO_LEASE = "etcdserver: requested lease not found"


@pytest.fixture
def engine() -> Engine:
    """Holds a=1 and b=2, at revision 3."""
    engine = Engine()
    txn(engine, put(b"a", value=b"1"))
    txn(engine, put(b"b", value=b"2"))
    return engine


EQUAL, GREATER, LESS, NOT_EQUAL = range(4)
VERSION, CREATE, MOD, VALUE, LEASE = range(5)

COMPARES = [
    ("equal value", {"key": b"a", "target": VALUE, "value": b"1"}, True),
    ("another value", {"key": b"a", "target": VALUE, "value": b"2"}, False),
    ("a greater value", {"key": b"b", "target": VALUE, "result": GREATER, "value": b"1"}, True),
    ("a missing key has no empty value", {"key": b"x", "target": VALUE, "value": b""}, False),
    ("... nor one that differs", {"key": b"x", "target": VALUE, "result": NOT_EQUAL, "value": b"q"}, False),
    ("... but version 0", {"key": b"x", "target": VERSION, "version": 0}, True),
    ("... and create_revision 0", {"key": b"x", "target": CREATE, "result": LESS, "create_revision": 1}, True),
    ("... and mod_revision 0", {"key": b"x", "target": MOD, "result": GREATER, "mod_revision": -1}, True),
    ("... and lease 0", {"key": b"x", "target": LEASE, "lease": 0}, True),
    ("every key of a range: yes", {"key": b"a", "range_end": b"c", "target": VERSION, "version": 1}, True),
    ("every key of a range: no", {"key": b"a", "range_end": b"c", "target": MOD, "mod_revision": 2}, False),
    ("an inverted range is a missing key", {"key": b"c", "range_end": b"a", "target": MOD, "mod_revision": 0}, True),
    ("an unset operand is 0", {"key": b"a", "target": MOD, "result": GREATER}, True),
    ("a mismatching operand is 0", {"key": b"a", "target": MOD, "version": 2}, False),
    ("an unknown target is equal", {"key": b"a", "target": 9}, True),
    ("an unknown result holds", {"key": b"a", "result": 9}, True),
    ("... not for a missing value", {"key": b"x", "target": VALUE, "result": 9}, False),
]


@pytest.mark.parametrize(("fields", "succeeded"), [c[1:] for c in COMPARES], ids=[c[0] for c in COMPARES])
def test_compare(engine: Engine, fields: dict[str, bytes | int], succeeded: bool) -> None:
    compare = pb.Compare(**fields)  # type: ignore[arg-type]
    assert call(engine, pb.TxnRequest(compare=[compare])).succeeded is succeeded
    always = pb.Compare(key=b"x")
    assert call(engine, pb.TxnRequest(compare=[always, compare, always])).succeeded is succeeded


DUPLICATES = [
    ("put put", [put(b"k"), put(b"k")], True),
    ("put, delete", [put(b"k"), delete(b"k")], True),
    ("delete, put", [delete(b"a", b"z"), put(b"k")], True),
    ("put at the exclusive end", [delete(b"a", b"k"), put(b"k")], False),
    ("overlapping deletes", [delete(b"a", b"z"), delete(b"k")], False),
    ("an inverted delete", [delete(b"z", b"a"), put(b"z")], False),
    ("a delete without an end", [put(b"k"), delete(b"a", b"\0")], False),
    ("outer put, nested put", [put(b"k"), nest(put(b"k"))], True),
    ("outer put, nested put not taken", [put(b"k"), nest(otherwise=(put(b"k"),))], True),
    ("outer put, nested delete", [put(b"k"), nest(delete(b"k"))], True),
    ("then-put, else-put", [nest(put(b"k"), otherwise=(put(b"k"),))], False),
    ("then-put, else-delete", [nest(put(b"k"), otherwise=(delete(b"k"),))], False),
    ("sibling puts", [nest(put(b"k")), nest(put(b"k"))], True),
    ("sibling then and else", [nest(put(b"k")), nest(otherwise=(put(b"k"),))], True),
    ("sibling delete, then put", [nest(delete(b"k")), nest(put(b"k"))], True),
    ("sibling put, then delete", [nest(put(b"k")), nest(delete(b"k"))], False),
]


@pytest.mark.parametrize(("ops", "refused"), [c[1:] for c in DUPLICATES], ids=[c[0] for c in DUPLICATES])
def test_duplicates(engine: Engine, ops: list[pb.RequestOp], refused: bool) -> None:
    if refused:
        assert refusal(engine, *ops) == DUPLICATE
    else:
        txn(engine, *ops)


def test_the_same_key_in_both_branches_is_no_duplicate(engine: Engine) -> None:
    txn(engine, put(b"k"), otherwise=(put(b"k"),))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (pb.TxnRequest(compare=[pb.Compare(key=b"")], success=[put(b"")]), KEY_NOT_PROVIDED),
        (pb.TxnRequest(failure=[put(b"")]), KEY_NOT_PROVIDED),
        (pb.TxnRequest(success=[nest(nest(get(b"")))]), KEY_NOT_PROVIDED),
        (pb.TxnRequest(success=[pb.RequestOp()]), KEY_NOT_FOUND),
        (pb.TxnRequest(success=[put(b"k"), put(b"k"), put(b"")]), KEY_NOT_PROVIDED),
        (pb.TxnRequest(success=[get(b"")] * 129), TOO_MANY),
        (pb.TxnRequest(success=[nest(*[get(b"a")] * 65)] * 64), TOO_MANY),
        (pb.TxnRequest(success=[nest(get(b"a"))] * 128), TOO_MANY),
        (pb.TxnRequest(success=[put(b"k", ignore_value=True, value=b"1")]), "etcdserver: value is provided"),
    ],
)
def test_structure_refused(engine: Engine, request_: pb.TxnRequest, message: str) -> None:
    with pytest.raises(EtcdError) as refusal:
        call(engine, request_)
    assert refusal.value.message == message


def test_the_budget_is_per_path(engine: Engine) -> None:
    compares = [pb.Compare(key=b"x")] * 128
    assert call(engine, pb.TxnRequest(compare=compares, success=[get(b"a")] * 128, failure=[get(b"a")] * 128)).succeeded
    assert len(txn(engine, *[nest(*[get(b"a")] * 64)] * 64).responses) == 64
    assert len(txn(engine, *[nest()] * 128).responses) == 128


CHECKS: list[tuple[list[pb.RequestOp], dict[str, str]]] = [
    ([get(b"a", revision=4), put(b"k")], {"3.5.16": FUTURE, "3.6.0": FUTURE, "3.7.0": FUTURE}),
    ([get(b"a", revision=4), put(b"x", ignore_value=True)], {"3.5.16": KEY_NOT_FOUND, "3.6.0": FUTURE}),
    ([nest(get(b"a", revision=-2)), put(b"x", lease=9)], {"3.4.23": NO_LEASE, "3.6.0": COMPACTED}),
    ([put(b"x", ignore_value=True, lease=9)], {"3.5.16": KEY_NOT_FOUND, "3.6.0": KEY_NOT_FOUND, "3.7.0": NO_LEASE}),
    ([get(b"a", revision=-2)], {"3.5.16": COMPACTED, "3.6.0": COMPACTED}),
]


@pytest.mark.parametrize(("ops", "by_version"), CHECKS)
def test_refused_by_the_state(ops: list[pb.RequestOp], by_version: dict[str, str]) -> None:
    for version, message in by_version.items():
        engine = Engine(version)
        assert refusal(engine, put(b"first"), *ops) == message
        assert txn(engine, get(b"first")).header.revision == 1


def test_revision_minus_one_is_readable_until_the_first_compaction(engine: Engine) -> None:
    assert txn(engine, get(b"a", revision=-1)).responses[0].response_range.count == 1
    engine.call("/etcdserverpb.KV/Compact", pb.CompactionRequest(revision=1))
    assert refusal(engine, get(b"a", revision=-1)) == COMPACTED


def test_the_branch_not_taken_is_not_checked_against_the_state(engine: Engine) -> None:
    assert txn(engine, otherwise=(put(b"x", lease=9), get(b"a", revision=99))).succeeded


def test_ops_see_the_writes_before_them(engine: Engine) -> None:
    response = txn(engine, get(b"a"), put(b"a", value=b"9", prev_kv=True), get(b"a"), nest(delete(b"b")), get(b"b"))
    before, written, after, nested, gone = response.responses
    assert [kv.value for kv in before.response_range.kvs] == [b"1"]
    assert written.response_put.prev_kv.value == b"1"
    assert list(after.response_range.kvs) == [
        pb.KeyValue(key=b"a", value=b"9", create_revision=2, mod_revision=4, version=2)
    ]
    assert nested.response_txn.responses[0].response_delete_range.deleted == 1
    assert gone.response_range.count == 0


def test_headers(engine: Engine) -> None:
    response = txn(engine, get(b"a"), delete(b"x"), nest(put(b"k")), get(b"a"), delete(b"x"))
    first, nothing, nested, second, again = response.responses
    assert first.response_range.header == pb.ResponseHeader(revision=3)
    assert nothing.response_delete_range.header == pb.ResponseHeader(revision=3)
    assert nested.response_txn.HasField("header")
    assert nested.response_txn.header == pb.ResponseHeader()
    assert nested.response_txn.responses[0].response_put.header == pb.ResponseHeader(revision=4)
    assert second.response_range.header == pb.ResponseHeader(revision=4)
    assert again.response_delete_range.header == pb.ResponseHeader(revision=4)
    assert (response.header.revision, response.header.raft_term) == (4, 2)


def test_a_historical_read_in_a_txn_does_not_see_its_writes(engine: Engine) -> None:
    response = txn(engine, put(b"a", value=b"9"), get(b"a", revision=3))
    assert response.responses[1].response_range.kvs[0].value == b"1"


def test_nested_compares_see_the_state_before_the_txn(engine: Engine) -> None:
    is_missing = pb.Compare(key=b"k", target=pb.Compare.CREATE, create_revision=0)
    response = txn(engine, put(b"k"), nest(when=is_missing))
    assert response.responses[1].response_txn.succeeded


def test_only_changes_are_a_revision(engine: Engine) -> None:
    assert txn(engine).header.revision == 3
    assert txn(engine, delete(b"x"), nest(get(b"a"))).header.revision == 3
    assert txn(engine, put(b"x"), put(b"y"), delete(b"a", b"c")).header.revision == 4


def test_one_txn_may_delete_and_put_a_key(engine: Engine) -> None:
    response = txn(engine, delete(b"a", b"\0"), put(b"a", value=b"new"), get(b"a"))
    assert list(response.responses[2].response_range.kvs) == [
        pb.KeyValue(key=b"a", value=b"new", create_revision=4, mod_revision=4, version=1)
    ]


CRASHERS = [
    [put(b"k"), delete(b"a", b"\0"), put(b"b", ignore_value=True)],
    [nest(delete(b"b", b"\0")), put(b"b", ignore_lease=True)],
    [put(b"k"), get(b"a", sort_target=9)],
]


@pytest.mark.parametrize("ops", CRASHERS)
def test_what_kills_a_real_server_changes_nothing(engine: Engine, ops: list[pb.RequestOp]) -> None:
    assert refusal(engine, *ops).startswith("fake-etcd: a real etcd 3.5.16 would crash on this request: ")
    assert txn(engine, get(b"\0", range_end=b"\0")).responses[0].response_range.count == 2
    assert txn(engine).header.revision == 3


def test_what_kills_no_server_runs(engine: Engine) -> None:
    txn(engine, put(b"b", ignore_value=True), delete(b"a", b"\0"))
    txn(Engine("3.5.16"), otherwise=(get(b"a", sort_target=9),))
