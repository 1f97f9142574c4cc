"""Range: which key-values an answer holds, in which order (etcd: server/etcdserver/txn/range.go).

Ties in a sort stay in key order, ASCEND and DESCEND alike. That is what etcd answers for up to 12 results (a binary
built with Go before 1.19: up to 6); above, its order is Go's unstable sort's, which the fake doesn't imitate.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from fake_etcd.errors import Compacted, EmptyKey, FutureRev, InvalidSort, would_crash
from fake_etcd.quirks import Quirks
from fake_etcd.store import Record, Store
from fake_etcd.wire.messages import KeyValue, RangeRequest, RangeResponse

_NONE = RangeRequest.SortOrder.Value("NONE")
_ASCEND = RangeRequest.SortOrder.Value("ASCEND")
_DESCEND = RangeRequest.SortOrder.Value("DESCEND")
_KEY = RangeRequest.SortTarget.Value("KEY")
_VALUE = RangeRequest.SortTarget.Value("VALUE")

_SORT_KEYS: dict[int, Callable[[Record], Any]] = {
    _KEY: attrgetter("key"),
    RangeRequest.SortTarget.Value("VERSION"): attrgetter("version"),
    RangeRequest.SortTarget.Value("CREATE"): attrgetter("create_revision"),
    RangeRequest.SortTarget.Value("MOD"): attrgetter("mod_revision"),
    _VALUE: attrgetter("value"),
}


def check_range(request: RangeRequest, quirks: Quirks) -> None:
    """Refuse what no state could answer. etcd: server/etcdserver/api/v3rpc/key.go checkRangeRequest."""
    if not request.key:
        raise EmptyKey()
    if quirks.sort_options_validated and (
        request.sort_order not in (_NONE, _ASCEND, _DESCEND) or request.sort_target not in _SORT_KEYS
    ):
        raise InvalidSort()


def check_revision(store: Store, revision: int) -> None:
    """Refuse a plain Range's revision. Negative means current, as 0 does. etcd: mvcc/kvstore_txn.go rangeKeys."""
    if revision > store.revision:
        raise FutureRev()
    if 0 < revision < store.compact_revision:
        raise Compacted()


def check_revision_in_txn(store: Store, revision: int) -> None:
    """Refuse the revision of a Range inside a txn, before the txn has run.

    Here a negative revision is not "current": it is compared with the compacted revision, which is -1 before the first
    compaction (etcd: server/etcdserver/txn/range.go checkRange).
    """
    if revision > store.revision:
        raise FutureRev()
    if revision != 0 and revision < store.compact_revision:
        raise Compacted()


def crashes(request: RangeRequest, quirks: Quirks) -> bool:
    """Whether a real server dies of sorting: an unknown target, unless the order is unknown too and nothing sorts."""
    return (
        request.sort_target not in _SORT_KEYS
        and request.sort_order in (_NONE, _ASCEND, _DESCEND)
        and not quirks.sort_options_validated
    )


def crash(quirks: Quirks) -> Exception:
    """The answer to a request that `crashes`."""
    return would_crash(quirks.version, "a range with an unknown sort_target")


def answer_range(store: Store, request: RangeRequest, quirks: Quirks) -> RangeResponse:
    """Answer a Range that has passed its checks, without a header."""
    records = store.scan(request.key, request.range_end, request.revision)
    response = RangeResponse(count=len(records))  # neither limit nor filters change the count
    if request.count_only:
        return response
    limit = request.limit
    records = _select(records, request, limit)
    if 0 < limit < len(records):
        records = records[:limit]
        response.more = True
    keys_only = request.keys_only
    with_lease = not (keys_only and quirks.keys_only_omits_lease and request.sort_target != _VALUE)
    add = response.kvs.add
    for key, value, create_revision, mod_revision, version, lease in records:
        add(
            key=key,
            value=b"" if keys_only else value,
            create_revision=create_revision,
            mod_revision=mod_revision,
            version=version,
            lease=lease if with_lease else 0,
        )
    return response


def _select(records: list[Record], request: RangeRequest, limit: int) -> list[Record]:
    """Filter and sort; the limit is only what may keep a sort from seeing everything."""
    order: int = request.sort_order
    target: int = request.sort_target
    least_mod, most_mod = request.min_mod_revision, request.max_mod_revision
    least_create, most_create = request.min_create_revision, request.max_create_revision
    if least_mod or most_mod or least_create or most_create:
        records = [
            record
            for record in records
            if (not most_mod or record.mod_revision <= most_mod)
            and (not least_mod or record.mod_revision >= least_mod)
            and (not most_create or record.create_revision <= most_create)
            and (not least_create or record.create_revision >= least_create)
        ]
    elif order == _NONE and limit > 0:
        # etcd fetches limit+1 keys, and sorts only those: with sort_target VERSION, sort_order NONE and limit 1, of
        # a (version 9), b (version 2), c (version 1) it answers b.
        records = records[: limit + 1]
    if target != _KEY and order == _NONE:
        order = _ASCEND
    if order in (_ASCEND, _DESCEND) and (target, order) != (_KEY, _ASCEND):
        return sorted(records, key=_SORT_KEYS[target], reverse=order == _DESCEND)
    return records


def key_value(record: Record) -> KeyValue:
    """A record as the wire's message."""
    return KeyValue(
        key=record.key,
        value=record.value,
        create_revision=record.create_revision,
        mod_revision=record.mod_revision,
        version=record.version,
        lease=record.lease,
    )
