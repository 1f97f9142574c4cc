"""What Lock and Election are made of: etcd's own client inside the server (etcd: client/v3/concurrency)."""

from collections.abc import Generator

from google.protobuf.message import Message
from grpc import StatusCode

from fake_etcd.core import Core
from fake_etcd.errors import EtcdError
from fake_etcd.services.kv import KV
from fake_etcd.services.lease import Leases
from fake_etcd.sizes import frame_size
from fake_etcd.store import Store
from fake_etcd.waiting import Wait
from fake_etcd.wire import messages as pb

SESSION_TTL = 60
"""Seconds that a lease lives which is granted because the caller named none; nobody keeps it alive."""


class _Unframed(KV):
    """Called within the server, where no frame is too long. etcd: server/proxy/grpcproxy/adapter."""

    def size_of(self, request: Message) -> int:
        size: int = request.ByteSize()
        return size


class Client:
    """Calls of KV and Lease on behalf of a caller. What they are refused with loses its status code."""

    __slots__ = ("_core", "_kv", "_leases", "_token")

    def __init__(self, core: Core, token: str, request: Message | None = None) -> None:
        """`request` is what the caller has sent: it may be too long to be received."""
        if request is not None:
            frame_size(request, core.settings.max_frame_bytes)
        self._core = core
        self._kv = _Unframed(core)
        self._leases = Leases(core)
        self._token = token

    def session(self, lease: int) -> int:
        """The caller's lease, not looked at; or a new one. etcd: session.go NewSession."""
        if lease:
            return lease
        try:
            return self._leases.grant(pb.LeaseGrantRequest(TTL=SESSION_TTL), self._token).ID
        except EtcdError as error:
            raise _without_code(error) from None

    def range(self, request: pb.RangeRequest) -> pb.RangeResponse:
        try:
            return self._kv.range(request, self._token)
        except EtcdError as error:
            raise _without_code(error) from None

    def txn(self, request: pb.TxnRequest) -> pb.TxnResponse:
        try:
            return self._kv.txn(request, self._token)
        except EtcdError as error:
            raise _without_code(error) from None

    def delete(self, key: bytes) -> pb.DeleteRangeResponse:
        try:
            return self._kv.delete_range(pb.DeleteRangeRequest(key=key), self._token)
        except EtcdError as error:
            raise _without_code(error) from None

    def wait_deletes(self, prefix: bytes, max_create_revision: int) -> Generator[Wait, None, pb.ResponseHeader]:
        """Wait until no key of a prefix is left that is as old as this. Reports the header of the last look at them.

        The youngest of them is waited for, then the next (etcd: key.go waitDeletes). A key that is put again after
        its deletion has a younger life.
        """
        request = first_created(prefix)
        request.sort_order = pb.RangeRequest.DESCEND
        request.max_create_revision = max_create_revision
        while (response := self.range(request)).kvs:
            yield from self._wait_delete(self._core.store, response.kvs[0])
        return response.header

    def _wait_delete(self, store: Store, kv: pb.KeyValue) -> Generator[Wait, None, None]:
        while (record := store.get(kv.key)) is not None and record.create_revision == kv.create_revision:
            yield Wait(kv.key)


class CleaningClient(Client):
    """The client that cleans up behind a caller who has given up: it has no token, so auth may stand in its way."""

    def __init__(self, core: Core) -> None:
        super().__init__(core, "")
        self._store = core.store

    @property
    def is_too_late(self) -> bool:
        """Whether the state was reset meanwhile."""
        return self._core.store is not self._store


def session_key(prefix: bytes, lease: int) -> bytes:
    """A session's key under a lock's or an election's prefix."""
    return prefix + b"%s" % format(lease, "x").encode()


def first_created(prefix: bytes) -> pb.RangeRequest:
    """Asks for the key of a prefix, which ends in a slash, with the smallest create_revision. etcd: WithFirstCreate."""
    return pb.RangeRequest(
        key=prefix,
        range_end=prefix[:-1] + b"0",
        limit=1,
        sort_target=pb.RangeRequest.CREATE,
        sort_order=pb.RangeRequest.ASCEND,
    )


def created_at(key: bytes, revision: int) -> pb.Compare:
    """Holds if the key's life began at this revision; at 0, if it isn't there."""
    return pb.Compare(key=key, target=pb.Compare.CREATE, result=pb.Compare.EQUAL, create_revision=revision)


def op_range(request: pb.RangeRequest) -> pb.RequestOp:
    return pb.RequestOp(request_range=request)


def op_put(key: bytes, value: bytes, lease: int) -> pb.RequestOp:
    return pb.RequestOp(request_put=pb.PutRequest(key=key, value=value, lease=lease))


def _without_code(error: EtcdError) -> EtcdError:
    """etcd: its client makes errors of its own of them, and gRPC knows nothing of those but the text."""
    return EtcdError(StatusCode.UNKNOWN, error.message)
