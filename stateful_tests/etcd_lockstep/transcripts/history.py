"""HashKV: whether a store hashes its history as it should. What the hash is depends on how far a server had counted."""

from __future__ import annotations

from etcd_lockstep.trace import LeaseOf, RevisionAt
from etcd_lockstep.transcripts.transcript import RIGHT, Answer, Since, Step, says, written
from etcd_model.errors import COMPACTED, FUTURE_REVISION
from etcd_model.operations import Compact, DeleteRange, HashKV, LeaseGrant, LeaseRevoke, Put, Txn
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    CompactResult,
    DeleteRangeResult,
    HashKVResult,
    LeaseGrantResult,
    LeaseRevokeResult,
    PutResult,
    TxnResult,
)

HASH_OF_NOTHING = 1084519789
"""CRC-32C of `key`, the name of the bucket, with which every hash begins."""


def right(revision: int, hashed: int, compact_revision: int = 1) -> Since:
    """The right hash, over the history up to the revision `hashed`, of a store that stands at `revision`."""
    return Since(
        "hash_kv_reports_revision",
        HashKVResult(revision, RIGHT, compact_revision),
        HashKVResult(revision, RIGHT, compact_revision, hashed),
    )


def now(revision: int, compact_revision: int = 1) -> Step:
    return HashKV(), right(revision, revision, compact_revision)


def at_compacted(formula: Answer, remembered: Answer) -> Since:
    """The answer for the very revision of a compaction: none, then a hash like any other, then the one made when
    it was compacted."""
    return Since("compactions_hashed", Since("hash_of_compact_revision", COMPACTED, formula), remembered)


HISTORY = (
    says(
        "the history that is hashed goes on with every revision, and its past stays",
        *written(2, 3),
        now(3),
        (HashKV(RevisionAt(1)), right(3, 2)),
        (DeleteRange(b"a"), DeleteRangeResult(4, 1)),
        now(4),
        (HashKV(RevisionAt(1)), right(4, 2)),
        (HashKV(RevisionAt(2)), right(4, 3)),
        (Put(b"a", b"3"), PutResult(5)),
        (Put(b"b", b"\x00\xff" * 100), PutResult(6)),
        (HashKV(RevisionAt(5)), right(6, 4)),
        now(6),
    ),
    says(
        "each write of a txn is hashed, and which lease a key has",
        (LeaseGrant(60), LeaseGrantResult(1, LeaseOf(1), 60)),
        (LeaseGrant(60, id=-5), LeaseGrantResult(1, -5, 60)),
        (
            Txn(success=(Put(b"a", b"1", lease=LeaseOf(1)), Put(b"b", lease=-5), DeleteRange(b"a", FROM_KEY))),
            TxnResult(2, True, (PutResult(2), PutResult(2), DeleteRangeResult(2, 2))),
        ),
        now(2),
        (
            Txn(success=(Put(b"c", b"1", lease=LeaseOf(1)), Put(b"b", lease=LeaseOf(1)))),
            TxnResult(3, True, (PutResult(3), PutResult(3))),
        ),
        now(3),
        (LeaseRevoke(LeaseOf(1)), LeaseRevokeResult(4)),
        now(4),
    ),
    says(
        "the future has no hash, and neither has what is compacted",
        *written(2, 3, 4),
        (HashKV(RevisionAt(3, 1)), FUTURE_REVISION),
        (HashKV(2**63 - 1), FUTURE_REVISION),
        (Compact(RevisionAt(2), physical=True), CompactResult(4)),
        (HashKV(RevisionAt(1)), COMPACTED),
        (HashKV(RevisionAt(3, 1)), FUTURE_REVISION),
    ),
    says(
        "a revision below zero is not the current one: nothing is so old, and nothing is hashed",
        *written(2),
        *(
            (
                HashKV(revision),
                Since(
                    "hash_kv_reports_revision",
                    HashKVResult(2, HASH_OF_NOTHING, 1),
                    HashKVResult(2, HASH_OF_NOTHING, 1, revision),
                ),
            )
            for revision in (-2, -(2**63))
        ),
        now(2),
    ),
    says(
        "a compaction leaves the newest of each key that still lives, and what came after",
        *written(2, 3),
        (Put(b"b", b"1"), PutResult(4)),
        (Put(b"c", b"1"), PutResult(5)),
        (DeleteRange(b"b"), DeleteRangeResult(6, 1)),
        (Compact(RevisionAt(4), physical=True), CompactResult(6)),
        now(6, compact_revision=5),
        (Put(b"a", b"3"), PutResult(7)),
        (HashKV(RevisionAt(5)), right(7, 6, compact_revision=5)),
        now(7, compact_revision=5),
        (DeleteRange(b"\x00", FROM_KEY), DeleteRangeResult(8, 2)),
        now(8, compact_revision=5),
    ),
    says(
        "the revision of a compaction had no hash, then one like others, and then the one made while it was compacted",
        *written(2, 3, 4),
        (Compact(RevisionAt(2), physical=True), CompactResult(4)),
        (HashKV(RevisionAt(2)), at_compacted(right(4, 3, 3), right(4, 3, 1))),
        (Put(b"a", b"4"), PutResult(5)),
        (Compact(RevisionAt(6), physical=True), CompactResult(5)),
        (HashKV(RevisionAt(6)), at_compacted(right(5, 5, 5), right(5, 5, 3))),
    ),
    says(
        "a hash made while it was compacted is given out when even that is compacted",
        *written(2, 3, 4),
        (Compact(RevisionAt(2), physical=True), CompactResult(4)),
        (Compact(RevisionAt(3), physical=True), CompactResult(4)),
        (HashKV(RevisionAt(2)), Since("compactions_hashed", COMPACTED, right(4, 3, 1))),
        (HashKV(RevisionAt(3)), at_compacted(right(4, 4, 4), right(4, 4, 3))),
        (HashKV(RevisionAt(1)), COMPACTED),
    ),
)
