"""The oracle: a small history is linearizable if one of all orders of its calls is right. It tries them all.

It shares the model with the checker, and nothing else: no revision is a witness, nothing is matched, nothing is placed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from etcd_lockstep.histories.history import Call, History, Indefinite, Watch
from etcd_model import step
from etcd_model.errors import Error
from etcd_model.lease import expire
from etcd_model.operations import FilterType, LeaseGrant, Operation, Range, Txn
from etcd_model.quirks import quirks_of
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    CompactResult,
    Event,
    KeyValue,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseTimeToLiveResult,
)
from etcd_model.state import Commit, Lease, PutEvent, Server, State

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Move:
    """A call, or the expiry of a lease, which may be carried out or not."""

    call: Call | None
    lease_id: int
    invoked: int
    returned: int | None
    optional: bool
    may_be_stale: bool = False
    header: int = 0
    """With a revision: not the call itself, but the moment at which its header was made, by whichever member; or the
    moment of an event that a watcher is sent."""


def is_linearizable(history: History) -> bool:
    """Whether any order of all calls, with or without the indefinite ones, is right."""
    initial = State(
        Server(quirks_of(history.version)),
        (Commit(history.beginning.revision, (), {kv.key: kv for kv in history.beginning.kvs}),),
        compact_revision=history.beginning.compact_revision,
        leases={lease_id: Lease(ttl, 0) for lease_id, ttl in history.beginning.leases.items()},
    )
    moves = [*map(_move, history.calls), *_expiries(history), *_headers(history)]
    return _search(history, moves, frozenset(range(len(moves))), initial, initial.commits)


def _move(call: Call) -> _Move:
    indefinite = isinstance(call.outcome, Indefinite)
    return _Move(
        call, 0, call.invoked, None if indefinite else call.returned, indefinite, _serializable(call.operation)
    )


def _expiries(history: History) -> Iterator[_Move]:
    for call in history.calls:
        if isinstance(call.operation, LeaseGrant) and not isinstance(call.outcome, Error):
            granted = isinstance(call.outcome, LeaseGrantResult)
            lease_id = call.outcome.id if granted else call.operation.id  # type: ignore[union-attr]  # as it says
            ttl = call.outcome.ttl if granted else call.operation.ttl  # type: ignore[union-attr]  # as it says
            yield _Move(None, lease_id, call.invoked + ttl * SECOND, None, optional=True)


_LOOSE = (LeaseKeepAliveResult, LeaseTimeToLiveResult, LeaseLeasesResult, CompactResult)


def _headers(history: History) -> Iterator[_Move]:
    """The headers that are made at another moment than that of the call itself."""
    for call in history.calls:
        if isinstance(call.outcome, _LOOSE):
            yield _Move(call, 0, call.invoked, call.returned, False, may_be_stale=True, header=call.outcome.revision)
    for watch in history.watches:
        for response in watch.responses:
            if response.events:
                sent = response.events[-1].kv.mod_revision
                yield _Move(None, 0, 0, response.received, False, may_be_stale=True, header=sent)


def _serializable(operation: Operation) -> bool:
    if isinstance(operation, Txn):
        requests = (*operation.success, *operation.failure)
        return bool(requests) and all(isinstance(one, Range) and one.serializable for one in requests)
    return isinstance(operation, Range) and operation.serializable


def _search(
    history: History, moves: list[_Move], left: frozenset[int], state: State, commits: tuple[Commit, ...]
) -> bool:
    """`commits`: all there were, where a compaction has taken some from the state."""
    if all(moves[index].optional for index in left) and _explains(history, commits):
        return True
    for index in sorted(left):
        move = moves[index]
        if any(_precedes(moves[other], move) for other in left if other != index):
            continue
        after = _carried_out(state, move)
        if after is None:
            continue
        made = after.commits[-1:] if after.revision > state.revision else ()
        if _search(history, moves, left - {index}, after, (*commits, *made)):
            return True
    return False


def _precedes(one: _Move, other: _Move) -> bool:
    return one.returned is not None and one.returned < other.invoked and not other.may_be_stale


def _carried_out(state: State, move: _Move) -> State | None:
    """The state after a move; None where its answer would have been another."""
    if move.header:
        return state if state.revision == move.header else None
    if move.call is None:
        return expire(state, move.lease_id) if move.lease_id in state.leases else None
    operation, outcome = move.call.operation, move.call.outcome
    if isinstance(operation, LeaseGrant) and not operation.id and isinstance(outcome, LeaseGrantResult):
        operation = replace(operation, id=outcome.id)
    after, result = step(state, operation)
    if isinstance(outcome, Indefinite) or _alike(result, outcome, after):
        return after
    return None


def _alike(expected: Any, observed: Any, after: State) -> bool:
    """Whether an answer is right, as far as clocks and headers that are made before or after the fact go."""
    match observed:
        case LeaseKeepAliveResult(ttl=ttl) if isinstance(expected, LeaseKeepAliveResult):
            return observed.revision <= after.revision and (observed.id, ttl) == (expected.id, expected.ttl)
        case LeaseTimeToLiveResult() if isinstance(expected, LeaseTimeToLiveResult):
            return (
                observed.revision >= after.revision - 1
                and observed.id == expected.id
                and (observed.ttl < 0) == (expected.ttl < 0)
                and observed.granted_ttl == expected.granted_ttl
                and sorted(observed.keys) == sorted(expected.keys)
            )
        case LeaseLeasesResult() if isinstance(expected, LeaseLeasesResult):
            return observed.revision >= after.revision - 1 and sorted(observed.leases) == sorted(expected.leases)
        case CompactResult() if isinstance(expected, CompactResult):
            return observed.revision >= after.revision
    return bool(expected == observed)


def _explains(history: History, commits: tuple[Commit, ...]) -> bool:
    """Whether what the account and the watchers show is what these commits make."""
    account = history.account
    if account is not None:
        answered = [call.outcome for call in history.calls if (call.returned or account.asked) < account.asked]
        if any(getattr(outcome, "revision", 0) > account.until for outcome in answered):
            return False
        made = [event for commit in commits for event in _reported(commit) if commit.revision <= account.until]
        if made != [replace(event, prev_kv=None) for event in account.events] or commits[-1].revision < account.until:
            return False
    return all(_is_sent_rightly(watch, commits) for watch in history.watches)


def _reported(commit: Commit) -> Iterator[Event]:
    for event in commit.events:
        if isinstance(event, PutEvent):
            yield Event(0, event.kv)
        else:
            yield Event(1, KeyValue(event.key, b"", 0, event.mod_revision, 0))


def _is_sent_rightly(watch: Watch, commits: tuple[Commit, ...]) -> bool:
    """Whether a watcher's events are the beginning of those it is owed, by whole revisions."""
    request = watch.request
    assert watch.created is not None
    start = request.start_revision or watch.created + 1
    owed = [
        event
        for commit in commits
        if commit.revision >= start
        for event in _reported(commit)
        if _in_range(request.key, request.range_end, event.kv.key)
        and (FilterType.NODELETE if event.type else FilterType.NOPUT) not in request.filters
    ]
    sent = [replace(event, prev_kv=None) for response in watch.responses for event in response.events]
    if sent != owed[: len(sent)]:
        return False
    position = 0
    for response in watch.responses:
        position += len(response.events)
        rest = owed[position:]
        if response.events and rest and rest[0].kv.mod_revision == response.events[-1].kv.mod_revision:
            return False
        if not response.events and any(event.kv.mod_revision <= response.revision for event in rest):
            return False
    return True


def _in_range(key: bytes, range_end: bytes, name: bytes) -> bool:
    if not range_end:
        return name == key
    return key <= name and (range_end == FROM_KEY or name < range_end)
