"""etcd's answers as data, a module a service. `revision` is that of the answer's header."""

from __future__ import annotations

from typing import TypeAlias

from etcd_model.errors import Error
from etcd_model.results.auth import (
    AuthenticateResult,
    AuthResult,
    AuthStatusResult,
    RoleGetResult,
    RoleListResult,
    UserGetResult,
    UserListResult,
)
from etcd_model.results.kv import (
    CompactResult,
    DeleteRangeResult,
    KeyValue,
    PutResult,
    RangeResult,
    ResponseOp,
    TxnResult,
)
from etcd_model.results.lease import (
    AdvanceResult,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
)
from etcd_model.results.lock import (
    CampaignResult,
    ElectionResult,
    LeaderResult,
    LockResult,
    UnlockResult,
    Waiting,
)
from etcd_model.results.maintenance import (
    AlarmMember,
    AlarmResult,
    DowngradeResult,
    HashKVResult,
    MaintenanceResult,
    Member,
    MemberAddResult,
    MemberListResult,
    SnapshotResult,
    StatusResult,
)
from etcd_model.results.watch import Event, StreamResult, WatchCreateResult, Watched, WatchReadResult

Answer: TypeAlias = (
    RangeResult
    | PutResult
    | DeleteRangeResult
    | TxnResult
    | CompactResult
    | LeaseGrantResult
    | LeaseRevokeResult
    | LeaseKeepAliveResult
    | LeaseTimeToLiveResult
    | LeaseLeasesResult
    | AdvanceResult
    | WatchCreateResult
    | StreamResult
    | WatchReadResult
    | AuthResult
    | AuthStatusResult
    | AuthenticateResult
    | UserGetResult
    | UserListResult
    | RoleGetResult
    | RoleListResult
    | StatusResult
    | AlarmResult
    | MaintenanceResult
    | HashKVResult
    | SnapshotResult
    | DowngradeResult
    | MemberListResult
    | MemberAddResult
    | LockResult
    | UnlockResult
    | CampaignResult
    | LeaderResult
    | ElectionResult
    | Waiting
)

Result: TypeAlias = Answer | Error
"""What any target says to an operation."""

__all__ = [
    "AdvanceResult",
    "AlarmMember",
    "AlarmResult",
    "Answer",
    "AuthResult",
    "AuthStatusResult",
    "AuthenticateResult",
    "CampaignResult",
    "CompactResult",
    "DeleteRangeResult",
    "DowngradeResult",
    "ElectionResult",
    "Event",
    "HashKVResult",
    "KeyValue",
    "LeaderResult",
    "LeaseGrantResult",
    "LeaseKeepAliveResult",
    "LeaseLeasesResult",
    "LeaseRevokeResult",
    "LeaseTimeToLiveResult",
    "LockResult",
    "MaintenanceResult",
    "Member",
    "MemberAddResult",
    "MemberListResult",
    "PutResult",
    "RangeResult",
    "ResponseOp",
    "Result",
    "RoleGetResult",
    "RoleListResult",
    "SnapshotResult",
    "StatusResult",
    "StreamResult",
    "TxnResult",
    "UnlockResult",
    "UserGetResult",
    "UserListResult",
    "Waiting",
    "WatchCreateResult",
    "WatchReadResult",
    "Watched",
]
