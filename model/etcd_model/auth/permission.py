"""Who sends a request, and whether they may.

Each check takes who asks: a caller, or None for a request that names nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcd_model.auth.sender import Sender
from etcd_model.auth.store import ROOT, User
from etcd_model.errors import (
    AUTH_OLD_REVISION,
    AUTH_OLD_REVISION_UNMAPPED,
    INVALID_AUTH_TOKEN,
    PERMISSION_DENIED,
    USER_EMPTY,
    USER_NOT_FOUND,
    Code,
    Error,
)
from etcd_model.exhaustive import assert_never
from etcd_model.operations import DeleteRange, Permission, PermissionType, Put, Range, Txn

if TYPE_CHECKING:
    from etcd_model.state import State

READ, WRITE = PermissionType.READ, PermissionType.WRITE


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, of whom the store may know nothing (etcd server/auth/store.go, AuthInfo)."""

    name: str
    revision: int
    """Of the auth store, at which the name was vouched for."""


Asker = Caller | None


def caller(state: State, sender: Sender) -> Asker | Error:
    """Whom a request names: its token, and only without one the certificate
    (etcd server/etcdserver/v3_server.go, AuthInfoFromCtx; server/auth/store.go, AuthInfoFromTLS)."""
    ignored = not state.auth.enabled and state.server.quirks.auth_off_ignores_tokens
    if sender.has_token and not ignored:
        return _named_by_token(state, sender) or INVALID_AUTH_TOKEN
    return Caller(sender.certificate, state.auth.revision) if state.server.client_cert_auth else None


def _named_by_token(state: State, sender: Sender) -> Caller | None:
    """Whom a token stands for, if it counts (etcd server/auth/simple_token.go, info)."""
    if state.server.signed_tokens:
        return _signed_for(state, sender)
    held = state.auth.tokens.get(bare(state, sender.token)) if state.auth.enabled else None
    return None if held is None or state.now > held.expiry else Caller(held.user, state.auth.revision)


def _signed_for(state: State, sender: Sender) -> Caller | None:
    """What a JSON Web Token says, if it counts: nobody asks here whether there is such a user, or whether auth is on
    (etcd server/auth/jwt.go, info)."""
    if claims := sender.claims:
        return None if claims.forged or claims.expired else Caller(claims.username, claims.revision)
    made = state.auth.signed.get(bare(state, sender.token))
    return Caller(made.user, made.revision) if made and state.now < made.expiry else None


def bare(state: State, token: str) -> str:
    """A token without what may precede it."""
    return token.removeprefix("Bearer ") if state.server.quirks.bearer_tokens else token


def check_admin(state: State, asker: Asker) -> Error | None:
    """Root's calls, at whatever revision of the auth store (etcd server/auth/store.go, IsAdminPermitted)."""
    if not state.auth.enabled:
        return None
    if asker is None or not asker.name:
        return USER_EMPTY
    user = state.auth.users.get(asker.name)
    if user is None:
        return USER_NOT_FOUND
    return None if is_root(user) else PERMISSION_DENIED


def check_user(state: State, asker: Asker) -> Error | None:
    """Calls for which any user will do, and nobody asks whether there is such a user
    (etcd server/etcdserver/v3_server.go, requireAuthInfo)."""
    return USER_EMPTY if state.auth.enabled and asker is None else None


def check_current(state: State, asker: Asker) -> Error | None:
    """What is only read is refused to a caller of another revision of the auth store, be it a later one
    (etcd server/etcdserver/v3_server.go, doSerialize)."""
    if asker is None or asker.revision in (0, state.auth.revision):
        return None
    return _old_revision(state)


def _old_revision(state: State) -> Error:
    return AUTH_OLD_REVISION if state.server.quirks.old_auth_revision_mapped else AUTH_OLD_REVISION_UNMAPPED


def is_root(user: User) -> bool:
    """Whether the user may do everything. The role `root` need not exist for that (auth/store.go, hasRootRole)."""
    return ROOT in user.roles


def check_range(
    state: State, asker: Asker, key: bytes, range_end: bytes, permission_type: PermissionType
) -> Error | None:
    """Whether the grants of a user cover a range (etcd server/auth/store.go, isOpPermitted)."""
    if not state.auth.enabled:
        return None
    if asker is None or asker.revision == 0:
        return USER_EMPTY
    if asker.revision < state.auth.revision:
        return _old_revision(state)
    user = state.auth.users.get(asker.name)
    if user is None:
        return PERMISSION_DENIED
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


def check_put(state: State, asker: Asker, operation: Put) -> Error | None:
    """The key, then all keys of the lease that it is to have, then what `prev_kv` would report
    (etcd server/etcdserver/apply/apply_auth.go, checkPutAuth)."""
    return (
        check_range(state, asker, operation.key, b"", WRITE)
        or check_lease(state, asker, operation.lease, WRITE)
        or (check_range(state, asker, operation.key, b"", READ) if operation.prev_kv else None)
    )


def check_delete_range(state: State, asker: Asker, operation: DeleteRange) -> Error | None:
    """Telling what was deleted is reading it (same file, DeleteRange)."""
    key, range_end = operation.key, operation.range_end
    return check_range(state, asker, key, range_end, WRITE) or (
        check_range(state, asker, key, range_end, READ) if operation.prev_kv else None
    )


def check_lease(state: State, asker: Asker, lease_id: int, permission_type: PermissionType) -> Error | None:
    """Each key of a lease (same file, checkLeasePuts and checkLeasePutsKeys)."""
    if not lease_id or lease_id not in state.leases:
        return None
    if permission_type == WRITE and state.server.quirks.root_skips_lease_keys and check_admin(state, asker) is None:
        return None
    for kv in state.keys.values():
        if kv.lease == lease_id:
            error = check_range(state, asker, kv.key, b"", permission_type)
            if error:
                return error
    return None


def check_txn(state: State, asker: Asker, operation: Txn) -> Error | None:
    """Both branches, whichever would be taken (same file, checkTxnPermission). A txn with nothing in it is free."""
    for compare in operation.compare:
        error = check_range(state, asker, compare.key, compare.range_end, READ)
        if error:
            return error
    quirks = state.server.quirks
    for request in (*operation.success, *operation.failure):
        match request:
            case Range():
                error = check_range(state, asker, request.key, request.range_end, READ)
            case Put():
                if quirks.txn_puts_guarded:
                    error = check_put(state, asker, request)
                else:
                    error = check_range(state, asker, request.key, b"", WRITE)
            case DeleteRange():
                error = check_delete_range(state, asker, request)
            case Txn():
                error = check_txn(state, asker, request) if quirks.nested_txns_guarded else None
            case _:
                assert_never(request)
        if error:
            return error
    return None


def check_watch(state: State, sender: Sender, key: bytes, range_end: bytes) -> str | None:
    """Why the creation of a watcher is refused, as its `cancel_reason` reports it
    (etcd server/etcdserver/api/v3rpc/watch.go, isWatchPermitted and recvLoop)."""
    if not state.auth.enabled and not sender.has_token:
        return None
    quirks = state.server.quirks
    asker = caller(state, sender)
    if isinstance(asker, Error):
        error: Error | None = asker
    else:
        if range_end == b"\x00" and not quirks.watch_from_key_guarded:
            range_end = b""
        error = check_range(state, asker, key or b"\x00", range_end, READ)
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
