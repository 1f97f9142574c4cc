"""What a txn's own text must satisfy, whatever the state (etcd: server/etcdserver/api/v3rpc/key.go)."""

from collections.abc import Sequence

from fake_etcd.errors import DuplicateKey, EmptyKey, KeyNotFound, TooManyOps
from fake_etcd.quirks import Quirks
from fake_etcd.ranges import check_range
from fake_etcd.wire.messages import DeleteRangeRequest, RequestOp, TxnRequest
from fake_etcd.writes import check_delete_range, check_put


def is_read_only(request: TxnRequest) -> bool:
    """Whether both branches hold nothing but ranges: a nested txn makes a write of it, even a reading one.

    etcd: server/etcdserver/txn/txn.go IsTxnReadonly.
    """
    return all(op.HasField("request_range") for branch in (request.success, request.failure) for op in branch)


def check_txn(request: TxnRequest, quirks: Quirks, max_ops: int) -> None:
    """Refuse what no state could answer: both branches are judged, whichever would be taken."""
    _check_structure(request, quirks, max_ops)
    _Overlaps(request.success)
    _Overlaps(request.failure)


def _check_structure(request: TxnRequest, quirks: Quirks, budget: int) -> None:
    """The longest of the three lists is taken off the budget, and nested txns share what is left: a maximum per path.

    etcd: checkTxnRequest, checkRequestOp.
    """
    longest = max(len(request.compare), len(request.success), len(request.failure))
    if longest > budget:
        raise TooManyOps()
    for compare in request.compare:
        if not compare.key:
            raise EmptyKey()
    for branch in (request.success, request.failure):
        for op in branch:
            match op.WhichOneof("request"):
                case "request_range":
                    check_range(op.request_range, quirks)
                case "request_put":
                    check_put(op.request_put)
                case "request_delete_range":
                    check_delete_range(op.request_delete_range)
                case "request_txn":
                    _check_structure(op.request_txn, quirks, budget - longest)
                case _:
                    raise KeyNotFound()


class _Overlaps:
    """The keys that one list of ops puts and deletes, nested ops included; DuplicateKey if they overlap.

    The order makes the rule (etcd: checkIntervals). This level's deletes are known before anything is judged. Then
    come the nested txns one by one: their puts are judged against everything known so far, and only afterwards their
    deletes become known. This level's puts come last. So of two sibling txns, "delete k, then put k" is refused and
    "put k, then delete k" passes.
    """

    __slots__ = ("deleted_keys", "deleted_ranges", "puts")

    def __init__(self, ops: Sequence[RequestOp]) -> None:
        self.puts: set[bytes] = set()
        self.deleted_keys: set[bytes] = set()
        self.deleted_ranges: set[tuple[bytes, bytes]] = set()
        kinds = [op.WhichOneof("request") for op in ops]
        for op, kind in zip(ops, kinds, strict=True):
            if kind == "request_delete_range":
                self._delete(op.request_delete_range)
        for op, kind in zip(ops, kinds, strict=True):
            if kind == "request_txn":
                self._include(op.request_txn)
        for op, kind in zip(ops, kinds, strict=True):
            if kind == "request_put":
                self._put(op.request_put.key)

    def _delete(self, request: DeleteRangeRequest) -> None:
        """Ends are taken literally: a from-key delete's `\\0` makes an inverted interval, which overlaps nothing."""
        key, range_end = request.key, request.range_end
        if not range_end:
            self.deleted_keys.add(key)
        elif key < range_end:
            self.deleted_ranges.add((key, range_end))

    def _include(self, request: TxnRequest) -> None:
        then, otherwise = _Overlaps(request.success), _Overlaps(request.failure)
        for key in then.puts:
            self._put(key)
        for key in otherwise.puts:
            if key not in then.puts:  # only one of the two branches is taken
                self._put(key)
        for nested in (then, otherwise):
            self.deleted_keys |= nested.deleted_keys
            self.deleted_ranges |= nested.deleted_ranges

    def _put(self, key: bytes) -> None:
        if (
            key in self.puts
            or key in self.deleted_keys
            or any(start <= key < end for start, end in self.deleted_ranges)
        ):
            raise DuplicateKey()
        self.puts.add(key)
