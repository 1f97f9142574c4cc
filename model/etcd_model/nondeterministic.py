"""What etcd leaves open: operations whose outcome is a race inside the server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from etcd_model import auth
from etcd_model import operations as op
from etcd_model.auth.hashed import unknown_hash
from etcd_model.auth.nondeterministic import inverted_range, stale_password, stale_user, token_waits
from etcd_model.errors import Error
from etcd_model.events import survivors
from etcd_model.history_hash import nondeterministic_hash
from etcd_model.kv import put
from etcd_model.lock import left_behind
from etcd_model.ranges import SORTED_STABLY, has_unstable_ties, select
from etcd_model.results import KeyValue
from etcd_model.sizes import near_limit
from etcd_model.state import State
from etcd_model.step import step
from etcd_model.watch import muted_by, opened, refusal, synced

CATCHING_UP = "a watcher of the stream may still be catching up: read the stream first"
OWED = "what the watcher is owed may still be on its way: read the stream first"


def nondeterminism(operation: op.Operation, state: State) -> str | None:
    """Why nobody can see what etcd would do with the operation now; or None. Mostly a read of the stream that the
    operation is about makes it definite."""
    match operation:
        case op.As(operation=inner):
            sender = auth.sender_of(operation)
            return (
                token_waits(state, operation.sent)
                or stale_user(state, sender)
                or nondeterminism(inner, replace(state, sender=sender))
            )
        case op.Authenticate():
            return stale_password(state, operation.name)
        case op.Put() | op.DeleteRange() | op.Proclaim() | op.Unlock():
            return NEAR_LIMIT if near_limit(operation) else inverted_range(state, operation)
        case op.Range() | op.Txn():
            return NEAR_LIMIT if near_limit(operation) else inverted_range(state, operation) or _ties(state, operation)
        case op.Lock() | op.Campaign():
            return NEAR_LIMIT if near_limit(operation) else _waiting(operation, state)
        case op.UserChangePassword(hashed_password=hashed):
            return unknown_hash(hashed)
        case op.Advance():
            return _advance(operation, state)
        case op.WatchCreate():
            sender = opened(state, operation.stream).sender
            return inverted_range(replace(state, sender=sender), operation) or _create(operation, state)
        case op.WatchCancel():
            stream = opened(state, operation.stream)
            watcher = stream.registered(operation.watch_id)
            if watcher is None:
                return None
            return CATCHING_UP if stream.catching_up else OWED if watcher.owed else None
        case op.WatchProgress():
            stream = opened(state, operation.stream)
            if stream.catching_up:
                return CATCHING_UP
            if not state.server.quirks.progress_not_deferred and not synced(state, stream):
                return _DEFERRED if any(watcher.registered for watcher in stream.watchers) else None
            return None
        case op.WatchRead():
            return _read(operation, state)
        case op.Compact():
            return _compact(state)
        case op.HashKV():
            return nondeterministic_hash(state, operation.revision)
        case _:
            return None


TIES = "so many keys are sorted that the order of ties among them is not defined"


def _ties(state: State, operation: op.Range | op.Txn) -> str | None:
    """A read of a txn may be of keys that it has put itself, whatever they will be then."""
    if isinstance(operation, op.Range):
        return TIES if _sorts(operation) and has_unstable_ties(_named(state, operation), operation) else None
    requests = list(_requests(operation))
    puts = sum(isinstance(request, op.Put) for request in requests)
    sorted_reads = (request for request in requests if isinstance(request, op.Range) and _sorts(request))
    return TIES if any(len(_named(state, read)) + puts > SORTED_STABLY for read in sorted_reads) else None


def _sorts(operation: op.Range) -> bool:
    """By something that several keys may have in common."""
    return operation.sort_target != op.SortTarget.KEY


def _named(state: State, operation: op.Range) -> list[KeyValue]:
    """The keys of a range, at its revision if that can be read."""
    past = state.compact_revision <= operation.revision <= state.revision and operation.revision > 0
    keys = state.keys_at(operation.revision) if past else state.keys
    return select(keys, operation.key, operation.range_end)


def _requests(txn: op.Txn) -> Iterator[op.RequestOp]:
    """Those of both branches, and of the txns in them."""
    for request in (*txn.success, *txn.failure):
        yield request
        if isinstance(request, op.Txn):
            yield from _requests(request)


NEAR_LIMIT = "the request is so long that it may be too long"


def _waiting(operation: op.Lock | op.Campaign, state: State) -> str | None:
    """What another client asks meanwhile is as definite as by itself, and what may be drawn there is, unless it is too
    long."""
    asked = operation.meanwhile
    if asked is not None and near_limit(asked):
        return NEAR_LIMIT
    return left_behind(state, operation, step)


def _advance(operation: op.Advance, state: State) -> str | None:
    """A lease that is due is revoked by a request, which a corrupt cluster refuses: it is tried again, and again."""
    if op.AlarmType.CORRUPT not in state.refusing:
        return None
    due = any(lease.expiry <= state.now + operation.seconds for lease in state.leases.values())
    return "a lease is due, and can't be revoked for the alarm's sake" if due else None


_DEFERRED = "this version answers the progress request after some later event"


def _create(operation: op.WatchCreate, state: State) -> str | None:
    """A watcher from revision -1 of a store that was never compacted is notified of nothing that happens before etcd
    has synced it, and neither are others that wait for that (etcd server/storage/mvcc/watchable_store.go,
    rangeEvents, where -1 is the greatest revision of all)."""
    stream, refused = opened(state, operation.stream), refusal(state, operation)
    if refused:
        muted = muted_by(state, stream, refused) is not stream and stream.registered(refused.watch_id)
        return CATCHING_UP if muted and stream.catching_up else OWED if muted and muted.owed else None
    if operation.start_revision < 0 and operation.start_revision >= state.compact_revision:
        return "when the watcher is synced is nondeterministic, and what comes before that is lost to it"
    if not state.past.settled and operation.start_revision == state.compact_revision:
        commit = state.commits[0]
        if commit.revision == state.compact_revision and len(survivors(commit, state.server.quirks)) < len(
            commit.events
        ):
            return "a compaction may still be on its way, and takes events from under the watcher"
    return None


def _read(operation: op.WatchRead, state: State) -> str | None:
    """Not a race: where the sentinel can't be watched, or not be put, there is nothing to wait for."""
    stream = opened(state, operation.stream)
    reason = auth.check_watch(state, stream.sender, op.SENTINEL_KEY, b"")
    if reason:
        return f"the sentinel can't be watched: {reason}"
    _, result = put(state, op.Put(op.SENTINEL_KEY))
    return f"the sentinel can't be put: {result.message}" if isinstance(result, Error) else None


def _compact(state: State) -> str | None:
    for stream in state.streams.values():
        if stream.catching_up:
            return CATCHING_UP
        if any(watcher.prev_kv and watcher.owed for watcher in stream.watchers):
            return "previous values that a watcher is owed may be compacted before they are sent: read its stream first"
    return None
