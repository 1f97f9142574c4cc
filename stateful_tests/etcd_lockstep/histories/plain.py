"""What most of a long history consists of, without the model's checks: txns and deletions of single keys that no check
can refuse. Anything else is left to the model; the tests hold this to the model's answers.
"""

from __future__ import annotations

from collections.abc import Mapping

from etcd_model.operations import DeleteRange, Put, Range, Txn
from etcd_model.results import DeleteRangeResult, Event, KeyValue, PutResult, RangeResult, ResponseOp, TxnResult
from etcd_model.txn import holds

PUT, DELETE = 0, 1
"""`Event.EventType`."""

_SMALL = 500_000
"""Bytes of keys and values up to which a request is surely not too large."""
_FEW = 64
"""Operations up to which a txn is surely not too long."""


def tombstone(key: bytes, revision: int) -> KeyValue:
    """What an event and a key's history have of a deletion."""
    return KeyValue(key, b"", create_revision=0, mod_revision=revision, version=0)


def is_plain_put(operation: Put) -> bool:
    """Whether nothing but a missing lease can refuse a put, and what it writes is what it says."""
    if operation.ignore_value or operation.ignore_lease or not operation.key:
        return False
    return len(operation.key) + len(operation.value) < _SMALL


def is_plain_range(operation: Range) -> bool:
    """Whether a read has no option that changes what it shows."""
    return not (
        operation.revision > 0
        or operation.limit
        or operation.sort_order
        or operation.sort_target
        or operation.keys_only
        or operation.count_only
        or operation.min_mod_revision
        or operation.max_mod_revision
        or operation.min_create_revision
        or operation.max_create_revision
    )


def written(operation: Put, old: KeyValue | None, revision: int) -> KeyValue:
    """What a plain put makes of a key."""
    key, value, lease = operation.key, operation.value, operation.lease
    if old is None:
        return KeyValue(key, value, revision, revision, 1, lease)
    return KeyValue(key, value, old.create_revision, revision, old.version + 1, lease)


def plain_delete(
    operation: DeleteRange, live: Mapping[bytes, KeyValue], revision: int
) -> tuple[DeleteRangeResult, tuple[Event, ...]]:
    """The deletion of one key in the next revision."""
    old = live.get(operation.key)
    if old is None:
        return DeleteRangeResult(revision - 1), ()
    before = (old,) if operation.prev_kv else ()
    return DeleteRangeResult(revision, 1, before), (Event(DELETE, tombstone(operation.key, revision)),)


def plain_txn(
    operation: Txn, live: Mapping[bytes, KeyValue], revision: int
) -> tuple[TxnResult, tuple[Event, ...]] | None:
    """A txn that makes the next revision, or none; None where it is not plain."""
    if not (_is_plain_branch(operation.success) and _is_plain_branch(operation.failure)):
        return None
    succeeded = True
    for compare in operation.compare:
        if compare.range_end or not compare.key:
            return None
        succeeded = succeeded and holds(compare, live)
    events: list[Event] = []
    responses: list[ResponseOp] = []
    made: dict[bytes, KeyValue | None] = {}
    for request in operation.success if succeeded else operation.failure:
        key = request.key  # type: ignore[union-attr]  # no txn
        old = made[key] if key in made else live.get(key)
        if type(request) is Put:
            made[key] = kv = written(request, old, revision)
            events.append(Event(PUT, kv))
            responses.append(PutResult(revision, old if request.prev_kv else None))
        elif type(request) is Range:
            kvs = () if old is None else (old,)
            responses.append(RangeResult(revision if events else revision - 1, kvs, count=len(kvs)))
        else:
            if old is not None:
                made[key] = None
                events.append(Event(DELETE, tombstone(key, revision)))
            gone = (old,) if old is not None and request.prev_kv else ()  # type: ignore[union-attr]  # a DeleteRange
            responses.append(DeleteRangeResult(revision if events else revision - 1, old is not None, gone))
    return TxnResult(revision if events else revision - 1, succeeded, tuple(responses)), tuple(events)


def _is_plain_branch(branch: tuple[object, ...]) -> bool:
    """Whether no check can refuse it: single keys, none written twice."""
    if len(branch) > _FEW:
        return False
    keys: set[bytes] = set()
    size = 0
    for request in branch:
        kind = type(request)
        if kind is Put:
            assert isinstance(request, Put)
            if not is_plain_put(request) or request.key in keys:
                return False
            keys.add(request.key)
            size += len(request.value)
        elif kind is DeleteRange:
            assert isinstance(request, DeleteRange)
            if request.range_end or not request.key or request.key in keys:
                return False
            keys.add(request.key)
        elif kind is Range:
            assert isinstance(request, Range)
            if request.range_end or not request.key or request.revision or not is_plain_range(request):
                return False
        else:
            return False
    return size < _SMALL
