"""The Maintenance and Cluster services.

The id of the server's own member, which is another one on every server, is `MEMBER_ID` in operations and results.
Where that one listens and what it is called is in no result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Any

from etcd_lockstep.codec.coding import Decoders, Encoders
from etcd_model import results
from etcd_model.operations import (
    MEMBER_ID,
    Alarm,
    Defragment,
    Downgrade,
    Hash,
    HashKV,
    MemberAdd,
    MemberList,
    MemberPromote,
    MemberRemove,
    MemberUpdate,
    MoveLeader,
    Operation,
    Snapshot,
    Status,
)
from fake_etcd.wire import messages as wire

_MAINTENANCE = "/etcdserverpb.Maintenance/"
_CLUSTER = "/etcdserverpb.Cluster/"

_MEMBER_IN: dict[type[Operation], str] = {
    Alarm: "member_id",
    MoveLeader: "target_id",
    MemberRemove: "id",
    MemberUpdate: "id",
    MemberPromote: "id",
}
"""The field that names a member."""


def addressed(operation: Operation, member_id: int) -> Operation:
    """The operation with the id of the target's own member where it names that member."""
    field = _MEMBER_IN.get(type(operation))
    if not (field and member_id) or getattr(operation, field) != MEMBER_ID:
        return operation
    changed: dict[str, Any] = {field: member_id}
    return replace(operation, **changed)


def _uint64(number: int) -> int:
    return number & 0xFFFF_FFFF_FFFF_FFFF


def _alarm(op: Alarm) -> wire.AlarmRequest:
    return wire.AlarmRequest(
        action=op.action,  # type: ignore[arg-type]  # any int goes over the wire
        memberID=_uint64(op.member_id),
        alarm=op.alarm,  # type: ignore[arg-type]  # as above
    )


def _downgrade(op: Downgrade) -> wire.DowngradeRequest:
    return wire.DowngradeRequest(
        action=op.action,  # type: ignore[arg-type]  # any int goes over the wire
        version=op.version,
    )


ENCODERS: Encoders = {
    Status: (_MAINTENANCE + "Status", lambda _op: wire.StatusRequest()),
    Alarm: (_MAINTENANCE + "Alarm", _alarm),
    Defragment: (_MAINTENANCE + "Defragment", lambda _op: wire.DefragmentRequest()),
    Hash: (_MAINTENANCE + "Hash", lambda _op: wire.HashRequest()),
    HashKV: (_MAINTENANCE + "HashKV", lambda op: wire.HashKVRequest(revision=op.revision)),
    Snapshot: (_MAINTENANCE + "Snapshot", lambda _op: wire.SnapshotRequest()),
    MoveLeader: (
        _MAINTENANCE + "MoveLeader",
        lambda op: wire.MoveLeaderRequest(targetID=_uint64(op.target_id)),
    ),
    Downgrade: (_MAINTENANCE + "Downgrade", _downgrade),
    MemberList: (_CLUSTER + "MemberList", lambda op: wire.MemberListRequest(linearizable=op.linearizable)),
    MemberAdd: (
        _CLUSTER + "MemberAdd",
        lambda op: wire.MemberAddRequest(peerURLs=op.peer_urls, isLearner=op.is_learner),
    ),
    MemberRemove: (_CLUSTER + "MemberRemove", lambda op: wire.MemberRemoveRequest(ID=_uint64(op.id))),
    MemberUpdate: (
        _CLUSTER + "MemberUpdate",
        lambda op: wire.MemberUpdateRequest(ID=_uint64(op.id), peerURLs=op.peer_urls),
    ),
    MemberPromote: (_CLUSTER + "MemberPromote", lambda op: wire.MemberPromoteRequest(ID=_uint64(op.id))),
}

DECODERS: Decoders = {
    **dict.fromkeys((Defragment, Hash, MoveLeader), lambda answer: results.MaintenanceResult(answer.header.revision)),
    HashKV: lambda answer: results.HashKVResult(
        answer.header.revision, answer.hash, answer.compact_revision, answer.hash_revision
    ),
    Snapshot: lambda answer: decode_snapshot((answer,)),
    Downgrade: lambda answer: results.DowngradeResult(answer.header.revision, answer.version),
}


def _status_result(answer: wire.StatusResponse, own: int) -> results.StatusResult:
    return results.StatusResult(
        answer.header.revision,
        answer.version,
        leads=bool(answer.leader) and answer.leader == own,
        is_learner=answer.isLearner,
        errors=tuple(_reported(error, own) for error in answer.errors),
        storage_version=answer.storageVersion,
    )


def _reported(error: str, own: int) -> str:
    """An alarm, as protobuf's Go library prints it: `memberID:7 alarm:NOSPACE `."""
    return re.sub(rf"\bmemberID:{own}\b", f"memberID:{MEMBER_ID}", error)


def _alarm_result(answer: wire.AlarmResponse, own: int) -> results.AlarmResult:
    return results.AlarmResult(
        answer.header.revision,
        tuple(results.AlarmMember(_shared(one.memberID, own), int(one.alarm)) for one in answer.alarms),
    )


def _members(answer: wire.MemberListResponse, own: int) -> results.MemberListResult:
    """The other responses about members have a list of them too."""
    return results.MemberListResult(answer.header.revision, tuple(_member(one, own) for one in answer.members))


def _added(answer: wire.MemberAddResponse, own: int) -> results.MemberAddResult:
    members = tuple(_member(one, own) for one in answer.members)
    added = _member(answer.member, own) if answer.HasField("member") else None
    return results.MemberAddResult(answer.header.revision, added, members)


def _member(member: wire.Member, own: int) -> results.Member:
    urls = () if own == member.ID else tuple(member.peerURLs)
    return results.Member(_shared(member.ID, own), member.isLearner, urls)


def _shared(member_id: int, own: int) -> int:
    return MEMBER_ID if member_id == own else member_id


MEMBER_DECODERS: dict[type[Operation], Callable[[Any, int], results.Answer]] = {
    Status: _status_result,
    Alarm: _alarm_result,
    MemberAdd: _added,
    **dict.fromkeys((MemberList, MemberRemove, MemberUpdate, MemberPromote), _members),
}
"""Those whose answers name members, with the id of the target's own as the second argument."""


def decode_snapshot(messages: Iterable[wire.SnapshotResponse]) -> results.SnapshotResult:
    """The result that all messages of a Snapshot carry.

    The last blob is the SHA-256 of those before it, and each message says how many bytes of them are yet to come
    (etcd server/etcdserver/api/v3rpc/maintenance.go, Snapshot).
    """
    revision = 0
    parts: list[tuple[int, bytes]] = []
    for message in messages:
        revision = revision or message.header.revision
        parts.append((message.remaining_bytes, message.blob))
    if not parts:
        return results.SnapshotResult(revision, intact=False)
    *data, (left, digest) = parts
    size = sum(len(blob) for _remaining, blob in data)
    whole = sha256()
    intact = bool(size) and left == 0
    for remaining, blob in data:
        whole.update(blob)
        size -= len(blob)
        intact = intact and remaining == size
    return results.SnapshotResult(revision, intact=intact and whole.digest() == digest)
