"""The traces that show bugs. They are as long as it takes to see the harm, not only the difference."""

from __future__ import annotations

from etcd_lockstep.trace import LeaseOf, MemberOf, RevisionAt, TokenOf, Trace
from etcd_model import operations as op
from etcd_model.ranges import FROM_KEY

READ, WRITE, READWRITE = op.PermissionType.READ, op.PermissionType.WRITE, op.PermissionType.READWRITE
SENTINEL = op.Permission(READWRITE, op.SENTINEL_KEY)
"""Lets a user read a stream of watchers: `WatchRead` writes this key, and waits for its event."""


def _with_auth(before: Trace, *granted: op.Permission) -> tuple[Trace, TokenOf, TokenOf]:
    """Some steps, then auth with root and a user u that has what is granted; the tokens of root and of u."""
    steps: Trace = (
        *before,
        op.UserAdd("root", "r"),
        op.UserGrantRole("root", "root"),
        op.UserAdd("u", "p"),
        op.RoleAdd("r"),
        op.UserGrantRole("u", "r"),
        *(op.RoleGrantPermission("r", permission) for permission in granted),
        op.AuthEnable(),
        op.Authenticate("root", "r"),
        op.Authenticate("u", "p"),
    )
    return steps, TokenOf(len(steps) - 1), TokenOf(len(steps))


def _nested_txn() -> Trace:
    steps, root, user = _with_auth((op.Put(b"secret", b"1"),), op.Permission(READWRITE, b"own"))
    nested = op.Txn(success=(op.Txn(success=(op.Range(b"secret"), op.Put(b"secret", b"2"))),))
    return (*steps, op.As(user, op.Put(b"secret", b"2")), op.As(user, nested), op.As(root, op.Range(b"secret")))


def _txn_prev_kv() -> Trace:
    steps, _root, user = _with_auth((op.Put(b"secret", b"1"),), op.Permission(WRITE, b"secret"))
    put = op.Put(b"secret", b"2", prev_kv=True)
    return (*steps, op.As(user, put), op.As(user, op.Txn(success=(put,))))


def _watch_from_key() -> Trace:
    steps, root, user = _with_auth((), op.Permission(READ, b"own"), SENTINEL)
    watch = op.WatchCreate(b"own", FROM_KEY)
    secret = op.As(root, op.Put(b"secret", b"1"))
    return (*steps, op.As(user, op.Range(b"own", FROM_KEY)), op.As(user, watch), secret, op.As(root, op.WatchRead()))


def _compaction_by_anybody() -> Trace:
    steps, root, _user = _with_auth((op.Put(b"a", b"1"), op.Put(b"a", b"2")))
    past = op.As(root, op.Range(b"a", revision=RevisionAt(1)))
    return (*steps, op.Compact(RevisionAt(2)), past)


def _keys_of_lease() -> Trace:
    steps, _root, user = _with_auth((op.LeaseGrant(60), op.Put(b"secret", b"1", LeaseOf(1))))
    return (*steps, op.As(user, op.LeaseTimeToLive(LeaseOf(1), keys=True)))


def _alarm_without_auth() -> Trace:
    steps, root, user = _with_auth((op.Put(b"secret", b"1"),))
    delete = op.As(user, op.DeleteRange(b"secret"))
    alarm = op.Alarm(op.AlarmAction.ACTIVATE, op.MEMBER_ID, op.AlarmType.NOSPACE)
    return (*steps, delete, op.As(root, alarm), delete, op.As(root, op.Range(b"secret")), op.As(user, op.AuthDisable()))


def _muted_watcher() -> Trace:
    steps, root, user = _with_auth((), op.Permission(READWRITE, b"own"), SENTINEL)
    refused = op.As(user, op.WatchCreate(b"secret"))
    write = op.As(root, op.Put(b"own", b"1"))
    return (*steps, op.As(user, op.WatchCreate(b"own")), refused, write, op.As(root, op.WatchRead()))


NESTED_TXN = _nested_txn()
TXN_PREV_KV = _txn_prev_kv()
WATCH_FROM_KEY = _watch_from_key()
COMPACTION_BY_ANYBODY = _compaction_by_anybody()
KEYS_OF_LEASE = _keys_of_lease()
ALARM_WITHOUT_AUTH = _alarm_without_auth()
MUTED_WATCHER = _muted_watcher()

STALE_USER: Trace = (
    op.UserAdd("root", "r"),
    op.UserAdd("v", "p"),
    op.UserGrantRole("root", "root"),
    op.AuthEnable(),
    op.Authenticate("root", "r"),
    op.As(TokenOf(5), op.UserGrantRole("v", "root")),
    op.Authenticate("v", "p"),
    op.As(TokenOf(7), op.LeaseGrant(60)),
    op.As(TokenOf(7), op.LeaseRevoke(LeaseOf(8))),  # the backend commits here
    op.As(TokenOf(5), op.UserChangePassword("root", "q")),
    op.As(TokenOf(7), op.Put(b"a", b"1")),
)
STALE_PASSWORD: Trace = (
    op.UserAdd("root", "r"),
    op.UserAdd("v", "old"),
    op.UserGrantRole("root", "root"),
    op.LeaseGrant(60),
    op.AuthEnable(),
    op.Authenticate("root", "r"),
    op.As(TokenOf(6), op.UserChangePassword("v", "new")),
    op.As(TokenOf(6), op.LeaseRevoke(LeaseOf(4))),  # the backend commits here
    op.As(TokenOf(6), op.UserChangePassword("root", "q")),
    op.Authenticate("v", "old"),
)
KEY_LOST: Trace = (
    op.Put(b"a", b"1"),
    op.Txn(success=(op.DeleteRange(b"a", FROM_KEY), op.Put(b"a", b"2"))),
    op.Range(b"a"),
    op.Compact(RevisionAt(2), physical=True),
    op.Range(b"a"),
)
DEATH_AT_EVERY_START: Trace = (
    op.Put(b"a", b"1"),
    op.Txn(success=(op.DeleteRange(b"a", FROM_KEY), op.Put(b"a", ignore_value=True))),
)
NO_PERMISSION: Trace = (op.RoleAdd("r"), op.RoleGrantPermission("r", None))
SORT_TARGET: Trace = (op.Put(b"a", b"1"), op.Range(b"a", FROM_KEY, sort_order=op.SortOrder.ASCEND, sort_target=9))
ALARM_OF_NO_TYPE: Trace = (op.Alarm(op.AlarmAction.ACTIVATE),)
ALARM_OF_UNKNOWN_TYPE: Trace = (op.Alarm(op.AlarmAction.ACTIVATE, op.MEMBER_ID, 9),)
NO_PEER_URL: Trace = (op.MemberAdd(("http://127.0.0.1:1",), True), op.MemberUpdate(MemberOf(1), ("x",)))
PADDED_PEER_URL: Trace = (
    op.MemberAdd(("http://127.0.0.1:1",), True),
    op.MemberUpdate(MemberOf(1), ("http://127.0.0.1:2 ",)),
    op.Advance(6),
    op.Put(b"a"),
)
UNKNOWN_ALARM_ACTION: Trace = (op.Alarm(9, op.MEMBER_ID, op.AlarmType.NOSPACE),)
