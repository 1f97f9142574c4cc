"""Lies about how long leases live."""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep.specimens.lease import all_but_last
from etcd_lockstep.specimens.specimen import Specimen, basic_and
from etcd_model import Operation, Result, Server
from etcd_model.operations import Advance, LeaseKeepAlive, Put
from etcd_model.results import AdvanceResult
from etcd_model.state import Lease


class LeaseNeverExpires(Specimen):
    """A lease whose time is up stays, and its keys with it."""

    name = "lease-never-expires"
    capabilities = basic_and(Advance)

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Advance):
            self.state = replace(self.state, now=self.state.now + operation.seconds)
            return AdvanceResult()
        return super().apply(operation)


class KeepAliveDoesNotRenew(Specimen):
    """A lease that is kept alive expires when it would have expired anyway."""

    name = "keepalive-does-not-renew"
    capabilities = basic_and(Advance)

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)
        if isinstance(operation, LeaseKeepAlive):
            self.state = before
        return result


class TtlNotClamped(Specimen):
    """A lease lives as long as it was asked for, be that less than the server's minimum."""

    name = "ttl-not-clamped"

    def emulate(self, server: Server) -> None:
        super().emulate(replace(server, min_lease_ttl=-(2**63)))


class ExpiryDeletesOneKeyOnly(Specimen):
    """With a lease that expires goes the key that was put last with it; the others stay. A revoked one takes all."""

    name = "expiry-deletes-one-key-only"
    capabilities = basic_and(Advance)

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Advance):
            self._detach(self.state.now + operation.seconds)
        return super().apply(operation)

    def _detach(self, now: int) -> None:
        due = [lease_id for lease_id, lease in self.state.leases.items() if lease.expiry <= now]
        for lease_id in due:
            *earlier, newest = self.state.commits
            left = replace(newest, keys={**newest.keys, **all_but_last(self.state, lease_id)})
            self.state = replace(self.state, commits=(*earlier, left))


class PutRenewsLease(Specimen):
    """A put with a lease keeps that alive."""

    name = "put-renews-lease"
    capabilities = basic_and(Advance)

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Put) and operation.lease in self.state.leases:
            ttl = self.state.leases[operation.lease].ttl
            renewed = {**self.state.leases, operation.lease: Lease(ttl, self.state.now + ttl)}
            self.state = replace(self.state, leases=renewed)
        return super().apply(operation)
