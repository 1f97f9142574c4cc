"""The Lock and Election services."""

from __future__ import annotations

from dataclasses import dataclass

from etcd_model.operations.shown import Shown


@dataclass(frozen=True, slots=True)
class Lock(Shown):
    """`Lock.Lock`. Where it would wait for another owner it is cancelled, and what it wrote is awaited to be gone."""

    name: bytes
    lease: int = 0


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
    """`Election.Campaign`. Where it would wait for another leader it is cancelled, as a `Lock` is."""

    name: bytes
    lease: int = 0
    value: bytes = b""


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
