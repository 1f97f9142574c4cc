"""What a watcher is sent, derived from the history: nothing that writes knows of watchers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from etcd_model import results
from etcd_model.operations import FilterType
from etcd_model.quirks import Quirks
from etcd_model.ranges import FROM_KEY
from etcd_model.results import KeyValue
from etcd_model.state import Commit, DeleteEvent, Event, PutEvent, State
from etcd_model.streams import Stream, Watcher

PUT, DELETE = 0, 1
"""`Event.EventType`."""


def deliver(state: State) -> State:
    """The state after every live watcher of every stream was notified of all that it was not notified of yet."""
    newest = state.revision
    reported = {
        number: _deliver_to(state, stream)
        for number, stream in state.streams.items()
        if any(watcher.live and watcher.next_revision <= newest for watcher in stream.watchers)
    }
    return replace(state, streams={**state.streams, **reported}) if reported else state


def _deliver_to(state: State, stream: Stream) -> Stream:
    watchers, muted = [], dict(stream.muted)
    for watcher in stream.watchers:
        if watcher.live and watcher.next_revision <= state.revision:
            events = tuple(_events(state, watcher))
            watcher = replace(watcher, next_revision=state.revision + 1, owed=watcher.owed or bool(events))
            if watcher.watch_id in muted:
                muted[watcher.watch_id] += events
            else:
                watcher = replace(watcher, events=watcher.events + events)
        watchers.append(watcher)
    return replace(stream, watchers=tuple(watchers), muted=muted)


def _events(state: State, watcher: Watcher) -> Iterator[results.Event]:
    """Revision after revision, and within one in the order of execution."""
    first = state.commits[0].revision
    for commit in state.commits[max(watcher.next_revision - first, 0) :]:
        at_compaction = commit.revision == state.compact_revision
        for event in survivors(commit, state.server.quirks) if at_compaction else commit.events:
            reported = _reported(event)
            if _in_range(watcher, reported.kv.key) and not _filtered(watcher, reported):
                yield replace(reported, prev_kv=_before(state, reported)) if watcher.prev_kv else reported


def survivors(commit: Commit, quirks: Quirks) -> tuple[Event, ...]:
    """What a compaction at this very revision leaves of its events: the last of each key, and a deletion only where
    tombstones are kept (etcd server/storage/mvcc/key_index.go, doCompact)."""
    last = {_reported_key(event): event for event in commit.events}
    return tuple(
        event
        for event in commit.events
        if last[_reported_key(event)] is event and (isinstance(event, PutEvent) or quirks.compaction_keeps_tombstones)
    )


def _reported_key(event: Event) -> bytes:
    return event.kv.key if isinstance(event, PutEvent) else event.key


def _reported(event: Event) -> results.Event:
    """Of a deletion nothing is reported but the key and the revision (etcd server/storage/mvcc/watchable_store.go,
    kvsToEvents)."""
    match event:
        case PutEvent(kv=kv):
            return results.Event(PUT, kv)
        case DeleteEvent(key=key, mod_revision=mod_revision):
            return results.Event(DELETE, KeyValue(key, b"", create_revision=0, mod_revision=mod_revision, version=0))


def _before(state: State, event: results.Event) -> KeyValue | None:
    """The key at the revision before the event, unless that is compacted: so two events of one txn show the same.
    A put that creates the key shows none, whatever was there before
    (etcd server/etcdserver/api/v3rpc/watch.go, sendLoop and IsCreateEvent)."""
    if event.type == PUT and event.kv.create_revision == event.kv.mod_revision:
        return None
    revision = event.kv.mod_revision - 1
    if revision < max(state.compact_revision, state.commits[0].revision):
        return None
    return state.keys_at(revision).get(event.kv.key)


def _in_range(watcher: Watcher, key: bytes) -> bool:
    if not watcher.range_end:
        return key == watcher.key
    return watcher.key <= key and (watcher.range_end == FROM_KEY or key < watcher.range_end)


def _filtered(watcher: Watcher, event: results.Event) -> bool:
    """Unknown filters are none (same file, FiltersFromRequest)."""
    return (FilterType.NOPUT if event.type == PUT else FilterType.NODELETE) in watcher.filters
