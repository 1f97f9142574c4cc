"""Programs that clients run: short, drawn, on few keys and few leases, so that clients meet.

A program is a generator. It yields an operation, is sent what came of it, and goes on from that: what it refers to are
its own earlier steps. Each value is written by one call only, so that a read shows whose write it saw.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from typing import TypeAlias

from etcd_lockstep.histories import Outcome
from etcd_model import operations as op
from etcd_model.results import LeaseGrantResult, RangeResult

Program: TypeAlias = "Generator[op.Operation, Outcome, None]"

KEYS = (b"a", b"b", b"c")
_WEIGHTS = (6, 3, 1)
_BIG_KEY = b"e"
_OFTEN = 200
"""Of what the weights of all other programs are half."""
_LENGTHS = 256
"""More than there are clients."""
LEASES = (7, 8, 9)
"""Shared by all clients: one revokes what another uses."""
_TTLS = (60, 600)
"""Seconds: longer than a round, so that what a lease's end deletes is a revoke's doing."""


class Draw:
    """Draws the programs of one client."""

    def __init__(self, source: random.Random, client: str, capabilities: frozenset[str], big: int = 0) -> None:
        """`client`: what each value begins with that it writes, but for big values, of so many bytes at least: they are
        told apart by their length, of which it makes each only once."""
        self._big = big
        self._source = source
        self._client = client
        self._values = 0
        able = [(program, weight) for program, weight, needs in _PROGRAMS if needs <= capabilities]
        self._programs = [program for program, _weight in able]
        self._weights = [weight for _program, weight in able]
        if big and "put" in capabilities:
            self._programs.append(Draw.write_big)
            self._weights.append(_OFTEN)

    def program(self) -> Program | None:
        """The next one; None where the store can do too little for any."""
        if not self._programs:
            return None
        (draw,) = self._source.choices(self._programs, self._weights)
        return draw(self)

    def _key(self) -> bytes:
        return self._source.choices(KEYS, _WEIGHTS)[0]

    def _value(self) -> bytes:
        self._values += 1
        return f"{self._client}.{self._values}".encode()

    def _put(self, key: bytes, lease: int = 0) -> op.Put:
        return op.Put(key, self._value(), lease=lease, prev_kv=self._source.random() < 0.3)

    def write_big(self) -> Program:
        """A value that takes a server time to write to its log."""
        self._big += _LENGTHS
        yield op.Put(_BIG_KEY, b"x" * self._big)

    def write(self) -> Program:
        yield self._put(self._key())

    def read(self) -> Program:
        chance = self._source.random()
        serializable = chance > 0.9
        one = op.Range(self._key(), serializable=serializable)
        yield one if chance < 0.5 else op.Range(b"a", b"d", serializable=serializable)

    def read_again(self) -> Program:
        """A read, and one of the same revision, which says the same."""
        outcome = yield op.Range(b"a", b"d")
        if isinstance(outcome, RangeResult) and outcome.revision > 0:
            yield op.Range(b"a", b"d", revision=outcome.revision)

    def delete(self) -> Program:
        chance = self._source.random()
        yield op.DeleteRange(b"a", b"c") if chance < 0.2 else op.DeleteRange(self._key(), prev_kv=chance > 0.7)

    def change(self) -> Program:
        """Read a key, and write it if nobody else did meanwhile."""
        key = self._key()
        outcome = yield op.Range(key)
        if not isinstance(outcome, RangeResult):
            return
        seen = outcome.kvs[0].mod_revision if outcome.kvs else 0
        unchanged = op.Compare(key, op.CompareTarget.MOD, op.CompareResult.EQUAL, seen)
        yield op.Txn((unchanged,), (self._put(key),), (op.Range(key),))

    def create(self) -> Program:
        """Create a key if it is not there, as locks do, and delete it if it is still the own one."""
        key, value = self._key(), self._value()
        missing = op.Compare(key, op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0)
        yield op.Txn((missing,), (op.Put(key, value),), (op.Range(key),))
        if self._source.random() < 0.7:
            own = op.Compare(key, op.CompareTarget.VALUE, op.CompareResult.EQUAL, value)
            yield op.Txn((own,), (op.DeleteRange(key),), ())

    def several(self) -> Program:
        """A txn that writes more than one key, and reads them."""
        first, second = self._source.sample(KEYS, 2)
        gone: op.RequestOp = op.DeleteRange(second) if self._source.random() < 0.3 else self._put(second)
        there = op.Compare(first, op.CompareTarget.VERSION, op.CompareResult.GREATER, self._source.randint(0, 2))
        guards = (there,) if self._source.random() < 0.5 else ()
        yield op.Txn(guards, (self._put(first), gone, op.Range(b"a", b"d")), (op.Range(b"a", b"d"), self._put(second)))

    def lease(self) -> Program:
        """Grant a lease, attach keys to it, and mostly revoke it."""
        lease_id = self._source.choice(LEASES)
        outcome = yield op.LeaseGrant(self._source.choice(_TTLS), lease_id)
        if not isinstance(outcome, LeaseGrantResult) and self._source.random() < 0.5:
            return
        for _ in range(self._source.randint(0, 2)):
            yield self._put(self._key(), lease_id)
        if self._source.random() < 0.7:
            yield op.LeaseRevoke(lease_id)

    def look_at_lease(self) -> Program:
        lease_id = self._source.choice(LEASES)
        if self._source.random() < 0.5:
            yield op.LeaseKeepAlive(lease_id)
        else:
            yield op.LeaseTimeToLive(lease_id, keys=True)


_TXN = frozenset({"range", "txn"})
_LEASE = frozenset({"lease_grant", "lease_revoke", "put"})
_PROGRAMS: tuple[tuple[Callable[[Draw], Program], int, frozenset[str]], ...] = (
    (Draw.write, 20, frozenset({"put"})),
    (Draw.read, 25, frozenset({"range"})),
    (Draw.read_again, 4, frozenset({"range"})),
    (Draw.delete, 6, frozenset({"delete_range"})),
    (Draw.change, 14, _TXN),
    (Draw.create, 10, _TXN | {"delete_range"}),
    (Draw.several, 8, _TXN),
    (Draw.lease, 8, _LEASE),
    (Draw.look_at_lease, 3, frozenset({"lease_keep_alive", "lease_time_to_live"})),
)
"""Each with its weight, and the operations that the store must know."""
