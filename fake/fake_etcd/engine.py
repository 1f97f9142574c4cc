"""The engine: answers one request at a time, by the path of its method."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from google.protobuf.message import Message

from fake_etcd import ranges, txn, writes
from fake_etcd.errors import Compacted, FutureRev, TooLarge, frame_too_large, not_implemented, would_crash
from fake_etcd.lease import Lessor
from fake_etcd.quirks import quirks_of
from fake_etcd.store import Store
from fake_etcd.txn_checks import check_txn, is_read_only
from fake_etcd.wire import messages as pb
from fake_etcd.wire.methods import METHOD

MAX_REQUEST_BYTES = 1_572_864
"""etcd's --max-request-bytes, which holds for a write's raft entry: the request and an envelope around it."""

MAX_FRAME_BYTES = MAX_REQUEST_BYTES + 512 * 1024
"""The longest message that etcd receives at all (etcd: server/etcdserver/api/v3rpc/grpc.go grpcOverheadBytes)."""

_ENVELOPE_BYTES = 18
"""What the raft entry adds to a request of this size: a 14-byte header (13 if the server's request ids happen to be
small: real servers differ by one byte here) and the request's own tag and length."""

_CLUSTER_ID = 0xCDF818194E3A8C32
_MEMBER_ID = 0x8E9E05C52164694D
_RAFT_TERM = 2
_QUOTA_BYTES = 2 * 1024**3
_EMPTY_DB_BYTES = 20_480


