"""Make a snapshot of etcd the state (etcd: server/storage/mvcc/kvstore.go restore, server/lease/lessor.go).

The members are not taken over: it stays a cluster of one, as after `etcdutl snapshot restore`.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from importlib import import_module

from google.protobuf.message import DecodeError

from fake_etcd import bbolt
from fake_etcd.auth_passwords import Bcrypt, Nothing, Password
from fake_etcd.core import Core
from fake_etcd.database import Bucket
from fake_etcd.errors import EtcdError
from fake_etcd.store import Record
from fake_etcd.wire import messages as pb

_SUM_BYTES = 32
_SECTOR_BYTES = 512
"""A database is whole sectors long, so what is over is its sum. etcd: etcdutl/snapshot/v3_snapshot.go."""

_PLAIN_KEY_BYTES = 17
"""Of a revision with its place; a tombstone's has one byte more."""


class BadSnapshotError(ValueError):
    """The file is no snapshot of etcd, or a broken one, or can't be read. The message says why, in one line."""


def load(core: Core, path: str) -> None:
    """Give a fresh core the state of a file: keys with their history, leases, users and roles, alarms.

    The file is what `etcdctl snapshot save` writes, or a stopped server's `member/snap/db`. Leases begin anew, with
    their whole TTL. BadSnapshotError where that can't be; then the core must not be used.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise BadSnapshotError(f"can't read {path}: {error.strerror}") from error
    try:
        _fill(core, bbolt.read(_database(data)))
    except DecodeError:
        raise BadSnapshotError(f"{path} is no snapshot of etcd: a value is no message of etcd") from None
    except (ValueError, OverflowError, EtcdError) as error:
        raise BadSnapshotError(f"{path} is no snapshot that fake-etcd can load: {error}") from error


def _database(data: bytes) -> bytes:
    rest = len(data) % _SECTOR_BYTES
    if rest == 0 and data:
        return data
    if rest != _SUM_BYTES:
        raise ValueError(f"{len(data)} bytes are neither a database nor one with its sum")
    if sha256(data[:-_SUM_BYTES]).digest() != data[-_SUM_BYTES:]:
        raise ValueError("its SHA-256 doesn't match")
    return data[:-_SUM_BYTES]


def _fill(core: Core, buckets: dict[bytes, Bucket]) -> None:
    for name in (b"key", b"meta"):
        if name not in buckets:
            raise ValueError(f"the bucket {name.decode()} is missing")
    for _, value in buckets.get(b"lease", ()):
        core.lessor.grant(*_lease(value))
    meta = dict(buckets[b"meta"])
    compacted = [meta[name] for name in (b"finishedCompactRev", b"scheduledCompactRev") if name in meta]
    core.store.load(_records(buckets[b"key"]), max((_number(value[:8]) for value in compacted), default=-1))
    core.backend.settle()
    core.raft_index = max(core.raft_index, _number(meta.get(b"consistent_index", b"\0")))
    core.alarms.load(pb.AlarmMember.FromString(key) for key, _ in buckets.get(b"alarm", ()))
    _fill_auth(core, buckets)


def _records(bucket: Bucket) -> Iterator[tuple[int, Record]]:
    """Every record with its place in its revision, in the order of writing."""
    for key, value in bucket:
        is_tombstone = len(key) > _PLAIN_KEY_BYTES
        if key[_PLAIN_KEY_BYTES:] not in (b"", b"t") or len(key) < _PLAIN_KEY_BYTES or key[8:9] != b"_":
            raise ValueError(f"{key!r} is no revision")
        revision, sub = _number(key[:8]), _number(key[9:17])
        stored = pb.KeyValue.FromString(value)
        if is_tombstone:
            yield sub, Record(stored.key, b"", 0, revision, 0, 0)
        elif stored.mod_revision != revision or stored.version < 1:
            raise ValueError(f"the record of revision {revision} is another's")
        else:
            yield (
                sub,
                Record(stored.key, stored.value, stored.create_revision, revision, stored.version, stored.lease),
            )


def _lease(value: bytes) -> tuple[int, int]:
    """A lease's id and TTL, fields 1 and 2 (etcd: server/lease/leasepb/lease.proto).

    The request to grant has the same two fields, with their names the other way round.
    """
    fields = pb.LeaseGrantRequest.FromString(value)
    return fields.TTL, fields.ID


def _fill_auth(core: Core, buckets: dict[bytes, Bucket]) -> None:
    auth = dict(buckets.get(b"auth", ()))
    users = {}
    for _, value in buckets.get(b"authUsers", ()):
        user = pb.User.FromString(value)
        users[user.name.decode()] = (_password(user), list(user.roles))
    roles = {}
    for _, value in buckets.get(b"authRoles", ()):
        role = pb.Role.FromString(value)
        roles[role.name.decode()] = list(role.keyPermission)
    core.auth.load(auth.get(b"authEnabled") == b"\1", _number(auth.get(b"authRevision", b"\1")), users, roles)


def _password(user: pb.User) -> Password | None:
    if user.options.no_password:
        return None
    if not user.password:
        return Nothing()
    try:
        import_module("bcrypt")
    except ImportError:
        raise ValueError(
            "its users have passwords, for which the package bcrypt is needed: pip install bcrypt"
        ) from None
    return Bcrypt(user.password)


def _number(value: bytes) -> int:
    number = int.from_bytes(value, "big")
    if number >= 2**63:
        raise ValueError(f"{number} is no revision")
    return number
