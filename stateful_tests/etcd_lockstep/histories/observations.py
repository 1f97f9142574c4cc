"""What later answers show of a key: which events of a revision that nobody reported can't have been.

A key-value shows when it was last written, and how often since it was created. So a write between two sightings of its
key is either counted in the later one, or was not there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

from etcd_lockstep.histories.answers import kvs_in
from etcd_lockstep.histories.history import Call, History
from etcd_lockstep.histories.placing import Placed
from etcd_lockstep.histories.plain import DELETE, PUT, is_plain_range
from etcd_model.operations import DeleteRange, LeaseRevoke, Operation, Put, Range, RequestOp, Txn
from etcd_model.results import DeleteRangeResult, Event, KeyValue, RangeResult, TxnResult


class Observations:
    """The reads of each key, and the writes of it that are claimed."""

    def __init__(self, calls: Sequence[Call], placed: Placed) -> None:
        self._reads: dict[bytes, list[tuple[int, KeyValue | None]]] = {}
        self._puts: dict[bytes, list[int]] = {}
        self._deletes: dict[bytes, list[int]] = {}
        self._wide = sorted(placed.revokes)
        """Where a range of keys was deleted, or those of a lease."""
        for index in placed.reads:
            self._note_read(calls[index], placed.revisions[index])
        for revision, claims in placed.claims.items():
            for change, key in _changes(calls[claims[0]].operation, calls[claims[0]].outcome):
                self._note_change(change, key, revision)
        self._may_put: Counter[bytes] = Counter()
        self._may_delete: set[bytes | None] = set()
        """Which keys an indefinite call may delete; None is any."""
        for index in placed.indefinite:
            for change, key in _changes(calls[index].operation, None):
                if change == PUT and key is not None:
                    self._may_put[key] += 1
                else:
                    self._may_delete.add(key)
        if placed.grants:
            self._may_delete.add(None)  # a lease may expire
        self._wide.sort()
        for deletes in self._deletes.values():
            deletes.sort()
        for reads in self._reads.values():
            reads.sort(key=lambda read: read[0])
        for puts in self._puts.values():
            puts.sort()
        self._claimed = sorted(placed.claims)

    def _note_read(self, call: Call, revision: int) -> None:
        operation, result = call.operation, call.outcome
        if isinstance(operation, Range) and isinstance(result, RangeResult):
            if not is_plain_range(operation):
                return
            if not operation.range_end and not result.kvs:
                self._reads.setdefault(operation.key, []).append((revision, None))
        elif not isinstance(result, TxnResult) or not _reads_plainly(operation):
            return
        for kv in kvs_in(result):
            self._reads.setdefault(kv.key, []).append((revision, kv))

    def _note_change(self, change: int, key: bytes | None, revision: int) -> None:
        if key is None:
            self._wide.append(revision)
        else:
            (self._puts if change == PUT else self._deletes).setdefault(key, []).append(revision)

    def allow(self, revision: int, event: Event) -> bool:
        """Whether the next sighting of the key allows that it was written so at a revision."""
        key = event.kv.key
        reads = self._reads.get(key, [])
        position = bisect_left(reads, revision, key=lambda read: read[0])
        if position == len(reads):
            return True
        seen_at, kv = reads[position]
        if kv is None:
            return event.type == DELETE or self._may_be_deleted(key, revision, seen_at)
        if kv.mod_revision <= revision:
            return kv.mod_revision == revision and event.type != DELETE and event.kv == kv
        if kv.create_revision > revision:
            return event.type == DELETE or self._may_be_deleted(key, revision, kv.create_revision)
        if event.type == DELETE or event.kv.create_revision != kv.create_revision:
            return False
        claimed = event.kv.version + self._between(self._puts.get(key, []), revision, kv.mod_revision)
        unclaimed = min(self._unclaimed(revision, kv.mod_revision), self._may_put[key])
        return claimed <= kv.version <= claimed + unclaimed

    def _may_be_deleted(self, key: bytes, after: int, until: int) -> bool:
        """Whether anything between two revisions may have deleted a key."""
        if self._between(self._deletes.get(key, []), after, until) or self._between(self._wide, after, until):
            return True
        return not self._may_delete.isdisjoint((key, None)) and self._unclaimed(after, until) > 0

    def need(self, revision: int, event: Event) -> bool:
        """Whether the next sighting of the key counts a write that no call claims, and that may be this one."""
        reads = self._reads.get(event.kv.key, [])
        position = bisect_left(reads, revision, key=lambda read: read[0])
        kv = reads[position][1] if position < len(reads) else None
        if kv is None or event.type == DELETE or event.kv.create_revision != kv.create_revision:
            return False
        claimed = self._between(self._puts.get(event.kv.key, []), revision, kv.mod_revision)
        return kv.version >= event.kv.version + claimed

    def _unclaimed(self, after: int, until: int) -> int:
        """How many revisions between two no answer claims."""
        return until - after - self._between(self._claimed, after, until)

    def _between(self, revisions: Sequence[int], after: int, until: int) -> int:
        """How many of them are above one revision, and not above another."""
        return bisect_right(revisions, until) - bisect_right(revisions, after)


def _changes(operation: Operation | RequestOp, result: object) -> Iterator[tuple[int, bytes | None]]:
    """What a completed write did, as its answer shows, or, without one, all that it may do: which keys were put, which
    were deleted; None is a range of them, or those of a lease."""
    match operation:
        case Put(key=key):
            yield PUT, key
        case DeleteRange(key=key, range_end=range_end):
            if not isinstance(result, DeleteRangeResult) or result.deleted:
                yield DELETE, None if range_end else key
        case LeaseRevoke():
            yield DELETE, None
        case Txn() if isinstance(result, TxnResult):
            branch = operation.success if result.succeeded else operation.failure
            for request, response in zip(branch, result.responses, strict=False):
                yield from _changes(request, response)
        case Txn():
            for request in (*operation.success, *operation.failure):
                yield from _changes(request, None)


def _reads_plainly(operation: Operation) -> bool:
    """Whether a txn reads nothing but keys as they are."""
    if not isinstance(operation, Txn):
        return False
    return all(
        isinstance(request, Range) and is_plain_range(request) and request.revision == 0
        for request in (*operation.success, *operation.failure)
    )


def hints_of(history: History) -> dict[int, dict[bytes, KeyValue]]:
    """By revision, what any answer and any watcher shows of it. A key-value without a value may be one of which only
    the key was asked."""
    hints: dict[int, dict[bytes, KeyValue]] = {}
    shown = [kv for call in history.calls for kv in kvs_in(call.outcome) if kv.value]
    sent = [event.kv for watch in history.watches for response in watch.responses for event in response.events]
    for kv in (*shown, *sent):
        hints.setdefault(kv.mod_revision, {})[kv.key] = kv
    return hints
