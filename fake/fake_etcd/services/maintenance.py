"""The Maintenance service, besides HashKV and Downgrade."""

import zlib
from collections.abc import Generator, Mapping

from grpc import StatusCode

from fake_etcd import permissions, snapshot
from fake_etcd.core import MEMBER_ID, RAFT_TERM
from fake_etcd.errors import BadLeaderTransferee, EtcdError, would_crash
from fake_etcd.services.service import Handler, Service, StepsHandler
from fake_etcd.wire import messages as pb

_GET = pb.AlarmRequest.AlarmAction.Value("GET")
_ACTIVATE = pb.AlarmRequest.AlarmAction.Value("ACTIVATE")
_DEACTIVATE = pb.AlarmRequest.AlarmAction.Value("DEACTIVATE")

_BUCKETS = (
    b"alarm",
    b"auth",
    b"authRoles",
    b"authUsers",
    b"cluster",
    b"key",
    b"lease",
    b"members",
    b"members_removed",
    b"meta",
)
"""etcd: server/storage/schema/bucket.go."""


class Maintenance(Service):
    """etcd: server/etcdserver/api/v3rpc/maintenance.go."""

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "/etcdserverpb.Maintenance/Status": self.status,
            "/etcdserverpb.Maintenance/Alarm": self.alarm,
            "/etcdserverpb.Maintenance/Defragment": self.defragment,
            "/etcdserverpb.Maintenance/Hash": self.hash,
            "/etcdserverpb.Maintenance/MoveLeader": self.move_leader,
        }

    def streams(self) -> Mapping[str, StepsHandler]:
        return {"/etcdserverpb.Maintenance/Snapshot": self.snapshot}

    def status(self, _request: pb.StatusRequest, token: str) -> pb.StatusResponse:
        """Index and sizes are no more than plausible."""
        core = self.core
        if core.quirks.status_open_to_users:
            core.auth.require_user(token)
        elif core.quirks.status_guarded:
            core.require_root(token)
        response = pb.StatusResponse(
            version=core.quirks.version,
            dbSize=core.backend.size,
            dbSizeInUse=core.backend.in_use,
            leader=MEMBER_ID,
            raftIndex=core.raft_index,
            raftAppliedIndex=core.raft_index,
            raftTerm=RAFT_TERM,
            errors=core.alarms.texts(),
        )
        if core.quirks.storage_version:
            response.storageVersion = core.storage_version
            response.dbSizeQuota = core.settings.quota_bytes
            response.downgradeInfo.SetInParent()
            if core.downgrade_target:
                response.downgradeInfo.enabled = True
                response.downgradeInfo.targetVersion = core.downgrade_target
        core.fill(response.header)
        return response

    def alarm(self, request: pb.AlarmRequest, token: str) -> pb.AlarmResponse:
        core = self.core
        if request.action == _GET and core.quirks.alarms_open_to_users:
            core.auth.require_user(token)
        elif core.quirks.alarm_needs_root:
            core.require_root(token)
        try:
            core.propose(token=token)
        except EtcdError as error:
            raise error if core.quirks.alarm_has_header else permissions.inner(error) from None
        response = pb.AlarmResponse()
        if request.action == _GET:
            response.alarms.extend(core.alarms.get(request.alarm))
        elif request.action == _ACTIVATE:
            response.alarms.extend(core.alarms.activate(request.memberID, request.alarm))
        elif request.action == _DEACTIVATE:
            response.alarms.extend(core.alarms.deactivate(request.memberID, request.alarm))
        else:
            raise would_crash(core.quirks.version, "an alarm with an unknown action")
        if core.quirks.alarm_has_header:
            core.fill(response.header)
        return response

    def defragment(self, _request: pb.DefragmentRequest, token: str) -> pb.DefragmentResponse:
        """Answers without a header."""
        self._check(token)
        self.core.backend.defragment()
        return pb.DefragmentResponse()

    def hash(self, _request: pb.HashRequest, token: str) -> pb.HashResponse:
        """Equal for equal contents, and unlike any real server's: that hashes its whole database, ids and all.

        The names of the database's buckets are hashed too, so that nothing at all has a hash (etcd:
        server/storage/backend/backend.go Hash).
        """
        self._check(token)
        core = self.core
        response = pb.HashResponse(hash=zlib.crc32(b"".join(_BUCKETS)))
        for data in snapshot.records(core):
            response.hash = zlib.crc32(data, response.hash)
        core.fill(response.header)
        return response

    def move_leader(self, request: pb.MoveLeaderRequest, token: str) -> pb.MoveLeaderResponse:
        """To the one server there is, which leads already. Answers without a header."""
        if self.core.quirks.move_leader_and_downgrade_need_root:
            self.core.require_root(token)
        if not self.core.members.may_lead(request.targetID):
            raise BadLeaderTransferee()
        if request.targetID != MEMBER_ID:
            raise EtcdError(
                StatusCode.UNIMPLEMENTED,
                f"fake-etcd: a real etcd {self.core.quirks.version} would wait without an end for a member to lead that"
                " was never started",
            )
        return pb.MoveLeaderResponse()

    def snapshot(self, _request: pb.SnapshotRequest, token: str) -> Generator[pb.SnapshotResponse, None, None]:
        """All blobs are of the state at the call."""
        self._check(token)
        yield from snapshot.take(self.core)

    def _check(self, token: str) -> None:
        core = self.core
        if token or core.auth.enabled:
            permissions.check_maintenance(core.auth, core.quirks, token)
