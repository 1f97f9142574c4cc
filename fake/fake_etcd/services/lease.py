"""The Lease service."""

from collections.abc import Mapping

from fake_etcd import permissions
from fake_etcd.backend import LEASE_COST
from fake_etcd.lease import Lease
from fake_etcd.services.service import Handler, Service
from fake_etcd.wire import messages as pb


class Leases(Service):
    """etcd: server/etcdserver/api/v3rpc/lease.go."""

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "/etcdserverpb.Lease/LeaseGrant": self.grant,
            "/etcdserverpb.Lease/LeaseRevoke": self.revoke,
            "/etcdserverpb.Lease/LeaseKeepAlive": self.keep_alive,
            "/etcdserverpb.Lease/LeaseTimeToLive": self.time_to_live,
            "/etcdserverpb.Lease/LeaseLeases": self.leases,
        }

    def grant(self, request: pb.LeaseGrantRequest, token: str) -> pb.LeaseGrantResponse:
        core = self.core
        core.check_room(LEASE_COST, token)
        if core.quirks.lease_calls_need_a_user:
            core.auth.require_user(token)
        core.propose(token=token)
        if core.alarms.raised:
            core.alarms.check(costs=True)
        lease = core.lessor.grant(request.ID, request.TTL)
        response = pb.LeaseGrantResponse(ID=lease.id, TTL=lease.ttl)
        core.fill(response.header)
        return response

    def revoke(self, request: pb.LeaseRevokeRequest, token: str) -> pb.LeaseRevokeResponse:
        core = self.core
        if core.quirks.lease_calls_need_a_user:
            core.auth.require_user(token)
        caller = core.propose(token=token)
        if core.alarms.raised:
            core.alarms.check(costs=False)
        if core.auth.enabled and core.alarms.checks_permissions:
            permissions.check_lease_puts(core.auth, core.quirks, core.lessor.get(request.ID), caller)
        core.revoke(core.lessor.require(request.ID))
        response = pb.LeaseRevokeResponse()
        core.fill(response.header)
        return response

    def keep_alive(self, request: pb.LeaseKeepAliveRequest, token: str) -> pb.LeaseKeepAliveResponse:
        """An unknown lease is no error: its TTL is 0. etcd: server/etcdserver/api/v3rpc/lease.go leaseKeepAlive."""
        core = self.core
        response = pb.LeaseKeepAliveResponse(ID=request.ID)
        core.fill(response.header)
        lease = core.lessor.get(request.ID)
        if core.auth.enabled and core.quirks.lease_calls_need_a_user:
            permissions.check_lease_puts(core.auth, core.quirks, lease, core.auth.require_user(token))
        if lease is not None:
            core.lessor.renew(lease)
            response.TTL = lease.ttl
        return response

    def time_to_live(self, request: pb.LeaseTimeToLiveRequest, token: str) -> pb.LeaseTimeToLiveResponse:
        """An unknown lease is no error: its TTL is -1. etcd: server/etcdserver/api/v3rpc/lease.go LeaseTimeToLive."""
        core = self.core
        response = pb.LeaseTimeToLiveResponse(ID=request.ID, TTL=-1)
        core.fill(response.header)
        lease = core.lessor.get(request.ID)
        if core.auth.enabled:
            self._check_time_to_live(request, lease, token)
        if lease is not None:
            response.TTL = core.lessor.remaining(lease)
            if core.alarms.corrupt:  # it may be over for long
                response.TTL = min(response.TTL, int(lease.expiry - core.settings.clock()))
            response.grantedTTL = lease.ttl
            if request.keys:
                response.keys.extend(sorted(lease.keys))
        return response

    def _check_time_to_live(self, request: pb.LeaseTimeToLiveRequest, lease: Lease | None, token: str) -> None:
        core = self.core
        if core.quirks.lease_calls_need_a_user:
            core.auth.require_user(token)
        if request.keys and core.quirks.lease_keys_guarded:
            caller = core.auth.require_user(token)
            permissions.check_lease_keys(core.auth, core.quirks, () if lease is None else (lease,), caller)

    def leases(self, _request: pb.LeaseLeasesRequest, token: str) -> pb.LeaseLeasesResponse:
        core = self.core
        if core.auth.enabled and core.quirks.lease_calls_need_a_user:
            caller = core.auth.require_user(token)
            permissions.check_lease_keys(core.auth, core.quirks, core.lessor.by_expiry(), caller)
        response = pb.LeaseLeasesResponse(leases=[pb.LeaseStatus(ID=lease.id) for lease in core.lessor.by_expiry()])
        core.fill(response.header)
        return response
