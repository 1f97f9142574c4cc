"""The store: every key's records, the revision, compaction.

Every write ends in `Store.commit`, which turns the records written since the last one into one new revision and knows
them all, in execution order. Between a write and its commit, reads see the pending records.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import NamedTuple, cast

from sortedcontainers import SortedList

from fake_etcd.database_size import bytes_of
from fake_etcd.lease import Lessor

FROM_KEY = b"\0"
"""The range_end that means "every key from key on" (etcd: server/etcdserver/txn/util.go mkGteRange)."""


class Record(NamedTuple):
    """A key as one write left it. A tombstone has version 0, and nothing but its key and mod_revision."""

    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int

    def __deepcopy__(self, _memo: object) -> "Record":
        """It never changes, so that states may share it."""
        return self


_LARGEST_GAP = 1_000_000
"""How many records of the compacted revision may be gone before one that is left, in a database to be loaded."""

_mod_revision = itemgetter(Record._fields.index("mod_revision"))


def _bytes_of(records: Iterable[Record]) -> int:
    return sum(bytes_of(len(record.key) + len(record.value)) for record in records)


class Store:
    """Keys and their history, from the compacted revision on."""

    __slots__ = (
        "_histories",
        "_index",
        "_lessor",
        "_log",
        "_log_start",
        "_pending",
        "_subs",
        "compact_revision",
        "deletes",
        "live_keys",
        "on_commit",
        "puts",
        "record_bytes",
        "revision",
    )

    def __init__(self, lessor: Lessor) -> None:
        self.revision = 1
        self.compact_revision = -1
        self.puts = 0
        self.deletes = 0
        self.live_keys = 0
        self.record_bytes = 0
        """What all records take in a database, roughly."""
        self.on_commit: Callable[[tuple[Record, ...]], None] | None = None
        """Reported of the records of every new revision."""
        self._lessor = lessor
        self._histories: dict[bytes, list[Record]] = {}
        """Every key's records, oldest first; a key that compaction left nothing of has no entry."""
        self._index: SortedList = SortedList()
        """The keys of `_histories`, in byte order."""
        self._log: list[tuple[Record, ...]] = []
        """The records of each revision, in execution order; the first entry is revision `_log_start`'s."""
        self._log_start = 2
        self._pending: list[Record] = []
        self._subs: dict[bytes, int] = {}
        """The place that a key's oldest record had in its revision, if not the first, and the log is gone."""

    @property
    def now(self) -> int:
        """The revision that a reader sees: the pending records' own, once there are any."""
        return self.revision + 1 if self._pending else self.revision

    def get(self, key: bytes) -> Record | None:
        """The live record of a key."""
        history = self._histories.get(key)
        if history is None:
            return None
        record = history[-1]
        return record if record.version else None

    def scan(self, key: bytes, range_end: bytes, revision: int = 0) -> list[Record]:
        """The records live at a revision (0 or negative: now) in a key range, in byte order."""
        if 0 < revision < self.now:
            return self._scan_history(key, range_end, revision)
        if not range_end:
            record = self.get(key)
            return [] if record is None else [record]
        histories = self._histories
        return [record for found in self._keys(key, range_end) if (record := histories[found][-1]).version]

    def _scan_history(self, key: bytes, range_end: bytes, revision: int) -> list[Record]:
        found = []
        for candidate in self._keys(key, range_end):
            history = self._histories[candidate]
            newest = bisect_right(history, revision, key=_mod_revision) - 1
            if newest >= 0 and history[newest].version:
                found.append(history[newest])
        return found

    def _keys(self, key: bytes, range_end: bytes) -> Iterable[bytes]:
        if not range_end:
            return (key,) if key in self._histories else ()
        if range_end == FROM_KEY:
            return cast(Iterable[bytes], self._index.irange(key))
        if range_end <= key:
            return ()
        return cast(Iterable[bytes], self._index.irange(key, range_end, inclusive=(True, False)))

    def put(self, key: bytes, value: bytes, lease: int) -> None:
        """Write a key, bound to `lease` alone (0: to none). etcd: server/storage/mvcc/kvstore_txn.go put."""
        mod_revision = self.revision + 1
        history = self._histories.get(key)
        if history is None:
            record = Record(key, value, mod_revision, mod_revision, 1, lease)
            self._histories[key] = [record]
            self._index.add(key)
            bound = 0
        else:
            previous = history[-1]
            bound = previous.lease
            if previous.version:
                record = Record(
                    previous.key, value, previous.create_revision, mod_revision, previous.version + 1, lease
                )
            else:
                record = Record(previous.key, value, mod_revision, mod_revision, 1, lease)
            history.append(record)
        if bound != lease:
            if bound:
                self._lessor.detach(bound, key)
            if lease:
                self._lessor.attach(lease, record.key)
        self.puts += 1
        self.live_keys += record.version == 1
        self._pending.append(record)
        self.record_bytes += bytes_of(len(key) + len(value))

    def delete(self, record: Record) -> None:
        """End the life of a live key. etcd: server/storage/mvcc/kvstore_txn.go delete."""
        tombstone = Record(record.key, b"", 0, self.revision + 1, 0, 0)
        self._histories[record.key].append(tombstone)
        if record.lease:
            self._lessor.detach(record.lease, record.key)
        self.deletes += 1
        self.live_keys -= 1
        self._pending.append(tombstone)
        self.record_bytes += bytes_of(len(record.key))

    def commit(self) -> None:
        """Make the pending records the next revision; without any, the revision stays."""
        if self._pending:
            records = tuple(self._pending)
            self._log.append(records)
            self._pending = []
            self.revision += 1
            if self.on_commit is not None:
                self.on_commit(records)

    def revisions_from(self, revision: int, keeps_tombstones: bool) -> Iterator[Sequence[Record]]:
        """What is left of each revision from this one on, in execution order.

        Of the compacted revision, compaction left every key's newest record, though a tombstone only in some releases
        (etcd: server/storage/mvcc/key_index.go doCompact, compact).
        """
        first = max(revision, self._log_start)
        for place in range(first - self._log_start, len(self._log)):
            records = self._log[place]
            if records[0].mod_revision == self.compact_revision:
                newest = {record.key: record for record in records}
                yield [
                    record
                    for record in records
                    if newest[record.key] is record and (record.version or keeps_tombstones)
                ]
            else:
                yield records

    def reborn_at(self, revision: int) -> bytes | None:
        """A key that one txn deleted and then put at this revision, from which the store is not compacted yet."""
        entry = revision - self._log_start
        if not 0 <= entry < len(self._log):
            return None
        dead: set[bytes] = set()
        for record in self._log[entry]:
            if not record.version:
                dead.add(record.key)
            elif record.key in dead:
                return record.key
        return None

    def compact(self, revision: int) -> None:
        """Forget what only reads before `revision` could see. etcd: server/storage/mvcc/index.go Compact."""
        self.compact_revision = revision
        through = revision + 1 - self._log_start
        if through <= 0:
            return
        touched = {record.key for records in self._log[:through] for record in records}
        vanished = 0
        for key in touched:
            history = self._histories.get(key)
            if history is None or len(history) == 1:
                continue  # vanished with the compaction before, whose last log entry is still kept; or one put alone
            newest = bisect_right(history, revision, key=_mod_revision) - 1
            if newest >= 0 and not history[newest].version:
                newest += 1
            if newest < len(history):
                if newest > 0:
                    self.record_bytes -= _bytes_of(history[:newest])
                    del history[:newest]
            else:
                self.record_bytes -= _bytes_of(history)
                del self._histories[key]
                self._index.remove(key)
                vanished += 1
        self._keep_subs(touched, through - 1)
        if vanished > len(self._histories):
            self._histories = dict(self._histories)  # a dict never shrinks by itself
        del self._log[: through - 1]  # the compacted revision itself stays readable, its events too
        self._log_start = revision

    def _keep_subs(self, touched: set[bytes], through: int) -> None:
        """Remember the places of records whose log entries, the first so many, are about to go."""
        if self._subs:
            for key in touched:
                self._subs.pop(key, None)
        for records in self._log[:through]:
            for sub, record in enumerate(records):
                history = self._histories.get(record.key) if sub else None
                if history is not None and history[0] is record:
                    self._subs[record.key] = sub

    def at_compact_revision(self) -> Sequence[Record]:
        """The records that the compacted revision wrote, in execution order, as far as they are known."""
        place = self.compact_revision - self._log_start
        return self._log[place] if 0 <= place < len(self._log) else ()

    def stored(self) -> Iterator[tuple[int, Record]]:
        """Every record after the compacted revision with its place in its revision, in the order of writing."""
        for records in islice(self._log, max(0, self.compact_revision + 1 - self._log_start), None):
            yield from enumerate(records)

    def histories(self) -> Iterator[tuple[int, Sequence[Record]]]:
        """Every key's records, oldest first, after the oldest one's place in its revision."""
        log_start, log, subs = self._log_start, self._log, self._subs
        for key, history in self._histories.items():
            oldest = history[0]
            if oldest.mod_revision < log_start:
                yield subs.get(key, 0), history
            else:
                records = log[oldest.mod_revision - log_start]
                yield next(sub for sub, record in enumerate(records) if record is oldest), history

    def load(self, placed: Iterable[tuple[int, Record]], compact_revision: int) -> None:
        """Take over all records of a database, each after its place in its revision, in the order of writing.

        The store must be empty. What a compaction at `compact_revision` has yet to remove is left out. ValueError
        where the records can't be a store's.
        """
        self.compact_revision = compact_revision
        for sub, record in placed:
            revision = record.mod_revision
            if revision <= compact_revision:
                self._histories.pop(record.key, None)
                self._subs.pop(record.key, None)
            if record.version:
                self._histories.setdefault(record.key, []).append(record)
            elif revision > compact_revision:
                if record.key not in self._histories:
                    raise ValueError(f"revision {revision} deletes {record.key!r}, which is not there")
                self._histories[record.key].append(record)
            if revision >= compact_revision:
                self._load_into_log(sub, record)
            elif sub:
                self._subs[record.key] = sub
        self._log_start = self._log[0][0].mod_revision if self._log else max(2, compact_revision + 1)
        if self._log_start > max(2, compact_revision + 1):
            raise ValueError(f"revision {max(2, compact_revision + 1)} is missing")
        self.revision = max(1, compact_revision, self._log_start + len(self._log) - 1)
        self._index.update(self._histories)
        for key, history in self._histories.items():
            self.record_bytes += _bytes_of(history)
            if history[-1].lease in self._lessor:
                self._lessor.attach(history[-1].lease, key)

    def _load_into_log(self, sub: int, record: Record) -> None:
        """In the place of a record that compaction removed stands a copy of the next, which counts as overwritten."""
        log, revision = self._log, record.mod_revision
        if log and log[-1][0].mod_revision == revision:
            known = log.pop()
        elif log and log[-1][0].mod_revision != revision - 1:
            raise ValueError(f"revision {log[-1][0].mod_revision + 1} is missing")
        else:
            known = ()
        gap = sub - len(known)
        if gap and not (revision == self.compact_revision and 0 < gap <= _LARGEST_GAP):
            raise ValueError(f"revision {revision} has a record in the place {sub}, where none can be")
        log.append((*known, *(Record(*record) for _ in range(gap)), record))
