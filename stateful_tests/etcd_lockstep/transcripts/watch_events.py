"""What watchers are sent: events, the past, previous values."""

from __future__ import annotations

from etcd_lockstep.trace import LeaseOf, RevisionAt
from etcd_lockstep.transcripts.transcript import Since, Step, kv, reported, says, was_deleted, was_put, written
from etcd_model.errors import DUPLICATE_KEY, FUTURE_REVISION, LEASE_NOT_FOUND
from etcd_model.operations import (
    SENTINEL_KEY,
    Compact,
    DeleteRange,
    FilterType,
    LeaseGrant,
    LeaseRevoke,
    Put,
    Range,
    Txn,
    WatchCreate,
    WatchRead,
)
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    CompactResult,
    DeleteRangeResult,
    Event,
    LeaseGrantResult,
    LeaseRevokeResult,
    PutResult,
    RangeResult,
    TxnResult,
    WatchCreateResult,
    Watched,
    WatchReadResult,
)

A1, A2, A3 = was_put(b"a", b"1", 2, 2, 1), was_put(b"a", b"2", 2, 3, 2), was_put(b"a", b"3", 2, 4, 3)
NOPUT, NODELETE = FilterType.NOPUT, FilterType.NODELETE


def watch(operation: WatchCreate, watch_id: int = 0, revision: int = 1) -> Step:
    return operation, WatchCreateResult(revision, watch_id)


def sentinel(*revisions: int) -> tuple[Event, ...]:
    """The puts that reading a stream makes, as watchers see them that see everything."""
    return tuple(
        was_put(SENTINEL_KEY, b"", revisions[0], revision, number) for number, revision in enumerate(revisions, 1)
    )


