"""The model is a function: the same state in, the same answer and state out, and no state ever changes."""

from __future__ import annotations

import copy
import pickle
import sys
from dataclasses import FrozenInstanceError, is_dataclass

import pytest

from etcd_model import Error, Operation, Server, State, quirks_of, step
from etcd_model import operations as op
from etcd_model.state import Commit, Draft

EVERY = b"\x00"
ROOTS, USERS = "token-1", "token-2"
"""The first tokens that the model hands out."""

TRANSCRIPT: tuple[Operation, ...] = (
    op.LeaseGrant(60, id=7),
    op.LeaseGrant(60),
    op.Put(b"a", b"1", lease=7),
    op.Put(b"b", b"2"),
    op.Put(b"b", b"3", prev_kv=True),
    op.Txn(success=(op.Put(b"c", b"4"), op.DeleteRange(b"b"), op.Txn(success=(op.Range(b"c"),)))),
    op.Range(EVERY, EVERY),
    op.Range(b"a", revision=3),
    op.RangeStream(b"a"),
    op.LeaseKeepAlive(7),
    op.LeaseTimeToLive(7, keys=True),
    op.LeaseLeases(),
    op.DeleteRange(b"c", prev_kv=True),
    op.LeaseRevoke(7),
    op.Compact(4),
    op.Range(EVERY, EVERY, revision=4),
    op.HashKV(),
    # Watches, the passing of time, locks.
    op.WatchCreate(b"a", b"z", prev_kv=True),
    op.WatchCreate(b"c", start_revision=4),
    op.WatchRead(),
    op.WatchProgress(),
    op.LeaseGrant(2, id=8),
    op.Lock(b"n", 8),
    op.Unlock(b"n/8"),
    op.Campaign(b"n", 8, b"1"),
    op.Proclaim(op.LeaderKey(b"n", b"n/8", 12, 8), b"2"),
    op.Leader(b"n"),
    op.Observe(b"n"),
    op.Advance(2),
    op.Resign(op.LeaderKey(b"n", b"n/8", 12, 8)),
    op.WatchCancel(0),
    op.WatchRead(),
    op.WatchClose(),
    # Maintenance, and the cluster.
    op.Alarm(op.AlarmAction.ACTIVATE, op.MEMBER_ID, op.AlarmType.NOSPACE),
    op.Status(),
    op.Alarm(op.AlarmAction.DEACTIVATE, op.MEMBER_ID, op.AlarmType.NOSPACE),
    op.Defragment(),
    op.Hash(),
    op.Snapshot(),
    op.MoveLeader(op.MEMBER_ID),
    op.Downgrade(op.DowngradeAction.VALIDATE, "3.4.0"),
    op.MemberList(),
    op.MemberAdd(("http://127.0.0.1:2380",)),
    op.MemberUpdate(op.MEMBER_ID),
    op.MemberRemove(op.MEMBER_ID),
    op.MemberPromote(op.MEMBER_ID),
    # Users, roles, and what is done in their name.
    op.UserAdd("root", "r"),
    op.UserAdd("u", "p"),
    op.UserGrantRole("root", "root"),
    op.RoleAdd("r"),
    op.UserGrantRole("u", "r"),
    op.RoleGrantPermission("r", op.Permission(op.PermissionType.READWRITE, b"a")),
    op.AuthEnable(),
    op.Authenticate("root", "r"),
    op.Authenticate("u", "p"),
    op.As(USERS, op.Put(b"a", b"5")),
    *(
        op.As(ROOTS, operation)
        for operation in (
            op.UserList(),
            op.UserGet("u"),
            op.RoleList(),
            op.RoleGet("r"),
            op.AuthStatus(),
            op.UserChangePassword("u", "q"),
            op.RoleRevokePermission("r", b"a"),
            op.UserRevokeRole("u", "r"),
            op.RoleDelete("r"),
            op.UserDelete("u"),
            op.AuthDisable(),
        )
    ),
)
NEVER_GRANTED = (op.MemberRemove(op.MEMBER_ID), op.MemberPromote(op.MEMBER_ID), op.RangeStream(b"a"))
"""What a cluster of one of the usual release refuses in any case."""

REFUSED: tuple[Operation, ...] = (
    op.Range(b""),
    op.Range(b"a", revision=99),
    op.Put(b""),
    op.Put(b"a", lease=99),
    op.Put(b"z", ignore_value=True),
    op.DeleteRange(b""),
    op.Txn(success=(op.Put(b"a"), op.Put(b"a"))),
    op.Txn(success=(op.Put(b"a"), op.Range(b"a", revision=99))),
    op.Compact(99),
    op.Compact(-1),
    op.LeaseGrant(9_000_000_001),
    op.LeaseRevoke(99),
    op.As("", op.Authenticate("u", "p")),
    op.AuthEnable(),
    op.UserAdd(""),
    op.RoleGet("none"),
    op.MoveLeader(99),
    op.HashKV(99),
    op.Leader(b"n"),
    *NEVER_GRANTED,
)


def walk(state: State) -> list[State]:
    states = [state]
    for operation in TRANSCRIPT:
        states.append(step(states[-1], operation)[0])
    return states


def test_the_transcript_holds_every_operation_and_the_model_refuses_none_of_it() -> None:
    held = {type(operation.operation) if isinstance(operation, op.As) else type(operation) for operation in TRANSCRIPT}
    assert held == set(op.OPERATIONS) - {op.As}
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
    state, _ = step(State(), op.Put(b"a", b"1"))
    one, _ = step(state, op.Put(b"a", b"2"))
    other, _ = step(state, op.DeleteRange(b"a"))
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
    [
        op.Range(EVERY, EVERY),
        op.DeleteRange(b"z"),
        op.Txn(),
        op.Txn(success=(op.Range(b"a"), op.DeleteRange(b"z"))),
        op.LeaseLeases(),
    ],
    ids=str,
)
def test_what_writes_nothing_makes_no_revision(operation: Operation) -> None:
    state = walk(State())[5]
    assert step(state, operation)[0] is state


def test_states_and_answers_cannot_be_written_to() -> None:
    state, result = step(State(), op.Put(b"a"))
    for value, name in ((state, "commits"), (state.server, "quirks"), (result, "revision"), (op.Put(b"a"), "key")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, None)


def test_every_dataclass_is_frozen() -> None:
    modules = [module for name, module in sys.modules.items() if name.startswith("etcd_model")]
    held = {one for module in modules for one in vars(module).values() if isinstance(one, type) and is_dataclass(one)}
    assert held
    assert not [one.__name__ for one in held if not vars(one)["__dataclass_params__"].frozen]


def test_a_state_survives_being_pickled_in_the_middle_of_a_sequence() -> None:
    state = walk(State())[5]
    again = pickle.loads(pickle.dumps(state))
    assert step(again, op.Range(EVERY, EVERY)) == step(state, op.Range(EVERY, EVERY))


def test_one_commit_a_revision_with_its_events_in_order_of_execution() -> None:
    state, _ = step(State(), op.Txn(success=(op.Put(b"b"), op.Put(b"a"), op.DeleteRange(b"b", EVERY))))
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
        step(State(), "put")  # type: ignore[arg-type]  # what the type checker would report, reported at run time
