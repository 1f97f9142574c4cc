"""A server over its quota from the start: what it refuses before all else, what it lets pass, and its alarm."""

from __future__ import annotations

import pytest

from etcd_model import Error, Operation, Result, Server, State, nondeterminism, quirks_of, step
from etcd_model import operations as op
from etcd_model.errors import (
    DUPLICATE_KEY,
    EMPTY_KEY,
    LEASE_NOT_FOUND,
    NO_SPACE,
    PERMISSION_DENIED,
    USER_EMPTY,
    Code,
)
from etcd_model.results import (
    AlarmMember,
    AlarmResult,
    DeleteRangeResult,
    LeaseLeasesResult,
    PutResult,
    StatusResult,
    TxnResult,
)

VERSIONS = ["3.4.23", "3.5.1", "3.5.16", "3.5.30", "3.5.33", "3.6.16", "3.7.0", "3.7.3"]
RAISED = AlarmMember(op.MEMBER_ID, op.AlarmType.NOSPACE)
DISARM = op.Alarm(op.AlarmAction.DEACTIVATE, op.MEMBER_ID, op.AlarmType.NOSPACE)
IN_NO_TXN = op.Compare(b"a", op.CompareTarget.VERSION, op.CompareResult.EQUAL, 7)
NO_SPACE_IN_TEXT = Error(Code.UNKNOWN, NO_SPACE.message)
LEADER = op.LeaderKey(b"n", b"n/7", 1, 7)


def full(version: str = "3.6.16") -> State:
    return State(server=Server(quirks_of(version), over_quota=True))


def play(state: State, *transcript: tuple[Operation, Result]) -> State:
    for operation, expected in transcript:
        state, result = step(state, operation)
        assert result == expected, operation
    return state


def after(state: State, *operations: Operation) -> State:
    for operation in operations:
        state, result = step(state, operation)
        assert not isinstance(result, Error), operation
    return state


def says(version: str, operation: Operation) -> Result:
    return step(full(version), operation)[1]


def nested(*requests: op.Put | op.Range | op.DeleteRange | op.Txn) -> op.Txn:
    return op.Txn(success=(op.Txn(success=requests),))


# What is refused


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "operation",
    [
        op.Put(b"a"),
        op.Put(b""),
        op.Put(b"a", b"1", ignore_value=True),
        op.Put(b"a", lease=404),
        op.Put(b"a", b"x" * 1_600_000),
        op.LeaseGrant(10),
        op.LeaseGrant(2**40),
        op.Txn(success=(op.Put(b"a"),)),
        op.Txn(success=(op.Range(b""), op.Put(b"a"), op.Put(b"a"))),
        op.Txn((IN_NO_TXN,), (op.Put(b"a"),)),
        op.Txn(failure=(op.Put(b"a"),)),
    ],
    ids=repr,
)
def test_what_costs_space_is_refused_whatever_else_is_wrong_and_the_alarm_is_up(
    version: str, operation: Operation
) -> None:
    state, result = step(full(version), operation)
    assert result == NO_SPACE
    assert state.alarms == {RAISED}
    assert state.revision == 1


def test_only_what_is_too_long_for_a_message_does_not_come_as_far() -> None:
    state, result = step(full(), op.Put(b"a", b"x" * 2_100_000))
    assert isinstance(result, Error)
    assert result.message.startswith("grpc: received message larger than max")
    assert state == full()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_disarmed_alarm_is_up_again_at_the_next_put(version: str) -> None:
    revision = 0 if version == "3.4.23" else 1
    text = "memberID:1 alarm:NOSPACE" if version.startswith("3.7") else "memberID:1 alarm:NOSPACE "
    reported = step(full(version), op.Status())[1]
    assert isinstance(reported, StatusResult)
    assert reported.errors == ()
    state = play(
        full(version),
        (op.Alarm(), AlarmResult(revision)),
        (op.Put(b"a"), NO_SPACE),
        (op.Alarm(), AlarmResult(revision, (RAISED,))),
        (op.Put(b"a"), NO_SPACE),
        (op.Alarm(), AlarmResult(revision, (RAISED,))),
        (DISARM, AlarmResult(revision, (RAISED,))),
        (op.Alarm(), AlarmResult(revision)),
        (op.LeaseGrant(10), NO_SPACE),
        (op.Alarm(), AlarmResult(revision, (RAISED,))),
    )
    reported = step(state, op.Status())[1]
    assert isinstance(reported, StatusResult)
    assert reported.errors == (text,)


def test_no_lease_is_granted() -> None:
    play(full(), (op.LeaseGrant(10, id=7), NO_SPACE), (op.LeaseLeases(), LeaseLeasesResult(1)))


# What passes


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("armed", [False, True], ids=["disarmed", "armed"])
def test_what_costs_nothing_passes_and_raises_no_alarm(version: str, armed: bool) -> None:
    before = step(full(version), op.Put(b"a"))[0] if armed else full(version)
    state = after(before, op.Range(b"a"), op.DeleteRange(b"a"), op.Compact(1), op.LeaseKeepAlive(7), op.Defragment())
    state = play(state, (op.LeaseRevoke(7), LEASE_NOT_FOUND), (op.Range(b""), EMPTY_KEY))
    assert state.alarms == before.alarms


