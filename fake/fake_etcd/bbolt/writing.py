"""Write a database of bbolt: the tree of every bucket is built from its leaves up, and no page is free.

bbolt: node.go write, bucket.go spill; db.go init for the pages that every database begins with.
"""

from collections.abc import Iterable, Mapping

from fake_etcd.bbolt.pages import (
    BRANCH,
    BRANCH_ELEMENT,
    BUCKET,
    CHECKSUM,
    FREELIST,
    IS_BUCKET,
    LEAF,
    LEAF_ELEMENT,
    MAGIC,
    META,
    META_BODY,
    PAGE_BYTES,
    PAGE_HEADER,
    VERSION,
    fnv1a,
)

_FREELIST_PAGE = 2
_INLINE_BYTES = PAGE_BYTES // 4
"""Up to which size a bucket stands in its parent's page. bbolt: bucket.go maxInlineBucketSize."""

_MOST_ELEMENTS = 0xFFFF

Element = tuple[bytes, bytes, int]
"""Of a leaf: key, value, flags."""


def write(buckets: Mapping[bytes, Iterable[tuple[bytes, bytes]]]) -> bytes:
    """The file that holds the buckets. Keys must be in byte order, each once, and none empty."""
    pages = _Pages()
    root = [
        (name, _bucket(pages, [(key, value, 0) for key, value in buckets[name]]), IS_BUCKET) for name in sorted(buckets)
    ]
    return pages.file(_tree(pages, root))


class _Pages:
    """The pages after the two metas and the freelist, in order of their numbers."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._next = _FREELIST_PAGE + 1

    def add(self, kind: int, count: int, body: bytes) -> int:
        """Write a page, or as many together as it takes. Reports the number of the first."""
        page, extent = self._next, -(-(PAGE_HEADER.size + len(body)) // PAGE_BYTES)
        header = PAGE_HEADER.pack(page, kind, count, extent - 1)
        self._written.append((header + body).ljust(extent * PAGE_BYTES, b"\0"))
        self._next += extent
        return page

    def file(self, root: int) -> bytes:
        """All of it; both metas, of transactions 0 and 1, say the same."""
        metas = []
        for page in (0, 1):
            body = META_BODY.pack(MAGIC, VERSION, PAGE_BYTES, 0, root, 0, _FREELIST_PAGE, self._next, page)
            meta = PAGE_HEADER.pack(page, META, 0, 0) + body + CHECKSUM.pack(fnv1a(body))
            metas.append(meta.ljust(PAGE_BYTES, b"\0"))
        freelist = PAGE_HEADER.pack(_FREELIST_PAGE, FREELIST, 0, 0).ljust(PAGE_BYTES, b"\0")
        return b"".join((*metas, freelist, *self._written))


def _bucket(pages: _Pages, elements: list[Element]) -> bytes:
    """What stands for a bucket in its parent: the number of its root page, or the page itself if it is small."""
    if BUCKET.size + PAGE_HEADER.size + sum(map(_leaf_bytes, elements)) <= _INLINE_BYTES:
        return BUCKET.pack(0, 0) + PAGE_HEADER.pack(0, LEAF, len(elements), 0) + _leaf(elements)
    return BUCKET.pack(_tree(pages, elements), 0)


def _tree(pages: _Pages, elements: list[Element]) -> int:
    """Write leaves and, while there are several pages, the branches above them. Reports the root's number."""
    level: list[tuple[bytes, int]] = []
    for group in _groups([_leaf_bytes(element) for element in elements]):
        leaf = elements[group]
        level.append((leaf[0][0] if leaf else b"", pages.add(LEAF, len(leaf), _leaf(leaf))))
    while len(level) > 1:
        sizes = [BRANCH_ELEMENT.size + len(key) for key, _ in level]
        groups = [level[group] for group in _groups(sizes)]
        level = [(group[0][0], pages.add(BRANCH, len(group), _branch(group))) for group in groups]
    return level[0][1]


def _groups(sizes: list[int]) -> list[slice]:
    """Which elements share a page: as many as it has room for, and never fewer than two of a branch.

    A page of a single element that extends over several is as good for a leaf. bbolt: node.go split.
    """
    groups, start, used = [], 0, PAGE_HEADER.size
    for place, size in enumerate(sizes):
        if place - start >= 2 and (used + size > PAGE_BYTES or place - start == _MOST_ELEMENTS):
            groups.append(slice(start, place))
            start, used = place, PAGE_HEADER.size
        used += size
    groups.append(slice(start, len(sizes)))
    return groups


def _leaf_bytes(element: Element) -> int:
    return LEAF_ELEMENT.size + len(element[0]) + len(element[1])


def _leaf(elements: list[Element]) -> bytes:
    heads, data = [], []
    place = LEAF_ELEMENT.size * len(elements)
    for key, value, flags in elements:
        heads.append(LEAF_ELEMENT.pack(flags, place, len(key), len(value)))
        data += [key, value]
        place += len(key) + len(value) - LEAF_ELEMENT.size
    return b"".join(heads + data)


def _branch(children: list[tuple[bytes, int]]) -> bytes:
    heads, data = [], []
    place = BRANCH_ELEMENT.size * len(children)
    for key, page in children:
        heads.append(BRANCH_ELEMENT.pack(place, len(key), page))
        data.append(key)
        place += len(key) - BRANCH_ELEMENT.size
    return b"".join(heads + data)
