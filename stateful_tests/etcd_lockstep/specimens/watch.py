"""Lies about what watchers are sent.

etcd's promises (etcd documentation, "KV API guarantees": watch APIs) are that events are ordered, unique, reliable
and atomic, that a watcher may begin in the past, and that it is reported where that is compacted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby, pairwise
from typing import get_args

from etcd_lockstep.specimens.specimen import Specimen, basic_and
from etcd_model import Operation, Result, State
from etcd_model.events import DELETE
from etcd_model.operations import (
    SENTINEL_KEY,
    Advance,
    DeleteRange,
    FilterType,
    LeaseRevoke,
    Txn,
    WatchCancel,
    WatchClose,
    WatchCreate,
    WatchOperation,
    WatchProgress,
    WatchRead,
)
from etcd_model.ranges import select
from etcd_model.results import (
    DeleteRangeResult,
    Event,
    KeyValue,
    StreamResult,
    WatchCreateResult,
    Watched,
    WatchReadResult,
)
from etcd_model.state import Keys
from etcd_model.streams import Watcher

Place = tuple[int, int]
"""Where a watcher is: the number of its stream, and which one on that stream it is."""


class WatchSpecimen(Specimen):
    """Reports each watcher what `report` makes of the events that it is owed."""

    capabilities = basic_and(*get_args(WatchOperation))

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)

        def reported(place: Place, watcher: Watcher) -> Watcher:
            already = _events_of(before, place)
            owed = watcher.events[len(already) :]
            return replace(watcher, events=already + self.report(operation, place, owed)) if owed else watcher

        self.state = _map_watchers(self.state, reported)
        if isinstance(operation, WatchRead) and isinstance(result, WatchReadResult):
            watchers = self.state.streams[operation.stream].watchers
            watches = zip(result.watches, watchers, strict=True)
            return replace(result, watches=tuple(replace(one, events=watcher.events) for one, watcher in watches))
        return result

    def report(self, operation: Operation, place: Place, owed: tuple[Event, ...]) -> tuple[Event, ...]:  # noqa: ARG002
        """The events that a watcher is sent for those which an operation has brought about; there is at least one."""
        return owed


def _events_of(state: State, place: Place) -> tuple[Event, ...]:
    number, index = place
    watchers = state.streams[number].watchers if number in state.streams else ()
    return watchers[index].events if index < len(watchers) else ()


def _map_watchers(state: State, f: Callable[[Place, Watcher], Watcher]) -> State:
    streams = {
        number: replace(
            stream, watchers=tuple(f((number, index), watcher) for index, watcher in enumerate(stream.watchers))
        )
        for number, stream in state.streams.items()
    }
    return replace(state, streams=streams)


def _newest(state: State, operation: WatchCreate) -> Place:
    return operation.stream, len(state.streams[operation.stream].watchers) - 1


# What goes by unnoticed


class SilentTxn(WatchSpecimen):
    """What a txn does is no event."""

    name = "silent-txn"

    def report(self, operation: Operation, place: Place, owed: tuple[Event, ...]) -> tuple[Event, ...]:
        return () if isinstance(operation, Txn) else super().report(operation, place, owed)


class SilentRevoke(WatchSpecimen):
    """What goes with a revoked lease is no event."""

    name = "silent-revoke"

    def report(self, operation: Operation, place: Place, owed: tuple[Event, ...]) -> tuple[Event, ...]:
        return () if isinstance(operation, LeaseRevoke) else super().report(operation, place, owed)


class SilentExpiry(WatchSpecimen):
    """What goes with an expired lease is no event."""

    name = "silent-expiry"
    capabilities = basic_and(*get_args(WatchOperation), Advance)

    def report(self, operation: Operation, place: Place, owed: tuple[Event, ...]) -> tuple[Event, ...]:
        return () if isinstance(operation, Advance) else super().report(operation, place, owed)


class DropsOnBurst(WatchSpecimen):
    """A watcher has room for so many events; until its stream is read, the others are dropped."""

    name = "drops-on-burst"
    ROOM = 3

    def __init__(self) -> None:
        super().__init__()
        self._read: dict[Place, int] = {}

    def reset(self) -> int:
        self._read = {}
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, WatchRead | WatchClose):
            self._read = {place: count for place, count in self._read.items() if place[0] != operation.stream}
        if isinstance(operation, WatchRead) and operation.stream in self.state.streams:
            for index, watcher in enumerate(self.state.streams[operation.stream].watchers):
                self._read[operation.stream, index] = len(watcher.events)
        return result

    def report(self, operation: Operation, place: Place, owed: tuple[Event, ...]) -> tuple[Event, ...]:
        if isinstance(operation, WatchRead):
            return super().report(operation, place, owed)
        unread = len(_events_of(self.state, place)) - len(owed) - self._read.get(place, 0)
        return super().report(operation, place, owed)[: self.ROOM - unread]


class PrefixWatchDeaf(WatchSpecimen):
    """A watcher of a range is notified of its first key alone."""

    name = "prefix-watch-deaf"

    def report(self, operation: Operation, place: Place, owed: tuple[Event, ...]) -> tuple[Event, ...]:
        owed = super().report(operation, place, owed)
        number, index = place
        key = self.state.streams[number].watchers[index].key
        return tuple(event for event in owed if event.kv.key in (key, SENTINEL_KEY))


class CloseCancelsOthers(WatchSpecimen):
    """With a stream that is closed, the watchers of all others fall silent."""

    name = "close-cancels-others"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, WatchClose):
            self.state = _map_watchers(self.state, lambda _place, watcher: replace(watcher, next_revision=_NEVER))
        return result


class SecondWatchReplacesFirst(WatchSpecimen):
    """Of the watchers of one key, only the one that was created last is notified of anything from then on."""

    name = "second-watch-replaces-first"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, WatchCreate) and isinstance(result, WatchCreateResult) and not result.canceled:
            newest = _newest(self.state, operation)
            key = self.state.streams[newest[0]].watchers[newest[1]].key

            def replaced(place: Place, watcher: Watcher) -> Watcher:
                return replace(watcher, next_revision=_NEVER) if watcher.key == key and place != newest else watcher

            self.state = _map_watchers(self.state, replaced)
        return result


_NEVER = 2**63
"""No store has so many revisions."""


# What is reported wrongly


class DeleteEventCarriesValue(WatchSpecimen):
    """The event of a deletion has the value that was deleted."""

    name = "delete-event-carries-value"

    def report(self, operation: Operation, place: Place, owed: tuple[Event, ...]) -> tuple[Event, ...]:
        return tuple(map(self._with_value, super().report(operation, place, owed)))

    def _with_value(self, event: Event) -> Event:
        before = event.kv.mod_revision - 1
        if event.type != DELETE or before < self.state.commits[0].revision:
            return event
        deleted = self.state.keys_at(before).get(event.kv.key)
        return replace(event, kv=replace(event.kv, value=deleted.value)) if deleted else event


class DeleteEventForMissing(WatchSpecimen):
    """To delete a key that is not there is an event."""

    name = "delete-event-for-missing"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if (
            isinstance(operation, DeleteRange)
            and isinstance(result, DeleteRangeResult)
            and not (operation.range_end or result.deleted)
        ):
            self.state = _map_watchers(self.state, lambda _place, watcher: _reported_of(watcher, operation, result))
        return result


def _reported_of(watcher: Watcher, operation: DeleteRange, result: DeleteRangeResult) -> Watcher:
    kv = KeyValue(operation.key, b"", create_revision=0, mod_revision=result.revision, version=0)
    heard = watcher.live and select({kv.key: kv}, watcher.key, watcher.range_end)
    if not heard or FilterType.NODELETE in watcher.filters:
        return watcher
    return replace(watcher, events=(*watcher.events, Event(DELETE, kv)))


class CaughtUpTwice(WatchSpecimen):
    """A watcher that begins in the past is sent twice the last that happened before it was created."""

    name = "caught-up-twice"

    def report(self, operation: Operation, place: Place, owed: tuple[Event, ...]) -> tuple[Event, ...]:
        owed = super().report(operation, place, owed)
        return (*owed, owed[-1]) if isinstance(operation, WatchCreate) else owed


class RevisionBackwards(WatchSpecimen):
    """The events of one revision come in the wrong order, the last first."""

    name = "revision-backwards"

    def report(self, operation: Operation, place: Place, owed: tuple[Event, ...]) -> tuple[Event, ...]:
        owed = super().report(operation, place, owed)
        return tuple(event for _, events in groupby(owed, _revision) for event in reversed(list(events)))


class RevisionSplit(WatchSpecimen):
    """Each event comes in a response of its own, those of one revision as well."""

    name = "revision-split"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return (
            replace(result, watches=tuple(map(_split, result.watches)))
            if isinstance(result, WatchReadResult)
            else result
        )


def _split(watched: Watched) -> Watched:
    return replace(watched, atomic=not any(one == other for one, other in pairwise(map(_revision, watched.events))))


def _revision(event: Event) -> int:
    return event.kv.mod_revision


# Requests that are not heard as they were said


class StartRevisionIgnored(WatchSpecimen):
    """Every watcher begins with what happens next."""

    name = "start-revision-ignored"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, WatchCreate) and isinstance(result, WatchCreateResult) and not result.canceled:
            newest = _newest(self.state, operation)
            self.state = _map_watchers(
                self.state, lambda place, watcher: self._from_now_on(watcher) if place == newest else watcher
            )
        return result

    def _from_now_on(self, watcher: Watcher) -> Watcher:
        return replace(_not_cancelled(watcher, self.state.revision + 1), start_revision=0, events=())


class CompactedStartAccepted(WatchSpecimen):
    """A watcher from the compacted past is not cancelled: it begins where the compaction has left something."""

    name = "compacted-start-accepted"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, WatchCreate) and isinstance(result, WatchCreateResult) and not result.canceled:
            newest, begin = _newest(self.state, operation), self.state.compact_revision

            def accepted(place: Place, watcher: Watcher) -> Watcher:
                return _not_cancelled(watcher, begin) if place == newest and watcher.compacted else watcher

            self.state = _map_watchers(self.state, accepted)
        return result


def _not_cancelled(watcher: Watcher, next_revision: int) -> Watcher:
    return replace(watcher, next_revision=next_revision, compacted=False, cancels=(), compact_revision=0)


class FiltersIgnored(WatchSpecimen):
    """No watcher filters anything."""

    name = "filters-ignored"

    def apply(self, operation: Operation) -> Result:
        return super().apply(replace(operation, filters=()) if isinstance(operation, WatchCreate) else operation)


class WatchPrevKvMissing(WatchSpecimen):
    """No watcher is sent what was there before."""

    name = "watch-prev-kv-missing"

    def apply(self, operation: Operation) -> Result:
        return super().apply(replace(operation, prev_kv=False) if isinstance(operation, WatchCreate) else operation)


class WatchPrevKvOfCompacted(WatchSpecimen):
    """A watcher is sent what was there before, though that is compacted."""

    name = "watch-prev-kv-of-compacted"

    def reset(self) -> int:
        self._kept: dict[int, Keys] = {}
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        self._kept[self.state.revision] = self.state.keys
        return super().apply(operation)

    def report(self, operation: Operation, place: Place, owed: tuple[Event, ...]) -> tuple[Event, ...]:
        number, index = place
        if not self.state.streams[number].watchers[index].prev_kv:
            return super().report(operation, place, owed)
        return tuple(replace(event, prev_kv=event.prev_kv or self._before(event)) for event in owed)

    def _before(self, event: Event) -> KeyValue | None:
        return self._kept.get(event.kv.mod_revision - 1, {}).get(event.kv.key)


class CancelIgnored(WatchSpecimen):
    """A watcher can't be cancelled."""

    name = "cancel-ignored"

    def apply(self, operation: Operation) -> Result:
        return StreamResult() if isinstance(operation, WatchCancel) else super().apply(operation)


class ProgressNeverAnswered(WatchSpecimen):
    """A progress request has no answer."""

    name = "progress-never-answered"

    def apply(self, operation: Operation) -> Result:
        return StreamResult() if isinstance(operation, WatchProgress) else super().apply(operation)
