"""The Lease service, and the time that leases live by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeaseGrant:
    """`Lease.LeaseGrant`. `ttl` is in seconds; id 0 lets the server pick one."""

    ttl: int
    id: int = 0


@dataclass(frozen=True, slots=True)
class LeaseRevoke:
    """`Lease.LeaseRevoke`."""

    id: int


@dataclass(frozen=True, slots=True)
class LeaseKeepAlive:
    """One request on the stream of `Lease.LeaseKeepAlive`."""

    id: int


@dataclass(frozen=True, slots=True)
class LeaseTimeToLive:
    """`Lease.LeaseTimeToLive`; `keys` asks for the attached keys too."""

    id: int
    keys: bool = False


@dataclass(frozen=True, slots=True)
class LeaseLeases:
    """`Lease.LeaseLeases`: the ids of all leases."""


@dataclass(frozen=True, slots=True)
class Advance:
    """Not a request: so many seconds go by. Virtual clocks are moved on, a real server is waited for."""

    seconds: int