@pytest.mark.parametrize(
    ("version", "passes"),
    [
        *(("3.4.19", False), ("3.4.20", True)),
        *(("3.5.0", False), ("3.5.1", False), ("3.5.6", False), ("3.5.7", True)),
        *(("3.6.0", True), ("3.7.3", True)),
    ],
)
@pytest.mark.parametrize(
    "operation", [op.Txn(), op.Txn(success=(op.Range(b"a"), op.DeleteRange(b"b"))), nested(op.Range(b"a"))]
)
def test_a_txn_without_puts_passes_since_it_is_free(operation: op.Txn, version: str, passes: bool) -> None:
    state, result = step(full(version), operation)
    assert isinstance(result, TxnResult) == passes
    assert result == NO_SPACE or passes
    assert state.alarms == (frozenset() if passes else {RAISED})


def test_a_txn_that_is_free_is_held_against_all_that_others_are() -> None:
    assert says("3.5.16", op.Txn(success=(op.Range(b""),))) == EMPTY_KEY
    assert says("3.5.1", op.Txn(success=(op.Range(b""),))) == NO_SPACE
    assert says("3.5.16", nested(op.Put(b"a"), op.Put(b"a"))) == DUPLICATE_KEY
    assert says("3.6.16", nested(op.Put(b"a"), op.Put(b"a"))) == NO_SPACE


@pytest.mark.parametrize(
    ("version", "passes"),
    [
        *(("3.4.19", False), ("3.4.20", True), ("3.4.45", True)),
        *(("3.5.1", False), ("3.5.7", True), ("3.5.32", True), ("3.5.33", False)),
        *(("3.6.13", True), ("3.6.14", False), ("3.7.0", True), ("3.7.1", False)),
    ],
)
def test_nested_puts_passed_until_they_were_counted(version: str, passes: bool) -> None:
    for operation in (nested(op.Put(b"a")), nested(op.Txn(failure=(op.Put(b"a"),)))):
        assert isinstance(says(version, operation), TxnResult) == passes
    state = step(full(version), op.Put(b"a"))[0]
    state, result = step(state, nested(op.Put(b"a", b"1")))  # nor does the alarm stop them then
    assert isinstance(result, TxnResult) == passes
    assert bool(state.keys) == passes
    play(state, (op.DeleteRange(b"a"), DeleteRangeResult(3 if passes else 1, deleted=int(passes))))


def test_a_put_beside_a_nested_one_costs_as_ever() -> None:
    assert says("3.5.16", op.Txn(success=(op.Txn(success=(op.Put(b"a"),)), op.Put(b"b")))) == NO_SPACE


# Locks and elections, which are made of such requests


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "operation",
    [
        *(op.Lock(b"n"), op.Lock(b"n", 7), op.Campaign(b"n"), op.Campaign(b"n", 7)),
        *(op.Proclaim(LEADER), op.Proclaim(op.LeaderKey(b"n", b"n/7", 1)), op.Resign(op.LeaderKey(b"n", b"n/7", 1))),
    ],
    ids=repr,
)
def test_nobody_locks_or_is_elected_and_no_lease_is_granted_for_it(version: str, operation: Operation) -> None:
    state, result = step(full(version), operation)
    assert result == NO_SPACE_IN_TEXT
    assert state.alarms == {RAISED}
    assert not state.leases


def test_who_holds_nothing_unlocks_and_resigns() -> None:
    after(full(), op.Unlock(b"n/7"), op.Resign(LEADER))
    assert says("3.5.1", op.Resign(LEADER)) == NO_SPACE_IN_TEXT  # it is a txn


def test_no_stream_can_be_read_since_the_fence_is_a_put() -> None:
    state = after(full(), op.WatchCreate(b"a"))
    assert nondeterminism(op.WatchRead(), state) == f"the sentinel can't be put: {NO_SPACE.message}"


# With a token


@pytest.mark.parametrize(("version", "alarms"), [("3.5.9", frozenset()), ("3.5.10", {RAISED})])
def test_the_alarm_is_raised_with_the_token_that_came_and_so_not_with_one_that_is_refused(
    version: str, alarms: frozenset[AlarmMember]
) -> None:
    state, result = step(full(version), op.As("none.1", op.Put(b"a")))
    assert result == NO_SPACE
    assert state.alarms == alarms


@pytest.mark.parametrize("version", VERSIONS)
def test_who_may_do_nothing_can_raise_it_all_the_same(version: str) -> None:
    users = (op.UserAdd("root", "p"), op.UserGrantRole("root", "root"), op.UserAdd("u", "p"))
    state = after(full(version), *users, op.AuthEnable(), op.Authenticate("u", "p"))
    (token,) = state.auth.tokens
    for asked in (op.Put(b"a"), op.As(token, op.Put(b"a")), op.LeaseGrant(10)):
        armed, result = step(state, asked)
        assert result == NO_SPACE
        assert armed.alarms == {RAISED}
    play(state, (op.Range(b"a"), USER_EMPTY), (op.As(token, op.Range(b"a")), PERMISSION_DENIED))


# Where there is space


def test_a_server_has_space_unless_it_is_said_that_it_has_none() -> None:
    play(State(), (op.Put(b"a"), PutResult(2)))
