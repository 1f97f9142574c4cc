"""The table of operations: one row each, in the order that a shrunk trace puts them in.

A new operation has a row here, a function that draws it in the module of its family, and one in `simplify`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from etcd_lockstep.names import operation_name
from etcd_lockstep.strategies import auth, kv, lease, lock, maintenance, simplify, time, txn, watch
from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.trace import bare
from etcd_model import operations as op

Draw = Callable[[ChoiceDecoder, GeneratorState], op.Operation]
SomeOperation = TypeVar("SomeOperation", bound=op.Operation)


@dataclass(frozen=True, slots=True)
class Row(Generic[SomeOperation]):
    """What the generators and the shrinker need to know about an operation."""

    operation: type[SomeOperation]
    family: str
    """What the operation is drawn with; a name that `--families` takes."""
    draw: Draw
    simpler: Callable[[SomeOperation], Iterator[op.Operation]] = simplify.nothing
    """Operations a little simpler than this one, the boldest first."""
    reads_only: bool = False
    """Whether it leaves a store as it was, whatever the answer is."""


FAMILY_NAMES = ("kv", "range_stream", "txn", "lease", "time", "watch", "compact", "auth", "maintenance", "lock")

# Without a type of its own, so that mypy compares each row's function with the row's operation.
_ROWS = (
    # What makes something comes first,
    Row(op.MemberAdd, "maintenance", maintenance.member_add, simplify.member_add),
    Row(op.UserAdd, "auth", auth.user_add, simplify.user_add),
    Row(op.RoleAdd, "auth", auth.role_add),
    Row(op.RoleGrantPermission, "auth", auth.role_grant_permission, simplify.role_grant_permission),
    Row(op.UserGrantRole, "auth", auth.user_grant_role),
    Row(op.AuthEnable, "auth", auth.auth_enable),
    Row(op.Authenticate, "auth", auth.authenticate),
    Row(op.LeaseGrant, "lease", lease.lease_grant, simplify.lease_grant),
    Row(op.WatchCreate, "watch", watch.watch_create, simplify.watch_create),
    # then what uses it,
    Row(op.Put, "kv", kv.put, simplify.put),
    Row(op.Txn, "txn", txn.txn, simplify.txn),
    Row(op.Lock, "lock", lock.lock, simplify.lock),
    Row(op.Campaign, "lock", lock.campaign, simplify.campaign),
    Row(op.Proclaim, "lock", lock.proclaim, simplify.proclaim),
    # what takes it away,
    Row(op.DeleteRange, "kv", kv.delete_range, simplify.delete_range),
    Row(op.LeaseKeepAlive, "lease", lease.lease_keep_alive),
    Row(op.Unlock, "lock", lock.unlock),
    Row(op.Resign, "lock", lock.resign, simplify.resign),
    Row(op.LeaseRevoke, "lease", lease.lease_revoke),
    Row(op.Compact, "compact", kv.compact, simplify.compact),
    Row(op.Alarm, "maintenance", maintenance.alarm, simplify.alarm),
    Row(op.Defragment, "maintenance", maintenance.defragment),
    Row(op.MoveLeader, "maintenance", maintenance.move_leader),
    Row(op.Downgrade, "maintenance", maintenance.downgrade),
    Row(op.MemberUpdate, "maintenance", maintenance.member_update, simplify.member_update),
    Row(op.MemberPromote, "maintenance", maintenance.member_promote),
    Row(op.MemberRemove, "maintenance", maintenance.member_remove),
    Row(op.UserChangePassword, "auth", auth.user_change_password, simplify.user_change_password),
    Row(op.RoleRevokePermission, "auth", auth.role_revoke_permission, simplify.role_revoke_permission),
    Row(op.UserRevokeRole, "auth", auth.user_revoke_role),
    Row(op.RoleDelete, "auth", auth.role_delete),
    Row(op.UserDelete, "auth", auth.user_delete),
    Row(op.AuthDisable, "auth", auth.auth_disable),
    Row(op.Advance, "time", time.advance, simplify.advance),
    Row(op.WatchProgress, "watch", watch.watch_progress, simplify.of_a_stream),
    Row(op.WatchCancel, "watch", watch.watch_cancel, simplify.watch_cancel),
    Row(op.WatchClose, "watch", watch.watch_close, simplify.of_a_stream),
    # and what only reads.
    Row(op.LeaseTimeToLive, "lease", lease.lease_time_to_live, simplify.lease_time_to_live, reads_only=True),
    Row(op.LeaseLeases, "lease", lease.lease_leases, reads_only=True),
    Row(op.Leader, "lock", lock.leader, reads_only=True),
    Row(op.Observe, "lock", lock.observe, reads_only=True),
    Row(op.AuthStatus, "auth", auth.auth_status, reads_only=True),
    Row(op.UserGet, "auth", auth.user_get, reads_only=True),
    Row(op.UserList, "auth", auth.user_list, reads_only=True),
    Row(op.RoleGet, "auth", auth.role_get, reads_only=True),
    Row(op.RoleList, "auth", auth.role_list, reads_only=True),
    Row(op.MemberList, "maintenance", maintenance.member_list, simplify.member_list, reads_only=True),
    Row(op.Status, "maintenance", maintenance.status, reads_only=True),
    Row(op.Hash, "maintenance", maintenance.hash_, reads_only=True),
    Row(op.HashKV, "maintenance", maintenance.hash_kv, simplify.hash_kv, reads_only=True),
    Row(op.Snapshot, "maintenance", maintenance.snapshot, reads_only=True),
    Row(op.WatchRead, "watch", watch.watch_read, simplify.of_a_stream),  # what it takes off the stream is gone
    Row(op.RangeStream, "range_stream", kv.range_stream, simplify.range_, reads_only=True),
    Row(op.Range, "kv", kv.range_, simplify.range_, reads_only=True),
)
TABLE: tuple[Row[Any], ...] = _ROWS
"""Every operation but `As`, which is another operation with a token."""

_BY_TYPE: dict[type, Row[Any]] = {row.operation: row for row in TABLE}
_PLACES: dict[type, int] = {row.operation: place for place, row in enumerate(TABLE)}

DRAWS: dict[str, Draw] = {operation_name(row.operation): row.draw for row in TABLE}
FAMILIES: dict[str, tuple[str, ...]] = {
    family: tuple(operation_name(row.operation) for row in TABLE if row.family == family) for family in FAMILY_NAMES
}
"""The names of the operations of each family."""


def place(operation: op.Operation) -> int:
    """Where it stands in the table."""
    return _PLACES[type(bare(operation))]


def reads_only(operation: op.Operation) -> bool:
    """Whether it leaves a store as it was, whatever the answer is."""
    return _BY_TYPE[type(bare(operation))].reads_only


def simpler(operation: op.Operation) -> Iterator[op.Operation]:
    """Operations a little simpler than this one, the boldest first."""
    if isinstance(operation, op.As):
        yield operation.operation
        yield from simplify.without_options(operation, "authorization", "scheme")
        for one in simpler(operation.operation):
            assert not isinstance(one, op.As)
            yield replace(operation, operation=one)
        yield from simplify.sender(operation)
    else:
        yield from _BY_TYPE[type(operation)].simpler(operation)
