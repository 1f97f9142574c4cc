"""The Lock and Election services."""

from __future__ import annotations

from dataclasses import dataclass

from etcd_model.operations.lock import LeaderKey
from etcd_model.results.kv import KeyValue


@dataclass(frozen=True, slots=True)
class LockResult:
    """`LockResponse`."""

    revision: int
    key: bytes


@dataclass(frozen=True, slots=True)
class UnlockResult:
    """`UnlockResponse`."""

    revision: int


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """`CampaignResponse`."""

    revision: int
    leader: LeaderKey


@dataclass(frozen=True, slots=True)
class LeaderResult:
    """`LeaderResponse`: the answer of `Leader`, and the first of `Observe`; without a kv, none came."""

    revision: int
    kv: KeyValue | None = None


@dataclass(frozen=True, slots=True)
class ElectionResult:
    """`ProclaimResponse` or `ResignResponse`."""

    revision: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """The call would wait for another owner or leader: it was cancelled, and its key is gone again."""

    revision: int = 0
