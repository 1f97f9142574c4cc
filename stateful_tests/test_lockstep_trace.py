"""Symbols, what fills them in, and the parts of a trace."""

from __future__ import annotations

import pickle

import pytest

from etcd_lockstep.trace import (
    UNKNOWN_LEASE,
    LeaseOf,
    RevisionAt,
    Symbol,
    map_keys,
    substitute,
    subtrace,
    symbols,
)
from etcd_model.operations import (
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Operation,
    Put,
    Range,
    Txn,
)


def at(symbol: Symbol) -> int:
    """A number that tells which symbol it came from."""
    match symbol:
        case LeaseOf(step=step):
            return 1000 + step
        case RevisionAt(step=step, plus=plus):
            return 2000 + 10 * step + plus
        case _:
            raise AssertionError(symbol)


# Symbols are values.


def test_symbols_are_equal_to_their_like_and_to_no_number() -> None:
    assert LeaseOf(1) == LeaseOf(1)
    assert LeaseOf(1) != LeaseOf(2)
    assert RevisionAt(1) == RevisionAt(1, 0)
    assert RevisionAt(1) != RevisionAt(1, 1)
    assert LeaseOf(1) != RevisionAt(1)
    assert all(symbol != number for symbol in (LeaseOf(1), RevisionAt(1)) for number in (0, 1))
    assert all(number != symbol for symbol in (LeaseOf(1), RevisionAt(1)) for number in (0, 1))


def test_equal_symbols_are_one_in_a_set_and_others_are_not() -> None:
    assert {LeaseOf(1), LeaseOf(1), LeaseOf(2), RevisionAt(1), RevisionAt(1, 1)} == {
        LeaseOf(1),
        LeaseOf(2),
        RevisionAt(1, 0),
        RevisionAt(1, 1),
    }
    assert hash(LeaseOf(3)) == hash(LeaseOf(3))


def test_operations_are_equal_when_their_symbols_are() -> None:
    assert Put(b"a", lease=LeaseOf(1)) == Put(b"a", lease=LeaseOf(1))
    assert Put(b"a", lease=LeaseOf(1)) != Put(b"a", lease=LeaseOf(2))
    assert Put(b"a", lease=LeaseOf(1)) != Put(b"a")
    assert len({Range(b"a", revision=RevisionAt(1)), Range(b"a", revision=RevisionAt(2)), Range(b"a")}) == 3


def test_a_symbol_is_never_taken_for_nothing() -> None:
    assert LeaseOf(0)
    assert RevisionAt(0)


def test_a_symbol_shows_itself_as_code_and_as_words() -> None:
    assert [repr(LeaseOf(2)), repr(RevisionAt(3, -1))] == ["LeaseOf(2)", "RevisionAt(3, -1)"]
    assert [str(LeaseOf(2)), str(RevisionAt(0)), str(RevisionAt(3)), str(RevisionAt(3, 7))] == [
        "lease of step 2",
        "first revision",
        "revision after step 3",
        "revision after step 3 +7",
    ]


def test_a_symbol_survives_being_pickled() -> None:
    for symbol in (LeaseOf(2), RevisionAt(3, -1)):
        assert pickle.loads(pickle.dumps(symbol)) == symbol


# Filling in.

EVERYWHERE: tuple[tuple[Operation, Operation], ...] = (
    (
        Range(
            b"a",
            revision=RevisionAt(1),
            min_mod_revision=RevisionAt(2),
            max_mod_revision=RevisionAt(3),
            min_create_revision=RevisionAt(4),
            max_create_revision=RevisionAt(5, 1),
        ),
        Range(
            b"a",
            revision=2010,
            min_mod_revision=2020,
            max_mod_revision=2030,
            min_create_revision=2040,
            max_create_revision=2051,
        ),
    ),
    (Put(b"a", b"1", lease=LeaseOf(2)), Put(b"a", b"1", lease=1002)),
    (Compact(RevisionAt(1), physical=True), Compact(2010, physical=True)),
    (LeaseGrant(60, id=LeaseOf(3)), LeaseGrant(60, id=1003)),
    (LeaseRevoke(LeaseOf(3)), LeaseRevoke(1003)),
    (LeaseKeepAlive(LeaseOf(3)), LeaseKeepAlive(1003)),
    (LeaseTimeToLive(LeaseOf(3), keys=True), LeaseTimeToLive(1003, keys=True)),
    (
        Txn(
            (
                Compare(b"a", CompareTarget.MOD, CompareResult.EQUAL, RevisionAt(1)),
                Compare(b"a", CompareTarget.LEASE, CompareResult.EQUAL, LeaseOf(2), b"z"),
                Compare(b"a", CompareTarget.VALUE, CompareResult.EQUAL, b"1"),
            ),
            (Txn(success=(Put(b"a", lease=LeaseOf(4)),)), DeleteRange(b"b")),
            (Range(b"a", revision=RevisionAt(5)),),
        ),
        Txn(
            (
                Compare(b"a", CompareTarget.MOD, CompareResult.EQUAL, 2010),
                Compare(b"a", CompareTarget.LEASE, CompareResult.EQUAL, 1002, b"z"),
                Compare(b"a", CompareTarget.VALUE, CompareResult.EQUAL, b"1"),
            ),
            (Txn(success=(Put(b"a", lease=1004),)), DeleteRange(b"b")),
            (Range(b"a", revision=2050),),
        ),
    ),
)


