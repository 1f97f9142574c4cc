"""Compaction and leases, as states."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from etcd_model import Error, Operation, Result, Server, State, step
from etcd_model.errors import COMPACTED, FUTURE_REVISION
from etcd_model.operations import (
    Compact,
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Put,
    Range,
)
from etcd_model.results import CompactResult, LeaseGrantResult, LeaseLeasesResult, LeaseTimeToLiveResult


def run(state: State, operations: Iterable[Operation]) -> tuple[State, list[Result]]:
    results = []
    for operation in operations:
        state, result = step(state, operation)
        results.append(result)
    return state, results


# Compaction.


@pytest.mark.parametrize(
    ("revisions", "results"),
    [
        ([-1], [COMPACTED]),
        ([0], [CompactResult(1)]),
        ([0, 0], [CompactResult(1), COMPACTED]),
        ([1], [CompactResult(1)]),
        ([1, 1], [CompactResult(1), COMPACTED]),
        ([0, 1], [CompactResult(1), CompactResult(1)]),
        ([1, 0], [CompactResult(1), COMPACTED]),
        ([2], [FUTURE_REVISION]),
        ([2, 1], [FUTURE_REVISION, CompactResult(1)]),
        ([-(2**63)], [COMPACTED]),
    ],
    ids=str,
)
def test_a_fresh_store_is_compacted(revisions: list[int], results: list[Result]) -> None:
    assert run(State(), map(Compact, revisions))[1] == results


@pytest.mark.parametrize("revision", range(6))
def test_a_compaction_keeps_its_revision_and_what_comes_after(revision: int) -> None:
    state, _ = run(State(), [Put(b"a"), Put(b"a"), DeleteRange(b"a"), Put(b"a")])
    assert state.revision == 5
    after, _ = step(state, Compact(revision))
    assert (after.revision, after.keys, after.compact_revision) == (5, state.keys, revision)
    for past in range(1, 6):
        answer = step(after, Range(b"a", revision=past))[1]
        assert answer == (COMPACTED if past < revision else step(state, Range(b"a", revision=past))[1])


def test_the_history_is_dropped_and_not_only_hidden() -> None:
    state, _ = run(State(), [Put(b"a"), Put(b"a"), Put(b"a"), Compact(3)])
    assert [commit.revision for commit in state.commits] == [3, 4]


def test_writing_goes_on_after_the_current_revision_was_compacted() -> None:
    state, _ = run(State(), [Put(b"a"), Compact(2), Put(b"a")])
    assert (state.revision, state.keys[b"a"].version, state.keys_at(2)[b"a"].version) == (3, 2, 1)


# Leases.


def granted(state: State, operation: LeaseGrant) -> tuple[State, int]:
    state, result = step(state, operation)
    assert isinstance(result, LeaseGrantResult)
    return state, result.id


def test_no_lease_id_is_picked_twice() -> None:
    state, picked = State(), []
    for _ in range(5):
        state, lease = granted(state, LeaseGrant(60))
        picked.append(lease)
        state, _ = step(state, LeaseRevoke(lease))
    assert len(set(picked)) == 5
    assert all(lease > 0 for lease in picked)


def test_a_lease_id_that_the_caller_names_uses_up_no_picked_one() -> None:
    alone, _ = granted(State(), LeaseGrant(60))
    state, _ = granted(State(), LeaseGrant(60, id=7))
    assert granted(alone, LeaseGrant(60))[1] == granted(granted(state, LeaseGrant(60))[0], LeaseGrant(60))[1]


@pytest.mark.parametrize(
    ("least", "asked", "ttl"), [(2, 1, 2), (2, 2, 2), (2, 3, 3), (1, 1, 1), (5, 2, 5), (2, -(2**63), 2)]
)
def test_the_least_ttl_is_the_servers(least: int, asked: int, ttl: int) -> None:
    state = State(server=Server(min_lease_ttl=least))
    assert step(state, LeaseGrant(asked, id=7))[1] == LeaseGrantResult(1, 7, ttl)


def test_leases_come_by_expiry_and_those_of_one_moment_by_id() -> None:
    state, _ = run(State(), [LeaseGrant(60, id=1), LeaseGrant(30, id=9), LeaseGrant(30, id=3), LeaseGrant(90, id=2)])
    assert step(state, LeaseLeases())[1] == LeaseLeasesResult(1, (3, 9, 1, 2))


def test_keeping_alive_begins_the_ttl_anew_by_the_virtual_clock() -> None:
    state, _ = step(State(), LeaseGrant(60, id=7))
    later = State(leases=state.leases, now=40)
    assert step(later, LeaseTimeToLive(7))[1] == LeaseTimeToLiveResult(1, 7, 19, 60)
    kept, _ = step(later, LeaseKeepAlive(7))
    assert step(kept, LeaseTimeToLive(7))[1] == LeaseTimeToLiveResult(1, 7, 59, 60)


def test_the_attachment_of_a_key_is_nowhere_but_in_the_key() -> None:
    state, results = run(
        State(),
        [LeaseGrant(60, id=7), Put(b"b", lease=7), Put(b"a", lease=7), Put(b"b"), LeaseTimeToLive(7, keys=True)],
    )
    assert not any(isinstance(result, Error) for result in results)
    assert results[-1] == LeaseTimeToLiveResult(4, 7, 59, 60, (b"a",))
    assert {kv.key: kv.lease for kv in state.keys.values()} == {b"a": 7, b"b": 0}


def test_a_lease_that_is_revoked_takes_its_keys_of_that_moment_in_order() -> None:
    state, _ = run(State(), [LeaseGrant(60, id=7), Put(b"b", lease=7), Put(b"a", lease=7), LeaseRevoke(7)])
    assert [event.key for event in state.commits[-1].events if hasattr(event, "key")] == [b"a", b"b"]
    assert dict(state.leases) == {}
