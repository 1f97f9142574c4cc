"""Symbols, what fills them in, and the parts of a trace."""

from __future__ import annotations

import pickle
from dataclasses import fields, is_dataclass

import pytest

from etcd_lockstep.trace import (
    UNKNOWN_LEASE,
    UNKNOWN_MEMBER,
    UNKNOWN_TOKEN,
    LeaseOf,
    MemberOf,
    RevisionAt,
    Symbol,
    TokenOf,
    bare,
    expanded,
    map_keys,
    may_hold,
    reordered,
    substitute,
    subtrace,
    symbols,
)
from etcd_model import operations as op


def at(symbol: Symbol) -> int | str:
    """What says which symbol it came from."""
    match symbol:
        case TokenOf(step=step):
            return f"token {step}"
        case LeaseOf(step=step):
            return 1000 + step
        case RevisionAt(step=step, plus=plus):
            return 2000 + 10 * step + plus
        case MemberOf(step=step):
            return 3000 + step
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


def test_a_token_is_equal_to_its_like_and_to_no_text() -> None:
    assert TokenOf(1) == TokenOf(1)
    assert TokenOf(1) not in (TokenOf(2), LeaseOf(1), "", "token of step 1")
    assert TokenOf(1) != ""
    assert all(text != TokenOf(1) for text in ("", "token of step 1"))
    assert len({TokenOf(1), TokenOf(1), TokenOf(2), LeaseOf(1), ""}) == 4
    assert op.As(TokenOf(1), op.Put(b"a")) != op.As("", op.Put(b"a"))


def test_a_symbol_is_what_a_field_of_its_kind_holds() -> None:
    assert all(isinstance(symbol, Symbol) for symbol in (LeaseOf(1), RevisionAt(1), TokenOf(1)))
    assert isinstance(LeaseOf(1), int)
    assert isinstance(TokenOf(1), str)
    assert not isinstance(TokenOf(1), int)


def test_equal_symbols_are_one_in_a_set_and_others_are_not() -> None:
    assert {LeaseOf(1), LeaseOf(1), LeaseOf(2), RevisionAt(1), RevisionAt(1, 1)} == {
        LeaseOf(1),
        LeaseOf(2),
        RevisionAt(1, 0),
        RevisionAt(1, 1),
    }
    assert hash(LeaseOf(3)) == hash(LeaseOf(3))


def test_operations_are_equal_when_their_symbols_are() -> None:
    assert op.Put(b"a", lease=LeaseOf(1)) == op.Put(b"a", lease=LeaseOf(1))
    assert op.Put(b"a", lease=LeaseOf(1)) != op.Put(b"a", lease=LeaseOf(2))
    assert op.Put(b"a", lease=LeaseOf(1)) != op.Put(b"a")
    assert len({op.Range(b"a", revision=RevisionAt(1)), op.Range(b"a", revision=RevisionAt(2)), op.Range(b"a")}) == 3


def test_a_symbol_is_never_taken_for_nothing() -> None:
    assert LeaseOf(0)
    assert RevisionAt(0)
    assert TokenOf(0)


def test_a_symbol_shows_itself_as_code_and_as_words() -> None:
    assert [repr(LeaseOf(2)), repr(RevisionAt(3, -1))] == ["LeaseOf(2)", "RevisionAt(3, -1)"]
    assert [str(LeaseOf(2)), str(RevisionAt(0)), str(RevisionAt(3)), str(RevisionAt(3, 7))] == [
        "lease of step 2",
        "first revision",
        "revision after step 3",
        "revision after step 3 +7",
    ]
    assert (repr(TokenOf(2)), str(TokenOf(2))) == ("TokenOf(2)", "token of step 2")
    assert str(LeaseOf(0)) == "lease of no step"
    assert (repr(MemberOf(2)), f"member {MemberOf(2)}") == ("MemberOf(2)", "member of step 2")


def test_a_symbol_survives_being_pickled() -> None:
    for symbol in (LeaseOf(2), RevisionAt(3, -1), TokenOf(2), MemberOf(2)):
        assert pickle.loads(pickle.dumps(symbol)) == symbol


# Filling in.

AUTHORIZED = op.Put(b"a", b"1")
LEADER = op.LeaderKey(b"e", b"e/7", RevisionAt(1), LeaseOf(2))

