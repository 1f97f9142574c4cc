"""Leases: what is granted, until when, and which keys are bound (etcd: server/lease/lessor.go)."""

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from fake_etcd.errors import LeaseExist, LeaseNotFound, LeaseTTLTooLarge

MAX_TTL = 9_000_000_000
"""etcd: server/lease/lessor.go MaxLeaseTTL."""

_FIRST_PICKED_ID = 0x694D_0000_0000_0001


class Lease:
    """One granted lease."""

    __slots__ = ("expiry", "id", "keys", "ttl")

    def __init__(self, id: int, ttl: int, expiry: float) -> None:
        self.id = id
        self.ttl = ttl
        self.expiry = expiry
        self.keys: set[bytes] = set()


_SLACK = 64
"""How many entries the queue of expiries may have beyond twice the leases, before what is stale goes."""


class Lessor:
    """All leases by their id. It never acts by itself: whoever has the clock asks what is `due`."""

    __slots__ = ("_clock", "_expiries", "_granted", "_leases", "_min_ttl", "_next_id")

    def __init__(self, min_ttl: int, clock: Callable[[], float]) -> None:
        self._min_ttl = min_ttl
        self._clock = clock
        self._leases: dict[int, Lease] = {}
        self._expiries: list[tuple[float, int, int, Lease]] = []
        """A heap with one entry for each lease, at its expiry or before it, and some of leases that are gone."""
        self._granted = 0
        self._next_id = _FIRST_PICKED_ID

    def __contains__(self, id: int) -> bool:
        return id in self._leases

    def get(self, id: int) -> Lease | None:
        """The lease, if it is granted."""
        return self._leases.get(id)

    def grant(self, id: int, ttl: int) -> Lease:
        """Grant a lease. Id 0 picks a free positive one, any other is taken as it is; a short TTL becomes the minimum.

        etcd: server/etcdserver/v3_server.go LeaseGrant, server/lease/lessor.go Grant.
        """
        if ttl > MAX_TTL:
            raise LeaseTTLTooLarge()
        if id == 0:
            id = self._pick_id()
        elif id in self._leases:
            raise LeaseExist()
        ttl = max(ttl, self._min_ttl)
        lease = self._leases[id] = Lease(id, ttl, self._clock() + ttl)
        if len(self._expiries) > 2 * len(self._leases) + _SLACK:
            self._expiries = [entry for entry in self._expiries if self._leases.get(entry[1]) is entry[3]]
            heapify(self._expiries)
        self._push(lease)
        return lease

    def _push(self, lease: Lease) -> None:
        self._granted += 1
        heappush(self._expiries, (lease.expiry, lease.id, self._granted, lease))

    def due(self, now: float) -> Lease | None:
        """The next lease whose time is over, by expiry and then by id; it stays granted until somebody revokes it.

        etcd: server/lease/lessor.go findDueScheduledExpiries, server/lease/lease_queue.go. A real server looks every
        500 ms, and takes those that are due at once in any order.
        """
        expiries = self._expiries
        while expiries and expiries[0][0] <= now:
            expiry, id, _, lease = expiries[0]
            if self._leases.get(id) is lease:
                if lease.expiry == expiry:
                    return lease
                heappop(expiries)  # renewed since
                self._push(lease)
            else:
                heappop(expiries)
        return None

    def _pick_id(self) -> int:
        while self._next_id in self._leases:
            self._next_id += 1
        self._next_id += 1
        return self._next_id - 1

    def forget(self, id: int) -> None:
        """End a lease whose keys are deleted."""
        del self._leases[id]

    def require(self, id: int) -> Lease:
        """The lease, or LeaseNotFound."""
        lease = self._leases.get(id)
        if lease is None:
            raise LeaseNotFound()
        return lease

    def renew(self, lease: Lease) -> None:
        """Start the lease's full TTL anew."""
        lease.expiry = self._clock() + lease.ttl

    def postpone(self, seconds: float) -> None:
        """Let every lease end so much later."""
        for lease in self._leases.values():
            lease.expiry += seconds
        self._expiries = []
        for lease in self._leases.values():
            self._push(lease)

    def remaining(self, lease: Lease) -> int:
        """The whole seconds left; negative only where something (a CORRUPT alarm) keeps an overdue lease from its end.

        A real server's clock has moved on between grant and question, so its truncation makes 9 of a lease just
        granted for 10 seconds (etcd: server/etcdserver/v3_server.go leaseTimeToLive); so it does on a clock that
        stands still.
        """
        left = round(lease.expiry - self._clock(), 6)  # finer than any clock here, coarser than a float's error
        return math.ceil(left) - 1 if left > 0 else math.trunc(left)

    def by_expiry(self) -> list[Lease]:
        """All leases, the next to expire first; etcd orders equal ones at random, this is by time of grant."""
        return sorted(self._leases.values(), key=lambda lease: lease.expiry)

    def attach(self, id: int, key: bytes) -> None:
        """Bind a key to a lease that exists."""
        self._leases[id].keys.add(key)

    def detach(self, id: int, key: bytes) -> None:
        """Free a key of the lease it is bound to, which a database may have lost."""
        if id in self._leases:
            self._leases[id].keys.discard(key)
