"""The state as etcd keeps it in its database (etcd: server/storage/schema, server/storage/mvcc/revision.go)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fake_etcd.alarms import NONE
from fake_etcd.core import MEMBER_ID, RAFT_TERM, Core
from fake_etcd.hash_kv import bucket_key, stored_value
from fake_etcd.store import Record
from fake_etcd.wire import messages as pb

Bucket = list[tuple[bytes, bytes]]
"""Keys and values, in byte order of the keys."""


def buckets_of(core: Core) -> dict[bytes, Bucket]:
    """Every bucket by its name, as the release writes it."""
    return {
        b"alarm": sorted((alarm.SerializeToString(), b"") for alarm in core.alarms.get(NONE)),
        b"auth": _auth(core),
        b"authRoles": [(name.encode(), _role(core, name)) for name in core.auth.roles()],
        b"authUsers": [(name.encode(), _user(core, name)) for name in core.auth.users()],
        b"cluster": [(b"clusterVersion", core.storage_version.encode())],
        b"key": [(bucket_key(record, sub), stored_value(record)) for sub, record in _records(core)],
        b"lease": sorted(
            ((lease.id % 2**64).to_bytes(8, "big"), encode_lease(lease.id, lease.ttl))
            for lease in core.lessor.by_expiry()
        ),
        b"members": sorted((f"{member.ID:x}".encode(), _member(core, member)) for member in core.members),
        b"members_removed": sorted((f"{id:x}".encode(), b"removed") for id in core.members.removed),
        b"meta": _meta(core),
    }


def _records(core: Core) -> Iterator[tuple[int, Record]]:
    """Every record with its place in its revision, in the order of writing."""
    store, compacted_at = core.store, core.store.compact_revision
    left = [(sub, history[0]) for sub, history in store.histories() if history[0].mod_revision <= compacted_at]
    if core.quirks.compaction_keeps_tombstones:
        compacted = store.at_compact_revision()
        newest = {record.key: record for record in compacted}
        left += [
            (sub, record) for sub, record in enumerate(compacted) if not record.version and newest[record.key] is record
        ]
    yield from sorted(left, key=lambda placed: (placed[1].mod_revision, placed[0]))
    yield from store.stored()


def encode_lease(id: int, ttl: int) -> bytes:
    """A lease as protobuf writes it: id and TTL are fields 1 and 2. etcd: server/lease/leasepb/lease.proto."""
    return b"\x08" + _varint(id) + b"\x10" + _varint(ttl)


def _varint(number: int) -> bytes:
    number %= 2**64
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _auth(core: Core) -> Bucket:
    enabled = [(b"authEnabled", b"\1")] if core.auth.enabled else []
    return [*enabled, (b"authRevision", core.auth.revision.to_bytes(8, "big"))]


def _role(core: Core, name: str) -> bytes:
    return pb.Role(name=name.encode(), keyPermission=core.auth.role_permissions(name)).SerializeToString()


def _user(core: Core, name: str) -> bytes:
    password = core.auth.password_of(name)
    user = pb.User(
        name=name.encode(),
        password=password.stored() if password is not None else b"",
        roles=core.auth.user_roles(name),
        options=pb.UserAddOptions(no_password=password is None),
    )
    return user.SerializeToString()


def _member(core: Core, member: pb.Member) -> bytes:
    """etcd: server/etcdserver/api/membership/member.go Member."""
    stored: dict[str, Any] = {"id": member.ID, "peerURLs": list(member.peerURLs)}
    if member.isLearner:
        stored["isLearner"] = True
    if member.ID == MEMBER_ID:
        stored |= {"name": member.name, "clientURLs": [*(core.settings.client_urls or core.listening)]}
    return json.dumps(stored, separators=(",", ":")).encode()


def _meta(core: Core) -> Bucket:
    meta = [(b"consistent_index", core.raft_index.to_bytes(8, "big"))]
    if core.store.compact_revision > 0:
        revision = core.store.compact_revision.to_bytes(8, "big") + b"_" + bytes(8)
        meta += [(b"finishedCompactRev", revision), (b"scheduledCompactRev", revision)]
    if not core.quirks.version.startswith("3.4."):
        state: dict[str, Any] = {"voters": [MEMBER_ID], "auto_leave": False}
        if core.members.learners:
            state["learners"] = core.members.learners
        meta.append((b"confState", json.dumps(state, separators=(",", ":")).encode()))
        meta.append((b"term", RAFT_TERM.to_bytes(8, "big")))
    if core.quirks.storage_version:
        meta.append((b"storageVersion", core.storage_version.encode()))
    return sorted(meta)
