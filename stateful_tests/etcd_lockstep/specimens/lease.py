"""Lies about leases, and about which keys go with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from etcd_lockstep.specimens.specimen import Specimen, map_requests
from etcd_model import Error, Operation, Result, State, step
from etcd_model.errors import LEASE_EXIST, LEASE_NOT_FOUND, LEASE_TTL_TOO_LARGE
from etcd_model.lease import MAX_TTL, attached
from etcd_model.operations import LeaseGrant, LeaseKeepAlive, LeaseRevoke, LeaseTimeToLive, Put, RequestOp, Txn
from etcd_model.results import (
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
)
from etcd_model.state import DeleteEvent, Keys, Lease
from etcd_model.txn import succeeds


class LeaseOnPutIgnored(Specimen):
    """A put's lease has to exist, but the key is not attached to it."""

    name = "lease-on-put-ignored"

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Put | Txn):
            _, honest = step(self.state, operation)
            if isinstance(honest, Error):
                return honest
        return super().apply(map_requests(operation, _without_lease))


def _without_lease(request: RequestOp) -> RequestOp:
    return replace(request, lease=0) if isinstance(request, Put) else request


class OneKeyPerLease(Specimen):
    """A lease knows only the key that was last put with it; the others outlive it."""

    name = "one-key-per-lease"

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)
        match operation, result:
            case LeaseRevoke(), LeaseRevokeResult():
                self._keep(all_but_last(before, operation.id))
            case LeaseTimeToLive(), LeaseTimeToLiveResult():
                forgotten = all_but_last(before, operation.id)
                return replace(result, keys=tuple(key for key in result.keys if key not in forgotten))
        return result

    def _keep(self, forgotten: Keys) -> None:
        if forgotten:
            *earlier, revoked = self.state.commits
            events = tuple(e for e in revoked.events if not (isinstance(e, DeleteEvent) and e.key in forgotten))
            left = replace(revoked, events=events, keys={**revoked.keys, **forgotten})
            self.state = replace(self.state, commits=(*earlier, left))


def all_but_last(state: State, lease_id: int) -> Keys:
    """The keys of a lease but the one that was put last, as they are without it."""
    keys = sorted(attached(state, lease_id), key=lambda key: state.keys[key].mod_revision)
    return {key: replace(state.keys[key], lease=0) for key in keys[:-1]}


class LeaseIdsKeptAsDoubles(Specimen):
    """The id of a lease is kept as a double, as a number in JavaScript is: another id than was asked for is granted."""

    name = "lease-ids-kept-as-doubles"

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, LeaseGrant | LeaseRevoke | LeaseKeepAlive | LeaseTimeToLive):
            operation = replace(operation, id=_as_double(operation.id))
        return super().apply(map_requests(operation, _with_double))


def _with_double(request: RequestOp) -> RequestOp:
    return replace(request, lease=_as_double(request.lease)) if isinstance(request, Put) else request


def _as_double(lease_id: int) -> int:
    return min(int(float(lease_id)), 2**63 - 1)


class UnknownRevokeAccepted(Specimen):
    """Revoking a lease that is not there succeeds."""

    name = "unknown-revoke-accepted"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, LeaseRevoke) and result == LEASE_NOT_FOUND:
            return LeaseRevokeResult(self.state.revision)
        return result


class DuplicateLeaseIdAccepted(Specimen):
    """A lease may be granted under an id that another one has: that is taken for the same lease."""

    name = "duplicate-lease-id-accepted"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, LeaseGrant) and result == LEASE_EXIST:
            return LeaseGrantResult(self.state.revision, operation.id, self.state.leases[operation.id].ttl)
        return result


class LeaseIdCollides(Specimen):
    """Every second lease that is granted has the id of the one before."""

    name = "lease-id-collides"

    def apply(self, operation: Operation) -> Result:
        newest = self.state.next_lease_id - 1
        if isinstance(operation, LeaseGrant) and not operation.id and newest in self.state.leases and newest % 2 == 0:
            operation, again = replace(operation, id=newest), replace(self.state, leases=_without(self.state, newest))
            self.state = replace(again, next_lease_id=newest + 2)
        return super().apply(operation)


def _without(state: State, lease_id: int) -> dict[int, Lease]:
    return {held: lease for held, lease in state.leases.items() if held != lease_id}


class LeaseIdIsTtl(Specimen):
    """The id of a lease is its TTL: two of one TTL are one."""

    name = "id-is-ttl"

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, LeaseGrant) and not operation.id and 0 < operation.ttl <= MAX_TTL:
            ttl = max(operation.ttl, self.server.min_lease_ttl)
            self.state = replace(self.state, leases=_without(self.state, ttl))
            operation = replace(operation, id=ttl)
        return super().apply(operation)


