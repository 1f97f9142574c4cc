"""Which calls of a history share a key or a lease, directly or through others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sortedcontainers import SortedList

from etcd_lockstep.histories.history import Call
from etcd_lockstep.histories.store import footprint, lease_ids
from etcd_model.operations import Compact, LeaseGrant, LeaseKeepAlive, LeaseLeases, LeaseRevoke, LeaseTimeToLive
from etcd_model.ranges import FROM_KEY
from etcd_model.results import LeaseGrantResult


class _Forest:
    """Disjoint sets, by their members."""

    def __init__(self) -> None:
        self._parent: dict[Any, Any] = {}

    def root(self, member: Any) -> Any:
        parent = self._parent
        above = parent.setdefault(member, member)
        while above != member:
            parent[member] = parent[above]
            member, above = parent[member], parent[parent[member]]
        return member

    def join(self, one: Any, other: Any) -> None:
        self._parent[self.root(one)] = self.root(other)


def objects(calls: Sequence[Call]) -> list[list[int]]:
    """The calls in groups, none of which shares a key or a lease with another; each in the order of the history."""
    forest = _Forest()
    points = SortedList({key for call in calls for key, range_end in footprint(call.operation) if not range_end})
    whole = any(isinstance(call.operation, LeaseLeases | Compact) for call in calls)
    for index, call in enumerate(calls):
        member = ("call", index)
        if whole:
            forest.join(member, "everything")
        for key, range_end in footprint(call.operation):
            forest.join(member, ("key", key) if not range_end else ("range", key, range_end))
            if range_end:
                for point in _within(points, key, range_end):
                    forest.join(member, ("key", point))
        for lease_id in (*lease_ids(call.operation), *_own_leases(call)):
            forest.join(member, ("lease", lease_id))
    groups: dict[Any, list[int]] = {}
    for index in range(len(calls)):
        groups.setdefault(forest.root(("call", index)), []).append(index)
    return list(groups.values())


def _within(points: Any, key: bytes, range_end: bytes) -> list[bytes]:
    return list(points.irange(key) if range_end == FROM_KEY else points.irange(key, range_end, (True, False)))


def _own_leases(call: Call) -> list[int]:
    match call.operation:
        case LeaseGrant(id=lease_id):
            return [call.outcome.id] if isinstance(call.outcome, LeaseGrantResult) else [lease_id]
        case LeaseRevoke(id=lease_id) | LeaseKeepAlive(id=lease_id) | LeaseTimeToLive(id=lease_id):
            return [lease_id]
    return []
