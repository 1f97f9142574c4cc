"""The model is a function: the same state in, the same answer and state out, and no state ever changes."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError

import pytest

from etcd_model import Error, Operation, Server, State, quirks_of, step
from etcd_model.operations import (
    MEMBER_ID,
    OPERATIONS,
    Advance,
    Alarm,
    AlarmAction,
    AlarmType,
    As,
    AuthDisable,
    AuthEnable,
    Authenticate,
    AuthStatus,
    Campaign,
    Compact,
    Defragment,
    DeleteRange,
    Downgrade,
    DowngradeAction,
    Hash,
    HashKV,
    Leader,
    LeaderKey,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Lock,
    MemberAdd,
    MemberList,
    MemberPromote,
    MemberRemove,
    MemberUpdate,
    MoveLeader,
    Observe,
    Permission,
    PermissionType,
    Proclaim,
    Put,
    Range,
    Resign,
    RoleAdd,
    RoleDelete,
    RoleGet,
    RoleGrantPermission,
    RoleList,
    RoleRevokePermission,
    Snapshot,
    Status,
    Txn,
    Unlock,
    UserAdd,
    UserChangePassword,
    UserDelete,
    UserGet,
    UserGrantRole,
    UserList,
    UserRevokeRole,
    WatchCancel,
    WatchClose,
    WatchCreate,
    WatchProgress,
    WatchRead,
)
from etcd_model.state import Commit, Draft

EVERY = b"\x00"
ROOTS, USERS = "token-1", "token-2"
"""The first tokens that the model hands out."""

TRANSCRIPT: tuple[Operation, ...] = (
    LeaseGrant(60, id=7),
    LeaseGrant(60),
    Put(b"a", b"1", lease=7),
    Put(b"b", b"2"),
    Put(b"b", b"3", prev_kv=True),
    Txn(success=(Put(b"c", b"4"), DeleteRange(b"b"), Txn(success=(Range(b"c"),)))),
    Range(EVERY, EVERY),
    Range(b"a", revision=3),
    LeaseKeepAlive(7),
    LeaseTimeToLive(7, keys=True),
    LeaseLeases(),
    DeleteRange(b"c", prev_kv=True),
    LeaseRevoke(7),
    Compact(4),
    Range(EVERY, EVERY, revision=4),
    HashKV(),
    # Watches, the passing of time, locks.
    WatchCreate(b"a", b"z", prev_kv=True),
    WatchCreate(b"c", start_revision=4),
    WatchRead(),
    WatchProgress(),
    LeaseGrant(2, id=8),
    Lock(b"n", 8),
    Unlock(b"n/8"),
    Campaign(b"n", 8, b"1"),
    Proclaim(LeaderKey(b"n", b"n/8", 12, 8), b"2"),
    Leader(b"n"),
    Observe(b"n"),
    Advance(2),
    Resign(LeaderKey(b"n", b"n/8", 12, 8)),
    WatchCancel(0),
    WatchRead(),
    WatchClose(),
    # Maintenance, and the cluster.
    Alarm(AlarmAction.ACTIVATE, MEMBER_ID, AlarmType.NOSPACE),
    Status(),
    Alarm(AlarmAction.DEACTIVATE, MEMBER_ID, AlarmType.NOSPACE),
    Defragment(),
    Hash(),
    Snapshot(),
    MoveLeader(MEMBER_ID),
    Downgrade(DowngradeAction.VALIDATE, "3.4.0"),
    MemberList(),
    MemberAdd(("http://127.0.0.1:2380",)),
    MemberUpdate(MEMBER_ID),
    MemberRemove(MEMBER_ID),
    MemberPromote(MEMBER_ID),
    # Users, roles, and what is done in their name.
    UserAdd("root", "r"),
    UserAdd("u", "p"),
    UserGrantRole("root", "root"),
    RoleAdd("r"),
    UserGrantRole("u", "r"),
    RoleGrantPermission("r", Permission(PermissionType.READWRITE, b"a")),
    AuthEnable(),
    Authenticate("root", "r"),
    Authenticate("u", "p"),
    As(USERS, Put(b"a", b"5")),
    *(
        As(ROOTS, operation)
        for operation in (
            UserList(),
            UserGet("u"),
            RoleList(),
            RoleGet("r"),
            AuthStatus(),
            UserChangePassword("u", "q"),
            RoleRevokePermission("r", b"a"),
            UserRevokeRole("u", "r"),
            RoleDelete("r"),
            UserDelete("u"),
            AuthDisable(),
        )
    ),
)
NEVER_GRANTED = (MemberRemove(MEMBER_ID), MemberPromote(MEMBER_ID))
"""What a cluster of one refuses in any case."""

REFUSED: tuple[Operation, ...] = (
    Range(b""),
    Range(b"a", revision=99),
    Put(b""),
    Put(b"a", lease=99),
    Put(b"z", ignore_value=True),
    DeleteRange(b""),
    Txn(success=(Put(b"a"), Put(b"a"))),
    Txn(success=(Put(b"a"), Range(b"a", revision=99))),
    Compact(99),
    Compact(-1),
    LeaseGrant(9_000_000_001),
    LeaseRevoke(99),
    As("", Authenticate("u", "p")),
    AuthEnable(),
    UserAdd(""),
    RoleGet("none"),
    MoveLeader(99),
    HashKV(99),
    Leader(b"n"),
    *NEVER_GRANTED,
)


def walk(state: State) -> list[State]:
    states = [state]
    for operation in TRANSCRIPT:
        states.append(step(states[-1], operation)[0])
    return states


def test_the_transcript_holds_every_operation_and_the_model_refuses_none_of_it() -> None:
    held = {type(operation.operation) if isinstance(operation, As) else type(operation) for operation in TRANSCRIPT}
    assert held == set(OPERATIONS) - {As}
    for state, operation in zip(walk(State()), TRANSCRIPT, strict=False):
        assert isinstance(step(state, operation)[1], Error) == (operation in NEVER_GRANTED), operation


def test_the_same_state_and_operation_make_the_same_state_and_answer() -> None:
    for state, operation in zip(walk(State()), TRANSCRIPT, strict=False):
        assert step(state, operation) == step(copy.deepcopy(state), operation)


def test_a_step_leaves_the_state_before_it_as_it_was() -> None:
    for state in walk(State()):
        before = copy.deepcopy(state)
        for operation in (*TRANSCRIPT, *REFUSED):
            step(state, operation)
        assert state == before


def test_one_state_may_have_many_futures() -> None:
    state, _ = step(State(), Put(b"a", b"1"))
    one, _ = step(state, Put(b"a", b"2"))
    other, _ = step(state, DeleteRange(b"a"))
    assert [s.revision for s in (state, one, other)] == [2, 3, 3]
    assert (state.keys[b"a"].value, one.keys[b"a"].value, dict(other.keys)) == (b"1", b"2", {})


@pytest.mark.parametrize("operation", REFUSED, ids=str)
def test_what_is_refused_changes_nothing(operation: Operation) -> None:
    state = walk(State())[5]
    after, result = step(state, operation)
    assert isinstance(result, Error)
    assert after is state


@pytest.mark.parametrize(
    "operation",
    [Range(EVERY, EVERY), DeleteRange(b"z"), Txn(), Txn(success=(Range(b"a"), DeleteRange(b"z"))), LeaseLeases()],
    ids=str,
)
def test_what_writes_nothing_makes_no_revision(operation: Operation) -> None:
    state = walk(State())[5]
    assert step(state, operation)[0] is state


def test_states_and_answers_cannot_be_written_to() -> None:
    state, result = step(State(), Put(b"a"))
    for value, name in ((state, "commits"), (state.server, "quirks"), (result, "revision"), (Put(b"a"), "key")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, None)


def test_a_state_survives_being_pickled_in_the_middle_of_a_sequence() -> None:
    state = walk(State())[5]
    again = pickle.loads(pickle.dumps(state))
    assert step(again, Range(EVERY, EVERY)) == step(state, Range(EVERY, EVERY))


def test_one_commit_a_revision_with_its_events_in_order_of_execution() -> None:
    state, _ = step(State(), Txn(success=(Put(b"b"), Put(b"a"), DeleteRange(b"b", EVERY))))
    assert [commit.revision for commit in state.commits] == [1, 2]
    events = state.commits[-1].events
    assert [type(event).__name__ for event in events] == ["PutEvent", "PutEvent", "DeleteEvent"]
    assert dict(state.keys).keys() == {b"a"}


def test_a_draft_without_a_write_commits_to_the_state_itself() -> None:
    state = State()
    draft = Draft(state)
    assert draft.header_revision == 1
    assert draft.commit(state) is state
    draft.put(b"a", b"1", lease=0)
    assert draft.header_revision == 2
    assert [commit.revision for commit in draft.commit(state).commits] == [1, 2]


def test_a_state_begins_as_an_empty_store() -> None:
    state = State(server=Server(quirks=quirks_of("3.6.16")))
    assert (state.revision, dict(state.keys), state.compact_revision) == (1, {}, -1)
    assert state.commits == (Commit(1, (), {}),)


def test_what_is_no_operation_has_no_answer() -> None:
    with pytest.raises(AssertionError, match="not an operation of etcd: 'put'"):
        step(State(), "put")  # type: ignore[arg-type]  # what the type checker would tell, told at run time