@pytest.mark.parametrize(("symbolic", "concrete"), EVERYWHERE, ids=lambda operation: type(operation).__name__)
def test_a_symbol_is_filled_in_wherever_it_may_stand(symbolic: Operation, concrete: Operation) -> None:
    assert substitute(symbolic, at) == concrete
    assert symbols(concrete) == []


@pytest.mark.parametrize(
    "operation",
    [Range(b"a", revision=3), Put(b"a", lease=7), DeleteRange(b"a"), Compact(2), LeaseGrant(60), LeaseLeases()],
    ids=str,
)
def test_an_operation_without_symbols_stays_itself(operation: Operation) -> None:
    assert substitute(operation, at) is operation


def test_every_symbol_of_an_operation_is_found() -> None:
    assert sorted(map(at, symbols(EVERYWHERE[-1][0]))) == [1002, 1004, 2010, 2050]


def test_keys_are_renamed_everywhere_and_range_ends_nowhere() -> None:
    txn = Txn(
        (Compare(b"a", CompareTarget.MOD, CompareResult.EQUAL, 0, b"z"),),
        (Put(b"a"), Txn(success=(DeleteRange(b"a", b"z"),))),
        (Range(b"a"),),
    )
    assert map_keys(txn, bytes.upper) == Txn(
        (Compare(b"A", CompareTarget.MOD, CompareResult.EQUAL, 0, b"z"),),
        (Put(b"A"), Txn(success=(DeleteRange(b"A", b"z"),))),
        (Range(b"A"),),
    )
    assert map_keys(LeaseRevoke(7), bytes.upper) == LeaseRevoke(7)


# Parts of a trace.

TRACE: tuple[Operation, ...] = (
    LeaseGrant(60),
    Put(b"a", lease=LeaseOf(1)),
    LeaseGrant(30),
    Put(b"b", lease=LeaseOf(3)),
    Range(b"a", revision=RevisionAt(2)),
)


def test_the_whole_of_a_trace_is_the_trace() -> None:
    assert subtrace(TRACE, range(5)) == TRACE


def test_what_refers_to_a_step_follows_it_to_its_new_place() -> None:
    assert subtrace(TRACE, [2, 3]) == (LeaseGrant(30), Put(b"b", lease=LeaseOf(1)))
    assert subtrace(TRACE, [0, 1, 4]) == (
        LeaseGrant(60),
        Put(b"a", lease=LeaseOf(1)),
        Range(b"a", revision=RevisionAt(2)),
    )
    assert subtrace(TRACE, [1, 4])[1] == Range(b"a", revision=RevisionAt(1))


def test_the_lease_of_a_step_that_is_gone_is_one_that_nobody_grants() -> None:
    assert subtrace(TRACE, [1, 3]) == (Put(b"a", lease=UNKNOWN_LEASE), Put(b"b", lease=UNKNOWN_LEASE))


def test_the_revision_after_a_step_that_is_gone_is_that_after_the_last_one_kept_before_it() -> None:
    assert subtrace(TRACE, [0, 4])[1] == Range(b"a", revision=RevisionAt(1))
    assert subtrace(TRACE, [4]) == (Range(b"a", revision=RevisionAt(0)),)
    assert subtrace((Put(b"a"), Range(b"a", revision=RevisionAt(1, 7))), [1]) == (
        Range(b"a", revision=RevisionAt(0, 7)),
    )
