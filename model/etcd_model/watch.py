"""The Watch service: streams, the watchers on them, and what a stream has delivered.

A watcher is notified of the past as soon as it is created. In a real etcd that takes up to 100 ms; what could come
between is `nondeterminism`, and a read of the stream waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from etcd_model import auth
from etcd_model.errors import COMPACTED, Error
from etcd_model.events import deliver
from etcd_model.exhaustive import assert_never
from etcd_model.operations import WatchCancel, WatchClose, WatchCreate, WatchProgress, WatchRead
from etcd_model.ranges import FROM_KEY
from etcd_model.results import Result, StreamResult, WatchCreateResult, Watched, WatchReadResult
from etcd_model.state import State
from etcd_model.streams import Stream, Watcher

NO_ID = -1
"""The id in the reply to a creation that was refused, and to a progress request
(etcd client/v3/watch.go, InvalidWatchID)."""

RANGE_EMPTY = "mvcc: watcher range is empty"
DUPLICATE_ID = "mvcc: duplicate watch ID provided on the WatchStream"


def step(state: State, operation: WatchCreate | WatchCancel | WatchProgress | WatchClose) -> tuple[State, Result]:
    """One operation of the family but `WatchRead`. The first use of a stream opens it, with the token of that use."""
    match operation:
        case WatchCreate():
            return create(state, operation)
        case WatchCancel():
            return with_stream(state, operation.stream, _cancelled(state, operation)), StreamResult()
        case WatchProgress():
            return with_stream(state, operation.stream, _progressed(state, operation)), StreamResult()
        case WatchClose():
            left = {number: stream for number, stream in state.streams.items() if number != operation.stream}
            return replace(state, streams=left) if len(left) < len(state.streams) else state, StreamResult()
        case _:
            assert_never(operation)


def opened(state: State, number: int) -> Stream:
    """The stream of this number, a new one if there is none."""
    return state.streams.get(number) or Stream(sender=state.sender)


def with_stream(state: State, number: int, stream: Stream) -> State:
    """The state with this stream instead."""
    return replace(state, streams={**state.streams, number: stream})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no watcher was created, and the id in the reply."""

    reason: str
    watch_id: int = NO_ID


def create(state: State, operation: WatchCreate) -> tuple[State, WatchCreateResult]:
    """A new watcher, or the reason why there is none."""
    stream = opened(state, operation.stream)
    refused = refusal(state, operation)
    if refused:
        state = with_stream(state, operation.stream, muted_by(state, stream, refused))
        return state, WatchCreateResult(state.revision, refused.watch_id, canceled=True, cancel_reason=refused.reason)
    watch_id, next_id = operation.watch_id, stream.next_id
    if not watch_id:
        while stream.registered(next_id):
            next_id += 1
        watch_id, next_id = next_id, next_id + 1
    watcher = _watcher(state, operation, watch_id)
    held_back = stream.muted.get(watch_id, ())
    stream = replace(
        stream,
        watchers=(*stream.watchers, replace(watcher, events=held_back)),
        next_id=next_id,
        catching_up=stream.catching_up or in_the_past(state, operation),
        muted={muted: events for muted, events in stream.muted.items() if muted != watch_id},
    )
    return deliver(with_stream(state, operation.stream, stream)), WatchCreateResult(state.revision, watch_id)


def in_the_past(state: State, operation: WatchCreate) -> bool:
    """Whether the watcher has something to catch up with, before it is synced."""
    return operation.start_revision != 0 and operation.start_revision <= state.revision


def refusal(state: State, operation: WatchCreate) -> Refusal | None:
    """Why etcd would not create this watcher (etcd server/etcdserver/api/v3rpc/watch.go, recvLoop, then
    server/storage/mvcc/watcher.go, Watch). A start in the compacted past is found out only later."""
    quirks, stream = state.server.quirks, opened(state, operation.stream)
    if operation.start_revision < 0 and quirks.watch_negative_start_refused:
        return Refusal(COMPACTED.message)
    reason = auth.check_watch(state, stream.sender, operation.key, operation.range_end)
    if reason:
        return Refusal(reason, NO_ID if quirks.watch_refusal_has_reason else operation.watch_id)
    if operation.range_end not in (b"", FROM_KEY) and _key(operation) >= operation.range_end:
        return Refusal(RANGE_EMPTY)
    if operation.watch_id and stream.registered(operation.watch_id):
        return Refusal(DUPLICATE_ID)
    return None


