"""The Watch service: how watchers are created and cancelled, their ids, and progress."""

from __future__ import annotations

from etcd_lockstep.trace import RevisionAt
from etcd_lockstep.transcripts.transcript import Since, Step, reported, says, was_put, written
from etcd_model.errors import COMPACTED
from etcd_model.operations import (
    Compact,
    Put,
    WatchCancel,
    WatchClose,
    WatchCreate,
    WatchProgress,
    WatchRead,
)
from etcd_model.results import (
    CompactResult,
    PutResult,
    StreamResult,
    WatchCreateResult,
    Watched,
    WatchReadResult,
)

NO_ID = -1
EMPTY = "mvcc: watcher range is empty"
DUPLICATE = "mvcc: duplicate watch ID provided on the WatchStream"
MAX = 2**63 - 1
SENT = StreamResult()
CANCELLED = ("",)


def refused(operation: WatchCreate, revision: int, reason: str) -> Step:
    return operation, WatchCreateResult(revision, NO_ID, created=True, canceled=True, cancel_reason=reason)


def created(watch_id: int, revision: int = 1, *, picked: bool = False, key: bytes = b"a") -> Step:
    """A watcher of one key, with an id that was asked for or that the server picked."""
    return WatchCreate(key, watch_id=0 if picked else watch_id), WatchCreateResult(revision, watch_id)


def cancel(watch_id: int) -> Step:
    return WatchCancel(watch_id), SENT


_CREATION = (
    says(
        "a watcher is created with the current revision, and notified of what comes after it",
        *written(2, 3),
        created(0, 3, picked=True),
        (Put(b"a", b"3"), PutResult(4)),
        (Put(b"b", b"1"), PutResult(5)),
        reported(6, Watched(0, (was_put(b"a", b"3", 2, 4, 3),))),
    ),
    says(
        "a stream that was just opened has delivered nothing, and none has that was closed and opened again",
        reported(2),
        created(0, 2, picked=True),
        (Put(b"a", b"1"), PutResult(3)),
        reported(4, Watched(0, (was_put(b"a", b"1", 3, 3, 1),))),
        (WatchClose(), SENT),
        (Put(b"a", b"2"), PutResult(5)),
        reported(6),
        created(0, 6, picked=True),
    ),
    says(
        "streams have watchers and ids of their own",
        created(0, picked=True),
        (WatchCreate(b"a", stream=1), WatchCreateResult(1, 0)),
        (WatchCreate(b"b", stream=1), WatchCreateResult(1, 1)),
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"b", b"1"), PutResult(3)),
        reported(4, Watched(0, (was_put(b"a", b"1", 2, 2, 1),))),
        reported(5, Watched(0, (was_put(b"a", b"1", 2, 2, 1),)), Watched(1, (was_put(b"b", b"1", 3, 3, 1),)), stream=1),
        (WatchCancel(0, stream=1), SENT),
        (Put(b"a", b"2"), PutResult(6)),
        reported(7, Watched(0, (was_put(b"a", b"1", 2, 2, 1), was_put(b"a", b"2", 2, 6, 2)))),
    ),
    says(
        "a range in which there can be no key is refused, and takes no id",
        refused(WatchCreate(b"b", b"b"), 1, EMPTY),
        refused(WatchCreate(b"b", b"a", watch_id=5), 1, EMPTY),
        refused(WatchCreate(b"b", b"\x00\x00"), 1, EMPTY),
        refused(WatchCreate(b"z", b"a", start_revision=1), 1, EMPTY),
        created(0, picked=True),
        created(5),
    ),
    says(
        "a start before all revisions is refused, before the range and the id are looked at",
        created(5),
        *(refused(WatchCreate(b"a", start_revision=start), 1, COMPACTED.message) for start in (-1, -5, -(2**63))),
        refused(WatchCreate(b"b", b"a", start_revision=-1), 1, COMPACTED.message),
        refused(WatchCreate(b"a", start_revision=-1, watch_id=5), 1, COMPACTED.message),
        created(0, picked=True),
        needs="watch_negative_start_refused",
    ),
    says(
        "a start before all revisions was one in the compacted past, once there was one",
        refused(WatchCreate(b"b", b"a", start_revision=-1), 1, EMPTY),
        (WatchCreate(b"a", start_revision=-1), WatchCreateResult(1, 0)),
        reported(3, Watched(0, (), CANCELLED, compact_revision=1)),
        (WatchCreate(b"a", start_revision=-(2**63)), WatchCreateResult(3, 1)),
        reported(5, *(Watched(watch_id, (), CANCELLED, compact_revision=1) for watch_id in (0, 1))),
        lacks="watch_negative_start_refused",
    ),
)

