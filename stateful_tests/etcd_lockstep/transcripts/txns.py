"""What a txn does once nothing is wrong with it: its operations in order, in one revision or none."""

from __future__ import annotations

from etcd_lockstep.trace import RevisionAt
from etcd_lockstep.transcripts.transcript import kv, says
from etcd_model.operations import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    LeaseRevoke,
    LeaseTimeToLive,
    Put,
    Range,
    Txn,
)
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    DeleteRangeResult,
    LeaseGrantResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
    TxnResult,
)

A1 = (Put(b"a", b"1"), PutResult(2))
A = kv(b"a", b"1", 2, 2, 1)
IS_THERE = Compare(b"a", CompareTarget.VERSION, CompareResult.GREATER, 0)

_REVISIONS = (
    says(
        "all writes of a txn are one revision",
        (Txn(success=(Put(b"a", b"1"), Put(b"b", b"2"))), TxnResult(2, True, (PutResult(2), PutResult(2)))),
        (Range(b"a"), RangeResult(2, (A,), count=1)),
        (Range(b"b"), RangeResult(2, (kv(b"b", b"2", 2, 2, 1),), count=1)),
        (Put(b"c"), PutResult(3)),
    ),
    says(
        "a txn that writes nothing makes no revision",
        A1,
        (Txn(), TxnResult(2, True)),
        (Txn(success=(Range(b"a"),)), TxnResult(2, True, (RangeResult(2, (A,), count=1),))),
        (Txn(success=(DeleteRange(b"b"),)), TxnResult(2, True, (DeleteRangeResult(2),))),
        (Txn((IS_THERE,), failure=(Put(b"a", b"2"),)), TxnResult(2, True)),
        (Txn(success=(Txn(success=(Range(b"b"),)),)), TxnResult(2, True, (TxnResult(0, True, (RangeResult(2),)),))),
        (Put(b"c"), PutResult(3)),
    ),
    says(
        "an operation in a txn reports the old revision until something is written, and then the new one",
        A1,
        (
            Txn(
                success=(
                    Range(b"x"),
                    DeleteRange(b"x"),
                    Put(b"b", b"2"),
                    Range(b"x"),
                    DeleteRange(b"x"),
                    Put(b"c", b"3"),
                )
            ),
            TxnResult(
                3,
                True,
                (
                    RangeResult(2),
                    DeleteRangeResult(2),
                    PutResult(3),
                    RangeResult(3),
                    DeleteRangeResult(3),
                    PutResult(3),
                ),
            ),
        ),
        (
            Txn(success=(Range(b"x"), DeleteRange(b"b"), Range(b"x"))),
            TxnResult(4, True, (RangeResult(3), DeleteRangeResult(4, 1), RangeResult(4))),
        ),
    ),
    says(
        "a nested answer reports no revision, and what is in it does",
        A1,
        (
            Txn(success=(Txn(success=(Put(b"b"), Range(b"x"))), Txn(success=(Txn(success=(Range(b"x"),)),)))),
            TxnResult(
                3,
                True,
                (
                    TxnResult(0, True, (PutResult(3), RangeResult(3))),
                    TxnResult(0, True, (TxnResult(0, True, (RangeResult(3),)),)),
                ),
            ),
        ),
    ),
)

_BRANCHES = (
    says(
        "success is executed where the compares hold, and failure where they don't",
        (Txn((IS_THERE,), (Put(b"x"),), (Put(b"a", b"1"),)), TxnResult(2, False, (PutResult(2),))),
        (
            Txn((IS_THERE,), (Range(b"a"),), (Put(b"a", b"2"),)),
            TxnResult(2, True, (RangeResult(2, (A,), count=1),)),
        ),
        (Txn((IS_THERE,), (), (Put(b"a", b"2"),)), TxnResult(2, True)),
    ),
    says(
        "a nested txn takes a branch of its own",
        A1,
        (
            Txn((IS_THERE,), (Txn((IS_THERE,), (Put(b"b"),), (Put(b"c"),)),)),
            TxnResult(3, True, (TxnResult(0, True, (PutResult(3),)),)),
        ),
        (
            Txn(
                success=(
                    Txn(
                        (Compare(b"a", CompareTarget.VERSION, CompareResult.EQUAL, 0),),
                        (Put(b"b"),),
                        (Put(b"c", b"1"), Range(b"c")),
                    ),
                )
            ),
            TxnResult(
                4,
                True,
                (TxnResult(0, False, (PutResult(4), RangeResult(4, (kv(b"c", b"1", 4, 4, 1),), count=1))),),
            ),
        ),
    ),
)

