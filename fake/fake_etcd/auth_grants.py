"""Which key ranges a user's roles grant (etcd: server/auth/range_perm_cache.go, pkg/adt/interval_tree.go)."""

from collections.abc import Iterable

from fake_etcd.store import FROM_KEY
from fake_etcd.wire.messages import Permission

READ = Permission.Type.Value("READ")
WRITE = Permission.Type.Value("WRITE")
READWRITE = Permission.Type.Value("READWRITE")

Place = tuple[bool, bytes]
"""A place among all keys that compares as etcd's BytesAffineComparable does: empty bytes come after everything."""

Interval = tuple[Place, Place]


class Grants:
    """What may be read and what may be written."""

    __slots__ = ("_read", "_write")

    def __init__(self, permissions: Iterable[Permission]) -> None:
        permissions = list(permissions)
        self._read = _intervals(permissions, (READ, READWRITE))
        self._write = _intervals(permissions, (WRITE, READWRITE))

    def cover(self, key: bytes, range_end: bytes, kind: int) -> bool:
        """Whether a key, or every key of a range, may be read or written. etcd: isRangeOpPermitted."""
        granted = self._write if kind == WRITE else self._read
        wanted = _interval(key, range_end)
        overlapping = [grant for grant in granted if _overlap(wanted, grant)]
        if not range_end or not overlapping:
            return bool(overlapping)
        return _contain(overlapping, wanted)


def _intervals(permissions: list[Permission], kinds: tuple[int, ...]) -> list[Interval]:
    found = (_interval(grant.key, grant.range_end) for grant in permissions if grant.permType in kinds)
    return sorted(found, key=lambda interval: interval[0])


def _interval(key: bytes, range_end: bytes) -> Interval:
    """A single key k is [k, k\\0)."""
    if not range_end:
        return _place(key), _place(key + b"\0")
    return _place(key), _place(b"" if range_end == FROM_KEY else range_end)


def _place(key: bytes) -> Place:
    return not key, key


def _overlap(wanted: Interval, grant: Interval) -> bool:
    """etcd: Interval.Compare being 0. A wanted range that ends before it begins can overlap too, and be granted."""
    is_left = wanted[0] < grant[0] and wanted[1] <= grant[0]
    is_right = wanted[0] >= grant[1]
    return not is_left and not is_right


def _contain(grants: list[Interval], wanted: Interval) -> bool:
    """Whether adjacent and overlapping grants, in order of where they begin, cover a range without a gap."""
    begin, end = grants[0]
    for grant in grants[1:]:
        if end < grant[0]:
            return False
        end = max(end, grant[1])
    return end >= wanted[1] and begin <= wanted[0]
