"""What compaction, leases, watches, locks and elections need of who asks."""

from __future__ import annotations

from etcd_lockstep.trace import RevisionAt
from etcd_lockstep.transcripts.auth_fixtures import (
    BAD,
    READ,
    READWRITE,
    WRITE,
    as_root,
    as_user,
    asked,
    may,
    realm,
)
from etcd_lockstep.transcripts.transcript import (
    Since,
    kv,
    says,
    was_put,
    written,
)
from etcd_model import operations as op
from etcd_model.errors import (
    INVALID_AUTH_TOKEN,
    LEASE_NOT_FOUND,
    NO_LEADER,
    PERMISSION_DENIED,
    STREAM_ENDED,
    USER_EMPTY,
    Code,
    Error,
)
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    AuthResult,
    CompactResult,
    LeaderResult,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
    LockResult,
    PutResult,
    RangeResult,
    UnlockResult,
    WatchCreateResult,
    Watched,
    WatchReadResult,
)

GUARDED = "leases_and_compaction_guarded"


_COMPACTION_AND_LEASES = (
    says(
        "anybody could compact, and then only root",
        *realm(),
        *(as_root(*step) for step in written(2, 3, 4)),
        (op.Compact(RevisionAt(9)), Since(GUARDED, CompactResult(4), USER_EMPTY)),
        (op.As(BAD, op.Compact(RevisionAt(10))), INVALID_AUTH_TOKEN),
        as_user(op.Compact(RevisionAt(10)), Since(GUARDED, CompactResult(4), PERMISSION_DENIED)),
        as_root(op.Compact(RevisionAt(11)), CompactResult(4)),
    ),
    says(
        "anybody could be granted a lease, and then only users",
        *realm(),
        (op.LeaseGrant(60, id=7), Since(GUARDED, LeaseGrantResult(1, 7, 60), USER_EMPTY)),
        (op.As(BAD, op.LeaseGrant(60, id=8)), INVALID_AUTH_TOKEN),
        as_user(op.LeaseGrant(60, id=9), LeaseGrantResult(1, 9, 60)),
    ),
    says(
        "to revoke a lease is to delete its keys, and one without keys was anybody's to revoke",
        *realm(may(WRITE, b"a")),
        *(as_root(op.LeaseGrant(60, id=lease), LeaseGrantResult(1, lease, 60)) for lease in (7, 8, 9)),
        as_root(op.Put(b"a", lease=7), PutResult(2)),
        as_root(op.Put(b"b", lease=8), PutResult(3)),
        (op.LeaseRevoke(7), USER_EMPTY),
        (op.As(BAD, op.LeaseRevoke(7)), INVALID_AUTH_TOKEN),
        as_user(op.LeaseRevoke(8), PERMISSION_DENIED),
        as_user(op.LeaseRevoke(7), LeaseRevokeResult(4)),
        (op.LeaseRevoke(404), Since(GUARDED, LEASE_NOT_FOUND, USER_EMPTY)),
        as_user(op.LeaseRevoke(404), LEASE_NOT_FOUND),
        (op.LeaseRevoke(9), Since(GUARDED, LeaseRevokeResult(4), USER_EMPTY)),
        as_root(op.LeaseRevoke(8), LeaseRevokeResult(5)),
    ),
    says(
        "what keeps a lease alive writes its keys: anybody could, and then who may write them",
        *realm(may(WRITE, b"a")),
        *(as_root(op.LeaseGrant(60, id=lease), LeaseGrantResult(1, lease, 60)) for lease in (7, 8)),
        as_root(op.Put(b"a", lease=7), PutResult(2)),
        as_root(op.Put(b"b", lease=8), PutResult(3)),
        *asked(
            op.LeaseKeepAlive(8),
            Since(GUARDED, LeaseKeepAliveResult(3, 8, 60), USER_EMPTY),
            Since(GUARDED, LeaseKeepAliveResult(3, 8, 60), INVALID_AUTH_TOKEN),
            Since(GUARDED, LeaseKeepAliveResult(3, 8, 60), PERMISSION_DENIED),
            LeaseKeepAliveResult(3, 8, 60),
        ),
        as_user(op.LeaseKeepAlive(7), LeaseKeepAliveResult(3, 7, 60)),
        as_user(op.LeaseKeepAlive(404), LeaseKeepAliveResult(3, 404, 0)),
        (op.LeaseKeepAlive(404), Since(GUARDED, LeaseKeepAliveResult(3, 404, 0), USER_EMPTY)),
    ),
    says(
        "the keys of a lease are reported to who may read them, and its time to users, since each was looked at",
        *realm(may(READ, b"a")),
        *(as_root(op.LeaseGrant(60, id=lease), LeaseGrantResult(1, lease, 60)) for lease in (7, 8)),
        as_root(op.Put(b"a", lease=7), PutResult(2)),
        as_root(op.Put(b"b", lease=8), PutResult(3)),
        (op.LeaseTimeToLive(8), Since(GUARDED, LeaseTimeToLiveResult(3, 8, 59, 60), USER_EMPTY)),
        as_user(op.LeaseTimeToLive(8), LeaseTimeToLiveResult(3, 8, 59, 60)),
        as_user(
            op.LeaseTimeToLive(8, keys=True),
            Since("lease_keys_guarded", LeaseTimeToLiveResult(3, 8, 59, 60, (b"b",)), PERMISSION_DENIED),
        ),
        as_user(op.LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(3, 7, 59, 60, (b"a",))),
        as_user(op.LeaseTimeToLive(404, keys=True), LeaseTimeToLiveResult(3, 404, -1)),
    ),
    says(
        "the list of leases was for anybody, and then for who may read all of their keys",
        *realm(may(READ, b"a")),
        *(as_root(op.LeaseGrant(60, id=lease), LeaseGrantResult(1, lease, 60)) for lease in (7, 8)),
        as_root(op.Put(b"a", lease=7), PutResult(2)),
        as_user(op.LeaseLeases(), LeaseLeasesResult(2, (7, 8))),
        as_root(op.Put(b"b", lease=8), PutResult(3)),
        *asked(
            op.LeaseLeases(),
            *(
                Since(GUARDED, LeaseLeasesResult(3, (7, 8)), refusal)
                for refusal in (USER_EMPTY, INVALID_AUTH_TOKEN, PERMISSION_DENIED)
            ),
            LeaseLeasesResult(3, (7, 8)),
        ),
    ),
)


