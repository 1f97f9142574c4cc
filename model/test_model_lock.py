"""Locks and elections, as what they write. The transcripts were played to real servers of each version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etcd_model import Error, Operation, Result, Server, State, nondeterminism, quirks_of, step
from etcd_model import operations as op
from etcd_model.errors import MISSING_LEADER_KEY, NO_LEADER, NO_SPACE, NOT_LEADER, STREAM_ENDED, Code
from etcd_model.lock import SESSION_TTL, key_of
from etcd_model.results import (
    CampaignResult,
    ElectionResult,
    KeyValue,
    LeaderResult,
    LeaseRevokeResult,
    LockResult,
    PutResult,
    UnlockResult,
    Waiting,
)

VERSIONS = ["3.4.23", "3.5.16", "3.6.16", "3.7.3"]
PICKED = State().next_lease_id


def unknown(message: str) -> Error:
    return Error(Code.UNKNOWN, message)


NO_LEASE = unknown("etcdserver: requested lease not found")
NO_KEY = unknown("etcdserver: key is not provided")


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


def leased(version: str = "3.5.16") -> State:
    return after(State(server=Server(quirks_of(version))), op.LeaseGrant(100, id=7), op.LeaseGrant(100, id=8))


def test_a_key_is_the_name_and_the_lease_in_hex() -> None:
    assert key_of(b"n", 7) == b"n/7"
    assert key_of(b"", 255) == b"/ff"
    assert key_of(b"n/m", -5) == b"n/m/-5"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lock_is_taken_taken_again_waited_for_and_given_up(version: str) -> None:
    state = play(
        leased(version),
        (op.Lock(b"n", 7), LockResult(2, b"n/7")),
        (op.Lock(b"n", 7), LockResult(2, b"n/7")),
        (op.Lock(b"n", 8), Waiting()),
        (op.Lock(b"m", 8), LockResult(5, b"m/8")),
        (op.Unlock(b"n/7"), UnlockResult(6)),
        (op.Unlock(b"n/7"), UnlockResult(6)),
        (op.Lock(b"n", 8), LockResult(7, b"n/8")),
        (op.Lock(b"n", 404), NO_LEASE),
        (op.Unlock(b""), NO_KEY),
    )
    assert [(kv.key, kv.value, kv.lease) for kv in state.keys.values()] == [(b"m/8", b"", 8), (b"n/8", b"", 8)]


def test_who_waits_was_in_the_store() -> None:
    state = after(leased(), op.Lock(b"n", 7), op.Lock(b"n", 8))
    assert [set(commit.keys) for commit in state.commits[-2:]] == [{b"n/7", b"n/8"}, {b"n/7"}]


def test_a_lock_without_a_lease_gets_one_of_a_minute_even_if_it_waits() -> None:
    state = play(
        leased(),
        (op.Lock(b"n"), LockResult(2, key_of(b"n", PICKED))),
        (op.Lock(b"n"), Waiting()),
    )
    assert {lease.ttl for lease_id, lease in state.leases.items() if lease_id >= PICKED} == {SESSION_TTL}
    assert [lease_id - PICKED for lease_id in state.leases if lease_id >= PICKED] == [0, 1]


def test_any_key_of_the_name_has_a_say_in_who_is_first() -> None:
    play(after(leased(), op.Put(b"n/zz")), (op.Lock(b"n", 7), Waiting()))
    play(after(leased(), op.Put(b"n0"), op.Put(b"n")), (op.Lock(b"n", 7), LockResult(4, b"n/7")))


def test_a_key_that_was_there_counts_as_ones_own_and_goes_with_the_wait() -> None:
    state = after(leased(), op.Put(b"n/7", b"x"), op.Put(b"n/8", b"y"))
    state = play(state, (op.Lock(b"n", 7), LockResult(3, b"n/7")), (op.Lock(b"n", 8), Waiting()))
    assert (state.revision, set(state.keys)) == (4, {b"n/7"})


def test_keys_of_one_revision_are_first_together() -> None:
    state = after(leased(), op.Txn(success=(op.Put(b"n/7"), op.Put(b"n/8"))))
    play(state, (op.Lock(b"n", 7), LockResult(2, b"n/7")), (op.Lock(b"n", 8), LockResult(2, b"n/8")))


# Elections.

LEADER = op.LeaderKey(b"e", b"e/7", 2, 7)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_election_from_campaign_to_resignation(version: str) -> None:
    first = KeyValue(b"e/7", b"one", 2, 2, 1, 7)
    again = replace(first, value=b"two", mod_revision=3, version=2)
    proclaimed = replace(first, value=b"three", mod_revision=6, version=3)
    play(
        leased(version),
        (op.Leader(b"e"), NO_LEADER),
        (op.Observe(b"e"), LeaderResult(0)),
        (op.Campaign(b"e", 7, b"one"), CampaignResult(2, LEADER)),
        (op.Campaign(b"e", 7, b"one"), CampaignResult(2, LEADER)),
        (op.Leader(b"e"), LeaderResult(2, first)),
        (op.Campaign(b"e", 7, b"two"), CampaignResult(2, LEADER)),
        (op.Leader(b"e"), LeaderResult(3, again)),
        (op.Campaign(b"e", 8, b"other"), Waiting()),
        (op.Proclaim(LEADER, b"three"), ElectionResult(6)),
        (op.Observe(b"e"), LeaderResult(6, proclaimed)),
        (op.Resign(LEADER), ElectionResult(7)),
        (op.Resign(LEADER), ElectionResult(7)),
        (op.Proclaim(LEADER, b"four"), NOT_LEADER),
        (op.Campaign(b"e", 8, b"other"), CampaignResult(8, op.LeaderKey(b"e", b"e/8", 8, 8))),
        (op.LeaseRevoke(8), LeaseRevokeResult(9)),
        (op.Leader(b"e"), NO_LEADER),
        (op.Campaign(b"e", 404, b"x"), NO_LEASE),
    )


def test_a_leader_proves_itself_with_the_key_and_its_first_revision() -> None:
    state = after(leased(), op.Campaign(b"e", 7, b"v"))
    play(
        state,
        (op.Proclaim(), MISSING_LEADER_KEY),
        (op.Resign(), MISSING_LEADER_KEY),
        (op.Proclaim(replace(LEADER, rev=1), b"x"), NOT_LEADER),
        (op.Resign(replace(LEADER, rev=1)), ElectionResult(2)),
        (op.Proclaim(op.LeaderKey(lease=7), b"x"), NO_KEY),
        (op.Resign(op.LeaderKey(lease=7)), NO_KEY),
        (op.Proclaim(replace(LEADER, lease=404), b"x"), NO_LEASE),
        (op.Proclaim(replace(LEADER, rev=1, lease=404), b"x"), NOT_LEADER),
        (op.Proclaim(replace(LEADER, name=b"other"), b"x"), ElectionResult(3)),
        (op.Resign(replace(LEADER, lease=404)), ElectionResult(4)),
    )


def test_a_proclamation_moves_the_key_to_the_lease_that_it_names() -> None:
    state = after(leased(), op.Campaign(b"e", 7, b"v"), op.Proclaim(replace(LEADER, lease=8), b"x"))
    assert state.keys[b"e/7"].lease == 8
    state = after(state, op.Proclaim(replace(LEADER, lease=0), b"x"))
    assert state.keys[b"e/7"].lease == PICKED
    assert state.leases[PICKED].ttl == SESSION_TTL


def test_a_key_that_was_never_there_can_be_proclaimed_at_revision_zero() -> None:
    play(leased(), (op.Proclaim(op.LeaderKey(b"e", b"e/7", 0, 7), b"x"), ElectionResult(2)))


def test_who_observes_is_notified_of_a_put_of_the_current_revision_that_is_gone() -> None:
    gone = op.Txn(success=(op.Put(b"e/1", b"v"), op.DeleteRange(b"e/0", b"\0")))
    state = after(leased(), gone)
    play(
        state,
        (op.Leader(b"e"), NO_LEADER),
        (op.Observe(b"e"), LeaderResult(2, KeyValue(b"e/1", b"v", 2, 2, 1))),
        (op.Put(b"z"), PutResult(3)),
        (op.Observe(b"e"), LeaderResult(0)),
    )


# What refuses.


def test_no_space_refuses_what_is_written_and_the_lease_of_who_has_none() -> None:
    state = after(leased(), op.Lock(b"n", 7), op.Alarm(op.AlarmAction.ACTIVATE, 0, op.AlarmType.NOSPACE))
    refused = unknown(NO_SPACE.message)
    for operation in (
        op.Lock(b"n"),
        op.Lock(b"n", 7),
        op.Campaign(b"e", 7),
        op.Proclaim(LEADER),
        op.Resign(replace(LEADER, lease=0)),
    ):
        after_it, result = step(state, operation)
        assert (after_it, result) == (state, refused), operation
    play(state, (op.Unlock(b"n/7"), UnlockResult(3)))


def guarded(version: str) -> State:
    return after(
        leased(version),
        op.UserAdd("root", "p"),
        op.UserGrantRole("root", "root"),
        op.RoleAdd("r"),
        op.RoleGrantPermission("r", op.Permission(op.PermissionType.READWRITE, b"n", b"o")),
        op.RoleGrantPermission("r", op.Permission(op.PermissionType.WRITE, b"w", b"x")),
        op.UserAdd("u", "p"),
        op.UserGrantRole("u", "r"),
        op.AuthEnable(),
        op.Authenticate("u", "p"),
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_the_recipes_are_run_in_the_callers_name(version: str) -> None:
    denied = unknown("etcdserver: permission denied")
    play(
        guarded(version),
        (op.Lock(b"n", 7), unknown("etcdserver: user name is empty")),
        (op.As("bad", op.Lock(b"n", 7)), unknown("etcdserver: invalid auth token")),
        (op.As("token-1", op.Lock(b"w", 7)), denied),
        (op.As("token-1", op.Lock(b"k", 7)), denied),
        (op.As("token-1", op.Lock(b"n", 7)), LockResult(2, b"n/7")),
        (op.As("token-1", op.Leader(b"n")), LeaderResult(2, KeyValue(b"n/7", b"", 2, 2, 1, 7))),
        (op.As("token-1", op.Leader(b"k")), denied),
        (op.As("token-1", op.Observe(b"k")), STREAM_ENDED),
        (op.As("bad", op.Observe(b"n")), STREAM_ENDED),
        (op.As("token-1", op.Unlock(b"n/7")), UnlockResult(3)),
    )


@pytest.mark.parametrize(("version", "granted"), [("3.5.16", 1), ("3.6.16", 0)])
def test_the_lease_of_who_is_refused_then_is_granted_where_anybody_gets_one(version: str, granted: int) -> None:
    state, result = step(guarded(version), op.Lock(b"n"))
    assert result == unknown("etcdserver: user name is empty")
    assert state.next_lease_id - PICKED == granted


@pytest.mark.parametrize("operation", [op.Lock(b"n", 8), op.Campaign(b"n", 8)], ids=str)
def test_who_gives_up_waiting_under_auth_leaves_its_key_behind(operation: op.Lock | op.Campaign) -> None:
    state = after(guarded("3.5.16"), op.As("token-1", op.Lock(b"n", 7)))
    assert nondeterminism(op.As("token-1", operation), state) is not None
    assert nondeterminism(operation, state) is None
    assert nondeterminism(op.As("token-1", replace(operation, lease=7)), state) is None
    assert nondeterminism(operation, after(leased(), op.Lock(b"n", 7))) is None
    state = play(state, (op.As("token-1", operation), Waiting()))
    assert set(state.keys) == {b"n/7", b"n/8"}


def test_a_read_of_the_keys_reports_what_the_recipes_wrote() -> None:
    state = after(leased(), op.Campaign(b"e", 7, b"v"))
    result = step(state, op.Range(b"e/", b"e0"))[1]
    assert getattr(result, "kvs", ()) == (KeyValue(b"e/7", b"v", 2, 2, 1, 7),)
