"""A store that was never compacted. Every transcript here needs one of its own: no reset brings that back."""

from __future__ import annotations

from etcd_lockstep.transcripts.transcript import kv, says
from etcd_model.errors import COMPACTED, FUTURE_REVISION
from etcd_model.operations import Compact, LeaseLeases, Put, Range, Txn
from etcd_model.ranges import FROM_KEY
from etcd_model.results import CompactResult, LeaseLeasesResult, PutResult, RangeResult, TxnResult

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
)
