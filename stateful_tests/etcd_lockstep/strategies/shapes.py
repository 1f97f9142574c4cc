"""Transactions in the shapes that real clients send: stores that take no others are hardly exercised by random ones.

A shape is an example of an operation. What is drawn from it has the same form, with keys, values, leases and revisions
of the sequence: where the example compares a revision or a value, mostly the one that the key has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.trace import RevisionAt
from etcd_model import operations as op
from etcd_model.ranges import FROM_KEY

_SOME = 1
"""Stands where a lease, or a revision of the key, is to be."""


def _if(target: op.CompareTarget, operand: int | bytes, key: bytes = b"k") -> op.Compare:
    return op.Compare(key, target, op.CompareResult.EQUAL, operand)


_K, _MOD, _CREATE = b"k", op.CompareTarget.MOD, op.CompareTarget.CREATE
_FIRST = op.Range(_K, b"l", limit=1, sort_order=op.SortOrder.ASCEND, sort_target=op.SortTarget.CREATE)

CLIENT_TXNS: tuple[op.Txn, ...] = (
    # Kubernetes' storage: create, update, delete (apiserver/pkg/storage/etcd3/store.go)
    op.Txn((_if(_MOD, 0),), (op.Put(_K, b"v"),)),
    op.Txn((_if(_MOD, 0),), (op.Put(_K, b"v", _SOME),)),
    op.Txn((_if(_MOD, _SOME),), (op.Put(_K, b"v"),), (op.Range(_K),)),
    op.Txn((_if(_MOD, _SOME),), (op.DeleteRange(_K),), (op.Range(_K),)),
    # its compactor (apiserver/pkg/storage/etcd3/compact.go)
    op.Txn((_if(op.CompareTarget.VERSION, _SOME),), (op.Put(_K, b"v"),), (op.Range(_K),)),
    # etcd's own recipes: a mutex, an election's campaign, proclaim and resign (client/v3/concurrency)
    op.Txn((_if(_CREATE, 0),), (op.Put(_K, b"", _SOME), _FIRST), (op.Range(_K), _FIRST)),
    op.Txn((_if(_CREATE, 0),), (op.Put(_K, b"v", _SOME),), (op.Range(_K),)),
    op.Txn((_if(_CREATE, _SOME),), (op.Put(_K, b"v", _SOME),)),
    op.Txn((_if(_CREATE, _SOME),), (op.DeleteRange(_K),)),
    # its software transactional memory: what was read is as it was (client/v3/concurrency/stm.go)
    op.Txn((_if(_MOD, _SOME), _if(_MOD, _SOME, b"j")), (op.Put(_K, b"v"), op.DeleteRange(b"j")), (op.Range(_K),)),
    # etcd3 for Python: a lock is given back, a value replaced, a key put once (etcd3/locks.py, client.py); it takes a
    # lock as one campaigns
    op.Txn((_if(op.CompareTarget.VALUE, b"v"),), (op.DeleteRange(_K),), (op.Range(_K),)),
    op.Txn((_if(op.CompareTarget.VALUE, b"v"),), (op.Put(_K, b"w"),)),
    op.Txn((_if(op.CompareTarget.VERSION, 0),), (op.Put(_K, b"v"),)),
)
"""The transactions of Kubernetes, of etcd's recipes and of etcd3's."""


def client_txn(choices: ChoiceDecoder, state: GeneratorState) -> op.Txn:
    """One in the shape of a real client's, or of an example that a target gives."""
    shaped = like(choices.pick(state.txns or CLIENT_TXNS), choices, state)
    assert isinstance(shaped, op.Txn)
    return shaped


def like(shape: op.Operation, choices: ChoiceDecoder, state: GeneratorState) -> op.Operation:
    """An operation in the shape of another; one that is no put, range, deletion or txn stays as it is."""
    return _Filling(choices, state).operation(shape)


class _Filling:
    """What stands for the keys of one example."""

    def __init__(self, choices: ChoiceDecoder, state: GeneratorState) -> None:
        self._choices = choices
        self._state = state
        self._keys: dict[bytes, bytes] = {}

    def operation(self, shape: op.Operation) -> op.Operation:
        match shape:
            case op.Put() | op.Range() | op.DeleteRange():
                return self._part(shape)
            case op.Txn():
                compares = tuple(map(self._compare, shape.compare))
                return op.Txn(compares, self._branch(shape.success), self._branch(shape.failure))
            case _:
                return shape

    def _branch(self, shapes: Sequence[op.RequestOp]) -> tuple[op.RequestOp, ...]:
        return tuple(self.operation(shape) for shape in shapes)  # type: ignore[misc]  # each becomes one of its own class

    def _part(self, shape: op.Put | op.Range | op.DeleteRange) -> op.RequestOp:
        key = self._key(shape.key)
        if isinstance(shape, op.Put):
            value = self._state.value(self._choices) if shape.value else b""
            lease = self._state.lease(self._choices) if shape.lease else 0
            return replace(shape, key=key, value=value, lease=lease)
        if shape.range_end and shape.range_end != FROM_KEY:
            end = key[:-1] + bytes([key[-1] + 1]) if key and key[-1] < 0xFF else FROM_KEY
            return replace(shape, key=key, range_end=end)
        return replace(shape, key=key)

    def _compare(self, shape: op.Compare) -> op.Compare:
        key = self._key(shape.key, exists=bool(shape.operand))
        return replace(shape, key=key, operand=self._operand(shape, key) if shape.operand else shape.operand)

    def _operand(self, shape: op.Compare, key: bytes) -> int | bytes:
        there = self._state.there.get(key)
        stale = there is None or self._choices.one_in(4)
        match shape.target:
            case op.CompareTarget.VALUE:
                return self._state.value(self._choices) if stale or there is None else there.value
            case op.CompareTarget.MOD | op.CompareTarget.CREATE:
                if stale or there is None:
                    return self._state.revision(self._choices)
                return RevisionAt(there.modified if shape.target == op.CompareTarget.MOD else there.created)
            case op.CompareTarget.LEASE:
                return self._state.lease(self._choices)
            case _:
                return self._choices.pick((1, 2, 3))

    def _key(self, name: bytes, *, exists: bool = False) -> bytes:
        """The key that stands for one of the example's; `exists`: whether it is to be there already."""
        if name not in self._keys:
            there = tuple(self._state.there)
            of_those = exists and there and not self._choices.one_in(4)
            self._keys[name] = self._choices.pick(there) if of_those else self._state.key(self._choices)
        return self._keys[name]
