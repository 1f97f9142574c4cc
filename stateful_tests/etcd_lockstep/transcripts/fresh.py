"""A store that was never compacted. Every transcript here needs one of its own: no reset brings that back."""

from __future__ import annotations

from etcd_lockstep.transcripts.transcript import RIGHT, Since, kv, says
from etcd_model.errors import COMPACTED, FUTURE_REVISION
from etcd_model.operations import Compact, HashKV, LeaseLeases, Put, Range, Txn, WatchCreate, WatchRead
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    CompactResult,
    HashKVResult,
    LeaseLeasesResult,
    PutResult,
    RangeResult,
    TxnResult,
    WatchCreateResult,
    Watched,
    WatchReadResult,
)

FRESH = (
    says(
        "a fresh store is at revision 1, can be compacted at 0 once and at 1 once, and reads -1 in a txn until then",
        (Range(b"\x00", FROM_KEY), RangeResult(1)),
        (LeaseLeases(), LeaseLeasesResult(1)),
        (Range(b"a", revision=1), RangeResult(1)),
        (Range(b"a", revision=2), FUTURE_REVISION),
        (Txn(success=(Range(b"a", revision=-1),)), TxnResult(1, True, (RangeResult(1),))),
        (Txn(success=(Range(b"a", revision=-2),)), COMPACTED),
        (Compact(-1), COMPACTED),
        (Compact(-2), COMPACTED),
        (Compact(2), FUTURE_REVISION),
        (Compact(0), CompactResult(1)),
        (Compact(0), COMPACTED),
        (Txn(success=(Range(b"a", revision=-1),)), COMPACTED),
        (Range(b"a", revision=-1), RangeResult(1)),
        (Compact(1), CompactResult(1)),
        (Compact(1), COMPACTED),
    ),
    says(
        "in a fresh store that was written to, a txn reads -1 as the current revision",
        (Put(b"a", b"1"), PutResult(2)),
        (
            Txn(success=(Put(b"b"), Range(b"a", b"z", revision=-1))),
            TxnResult(
                3,
                True,
                (PutResult(3), RangeResult(3, (kv(b"a", b"1", 2, 2, 1), kv(b"b", b"", 3, 3, 1)), count=2)),
            ),
        ),
        (Range(b"a", revision=1), RangeResult(3)),
        (Compact(2), CompactResult(3)),
        (Txn(success=(Range(b"a", revision=-1),)), COMPACTED),
        (Range(b"a", revision=1), COMPACTED),
    ),
    says(
        "from below -1, a watch of a store that was never compacted is cancelled as compacted, where it is not refused",
        (Put(b"a", b"1"), PutResult(2)),
        (
            WatchCreate(b"a", start_revision=-5),
            Since(
                "watch_negative_start_refused",
                WatchCreateResult(2, 0),
                WatchCreateResult(2, -1, created=True, canceled=True, cancel_reason=COMPACTED.message),
            ),
        ),
        (
            WatchRead(),
            Since(
                "watch_negative_start_refused",
                WatchReadResult(4, (Watched(0, (), ("",), compact_revision=-1),)),
                WatchReadResult(3),
            ),
        ),
    ),
    says(
        "the hash of a store that was never compacted reports no compact revision",
        (Put(b"a", b"1"), PutResult(2)),
        (
            HashKV(),
            Since("hash_kv_reports_revision", HashKVResult(2, RIGHT, -1), HashKVResult(2, RIGHT, -1, 2)),
        ),
        (Compact(2, physical=True), CompactResult(2)),
        (
            HashKV(2),
            Since(
                "compactions_hashed",
                Since("hash_of_compact_revision", COMPACTED, HashKVResult(2, RIGHT, 2)),
                Since("hash_kv_reports_revision", HashKVResult(2, RIGHT, -1), HashKVResult(2, RIGHT, -1, 2)),
            ),
        ),
    ),
)
