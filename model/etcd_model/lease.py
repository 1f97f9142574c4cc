"""The Lease service. A lease's keys are those whose `lease` names it: nothing else records the attachment."""

from __future__ import annotations

from dataclasses import replace

from etcd_model.admission import admit_call
from etcd_model.errors import LEASE_EXIST, LEASE_NOT_FOUND, LEASE_TTL_TOO_LARGE, Error
from etcd_model.events import deliver
from etcd_model.history_hash import settled
from etcd_model.operations import Advance, LeaseGrant, LeaseKeepAlive, LeaseLeases, LeaseRevoke, LeaseTimeToLive
from etcd_model.quota import refused
from etcd_model.results import (
    AdvanceResult,
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
    if state.server.over_quota and (over := refused(state, operation)):
        return over
    error = admit_call(state, operation) if state.guarded else None
    if error:
        return state, error
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
    state = expire(state, operation.id)
    return state, LeaseRevokeResult(state.revision)


def expire(state: State, lease_id: int) -> State:
    """The lease is gone, and its keys with it. Whoever watches a real server's leases expire does this when one did."""
    draft = Draft(state)
    for key in attached(state, lease_id):
        draft.delete(key)
    left = {held: lease for held, lease in state.leases.items() if held != lease_id}
    state = replace(draft.commit(state), leases=left)
    return deliver(state) if state.streams else state


def overdue(state: State) -> tuple[int, ...]:
    """The leases whose time is up but which have not expired yet, the soonest first. `advance` leaves none."""
    due = [(lease.expiry, lease_id) for lease_id, lease in state.leases.items() if lease.expiry <= state.now]
    return tuple(lease_id for _, lease_id in sorted(due))


def keep_alive(state: State, operation: LeaseKeepAlive) -> tuple[State, LeaseKeepAliveResult]:
    """An unknown lease is answered with a TTL of 0, not with an error."""
    lease = state.leases.get(operation.id)
    if lease is None:
        return state, LeaseKeepAliveResult(state.revision, operation.id, ttl=0)
    leases = {**state.leases, operation.id: Lease(lease.ttl, state.now + lease.ttl)}
    return replace(state, leases=leases), LeaseKeepAliveResult(state.revision, operation.id, lease.ttl)


def time_to_live(state: State, operation: LeaseTimeToLive) -> tuple[State, LeaseTimeToLiveResult]:
    """An unknown lease is answered with a TTL of -1. What remains is truncated to whole seconds, and some of
    the last one is always gone by the time of the answer: a fresh lease of 10 s reads 9. Of an overdue one
    nothing remains."""
    lease = state.leases.get(operation.id)
    if lease is None:
        return state, LeaseTimeToLiveResult(state.revision, operation.id, ttl=-1)
    keys = tuple(attached(state, operation.id)) if operation.keys else ()
    return state, LeaseTimeToLiveResult(
        state.revision, operation.id, max(lease.expiry - state.now - 1, 0), granted_ttl=lease.ttl, keys=keys
    )


def leases(state: State, _operation: LeaseLeases) -> tuple[State, LeaseLeasesResult]:
    """The soonest to expire comes first."""
    ids = sorted(state.leases, key=lambda lease_id: (state.leases[lease_id].expiry, lease_id))
    return state, LeaseLeasesResult(state.revision, tuple(ids))


def advance(state: State, operation: Advance) -> tuple[State, AdvanceResult]:
    """Time passes, and what is due by then expires, the soonest first: every lease by itself, in a revision of its own
    if it has keys (etcd server/etcdserver/server.go, revokeExpiredLeases). Those of one moment go in no
    certain order in a real etcd, by id here. A second is enough for any compaction to be carried out."""
    state = replace(settled(state) if operation.seconds > 0 else state, now=state.now + operation.seconds)
    for lease_id in overdue(state):
        state = expire(state, lease_id)
    return state, AdvanceResult()