EVERYWHERE: tuple[tuple[op.Operation, op.Operation], ...] = (
    (
        op.Range(
            b"a",
            revision=RevisionAt(1),
            min_mod_revision=RevisionAt(2),
            max_mod_revision=RevisionAt(3),
            min_create_revision=RevisionAt(4),
            max_create_revision=RevisionAt(5, 1),
        ),
        op.Range(
            b"a",
            revision=2010,
            min_mod_revision=2020,
            max_mod_revision=2030,
            min_create_revision=2040,
            max_create_revision=2051,
        ),
    ),
    (
        op.RangeStream(
            b"a",
            revision=RevisionAt(1),
            min_mod_revision=RevisionAt(2),
            max_mod_revision=RevisionAt(3),
            min_create_revision=RevisionAt(4),
            max_create_revision=RevisionAt(5, 1),
        ),
        op.RangeStream(
            b"a",
            revision=2010,
            min_mod_revision=2020,
            max_mod_revision=2030,
            min_create_revision=2040,
            max_create_revision=2051,
        ),
    ),
    (op.Put(b"a", b"1", lease=LeaseOf(2)), op.Put(b"a", b"1", lease=1002)),
    (op.Compact(RevisionAt(1), physical=True), op.Compact(2010, physical=True)),
    (op.LeaseGrant(60, id=LeaseOf(3)), op.LeaseGrant(60, id=1003)),
    (op.LeaseRevoke(LeaseOf(3)), op.LeaseRevoke(1003)),
    (op.LeaseKeepAlive(LeaseOf(3)), op.LeaseKeepAlive(1003)),
    (op.LeaseTimeToLive(LeaseOf(3), keys=True), op.LeaseTimeToLive(1003, keys=True)),
    (
        op.Txn(
            (
                op.Compare(b"a", op.CompareTarget.MOD, op.CompareResult.EQUAL, RevisionAt(1)),
                op.Compare(b"a", op.CompareTarget.LEASE, op.CompareResult.EQUAL, LeaseOf(2), b"z"),
                op.Compare(b"a", op.CompareTarget.VALUE, op.CompareResult.EQUAL, b"1"),
            ),
            (op.Txn(success=(op.Put(b"a", lease=LeaseOf(4)),)), op.DeleteRange(b"b")),
            (op.Range(b"a", revision=RevisionAt(5)),),
        ),
        op.Txn(
            (
                op.Compare(b"a", op.CompareTarget.MOD, op.CompareResult.EQUAL, 2010),
                op.Compare(b"a", op.CompareTarget.LEASE, op.CompareResult.EQUAL, 1002, b"z"),
                op.Compare(b"a", op.CompareTarget.VALUE, op.CompareResult.EQUAL, b"1"),
            ),
            (op.Txn(success=(op.Put(b"a", lease=1004),)), op.DeleteRange(b"b")),
            (op.Range(b"a", revision=2050),),
        ),
    ),
    (op.As(TokenOf(1), AUTHORIZED), op.As("token 1", AUTHORIZED)),
    *((kind(MemberOf(1)), kind(3001)) for kind in (op.MemberRemove, op.MemberUpdate, op.MemberPromote, op.MoveLeader)),
    (op.As("x", op.Put(b"a", lease=LeaseOf(2))), op.As("x", op.Put(b"a", lease=1002))),
    (
        op.As(TokenOf(1), op.Txn(success=(op.Range(b"a", revision=RevisionAt(2)),))),
        op.As("token 1", op.Txn(success=(op.Range(b"a", revision=2020),))),
    ),
    (op.WatchCreate(b"a", start_revision=RevisionAt(1, 1)), op.WatchCreate(b"a", start_revision=2011)),
    (op.HashKV(RevisionAt(1)), op.HashKV(2010)),
    (op.Lock(b"a", LeaseOf(1)), op.Lock(b"a", 1001)),
    (op.Campaign(b"a", LeaseOf(1), b"v"), op.Campaign(b"a", 1001, b"v")),
    (op.Proclaim(LEADER, b"v"), op.Proclaim(op.LeaderKey(b"e", b"e/7", 2010, 1002), b"v")),
    (op.As(TokenOf(3), op.Resign(LEADER)), op.As("token 3", op.Resign(op.LeaderKey(b"e", b"e/7", 2010, 1002)))),
)


def test_every_field_that_may_hold_a_symbol_is_filled_in() -> None:
    """By class and field: what the table above has symbols in."""
    filled: set[tuple[type, str]] = set()

    def note(value: object) -> None:
        for part in value if isinstance(value, tuple) else (value,):
            if is_dataclass(part) and not isinstance(part, Symbol):
                for field in fields(part):
                    held = getattr(part, field.name)
                    if isinstance(held, Symbol):
                        filled.add((type(part), field.name))
                    note(held)

    for symbolic, _ in EVERYWHERE:
        note(symbolic)
    kinds = (*op.OPERATIONS, op.Compare, op.LeaderKey, op.Permission)
    assert filled == {(kind, field.name) for kind in kinds for field in fields(kind) if may_hold(kind, field.name)}


