"""Time, and the leases that it ends."""

from __future__ import annotations

import pytest

from etcd_model import Operation, Result, State, step
from etcd_model.lease import expire, overdue
from etcd_model.operations import Advance, LeaseGrant, LeaseKeepAlive, LeaseLeases, LeaseTimeToLive, Put, WatchCreate
from etcd_model.results import AdvanceResult, LeaseKeepAliveResult, LeaseLeasesResult, LeaseTimeToLiveResult, PutResult
from etcd_model.state import DeleteEvent


def run(state: State, *operations: Operation) -> tuple[State, list[Result]]:
    results = []
    for operation in operations:
        state, result = step(state, operation)
        results.append(result)
    return state, results


def gone(state: State) -> list[list[bytes]]:
    """The keys deleted in each revision, as far as one deleted any."""
    deleted = [[event.key for event in commit.events if isinstance(event, DeleteEvent)] for commit in state.commits]
    return [keys for keys in deleted if keys]


@pytest.mark.parametrize(("seconds", "left"), [(0, 9), (1, 8), (8, 1), (9, 0)])
def test_a_second_less_is_left_with_every_second(seconds: int, left: int) -> None:
    state, results = run(State(), LeaseGrant(10, id=7), Advance(seconds), LeaseTimeToLive(7))
    assert results[1:] == [AdvanceResult(), LeaseTimeToLiveResult(1, 7, left, 10)]
    assert 7 in state.leases


def test_a_lease_expires_at_its_ttl_with_all_its_keys_in_one_revision() -> None:
    state, _ = run(State(), LeaseGrant(10, id=7), Put(b"b", lease=7), Put(b"a", lease=7), Put(b"c"))
    state, results = run(state, Advance(10), LeaseTimeToLive(7, keys=True), LeaseKeepAlive(7), LeaseLeases())
    assert results[1:] == [
        LeaseTimeToLiveResult(5, 7, -1),
        LeaseKeepAliveResult(5, 7, 0),
        LeaseLeasesResult(5),
    ]
    assert gone(state) == [[b"a", b"b"]]
    assert state.keys.keys() == {b"c"}


def test_a_lease_without_keys_expires_without_a_revision() -> None:
    state, _ = run(State(), LeaseGrant(10, id=7), Advance(10))
    assert (state.revision, dict(state.leases)) == (1, {})


def test_leases_that_are_due_together_expire_one_by_one_the_soonest_first_then_by_id() -> None:
    state, _ = run(
        State(),
        *(LeaseGrant(ttl, id=lease) for ttl, lease in ((30, 1), (20, 9), (20, 3), (40, 2))),
        *(Put(b"of %d" % lease, lease=lease) for lease in (1, 9, 3, 2)),
        Advance(30),
    )
    assert gone(state) == [[b"of 3"], [b"of 9"], [b"of 1"]]
    assert list(state.leases) == [2]


def test_being_kept_alive_begins_the_ttl_anew() -> None:
    state, _ = run(State(), LeaseGrant(10, id=7), Advance(9), LeaseKeepAlive(7), Advance(9))
    assert step(state, LeaseTimeToLive(7))[1] == LeaseTimeToLiveResult(1, 7, 0, 10)
    assert dict(step(state, Advance(1))[0].leases) == {}


def test_a_key_that_left_its_lease_outlives_it() -> None:
    state, _ = run(State(), LeaseGrant(10, id=7), Put(b"a", lease=7), Put(b"a"), Advance(60))
    assert (state.revision, set(state.keys)) == (3, {b"a"})


def late(state: State, seconds: int) -> State:
    """Time passes, and nothing expires yet: as on a real server that is late."""
    return State(state.server, state.commits, leases=state.leases, now=state.now + seconds)


def test_nothing_is_left_of_an_overdue_lease_but_it_is_still_there() -> None:
    state, _ = run(State(), LeaseGrant(10, id=7), Put(b"a", lease=7))
    _, results = run(late(state, 12), LeaseTimeToLive(7, keys=True), Put(b"b", lease=7))
    assert results[0] == LeaseTimeToLiveResult(2, 7, 0, 10, (b"a",))
    assert results[1] == PutResult(3)


def test_what_is_overdue_is_reported_soonest_first_and_expires_when_the_caller_says_so() -> None:
    state, _ = run(State(), LeaseGrant(10, id=7), LeaseGrant(5, id=8), LeaseGrant(13, id=9), Put(b"a", lease=7))
    assert overdue(late(state, 4)) == ()
    state = late(state, 12)
    assert overdue(state) == (8, 7)
    assert overdue(expire(state, 8)) == (7,)
    assert gone(expire(state, 7)) == [[b"a"]]


def test_advancing_leaves_nothing_overdue() -> None:
    state, _ = run(State(), LeaseGrant(10, id=7), LeaseGrant(20, id=8), Advance(15))
    assert overdue(state) == ()


def test_watchers_see_what_expires() -> None:
    state, _ = run(State(), LeaseGrant(10, id=7), Put(b"a", lease=7), WatchCreate(b"a"))
    for after in (step(state, Advance(10))[0], expire(late_with_streams(state), 7)):
        (event,) = after.streams[0].watchers[0].events
        assert (event.type, event.kv.key, event.kv.mod_revision) == (1, b"a", 3)


def late_with_streams(state: State) -> State:
    return State(state.server, state.commits, leases=state.leases, now=10, streams=state.streams)
