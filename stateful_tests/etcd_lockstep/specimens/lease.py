"""Lies about leases, and about which keys go with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from etcd_lockstep.specimens.specimen import Specimen, map_requests
from etcd_model import Error, Operation, Result, State, step
from etcd_model.errors import LEASE_NOT_FOUND
from etcd_model.lease import attached
from etcd_model.operations import LeaseRevoke, LeaseTimeToLive, Put, RequestOp, Txn
from etcd_model.results import LeaseGrantResult, LeaseRevokeResult, LeaseTimeToLiveResult
from etcd_model.state import DeleteEvent, Keys, Lease
from etcd_model.txn import succeeds


class LeaseOnPutIgnored(Specimen):
    """A put's lease has to exist, but the key is not attached to it."""

    name = "lease-on-put-ignored"

    def apply(self, operation: Operation) -> Result:
        _, honest = step(self.state, operation)
        return honest if isinstance(honest, Error) else super().apply(map_requests(operation, _without_lease))


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


class UnknownRevokeAccepted(Specimen):
    """Revoking a lease that is not there succeeds."""

    name = "unknown-revoke-accepted"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, LeaseRevoke) and result == LEASE_NOT_FOUND:
            return LeaseRevokeResult(self.state.revision)
        return result


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
