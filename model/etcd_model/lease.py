"""The Lease service. A lease's keys are those whose `lease` names it: nothing else records the attachment."""

from __future__ import annotations

from dataclasses import replace

from etcd_model.errors import LEASE_EXIST, LEASE_NOT_FOUND, LEASE_TTL_TOO_LARGE, Error
from etcd_model.operations import LeaseGrant, LeaseKeepAlive, LeaseLeases, LeaseRevoke, LeaseTimeToLive
from etcd_model.results import (
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
)
from etcd_model.state import Draft, Lease, State

MAX_TTL = 9_000_000_000
"""Seconds (etcd server/lease/lessor.go, MaxLeaseTTL)."""


def grant(state: State, operation: LeaseGrant) -> tuple[State, LeaseGrantResult | Error]:
    """A TTL under the server's minimum, zero and negatives included, becomes the minimum."""
    if operation.ttl > MAX_TTL:
        return state, LEASE_TTL_TOO_LARGE
    if operation.id in state.leases:
        return state, LEASE_EXIST
    ttl = max(operation.ttl, state.server.min_lease_ttl)
    lease_id = operation.id or state.next_lease_id
    state = replace(
        state,
        leases={**state.leases, lease_id: Lease(ttl, state.now + ttl)},
        next_lease_id=state.next_lease_id + (not operation.id),
    )
    return state, LeaseGrantResult(state.revision, lease_id, ttl)


def attached(state: State, lease_id: int) -> list[bytes]:
    """The keys of a lease, ascending."""
    return sorted(kv.key for kv in state.keys.values() if kv.lease == lease_id)


def revoke(state: State, operation: LeaseRevoke) -> tuple[State, LeaseRevokeResult | Error]:
    """All keys of the lease go in one revision, in ascending order; with no key there is none."""
    if operation.id not in state.leases:
        return state, LEASE_NOT_FOUND
    draft = Draft(state)
    for key in attached(state, operation.id):
        draft.delete(key)
    left = {lease_id: lease for lease_id, lease in state.leases.items() if lease_id != operation.id}
    state = replace(draft.commit(state), leases=left)
    return state, LeaseRevokeResult(state.revision)


def keep_alive(state: State, operation: LeaseKeepAlive) -> tuple[State, LeaseKeepAliveResult]:
    """An unknown lease is answered with a TTL of 0, not with an error."""
    lease = state.leases.get(operation.id)
    if lease is None:
        return state, LeaseKeepAliveResult(state.revision, operation.id, ttl=0)
    leases = {**state.leases, operation.id: Lease(lease.ttl, state.now + lease.ttl)}
    return replace(state, leases=leases), LeaseKeepAliveResult(state.revision, operation.id, lease.ttl)


def time_to_live(state: State, operation: LeaseTimeToLive) -> tuple[State, LeaseTimeToLiveResult]:
    """An unknown lease is answered with a TTL of -1. What remains is truncated to whole seconds, and some of
    the last one is always gone by the time of the answer: a fresh lease of 10 s reads 9."""
    lease = state.leases.get(operation.id)
    if lease is None:
        return state, LeaseTimeToLiveResult(state.revision, operation.id, ttl=-1)
    keys = tuple(attached(state, operation.id)) if operation.keys else ()
    return state, LeaseTimeToLiveResult(
        state.revision, operation.id, lease.expiry - state.now - 1, granted_ttl=lease.ttl, keys=keys
    )


def leases(state: State, _operation: LeaseLeases) -> tuple[State, LeaseLeasesResult]:
    """The soonest to expire comes first."""
    ids = sorted(state.leases, key=lambda lease_id: (state.leases[lease_id].expiry, lease_id))
    return state, LeaseLeasesResult(state.revision, tuple(ids))