def reason(error: Error) -> str:
    """What a watch is refused with."""
    name = {
        Code.PERMISSION_DENIED: "PermissionDenied",
        Code.INVALID_ARGUMENT: "InvalidArgument",
        Code.UNAUTHENTICATED: "Unauthenticated",
    }[error.code]
    return f"rpc error: code = {name} desc = {error.message}"


def refusal(error: Error, revision: int = 1, watch_id: int = 0) -> Since:
    """The answer to a watch that may not be: it reported the id that was asked for, and always the same reason."""
    return Since(
        "watch_refusal_has_reason",
        WatchCreateResult(revision, watch_id, True, True, reason(PERMISSION_DENIED)),
        WatchCreateResult(revision, -1, True, True, reason(error)),
    )


THE_SENTINEL = may(READ, op.SENTINEL_KEY)
"""A stream can be read whose token may read the key that a read puts."""

A1, A2 = was_put(b"a", b"1", 2, 2, 1), was_put(b"a", b"2", 2, 3, 2)

_WATCHES = (
    says(
        "a watch needs the right to read its range when it is created, and never after",
        *realm(may(READ, b"a"), THE_SENTINEL),
        as_user(op.WatchCreate(b"a"), WatchCreateResult(1, 0)),
        as_user(op.WatchCreate(b"a", b"c", watch_id=5), refusal(PERMISSION_DENIED, 1, 5)),
        as_root(op.Put(b"a", b"1"), PutResult(2)),
        as_root(op.RoleRevokePermission("r", b"a"), AuthResult(2)),
        as_root(op.Put(b"a", b"2"), PutResult(3)),
        as_root(op.WatchRead(), WatchReadResult(4, (Watched(0, (A1, A2)),))),
        as_user(op.WatchCreate(b"a", watch_id=5), refusal(PERMISSION_DENIED, 4, 5)),
    ),
    says(
        "a stream has the token that it was opened with, whoever goes on with it",
        *realm(may(READ, b"a"), THE_SENTINEL),
        as_user(op.WatchCreate(b"a"), WatchCreateResult(1, 0)),
        (op.WatchCreate(b"a"), WatchCreateResult(1, 1)),
        as_root(op.WatchCreate(b"b", watch_id=5), refusal(PERMISSION_DENIED, 1, 5)),
        as_root(op.WatchCreate(b"b", stream=1), WatchCreateResult(1, 0)),
    ),
    says(
        "a watch by nobody is refused, and before anything else about it is looked at",
        *realm(),
        (op.WatchCreate(b"a"), refusal(USER_EMPTY)),
        (op.As(BAD, op.WatchCreate(b"a", stream=1)), refusal(INVALID_AUTH_TOKEN)),
        as_user(op.WatchCreate(b"b", b"a", stream=2), refusal(PERMISSION_DENIED)),
        as_user(op.WatchCreate(b"", stream=3), refusal(PERMISSION_DENIED)),
        as_root(op.WatchCreate(b"a", stream=4), WatchCreateResult(1, 0)),
    ),
    says(
        "the watcher with the id of such a refusal was held back, and so was the first of a stream by most",
        *realm(may(READ, b"a"), THE_SENTINEL),
        as_user(op.WatchCreate(b"a"), WatchCreateResult(1, 0)),
        as_user(op.WatchCreate(b"b"), refusal(PERMISSION_DENIED)),
        as_root(op.Put(b"a", b"1"), PutResult(2)),
        as_root(
            op.WatchRead(),
            Since(
                "watch_refusal_has_reason",
                WatchReadResult(3, (Watched(0),)),
                WatchReadResult(3, (Watched(0, (A1,)),)),
            ),
        ),
    ),
    says(
        "a watch of all keys from one on needed the right to read that one only, until it needed them all",
        *realm(may(READ, b"k")),
        as_user(
            op.WatchCreate(b"k", FROM_KEY, watch_id=5),
            Since("watch_from_key_guarded", WatchCreateResult(1, 5), refusal(PERMISSION_DENIED, 1, 5)),
        ),
        as_user(op.WatchCreate(b"j", FROM_KEY, watch_id=6), refusal(PERMISSION_DENIED, 1, 6)),
        as_user(op.WatchCreate(b"", FROM_KEY, watch_id=7), refusal(PERMISSION_DENIED, 1, 7)),
    ),
)


