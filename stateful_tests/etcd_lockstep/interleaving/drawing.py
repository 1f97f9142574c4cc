"""Programs are drawn: short, on two keys and one lease, so that their calls meet."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from etcd_lockstep.interleaving.program import Program
from etcd_model import operations as op
from etcd_model.operations import Operation

LEASE = 7
_TTL = 600
_MOST_CLIENTS = 3
_MOST_CALLS = 3
"""Of one client."""
_KEYS = (b"a", b"b")


class Draw:
    """Draws programs for a store of which only some operations may be asked."""

    def __init__(self, source: random.Random, capabilities: Collection[str], keys: Sequence[bytes] = ()) -> None:
        """`keys`: to draw from, where the store treats some differently."""
        self._source = source
        self._keys = tuple(sorted(keys)[:2]) if len(keys) > 1 else _KEYS
        self._values = 0
        able = [(draw, weight) for draw, weight, needs in _CALLS if needs <= frozenset(capabilities)]
        self._calls = [draw for draw, _weight in able]
        self._weights = [weight for _draw, weight in able]
        self._can_put = "put" in capabilities
        self._has_leases = {"lease_grant", "put"} <= frozenset(capabilities)

    @property
    def possible(self) -> bool:
        """Whether the store can do enough for any call."""
        return bool(self._calls)

    def program(self) -> Program:
        clients = 2 if self._source.random() < 0.8 else _MOST_CLIENTS
        calls = tuple(
            tuple(self._call(number) for _ in range(self._source.randint(1, _MOST_CALLS)))
            for number in range(1, clients + 1)
        )
        before: list[Operation] = (
            [op.LeaseGrant(_TTL, LEASE)] if self._has_leases and self._source.random() < 0.6 else []
        )
        if self._can_put:
            before += [
                op.Put(self._key(), self._value(), lease=LEASE if before else 0)
                for _ in range(self._source.randint(0, 2))
            ]
        return Program(tuple(before), calls)

    def _call(self, number: int) -> Operation:
        (draw,) = self._source.choices(self._calls, self._weights)
        return draw(self, number)

    def _key(self) -> bytes:
        return self._source.choice(self._keys)

    def _value(self) -> bytes:
        self._values += 1
        return str(self._values).encode()

    @property
    def _end(self) -> bytes:
        return self._keys[-1] + b"\xff"

    def put(self, _number: int) -> op.Put:
        return op.Put(self._key(), self._value())

    def put_with_lease(self, _number: int) -> op.Put:
        return op.Put(self._key(), self._value(), lease=LEASE)

    def read(self, _number: int) -> Operation:
        return op.Range(self._key())

    def read_all(self, _number: int) -> Operation:
        return op.Range(self._keys[0], self._end)

    def delete(self, _number: int) -> Operation:
        return op.DeleteRange(self._key()) if self._source.random() < 0.7 else op.DeleteRange(self._keys[0], self._end)

    def create(self, _number: int) -> Operation:
        """Create a key if it is not there, as locks do."""
        key = self._key()
        missing = op.Compare(key, op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0)
        return op.Txn((missing,), (op.Put(key, self._value()),))

    def change(self, _number: int) -> Operation:
        """Write a key if it was written once, as counters do with a compare."""
        key = self._key()
        unchanged = op.Compare(key, op.CompareTarget.VERSION, op.CompareResult.EQUAL, 1)
        return op.Txn((unchanged,), (op.Put(key, self._value()),))

    def write_both(self, _number: int) -> Operation:
        return op.Txn(success=tuple(op.Put(key, self._value()) for key in self._keys))

    def grant(self, _number: int) -> Operation:
        return op.LeaseGrant(_TTL, LEASE)

    def revoke(self, _number: int) -> Operation:
        return op.LeaseRevoke(LEASE)

    def watch(self, number: int) -> Operation:
        return op.WatchCreate(self._keys[0], self._end, stream=number)


_Call: TypeAlias = Callable[[Draw, int], Operation]
_LEASES = frozenset({"lease_grant", "lease_revoke", "put"})
_CALLS: tuple[tuple[_Call, int, frozenset[str]], ...] = (
    (Draw.put, 20, frozenset({"put"})),
    (Draw.put_with_lease, 5, _LEASES),
    (Draw.read, 6, frozenset({"range"})),
    (Draw.read_all, 12, frozenset({"range"})),
    (Draw.delete, 10, frozenset({"delete_range"})),
    (Draw.create, 12, frozenset({"txn"})),
    (Draw.change, 6, frozenset({"txn"})),
    (Draw.write_both, 6, frozenset({"txn"})),
    (Draw.grant, 3, frozenset({"lease_grant"})),
    (Draw.revoke, 10, _LEASES),
    (Draw.watch, 8, frozenset({"watch_create", "watch_read", "put"})),
)
"""Each with its weight, and the operations that the store must know."""