def muted_by(state: State, stream: Stream, refused: Refusal) -> Stream:
    """Before `Quirks.watch_refusal_has_reason`, the watcher that has the very id of a refusal, be it -1, is muted:
    what it is sent is held back until the id is given to another (same file, sendLoop)."""
    if state.server.quirks.watch_refusal_has_reason or not stream.registered(refused.watch_id):
        return stream
    return replace(stream, muted={refused.watch_id: (), **stream.muted})


def _key(operation: WatchCreate) -> bytes:
    """No key is the least of all keys (same file, recvLoop)."""
    return operation.key or b"\x00"


def _watcher(state: State, operation: WatchCreate, watch_id: int) -> Watcher:
    """A watcher from the compacted past is cancelled by a reply that has no reason, and neither has it a revision in
    its header; its id stays taken. After a compaction at revision 0 not even `canceled` is set
    (etcd server/storage/mvcc/watcher_group.go, chooseAll)."""
    start = operation.start_revision
    watcher = Watcher(
        watch_id,
        _key(operation),
        operation.range_end,
        start,
        next_revision=start if start > 0 else state.revision + 1,
        filters=operation.filters,
        prev_kv=operation.prev_kv,
    )
    if not in_the_past(state, operation) or start >= state.compact_revision:
        return watcher
    return replace(
        watcher,
        compacted=True,
        cancels=("",) if state.compact_revision else (),
        compact_revision=state.compact_revision,
    )


def _cancelled(state: State, operation: WatchCancel) -> Stream:
    """To cancel what is not there has no answer."""
    stream = opened(state, operation.stream)
    return replace(
        stream,
        watchers=tuple(
            replace(watcher, registered=False, cancels=(*watcher.cancels, ""), compact_revision=0)
            if watcher.registered and watcher.watch_id == operation.watch_id
            else watcher
            for watcher in stream.watchers
        ),
    )


def _progressed(state: State, operation: WatchProgress) -> Stream:
    stream = opened(state, operation.stream)
    return replace(stream, progress=(*stream.progress, state.revision)) if synced(state, stream) else stream


def synced(state: State, stream: Stream) -> bool:
    """Whether a progress request is answered now (etcd server/storage/mvcc/watchable_store.go, progressIfSync).
    A watcher that a compaction has cancelled is never synced."""
    quirks = state.server.quirks
    if not quirks.progress_only_if_synced:
        return True
    watchers = [watcher for watcher in stream.watchers if watcher.registered]
    return bool(watchers) and all(
        watcher.live and not (quirks.progress_awaits_start and watcher.start_revision > state.revision)
        for watcher in watchers
    )


def read(
    state: State, operation: WatchRead, put_sentinel: Callable[[State], tuple[State, Result]]
) -> tuple[State, WatchReadResult | Error]:
    """All that the stream has delivered. The sentinel is put by `put_sentinel`, like any other key; a second time
    where the stream had to catch up. A put that is refused is the answer."""
    state = with_stream(state, operation.stream, opened(state, operation.stream))
    for _ in range(2 if state.streams[operation.stream].catching_up else 1):
        state, put = put_sentinel(state)
        if isinstance(put, Error):
            return state, put
    stream = state.streams[operation.stream]
    stream = replace(
        stream, catching_up=False, watchers=tuple(replace(watcher, owed=False) for watcher in stream.watchers)
    )
    watches = tuple(
        Watched(watcher.watch_id, watcher.events, watcher.cancels, watcher.compact_revision)
        for watcher in stream.watchers
    )
    return with_stream(state, operation.stream, stream), WatchReadResult(state.revision, watches, stream.progress)
