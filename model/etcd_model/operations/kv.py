"""The KV service."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from etcd_model.operations.shown import Shown


class SortOrder(IntEnum):
    """`RangeRequest.SortOrder`."""

    NONE = 0
    ASCEND = 1
    DESCEND = 2


class SortTarget(IntEnum):
    """`RangeRequest.SortTarget`."""

    KEY = 0
    VERSION = 1
    CREATE = 2
    MOD = 3
    VALUE = 4


class CompareResult(IntEnum):
    """`Compare.CompareResult`."""

    EQUAL = 0
    GREATER = 1
    LESS = 2
    NOT_EQUAL = 3


class CompareTarget(IntEnum):
    """`Compare.CompareTarget`."""

    VERSION = 0
    CREATE = 1
    MOD = 2
    VALUE = 3
    LEASE = 4


@dataclass(frozen=True, slots=True)
class Range(Shown):
    """`KV.Range`. `range_end`: empty is the one key, a single zero byte is every key from `key` on."""

    key: bytes
    range_end: bytes = b""
    limit: int = 0
    revision: int = 0
    sort_order: int = SortOrder.NONE
    sort_target: int = SortTarget.KEY
    serializable: bool = False
    keys_only: bool = False
    count_only: bool = False
    min_mod_revision: int = 0
    max_mod_revision: int = 0
    min_create_revision: int = 0
    max_create_revision: int = 0


@dataclass(frozen=True, slots=True)
class RangeStream(Range):
    """`KV.RangeStream`, read to its end: the same request as a `Range`, answered in chunks. Since 3.7."""


@dataclass(frozen=True, slots=True)
class Put(Shown):
    """`KV.Put`."""

    key: bytes
    value: bytes = b""
    lease: int = 0
    prev_kv: bool = False
    ignore_value: bool = False
    ignore_lease: bool = False


@dataclass(frozen=True, slots=True)
class DeleteRange(Shown):
    """`KV.DeleteRange`."""

    key: bytes
    range_end: bytes = b""
    prev_kv: bool = False


@dataclass(frozen=True, slots=True)
class Compare(Shown):
    """One predicate of a `Txn`. The operand is bytes where the target is VALUE, an int elsewhere."""

    key: bytes
    target: int
    result: int
    operand: int | bytes
    range_end: bytes = b""


@dataclass(frozen=True, slots=True)
class Txn(Shown):
    """`KV.Txn`: if every compare holds, `success` is executed, otherwise `failure`."""

    compare: tuple[Compare, ...] = ()
    success: tuple[RequestOp, ...] = ()
    failure: tuple[RequestOp, ...] = ()


@dataclass(frozen=True, slots=True)
class Compact(Shown):
    """`KV.Compact`: forget the history below `revision`."""

    revision: int
    physical: bool = False


RequestOp: TypeAlias = Range | Put | DeleteRange | Txn
"""What a branch of a `Txn` may hold; a Txn among them is a nested one."""
