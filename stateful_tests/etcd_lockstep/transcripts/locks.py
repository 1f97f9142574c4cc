"""The Lock and Election services."""

from __future__ import annotations

from etcd_lockstep.trace import LeaseOf, RevisionAt
from etcd_lockstep.transcripts.transcript import Since, Step, kv, reported, says, was_deleted, was_put
from etcd_model import operations as op
from etcd_model.errors import (
    EMPTY_KEY,
    LEASE_NOT_FOUND,
    MISSING_LEADER_KEY,
    NO_LEADER,
    NOT_LEADER,
    SESSION_EXPIRED,
    Code,
    Error,
)
from etcd_model.results import (
    CampaignResult,
    DeleteRangeResult,
    ElectionResult,
    LeaderResult,
    LeaseGrantResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    LockResult,
    PutResult,
    RangeResult,
    TxnResult,
    UnlockResult,
    Waiting,
    WatchCreateResult,
    Watched,
)


def untold(error: Error) -> Error:
    """Errors of these services have their text, and no code."""
    return Error(Code.UNKNOWN, error.message)


def leases(*ids: int) -> tuple[Step, ...]:
    return tuple((op.LeaseGrant(60, id=lease), LeaseGrantResult(1, lease, 60)) for lease in ids)


_LOCKS = (
    says(
        "a lock is a key of its lease, of the name, a slash and the lease in hex, with nothing in it",
        *leases(7, 255, -5),
        (op.Lock(b"n", 7), LockResult(2, b"n/7")),
        (op.Lock(b"", 255), LockResult(3, b"/ff")),
        (op.Lock(b"s/", -5), LockResult(4, b"s//-5")),
        (op.Range(b"n/7"), RangeResult(4, (kv(b"n/7", b"", 2, 2, 1, 7),), count=1)),
        (op.Range(b"/ff"), RangeResult(4, (kv(b"/ff", b"", 3, 3, 1, 255),), count=1)),
        (op.Range(b"s//-5"), RangeResult(4, (kv(b"s//-5", b"", 4, 4, 1, -5),), count=1)),
    ),
    says(
        "who has a lock has it again with the same lease, and nothing is written",
        *leases(7),
        (op.Lock(b"n", 7), LockResult(2, b"n/7")),
        (op.Put(b"a"), PutResult(3)),
        (op.Lock(b"n", 7), LockResult(3, b"n/7")),
        (op.Range(b"n/7"), RangeResult(3, (kv(b"n/7", b"", 2, 2, 1, 7),), count=1)),
    ),
    says(
        "who waits for a lock has a key too, which is gone with the wait",
        *leases(7, 8),
        (op.Lock(b"n", 7), LockResult(2, b"n/7")),
        (op.WatchCreate(b"n/", b"n0"), WatchCreateResult(2, 0)),
        (op.Lock(b"n", 8), Waiting()),
        (op.Range(b"n/", b"n0", count_only=True), RangeResult(4, count=1)),
        reported(5, Watched(0, (was_put(b"n/8", b"", 3, 3, 1, 8), was_deleted(b"n/8", 4)))),
        (op.Lock(b"m", 8), LockResult(6, b"m/8")),
    ),
    says(
        "a lock is free when it is unlocked, or its key deleted, or its lease revoked",
        *leases(7, 8),
        (op.Lock(b"n", 7), LockResult(2, b"n/7")),
        (op.Unlock(b"n/7"), UnlockResult(3)),
        (op.Lock(b"n", 8), LockResult(4, b"n/8")),
        (op.DeleteRange(b"n/8"), DeleteRangeResult(5, 1)),
        (op.Lock(b"n", 7), LockResult(6, b"n/7")),
        (op.LeaseRevoke(7), LeaseRevokeResult(7)),
        (op.Lock(b"n", 8), LockResult(8, b"n/8")),
    ),
    says(
        "who waits for a lock has it once its owner unlocks it or loses its lease, at the revision of then",
        *leases(7, 8),
        (op.Lock(b"n", 7), LockResult(2, b"n/7")),
        (op.Lock(b"n", 8, op.Unlock(b"n/7")), LockResult(4, b"n/8")),
        (op.Lock(b"n", 7, op.LeaseRevoke(8)), LockResult(6, b"n/7")),
        (op.Range(b"n/", b"n0"), RangeResult(6, (kv(b"n/7", b"", 5, 5, 1, 7),), count=1)),
    ),
    says(
        "who waits for a lock waits for all who came before, and for no others",
        *leases(7),
        (op.Put(b"n/x"), PutResult(2)),
        (op.Put(b"n/y"), PutResult(3)),
        (op.Lock(b"n", 7, op.DeleteRange(b"n/x")), Waiting()),
        (op.Put(b"n/x"), PutResult(7)),
        (op.Lock(b"n", 7, op.DeleteRange(b"n/y")), Waiting()),
        (op.Lock(b"n", 7, op.Put(b"n/z")), Waiting()),
        (op.Range(b"n/", b"n0", count_only=True), RangeResult(13, count=2)),
        (op.Lock(b"n", 7, op.Txn(success=(op.DeleteRange(b"n/x"), op.DeleteRange(b"n/z")))), LockResult(15, b"n/7")),
        (op.Lock(b"n", 7, op.Unlock(b"n/7")), LockResult(15, b"n/7")),
        (op.Range(b"n/7", count_only=True), RangeResult(15, count=1)),
    ),
    says(
        "who waits for a lock and loses its key waits on, and is refused since 3.5 when its turn comes",
        *leases(7, 8),
        (op.Lock(b"n", 7), LockResult(2, b"n/7")),
        (op.Lock(b"n", 8, op.Unlock(b"n/8")), Waiting()),
        (
            op.Lock(b"n", 8, op.DeleteRange(b"n/", b"n0")),
            Since("lock_looks_for_its_key", LockResult(6, b"n/8"), SESSION_EXPIRED),
        ),
        (op.Range(b"n/", b"n0"), RangeResult(6)),
        (op.Lock(b"n", 7), LockResult(7, b"n/7")),
        (op.Lock(b"n", 8, op.LeaseRevoke(8)), Waiting()),
        (op.Range(b"n/", b"n0", count_only=True), RangeResult(9, count=1)),
    ),
    says(
        "who campaigns leads once the leader resigns, from the revision at which it began, and without a key too",
        *leases(7, 8),
        (op.Campaign(b"n", 7, b"x"), CampaignResult(2, op.LeaderKey(b"n", b"n/7", 2, 7))),
        (
            op.Campaign(b"n", 8, b"y", op.Resign(op.LeaderKey(b"n", b"n/7", RevisionAt(3), 7))),
            CampaignResult(3, op.LeaderKey(b"n", b"n/8", 3, 8)),
        ),
        (op.Leader(b"n"), LeaderResult(4, kv(b"n/8", b"y", 3, 3, 1, 8))),
        (
            op.Campaign(b"n", 7, b"z", op.DeleteRange(b"n/", b"n0")),
            CampaignResult(5, op.LeaderKey(b"n", b"n/7", 5, 7)),
        ),
        (op.Leader(b"n"), untold(NO_LEADER)),
        (op.Range(b"n/", b"n0"), RangeResult(6)),
    ),
    says(
        "any key under the name of a lock is one that is waited for, if it was created before",
        *leases(7),
        (op.Put(b"n/x", b"1"), PutResult(2)),
        (op.Lock(b"n", 7), Waiting()),
        (op.Leader(b"n"), LeaderResult(4, kv(b"n/x", b"1", 2, 2, 1))),
        (op.DeleteRange(b"n/x"), DeleteRangeResult(5, 1)),
        (op.Lock(b"n", 7), LockResult(6, b"n/7")),
        (op.Put(b"n/x", b"1"), PutResult(7)),
        (op.Lock(b"n", 7), LockResult(7, b"n/7")),
    ),
    says(
        "to unlock is to delete a key, whatever key it is and whether it is there",
        (op.Put(b"a", b"1"), PutResult(2)),
        (op.Unlock(b"a"), UnlockResult(3)),
        (op.Unlock(b"a"), UnlockResult(3)),
        (op.Range(b"a"), RangeResult(3)),
        (op.Unlock(b""), untold(EMPTY_KEY)),
    ),
    says(
        "a lock without a lease gets one of 60 s, another each time",
        (op.Lock(b"n"), LockResult(2, b"n/lease of step 1")),
        (op.Lock(b"m"), LockResult(3, b"m/lease of step 2")),
        (op.LeaseLeases(), LeaseLeasesResult(3, (LeaseOf(1), LeaseOf(2)))),
        (op.LeaseGrant(60, id=LeaseOf(1)), Error(Code.FAILED_PRECONDITION, "etcdserver: lease already exists")),
        (op.LeaseRevoke(LeaseOf(1)), LeaseRevokeResult(4)),
        (op.Range(b"n/", b"n0"), RangeResult(4)),
    ),
    says(
        "a lock with a lease that is not there is refused, and the code of the refusal is lost",
        (op.Lock(b"n", 404), untold(LEASE_NOT_FOUND)),
        (op.Campaign(b"n", 404), untold(LEASE_NOT_FOUND)),
        (op.Range(b"n/", b"n0"), RangeResult(1)),
    ),
)


