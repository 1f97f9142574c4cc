"""The model, revision by revision: the keys as they are, and a history of each of them.

`etcd_model` keeps all keys of each revision, which a history of a million calls can't afford. So a call is put to it
with an excerpt of the state: the keys that the call names, at the current revision. What is `plain` is not put to it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sortedcontainers import SortedList

from etcd_lockstep.histories.history import Beginning
from etcd_lockstep.histories.plain import DELETE, PUT, plain_delete, plain_txn, tombstone
from etcd_model import crash_reason, step
from etcd_model.operations import Compare, DeleteRange, Operation, Put, Range, RequestOp, Txn
from etcd_model.ranges import FROM_KEY
from etcd_model.results import Event, KeyValue, Result
from etcd_model.state import Commit, DeleteEvent, Keys, Lease, PutEvent, Server, State

_MOD = attrgetter("mod_revision")


class Crashing(Exception):
    """A real etcd would have died of a request, so nothing is known of what comes after it. The text says why."""


def refuse_crashing(operation: Operation, state: State) -> None:
    """Raises `Crashing` for a request that kills a server, of which the model has no answer."""
    reason = crash_reason(operation, state)
    if reason is not None:
        raise Crashing(reason)


class _AnyLease(dict[int, Lease]):
    """Leases among which each is. Whether the lease of a put is there is looked at apart (`leases`)."""

    def __contains__(self, _lease_id: object) -> bool:
        return True


ANY_LEASE: Mapping[int, Lease] = _AnyLease()
NO_LEASE: Mapping[int, Lease] = {}


@dataclass(frozen=True, slots=True)
class Excerpt(State):
    """A state with some of its keys, which reads the past elsewhere."""

    read_past: Callable[[int], Keys] | None = None

    def keys_at(self, revision: int) -> Keys:
        assert self.read_past is not None
        return self.read_past(revision)


class Store:
    """The keys at a revision, which moves on, and all that they were before."""

    def __init__(self, beginning: Beginning, server: Server) -> None:
        self.revision = beginning.revision
        self.live: dict[bytes, KeyValue] = {}
        self.attached: dict[int, set[bytes]] = {}
        """The keys of each lease that has any."""
        self.attached_ever: dict[int, set[bytes]] = {}
        """The keys that a lease ever had."""
        self.attachments: dict[int, list[tuple[int, int]]] = {}
        """Of each lease: after which revisions it had how many keys, wherever that changed from or to none."""
        self.together: dict[int, tuple[bytes, ...]] = {}
        """The keys of each revision that wrote several."""
        self._server = server
        self._histories: dict[bytes, list[KeyValue]] = {}
        self._live_keys: SortedList[bytes] | None = None
        self._all_keys: SortedList[bytes] | None = None
        for kv in beginning.kvs:
            self.write(beginning.revision, kv)

    # The keys as they are

    def apply(self, revision: int, events: Sequence[Event]) -> None:
        """Move on to a revision in which this was written."""
        if len(events) > 1:
            self.together[revision] = tuple([event.kv.key for event in events])
        for event in events:
            self.write(revision, event.kv if event.type == PUT else tombstone(event.kv.key, revision))

    def write(self, revision: int, kv: KeyValue) -> None:
        """Move on to a revision in which one key became this."""
        self.revision = revision
        key = kv.key
        history = self._histories.get(key)
        if history is None:
            history = self._histories[key] = []
            if self._all_keys is not None:
                self._all_keys.add(key)
        history.append(kv)
        old = self.live.get(key)
        if kv.version:
            self.live[key] = kv
            if old is None and self._live_keys is not None:
                self._live_keys.add(key)
        elif old is not None:
            del self.live[key]
            if self._live_keys is not None:
                self._live_keys.remove(key)
        if old is not None and old.lease and old.lease != kv.lease:
            self._detach(old.lease, key)
        if kv.lease:
            self._attach(kv.lease, key)

    def _attach(self, lease: int, key: bytes) -> None:
        keys = self.attached.setdefault(lease, set())
        keys.add(key)
        self.attached_ever.setdefault(lease, set()).add(key)
        self._note(lease, len(keys))

    def _detach(self, lease: int, key: bytes) -> None:
        keys = self.attached[lease]
        keys.discard(key)
        self._note(lease, len(keys))

    def _note(self, lease: int, number: int) -> None:
        noted = self.attachments.setdefault(lease, [])
        if noted and noted[-1][0] == self.revision:
            noted[-1] = (self.revision, number)
        elif not noted or (noted[-1][1] == 0) != (number == 0):
            noted.append((self.revision, number))

    def lease_ended_by(self, events: Sequence[Event]) -> int | None:
        """The lease of which these events would delete all keys, in the order in which its end does."""
        first = self.live.get(events[0].kv.key)
        if first is None or not first.lease:
            return None
        return first.lease if tuple(events) == self.end_of(first.lease, events[0].kv.mod_revision) else None

    def end_of(self, lease: int, revision: int) -> tuple[Event, ...]:
        """The events of a revision in which a lease ends: all its keys go, in ascending order."""
        return tuple([Event(DELETE, tombstone(key, revision)) for key in sorted(self.attached.get(lease, ()))])

    def selected(self, key: bytes, range_end: bytes) -> list[bytes]:
        """The live keys that a range names, in ascending order."""
        if not range_end:
            return [key] if key in self.live else []
        if self._live_keys is None:
            self._live_keys = SortedList(self.live)
        return _between(self._live_keys, key, range_end)

    # The keys as they were

    def history_of(self, key: bytes) -> list[KeyValue]:
        """Every write of a key, the oldest first; a deletion has version 0."""
        return self._histories.get(key, [])

    def at(self, key: bytes, revision: int) -> KeyValue | None:
        """A key at a revision that is not in the future."""
        history = self._histories.get(key)
        if history is None:
            return None
        position = bisect_right(history, revision, key=_MOD) - 1
        if position < 0 or not history[position].version:
            return None
        return history[position]

    def attached_at(self, lease: int, revision: int) -> list[bytes]:
        """The keys of a lease at a revision that is not in the future, in ascending order."""
        ever = self.attached_ever.get(lease, ())
        return sorted(key for key in ever if (kv := self.at(key, revision)) is not None and kv.lease == lease)

    def known(self, key: bytes, range_end: bytes) -> list[bytes]:
        """The keys that a range names, and that were there at any time."""
        if not range_end:
            return [key] if key in self._histories else []
        if self._all_keys is None:
            self._all_keys = SortedList(self._histories)
        return _between(self._all_keys, key, range_end)

    def changes(self, operation: Operation, after: int, until: int) -> set[int]:
        """The revisions between two, the latter included, at which a key was written that an operation names."""
        found: set[int] = set()
        for key, range_end in footprint(operation):
            for known in self.known(key, range_end):
                history = self._histories[known]
                first = bisect_right(history, after, key=_MOD)
                last = bisect_right(history, until, first, key=_MOD)
                found.update([kv.mod_revision for kv in history[first:last]])
        return found

    # What the model says

    def answer(
        self,
        operation: Operation,
        revision: int | None = None,
        *,
        keys_of: int | None = None,
        leases: Mapping[int, Lease] = ANY_LEASE,
        compact_revision: int = -1,
    ) -> tuple[Result, tuple[Event, ...]]:
        """The model's answer to an operation of the KV service at a revision, by default the current one, and the
        events of the revision that it makes, if it makes one. `keys_of`: with the keys as they were at another."""
        at = self.revision if revision is None else revision
        if revision is None and leases is ANY_LEASE:
            if type(operation) is Txn:
                plain = plain_txn(operation, self.live, at + 1)
                if plain is not None:
                    return plain
            elif type(operation) is DeleteRange and operation.key and not operation.range_end:
                return plain_delete(operation, self.live, at + 1)
        where = keys_of if keys_of is not None else revision
        keys: dict[bytes, KeyValue] = {}
        for key, range_end in footprint(operation):
            keys.update(self._current(key, range_end) if where is None else self._past(key, range_end, where))

        def past(of: int) -> Keys:
            return {name: kv for key, end in footprint(operation) for name, kv in self._past(key, end, of)}

        state = Excerpt(
            self._server, (Commit(at, (), keys),), compact_revision=compact_revision, leases=leases, read_past=past
        )
        refuse_crashing(operation, state)
        after, result = step(state, operation)
        commit = after.commits[-1]
        return result, tuple(map(reported, commit.events)) if commit.revision > at else ()

    def _current(self, key: bytes, range_end: bytes) -> Iterator[tuple[bytes, KeyValue]]:
        for name in self.selected(key, range_end):
            yield name, self.live[name]

    def _past(self, key: bytes, range_end: bytes, revision: int) -> Iterator[tuple[bytes, KeyValue]]:
        for name in self.known(key, range_end):
            kv = self.at(name, revision)
            if kv is not None:
                yield name, kv


def _between(keys: SortedList[bytes], key: bytes, range_end: bytes) -> list[bytes]:
    if range_end == FROM_KEY:
        return list(keys.irange(key))
    return list(keys.irange(key, range_end, (True, False)))


def reported(event: PutEvent | DeleteEvent) -> Event:
    """An event as watchers are sent it, without `prev_kv`."""
    if isinstance(event, PutEvent):
        return Event(PUT, event.kv)
    return Event(DELETE, tombstone(event.key, event.mod_revision))


def footprint(operation: Operation | RequestOp | Compare) -> Iterator[tuple[bytes, bytes]]:
    """The keys and ranges that an operation of the KV service reads or writes, on whatever path."""
    match operation:
        case Range() | DeleteRange() | Compare():
            yield operation.key, operation.range_end
        case Put():
            yield operation.key, b""
        case Txn():
            parts: tuple[Any, ...] = (*operation.compare, *operation.success, *operation.failure)
            for part in parts:
                yield from footprint(part)


def lease_ids(operation: Operation | RequestOp) -> Iterator[int]:
    """The leases that the puts of an operation name, on whatever path."""
    match operation:
        case Put(lease=lease):
            if lease:
                yield lease
        case Txn():
            for request in (*operation.success, *operation.failure):
                yield from lease_ids(request)
