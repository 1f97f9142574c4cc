"""The Lock and Election services."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lock:
    """`Lock.Lock`. Where it would wait for another owner it is cancelled, and what it wrote is awaited to be gone."""

    name: bytes
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Unlock:
    """`Lock.Unlock`."""

    key: bytes


@dataclass(frozen=True, slots=True)
class LeaderKey:
    """`LeaderKey`: what a leader proves its leadership with."""

    name: bytes = b""
    key: bytes = b""
    rev: int = 0
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Campaign:
    """`Election.Campaign`. Where it would wait for another leader it is cancelled, as a `Lock` is."""

    name: bytes
    lease: int = 0
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Proclaim:
    """`Election.Proclaim`."""

    leader: LeaderKey | None = None
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Leader:
    """`Election.Leader`."""

    name: bytes


@dataclass(frozen=True, slots=True)
class Observe:
    """`Election.Observe`: the first message of the stream, which is closed then. Nothing where none comes at once."""

    name: bytes


@dataclass(frozen=True, slots=True)
class Resign:
    """`Election.Resign`."""

    leader: LeaderKey | None = None
