"""What a record takes in etcd's database (bbolt: node.go; etcd: server/storage/backend/batch_tx.go)."""

PAGE_BYTES = 4096

_FILLED = PAGE_BYTES * 9 // 10
"""How far a page is filled before the next is begun. etcd: batchTx.unsafePut, FillPercent."""

_RECORD_BYTES = 48
"""Besides key and value: the numbers, their tags, the page's entry."""

_PAGE_HEADER_BYTES = 16


def bytes_of(size: int) -> int:
    """The bytes of a record with key and value of this size: its share of a page, or of several for two of its kind."""
    size += _RECORD_BYTES
    if size * 2 <= _FILLED:
        return PAGE_BYTES // (_FILLED // size)
    return -(-(size * 2 + _PAGE_HEADER_BYTES) // PAGE_BYTES) * PAGE_BYTES // 2
