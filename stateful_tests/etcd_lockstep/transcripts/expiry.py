"""What time does to leases. A real server is waited for, so these are few, and each reports several things."""

from __future__ import annotations

from etcd_lockstep.trace import TokenOf
from etcd_lockstep.transcripts.transcript import TOKEN, kv, reported, says, was_deleted
from etcd_model import operations as op
from etcd_model.errors import LEASE_NOT_FOUND
from etcd_model.results import (
    AdvanceResult,
    AuthenticateResult,
    AuthResult,
    DeleteRangeResult,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseTimeToLiveResult,
    LockResult,
    PutResult,
    RangeResult,
    Waiting,
    WatchCreateResult,
    Watched,
)

PASSED = AdvanceResult()

EXPIRY = (
    says(
        "each lease expires in a revision of its own, with all its keys, in order; then its id is free",
        (op.LeaseGrant(2, id=7), LeaseGrantResult(1, 7, 2)),
        (op.LeaseGrant(60, id=8), LeaseGrantResult(1, 8, 60)),
        (op.Put(b"b", b"1", lease=7), PutResult(2)),
        (op.Put(b"a", b"2", lease=7), PutResult(3)),
        (op.Put(b"c", b"3", lease=8), PutResult(4)),
        (op.WatchCreate(b"a", b"z", prev_kv=True), WatchCreateResult(4, 0)),
        (op.Advance(1), PASSED),
        (op.LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(4, 7, 0, 2, (b"a", b"b"))),
        (op.Range(b"a", b"z", count_only=True), RangeResult(4, count=3)),
        (op.Advance(3), PASSED),
        (op.LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(5, 7, -1)),
        (op.LeaseKeepAlive(7), LeaseKeepAliveResult(5, 7, 0)),
        (op.LeaseRevoke(7), LEASE_NOT_FOUND),
        (op.Put(b"a", lease=7), LEASE_NOT_FOUND),
        (op.LeaseLeases(), LeaseLeasesResult(5, (8,))),
        (op.Range(b"a", b"z"), RangeResult(5, (kv(b"c", b"3", 4, 4, 1, 8),), count=1)),
        (op.LeaseTimeToLive(8, keys=True), LeaseTimeToLiveResult(5, 8, 55, 60, (b"c",))),
        reported(
            6,
            Watched(
                0,
                (
                    was_deleted(b"a", 5, kv(b"a", b"2", 3, 3, 1, 7)),
                    was_deleted(b"b", 5, kv(b"b", b"1", 2, 2, 1, 7)),
                ),
            ),
        ),
        (op.LeaseGrant(60, id=7), LeaseGrantResult(6, 7, 60)),
        (op.LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(6, 7, 59, 60)),
    ),
    says(
        "a lease that is kept alive has its whole time before it again, and one that is not expires",
        (op.LeaseGrant(3, id=7), LeaseGrantResult(1, 7, 3)),
        (op.LeaseGrant(2, id=8), LeaseGrantResult(1, 8, 2)),
        (op.Put(b"a", b"1", lease=7), PutResult(2)),
        (op.Put(b"b", b"1", lease=8), PutResult(3)),
        (op.Advance(1), PASSED),
        (op.LeaseKeepAlive(7), LeaseKeepAliveResult(3, 7, 3)),
        (op.LeaseTimeToLive(7), LeaseTimeToLiveResult(3, 7, 2, 3)),
        (op.Advance(2), PASSED),
        (op.Range(b"a", b"z"), RangeResult(4, (kv(b"a", b"1", 2, 2, 1, 7),), count=1)),
        (op.LeaseTimeToLive(7), LeaseTimeToLiveResult(4, 7, 0, 3)),
        (op.LeaseKeepAlive(7), LeaseKeepAliveResult(4, 7, 3)),
        (op.LeaseLeases(), LeaseLeasesResult(4, (7,))),
    ),
    says(
        "keys that were taken from a lease, or deleted, outlive it or not as they would anyway",
        (op.LeaseGrant(2, id=7), LeaseGrantResult(1, 7, 2)),
        (op.LeaseGrant(60, id=8), LeaseGrantResult(1, 8, 60)),
        (op.Put(b"a", b"1", lease=7), PutResult(2)),
        (op.Put(b"b", b"1", lease=7), PutResult(3)),
        (op.Put(b"c", b"1", lease=7), PutResult(4)),
        (op.Put(b"a", b"2"), PutResult(5)),
        (op.Put(b"b", b"2", lease=8), PutResult(6)),
        (op.DeleteRange(b"c"), DeleteRangeResult(7, 1)),
        (op.Advance(3), PASSED),
        (op.LeaseLeases(), LeaseLeasesResult(7, (8,))),
        (
            op.Range(b"a", b"z"),
            RangeResult(7, (kv(b"a", b"2", 2, 5, 2), kv(b"b", b"2", 3, 6, 2, 8)), count=2),
        ),
        (op.Put(b"c", b"2"), PutResult(8)),
    ),
    says(
        "a lock is free when the lease of its owner has expired",
        (op.LeaseGrant(2, id=7), LeaseGrantResult(1, 7, 2)),
        (op.LeaseGrant(60, id=8), LeaseGrantResult(1, 8, 60)),
        (op.Lock(b"n", 7), LockResult(2, b"n/7")),
        (op.Lock(b"n", 8), Waiting()),
        (op.Advance(3), PASSED),
        (op.Range(b"n/", b"n0"), RangeResult(5)),
        (op.Lock(b"n", 8), LockResult(6, b"n/8")),
    ),
    says(
        "a lease expires under auth as well, whoever may write its keys",
        (op.LeaseGrant(2, id=7), LeaseGrantResult(1, 7, 2)),
        (op.Put(b"a", b"1", lease=7), PutResult(2)),
        (op.UserAdd("root", "r"), AuthResult(2)),
        (op.UserGrantRole("root", "root"), AuthResult(2)),
        (op.AuthEnable(), AuthResult(2)),
        (op.Authenticate("root", "r"), AuthenticateResult(2, TOKEN)),
        (op.Advance(3), PASSED),
        (op.As(TokenOf(6), op.Range(b"a")), RangeResult(3)),
        (op.As(TokenOf(6), op.LeaseLeases()), LeaseLeasesResult(3)),
    ),
)
