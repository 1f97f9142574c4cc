"""What stands between a well-formed request and the store, in etcd's order: calls that need a certain user at all,
the token, the size of the raft entry, alarms, and permissions.

Up to the raft entry it is the API that refuses; alarms and permissions are looked at where the entry is applied
(etcd server/etcdserver/v3_server.go, processInternalRaftRequestOnce; apply/uber_applier.go). Nothing here costs much
while auth is off, no alarm is active and requests are small: see `State.guarded`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from etcd_model.auth.permission import (
    READ,
    WRITE,
    Asker,
    caller,
    check_admin,
    check_current,
    check_delete_range,
    check_lease,
    check_put,
    check_range,
    check_txn,
    check_user,
)
from etcd_model.errors import CORRUPT, NO_SPACE, TOO_LARGE, Error
from etcd_model.operations import (
    AlarmType,
    Compact,
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Put,
    Range,
    RangeStream,
    Txn,
)
from etcd_model.quota import costs
from etcd_model.sizes import exceeds_raft_entry
from etcd_model.state import State

Check = Callable[[State, Asker, Any], Error | None]


def admit(state: State, operation: Range | Put | DeleteRange | Txn) -> Error | None:
    """Why a well-formed request of the KV service is refused, if it is. A txn that only reads is a read."""
    writes = not isinstance(operation, Range) and not (isinstance(operation, Txn) and reads_only(operation))
    if not state.guarded:
        return TOO_LARGE if writes and exceeds_raft_entry(operation) else None
    asker = caller(state, state.sender)
    if isinstance(asker, Error):
        return asker
    if not writes:
        return _PERMISSIONS[type(operation)](state, asker, operation) or check_current(state, asker)
    if exceeds_raft_entry(operation):
        return TOO_LARGE
    return _refused_by_alarm(state, operation) or _apply_permission(state, asker, operation)


def reads_only(operation: Txn) -> bool:
    """Whether a txn goes without a raft entry: not where it holds a nested one, whatever that does
    (etcd server/etcdserver/txn/txn.go, IsTxnReadonly)."""
    return all(isinstance(request, Range) for request in (*operation.success, *operation.failure))


def _refused_by_alarm(state: State, operation: Any) -> Error | None:
    """etcd server/etcdserver/apply/corrupt.go and capped.go: the one is asked before the other."""
    if not state.refusing:
        return None
    if AlarmType.CORRUPT in state.refusing and isinstance(operation, _REFUSED_WHEN_CORRUPT):
        return CORRUPT
    if AlarmType.NOSPACE in state.refusing:
        quirks = state.server.quirks
        if isinstance(operation, Put | LeaseGrant) or (isinstance(operation, Txn) and costs(operation, quirks)):
            return NO_SPACE
    return None


_REFUSED_WHEN_CORRUPT = (Put, DeleteRange, Txn, Compact, LeaseGrant, LeaseRevoke)


def _apply_permission(state: State, asker: Asker, operation: Any) -> Error | None:
    """Permissions are not looked at while an alarm refuses something (`Quirks.alarms_in_layers`)."""
    if state.refusing and not state.server.quirks.alarms_in_layers:
        return None
    check = _PERMISSIONS.get(type(operation))
    return check(state, asker, operation) if check and state.auth.enabled else None


_PERMISSIONS: dict[type, Check] = {
    **dict.fromkeys(
        (Range, RangeStream),
        lambda state, asker, operation: check_range(state, asker, operation.key, operation.range_end, READ),
    ),
    Put: check_put,
    DeleteRange: check_delete_range,
    Txn: check_txn,
    LeaseRevoke: lambda state, asker, operation: check_lease(state, asker, operation.id, WRITE),
}


def admit_call(
    state: State, operation: Compact | LeaseGrant | LeaseRevoke | LeaseKeepAlive | LeaseTimeToLive | LeaseLeases
) -> Error | None:
    """Why a compaction or a lease call is refused before anything else about it is looked at, if it is."""
    asker = caller(state, state.sender)
    match operation:
        case LeaseKeepAlive() | LeaseTimeToLive() | LeaseLeases():
            # No raft entry: while auth is off, nobody asks for the token.
            return _admit_lease_read(state, asker, operation) if state.auth.enabled else None
        case _:
            if isinstance(asker, Error):
                return asker
            if state.server.quirks.leases_and_compaction_guarded:
                needed = check_admin if isinstance(operation, Compact) else check_user
                error = needed(state, asker)
                if error:
                    return error
            return _refused_by_alarm(state, operation) or _apply_permission(state, asker, operation)


def _admit_lease_read(
    state: State, asker: Asker | Error, operation: LeaseKeepAlive | LeaseTimeToLive | LeaseLeases
) -> Error | None:
    """etcd server/etcdserver/v3_server.go, checkLeaseRenew, checkLeaseTimeToLive and checkLeaseLeases."""
    quirks = state.server.quirks
    asks_for_keys = isinstance(operation, LeaseTimeToLive) and operation.keys
    if not quirks.leases_and_compaction_guarded and not (quirks.lease_keys_guarded and asks_for_keys):
        return None
    if isinstance(asker, Error):
        return asker
    error = check_user(state, asker)
    if error:
        return error
    if quirks.leases_and_compaction_guarded and check_admin(state, asker) is None:
        return None  # at whatever revision of the auth store; measured on 3.5.30, and on 3.5.16 that it was not so
    match operation:
        case LeaseKeepAlive():
            return check_lease(state, asker, operation.id, WRITE)
        case LeaseTimeToLive():
            return check_lease(state, asker, operation.id, READ) if operation.keys else None
        case LeaseLeases():
            for lease_id in state.leases:
                error = check_lease(state, asker, lease_id, READ)
                if error:
                    return error
    return None
