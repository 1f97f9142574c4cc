"""The Lease service, and the time that leases live by."""

from __future__ import annotations

from dataclasses import dataclass

from etcd_model.operations.shown import Shown


@dataclass(frozen=True, slots=True)
class LeaseGrant(Shown):
    """`Lease.LeaseGrant`. `ttl` is in seconds; id 0 lets the server pick one."""

    ttl: int
    id: int = 0


@dataclass(frozen=True, slots=True)
class LeaseRevoke(Shown):
    """`Lease.LeaseRevoke`."""

    id: int


@dataclass(frozen=True, slots=True)
class LeaseKeepAlive(Shown):
    """One request on the stream of `Lease.LeaseKeepAlive`."""

    id: int


@dataclass(frozen=True, slots=True)
class LeaseTimeToLive(Shown):
    """`Lease.LeaseTimeToLive`; `keys` asks for the attached keys too."""

    id: int
    keys: bool = False


@dataclass(frozen=True, slots=True)
class LeaseLeases(Shown):
    """`Lease.LeaseLeases`: the ids of all leases."""


@dataclass(frozen=True, slots=True)
class Advance(Shown):
    """Not a request: so many seconds go by. Virtual clocks are moved on, a real server is waited for."""

    seconds: int
