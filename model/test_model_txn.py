"""The txn's checks one by one: sizes with a small budget, which error is first, and which keys are written twice.

What the real etcd was asked stands in the transcripts; here is what only the model can be asked, or cheaply.
"""

from __future__ import annotations

from itertools import permutations, product

import pytest

from etcd_model import Error, Server, State, quirks_of, step
from etcd_model.errors import (
    COMPACTED,
    DUPLICATE_KEY,
    EMPTY_KEY,
    FUTURE_REVISION,
    INVALID_SORT_OPTION,
    KEY_NOT_FOUND,
    LEASE_NOT_FOUND,
    TOO_MANY_OPS,
    VALUE_PROVIDED,
)
from etcd_model.operations import Compare, CompareResult, CompareTarget, DeleteRange, Put, Range, RequestOp, Txn
from etcd_model.results import KeyValue, TxnResult
from etcd_model.txn import holds, succeeds

ABSENT = Compare(b"x", CompareTarget.VERSION, CompareResult.EQUAL, 0)
READ = Range(b"r")


def refusal(txn: Txn, version: str = "3.5.16", max_txn_ops: int = 128) -> Error | None:
    """What a fresh store refuses it with, if it does."""
    server = Server(quirks=quirks_of(version), max_txn_ops=max_txn_ops)
    _, result = step(State(server=server), txn)
    return result if isinstance(result, Error) else None


# Sizes.