class Engine:
    """An etcd of one member, in memory. Threads may share it: one lock, one request at a time."""

    def __init__(
        self,
        version: str = "3.5.16",
        *,
        min_lease_ttl: int = 2,
        max_txn_ops: int = 128,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`clock` tells seconds that never go back; without one, time stands still at 0."""
        self._quirks = quirks_of(version)
        self._min_lease_ttl = min_lease_ttl
        self._max_txn_ops = max_txn_ops
        self._clock = clock or _still
        self._lock = Lock()
        self._header = pb.ResponseHeader(cluster_id=_CLUSTER_ID, member_id=_MEMBER_ID, raft_term=_RAFT_TERM)
        """Every unary reply's header but for its revision."""
        self._handlers: dict[str, Callable[[Any], Message]] = {
            "/etcdserverpb.KV/Range": self._range,
            "/etcdserverpb.KV/Put": self._put,
            "/etcdserverpb.KV/DeleteRange": self._delete_range,
            "/etcdserverpb.KV/Txn": self._txn,
            "/etcdserverpb.KV/Compact": self._compact,
            "/etcdserverpb.Lease/LeaseGrant": self._lease_grant,
            "/etcdserverpb.Lease/LeaseRevoke": self._lease_revoke,
            "/etcdserverpb.Lease/LeaseKeepAlive": self._lease_keep_alive,
            "/etcdserverpb.Lease/LeaseTimeToLive": self._lease_time_to_live,
            "/etcdserverpb.Lease/LeaseLeases": self._lease_leases,
            "/etcdserverpb.Maintenance/Status": self._status,
        }
        self.reset()

    def reset(self) -> None:
        """Give everything back: an empty store at revision 1, no leases."""
        with self._lock:
            self._lessor = Lessor(self._min_lease_ttl, self._clock)
            self._store = Store(self._lessor)
            self._raft_index = 4  # where a real server's first proposal by a client stands, give or take

    def implements(self, path: str) -> bool:
        """Whether `call` has an answer for a method, other than UNIMPLEMENTED."""
        return path in self._handlers

    def call(self, path: str, request: Message) -> Message:
        """Answer one request, or raise the EtcdError that etcd refuses it with.

        Of a bidirectional method (LeaseKeepAlive), a request is one message of the stream. The answer is the
        caller's own, and the request is not kept.
        """
        handler = self._handlers.get(path)
        if handler is None:
            raise not_implemented(path, path in METHOD)
        with self._lock:
            return handler(request)

    # KV

    def _range(self, request: pb.RangeRequest) -> pb.RangeResponse:
        _frame_size(request)
        ranges.check_range(request, self._quirks)
        ranges.check_revision(self._store, request.revision)
        if ranges.crashes(request, self._quirks):
            raise ranges.crash(self._quirks)
        response = ranges.answer_range(self._store, request, self._quirks)
        self._fill(response.header)
        return response

    def _put(self, request: pb.PutRequest) -> pb.PutResponse:
        size = _frame_size(request)
        writes.check_put(request)
        self._propose(size)
        writes.check_lease(self._lessor, request)
        writes.check_previous(self._store, request)
        response = writes.put(self._store, request)
        self._store.commit()
        self._fill(response.header)
        return response

    def _delete_range(self, request: pb.DeleteRangeRequest) -> pb.DeleteRangeResponse:
        size = _frame_size(request)
        writes.check_delete_range(request)
        self._propose(size)
        response = writes.delete_range(self._store, request)
        self._store.commit()
        self._fill(response.header)
        return response

    def _txn(self, request: pb.TxnRequest) -> pb.TxnResponse:
        size = _frame_size(request)
        check_txn(request, self._quirks, self._max_txn_ops)
        if not is_read_only(request):
            self._propose(size)
        taken = txn.take(self._store, request)
        txn.check_taken(self._store, self._lessor, taken, self._quirks)
        response = txn.execute(self._store, taken, self._quirks)
        self._store.commit()
        self._fill(response.header)
        return response

    def _compact(self, request: pb.CompactionRequest) -> pb.CompactionResponse:
        """etcd: server/storage/mvcc/kvstore.go updateCompactRev. `physical` makes it wait, here for nothing.

        A txn may delete and then put one key (the search for duplicates overlooks deletes without an end). Releases
        that keep a tombstone at the compacted revision stop there when they look for what to keep of the key (etcd:
        server/storage/mvcc/key_index.go doCompact), and drop the put, though the key index still points at it.
        """
        self._raft_index += 1
        if request.revision <= self._store.compact_revision:
            raise Compacted()
        if request.revision > self._store.revision:
            raise FutureRev()
        if self._quirks.compaction_keeps_its_tombstones:
            lost = self._store.reborn_at(request.revision)
            if lost is not None:
                raise would_crash(self._quirks.version, f"it loses {lost!r}, whose next read is then fatal")
        self._store.compact(request.revision)
        response = pb.CompactionResponse()
        self._fill(response.header)
        return response

    # Lease

    def _lease_grant(self, request: pb.LeaseGrantRequest) -> pb.LeaseGrantResponse:
        self._raft_index += 1
        lease = self._lessor.grant(request.ID, request.TTL)
        response = pb.LeaseGrantResponse(ID=lease.id, TTL=lease.ttl)
        self._fill(response.header)
        return response

    def _lease_revoke(self, request: pb.LeaseRevokeRequest) -> pb.LeaseRevokeResponse:
        """All the lease's keys go in byte order, in one revision. etcd: server/lease/lessor.go Revoke."""
        self._raft_index += 1
        lease = self._lessor.require(request.ID)
        for key in sorted(lease.keys):
            for record in self._store.scan(key, b""):
                self._store.delete(record)
        self._lessor.forget(lease.id)
        self._store.commit()
        response = pb.LeaseRevokeResponse()
        self._fill(response.header)
        return response

    def _lease_keep_alive(self, request: pb.LeaseKeepAliveRequest) -> pb.LeaseKeepAliveResponse:
        """An unknown lease is no error: its TTL is 0. etcd: server/etcdserver/api/v3rpc/lease.go leaseKeepAlive."""
        response = pb.LeaseKeepAliveResponse(ID=request.ID)
        self._fill(response.header)
        lease = self._lessor.get(request.ID)
        if lease is not None:
            self._lessor.renew(lease)
            response.TTL = lease.ttl
        return response

    def _lease_time_to_live(self, request: pb.LeaseTimeToLiveRequest) -> pb.LeaseTimeToLiveResponse:
        """An unknown lease is no error: its TTL is -1. etcd: server/etcdserver/api/v3rpc/lease.go LeaseTimeToLive."""
        response = pb.LeaseTimeToLiveResponse(ID=request.ID, TTL=-1)
        self._fill(response.header)
        lease = self._lessor.get(request.ID)
        if lease is not None:
            response.TTL = self._lessor.remaining(lease)
            response.grantedTTL = lease.ttl
            if request.keys:
                response.keys.extend(sorted(lease.keys))
        return response

    def _lease_leases(self, _request: pb.LeaseLeasesRequest) -> pb.LeaseLeasesResponse:
        response = pb.LeaseLeasesResponse(leases=[pb.LeaseStatus(ID=lease.id) for lease in self._lessor.by_expiry()])
        self._fill(response.header)
        return response

    # Maintenance

    def _status(self, _request: pb.StatusRequest) -> pb.StatusResponse:
        """Index and sizes are no more than plausible."""
        db_bytes = _EMPTY_DB_BYTES + 4096 * (self._store.revision // 16)
        response = pb.StatusResponse(
            version=self._quirks.version,
            dbSize=db_bytes,
            dbSizeInUse=db_bytes,
            leader=_MEMBER_ID,
            raftIndex=self._raft_index,
            raftAppliedIndex=self._raft_index,
            raftTerm=_RAFT_TERM,
        )
        if self._quirks.status_tells_storage:
            response.storageVersion = self._quirks.version.rpartition(".")[0] + ".0"
            response.dbSizeQuota = _QUOTA_BYTES
            response.downgradeInfo.SetInParent()
        self._fill(response.header)
        return response

    # What all of them share

    def _fill(self, header: pb.ResponseHeader) -> None:
        self._header.revision = self._store.revision
        header.CopyFrom(self._header)

    def _propose(self, size: int) -> None:
        """Put a write of this many bytes to raft.

        etcd: server/etcdserver/v3_server.go processInternalRaftRequestOnce.
        """
        if size + _ENVELOPE_BYTES > MAX_REQUEST_BYTES:
            raise TooLarge()
        self._raft_index += 1


def _frame_size(request: Message) -> int:
    """The request's size, if gRPC would deliver it at all."""
    size = request.ByteSize()
    if size > MAX_FRAME_BYTES:
        raise frame_too_large(size, MAX_FRAME_BYTES)
    return size


def _still() -> float:
    return 0.0
