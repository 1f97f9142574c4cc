"""Requests that kill a real server. They are legal to send, so nobody but the sender can hold them back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from etcd_model.operations import DeleteRange, Operation, Put, Range, RequestOp, SortTarget, Txn
from etcd_model.quirks import Quirks
from etcd_model.ranges import FROM_KEY

_SORT_TARGETS = frozenset(SortTarget)


def lethal(operation: Operation, quirks: Quirks) -> str | None:
    """Why a real server would die of it, or None.

    - An unknown sort target panics where sort options are not validated (before 3.6).
    - A from-key delete escapes the check for keys written twice; a put of the same txn that keeps the
      value or the lease of a key it has deleted panics while it is being applied, in every version and
      again at each restart, since it is in the log by then.

    The second is judged without the state, by what the txn holds anywhere: too careful rather than not enough.
    """
    if not isinstance(operation, Range | Txn):
        return None
    requests = [operation] if isinstance(operation, Range) else list(_flat(operation))
    if not quirks.sort_options_validated and any(
        isinstance(request, Range) and request.sort_target not in _SORT_TARGETS for request in requests
    ):
        return "an unknown sort_target kills etcd before 3.6"
    from_key = [
        request.key for request in requests if isinstance(request, DeleteRange) and request.range_end == FROM_KEY
    ]
    if from_key and any(
        isinstance(request, Put) and (request.ignore_value or request.ignore_lease) and request.key >= min(from_key)
        for request in requests
    ):
        return "a from-key delete and a put with ignore_value or ignore_lease in one txn kill etcd for good"
    return None


def _flat(operation: Txn) -> Iterator[RequestOp]:
    for request in chain(operation.success, operation.failure):
        if isinstance(request, Txn):
            yield from _flat(request)
        else:
            yield request