@pytest.mark.parametrize(
    ("txn", "needed"),
    [
        (Txn(), 0),
        (Txn((ABSENT,) * 3), 3),
        (Txn(success=(READ,) * 3), 3),
        (Txn(failure=(READ,) * 3), 3),
        (Txn((ABSENT,) * 3, (READ,) * 3, (READ,) * 3), 3),
        (Txn(success=(Txn(),)), 1),
        (Txn(success=(Txn(success=(READ,)),)), 2),
        (Txn(success=(Txn(success=(READ,)),) * 2), 3),
        (Txn(success=(Txn(success=(READ,)), Txn(success=(READ,) * 2))), 4),
        (Txn((ABSENT,) * 4, (Txn(success=(READ,)),)), 5),
        (Txn(failure=(Txn(failure=(Txn(failure=(READ,)),)),)), 3),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_a_txn_needs_the_sum_of_the_longest_lists_along_its_worst_path(txn: Txn, needed: int) -> None:
    assert refusal(txn, max_txn_ops=needed) is None
    if needed:
        assert refusal(txn, max_txn_ops=needed - 1) == TOO_MANY_OPS


# Which error is first.

_FAULTS: list[tuple[Error, Txn]] = [
    (TOO_MANY_OPS, Txn(failure=(READ,) * 129)),
    (EMPTY_KEY, Txn((Compare(b"", CompareTarget.VALUE, CompareResult.EQUAL, b""),))),
    (INVALID_SORT_OPTION, Txn(success=(Range(b"a", sort_order=9),))),
    (VALUE_PROVIDED, Txn(failure=(Put(b"v", b"1", ignore_value=True),))),
    (DUPLICATE_KEY, Txn(failure=(Put(b"d"), Put(b"d")))),
    (LEASE_NOT_FOUND, Txn(success=(Put(b"l", lease=9),))),
]
"""In the order in which they are reported."""


@pytest.mark.parametrize(("error", "txn"), _FAULTS, ids=[error.message for error, _ in _FAULTS])
def test_each_fault_is_reported_by_itself(error: Error, txn: Txn) -> None:
    assert refusal(txn, "3.6.0") == error


@pytest.mark.parametrize(
    ("first", "second"),
    [(i, j) for i in range(len(_FAULTS)) for j in range(i + 1, len(_FAULTS))],
    ids=lambda index: _FAULTS[index][0].message.removeprefix("etcdserver: "),
)
def test_of_two_faults_the_earlier_check_is_reported(first: int, second: int) -> None:
    (error, one), (_, other) = _FAULTS[first], _FAULTS[second]
    both = Txn(one.compare + other.compare, one.success + other.success, one.failure + other.failure)
    assert refusal(both, "3.6.0") == error


@pytest.mark.parametrize(
    ("requests", "before", "since"),
    [
        ((Range(b"a", revision=9), Put(b"b", lease=9)), LEASE_NOT_FOUND, FUTURE_REVISION),
        ((Range(b"a", revision=-2), Put(b"b", ignore_value=True)), KEY_NOT_FOUND, COMPACTED),
        ((Put(b"b", lease=9), Range(b"a", revision=9)), LEASE_NOT_FOUND, LEASE_NOT_FOUND),
        ((Range(b"a", revision=9), Range(b"a", revision=-2)), FUTURE_REVISION, FUTURE_REVISION),
        ((DeleteRange(b"a"), Range(b"a", revision=9), Put(b"b")), FUTURE_REVISION, FUTURE_REVISION),
    ],
)
def test_until_3_6_the_puts_of_the_taken_path_are_checked_first(
    requests: tuple[RequestOp, ...], before: Error, since: Error
) -> None:
    assert refusal(Txn(success=requests), "3.5.30") == before
    assert refusal(Txn(success=requests), "3.6.0") == since


@pytest.mark.parametrize("version", ["3.4.23", "3.5.16", "3.6.16"])
def test_a_put_in_a_txn_misses_its_key_before_its_lease(version: str) -> None:
    assert refusal(Txn(success=(Put(b"a", lease=9, ignore_value=True),)), version) == KEY_NOT_FOUND


def test_a_put_in_a_txn_misses_its_lease_before_its_key_since_3_7() -> None:
    assert refusal(Txn(success=(Put(b"a", lease=9, ignore_value=True),)), "3.7.0") == LEASE_NOT_FOUND


# Keys written twice: the rule over trees, where the transcripts have the table of pairs.

LEVELS = list(product(range(3), repeat=2))
PUT, OTHER = Put(b"b"), Put(b"c")
DELETE, DELETE_RANGE, FROM_KEY, INVERTED = (
    DeleteRange(b"b"),
    DeleteRange(b"a", b"c"),
    DeleteRange(b"a", b"\x00"),
    DeleteRange(b"z", b"a"),
)


def deep(request: RequestOp, levels: int) -> RequestOp:
    for _ in range(levels):
        request = Txn(failure=(request,))
    return request


@pytest.mark.parametrize("levels", LEVELS, ids=str)
def test_two_puts_of_one_key_are_refused_at_whatever_depth_and_in_whatever_order(levels: tuple[int, int]) -> None:
    for one, other in permutations((deep(PUT, levels[0]), deep(PUT, levels[1]))):
        assert refusal(Txn(success=(one, other))) == DUPLICATE_KEY
        assert refusal(Txn(success=(one, OTHER))) is None


@pytest.mark.parametrize("delete", [DELETE, DELETE_RANGE], ids=["the key", "a range"])
@pytest.mark.parametrize("levels", LEVELS, ids=str)
def test_a_delete_and_a_put_of_its_key_pass_only_where_both_are_nested_and_the_put_is_first(
    delete: DeleteRange, levels: tuple[int, int]
) -> None:
    put, gone = deep(PUT, levels[0]), deep(delete, levels[1])
    assert refusal(Txn(success=(gone, put))) == DUPLICATE_KEY
    assert refusal(Txn(success=(put, gone))) == (None if all(levels) else DUPLICATE_KEY)


@pytest.mark.parametrize("delete", [FROM_KEY, INVERTED], ids=["from-key", "inverted"])
@pytest.mark.parametrize("levels", LEVELS, ids=str)
def test_a_from_key_or_inverted_delete_covers_no_put(delete: DeleteRange, levels: tuple[int, int]) -> None:
    for requests in permutations((deep(PUT, levels[0]), deep(delete, levels[1]))):
        assert refusal(Txn(success=requests)) is None


@pytest.mark.parametrize(
    ("delete", "key", "refused"),
    [
        (DeleteRange(b"b", b"d"), b"a", False),
        (DeleteRange(b"b", b"d"), b"b", True),
        (DeleteRange(b"b", b"d"), b"c\xff", True),
        (DeleteRange(b"b", b"d"), b"d", False),
        (DeleteRange(b"b"), b"b\x00", False),
        (DeleteRange(b"b"), b"b", True),
        (DeleteRange(b"b", b"b"), b"b", False),
        (DeleteRange(b"\x00", b"\x00\x00"), b"\x00", True),
    ],
)
def test_a_range_that_is_deleted_covers_its_start_and_not_its_end(
    delete: DeleteRange, key: bytes, refused: bool
) -> None:
    assert refusal(Txn(success=(delete, Put(key)))) == (DUPLICATE_KEY if refused else None)


@pytest.mark.parametrize(
    ("branches", "verdict"),
    [
        (((PUT,), (PUT,)), None),
        (((PUT,), (DELETE,)), None),
        (((DELETE,), (PUT,)), None),
        (((PUT, PUT), ()), DUPLICATE_KEY),
        (((), (PUT, DELETE)), DUPLICATE_KEY),
    ],
)
@pytest.mark.parametrize("level", ["outer", "nested"])
def test_success_and_failure_of_one_txn_may_write_the_same(
    branches: tuple[tuple[RequestOp, ...], tuple[RequestOp, ...]], verdict: Error | None, level: str
) -> None:
    txn = Txn(success=branches[0], failure=branches[1])
    assert refusal(txn if level == "outer" else Txn(success=(txn,))) == verdict


def test_what_a_nested_failure_writes_counts_though_its_success_is_taken() -> None:
    nested = Txn(success=(OTHER,), failure=(PUT,))
    assert refusal(Txn(success=(nested, PUT))) == DUPLICATE_KEY
    assert refusal(Txn(success=(nested, Put(b"d")))) is None


# Compares, as a function of the keys.


def test_a_compare_holds_or_not_over_keys_alone() -> None:
    keys = {b"a": KeyValue(b"a", b"1", 2, 3, 2, 7)}
    assert holds(Compare(b"a", CompareTarget.LEASE, CompareResult.EQUAL, 7), keys)
    assert not holds(Compare(b"a", CompareTarget.LEASE, CompareResult.EQUAL, 8), keys)
    assert not holds(Compare(b"b", CompareTarget.VALUE, CompareResult.NOT_EQUAL, b"1"), keys)


def test_an_unknown_target_counts_as_equal_and_an_unknown_result_as_true() -> None:
    keys = {b"a": KeyValue(b"a", b"1", 2, 3, 2)}
    for result, held in ((0, True), (1, False), (2, False), (3, False), (4, True), (-1, True)):
        assert holds(Compare(b"a", 9, result, 1), keys) is held
        assert holds(Compare(b"missing", 9, result, 1), keys) is held


def test_a_txn_without_compares_succeeds_and_one_false_compare_fails_it() -> None:
    assert succeeds(Txn(), {})
    assert succeeds(Txn((ABSENT, ABSENT)), {})
    assert not succeeds(Txn((ABSENT,)), {b"x": KeyValue(b"x", b"", 2, 2, 1)})


def test_forty_levels_of_nesting_are_no_trouble() -> None:
    txn = Txn(success=(Put(b"a", b"1"),))
    for _ in range(40):
        txn = Txn(success=(txn,))
    state, result = step(State(), txn)
    assert isinstance(result, TxnResult)
    assert (result.revision, state.revision, state.keys[b"a"].value) == (2, 2, b"1")
