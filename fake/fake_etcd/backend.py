"""How large etcd's database file would be, and what a request may add to it.

An estimate: what real servers were seen to need for small values and for large ones, without their batches of writes
in time (etcd: server/storage/backend/backend.go, server/storage/quota.go).
"""

from collections.abc import Sequence

from fake_etcd.database_size import PAGE_BYTES
from fake_etcd.quirks import Quirks
from fake_etcd.store import Store
from fake_etcd.wire.messages import PutRequest, RequestOp, TxnRequest

EMPTY_BYTES = 28_672
"""The size of the database of a server that has just started, give or take two pages."""

DEFAULT_QUOTA_BYTES = 2 * 1024**3
"""etcd: DefaultQuotaBytes."""

LEASE_COST = 64
"""What a grant is expected to add. etcd: leaseOverhead."""

_PUT_COST = 256
"""What a put is expected to add to its key and value. etcd: kvOverhead."""


class Backend:
    """The size of the database. It never shrinks, unless it is defragmented: what is compacted is filled up again."""

    __slots__ = ("_limit", "_most", "_roomy", "_store")

    def __init__(self, store: Store, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._most = EMPTY_BYTES
        self._roomy = 0
        """What records and a request may come to together without a closer look."""
        self._set_size(EMPTY_BYTES)

    @property
    def in_use(self) -> int:
        """The bytes of all pages that hold something."""
        pages = self._store.record_bytes * 33 // 32 // PAGE_BYTES  # a little more: pages that hold pages
        return EMPTY_BYTES + pages * PAGE_BYTES

    @property
    def size(self) -> int:
        """The bytes of all pages, free ones too."""
        self.settle()
        return self._most

    def settle(self) -> None:
        """Remember how large it is now: it is about to be compacted."""
        if self.in_use > self._most:
            self._set_size(self.in_use)

    def has_room(self, cost: int) -> bool:
        """Whether a request may add this much."""
        return self._store.record_bytes + cost < self._roomy or self.size + cost < self._limit or self._limit < 0

    def defragment(self) -> None:
        """Give free pages back."""
        self._set_size(self.in_use)

    def _set_size(self, size: int) -> None:
        self._most = size
        self._roomy = min((self._limit - EMPTY_BYTES) * 32 // 33, self._limit - size)


def cost_of_put(request: PutRequest) -> int:
    """What a put is expected to add."""
    return _PUT_COST + len(request.key) + len(request.value)


def cost_of_txn(request: TxnRequest, quirks: Quirks) -> int:
    """What the puts of the larger branch are expected to add."""
    return max(_cost_of_ops(request.success, quirks), _cost_of_ops(request.failure, quirks))


def _cost_of_ops(ops: Sequence[RequestOp], quirks: Quirks) -> int:
    cost = 0
    for op in ops:
        if op.HasField("request_put"):
            cost += cost_of_put(op.request_put)
        elif quirks.nested_puts_cost and op.HasField("request_txn"):
            cost += cost_of_txn(op.request_txn, quirks)
    return cost
