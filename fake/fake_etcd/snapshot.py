"""What Maintenance.Snapshot sends: as etcd does, blobs and then their SHA-256 (etcd: api/v3rpc/maintenance.go).

etcd sends its database file. This is not one, and says so in its first line; after it come all records, each after its
length, and zeros up to a whole page. No tool can restore from it.
"""

from collections.abc import Iterator
from hashlib import sha256

from fake_etcd.core import Core
from fake_etcd.ranges import key_value
from fake_etcd.wire.messages import SnapshotResponse

_FIRST_LINE = b"a snapshot of fake-etcd, which nothing can be restored from\n"

_BLOB_BYTES = 32 * 1024
"""etcd: snapshotSendBufferSize."""

_PAGE_BYTES = 4096


def take(core: Core) -> list[SnapshotResponse]:
    """The answers of a snapshot of the current state."""
    data = _FIRST_LINE + b"".join(len(record).to_bytes(4, "big") + record for record in records(core))
    data = data.ljust(-(-max(len(data), core.backend.in_use) // _PAGE_BYTES) * _PAGE_BYTES, b"\0")
    version = core.storage_version if core.quirks.storage_version else ""
    answers = []
    for start in range(0, len(data), _BLOB_BYTES):
        blob = data[start : start + _BLOB_BYTES]
        left = len(data) - start - len(blob)
        answers.append(SnapshotResponse(remaining_bytes=left, blob=blob, version=version))
    answers.append(SnapshotResponse(blob=sha256(data).digest(), version=version))
    return answers


def records(core: Core) -> Iterator[bytes]:
    """Every record that there is, key by key."""
    for _, history in core.store.histories():
        for record in history:
            yield key_value(record).SerializeToString()
