"""The Maintenance and Cluster services, as far as a cluster of one member goes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from etcd_model.operations.shown import Shown


class AlarmAction(IntEnum):
    """`AlarmRequest.AlarmAction`."""

    GET = 0
    ACTIVATE = 1
    DEACTIVATE = 2


class AlarmType(IntEnum):
    """`AlarmType`."""

    NONE = 0
    NOSPACE = 1
    CORRUPT = 2


class DowngradeAction(IntEnum):
    """`DowngradeRequest.DowngradeAction`."""

    VALIDATE = 0
    ENABLE = 1
    CANCEL = 2


MEMBER_ID = 1
"""The id of the server's own member, in the model's state and in traces; every server has its own. That of a member
that is added is what the answer to the `MemberAdd` says."""


@dataclass(frozen=True, slots=True)
class Status(Shown):
    """`Maintenance.Status`."""


@dataclass(frozen=True, slots=True)
class Alarm(Shown):
    """`Maintenance.Alarm`."""

    action: int = AlarmAction.GET
    member_id: int = 0
    alarm: int = AlarmType.NONE


@dataclass(frozen=True, slots=True)
class Defragment(Shown):
    """`Maintenance.Defragment`."""


@dataclass(frozen=True, slots=True)
class Hash(Shown):
    """`Maintenance.Hash`: a hash over the whole backend, which differs between any two servers."""


@dataclass(frozen=True, slots=True)
class HashKV(Shown):
    """`Maintenance.HashKV`: a hash over the records of the history up to `revision`; 0 is the current one."""

    revision: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot(Shown):
    """`Maintenance.Snapshot`, read to its end."""


@dataclass(frozen=True, slots=True)
class MoveLeader(Shown):
    """`Maintenance.MoveLeader`."""

    target_id: int


@dataclass(frozen=True, slots=True)
class Downgrade(Shown):
    """`Maintenance.Downgrade` (3.5 and newer)."""

    action: int
    version: str = ""


@dataclass(frozen=True, slots=True)
class MemberList(Shown):
    """`Cluster.MemberList`."""

    linearizable: bool = False


@dataclass(frozen=True, slots=True)
class MemberAdd(Shown):
    """`Cluster.MemberAdd`."""

    peer_urls: tuple[str, ...] = ()
    is_learner: bool = False


@dataclass(frozen=True, slots=True)
class MemberRemove(Shown):
    """`Cluster.MemberRemove`."""

    id: int


@dataclass(frozen=True, slots=True)
class MemberUpdate(Shown):
    """`Cluster.MemberUpdate`."""

    id: int
    peer_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberPromote(Shown):
    """`Cluster.MemberPromote`."""

    id: int
