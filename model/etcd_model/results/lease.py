"""The Lease service, and the time that leases live by."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True)
class AdvanceResult:
    """Time has passed: nothing is answered."""

    revision: int = 0