_LIVE = (
    says(
        "every put is an event, one of the same value too, and every delete of a key",
        watch(WatchCreate(b"a")),
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"a", b"1"), PutResult(3)),
        (DeleteRange(b"a"), DeleteRangeResult(4, 1)),
        (Put(b"a", b"2"), PutResult(5)),
        reported(
            6,
            Watched(
                0,
                (A1, was_put(b"a", b"1", 2, 3, 2), was_deleted(b"a", 4), was_put(b"a", b"2", 5, 5, 1)),
            ),
        ),
    ),
    says(
        "what makes no revision is no event",
        watch(WatchCreate(b"a", b"z")),
        (DeleteRange(b"a"), DeleteRangeResult(1)),
        (Put(b"a", lease=404), LEASE_NOT_FOUND),
        (Txn(success=(Put(b"a"), Put(b"a"))), DUPLICATE_KEY),
        (Txn(success=(Put(b"a"), Range(b"a", revision=RevisionAt(0, 5)))), FUTURE_REVISION),
        (Range(b"a"), RangeResult(1)),
        (LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        (LeaseRevoke(7), LeaseRevokeResult(1)),
        reported(2, Watched(0)),
    ),
    says(
        "all that was delivered is reported at every read of a stream",
        watch(WatchCreate(b"a")),
        *written(2),
        reported(3, Watched(0, (A1,))),
        reported(4, Watched(0, (A1,))),
        (Put(b"a", b"2"), PutResult(5)),
        reported(6, Watched(0, (A1, was_put(b"a", b"2", 2, 5, 2)))),
    ),
    says(
        "the events of a txn come in the order of its operations, those of a range delete in order of key",
        (Put(b"b", b"1"), PutResult(2)),
        (Put(b"a", b"1"), PutResult(3)),
        watch(WatchCreate(b"a", b"z"), revision=3),
        (
            Txn(success=(Put(b"d", b"2"), DeleteRange(b"a", b"c"), Txn(success=(Put(b"c", b"2"),)), Put(b"c0", b"2"))),
            TxnResult(
                4,
                True,
                (PutResult(4), DeleteRangeResult(4, 2), TxnResult(0, True, (PutResult(4),)), PutResult(4)),
            ),
        ),
        reported(
            5,
            Watched(
                0,
                (
                    was_put(b"d", b"2", 4, 4, 1),
                    was_deleted(b"a", 4),
                    was_deleted(b"b", 4),
                    was_put(b"c", b"2", 4, 4, 1),
                    was_put(b"c0", b"2", 4, 4, 1),
                ),
            ),
        ),
    ),
    says(
        "a lease that is revoked is a delete of each of its keys, in order of key, in one revision",
        (LeaseGrant(60), LeaseGrantResult(1, LeaseOf(1), 60)),
        (Put(b"b", b"1", lease=LeaseOf(1)), PutResult(2)),
        (Put(b"a", b"2", lease=LeaseOf(1)), PutResult(3)),
        watch(WatchCreate(b"a", b"z", prev_kv=True), revision=3),
        (LeaseRevoke(LeaseOf(1)), LeaseRevokeResult(4)),
        reported(
            5,
            Watched(
                0,
                (
                    was_deleted(b"a", 4, kv(b"a", b"2", 3, 3, 1, LeaseOf(1))),
                    was_deleted(b"b", 4, kv(b"b", b"1", 2, 2, 1, LeaseOf(1))),
                ),
            ),
        ),
    ),
    says(
        "an event of a key with a lease reports it",
        (LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        watch(WatchCreate(b"a")),
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (Put(b"a", b"2"), PutResult(3)),
        reported(4, Watched(0, (was_put(b"a", b"1", 2, 2, 1, 7), A2))),
    ),
    says(
        "watchers of one key are each notified of everything",
        *(watch(WatchCreate(b"a"), watch_id) for watch_id in (0, 1, 2)),
        *written(2, 3),
        reported(4, *(Watched(watch_id, (A1, A2)) for watch_id in (0, 1, 2))),
    ),
)

_RANGES = (
    says(
        "a watch is of one key, of a range, of a key and all that follow, or of everything",
        watch(WatchCreate(b"b"), 0),
        watch(WatchCreate(b"b", b"d"), 1),
        watch(WatchCreate(b"c", FROM_KEY), 2),
        watch(WatchCreate(b"\x00", FROM_KEY), 3),
        *((Put(key, b"1"), PutResult(revision)) for revision, key in enumerate((b"a", b"b", b"b\x00", b"c", b"d"), 2)),
        reported(
            7,
            Watched(0, (was_put(b"b", b"1", 3, 3, 1),)),
            Watched(1, tuple(was_put(key, b"1", at, at, 1) for at, key in ((3, b"b"), (4, b"b\x00"), (5, b"c")))),
            Watched(2, (*(was_put(key, b"1", at, at, 1) for at, key in ((5, b"c"), (6, b"d"))), *sentinel(7))),
            Watched(
                3,
                (
                    *(was_put(key, b"1", at, at, 1) for at, key in enumerate((b"a", b"b", b"b\x00", b"c", b"d"), 2)),
                    *sentinel(7),
                ),
            ),
        ),
    ),
    says(
        "a watch of no key is of the least one that there may be, or from it on",
        watch(WatchCreate(b""), 0),
        watch(WatchCreate(b"", b"b"), 1),
        watch(WatchCreate(b"", FROM_KEY), 2),
        (Put(b"\x00", b"1"), PutResult(2)),
        (Put(b"a", b"1"), PutResult(3)),
        (Put(b"b", b"1"), PutResult(4)),
        reported(
            5,
            Watched(0, (was_put(b"\x00", b"1", 2, 2, 1),)),
            Watched(1, (was_put(b"\x00", b"1", 2, 2, 1), was_put(b"a", b"1", 3, 3, 1))),
            Watched(
                2,
                (
                    was_put(b"\x00", b"1", 2, 2, 1),
                    was_put(b"a", b"1", 3, 3, 1),
                    was_put(b"b", b"1", 4, 4, 1),
                    *sentinel(5),
                ),
            ),
        ),
    ),
    says(
        "filters hold back puts or deletes or both, and what is no filter holds back nothing",
        watch(WatchCreate(b"a", filters=(NOPUT,)), 0),
        watch(WatchCreate(b"a", filters=(NODELETE,)), 1),
        watch(WatchCreate(b"a", filters=(NODELETE, NOPUT)), 2),
        watch(WatchCreate(b"a", filters=(7,)), 3),
        watch(WatchCreate(b"a", filters=(7, NOPUT)), 4),
        *written(2),
        (DeleteRange(b"a"), DeleteRangeResult(3, 1)),
        reported(
            4,
            Watched(0, (was_deleted(b"a", 3),)),
            Watched(1, (A1,)),
            Watched(2),
            Watched(3, (A1, was_deleted(b"a", 3))),
            Watched(4, (was_deleted(b"a", 3),)),
        ),
    ),
)

_STARTS = (
    says(
        "a watcher from the past is notified of it, in order, and then of what comes",
        *written(2, 3, 4),
        watch(WatchCreate(b"a", start_revision=RevisionAt(2)), 0, 4),
        (Put(b"a", b"4"), PutResult(5)),
        reported(7, Watched(0, (A2, A3, was_put(b"a", b"4", 2, 5, 4)))),
        (Put(b"a", b"5"), PutResult(8)),
        reported(9, Watched(0, (A2, A3, was_put(b"a", b"4", 2, 5, 4), was_put(b"a", b"5", 2, 8, 5)))),
    ),
    says(
        "a watcher from the current revision is notified of that one",
        *written(2, 3),
        watch(WatchCreate(b"a", start_revision=RevisionAt(2)), 0, 3),
        reported(5, Watched(0, (A2,))),
    ),
    says(
        "a watcher from the future is notified of nothing before it",
        watch(WatchCreate(b"a", start_revision=RevisionAt(0, 3))),
        watch(WatchCreate(b"a", start_revision=RevisionAt(0, 1)), 1),
        watch(WatchCreate(b"a", start_revision=2**63 - 1), 2),
        *written(2, 3, 4),
        reported(5, Watched(0, (A3,)), Watched(1, (A1, A2, A3)), Watched(2)),
    ),
    says(
        "the past is reported with its filters, its range, its order within a txn and its deletes",
        (Put(b"b", b"1"), PutResult(2)),
        (Put(b"a", b"1"), PutResult(3)),
        (
            Txn(success=(Put(b"c", b"1"), DeleteRange(b"a", b"c"))),
            TxnResult(4, True, (PutResult(4), DeleteRangeResult(4, 2))),
        ),
        (Put(b"z", b"1"), PutResult(5)),
        watch(WatchCreate(b"a", b"d", start_revision=RevisionAt(1)), 0, 5),
        watch(WatchCreate(b"a", b"d", start_revision=RevisionAt(1), filters=(NOPUT,), prev_kv=True), 1, 5),
        reported(
            7,
            Watched(
                0,
                (
                    was_put(b"b", b"1", 2, 2, 1),
                    was_put(b"a", b"1", 3, 3, 1),
                    was_put(b"c", b"1", 4, 4, 1),
                    was_deleted(b"a", 4),
                    was_deleted(b"b", 4),
                ),
            ),
            Watched(
                1,
                (
                    was_deleted(b"a", 4, kv(b"a", b"1", 3, 3, 1)),
                    was_deleted(b"b", 4, kv(b"b", b"1", 2, 2, 1)),
                ),
            ),
        ),
    ),
    says(
        "from the compacted revision on the past can be watched",
        *written(2, 3, 4),
        (Compact(RevisionAt(2), physical=True), CompactResult(4)),
        watch(WatchCreate(b"a", start_revision=RevisionAt(2)), 0, 4),
        reported(6, Watched(0, (A2, A3))),
    ),
    says(
        "a delete at the compacted revision is still notified of where compactions keep it, without what was deleted",
        *written(2),
        (DeleteRange(b"a"), DeleteRangeResult(3, 1)),
        (Put(b"a", b"2"), PutResult(4)),
        (Compact(RevisionAt(2), physical=True), CompactResult(4)),
        watch(WatchCreate(b"a", start_revision=RevisionAt(2), prev_kv=True), 0, 4),
        (
            WatchRead(),
            Since(
                "compaction_keeps_tombstones",
                WatchReadResult(6, (Watched(0, (was_put(b"a", b"2", 4, 4, 1),)),)),
                WatchReadResult(6, (Watched(0, (was_deleted(b"a", 3), was_put(b"a", b"2", 4, 4, 1))),)),
            ),
        ),
    ),
)

_PREVIOUS = (
    says(
        "a previous value comes with what changed or deleted one, and with no creation",
        watch(WatchCreate(b"a", prev_kv=True)),
        watch(WatchCreate(b"a"), 1),
        *written(2, 3),
        (DeleteRange(b"a"), DeleteRangeResult(4, 1)),
        (Put(b"a", b"4"), PutResult(5)),
        reported(
            6,
            Watched(
                0,
                (
                    A1,
                    was_put(b"a", b"2", 2, 3, 2, prev=A1.kv),
                    was_deleted(b"a", 4, A2.kv),
                    was_put(b"a", b"4", 5, 5, 1),
                ),
            ),
            Watched(1, (A1, A2, was_deleted(b"a", 4), was_put(b"a", b"4", 5, 5, 1))),
        ),
    ),
    says(
        "the previous value is that of the revision before: both events of a txn that puts and deletes a key have it",
        *written(2),
        watch(WatchCreate(b"a", b"c", prev_kv=True), revision=2),
        (
            Txn(success=(Put(b"a", b"2"), Put(b"b", b"1"), DeleteRange(b"a", FROM_KEY))),
            TxnResult(3, True, (PutResult(3), PutResult(3), DeleteRangeResult(3, 2))),
        ),
        reported(
            4,
            Watched(
                0,
                (
                    was_put(b"a", b"2", 2, 3, 2, prev=A1.kv),
                    was_put(b"b", b"1", 3, 3, 1),
                    was_deleted(b"a", 3, A1.kv),
                    was_deleted(b"b", 3),
                ),
            ),
        ),
    ),
    says(
        "a txn that deletes a key and puts it has the previous value with the delete alone",
        *written(2),
        watch(WatchCreate(b"a", prev_kv=True), revision=2),
        (
            Txn(success=(DeleteRange(b"a", FROM_KEY), Put(b"a", b"2"))),
            TxnResult(3, True, (DeleteRangeResult(3, 1), PutResult(3))),
        ),
        reported(4, Watched(0, (was_deleted(b"a", 3, A1.kv), was_put(b"a", b"2", 3, 3, 1)))),
    ),
    says(
        "a previous value that was compacted is not reported",
        *written(2, 3, 4),
        (Compact(RevisionAt(2), physical=True), CompactResult(4)),
        watch(WatchCreate(b"a", start_revision=RevisionAt(2), prev_kv=True), 0, 4),
        reported(6, Watched(0, (A2, was_put(b"a", b"3", 2, 4, 3, prev=A2.kv)))),
    ),
)

WATCH_EVENTS = (*_LIVE, *_RANGES, *_STARTS, *_PREVIOUS)