def test_the_id_of_a_member_is_no_lease() -> None:
    assert may_hold(op.MemberRemove, "id") == (MemberOf,)
    assert may_hold(op.Alarm, "member_id") == ()
    assert may_hold(op.LeaseRevoke, "id") == (LeaseOf,)
    assert may_hold(op.Compare, "operand") == (LeaseOf, RevisionAt)


@pytest.mark.parametrize(("symbolic", "concrete"), EVERYWHERE, ids=lambda operation: type(operation).__name__)
def test_a_symbol_is_filled_in_wherever_it_may_stand(symbolic: op.Operation, concrete: op.Operation) -> None:
    assert substitute(symbolic, at) == concrete
    assert symbols(concrete) == []


@pytest.mark.parametrize(
    "operation",
    [
        op.Range(b"a", revision=3),
        op.Put(b"a", lease=7),
        op.DeleteRange(b"a"),
        op.Compact(2),
        op.LeaseGrant(60),
        op.LeaseLeases(),
        op.Txn(success=(op.Put(b"a"), op.Txn(failure=(op.Range(b"a"),)))),
        op.As("x", op.Put(b"a")),
        op.WatchCreate(b"a", filters=(1,)),
        op.Proclaim(None),
        op.Resign(op.LeaderKey(b"e", b"e/7", 2, 7)),
        op.RoleGrantPermission("r", op.Permission(0, b"a")),
    ],
    ids=str,
)
def test_an_operation_without_symbols_stays_itself(operation: op.Operation) -> None:
    assert substitute(operation, at) is operation


def test_every_symbol_of_an_operation_is_found() -> None:
    txn = next(symbolic for symbolic, _ in EVERYWHERE if isinstance(symbolic, op.Txn))
    assert sorted(map(str, map(at, symbols(txn)))) == ["1002", "1004", "2010", "2050"]
    assert symbols(op.As(TokenOf(1), op.Proclaim(LEADER))) == [TokenOf(1), RevisionAt(1), LeaseOf(2)]


def test_an_operation_is_bare_without_its_token() -> None:
    assert bare(op.As(TokenOf(1), AUTHORIZED)) is AUTHORIZED
    assert bare(AUTHORIZED) is AUTHORIZED


def test_keys_are_renamed_everywhere_and_range_ends_nowhere() -> None:
    txn = op.Txn(
        (op.Compare(b"a", op.CompareTarget.MOD, op.CompareResult.EQUAL, 0, b"z"),),
        (op.Put(b"a"), op.Txn(success=(op.DeleteRange(b"a", b"z"),))),
        (op.Range(b"a"),),
    )
    assert map_keys(txn, bytes.upper) == op.Txn(
        (op.Compare(b"A", op.CompareTarget.MOD, op.CompareResult.EQUAL, 0, b"z"),),
        (op.Put(b"A"), op.Txn(success=(op.DeleteRange(b"A", b"z"),))),
        (op.Range(b"A"),),
    )
    assert map_keys(op.LeaseRevoke(7), bytes.upper) == op.LeaseRevoke(7)


@pytest.mark.parametrize(
    ("operation", "renamed"),
    [
        (op.WatchCreate(b"a", b"z"), op.WatchCreate(b"A", b"z")),
        (op.As(TokenOf(1), op.Put(b"a", b"v")), op.As(TokenOf(1), op.Put(b"A", b"v"))),
        (
            op.RoleGrantPermission("r", op.Permission(0, b"a", b"z")),
            op.RoleGrantPermission("r", op.Permission(0, b"A", b"z")),
        ),
        (op.RoleGrantPermission("r"), op.RoleGrantPermission("r")),
        (op.RoleRevokePermission("r", b"a", b"z"), op.RoleRevokePermission("r", b"A", b"z")),
    ],
    ids=str,
)
def test_a_key_is_renamed_where_it_is_watched_or_permitted(operation: op.Operation, renamed: op.Operation) -> None:
    assert map_keys(operation, bytes.upper) == renamed


