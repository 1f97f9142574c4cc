"""How long requests are. The lengths were compared with what a real etcd counts."""

from __future__ import annotations

import pytest

from etcd_model import Error, Operation, Result, State, nondeterminism, step
from etcd_model.errors import EMPTY_KEY, NOT_LEADER, TOO_LARGE, Code
from etcd_model.operations import (
    As,
    Campaign,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaderKey,
    LeaseGrant,
    Lock,
    Proclaim,
    Put,
    Range,
    Txn,
    Unlock,
)
from etcd_model.sizes import ENTRY_OVERHEAD, MARGIN, MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES, near_limit, size_of


def value(size: int) -> bytes:
    return b"v" * size


def said(operation: Operation) -> Result:
    return step(step(State(), LeaseGrant(100, id=7))[0], operation)[1]


def too_long(size: int) -> Error:
    return Error(Code.RESOURCE_EXHAUSTED, f"grpc: received message larger than max ({size} vs. 2097152)")


ABSENT = Compare(b"a", CompareTarget.VERSION, CompareResult.EQUAL, 0)


@pytest.mark.parametrize(
    ("operation", "size"),
    [
        (Put(b""), 0),
        (Put(b"a"), 3),
        (Put(b"a", value(127)), 3 + 129),
        (Put(b"a", value(128)), 3 + 131),
        (Put(b"a", lease=127), 3 + 2),
        (Put(b"a", lease=-1), 3 + 11),
        (Put(b"a", prev_kv=True, ignore_lease=True), 3 + 4),
        (Range(b"a", b"b", limit=300, revision=1, sort_order=1, count_only=True), 6 + 3 + 2 + 2 + 2),
        (DeleteRange(b"a", b"\0", prev_kv=True), 6 + 2),
        (Txn(), 0),
        (Txn(success=(Put(b"a"),)), 2 + 2 + 3),
        (Txn(failure=(Txn(),)), 2 + 2),
        (Txn((ABSENT,)), 2 + 3 + 2),
        (Txn((Compare(b"a", CompareTarget.VALUE, CompareResult.NOT_EQUAL, b"", b"b"),)), 2 + 2 + 2 + 3 + 2 + 4),
        (Lock(b"n", 7), 5),
        (Unlock(b"n/7"), 5),
        (Campaign(b"n", 7, b"v"), 8),
        (Proclaim(LeaderKey(b"n", b"n/7", 2, 7), b"v"), 2 + 3 + 5 + 2 + 2 + 3),
        (Proclaim(None, b"v"), 3),
    ],
    ids=str,
)
def test_a_message_is_as_long_as_its_fields(operation: Operation, size: int) -> None:
    assert size_of(operation) == size


LONG = [
    Put(b"a", value(1_600_000)),
    Put(b"a", value(MAX_REQUEST_BYTES)),
    DeleteRange(value(1_600_000)),
    Txn(success=(Put(b"a", value(800_000)),), failure=(Put(b"b", value(800_000)),)),
    Txn((Compare(b"a", CompareTarget.VALUE, CompareResult.EQUAL, value(1_600_000)),), (Put(b"a"),)),
    Txn((Compare(b"a", CompareTarget.VALUE, CompareResult.EQUAL, value(1_600_000)),), (Txn(),)),
]


@pytest.mark.parametrize("operation", LONG, ids=lambda operation: type(operation).__name__)
def test_a_write_must_fit_into_a_raft_entry(operation: Operation) -> None:
    assert said(operation) == TOO_LARGE


@pytest.mark.parametrize(
    "operation",
    [
        Put(b"a", value(MAX_REQUEST_BYTES - 200)),
        Range(value(2_000_000)),
        Txn((Compare(b"a", CompareTarget.VALUE, CompareResult.EQUAL, value(2_000_000)),), (Range(b"a"),)),
        Txn(success=(Put(b"a", value(800_000)),), failure=(Put(b"b", value(700_000)),)),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_a_read_need_not_and_a_shorter_write_does(operation: Operation) -> None:
    assert not isinstance(said(operation), Error)


def test_the_request_itself_is_looked_at_before_its_size() -> None:
    assert said(Put(b"", value(1_600_000))) == EMPTY_KEY


def test_a_message_that_grpc_does_not_take_is_not_looked_at_at_all() -> None:
    assert said(Put(b"", value(MAX_MESSAGE_BYTES - 4))) == EMPTY_KEY
    assert said(Put(b"", value(MAX_MESSAGE_BYTES - 3))) == too_long(MAX_MESSAGE_BYTES + 1)
    assert said(As("bad", Range(b"a", value(MAX_MESSAGE_BYTES)))) == too_long(MAX_MESSAGE_BYTES + 3 + 5)
    assert said(Txn(success=(Put(b"a", value(1_100_000)),) * 2)) == too_long(2 * (1_100_007 + 4 + 4))


def test_what_the_recipes_write_must_fit_too() -> None:
    refused = Error(Code.UNKNOWN, TOO_LARGE.message)
    assert said(Campaign(b"e", 7, value(1_600_000))) == refused
    assert said(Lock(value(600_000), 7)) == refused
    assert said(Unlock(value(1_600_000))) == refused
    assert said(Proclaim(LeaderKey(b"e", b"e/7", 1, 7), value(1_500_000))) == NOT_LEADER
    assert said(Campaign(b"e", 7, value(2_200_000))) == too_long(size_of(Campaign(b"e", 7, value(2_200_000))))


@pytest.mark.parametrize(
    ("room", "near"), [(MARGIN + 1, False), (MARGIN, True), (0, True), (-MARGIN, True), (-MARGIN - 1, False)]
)
def test_near_the_limit_of_a_raft_entry_nothing_is_promised(room: int, near: bool) -> None:
    put = Put(b"a", value(MAX_REQUEST_BYTES - ENTRY_OVERHEAD - room - 7))
    assert size_of(put) + ENTRY_OVERHEAD + room == MAX_REQUEST_BYTES
    assert near_limit(put) == near
    assert near_limit(As("token", put)) == near
    assert (nondeterminism(As("token", put), State()) is not None) == near


def test_the_margin_of_a_campaign_holds_what_it_writes_besides() -> None:
    for operation in (
        Campaign(b"e", 7, value(MAX_REQUEST_BYTES - 200)),
        Proclaim(None, value(MAX_REQUEST_BYTES - 200)),
    ):
        assert near_limit(operation)
        assert nondeterminism(operation, State()) is not None
    assert not near_limit(Campaign(b"e", 7, value(MAX_REQUEST_BYTES - 1000)))


def test_short_requests_are_near_no_limit() -> None:
    for operation in (Put(b"a", value(100)), Txn(), Lock(b"n"), LeaseGrant(10)):
        assert not near_limit(operation)
