"""HashKV: one number for the whole history (etcd: server/storage/mvcc/hash.go, kvstore.go hashByRev)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from google_crc32c import value as crc32c

from fake_etcd.quirks import Quirks
from fake_etcd.ranges import key_value
from fake_etcd.store import Record, Store

_BUCKET = b"key"
"""The name of the bucket that holds the records is hashed first."""

_MOST_STORED = 10
"""etcd: hashStorageMaxSize."""

_MOST_DEFERRED = 1_000
"""Up to how many records are hashed when somebody asks. More would keep from compaction what it is there to free."""

_MOST_HASHED = 200_000
"""Up to how many records are hashed at compaction. More would take seconds: then there is no such hash, as if the
compaction had been interrupted."""

Placed = tuple[int, Record]
"""A record, after its place in its revision."""


_Keep = Callable[[Sequence[Record], int], "Record | None"]
"""Of a key's history, the record that is needed to know the key at a revision."""

_mod_revision = itemgetter(Record._fields.index("mod_revision"))


def hash_kv(store: Store, revision: int, quirks: Quirks) -> int:
    """The hash of the records up to a revision; nothing is that old where it is negative."""
    return _hash(_records(store, revision, _live_unless_it_died if quirks.compaction_keeps_tombstones else _live))


class Stored(NamedTuple):
    """The hash that a compaction left behind."""

    revision: int
    """That was compacted."""
    compact_revision: int
    """Before it."""
    hash: int | list[Placed]
    """Or what to make it of."""


class CompactionHashes:
    """The hashes of the last compactions: etcd answers them instead of hashing what is left. etcd: hashStorage."""

    __slots__ = ("_stored",)

    def __init__(self) -> None:
        self._stored: list[Stored] = []

    def compacting(self, store: Store, revision: int, quirks: Quirks) -> None:
        """Hash what is there up to a revision that is about to be compacted. etcd: scheduleCompaction."""
        keep = _live_or_died if quirks.compaction_keeps_tombstones else _live
        records = list(islice(_records(store, revision, keep), _MOST_HASHED + 1))
        if len(records) > _MOST_HASHED:
            return
        hash = records if len(records) <= _MOST_DEFERRED else _hash(records)
        self._stored.append(Stored(revision, store.compact_revision, hash))
        del self._stored[:-_MOST_STORED]

    def get(self, revision: int) -> tuple[int, int] | None:
        """The hash of a revision that was compacted, and the compacted revision before it."""
        for place, (compacted, compact_revision, hash) in enumerate(self._stored):
            if compacted == revision:
                if isinstance(hash, list):
                    hash = _hash(hash)
                    self._stored[place] = Stored(revision, compact_revision, hash)
                return hash, compact_revision
        return None


def _records(store: Store, revision: int, keep: _Keep) -> Iterator[Placed]:
    for sub, record in _compacted(store, revision, keep):
        if record.mod_revision <= revision:
            yield sub, record
    for sub, record in store.stored():
        if record.mod_revision > revision:
            return
        yield sub, record


def _compacted(store: Store, revision: int, keep: _Keep) -> list[Placed]:
    """Of what compaction left up to its revision, the records still needed at another; all of them if nothing is.

    etcd: server/storage/mvcc/hash.go WriteKeyValue, `keep`.
    """
    if store.compact_revision < 2:
        return []
    left, needed, anything = [], [], False
    for sub, history in store.histories():
        kept = keep(history, revision)
        anything = anything or kept is not None
        if history[0].mod_revision <= store.compact_revision:
            left.append((sub, history[0]))
            if kept is history[0]:
                needed.append((sub, history[0]))
    return sorted(needed if anything else left, key=lambda placed: (placed[1].mod_revision, placed[0]))


def _live(history: Sequence[Record], revision: int) -> Record | None:
    """What is kept of a key for a revision: the live record. etcd: server/storage/mvcc/key_index.go keep."""
    newest = bisect_right(history, revision, key=_mod_revision) - 1
    return history[newest] if newest >= 0 and history[newest].version else None


def _live_unless_it_died(history: Sequence[Record], revision: int) -> Record | None:
    """The same where a life that ends at that very revision is the last one looked at, a rebirth in it or not."""
    return None if _died(history, revision) else _live(history, revision)


def _live_or_died(history: Sequence[Record], revision: int) -> Record | None:
    """The same where that tombstone is kept too."""
    return _died(history, revision) or _live(history, revision)


def _died(history: Sequence[Record], revision: int) -> Record | None:
    place = bisect_right(history, revision - 1, key=_mod_revision)
    while place < len(history) and history[place].mod_revision == revision:
        if not history[place].version:
            return history[place]
        place += 1
    return None


def _hash(records: Iterable[Placed]) -> int:
    parts = [_BUCKET]
    for sub, record in records:
        parts.append(bucket_key(record, sub))
        parts.append(stored_value(record))
    checksum: int = crc32c(b"".join(parts))
    return checksum


def bucket_key(record: Record, sub: int) -> bytes:
    """etcd: server/storage/mvcc/revision.go BucketKeyToBytes; a tombstone is marked."""
    key = record.mod_revision.to_bytes(8, "big") + b"_" + sub.to_bytes(8, "big")
    return key if record.version else key + b"t"


def stored_value(record: Record) -> bytes:
    """The record as the database holds it: of a tombstone, the key alone."""
    message = key_value(record)
    if not record.version:
        message.ClearField("mod_revision")
    return message.SerializeToString()