_OWN_WRITES = (
    says(
        "an operation sees what those before it in the txn have written",
        (
            Txn(success=(Range(b"a"), Put(b"a", b"1"), Range(b"a"), Range(b"a", b"z", count_only=True))),
            TxnResult(
                2,
                True,
                (RangeResult(1), PutResult(2), RangeResult(2, (A,), count=1), RangeResult(2, count=1)),
            ),
        ),
        (
            Txn(success=(DeleteRange(b"a", prev_kv=True), Range(b"a"))),
            TxnResult(3, True, (DeleteRangeResult(3, 1, (A,)), RangeResult(3))),
        ),
    ),
    says(
        "a nested txn sees what the outer one has written, and the other way round",
        (
            Txn(success=(Put(b"a", b"1"), Txn(success=(Range(b"a"), Put(b"b", b"2"))), Range(b"a", b"z"))),
            TxnResult(
                2,
                True,
                (
                    PutResult(2),
                    TxnResult(0, True, (RangeResult(2, (A,), count=1), PutResult(2))),
                    RangeResult(2, (A, kv(b"b", b"2", 2, 2, 1)), count=2),
                ),
            ),
        ),
    ),
    says(
        "a read of a past revision in a txn does not see the txn's writes",
        A1,
        (
            Txn(success=(Put(b"a", b"2"), Range(b"a", revision=RevisionAt(1)), Range(b"a"))),
            TxnResult(
                3,
                True,
                (
                    PutResult(3),
                    RangeResult(3, (A,), count=1),
                    RangeResult(3, (kv(b"a", b"2", 2, 3, 2),), count=1),
                ),
            ),
        ),
    ),
    says(
        "a filter and a sort in a txn are of what it has written by then",
        (Put(b"b", b"2"), PutResult(2)),
        (
            Txn(
                success=(
                    Put(b"a", b"3"),
                    Range(b"a", b"z", min_mod_revision=RevisionAt(1, 1)),
                    Range(b"a", b"z", sort_target=3, sort_order=1),
                )
            ),
            TxnResult(
                3,
                True,
                (
                    PutResult(3),
                    RangeResult(3, (kv(b"a", b"3", 3, 3, 1),), count=2),
                    RangeResult(3, (kv(b"b", b"2", 2, 2, 1), kv(b"a", b"3", 3, 3, 1)), count=2),
                ),
            ),
        ),
    ),
    says(
        "prev_kv in a txn says what was there just before",
        A1,
        (
            Txn(success=(Put(b"a", b"2", prev_kv=True), Put(b"b", b"3", prev_kv=True))),
            TxnResult(3, True, (PutResult(3, A), PutResult(3))),
        ),
        (
            Txn(success=(Put(b"a", b"4"), DeleteRange(b"a", FROM_KEY, prev_kv=True), Put(b"0", b""))),
            TxnResult(
                4,
                True,
                (
                    PutResult(4),
                    DeleteRangeResult(4, 2, (kv(b"a", b"4", 2, 4, 3), kv(b"b", b"3", 3, 3, 1))),
                    PutResult(4),
                ),
            ),
        ),
    ),
)

_TWICE = (
    says(
        "a key put and then deleted by one txn is gone, and that is one revision",
        (
            Txn(success=(Put(b"a", b"1"), DeleteRange(b"a", FROM_KEY, prev_kv=True), Range(b"a"))),
            TxnResult(2, True, (PutResult(2), DeleteRangeResult(2, 1, (A,)), RangeResult(2))),
        ),
        (Range(b"a"), RangeResult(2)),
        (Range(b"a", revision=RevisionAt(1)), RangeResult(2)),
        (Put(b"a", b"2"), PutResult(3)),
        (Range(b"a"), RangeResult(3, (kv(b"a", b"2", 3, 3, 1),), count=1)),
    ),
    says(
        "a key deleted and then put by one txn begins a new life in that revision",
        A1,
        (Put(b"a", b"2"), PutResult(3)),
        (
            Txn(success=(DeleteRange(b"a", FROM_KEY), Put(b"a", b"3", prev_kv=True), Range(b"a"))),
            TxnResult(
                4,
                True,
                (DeleteRangeResult(4, 1), PutResult(4), RangeResult(4, (kv(b"a", b"3", 4, 4, 1),), count=1)),
            ),
        ),
        (Range(b"a"), RangeResult(4, (kv(b"a", b"3", 4, 4, 1),), count=1)),
        (Range(b"a", revision=RevisionAt(3)), RangeResult(4, (kv(b"a", b"3", 4, 4, 1),), count=1)),
        (Range(b"a", revision=RevisionAt(2)), RangeResult(4, (kv(b"a", b"2", 2, 3, 2),), count=1)),
        (Put(b"a", b"4"), PutResult(5)),
        (Range(b"a"), RangeResult(5, (kv(b"a", b"4", 4, 5, 2),), count=1)),
    ),
)

_LEASES = (
    says(
        "a put in a txn attaches, moves and detaches as one of its own does",
        (LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        (LeaseGrant(60, id=8), LeaseGrantResult(1, 8, 60)),
        (
            Txn(success=(Put(b"a", b"1", lease=7), Put(b"b", b"2", lease=7), Put(b"c", b"3", lease=8))),
            TxnResult(2, True, (PutResult(2), PutResult(2), PutResult(2))),
        ),
        (
            Txn(success=(Put(b"a", b"4", lease=8), Put(b"b", ignore_value=True), Put(b"c", b"5", ignore_lease=True))),
            TxnResult(3, True, (PutResult(3), PutResult(3), PutResult(3))),
        ),
        (LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(3, 7, 59, 60)),
        (LeaseTimeToLive(8, keys=True), LeaseTimeToLiveResult(3, 8, 59, 60, (b"a", b"c"))),
        (LeaseRevoke(8), LeaseRevokeResult(4)),
        (Range(b"a", b"z"), RangeResult(4, (kv(b"b", b"2", 2, 3, 2),), count=1)),
    ),
    says(
        "a key put with a lease and deleted by one txn is attached to nothing",
        (LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        (
            Txn(success=(Put(b"a", b"1", lease=7), DeleteRange(b"a", FROM_KEY))),
            TxnResult(2, True, (PutResult(2), DeleteRangeResult(2, 1))),
        ),
        (LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(2, 7, 59, 60)),
        (LeaseRevoke(7), LeaseRevokeResult(2)),
        (Put(b"z"), PutResult(3)),
    ),
)

TXNS = (*_REVISIONS, *_BRANCHES, *_OWN_WRITES, *_TWICE, *_LEASES)