def led(revision: int, lease: int, name: bytes = b"n", *, since: int | None = None) -> CampaignResult:
    return CampaignResult(revision, op.LeaderKey(name, b"%s/%x" % (name, lease), since or revision, lease))


def key(lease: int, revision: int, name: bytes = b"n") -> op.LeaderKey:
    """What the leader of an election is known by."""
    return op.LeaderKey(name, b"%s/%x" % (name, lease), revision, lease)


def with_lease(result: op.CompareResult, lease: int) -> op.Compare:
    return op.Compare(b"n/7", op.CompareTarget.LEASE, result, lease)


_ELECTIONS = (
    says(
        "who campaigns first leads, with a key like that of a lock and a value in it",
        *leases(7),
        (op.Leader(b"n"), untold(NO_LEADER)),
        (op.Campaign(b"n", 7, b"1"), led(2, 7)),
        (op.Leader(b"n"), LeaderResult(2, kv(b"n/7", b"1", 2, 2, 1, 7))),
        (op.Put(b"a"), PutResult(3)),
        (op.Leader(b"n"), LeaderResult(3, kv(b"n/7", b"1", 2, 2, 1, 7))),
        (op.Campaign(b"", 7, b"1"), led(4, 7, b"")),
        (op.Leader(b""), LeaderResult(4, kv(b"/7", b"1", 4, 4, 1, 7))),
    ),
    says(
        "who leads and campaigns again with the same value writes nothing, with another one that",
        *leases(7),
        (op.Campaign(b"n", 7, b"1"), led(2, 7)),
        (op.Campaign(b"n", 7, b"1"), led(2, 7)),
        (op.Campaign(b"n", 7, b"2"), led(2, 7)),
        (op.Leader(b"n"), LeaderResult(3, kv(b"n/7", b"2", 2, 3, 2, 7))),
        (op.Put(b"a"), PutResult(4)),
        (op.Campaign(b"n", 7, b"3"), led(4, 7, since=2)),
        (op.Leader(b"n"), LeaderResult(5, kv(b"n/7", b"3", 2, 5, 3, 7))),
    ),
    says(
        "who campaigns while another leads waits, with a key that is gone with the wait",
        *leases(7, 8),
        (op.Campaign(b"n", 7, b"1"), led(2, 7)),
        (op.WatchCreate(b"n/", b"n0"), WatchCreateResult(2, 0)),
        (op.Campaign(b"n", 8, b"2"), Waiting()),
        (op.Leader(b"n"), LeaderResult(4, kv(b"n/7", b"1", 2, 2, 1, 7))),
        reported(5, Watched(0, (was_put(b"n/8", b"2", 3, 3, 1, 8), was_deleted(b"n/8", 4)))),
        (op.LeaseRevoke(7), LeaseRevokeResult(6)),
        (op.Campaign(b"n", 8, b"2"), led(7, 8)),
    ),
    says(
        "elections and locks of one name are of the same keys",
        *leases(7, 8),
        (op.Lock(b"n", 7), LockResult(2, b"n/7")),
        (op.Leader(b"n"), LeaderResult(2, kv(b"n/7", b"", 2, 2, 1, 7))),
        (op.Campaign(b"n", 8, b"1"), Waiting()),
        (op.Campaign(b"n", 7, b"1"), led(4, 7, since=2)),
        (op.Unlock(b"n/7"), UnlockResult(6)),
        (op.Campaign(b"n", 8, b"1"), led(7, 8)),
    ),
    says(
        "a campaign without a lease gets one of 60 s",
        (op.Campaign(b"n", value=b"1"), CampaignResult(2, op.LeaderKey(b"n", b"n/lease of step 1", 2, LeaseOf(1)))),
        (op.Leader(b"n"), LeaderResult(2, kv(b"n/lease of step 1", b"1", 2, 2, 1, LeaseOf(1)))),
        (op.LeaseRevoke(LeaseOf(1)), LeaseRevokeResult(3)),
        (op.Leader(b"n"), untold(NO_LEADER)),
    ),
    says(
        "who leads may proclaim another value, proved by the key and the revision of its creation",
        *leases(7),
        (op.Campaign(b"n", 7, b"1"), led(2, 7)),
        (op.Proclaim(key(7, RevisionAt(2)), b"2"), ElectionResult(3)),
        (op.Proclaim(key(7, RevisionAt(2)), b"2"), ElectionResult(4)),
        (op.Leader(b"n"), LeaderResult(4, kv(b"n/7", b"2", 2, 4, 3, 7))),
        (op.Proclaim(key(7, RevisionAt(2, 1)), b"3"), untold(NOT_LEADER)),
        (op.Proclaim(key(8, RevisionAt(2)), b"3"), untold(NOT_LEADER)),
        (op.Proclaim(op.LeaderKey(b"other", b"n/7", RevisionAt(2), 7), b"3"), ElectionResult(5)),
        (op.Proclaim(op.LeaderKey(b"n", b"", RevisionAt(2), 7), b"3"), untold(EMPTY_KEY)),
        (op.Proclaim(None, b"3"), MISSING_LEADER_KEY),
        (op.Leader(b"n"), LeaderResult(5, kv(b"n/7", b"3", 2, 5, 4, 7))),
    ),
    says(
        "a proclamation gives the key the lease that it names, for none a new one, and at revision 0 makes a leader",
        *leases(7, 8),
        (op.Campaign(b"n", 7, b"1"), led(2, 7)),
        (op.Proclaim(op.LeaderKey(b"n", b"n/7", RevisionAt(3), 8), b"2"), ElectionResult(3)),
        (op.Leader(b"n"), LeaderResult(3, kv(b"n/7", b"2", 2, 3, 2, 8))),
        (op.Proclaim(op.LeaderKey(b"n", b"n/7", RevisionAt(3), 0), b"3"), ElectionResult(4)),
        (op.LeaseLeases(), LeaseLeasesResult(4, (7, 8, LeaseOf(0)))),
        (op.LeaseRevoke(7), LeaseRevokeResult(4)),
        (
            op.Txn((with_lease(op.CompareResult.GREATER, 0), with_lease(op.CompareResult.NOT_EQUAL, 8))),
            TxnResult(4, True),
        ),
        (op.Proclaim(op.LeaderKey(b"n", b"n/7", RevisionAt(3), 404), b"4"), untold(LEASE_NOT_FOUND)),
        (op.Proclaim(op.LeaderKey(b"m", b"m/x", 0, 8), b"1"), ElectionResult(5)),
        (op.Leader(b"m"), LeaderResult(5, kv(b"m/x", b"1", 5, 5, 1, 8))),
    ),
    says(
        "who resigns leads no more; who does not lead may resign as well, and nothing comes of it",
        *leases(7),
        (op.Campaign(b"n", 7, b"1"), led(2, 7)),
        (op.Resign(key(7, RevisionAt(1))), ElectionResult(2)),
        (op.Resign(key(8, RevisionAt(2))), ElectionResult(2)),
        (op.Leader(b"n"), LeaderResult(2, kv(b"n/7", b"1", 2, 2, 1, 7))),
        (op.Resign(key(7, RevisionAt(2))), ElectionResult(3)),
        (op.Resign(key(7, RevisionAt(2))), ElectionResult(3)),
        (op.Leader(b"n"), untold(NO_LEADER)),
        (op.Resign(op.LeaderKey(b"n", b"", RevisionAt(2), 7)), untold(EMPTY_KEY)),
        (op.Resign(None), MISSING_LEADER_KEY),
    ),
    says(
        "who observes is notified of the leader at once, and of nothing where there is none",
        *leases(7),
        (op.Observe(b"n"), LeaderResult(0)),
        (op.Campaign(b"n", 7, b"1"), led(2, 7)),
        (op.Put(b"a"), PutResult(3)),
        (op.Observe(b"n"), LeaderResult(3, kv(b"n/7", b"1", 2, 2, 1, 7))),
        (op.Proclaim(key(7, RevisionAt(3)), b"2"), ElectionResult(4)),
        (op.Observe(b"n"), LeaderResult(4, kv(b"n/7", b"2", 2, 4, 2, 7))),
        (op.LeaseRevoke(7), LeaseRevokeResult(5)),
        (op.Observe(b"n"), LeaderResult(0)),
    ),
)

LOCKS = (*_LOCKS, *_ELECTIONS)
