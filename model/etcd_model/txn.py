"""Transactions: what is checked, in which order, and what is executed.

0. The quota (`quota`).
1. The structure: sizes, keys, options, of both branches and of everything nested.
2. No key is written twice, in either branch.
3. The caller, the size, alarms, permissions.
4. The compares, nested ones included, all against the state before the txn.
5. On the path that will be taken: keys that must exist, leases, revisions. Any failure refuses it all.
6. The operations, in order; each sees what those before it wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from etcd_model import kv, ranges
from etcd_model.admission import admit
from etcd_model.errors import DUPLICATE_KEY, EMPTY_KEY, KEY_NOT_FOUND, LEASE_NOT_FOUND, TOO_MANY_OPS, Error
from etcd_model.exhaustive import assert_never
from etcd_model.operations import Compare, CompareResult, CompareTarget, DeleteRange, Put, Range, RequestOp, Txn
from etcd_model.quirks import Quirks
from etcd_model.quota import refused
from etcd_model.results import KeyValue, RangeResult, ResponseOp, TxnResult
from etcd_model.state import Draft, Keys, State


def txn(state: State, operation: Txn) -> tuple[State, TxnResult | Error]:
    """Check, then execute on one draft: the whole txn is one revision, or none if it wrote nothing."""
    if state.server.over_quota and (over := refused(state, operation)):
        return over
    error = (
        _check_structure(operation, state.server.max_txn_ops, state.server.quirks)
        or _check_duplicates(operation)
        or admit(state, operation)
        or _check_taken_path(operation, state)
    )
    if error:
        return state, error
    draft = Draft(state)
    result = _execute(operation, state, draft)
    return draft.commit(state), result


def holds(compare: Compare, keys: Keys) -> bool:
    """Whether a compare is true of every key that it names (etcd server/etcdserver/txn/txn.go, applyCompare).

    Where there is no such key, VALUE is false whatever the result asked for, and a number compares as 0.
    """
    kvs = ranges.select(keys, compare.key, compare.range_end)
    if not kvs:
        return compare.target != CompareTarget.VALUE and _compare_one(compare, _ABSENT)
    return all(_compare_one(compare, kv) for kv in kvs)


_ABSENT = KeyValue(b"", b"", create_revision=0, mod_revision=0, version=0)

_TARGETS = {
    CompareTarget.VERSION: lambda kv: kv.version,
    CompareTarget.CREATE: lambda kv: kv.create_revision,
    CompareTarget.MOD: lambda kv: kv.mod_revision,
    CompareTarget.VALUE: lambda kv: kv.value,
    CompareTarget.LEASE: lambda kv: kv.lease,
}


def _compare_one(compare: Compare, kv: KeyValue) -> bool:
    """An unknown target counts as equal, an unknown result as true."""
    try:
        actual = _TARGETS[CompareTarget(compare.target)](kv)
    except ValueError:
        actual = compare.operand
    match compare.result:
        case CompareResult.EQUAL:
            return bool(actual == compare.operand)
        case CompareResult.NOT_EQUAL:
            return bool(actual != compare.operand)
        case CompareResult.GREATER:
            return bool(actual > compare.operand)
        case CompareResult.LESS:
            return bool(actual < compare.operand)
        case _:
            return True


def succeeds(operation: Txn, keys: Keys) -> bool:
    """Whether every compare holds, over the keys before the txn."""
    return all(holds(compare, keys) for compare in operation.compare)


def _check_structure(operation: Txn, budget: int, quirks: Quirks) -> Error | None:
    """The longest list of a txn is spent from a budget that shrinks with every level of nesting, and is not
    shared by siblings (etcd server/etcdserver/api/v3rpc/key.go, checkTxnRequest)."""
    longest = max(len(operation.compare), len(operation.success), len(operation.failure))
    if longest > budget:
        return TOO_MANY_OPS
    if any(not compare.key for compare in operation.compare):
        return EMPTY_KEY
    for request in chain(operation.success, operation.failure):
        match request:
            case Range():
                error = ranges.check(request, quirks)
            case Put():
                error = kv.check_put(request)
            case DeleteRange():
                error = kv.check_delete_range(request)
            case Txn():
                error = _check_structure(request, budget - longest, quirks)
            case _:
                assert_never(request)
        if error:
            return error
    return None


Interval = tuple[bytes, bytes]


class _WrittenTwice(Exception):
    """A key is put twice, or put and deleted, on what etcd takes for one path."""


def _check_duplicates(operation: Txn) -> Error | None:
    """The two branches may write the same keys: only one of them is taken."""
    try:
        _written(operation.success)
        _written(operation.failure)
    except _WrittenTwice:
        return DUPLICATE_KEY
    return None


def _written(requests: Sequence[RequestOp]) -> tuple[set[bytes], list[Interval]]:
    """The keys that a list of operations puts and the intervals it deletes (same file, checkIntervals).

    Ends are taken as they stand, so that a from-key delete overlaps nothing. The order of siblings matters:
    a nested txn's deletes are only compared with the nested txns after it, so put-then-delete
    passes where delete-then-put does not.
    """
    deletes = [_interval(request) for request in requests if isinstance(request, DeleteRange)]
    puts: set[bytes] = set()
    for request in requests:
        if isinstance(request, Txn):
            success_puts, success_deletes = _written(request.success)
            failure_puts, failure_deletes = _written(request.failure)
            _refuse_overlap(success_puts, puts, deletes)
            _refuse_overlap(failure_puts, puts, deletes)
            puts |= success_puts | failure_puts
            deletes += success_deletes + failure_deletes
    for request in requests:
        if isinstance(request, Put):
            _refuse_overlap({request.key}, puts, deletes)
            puts.add(request.key)
    return puts, deletes


def _interval(request: DeleteRange) -> Interval:
    return request.key, request.range_end or request.key + b"\x00"


def _refuse_overlap(new: set[bytes], puts: set[bytes], deletes: list[Interval]) -> None:
    if new & puts or any(low <= key < high for key in new for low, high in deletes):
        raise _WrittenTwice


def _check_taken_path(operation: Txn, state: State) -> Error | None:
    """Checks against the state before the txn (etcd server/etcdserver/txn/txn.go, checkTxn)."""
    requests = list(_taken(operation, state.keys))
    if not state.server.quirks.txn_checked_in_order:
        requests.sort(key=lambda request: not isinstance(request, Put))
    for request in requests:
        match request:
            case Put():
                key_missing = (request.ignore_value or request.ignore_lease) and request.key not in state.keys
                lease_missing = request.lease and request.lease not in state.leases
                if lease_missing and (state.server.quirks.txn_put_checks_lease_first or not key_missing):
                    return LEASE_NOT_FOUND
                if key_missing:
                    return KEY_NOT_FOUND
            case Range() if request.revision != 0:
                # Unlike in a Range of its own, a negative revision is compared with the compacted one.
                error = ranges.check_revision(request.revision, state)
                if error:
                    return error
    return None


def _taken(operation: Txn, keys: Keys) -> Iterator[Range | Put | DeleteRange]:
    """Every operation on the path that will be taken, nested ones in their place."""
    for request in operation.success if succeeds(operation, keys) else operation.failure:
        if isinstance(request, Txn):
            yield from _taken(request, keys)
        else:
            yield request


def _execute(operation: Txn, state: State, draft: Draft) -> TxnResult:
    succeeded = succeeds(operation, state.keys)
    branch = operation.success if succeeded else operation.failure
    responses = tuple(_execute_one(request, state, draft) for request in branch)
    return TxnResult(draft.header_revision, succeeded, responses)


def _execute_one(request: RequestOp, state: State, draft: Draft) -> ResponseOp:
    match request:
        case Range():
            return _read(request, state, draft)
        case Put():
            return kv.execute_put(draft, request)
        case DeleteRange():
            return kv.execute_delete_range(draft, request)
        case Txn():
            nested = _execute(request, state, draft)
            # The header of a nested answer is there, and empty.
            return TxnResult(0, nested.succeeded, nested.responses)
        case _:
            assert_never(request)


def _read(request: Range, state: State, draft: Draft) -> RangeResult:
    """A read of the current revision sees the txn's own writes; a read of a past one does not."""
    keys = state.keys_at(request.revision) if request.revision > 0 else draft.keys
    return ranges.read(request, keys, draft.header_revision, state.server.quirks)
