"""The Maintenance and Cluster services. What reports the server rather than of the store (sizes, raft indices,
names, URLs) is not here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StatusResult:
    """`StatusResponse`."""

    revision: int
    version: str
    leads: bool = True
    """Whether the leader is the member that answers."""
    is_learner: bool = False
    errors: tuple[str, ...] = ()
    """With `memberID:<id>` as `memberID:1`."""
    storage_version: str = ""


@dataclass(frozen=True, slots=True)
class AlarmMember:
    """`AlarmMember`."""

    member_id: int
    alarm: int


@dataclass(frozen=True, slots=True)
class AlarmResult:
    """`AlarmResponse`."""

    revision: int
    alarms: tuple[AlarmMember, ...] = ()


@dataclass(frozen=True, slots=True)
class MaintenanceResult:
    """`DefragmentResponse`, `HashResponse` or `MoveLeaderResponse`: nothing in them is comparable but the header,
    which a `DefragmentResponse` lacks."""

    revision: int = 0


@dataclass(frozen=True, slots=True)
class HashKVResult:
    """`HashKVResponse`."""

    revision: int
    hash: int
    compact_revision: int
    hash_revision: int = 0
    """3.6 and newer."""


@dataclass(frozen=True, slots=True)
class SnapshotResult:
    """The messages of a `Maintenance.Snapshot`."""

    revision: int = 0
    """As the header of its messages says, where there is one."""
    intact: bool = True
    """Whether the blobs ended with the SHA-256 of all before it, and `remaining_bytes` counted down to zero."""


@dataclass(frozen=True, slots=True)
class DowngradeResult:
    """`DowngradeResponse`."""

    revision: int
    version: str


@dataclass(frozen=True, slots=True)
class Member:
    """`Member`."""

    id: int
    is_learner: bool = False
    peer_urls: tuple[str, ...] = ()
    """Those of a member that was added. Where the server itself listens is not here."""


@dataclass(frozen=True, slots=True)
class MemberListResult:
    """`MemberListResponse`, and the responses to `MemberRemove`, `MemberUpdate` and `MemberPromote`."""

    revision: int = 0
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberAddResult:
    """`MemberAddResponse`."""

    revision: int = 0
    member: Member | None = None
    """The one that was added."""
    members: tuple[Member, ...] = ()