class LeaseIdZero(Specimen):
    """The first lease has the id 0: a key that is put with no lease goes with it."""

    name = "lease-id-zero"

    def __init__(self) -> None:
        super().__init__()
        self._first = 0

    def reset(self) -> int:
        self._first = 0
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        if self._first in self.state.leases:
            operation = map_requests(operation, self._attached_to_first)
        result = super().apply(operation)
        if isinstance(operation, LeaseGrant) and isinstance(result, LeaseGrantResult) and not operation.id:
            self._first = self._first or result.id
        return result

    def _attached_to_first(self, request: RequestOp) -> RequestOp:
        plain = isinstance(request, Put) and not (request.lease or request.ignore_lease)
        return replace(request, lease=self._first) if isinstance(request, Put) and plain else request


class TtlTooLargeAccepted(Specimen):
    """A lease may live longer than etcd lets any."""

    name = "ttl-too-large-accepted"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, LeaseGrant) and result == LEASE_TTL_TOO_LARGE:
            return super().apply(replace(operation, ttl=MAX_TTL))
        return result


class KeepAliveOfUnknownSucceeds(Specimen):
    """A lease that is not there is kept alive, for a minute."""

    name = "keepalive-of-unknown-succeeds"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return replace(result, ttl=60) if isinstance(result, LeaseKeepAliveResult) and not result.ttl else result


class TtlOfUnknownNotMinusOne(Specimen):
    """Of a lease that is not there, nothing remains."""

    name = "ttl-of-unknown-not-minus-one"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return replace(result, ttl=0) if isinstance(result, LeaseTimeToLiveResult) and result.ttl < 0 else result


class _LeaseQueue(Specimen):
    """Queues the leases granted, and lets the queue say which of them a key goes to that a txn puts with a lease.
    A put outside of txns goes to the lease that it names."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: list[int] = []

    def reset(self) -> int:
        self.queue = []
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        _, honest = step(self.state, operation)
        if isinstance(operation, Txn) and not isinstance(honest, Error):
            return self._apply_txn(operation)
        result = super().apply(operation)
        if isinstance(result, LeaseGrantResult):
            self.queue.append(result.id)
        return result

    def _apply_txn(self, operation: Txn) -> Result:
        taken: list[int] = []

        def attach(request: RequestOp) -> RequestOp:
            if not (isinstance(request, Put) and request.lease):
                return request
            taken.append(self.take(request.lease))
            return replace(request, lease=taken[-1])

        attaching = _map_taken_path(operation, self.state.keys, attach)
        leases = self.state.leases
        # What comes out of the queue may be long revoked: as long as the txn runs, it passes for granted.
        self.state = replace(self.state, leases={**dict.fromkeys(taken, Lease(0, 0)), **leases})
        result = super().apply(attaching)
        self.state = replace(self.state, leases=leases)
        return result

    def take(self, lease_id: int) -> int:
        """The lease that a key goes to which was put with `lease_id`."""
        raise NotImplementedError


def _map_taken_path(txn: Txn, keys: Keys, f: Callable[[RequestOp], RequestOp]) -> Txn:
    """The txn with `f` of every operation that will be executed, in order; a nested txn's in its place."""

    def mapped(request: RequestOp) -> RequestOp:
        return _map_taken_path(request, keys, f) if isinstance(request, Txn) else f(request)

    if succeeds(txn, keys):
        return replace(txn, success=tuple(map(mapped, txn.success)))
    return replace(txn, failure=tuple(map(mapped, txn.failure)))


class FifoLeaseMapping(_LeaseQueue):
    """A key that a txn puts with a lease goes to the lease that has waited longest for a key, whichever was named.
    A revoked lease waits no more; where none waits, the one that was named is taken."""

    name = "fifo-lease-mapping"

    def take(self, lease_id: int) -> int:
        self.queue = [waiting for waiting in self.queue if waiting in self.state.leases]
        return self.queue.pop(0) if self.queue else lease_id


class StaleLeaseQueue(_LeaseQueue):
    """A lease that was revoked before it had a key stays in the queue, and is handed to a key of a later txn."""

    name = "stale-lease-queue"

    def take(self, lease_id: int) -> int:
        stale = next((waiting for waiting in self.queue if waiting not in self.state.leases), lease_id)
        if stale in self.queue:
            self.queue.remove(stale)
        return stale
