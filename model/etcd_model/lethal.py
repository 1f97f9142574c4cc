"""Requests that kill a real server. They are legal to send, so nobody but the sender can hold them back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from etcd_model.operations import Compact, DeleteRange, Operation, Put, Range, RequestOp, SortTarget, Txn
from etcd_model.quirks import Quirks
from etcd_model.ranges import FROM_KEY
from etcd_model.state import DeleteEvent, PutEvent, State

_SORT_TARGETS = frozenset(SortTarget)


def lethal(operation: Operation, state: State) -> str | None:
    """Why a real server in this state would die of the operation, at once or later; or None.

    - An unknown sort target panics where sort options are not validated (before 3.6).
    - A from-key delete escapes the check for keys written twice; a put of the same txn that keeps the
      value or the lease of a key it has deleted panics while it is being applied, in every version and
      again at each restart, since it is in the log by then. This is judged by what the txn holds anywhere:
      too careful rather than not enough.
    - Where a txn has deleted and then put one key, a compaction at its very revision loses the put
      (`Quirks.compaction_keeps_tombstones`).
    """
    match operation:
        case Range() | Txn():
            return _lethal_request(operation, state.server.quirks)
        case Compact() if state.server.quirks.compaction_keeps_tombstones:
            return _lethal_compaction(operation, state)
        case _:
            return None


def _lethal_request(operation: Range | Txn, quirks: Quirks) -> str | None:
    requests = list(_flat(operation)) if isinstance(operation, Txn) else [operation]
    if not quirks.sort_options_validated and any(
        isinstance(request, Range) and request.sort_target not in _SORT_TARGETS for request in requests
    ):
        return "an unknown sort_target kills etcd before 3.6"
    deletes = [
        request.key for request in requests if isinstance(request, DeleteRange) and request.range_end == FROM_KEY
    ]
    if deletes and any(
        isinstance(request, Put) and (request.ignore_value or request.ignore_lease) and request.key >= min(deletes)
        for request in requests
    ):
        return "a from-key delete and a put with ignore_value or ignore_lease in one txn kill etcd for good"
    return None


def _lethal_compaction(operation: Compact, state: State) -> str | None:
    for commit in state.commits:
        if commit.revision == operation.revision:
            deleted: set[bytes] = set()
            for event in commit.events:
                match event:
                    case DeleteEvent(key=key):
                        deleted.add(key)
                    case PutEvent(kv=kv) if kv.key in deleted:
                        return "a compaction at the revision of a txn that deleted a key and put it kills etcd later"
    return None


def _flat(operation: Txn) -> Iterator[RequestOp]:
    for request in chain(operation.success, operation.failure):
        if isinstance(request, Txn):
            yield from _flat(request)
        else:
            yield request
