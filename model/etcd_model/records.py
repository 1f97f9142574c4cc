"""The records of the history as etcd stores them, and what it still knows of those that it compacted away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from etcd_model.results import KeyValue


@dataclass(frozen=True, slots=True)
class Record:
    """One write of one key: the `sub`-th of revision `main` (etcd server/storage/mvcc/revision.go, Revision)."""

    main: int
    sub: int
    key: bytes
    kv: KeyValue | None
    """None in a tombstone."""


@dataclass(frozen=True, slots=True)
class CompactionHash:
    """What one compaction went over. From 3.5.5 on etcd hashes it on the way, and remembers the hash
    (etcd server/storage/mvcc/kvstore_compaction.go, scheduleCompaction)."""

    revision: int
    previous: int
    """The compact revision before it."""
    records: tuple[Record, ...]
    sure: bool
    """Whether it is remembered for certain: a compaction that met an unfinished one does not store its hash
    (etcd server/storage/mvcc/kvstore.go, compact: prevCompactionCompleted)."""


HASHES_KEPT = 10
"""How many hashes of compactions etcd remembers, those of the newest (etcd server/storage/mvcc/hash.go)."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is left of the compacted history, besides the keys at the compact revision."""

    subs: Mapping[bytes, int] = field(default_factory=dict)
    """Of each key alive at the compact revision, the `sub` of its newest record there, where it is not 0."""
    hashes: tuple[CompactionHash, ...] = ()
    """The newest last."""
    settled: bool = True
    """Whether all compactions are known to be carried out: one that is not `physical` is answered before it is."""
