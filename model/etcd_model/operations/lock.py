"""The Lock and Election services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcd_model.operations.shown import Shown

if TYPE_CHECKING:
    from etcd_model.operations import Operation


@dataclass(frozen=True, slots=True)
class Lock(Shown):
    """`Lock.Lock`. Where it waits for another owner, `meanwhile` is asked. If it waits still, it is cancelled, and what
    it wrote is awaited to be gone."""

    name: bytes
    lease: int = 0
    meanwhile: Operation | None = None
    """What another client asks once the call waits, one of `MEANWHILE`; its answer is not reported. Where the call
    doesn't wait it is not asked."""


@dataclass(frozen=True, slots=True)
class Unlock(Shown):
    """`Lock.Unlock`."""

    key: bytes


@dataclass(frozen=True, slots=True)
class LeaderKey(Shown):
    """`LeaderKey`: what a leader proves its leadership with."""

    name: bytes = b""
    key: bytes = b""
    rev: int = 0
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Campaign(Shown):
    """`Election.Campaign`. Where it waits for another leader, it is as with a `Lock`."""

    name: bytes
    lease: int = 0
    value: bytes = b""
    meanwhile: Operation | None = None


@dataclass(frozen=True, slots=True)
class Proclaim(Shown):
    """`Election.Proclaim`."""

    leader: LeaderKey | None = None
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Leader(Shown):
    """`Election.Leader`."""

    name: bytes


@dataclass(frozen=True, slots=True)
class Observe(Shown):
    """`Election.Observe`: the first message of the stream, which is closed then. Nothing where none comes at once."""

    name: bytes


@dataclass(frozen=True, slots=True)
class Resign(Shown):
    """`Election.Resign`."""

    leader: LeaderKey | None = None
