"""Whole mocks, in the styles in which projects write their own for the tests of a program that uses etcd.

Each is a map of keys with as much of etcd around it as such a program needs, and was written from a description of its
style alone. What it leaves out is 0 or empty in its answers; what it can't do at all it raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from etcd_lockstep.names import operation_name
from etcd_lockstep.target import Target
from etcd_model import operations as op
from etcd_model import results as res
from etcd_model.errors import LEASE_NOT_FOUND


class MapMock(Target):
    """A map of keys, with a revision that counts the writes."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.data: dict[bytes, res.KeyValue] = {}
        self.revision = 1
        self.leases: dict[int, set[bytes]] = {}

    def reset(self) -> int:
        self._forget()
        return self.revision

    def apply(self, operation: op.Operation) -> res.Result:
        match operation:
            case op.Range():
                return self.get(operation)
            case op.Put():
                return self.put(operation)
            case op.DeleteRange():
                return self.delete(operation)
            case op.Txn():
                return self.txn(operation)
            case op.LeaseGrant():
                return self.grant(operation)
            case op.LeaseRevoke():
                return self.revoke(operation)
            case _:
                raise NotImplementedError(operation_name(type(operation)))

    def in_range(self, key: bytes, range_end: bytes) -> list[res.KeyValue]:
        """The key-values from a key up to an end; the one key where there is none."""
        if not range_end:
            return [self.data[key]] if key in self.data else []
        return [self.data[one] for one in sorted(self.data) if key <= one and (range_end == b"\0" or one < range_end)]

    def get(self, request: op.Range) -> res.Result:
        found = self.in_range(request.key, request.range_end)
        limit = request.limit if request.limit > 0 else len(found)
        return res.RangeResult(self.revision, tuple(found[:limit]), count=len(found))

    def put(self, request: op.Put) -> res.Result:
        self.revision += 1
        self.data[request.key] = self.written(request)
        if request.lease in self.leases:
            self.leases[request.lease].add(request.key)
        return res.PutResult(self.revision)

    def written(self, request: op.Put) -> res.KeyValue:
        old = self.data.get(request.key)
        created = old.create_revision if old else self.revision
        version = old.version + 1 if old else 1
        return res.KeyValue(request.key, request.value, created, self.revision, version, request.lease)

    def delete(self, request: op.DeleteRange) -> res.Result:
        gone = self.in_range(request.key, request.range_end)
        self.revision += bool(gone)
        for kv in gone:
            del self.data[kv.key]
        return res.DeleteRangeResult(self.revision, len(gone))

    def txn(self, request: op.Txn) -> res.Result:
        succeeded = all(map(self.holds, request.compare))
        responses = tuple(self.apply(one) for one in (request.success if succeeded else request.failure))
        return res.TxnResult(self.revision, succeeded, responses)  # type: ignore[arg-type]  # reads and writes alone

    def holds(self, compare: op.Compare) -> bool:
        kv = self.data.get(compare.key, res.KeyValue(compare.key, b"", 0, 0, 0))
        actual = {
            op.CompareTarget.VERSION: kv.version,
            op.CompareTarget.CREATE: kv.create_revision,
            op.CompareTarget.MOD: kv.mod_revision,
            op.CompareTarget.VALUE: kv.value,
            op.CompareTarget.LEASE: kv.lease,
        }[op.CompareTarget(compare.target)]
        return _OPERATORS[op.CompareResult(compare.result)](actual, compare.operand)

    def next_lease(self, request: op.LeaseGrant) -> int:
        return request.id or len(self.leases) + 1

    def grant(self, request: op.LeaseGrant) -> res.Result:
        lease = self.next_lease(request)
        self.leases.setdefault(lease, set())
        return res.LeaseGrantResult(self.revision, lease, request.ttl)

    def revoke(self, request: op.LeaseRevoke) -> res.Result:
        if request.id not in self.leases:
            return LEASE_NOT_FOUND
        keys = [key for key in self.leases.pop(request.id) if key in self.data]
        self.revision += bool(keys)
        for key in keys:
            del self.data[key]
        return res.LeaseRevokeResult(self.revision)


_OPERATORS: dict[op.CompareResult, Callable[[object, object], bool]] = {
    op.CompareResult.EQUAL: lambda actual, operand: actual == operand,
    op.CompareResult.NOT_EQUAL: lambda actual, operand: actual != operand,
    op.CompareResult.GREATER: lambda actual, operand: _number(actual) > _number(operand),
    op.CompareResult.LESS: lambda actual, operand: _number(actual) < _number(operand),
}


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _capabilities(*more: type[op.Operation]) -> frozenset[str]:
    return frozenset(map(operation_name, (op.Range, op.Put, op.DeleteRange, op.Txn, *more)))


class PerKeyRevisionMock(MapMock):
    """A mock whose keys each count their own revisions; there is none of the store, and no leases."""

    name = "per-key-revision-mock"
    capabilities = _capabilities()

    def apply(self, operation: op.Operation) -> res.Result:
        result = super().apply(operation)
        self.revision = 1
        return result

    def written(self, request: op.Put) -> res.KeyValue:
        old = self.data.get(request.key)
        mod = old.mod_revision + 1 if old else 1
        return res.KeyValue(request.key, request.value, 1, mod, mod)


def _take(put: op.Put, *otherwise: op.RequestOp) -> op.Txn:
    return op.Txn((op.Compare(put.key, op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0),), (put,), otherwise)


class TtlIsLeaseMock(MapMock):
    """A mock in which the id of a lease is its TTL, and a txn puts a key if it is absent, and reads it if it is not."""

    name = "ttl-is-lease-mock"
    capabilities = _capabilities(op.LeaseGrant, op.LeaseRevoke)
    txns: ClassVar[tuple[op.Txn, ...]] = (
        _take(op.Put(b"k", b"v")),
        _take(op.Put(b"k", b"v", 1)),
        _take(op.Put(b"k", b"v", 1), op.Range(b"k")),
    )

    def next_lease(self, request: op.LeaseGrant) -> int:
        return request.ttl

    def txn(self, request: op.Txn) -> res.Result:
        if not (request.compare and request.success and isinstance(request.success[0], op.Put)):
            raise NotImplementedError("a txn that is no compare and put")
        first = request.success[0]
        taken = first.key in self.data
        return super().txn(op.Txn((), (op.Range(first.key),)) if taken else op.Txn((), (first,)))


class FirstLeaseIsZeroMock(MapMock):
    """A mock whose lease ids count from 0, which is also what a put without a lease says."""

    name = "first-lease-is-zero-mock"
    capabilities = _capabilities(op.LeaseGrant, op.LeaseRevoke)

    def next_lease(self, request: op.LeaseGrant) -> int:
        return request.id or len(self.leases)


class ValuesOnlyMock(MapMock):
    """A mock that keeps values and nothing else; whatever a compare is about, it compares the value."""

    name = "values-only-mock"
    capabilities = _capabilities()

    def holds(self, compare: op.Compare) -> bool:
        kv = self.data.get(compare.key)
        value = kv.value if kv else b""
        operand = compare.operand if isinstance(compare.operand, bytes) else str(compare.operand or "").encode()
        return _OPERATORS[op.CompareResult(compare.result)](value, operand)

    def written(self, request: op.Put) -> res.KeyValue:
        return res.KeyValue(request.key, request.value, 0, 0, 0)
