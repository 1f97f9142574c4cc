"""The KV service outside of transactions: Range, RangeStream, Put, DeleteRange, Compact."""

from __future__ import annotations

from etcd_model import ranges
from etcd_model.admission import admit
from etcd_model.errors import (
    COMPACTED,
    EMPTY_KEY,
    FUTURE_REVISION,
    KEY_NOT_FOUND,
    LEASE_NOT_FOUND,
    LEASE_PROVIDED,
    VALUE_PROVIDED,
    Error,
)
from etcd_model.history_hash import compacted, settled
from etcd_model.operations import Compact, DeleteRange, Put, Range, RangeStream
from etcd_model.quota import refused
from etcd_model.results import CompactResult, DeleteRangeResult, PutResult, RangeResult
from etcd_model.state import Draft, State


def range_(state: State, operation: Range) -> tuple[State, RangeResult | Error]:
    """A revision of zero or less is the current one; the header always reports the current one."""
    streamed = isinstance(operation, RangeStream)
    error = (
        ranges.check(operation, state.server.quirks)
        or (ranges.check_streamed(operation) if streamed else None)
        or (admit(state, operation) if state.guarded else None)
        or ranges.check_revision(max(operation.revision, 0) or state.revision, state)
    )
    if error:
        return state, error
    keys = state.keys_at(operation.revision) if operation.revision > 0 else state.keys
    read = ranges.read_in_chunks if streamed else ranges.read
    return state, read(operation, keys, state.revision, state.server.quirks)


def put(state: State, operation: Put) -> tuple[State, PutResult | Error]:
    """An unknown lease is found out before a missing key is; inside a txn it is the other way round."""
    if state.server.over_quota and (over := refused(state, operation)):
        return over
    error = check_put(operation) or admit(state, operation)
    if error:
        return state, error
    if operation.lease and operation.lease not in state.leases:
        return state, LEASE_NOT_FOUND
    if (operation.ignore_value or operation.ignore_lease) and operation.key not in state.keys:
        return state, KEY_NOT_FOUND
    draft = Draft(state)
    result = execute_put(draft, operation)
    return draft.commit(state), result


def check_put(operation: Put) -> Error | None:
    """What is wrong with the request itself (etcd server/etcdserver/api/v3rpc/key.go, checkPutRequest)."""
    if not operation.key:
        return EMPTY_KEY
    if operation.ignore_value and operation.value:
        return VALUE_PROVIDED
    if operation.ignore_lease and operation.lease:
        return LEASE_PROVIDED
    return None


def execute_put(draft: Draft, operation: Put) -> PutResult:
    """A put without a lease detaches the key from the one it had, ignore_value or not."""
    old = draft.keys.get(operation.key)
    draft.put(
        operation.key,
        value=old.value if operation.ignore_value and old else operation.value,
        lease=old.lease if operation.ignore_lease and old else operation.lease,
    )
    return PutResult(draft.header_revision, old if operation.prev_kv else None)


def delete_range(state: State, operation: DeleteRange) -> tuple[State, DeleteRangeResult | Error]:
    """Deleting nothing succeeds, and makes no revision."""
    error = check_delete_range(operation) or admit(state, operation)
    if error:
        return state, error
    draft = Draft(state)
    result = execute_delete_range(draft, operation)
    return draft.commit(state), result


def check_delete_range(operation: DeleteRange) -> Error | None:
    """What is wrong with the request itself (etcd server/etcdserver/api/v3rpc/key.go, checkDeleteRequest)."""
    return None if operation.key else EMPTY_KEY


def execute_delete_range(draft: Draft, operation: DeleteRange) -> DeleteRangeResult:
    """Keys go in ascending order."""
    gone = ranges.select(draft.keys, operation.key, operation.range_end)
    for kv in gone:
        draft.delete(kv.key)
    return DeleteRangeResult(draft.header_revision, len(gone), tuple(gone) if operation.prev_kv else ())


def compact(state: State, operation: Compact) -> tuple[State, CompactResult | Error]:
    """Compacted is tested before the future is (etcd server/storage/mvcc/kvstore.go, updateCompactRev).

    In a fresh store, whose compact revision is -1, revision 0 can be compacted once.
    """
    if operation.revision <= state.compact_revision:
        return settled(state) if operation.physical else state, COMPACTED
    if operation.revision > state.revision:
        return state, FUTURE_REVISION
    return compacted(state, operation), CompactResult(state.revision)