def untold(error: Error) -> Error:
    """An error of a lock or an election: the text is left, and the code is not."""
    return Error(Code.UNKNOWN, error.message)


LEADER = op.LeaderKey(b"n", b"n/7", 1, 7)

_LOCKS = (
    says(
        "a lock needs the right to read all of its name and to write its key; to unlock, the latter",
        *realm(may(READ, b"n/", b"n0")),
        as_root(op.LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        *asked(
            op.Lock(b"n", 7),
            untold(USER_EMPTY),
            untold(INVALID_AUTH_TOKEN),
            untold(PERMISSION_DENIED),
            LockResult(2, b"n/7"),
        ),
        as_user(op.Unlock(b"n/7"), untold(PERMISSION_DENIED)),
        (op.Unlock(b"n/7"), untold(USER_EMPTY)),
        as_root(op.Unlock(b"n/7"), UnlockResult(3)),
    ),
    says(
        "so it is with elections; who leads is for who may read",
        *realm(may(READWRITE, b"n/", b"n0")),
        as_root(op.LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        (op.Campaign(b"n", 7), untold(USER_EMPTY)),
        as_user(op.Campaign(b"m", 7), untold(PERMISSION_DENIED)),
        as_user(op.Leader(b"n"), NO_LEADER),
        as_user(op.Leader(b"m"), untold(PERMISSION_DENIED)),
        (op.Leader(b"n"), untold(USER_EMPTY)),
        as_user(op.Observe(b"n"), LeaderResult(0)),
        as_user(op.Observe(b"m"), STREAM_ENDED),
        (op.Observe(b"n"), STREAM_ENDED),
        (op.Resign(LEADER), untold(USER_EMPTY)),
        as_user(op.Lock(b"n", 7), LockResult(2, b"n/7")),
        as_user(op.Range(b"n/7"), RangeResult(2, (kv(b"n/7", b"", 2, 2, 1, 7),), count=1)),
    ),
    says(
        "who may write its own key and not read all of its name is refused once the key is written, and the key stays",
        *realm(may(READWRITE, b"n/7")),
        as_root(op.LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        as_user(op.Campaign(b"n", 7, b"1"), untold(PERMISSION_DENIED)),
        as_user(op.Range(b"n/7"), RangeResult(2, (kv(b"n/7", b"1", 2, 2, 1, 7),), count=1)),
        as_user(op.Lock(b"n", 7), untold(PERMISSION_DENIED)),
    ),
)

GUARDS = (*_COMPACTION_AND_LEASES, *_WATCHES, *_LOCKS)