_IDS = (
    says(
        "ids are picked from 0 on, past those that are taken, and none is picked twice",
        created(1),
        created(0, picked=True),
        created(2, picked=True),
        created(3, picked=True),
        cancel(0),
        created(4, picked=True),
        cancel(4),
        created(5, picked=True),
    ),
    says(
        "an id may be any number, a negative one and the extreme ones too",
        *(created(watch_id) for watch_id in (5, -5, NO_ID, MAX, -MAX - 1)),
        (Put(b"a", b"1"), PutResult(2)),
        reported(
            3, *(Watched(watch_id, (was_put(b"a", b"1", 2, 2, 1),)) for watch_id in (5, -5, NO_ID, MAX, -MAX - 1))
        ),
        cancel(NO_ID),
        (Put(b"a", b"2"), PutResult(4)),
        reported(
            5,
            *(
                Watched(
                    watch_id,
                    (was_put(b"a", b"1", 2, 2, 1), *([] if watch_id == NO_ID else [was_put(b"a", b"2", 2, 4, 2)])),
                    CANCELLED if watch_id == NO_ID else (),
                )
                for watch_id in (5, -5, NO_ID, MAX, -MAX - 1)
            ),
        ),
    ),
    says(
        "an id that is taken is refused, and the watcher that has it goes on",
        created(5),
        refused(WatchCreate(b"b", watch_id=5), 1, DUPLICATE),
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"b", b"1"), PutResult(3)),
        reported(4, Watched(5, (was_put(b"a", b"1", 2, 2, 1),))),
    ),
    says(
        "the watcher with id -1 was held back by any refusal, for that is the id in it",
        created(NO_ID),
        refused(WatchCreate(b"b", b"a"), 1, EMPTY),
        (Put(b"a", b"1"), PutResult(2)),
        (
            WatchRead(),
            Since(
                "watch_refusal_has_reason",
                WatchReadResult(3, (Watched(NO_ID),)),
                WatchReadResult(3, (Watched(NO_ID, (was_put(b"a", b"1", 2, 2, 1),)),)),
            ),
        ),
    ),
    says(
        "an id that was cancelled can be taken again at once",
        created(5),
        (Put(b"a", b"1"), PutResult(2)),
        reported(3, Watched(5, (was_put(b"a", b"1", 2, 2, 1),))),
        cancel(5),
        created(5, 3, key=b"b"),
        (Put(b"a", b"2"), PutResult(4)),
        (Put(b"b", b"1"), PutResult(5)),
        reported(
            6, Watched(5, (was_put(b"a", b"1", 2, 2, 1),), CANCELLED), Watched(5, (was_put(b"b", b"1", 5, 5, 1),))
        ),
    ),
)

_CANCELLATION = (
    says(
        "a watcher that was cancelled is reported so without a reason, and of nothing after",
        created(0, picked=True),
        (Put(b"a", b"1"), PutResult(2)),
        reported(3, Watched(0, (was_put(b"a", b"1", 2, 2, 1),))),
        cancel(0),
        (Put(b"a", b"2"), PutResult(4)),
        reported(5, Watched(0, (was_put(b"a", b"1", 2, 2, 1),), CANCELLED)),
    ),
    says(
        "to cancel what is not there, or not any more, is not answered",
        cancel(9),
        created(0, picked=True),
        cancel(9),
        cancel(0),
        cancel(0),
        reported(2, Watched(0, (), CANCELLED)),
    ),
    says(
        "a watcher that starts in the compacted past is cancelled with the compact revision, and keeps its id",
        *written(2, 3, 4),
        (Compact(RevisionAt(2)), CompactResult(4)),
        (WatchCreate(b"a", start_revision=RevisionAt(1), watch_id=7), WatchCreateResult(4, 7)),
        reported(6, Watched(7, (), CANCELLED, compact_revision=3)),
        (Put(b"a", b"4"), PutResult(7)),
        refused(WatchCreate(b"a", watch_id=7), 7, DUPLICATE),
        reported(8, Watched(7, (), CANCELLED, compact_revision=3)),
        cancel(7),
        reported(9, Watched(7, (), ("", ""))),
        cancel(7),
        created(7, 9),
        (Put(b"a", b"5"), PutResult(10)),
        reported(11, Watched(7, (), ("", "")), Watched(7, (was_put(b"a", b"5", 2, 10, 5),))),
    ),
    says(
        "watchers of the present and of the future outlive a compaction",
        *written(2, 3),
        created(0, 3, picked=True),
        (WatchCreate(b"a", start_revision=RevisionAt(2, 2)), WatchCreateResult(3, 1)),
        (Compact(RevisionAt(2)), CompactResult(3)),
        (Put(b"a", b"3"), PutResult(4)),
        (Put(b"a", b"4"), PutResult(5)),
        reported(
            6,
            Watched(0, (was_put(b"a", b"3", 2, 4, 3), was_put(b"a", b"4", 2, 5, 4))),
            Watched(1, (was_put(b"a", b"4", 2, 5, 4),)),
        ),
    ),
)

