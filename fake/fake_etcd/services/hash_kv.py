"""HashKV, of the Maintenance service."""

from collections.abc import Mapping

from fake_etcd import permissions
from fake_etcd.errors import Compacted, FutureRev
from fake_etcd.hash_kv import hash_kv
from fake_etcd.services.service import Handler, Service
from fake_etcd.wire import messages as pb


class HashKV(Service):
    """etcd: server/etcdserver/api/v3rpc/maintenance.go HashKV, server/storage/mvcc/kvstore.go hashByRev."""

    def handlers(self) -> Mapping[str, Handler]:
        return {"/etcdserverpb.Maintenance/HashKV": self.hash_kv}

    def hash_kv(self, request: pb.HashKVRequest, token: str) -> pb.HashKVResponse:
        """0 is the current revision; below it lies nothing."""
        core, revision = self.core, request.revision
        if token or core.auth.enabled:
            permissions.check_maintenance(core.auth, core.quirks, token)
        stored = core.hashes.get(revision)
        if stored is not None:
            return self._answer(revision, *stored)
        compacted = core.store.compact_revision
        if revision > 0 and (
            revision < compacted or (revision == compacted and not core.quirks.hash_of_compact_revision)
        ):
            raise Compacted()
        if revision > core.store.revision:
            raise FutureRev()
        revision = revision or core.store.revision
        return self._answer(revision, hash_kv(core.store, revision, core.quirks), compacted)

    def _answer(self, revision: int, hash: int, compact_revision: int) -> pb.HashKVResponse:
        core = self.core
        response = pb.HashKVResponse(hash=hash, compact_revision=compact_revision)
        if core.quirks.hash_kv_reports_revision:
            response.hash_revision = revision
        core.fill(response.header)
        return response
