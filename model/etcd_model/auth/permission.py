"""Who sends a request, and whether they may.

Each check takes a caller: the name of a user, or None for a request without a token.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from etcd_model.auth.store import ROOT, User
from etcd_model.errors import INVALID_AUTH_TOKEN, PERMISSION_DENIED, USER_EMPTY, Code, Error
from etcd_model.exhaustive import assert_never
from etcd_model.operations import DeleteRange, Permission, PermissionType, Put, Range, Txn

if TYPE_CHECKING:
    from etcd_model.state import State

READ, WRITE = PermissionType.READ, PermissionType.WRITE

Caller = str | None


def caller(state: State, token: str) -> Caller | Error:
    """Whom a token stands for (etcd server/auth/store.go, AuthInfoFromCtx)."""
    if not token:
        return None
    quirks = state.server.quirks
    if not state.auth.enabled:
        return None if quirks.auth_off_ignores_tokens else INVALID_AUTH_TOKEN
    held = state.auth.tokens.get(bare(state, token))
    return INVALID_AUTH_TOKEN if held is None or state.now > held.expiry else held.user


def bare(state: State, token: str) -> str:
    """A token without what may precede it."""
    return token.removeprefix("Bearer ") if state.server.quirks.bearer_tokens else token


def check_admin(state: State, name: Caller) -> Error | None:
    """Root's calls (etcd server/auth/store.go, IsAdminPermitted)."""
    if not state.auth.enabled:
        return None
    if name is None:
        return USER_EMPTY
    return None if is_root(state.auth.users[name]) else PERMISSION_DENIED


def check_user(state: State, name: Caller) -> Error | None:
    """Calls for which any user will do (etcd server/etcdserver/v3_server.go, requireAuthInfo)."""
    return USER_EMPTY if state.auth.enabled and name is None else None


def is_root(user: User) -> bool:
    """Whether the user may do everything. The role `root` need not exist for that (auth/store.go, hasRootRole)."""
    return ROOT in user.roles


def check_range(
    state: State, name: Caller, key: bytes, range_end: bytes, permission_type: PermissionType
) -> Error | None:
    """Whether the grants of a user cover a range (etcd server/auth/store.go, isOpPermitted)."""
    if not state.auth.enabled:
        return None
    if name is None:
        return USER_EMPTY
    user = state.auth.users[name]
    if is_root(user):
        return None
    granted = [
        permission
        for role in user.roles
        for permission in state.auth.roles.get(role, ())
        if permission.perm_type in (permission_type, PermissionType.READWRITE)
    ]
    return None if covers(granted, key, range_end) else PERMISSION_DENIED


Bound = tuple[bool, bytes]
"""One end of an interval; one that is empty comes after all the others
(etcd pkg/adt/interval_tree.go, BytesAffineComparable)."""


def _bound(key: bytes) -> Bound:
    return not key, key


def _interval(key: bytes, range_end: bytes) -> tuple[Bound, Bound]:
    """A single key is the interval up to its successor; a from-key range has no end
    (etcd server/auth/range_perm_cache.go)."""
    if not range_end:
        return _bound(key), (False, key + b"\x00")
    return _bound(key), _bound(b"" if range_end == b"\x00" else range_end)


def covers(granted: Iterable[Permission], key: bytes, range_end: bytes) -> bool:
    """Whether the union of what was granted holds all of a range: what overlaps the range must leave no gap, begin
    no later, and end no sooner (etcd pkg/adt/interval_tree.go, Contains and Interval.Compare).

    An inverted range overlaps what holds its key, and is therefore held by it. (Where there are several grants, etcd
    may overlook the one: `nondeterminism`.)
    """
    begin, end = _interval(key, range_end)
    overlapping = sorted(
        (low, high)
        for low, high in (_interval(permission.key, permission.range_end) for permission in granted)
        if (begin >= low or end > low) and begin < high
    )
    if not overlapping or overlapping[0][0] > begin:
        return False
    reached = overlapping[0][1]
    for low, high in overlapping:
        if low > reached:
            return False
        reached = max(reached, high)
    return reached >= end


def check_put(state: State, name: Caller, operation: Put) -> Error | None:
    """The key, then all keys of the lease that it is to have, then what `prev_kv` would report
    (etcd server/etcdserver/apply/apply_auth.go, checkPutAuth)."""
    return (
        check_range(state, name, operation.key, b"", WRITE)
        or check_lease(state, name, operation.lease, WRITE)
        or (check_range(state, name, operation.key, b"", READ) if operation.prev_kv else None)
    )


def check_delete_range(state: State, name: Caller, operation: DeleteRange) -> Error | None:
    """Telling what was deleted is reading it (same file, DeleteRange)."""
    key, range_end = operation.key, operation.range_end
    return check_range(state, name, key, range_end, WRITE) or (
        check_range(state, name, key, range_end, READ) if operation.prev_kv else None
    )


def check_lease(state: State, name: Caller, lease_id: int, permission_type: PermissionType) -> Error | None:
    """Each key of a lease (same file, checkLeasePuts)."""
    if not lease_id or lease_id not in state.leases:
        return None
    for kv in state.keys.values():
        if kv.lease == lease_id:
            error = check_range(state, name, kv.key, b"", permission_type)
            if error:
                return error
    return None


def check_txn(state: State, name: Caller, operation: Txn) -> Error | None:
    """Both branches, whichever would be taken (same file, checkTxnPermission). A txn with nothing in it is free."""
    for compare in operation.compare:
        error = check_range(state, name, compare.key, compare.range_end, READ)
        if error:
            return error
    quirks = state.server.quirks
    for request in (*operation.success, *operation.failure):
        match request:
            case Range():
                error = check_range(state, name, request.key, request.range_end, READ)
            case Put():
                if quirks.txn_puts_guarded:
                    error = check_put(state, name, request)
                else:
                    error = check_range(state, name, request.key, b"", WRITE)
            case DeleteRange():
                error = check_delete_range(state, name, request)
            case Txn():
                error = check_txn(state, name, request) if quirks.nested_txns_guarded else None
            case _:
                assert_never(request)
        if error:
            return error
    return None


def check_watch(state: State, token: str, key: bytes, range_end: bytes) -> str | None:
    """Why the creation of a watcher is refused, as its `cancel_reason` reports it
    (etcd server/etcdserver/api/v3rpc/watch.go, isWatchPermitted and recvLoop)."""
    if not state.auth.enabled and not token:
        return None
    quirks = state.server.quirks
    name = caller(state, token)
    if isinstance(name, Error):
        error: Error | None = name
    else:
        if range_end == b"\x00" and not quirks.watch_from_key_guarded:
            range_end = b""
        error = check_range(state, name, key or b"\x00", range_end, READ)
    if error is None:
        return None
    if not quirks.watch_refusal_has_reason:
        error = PERMISSION_DENIED
    return f"rpc error: code = {_CODE_NAMES[error.code]} desc = {error.message}"


_CODE_NAMES = {
    Code.INVALID_ARGUMENT: "InvalidArgument",
    Code.PERMISSION_DENIED: "PermissionDenied",
    Code.UNAUTHENTICATED: "Unauthenticated",
}
"""As Go's grpc spells them."""