ASK = (WatchProgress(), SENT)


def until(quirk: str, revision: int, answers: tuple[int, ...], *watches: Watched) -> Step:
    """A progress request that was answered until a quirk came, and is not since."""
    return (
        WatchRead(),
        Since(quirk, WatchReadResult(revision, watches, answers), WatchReadResult(revision, watches)),
    )


_PROGRESS = (
    says(
        "a progress request is answered with the current revision, each of them",
        created(0, picked=True),
        ASK,
        (Put(b"b"), PutResult(2)),
        ASK,
        ASK,
        reported(3, Watched(0), progress=(1, 2, 2)),
        ASK,
        reported(4, Watched(0), progress=(1, 2, 2, 3)),
    ),
    says(
        "progress of a stream without a watcher was sent until etcd looked whether there is one",
        ASK,
        until("progress_only_if_synced", 2, (1,)),
    ),
    says(
        "progress of a stream whose watchers are all cancelled was reported as well",
        created(0, picked=True),
        cancel(0),
        refused(WatchCreate(b"b", b"a"), 1, EMPTY),
        ASK,
        until("progress_only_if_synced", 2, (1,), Watched(0, (), CANCELLED)),
    ),
    says(
        "progress is reported beside a watcher from the past, once it has caught up",
        *written(2),
        (WatchCreate(b"a", start_revision=RevisionAt(1)), WatchCreateResult(2, 0)),
        reported(4, Watched(0, (was_put(b"a", b"1", 2, 2, 1),))),
        ASK,
        reported(5, Watched(0, (was_put(b"a", b"1", 2, 2, 1),)), progress=(4,)),
    ),
    says(
        "progress beside a watcher of the future was reported until that counted as not synced",
        (WatchCreate(b"a", start_revision=RevisionAt(0, 50)), WatchCreateResult(1, 0)),
        created(1, picked=True),
        ASK,
        until("progress_awaits_start", 2, (1,), Watched(0), Watched(1)),
    ),
    says(
        "progress is reported beside a watcher that has come to its start, and beside one that was cancelled before it",
        (WatchCreate(b"a", start_revision=RevisionAt(0, 1)), WatchCreateResult(1, 0)),
        (WatchCreate(b"a", start_revision=RevisionAt(0, 50)), WatchCreateResult(1, 1)),
        (Put(b"a", b"1"), PutResult(2)),
        reported(3, Watched(0, (was_put(b"a", b"1", 2, 2, 1),)), Watched(1)),
        cancel(1),
        ASK,
        reported(4, Watched(0, (was_put(b"a", b"1", 2, 2, 1),)), Watched(1, (), CANCELLED), progress=(3,)),
    ),
    says(
        "a watcher that a compaction has cancelled keeps progress from being reported, until it is cancelled again",
        *written(2, 3),
        (Compact(RevisionAt(2)), CompactResult(3)),
        created(0, 3, picked=True),
        (WatchCreate(b"b", start_revision=RevisionAt(1)), WatchCreateResult(3, 1)),
        reported(5, Watched(0), Watched(1, (), CANCELLED, compact_revision=3)),
        ASK,
        until("progress_only_if_synced", 6, (5,), Watched(0), Watched(1, (), CANCELLED, compact_revision=3)),
        cancel(1),
        ASK,
        (
            WatchRead(),
            Since(
                "progress_only_if_synced",
                WatchReadResult(7, (Watched(0), Watched(1, (), ("", ""))), (5, 6)),
                WatchReadResult(7, (Watched(0), Watched(1, (), ("", ""))), (6,)),
            ),
        ),
    ),
    says(
        "progress is reported to no watcher, not even to one with id -1",
        created(NO_ID),
        ASK,
        (Put(b"a", b"1"), PutResult(2)),
        reported(3, Watched(NO_ID, (was_put(b"a", b"1", 2, 2, 1),)), progress=(1,)),
    ),
)

WATCHES = (*_CREATION, *_IDS, *_CANCELLATION, *_PROGRESS)
