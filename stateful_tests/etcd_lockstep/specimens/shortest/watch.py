"""The traces of lies about what watchers are sent."""

from __future__ import annotations

from etcd_lockstep.specimens.watch import DropsOnBurst
from etcd_lockstep.trace import LeaseOf, RevisionAt, Trace
from etcd_model import operations as op

L1 = LeaseOf(1)
PUT, PUT_L1 = op.Put(b"a", b"1"), op.Put(b"a", b"1", L1)
CREATE, READ = op.WatchCreate(b"a"), op.WatchRead()
CREATE_BOTH = op.WatchCreate(b"a", b"c")
PUT_BOTH = op.Txn(success=(PUT, op.Put(b"b", b"1")))

WATCH: dict[str, Trace] = {
    "silent-txn": (CREATE, op.Txn(success=(PUT,)), READ),
    "silent-revoke": (op.LeaseGrant(60), CREATE, PUT_L1, op.LeaseRevoke(L1), READ),
    "silent-expiry": (op.LeaseGrant(2), CREATE, PUT_L1, op.Advance(2), READ),
    "drops-on-burst": (CREATE, *(PUT,) * (DropsOnBurst.ROOM + 1), READ),
    "prefix-watch-deaf": (CREATE_BOTH, op.Put(b"b", b"1"), READ),
    "close-cancels-others": (CREATE, op.WatchClose(1), PUT, READ),
    "second-watch-replaces-first": (CREATE, CREATE, PUT, READ),
    "delete-event-carries-value": (CREATE, PUT, op.DeleteRange(b"a"), READ),
    "delete-event-for-missing": (CREATE, op.DeleteRange(b"a"), READ),
    "caught-up-twice": (PUT, op.WatchCreate(b"a", start_revision=RevisionAt(1)), READ),
    "revision-backwards": (CREATE_BOTH, PUT_BOTH, READ),
    "revision-split": (CREATE_BOTH, PUT_BOTH, READ),
    "start-revision-ignored": (PUT, op.WatchCreate(b"a", start_revision=RevisionAt(1)), READ),
    "compacted-start-accepted": (op.WatchCreate(b"a", start_revision=-2), READ),
    "filters-ignored": (op.WatchCreate(b"a", filters=(op.FilterType.NOPUT,)), PUT, READ),
    "watch-prev-kv-missing": (PUT, op.WatchCreate(b"a", prev_kv=True), PUT, READ),
    "watch-prev-kv-of-compacted": (
        *(PUT, PUT, op.Compact(RevisionAt(2))),
        *(op.WatchCreate(b"a", start_revision=RevisionAt(2), prev_kv=True), READ),
    ),
    "cancel-ignored": (CREATE, op.WatchCancel(0), READ),
    "progress-never-answered": (CREATE, op.WatchProgress(), READ),
}
