"""Read a database of bbolt. Nothing in the file is believed before it was checked."""

import struct
from collections.abc import Iterator

from fake_etcd.bbolt.pages import (
    BRANCH,
    BRANCH_ELEMENT,
    BUCKET,
    CHECKSUM,
    IS_BUCKET,
    LEAF,
    LEAF_ELEMENT,
    MAGIC,
    META,
    META_BODY,
    PAGE_HEADER,
    VERSION,
    BadDatabaseError,
    fnv1a,
)

_PAGE_SIZES = tuple(1 << power for power in range(10, 17))
"""Where a second meta may be, if the first is broken: a page is as large as the operating system's."""

Element = tuple[bytes, bytes, int]
"""Of a leaf: key, value, flags."""


def read(data: bytes) -> dict[bytes, list[tuple[bytes, bytes]]]:
    """Every bucket's keys and values, in byte order. BadDatabaseError where the bytes are no sound database."""
    return _File(data).buckets()


class _File:
    def __init__(self, data: bytes) -> None:
        self._data = data
        metas = [meta for place in (0, *_PAGE_SIZES) if (meta := self._meta(place)) is not None]
        if not metas:
            raise BadDatabaseError("no page that a database of bbolt begins with")
        _, self._page_bytes, self._root, self._pages = max(metas)
        if self._pages * self._page_bytes > len(data):
            raise BadDatabaseError(
                f"cut off: it has {len(data)} bytes, and its pages are {self._pages * self._page_bytes}"
            )
        self._seen: set[int] = set()

    def _meta(self, place: int) -> tuple[int, int, int, int] | None:
        """Transaction, size of a page, root and number of pages, as a sound meta page at this place says it."""
        start = place + PAGE_HEADER.size
        if len(self._data) < start + META_BODY.size + CHECKSUM.size:
            return None
        _, kind, _, _ = PAGE_HEADER.unpack_from(self._data, place)
        body = self._data[start : start + META_BODY.size]
        magic, version, page_bytes, _, root, _, _, pages, transaction = META_BODY.unpack(body)
        (checksum,) = CHECKSUM.unpack_from(self._data, start + META_BODY.size)
        if kind != META or (magic, version, checksum) != (MAGIC, VERSION, fnv1a(body)) or place not in (0, page_bytes):
            return None
        return (transaction, page_bytes, root, pages) if page_bytes in _PAGE_SIZES else None

    def buckets(self) -> dict[bytes, list[tuple[bytes, bytes]]]:
        found = {}
        for name, value, flags in self._tree(self._root):
            if not flags & IS_BUCKET or len(value) < BUCKET.size:
                raise BadDatabaseError(f"{name!r} is no bucket")
            root, _ = BUCKET.unpack_from(value)
            elements = self._tree(root) if root else self._leaf(value, BUCKET.size)
            found[name] = [(key, value) for key, value, _ in self._plain(name, elements)]
        return found

    def _plain(self, bucket: bytes, elements: Iterator[Element]) -> Iterator[Element]:
        previous = b""
        for element in elements:
            if element[2] & IS_BUCKET:
                raise BadDatabaseError(f"a bucket inside the bucket {bucket!r}")
            if element[0] <= previous:
                raise BadDatabaseError(f"the keys of the bucket {bucket!r} are not in order")
            previous = element[0]
            yield element

    def _tree(self, page: int) -> Iterator[Element]:
        """The elements of all leaves below a page, without recursion, which a broken file could make deep."""
        left = [page]
        while left:
            page = left.pop()
            if not 2 <= page < self._pages or page in self._seen:
                raise BadDatabaseError(f"page {page} is not where it could be")
            self._seen.add(page)
            start = page * self._page_bytes
            number, kind, count, overflow = PAGE_HEADER.unpack_from(self._data, start)
            if number != page or kind not in (BRANCH, LEAF) or page + overflow >= self._pages:
                raise BadDatabaseError(f"page {page} is broken")
            if kind == LEAF:
                yield from self._leaf(self._data, start)
            else:
                heads = start + PAGE_HEADER.size
                if heads + count * BRANCH_ELEMENT.size > len(self._data):
                    raise BadDatabaseError(f"page {page} extends beyond the end")
                children = [
                    BRANCH_ELEMENT.unpack_from(self._data, heads + place * BRANCH_ELEMENT.size)[2]
                    for place in range(count)
                ]
                left += reversed(children)

    def _leaf(self, data: bytes, start: int) -> Iterator[Element]:
        try:
            _, kind, count, _ = PAGE_HEADER.unpack_from(data, start)
            if kind != LEAF:
                raise BadDatabaseError(f"a page of kind {kind} where a leaf must be")
            heads = start + PAGE_HEADER.size
            for place in range(heads, heads + count * LEAF_ELEMENT.size, LEAF_ELEMENT.size):
                flags, offset, key_bytes, value_bytes = LEAF_ELEMENT.unpack_from(data, place)
                key_start = place + offset
                value_start = key_start + key_bytes
                if value_start + value_bytes > len(data):
                    raise BadDatabaseError("an element that extends beyond the end")
                yield data[key_start:value_start], data[value_start : value_start + value_bytes], flags
        except struct.error:
            raise BadDatabaseError("a page that extends beyond the end") from None
