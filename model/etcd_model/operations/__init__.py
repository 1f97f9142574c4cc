"""etcd's requests as data, a module a service. Field names, defaults and enum numbers are those of etcd's `rpc.proto`.

Keys, values and range ends are bytes; revisions, leases, limits and versions are int64; a TTL
is in seconds. Enum fields accept any int, as the wire does: servers differ in what they make of
an unknown one.
"""

from __future__ import annotations

from typing import TypeAlias, get_args

from etcd_model.operations.auth import (
    As,
    AuthDisable,
    AuthEnable,
    Authenticate,
    AuthStatus,
    Claims,
    Permission,
    PermissionType,
    RoleAdd,
    RoleDelete,
    RoleGet,
    RoleGrantPermission,
    RoleList,
    RoleRevokePermission,
    UserAdd,
    UserChangePassword,
    UserDelete,
    UserGet,
    UserGrantRole,
    UserList,
    UserRevokeRole,
)
from etcd_model.operations.kv import (
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    Put,
    Range,
    RangeStream,
    RequestOp,
    SortOrder,
    SortTarget,
    Txn,
)
from etcd_model.operations.lease import (
    Advance,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
)
from etcd_model.operations.lock import Campaign, Leader, LeaderKey, Lock, Observe, Proclaim, Resign, Unlock
from etcd_model.operations.maintenance import (
    MEMBER_ID,
    Alarm,
    AlarmAction,
    AlarmType,
    Defragment,
    Downgrade,
    DowngradeAction,
    Hash,
    HashKV,
    MemberAdd,
    MemberList,
    MemberPromote,
    MemberRemove,
    MemberUpdate,
    MoveLeader,
    Snapshot,
    Status,
)
from etcd_model.operations.watch import (
    SENTINEL_KEY,
    FilterType,
    WatchCancel,
    WatchClose,
    WatchCreate,
    WatchProgress,
    WatchRead,
)

KvOperation: TypeAlias = Range | RangeStream | Put | DeleteRange | Txn | Compact
LeaseOperation: TypeAlias = LeaseGrant | LeaseRevoke | LeaseKeepAlive | LeaseTimeToLive | LeaseLeases | Advance
WatchOperation: TypeAlias = WatchCreate | WatchCancel | WatchProgress | WatchRead | WatchClose
AuthOperation: TypeAlias = (
    AuthEnable
    | AuthDisable
    | AuthStatus
    | Authenticate
    | UserAdd
    | UserGet
    | UserList
    | UserDelete
    | UserChangePassword
    | UserGrantRole
    | UserRevokeRole
    | RoleAdd
    | RoleGet
    | RoleList
    | RoleDelete
    | RoleGrantPermission
    | RoleRevokePermission
)
ClusterOperation: TypeAlias = MemberList | MemberAdd | MemberRemove | MemberUpdate | MemberPromote
MaintenanceOperation: TypeAlias = (
    Status | Alarm | Defragment | Hash | HashKV | Snapshot | MoveLeader | Downgrade | ClusterOperation
)
LockOperation: TypeAlias = Lock | Unlock | Campaign | Proclaim | Leader | Observe | Resign

MEANWHILE = (Put, DeleteRange, Txn, LeaseRevoke, Unlock, Resign)
"""What may be asked while a `Lock` or a `Campaign` waits."""

Operation: TypeAlias = (
    KvOperation | LeaseOperation | WatchOperation | AuthOperation | MaintenanceOperation | LockOperation | As
)
"""Every request that the model answers."""

OPERATIONS: tuple[type[Operation], ...] = get_args(Operation)
"""The same, to look up."""

__all__ = [
    "MEANWHILE",
    "MEMBER_ID",
    "OPERATIONS",
    "SENTINEL_KEY",
    "Advance",
    "Alarm",
    "AlarmAction",
    "AlarmType",
    "As",
    "AuthDisable",
    "AuthEnable",
    "AuthOperation",
    "AuthStatus",
    "Authenticate",
    "Campaign",
    "Claims",
    "ClusterOperation",
    "Compact",
    "Compare",
    "CompareResult",
    "CompareTarget",
    "Defragment",
    "DeleteRange",
    "Downgrade",
    "DowngradeAction",
    "FilterType",
    "Hash",
    "HashKV",
    "KvOperation",
    "Leader",
    "LeaderKey",
    "LeaseGrant",
    "LeaseKeepAlive",
    "LeaseLeases",
    "LeaseOperation",
    "LeaseRevoke",
    "LeaseTimeToLive",
    "Lock",
    "LockOperation",
    "MaintenanceOperation",
    "MemberAdd",
    "MemberList",
    "MemberPromote",
    "MemberRemove",
    "MemberUpdate",
    "MoveLeader",
    "Observe",
    "Operation",
    "Permission",
    "PermissionType",
    "Proclaim",
    "Put",
    "Range",
    "RangeStream",
    "RequestOp",
    "Resign",
    "RoleAdd",
    "RoleDelete",
    "RoleGet",
    "RoleGrantPermission",
    "RoleList",
    "RoleRevokePermission",
    "Snapshot",
    "SortOrder",
    "SortTarget",
    "Status",
    "Txn",
    "Unlock",
    "UserAdd",
    "UserChangePassword",
    "UserDelete",
    "UserGet",
    "UserGrantRole",
    "UserList",
    "UserRevokeRole",
    "WatchCancel",
    "WatchClose",
    "WatchCreate",
    "WatchOperation",
    "WatchProgress",
    "WatchRead",
]
