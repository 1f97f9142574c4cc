"""What a request needs permission for, while auth is on (etcd: server/etcdserver/apply/apply_auth.go, v3_server.go).

Callers test `AuthStore.enabled` first, so that auth costs nothing while it is off.
"""

from collections.abc import Iterable, Sequence

from grpc import StatusCode

from fake_etcd.auth import AuthStore
from fake_etcd.auth_grants import READ, WRITE
from fake_etcd.auth_tokens import Caller
from fake_etcd.errors import EtcdError, InvalidAuthToken, PermissionDenied, UserEmpty, UserNotFound
from fake_etcd.lease import Lease, Lessor
from fake_etcd.quirks import Quirks
from fake_etcd.store import FROM_KEY
from fake_etcd.wire.messages import DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest

_INNER_TEXT = {
    UserEmpty().message: "auth: user name is empty",
    UserNotFound().message: "auth: user not found",
    PermissionDenied().message: "auth: permission denied",
    InvalidAuthToken().message: "auth: invalid auth token",
}
"""The texts of etcd's own errors before they are made gRPC's. etcd: api/v3rpc/util.go toGRPCErrorMap."""

_GO_NAMES = {
    StatusCode.INVALID_ARGUMENT: "InvalidArgument",
    StatusCode.PERMISSION_DENIED: "PermissionDenied",
    StatusCode.UNAUTHENTICATED: "Unauthenticated",
}


def check_read(auth: AuthStore, token: str, request: RangeRequest) -> None:
    """What a call that reads a range needs. etcd: server/etcdserver/v3_server.go Range."""
    caller = auth.caller_of(token)
    check_range(auth, caller, request)
    auth.require_current(caller)


def check_range(auth: AuthStore, caller: Caller, request: RangeRequest) -> None:
    """To read."""
    auth.require(caller, request.key, request.range_end, READ)


def check_put(auth: AuthStore, lessor: Lessor, quirks: Quirks, caller: Caller, request: PutRequest) -> None:
    """To write the key and all keys of its lease: the user could delete those by revoking it. etcd: checkPutAuth."""
    auth.require(caller, request.key, b"", WRITE)
    check_lease_puts(auth, quirks, lessor.get(request.lease), caller)
    if request.prev_kv:
        auth.require(caller, request.key, b"", READ)


def check_delete_range(auth: AuthStore, caller: Caller, request: DeleteRangeRequest) -> None:
    """To write; with prev_kv, to read as well."""
    auth.require(caller, request.key, request.range_end, WRITE)
    if request.prev_kv:
        auth.require(caller, request.key, request.range_end, READ)


def check_txn(auth: AuthStore, lessor: Lessor, quirks: Quirks, caller: Caller, request: TxnRequest) -> None:
    """What the compares and both branches need, whichever is taken: nothing at all, if they are empty.

    etcd: checkTxnAuth, checkTxnReqsPermission.
    """
    for compare in request.compare:
        auth.require(caller, compare.key, compare.range_end, READ)
    _check_ops(auth, lessor, quirks, caller, request.success)
    _check_ops(auth, lessor, quirks, caller, request.failure)


def _check_ops(auth: AuthStore, lessor: Lessor, quirks: Quirks, caller: Caller, ops: Sequence[RequestOp]) -> None:
    for op in ops:
        match op.WhichOneof("request"):
            case "request_range":
                check_range(auth, caller, op.request_range)
            case "request_put" if quirks.txn_puts_guarded:
                check_put(auth, lessor, quirks, caller, op.request_put)
            case "request_put":
                auth.require(caller, op.request_put.key, b"", WRITE)
            case "request_delete_range":
                check_delete_range(auth, caller, op.request_delete_range)
            case "request_txn" if quirks.nested_txns_guarded:
                check_txn(auth, lessor, quirks, caller, op.request_txn)


def check_lease_puts(auth: AuthStore, quirks: Quirks, lease: Lease | None, caller: Caller) -> None:
    """To write all keys of a lease. Nobody needs to ask if it has none, or isn't there. etcd: checkLeasePutsKeys."""
    if lease is not None and not (quirks.root_skips_lease_keys and auth.is_root(caller.name)):
        for key in lease.keys:
            auth.require(caller, key, b"", WRITE)


def check_lease_keys(auth: AuthStore, quirks: Quirks, leases: Iterable[Lease], caller: Caller) -> None:
    """To read all keys of some leases; root may, and needs no token of now. etcd: checkLeaseTimeToLive,
    checkLeaseLeases. (3.5.16 asked of root too, 3.5.30 doesn't.)"""
    if quirks.lease_calls_need_a_user and auth.is_root(caller.name):
        return
    for lease in leases:
        for key in lease.keys:
            auth.require(caller, key, b"", READ)


def check_watch(auth: AuthStore, quirks: Quirks, token: str, key: bytes, range_end: bytes) -> None:
    """To read what is watched. etcd: server/etcdserver/api/v3rpc/watch.go isWatchPermitted, recvLoop."""
    caller = auth.caller_of(token)
    if range_end == FROM_KEY and not quirks.watch_from_key_guarded:
        range_end = b""
    auth.require(caller, key, range_end, READ)


def check_maintenance(auth: AuthStore, quirks: Quirks, token: str) -> None:
    """To be root, for what reads or moves the whole database. etcd: server/etcdserver/api/v3rpc/maintenance.go."""
    try:
        auth.require_root(auth.caller_of(token))
    except EtcdError as error:
        if quirks.maintenance_errors_mapped:
            raise
        raise inner(error) from None


def inner(error: EtcdError) -> EtcdError:
    """An auth error where etcd forgot to give it a status code."""
    text = _INNER_TEXT.get(error.message)
    return error if text is None else EtcdError(StatusCode.UNKNOWN, text)


def as_reason(error: EtcdError) -> str:
    """An auth error as a watch's cancel_reason reports it."""
    return f"rpc error: code = {_GO_NAMES[error.code]} desc = {error.message}"
