"""Compact: what may be compacted, and what is left."""

from __future__ import annotations

from etcd_lockstep.trace import RevisionAt
from etcd_lockstep.transcripts.transcript import kv, says
from etcd_model.errors import COMPACTED, FUTURE_REVISION
from etcd_model.operations import Compact, DeleteRange, LeaseGrant, LeaseRevoke, Put, Range
from etcd_model.results import (
    CompactResult,
    DeleteRangeResult,
    LeaseGrantResult,
    LeaseRevokeResult,
    PutResult,
    RangeResult,
)

THREE = (
    (Put(b"a", b"1"), PutResult(2)),
    (Put(b"a", b"2"), PutResult(3)),
    (Put(b"a", b"3"), PutResult(4)),
)
A3 = kv(b"a", b"3", 2, 4, 3)

COMPACTION = (
    says(
        "a compaction answers with the current revision, and makes none",
        *THREE,
        (Compact(RevisionAt(1)), CompactResult(4)),
        (Compact(RevisionAt(2)), CompactResult(4)),
        (Put(b"b"), PutResult(5)),
    ),
    says(
        "the current revision can be compacted, once",
        *THREE,
        (Compact(RevisionAt(3)), CompactResult(4)),
        (Compact(RevisionAt(3)), COMPACTED),
        (Range(b"a", revision=RevisionAt(3)), RangeResult(4, (A3,), count=1)),
    ),
    says(
        "what is compacted can't be compacted again, nor what lies below it, nor zero or less",
        *THREE,
        (Compact(RevisionAt(2)), CompactResult(4)),
        *((Compact(revision), COMPACTED) for revision in (RevisionAt(2), RevisionAt(1), 0, -1, -(2**63))),
        (Compact(RevisionAt(3)), CompactResult(4)),
    ),
    says(
        "the future can't be compacted",
        *THREE,
        (Compact(RevisionAt(3, 1)), FUTURE_REVISION),
        (Compact(2**63 - 1), FUTURE_REVISION),
        (Range(b"a", revision=RevisionAt(1)), RangeResult(4, (kv(b"a", b"1", 2, 2, 1),), count=1)),
    ),
    says(
        "a physical compaction leaves the same",
        *THREE,
        (Compact(RevisionAt(2), physical=True), CompactResult(4)),
        (Compact(RevisionAt(2), physical=True), COMPACTED),
        (Compact(RevisionAt(3, 1), physical=True), FUTURE_REVISION),
        (Range(b"a", revision=RevisionAt(1)), COMPACTED),
        (Range(b"a", revision=RevisionAt(2)), RangeResult(4, (kv(b"a", b"2", 2, 3, 2),), count=1)),
        (Range(b"a"), RangeResult(4, (A3,), count=1)),
    ),
    says(
        "a compaction leaves creations, versions and values as they are",
        *THREE,
        (Compact(RevisionAt(3), physical=True), CompactResult(4)),
        (Range(b"a"), RangeResult(4, (A3,), count=1)),
        (Put(b"a", b"4", prev_kv=True), PutResult(5, A3)),
        (Range(b"a"), RangeResult(5, (kv(b"a", b"4", 2, 5, 4),), count=1)),
    ),
    says(
        "a key that was written last before the compaction is read at it, and after it",
        (Put(b"old", b"1"), PutResult(2)),
        *((Put(b"a", b""), PutResult(revision)) for revision in (3, 4, 5)),
        (Compact(RevisionAt(3), physical=True), CompactResult(5)),
        (Range(b"old", revision=RevisionAt(3)), RangeResult(5, (kv(b"old", b"1", 2, 2, 1),), count=1)),
        (Range(b"old", revision=RevisionAt(4)), RangeResult(5, (kv(b"old", b"1", 2, 2, 1),), count=1)),
        (Range(b"old"), RangeResult(5, (kv(b"old", b"1", 2, 2, 1),), count=1)),
    ),
    says(
        "a key that was deleted stays so when its deletion is compacted, at its revision or past it",
        *THREE,
        (DeleteRange(b"a"), DeleteRangeResult(5, 1)),
        (Compact(RevisionAt(4)), CompactResult(5)),
        (Range(b"a", revision=RevisionAt(4)), RangeResult(5)),
        (Put(b"b", b"1"), PutResult(6)),
        (Compact(RevisionAt(7), physical=True), CompactResult(6)),
        (Range(b"a"), RangeResult(6)),
        (Put(b"a", b"4"), PutResult(7)),
        (Range(b"a"), RangeResult(7, (kv(b"a", b"4", 7, 7, 1),), count=1)),
    ),
    says(
        "a key that is deleted after the compacted revision is read up to its deletion",
        *THREE,
        (DeleteRange(b"a"), DeleteRangeResult(5, 1)),
        (Compact(RevisionAt(2), physical=True), CompactResult(5)),
        (Range(b"a", revision=RevisionAt(3)), RangeResult(5, (A3,), count=1)),
        (Range(b"a", revision=RevisionAt(4)), RangeResult(5)),
        (Range(b"a", revision=RevisionAt(1)), COMPACTED),
    ),
    says(
        "a compaction of reads, refusals and deletes of nothing is none: they made no revision",
        (Put(b"a"), PutResult(2)),
        (Range(b"a"), RangeResult(2, (kv(b"a", b"", 2, 2, 1),), count=1)),
        (DeleteRange(b"b"), DeleteRangeResult(2)),
        (Compact(RevisionAt(3, 1)), FUTURE_REVISION),
        (Compact(RevisionAt(3)), CompactResult(2)),
    ),
    says(
        "leases and what is attached to them outlive a compaction",
        (LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (Compact(RevisionAt(2), physical=True), CompactResult(2)),
        (Range(b"a"), RangeResult(2, (kv(b"a", b"1", 2, 2, 1, 7),), count=1)),
        (LeaseRevoke(7), LeaseRevokeResult(3)),
        (Range(b"a"), RangeResult(3)),
    ),
)