@pytest.mark.parametrize(
    "operation",
    [
        op.Lock(b"a", 7),
        op.Unlock(b"a/7"),
        op.Campaign(b"a", 7),
        op.Proclaim(op.LeaderKey(b"a", b"a/7", 2, 7)),
        op.Range(op.SENTINEL_KEY),
        op.WatchCreate(op.SENTINEL_KEY),
        op.WatchCancel(0),
        op.WatchRead(),
    ],
    ids=str,
)
def test_what_is_no_name_of_ones_own_is_not_renamed(operation: op.Operation) -> None:
    assert map_keys(operation, bytes.upper) == operation


# Parts of a trace.

TRACE: tuple[op.Operation, ...] = (
    op.LeaseGrant(60),
    op.Put(b"a", lease=LeaseOf(1)),
    op.LeaseGrant(30),
    op.Put(b"b", lease=LeaseOf(3)),
    op.Range(b"a", revision=RevisionAt(2)),
)


def test_the_whole_of_a_trace_is_the_trace() -> None:
    assert subtrace(TRACE, range(5)) == TRACE


def test_what_refers_to_a_step_follows_it_to_its_new_place() -> None:
    assert subtrace(TRACE, [2, 3]) == (op.LeaseGrant(30), op.Put(b"b", lease=LeaseOf(1)))
    assert subtrace(TRACE, [0, 1, 4]) == (
        op.LeaseGrant(60),
        op.Put(b"a", lease=LeaseOf(1)),
        op.Range(b"a", revision=RevisionAt(2)),
    )
    assert subtrace(TRACE, [1, 4])[1] == op.Range(b"a", revision=RevisionAt(1))


def test_the_lease_of_a_step_that_is_gone_is_one_that_nobody_grants() -> None:
    assert subtrace(TRACE, [1, 3]) == (op.Put(b"a", lease=UNKNOWN_LEASE), op.Put(b"b", lease=UNKNOWN_LEASE))


def test_the_revision_after_a_step_that_is_gone_is_that_after_the_last_one_kept_before_it() -> None:
    assert subtrace(TRACE, [0, 4])[1] == op.Range(b"a", revision=RevisionAt(1))
    assert subtrace(TRACE, [4]) == (op.Range(b"a", revision=RevisionAt(0)),)
    assert subtrace((op.Put(b"a"), op.Range(b"a", revision=RevisionAt(1, 7))), [1]) == (
        op.Range(b"a", revision=RevisionAt(0, 7)),
    )


# Tokens.

AS: tuple[op.Operation, ...] = (
    op.Put(b"a"),
    op.Authenticate("u", "p"),
    op.As(TokenOf(2), op.LeaseGrant(60)),
    op.As(TokenOf(2), op.Put(b"a", lease=LeaseOf(3))),
)


def test_a_token_follows_the_step_that_made_it_and_so_does_a_lease_granted_with_one() -> None:
    assert subtrace(AS, [1, 2, 3]) == (
        AS[1],
        op.As(TokenOf(1), op.LeaseGrant(60)),
        op.As(TokenOf(1), op.Put(b"a", lease=LeaseOf(2))),
    )


def test_a_member_follows_the_step_that_added_it() -> None:
    trace: tuple[op.Operation, ...] = (op.Put(b"a"), op.MemberAdd(("http://a:1",), True), op.MemberRemove(MemberOf(2)))
    assert subtrace(trace, [1, 2]) == (trace[1], op.MemberRemove(MemberOf(1)))
    assert subtrace(trace, [0, 2]) == (trace[0], op.MemberRemove(UNKNOWN_MEMBER))
    assert reordered(trace, [1, 0, 2]) == (trace[1], trace[0], op.MemberRemove(MemberOf(1)))
    assert reordered(trace, [0, 2, 1]) is None
    assert expanded(trace, 0, trace[:1] * 2)[-1] == op.MemberRemove(MemberOf(3))


def test_the_token_of_a_step_that_is_gone_is_one_that_nobody_has() -> None:
    assert subtrace(AS, [0, 2, 3]) == (
        AS[0],
        op.As(UNKNOWN_TOKEN, op.LeaseGrant(60)),
        op.As(UNKNOWN_TOKEN, op.Put(b"a", lease=LeaseOf(2))),
    )


def test_steps_change_places_only_where_none_names_what_is_not_there_yet() -> None:
    assert reordered(AS, [1, 0, 2, 3]) == (
        AS[1],
        AS[0],
        op.As(TokenOf(1), op.LeaseGrant(60)),
        op.As(TokenOf(1), op.Put(b"a", lease=LeaseOf(3))),
    )
    assert reordered(AS, [0, 2, 1, 3]) is None
    assert reordered(AS, [0, 1, 3, 2]) is None
