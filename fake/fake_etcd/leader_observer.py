"""Observing an election (etcd: client/v3/concurrency/election.go observe)."""

from collections.abc import Generator

from fake_etcd.concurrency import Client, first_created
from fake_etcd.core import Core
from fake_etcd.errors import EtcdError
from fake_etcd.ranges import key_value
from fake_etcd.store import Record
from fake_etcd.waiting import Wait
from fake_etcd.wire import messages as pb


class LeaderObserver:
    """The oldest key of a prefix, until it is deleted; then the next."""

    __slots__ = ("_client", "_core", "_leader", "_prefix", "_revision")

    def __init__(self, core: Core, prefix: bytes, client: Client) -> None:
        self._core = core
        self._prefix = prefix
        self._client = client
        self._leader: bytes | None = None
        self._revision = 0
        """Where to look on."""

    def steps(self) -> Generator[Wait | pb.LeaderResponse, None, None]:
        """What is seen, as it is seen; it ends where the caller may not look. With the lock held."""
        while True:
            if self._leader is None:
                try:
                    first = self._client.range(first_created(self._prefix))
                except EtcdError:
                    return
                if first.kvs:
                    self._follow(first.kvs[0].key, first.header.revision)
                    yield pb.LeaderResponse(header=first.header, kv=first.kvs[0])
                else:
                    yield (yield from self._first_put(first.header.revision))
                continue
            seen = self._of_leader(self._leader)
            yield from seen
            if not seen and self._leader is not None:
                yield self._any_write

    @property
    def _any_write(self) -> Wait:
        return Wait(self._prefix, self._prefix[:-1] + b"0")

    def _follow(self, key: bytes, revision: int) -> None:
        self._leader = key
        self._revision = revision + 1

    def _first_put(self, revision: int) -> Generator[Wait, None, pb.LeaderResponse]:
        """The first key that is put under the prefix from a revision on, even if it is deleted already."""
        self._revision = revision
        while True:
            for record in self._records():
                if record.version and record.key.startswith(self._prefix):
                    self._follow(record.key, record.mod_revision)
                    return self._response(record)
            yield self._any_write

    def _of_leader(self, key: bytes) -> list[pb.LeaderResponse]:
        """What the leader has proclaimed since; after its deletion, the next one is looked for."""
        seen = []
        for record in self._records():
            if record.key == key:
                if not record.version:
                    self._leader = None
                    break
                seen.append(self._response(record))
        return seen

    def _records(self) -> list[Record]:
        """What was written since the last look."""
        store = self._core.store
        revisions = store.revisions_from(self._revision, keeps_tombstones=True)
        records = [record for revision in revisions for record in revision]
        self._revision = store.revision + 1
        return records

    def _response(self, record: Record) -> pb.LeaderResponse:
        response = pb.LeaderResponse(kv=key_value(record))
        self._core.fill(response.header)
        response.header.revision = record.mod_revision
        return response
