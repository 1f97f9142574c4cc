"""What Maintenance.Snapshot sends: the database in blobs, and then their SHA-256 (etcd: api/v3rpc/maintenance.go)."""

from collections.abc import Iterator
from hashlib import sha256

from fake_etcd import bbolt
from fake_etcd.core import Core
from fake_etcd.database import buckets_of
from fake_etcd.ranges import key_value
from fake_etcd.wire.messages import SnapshotResponse

_BLOB_BYTES = 32 * 1024
"""etcd: snapshotSendBufferSize."""


def take(core: Core) -> Iterator[SnapshotResponse]:
    """The answers of a snapshot. All are of the state at the time when the first is asked for."""
    data = bbolt.write(buckets_of(core))
    data = data.ljust(core.backend.in_use, b"\0")  # pages that bbolt has yet to use, as Status counts them
    version = core.storage_version if core.quirks.storage_version else ""
    for start in range(0, len(data), _BLOB_BYTES):
        blob = data[start : start + _BLOB_BYTES]
        left = len(data) - start - len(blob)
        yield SnapshotResponse(remaining_bytes=left, blob=blob, version=version)
    yield SnapshotResponse(blob=sha256(data).digest(), version=version)


def records(core: Core) -> Iterator[bytes]:
    """Every record that there is, key by key."""
    for _, history in core.store.histories():
        for record in history:
            yield key_value(record).SerializeToString()
