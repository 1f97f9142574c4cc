"""Which keys a range names, and what a read of it returns."""

from __future__ import annotations

from dataclasses import replace

from etcd_model.errors import (
    COMPACTED,
    CUSTOM_SORT_STREAMED,
    EMPTY_KEY,
    FUTURE_REVISION,
    INVALID_SORT_OPTION,
    REVISION_FILTERS_STREAMED,
    Error,
)
from etcd_model.operations import Range, SortOrder, SortTarget
from etcd_model.quirks import Quirks
from etcd_model.results import KeyValue, RangeResult
from etcd_model.state import Keys, State

FROM_KEY = b"\x00"
"""The range end that means every key from `key` on."""


def select(keys: Keys, key: bytes, range_end: bytes) -> list[KeyValue]:
    """The key-values that a range names, in ascending order of key: bytewise, a prefix of a key before it."""
    if not range_end:
        return [keys[key]] if key in keys else []
    if range_end == FROM_KEY:
        return [keys[k] for k in sorted(keys) if k >= key]
    return [keys[k] for k in sorted(keys) if key <= k < range_end]


def check(operation: Range, quirks: Quirks) -> Error | None:
    """What is wrong with the request itself (etcd server/etcdserver/api/v3rpc/key.go, checkRangeRequest)."""
    if not operation.key:
        return EMPTY_KEY
    if quirks.sort_options_validated and not (
        operation.sort_order in _SORT_ORDERS and operation.sort_target in _SORT_TARGETS
    ):
        return INVALID_SORT_OPTION
    return None


def check_streamed(operation: Range) -> Error | None:
    """What a RangeStream has no answer to (etcd server/etcdserver/api/v3rpc/key.go, checkRangeStreamRequest)."""
    if operation.sort_order != SortOrder.NONE and (
        operation.sort_order != SortOrder.ASCEND or operation.sort_target != SortTarget.KEY
    ):
        return CUSTOM_SORT_STREAMED
    return REVISION_FILTERS_STREAMED if _has_filters(operation) else None


def check_revision(revision: int, state: State) -> Error | None:
    """Whether a revision can be read; the compacted revision itself still can."""
    if revision > state.revision:
        return FUTURE_REVISION
    if revision < state.compact_revision:
        return COMPACTED
    return None


def read(operation: Range, keys: Keys, header_revision: int, quirks: Quirks) -> RangeResult:
    """Evaluate a range over the keys of one revision (etcd server/etcdserver/txn/range.go, Range).

    `count` is taken before limit and filters; the limit is applied last.
    """
    kvs = select(keys, operation.key, operation.range_end)
    count = len(kvs)
    if operation.count_only:
        return RangeResult(header_revision, count=count)
    limit = operation.limit if operation.limit > 0 else None
    filtered = _has_filters(operation)
    if limit is not None and operation.sort_order == SortOrder.NONE and not filtered:
        # etcd fetches one key more than it was asked for, before it sorts: with no sort order but a
        # sort target other than KEY, only these are sorted.
        kvs = kvs[: limit + 1]
    if filtered:
        kvs = [kv for kv in kvs if _passes_filters(kv, operation)]
    kvs = _sorted(kvs, operation)
    more = limit is not None and len(kvs) > limit
    kvs = kvs[:limit]
    if operation.keys_only:
        with_lease = not quirks.keys_only_omits_lease or operation.sort_target == SortTarget.VALUE
        kvs = [_without_value(kv, with_lease=with_lease) for kv in kvs]
    return RangeResult(header_revision, tuple(kvs), more, count)


def read_in_chunks(operation: Range, keys: Keys, header_revision: int, quirks: Quirks) -> RangeResult:
    """What the chunks of a RangeStream say together (etcd server/etcdserver/v3_server.go, rangeStream).

    Each is a read of its own, from behind the last key of the one before. That shows only where a sort target other
    than KEY, with no sort order, sorts each chunk for itself. etcd halves a chunk's limit where one was longer than
    3 MiB, which is left out here.
    """
    if operation.count_only:
        return read(operation, keys, header_revision, quirks)
    total = operation.limit or _UNLIMITED
    part = replace(operation, limit=min(_FIRST_CHUNK, total))
    kvs: list[KeyValue] = []
    while True:
        chunk = read(part, keys, header_revision, quirks)
        kvs += chunk.kvs
        if not chunk.more:
            return RangeResult(header_revision, tuple(kvs), count=len(kvs))
        next_key = chunk.kvs[-1].key + b"\0"
        if len(kvs) == total:
            rest = len(select(keys, next_key, operation.range_end))
            return RangeResult(header_revision, tuple(kvs), more=True, count=len(kvs) + rest)
        part = replace(part, key=next_key, limit=min(2 * part.limit, total - len(kvs)))


_FIRST_CHUNK = 10
"""How many keys the first chunk has at most (same file, initialStreamChunkLimit)."""

_UNLIMITED = 2**63 - 1


def _has_filters(operation: Range) -> bool:
    return any(
        (
            operation.min_mod_revision,
            operation.max_mod_revision,
            operation.min_create_revision,
            operation.max_create_revision,
        )
    )


def _without_value(kv: KeyValue, *, with_lease: bool) -> KeyValue:
    lease = kv.lease if with_lease else 0
    return KeyValue(kv.key, b"", kv.create_revision, kv.mod_revision, kv.version, lease)


def _passes_filters(kv: KeyValue, operation: Range) -> bool:
    """Zero is no filter; a negative bound is one."""
    return not (
        (operation.max_mod_revision and kv.mod_revision > operation.max_mod_revision)
        or (operation.min_mod_revision and kv.mod_revision < operation.min_mod_revision)
        or (operation.max_create_revision and kv.create_revision > operation.max_create_revision)
        or (operation.min_create_revision and kv.create_revision < operation.min_create_revision)
    )


_SORT_ORDERS = frozenset(SortOrder)
_SORT_TARGETS = frozenset(SortTarget)

_SORT_KEYS = {
    SortTarget.KEY: lambda kv: kv.key,
    SortTarget.VERSION: lambda kv: kv.version,
    SortTarget.CREATE: lambda kv: kv.create_revision,
    SortTarget.MOD: lambda kv: kv.mod_revision,
    SortTarget.VALUE: lambda kv: kv.value,
}


SORTED_STABLY = 6
"""Among how many elements Go's sort, which promises nothing about ties, leaves them in their order: it sorts few by
insertion. These are 12 since Go 1.19 (sort/zsortinterface.go); before, a step of Shell's sort looks 6 elements back."""


def has_unstable_ties(kvs: list[KeyValue], operation: Range) -> bool:
    """Whether some are equal in what they are sorted by, among so many that their order depends on the Go that built
    the server."""
    if len(kvs) <= SORTED_STABLY or operation.sort_target not in _SORT_KEYS:
        return False
    return len(set(map(_SORT_KEYS[SortTarget(operation.sort_target)], kvs))) < len(kvs)


def _sorted(kvs: list[KeyValue], operation: Range) -> list[KeyValue]:
    """Ties stay in ascending order of key, in a descending sort too, unless there are too many: `has_unstable_ties`."""
    order = operation.sort_order
    if order == SortOrder.NONE and operation.sort_target != SortTarget.KEY:
        order = SortOrder.ASCEND
    if order not in (SortOrder.ASCEND, SortOrder.DESCEND):
        return kvs
    return sorted(kvs, key=_SORT_KEYS[SortTarget(operation.sort_target)], reverse=order == SortOrder.DESCEND)
