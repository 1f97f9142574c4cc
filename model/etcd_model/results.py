"""etcd's answers as data. `revision` is that of the answer's header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from etcd_model.errors import Error


@dataclass(frozen=True, slots=True)
class KeyValue:
    """`mvccpb.KeyValue`."""

    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int = 0


@dataclass(frozen=True, slots=True)
class RangeResult:
    """`RangeResponse`."""

    revision: int
    kvs: tuple[KeyValue, ...] = ()
    more: bool = False
    count: int = 0


@dataclass(frozen=True, slots=True)
class PutResult:
    """`PutResponse`."""

    revision: int
    prev_kv: KeyValue | None = None


@dataclass(frozen=True, slots=True)
class DeleteRangeResult:
    """`DeleteRangeResponse`."""

    revision: int
    deleted: int = 0
    prev_kvs: tuple[KeyValue, ...] = ()


@dataclass(frozen=True, slots=True)
class TxnResult:
    """`TxnResponse`; `responses` mirrors the branch that was taken."""

    revision: int
    succeeded: bool
    responses: tuple[ResponseOp, ...] = ()


@dataclass(frozen=True, slots=True)
class CompactResult:
    """`CompactionResponse`."""

    revision: int


@dataclass(frozen=True, slots=True)
class LeaseGrantResult:
    """`LeaseGrantResponse`; `ttl` is what the server granted, in seconds."""

    revision: int
    id: int
    ttl: int


@dataclass(frozen=True, slots=True)
class LeaseRevokeResult:
    """`LeaseRevokeResponse`."""

    revision: int


@dataclass(frozen=True, slots=True)
class LeaseKeepAliveResult:
    """`LeaseKeepAliveResponse`; `ttl` is 0 where there is no such lease."""

    revision: int
    id: int
    ttl: int


@dataclass(frozen=True, slots=True)
class LeaseTimeToLiveResult:
    """`LeaseTimeToLiveResponse`; `ttl` is -1 where there is no such lease."""

    revision: int
    id: int
    ttl: int
    granted_ttl: int = 0
    keys: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class LeaseLeasesResult:
    """`LeaseLeasesResponse`, soonest expiry first."""

    revision: int
    leases: tuple[int, ...] = ()


ResponseOp: TypeAlias = "RangeResult | PutResult | DeleteRangeResult | TxnResult"

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
)

Result: TypeAlias = Answer | Error
"""What any target says to an operation."""
