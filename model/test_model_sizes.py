"""How long requests are. The lengths were compared with what a real etcd counts."""

from __future__ import annotations

import pytest

from etcd_model import Error, Operation, Result, State, nondeterminism, step
from etcd_model import operations as op
from etcd_model.errors import EMPTY_KEY, NOT_LEADER, TOO_LARGE, Code
from etcd_model.sizes import ENTRY_OVERHEAD, MARGIN, MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES, near_limit, size_of


def value(size: int) -> bytes:
    return b"v" * size


def said(operation: Operation) -> Result:
    return step(step(State(), op.LeaseGrant(100, id=7))[0], operation)[1]


def too_long(size: int) -> Error:
    return Error(Code.RESOURCE_EXHAUSTED, f"grpc: received message larger than max ({size} vs. 2097152)")


ABSENT = op.Compare(b"a", op.CompareTarget.VERSION, op.CompareResult.EQUAL, 0)


@pytest.mark.parametrize(
    ("operation", "size"),
    [
        (op.Put(b""), 0),
        (op.Put(b"a"), 3),
        (op.Put(b"a", value(127)), 3 + 129),
        (op.Put(b"a", value(128)), 3 + 131),
        (op.Put(b"a", lease=127), 3 + 2),
        (op.Put(b"a", lease=-1), 3 + 11),
        (op.Put(b"a", prev_kv=True, ignore_lease=True), 3 + 4),
        (op.Range(b"a", b"b", limit=300, revision=1, sort_order=1, count_only=True), 6 + 3 + 2 + 2 + 2),
        (op.DeleteRange(b"a", b"\0", prev_kv=True), 6 + 2),
        (op.Txn(), 0),
        (op.Txn(success=(op.Put(b"a"),)), 2 + 2 + 3),
        (op.Txn(failure=(op.Txn(),)), 2 + 2),
        (op.Txn((ABSENT,)), 2 + 3 + 2),
        (
            op.Txn((op.Compare(b"a", op.CompareTarget.VALUE, op.CompareResult.NOT_EQUAL, b"", b"b"),)),
            2 + 2 + 2 + 3 + 2 + 4,
        ),
        (op.Lock(b"n", 7), 5),
        (op.Unlock(b"n/7"), 5),
        (op.Campaign(b"n", 7, b"v"), 8),
        (op.Proclaim(op.LeaderKey(b"n", b"n/7", 2, 7), b"v"), 2 + 3 + 5 + 2 + 2 + 3),
        (op.Proclaim(None, b"v"), 3),
    ],
    ids=str,
)
def test_a_message_is_as_long_as_its_fields(operation: Operation, size: int) -> None:
    assert size_of(operation) == size


LONG = [
    op.Put(b"a", value(1_600_000)),
    op.Put(b"a", value(MAX_REQUEST_BYTES)),
    op.DeleteRange(value(1_600_000)),
    op.Txn(success=(op.Put(b"a", value(800_000)),), failure=(op.Put(b"b", value(800_000)),)),
    op.Txn((op.Compare(b"a", op.CompareTarget.VALUE, op.CompareResult.EQUAL, value(1_600_000)),), (op.Put(b"a"),)),
    op.Txn((op.Compare(b"a", op.CompareTarget.VALUE, op.CompareResult.EQUAL, value(1_600_000)),), (op.Txn(),)),
]


@pytest.mark.parametrize("operation", LONG, ids=lambda operation: type(operation).__name__)
def test_a_write_must_fit_into_a_raft_entry(operation: Operation) -> None:
    assert said(operation) == TOO_LARGE


@pytest.mark.parametrize(
    "operation",
    [
        op.Put(b"a", value(MAX_REQUEST_BYTES - 200)),
        op.Range(value(2_000_000)),
        op.Txn(
            (op.Compare(b"a", op.CompareTarget.VALUE, op.CompareResult.EQUAL, value(2_000_000)),), (op.Range(b"a"),)
        ),
        op.Txn(success=(op.Put(b"a", value(800_000)),), failure=(op.Put(b"b", value(700_000)),)),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_a_read_need_not_and_a_shorter_write_does(operation: Operation) -> None:
    assert not isinstance(said(operation), Error)


def test_the_request_itself_is_looked_at_before_its_size() -> None:
    assert said(op.Put(b"", value(1_600_000))) == EMPTY_KEY


def test_a_message_that_grpc_does_not_take_is_not_looked_at_at_all() -> None:
    assert said(op.Put(b"", value(MAX_MESSAGE_BYTES - 4))) == EMPTY_KEY
    assert said(op.Put(b"", value(MAX_MESSAGE_BYTES - 3))) == too_long(MAX_MESSAGE_BYTES + 1)
    assert said(op.As("bad", op.Range(b"a", value(MAX_MESSAGE_BYTES)))) == too_long(MAX_MESSAGE_BYTES + 3 + 5)
    assert said(op.Txn(success=(op.Put(b"a", value(1_100_000)),) * 2)) == too_long(2 * (1_100_007 + 4 + 4))


def test_what_the_recipes_write_must_fit_too() -> None:
    refused = Error(Code.UNKNOWN, TOO_LARGE.message)
    assert said(op.Campaign(b"e", 7, value(1_600_000))) == refused
    assert said(op.Lock(value(600_000), 7)) == refused
    assert said(op.Unlock(value(1_600_000))) == refused
    assert said(op.Proclaim(op.LeaderKey(b"e", b"e/7", 1, 7), value(1_500_000))) == NOT_LEADER
    assert said(op.Campaign(b"e", 7, value(2_200_000))) == too_long(size_of(op.Campaign(b"e", 7, value(2_200_000))))


@pytest.mark.parametrize(
    ("room", "near"), [(MARGIN + 1, False), (MARGIN, True), (0, True), (-MARGIN, True), (-MARGIN - 1, False)]
)
def test_near_the_limit_of_a_raft_entry_nothing_is_promised(room: int, near: bool) -> None:
    put = op.Put(b"a", value(MAX_REQUEST_BYTES - ENTRY_OVERHEAD - room - 7))
    assert size_of(put) + ENTRY_OVERHEAD + room == MAX_REQUEST_BYTES
    assert near_limit(put) == near
    assert near_limit(op.As("token", put)) == near
    assert (nondeterminism(op.As("token", put), State()) is not None) == near


def test_the_margin_of_a_campaign_holds_what_it_writes_besides() -> None:
    for operation in (
        op.Campaign(b"e", 7, value(MAX_REQUEST_BYTES - 200)),
        op.Proclaim(None, value(MAX_REQUEST_BYTES - 200)),
    ):
        assert near_limit(operation)
        assert nondeterminism(operation, State()) is not None
    assert not near_limit(op.Campaign(b"e", 7, value(MAX_REQUEST_BYTES - 1000)))


def test_short_requests_are_near_no_limit() -> None:
    for operation in (op.Put(b"a", value(100)), op.Txn(), op.Lock(b"n"), op.LeaseGrant(10)):
        assert not near_limit(operation)
