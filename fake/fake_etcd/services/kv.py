"""The KV service."""

from collections.abc import Mapping

from google.protobuf.message import Message

from fake_etcd import permissions, ranges, txn, writes
from fake_etcd.auth_tokens import NOBODY
from fake_etcd.backend import cost_of_put, cost_of_txn
from fake_etcd.errors import Compacted, FutureRev, would_crash
from fake_etcd.services.service import Handler, Service
from fake_etcd.sizes import frame_size
from fake_etcd.txn_checks import check_txn, is_read_only
from fake_etcd.wire import messages as pb


class KV(Service):
    """etcd: server/etcdserver/api/v3rpc/key.go."""

    def size_of(self, request: Message) -> int:
        return frame_size(request, self.core.settings.max_frame_bytes)

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "/etcdserverpb.KV/Range": self.range,
            "/etcdserverpb.KV/Put": self.put,
            "/etcdserverpb.KV/DeleteRange": self.delete_range,
            "/etcdserverpb.KV/Txn": self.txn,
            "/etcdserverpb.KV/Compact": self.compact,
        }

    def range(self, request: pb.RangeRequest, token: str) -> pb.RangeResponse:
        core = self.core
        self.size_of(request)
        ranges.check_range(request, core.quirks)
        if token or core.auth.enabled:
            permissions.check_read(core.auth, token, request)
        ranges.check_revision(core.store, request.revision)
        if ranges.crashes(request, core.quirks):
            raise ranges.crash(core.quirks)
        response = ranges.answer_range(core.store, request, core.quirks)
        core.fill(response.header)
        return response

    def put(self, request: pb.PutRequest, token: str) -> pb.PutResponse:
        core = self.core
        size = self.size_of(request)
        core.check_room(cost_of_put(request), token)
        writes.check_put(request)
        caller = core.propose(size, token)
        if core.alarms.raised:
            core.alarms.check(costs=True)
        if core.auth.enabled and core.alarms.checks_permissions:
            permissions.check_put(core.auth, core.lessor, core.quirks, caller, request)
        writes.check_lease(core.lessor, request)
        writes.check_previous(core.store, request)
        response = writes.put(core.store, request)
        core.store.commit()
        core.fill(response.header)
        return response

    def delete_range(self, request: pb.DeleteRangeRequest, token: str) -> pb.DeleteRangeResponse:
        core = self.core
        size = self.size_of(request)
        writes.check_delete_range(request)
        caller = core.propose(size, token)
        if core.alarms.raised:
            core.alarms.check(costs=False)
        if core.auth.enabled and core.alarms.checks_permissions:
            permissions.check_delete_range(core.auth, caller, request)
        response = writes.delete_range(core.store, request)
        core.store.commit()
        core.fill(response.header)
        return response

    def txn(self, request: pb.TxnRequest, token: str) -> pb.TxnResponse:
        core = self.core
        size = self.size_of(request)
        cost = cost_of_txn(request, core.quirks)
        if cost or not core.quirks.put_free_txns_pass:
            core.check_room(cost, token)
        check_txn(request, core.quirks, core.settings.max_txn_ops)
        read_only = is_read_only(request)
        if read_only:
            caller = core.auth.caller_of(token) if token else NOBODY
        else:
            caller = core.propose(size, token)
            if core.alarms.raised:
                core.alarms.check(costs=cost > 0)
        if core.auth.enabled and (read_only or core.alarms.checks_permissions):
            permissions.check_txn(core.auth, core.lessor, core.quirks, caller, request)
        if read_only:
            core.auth.require_current(caller)
        taken = txn.take(core.store, request)
        txn.check_taken(core.store, core.lessor, taken, core.quirks)
        response = txn.execute(core.store, taken, core.quirks)
        core.store.commit()
        core.fill(response.header)
        return response

    def compact(self, request: pb.CompactionRequest, token: str) -> pb.CompactionResponse:
        """etcd: server/storage/mvcc/kvstore.go updateCompactRev. `physical` makes it wait, here for nothing.

        A txn may delete and then put one key (the search for duplicates overlooks deletes without an end). Releases
        that keep a tombstone at the compacted revision stop there when they look for what to keep of the key (etcd:
        server/storage/mvcc/key_index.go doCompact), and drop the put, though the key index still points at it.
        """
        if self.core.quirks.compact_needs_root:
            self.core.require_root(token)
        self.compact_at(request.revision, token)
        response = pb.CompactionResponse()
        self.core.fill(response.header)
        return response

    def compact_at(self, revision: int, token: str = "") -> None:
        """The same without asking who wants it."""
        core = self.core
        core.propose(token=token)
        if core.alarms.raised:
            core.alarms.check(costs=False)
        if revision <= core.store.compact_revision:
            raise Compacted()
        if revision > core.store.revision:
            raise FutureRev()
        if core.quirks.compaction_keeps_tombstones:
            lost = core.store.reborn_at(revision)
            if lost is not None:
                raise would_crash(core.quirks.version, f"it loses {lost!r}, whose next read is then fatal")
        core.compact(revision)
