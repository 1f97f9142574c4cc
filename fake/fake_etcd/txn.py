"""Txn: which branches are taken, whether they can run, what they answer (etcd: server/etcdserver/txn/txn.go).

Everything that can fail is found out before the first write: a txn that is refused has changed nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fake_etcd import ranges, writes
from fake_etcd.errors import would_crash
from fake_etcd.lease import Lessor
from fake_etcd.quirks import Quirks
from fake_etcd.store import FROM_KEY, Record, Store
from fake_etcd.wire.messages import Compare, RequestOp, TxnRequest, TxnResponse

_EQUAL = Compare.CompareResult.Value("EQUAL")
_GREATER = Compare.CompareResult.Value("GREATER")
_LESS = Compare.CompareResult.Value("LESS")
_NOT_EQUAL = Compare.CompareResult.Value("NOT_EQUAL")
_VERSION = Compare.CompareTarget.Value("VERSION")
_CREATE = Compare.CompareTarget.Value("CREATE")
_MOD = Compare.CompareTarget.Value("MOD")
_VALUE = Compare.CompareTarget.Value("VALUE")
_LEASE = Compare.CompareTarget.Value("LEASE")

_MISSING = Record(b"", b"", 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Taken:
    """The branch that a txn takes: every op with its kind, a nested txn's with its own branch."""

    succeeded: bool
    ops: tuple[tuple[str, RequestOp, "Taken | None"], ...]

    def flat(self) -> Iterator[tuple[str, RequestOp]]:
        """The ops that do something, nested ones in their place."""
        for kind, op, nested in self.ops:
            if nested is None:
                yield kind, op
            else:
                yield from nested.flat()


def take(store: Store, request: TxnRequest) -> Taken:
    """Evaluate the compares, nested ones too: all of them against the state before the txn. etcd: compareToPath."""
    succeeded = all(_holds(store, compare) for compare in request.compare)
    ops = []
    for op in request.success if succeeded else request.failure:
        kind = op.WhichOneof("request") or ""
        ops.append((kind, op, take(store, op.request_txn) if kind == "request_txn" else None))
    return Taken(succeeded, tuple(ops))


def _holds(store: Store, compare: Compare) -> bool:
    """etcd: applyCompare. With a range_end, for every key in the range; an empty range is like a missing key."""
    records: Sequence[Record] = store.scan(compare.key, compare.range_end)
    if not records:
        if compare.target == _VALUE:
            return False  # whatever the operator: a missing value is not an empty one
        records = (_MISSING,)
    return all(_holds_for(record, compare) for record in records)


def _holds_for(record: Record, compare: Compare) -> bool:
    """etcd: compareKV. An unset or mismatching operand reads as 0 or empty, as it does on the wire."""
    target, result = compare.target, compare.result
    if target == _VALUE:
        sign = (record.value > compare.value) - (record.value < compare.value)
    else:
        sign = _sign(record, compare, target)
    if result == _EQUAL:
        return sign == 0
    if result == _NOT_EQUAL:
        return sign != 0
    if result == _GREATER:
        return sign > 0
    if result == _LESS:
        return sign < 0
    return True  # an unknown operator holds


def _sign(record: Record, compare: Compare, target: int) -> int:
    if target == _VERSION:
        return record.version - compare.version
    if target == _CREATE:
        return record.create_revision - compare.create_revision
    if target == _MOD:
        return record.mod_revision - compare.mod_revision
    if target == _LEASE:
        return record.lease - compare.lease
    return 0  # an unknown target is equal to anything


def check_taken(store: Store, lessor: Lessor, taken: Taken, quirks: Quirks) -> None:
    """Refuse ops that the state before the txn can't answer. etcd: checkTxn; before 3.6 two passes, puts first."""
    if quirks.txn_checked_in_order:
        passes: tuple[tuple[str, ...], ...] = (("request_put", "request_range"),)
    else:
        passes = (("request_put",), ("request_range",))
    for kinds in passes:
        for kind, op in taken.flat():
            if kind in kinds:
                _check_op(store, lessor, op, kind, quirks)
    _check_survival(taken, quirks)


def _check_op(store: Store, lessor: Lessor, op: RequestOp, kind: str, quirks: Quirks) -> None:
    if kind == "request_range":
        ranges.check_revision_in_txn(store, op.request_range.revision)
    elif quirks.txn_put_checks_lease_first:
        writes.check_lease(lessor, op.request_put)
        writes.check_previous(store, op.request_put)
    else:
        writes.check_previous(store, op.request_put)
        writes.check_lease(lessor, op.request_put)


def _check_survival(taken: Taken, quirks: Quirks) -> None:
    """Refuse what kills a real server while it executes the txn.

    A put with ignore_value or ignore_lease was found to have a previous key-value, but a from-key delete, which the
    search for duplicates overlooks, may remove it before the put runs.
    """
    deleted_from: bytes | None = None
    for kind, op in taken.flat():
        if kind == "request_range" and ranges.crashes(op.request_range, quirks):
            raise ranges.crash(quirks)
        if kind == "request_delete_range" and op.request_delete_range.range_end == FROM_KEY:
            key = op.request_delete_range.key
            deleted_from = key if deleted_from is None else min(deleted_from, key)
        elif kind == "request_put" and deleted_from is not None and deleted_from <= op.request_put.key:
            request = op.request_put
            if request.ignore_value or request.ignore_lease:
                raise would_crash(
                    quirks.version, "a txn that deletes a key from a range without end, then puts it with ignore_*"
                )


def execute(store: Store, taken: Taken, quirks: Quirks) -> TxnResponse:
    """Run the taken ops in order, each seeing the writes before it. Without a header and not committed yet."""
    response = TxnResponse()
    _execute(store, taken, quirks, response)
    return response


def _execute(store: Store, taken: Taken, quirks: Quirks, response: TxnResponse) -> None:
    """An op's own header has a revision and nothing else; a nested txn's header is there and has nothing at all."""
    response.succeeded = taken.succeeded
    for kind, op, nested in taken.ops:
        result = response.responses.add()
        if nested is not None:
            result.response_txn.header.SetInParent()
            _execute(store, nested, quirks, result.response_txn)
        elif kind == "request_range":
            result.response_range.CopyFrom(ranges.answer_range(store, op.request_range, quirks))
            result.response_range.header.revision = store.now
        elif kind == "request_put":
            result.response_put.CopyFrom(writes.put(store, op.request_put))
            result.response_put.header.revision = store.now
        else:
            result.response_delete_range.CopyFrom(writes.delete_range(store, op.request_delete_range))
            result.response_delete_range.header.revision = store.now
