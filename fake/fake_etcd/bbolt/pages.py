"""How bbolt lays out its pages (bbolt: internal/common/page.go, meta.go, bucket.go). All numbers are little-endian."""

from struct import Struct

PAGE_BYTES = 4096
"""Of the files that are written; those that are read say it themselves."""

BRANCH, LEAF, META, FREELIST = 0x01, 0x02, 0x04, 0x10
"""The kinds of pages."""

IS_BUCKET = 0x01
"""The flag of a leaf's element whose value is a bucket."""

PAGE_HEADER = Struct("<QHHI")
"""The page's number, its kind, how many elements it has, and over how many more pages it extends."""

BRANCH_ELEMENT = Struct("<IIQ")
"""Where the key is, counted from the element; the key's length; the page below."""

LEAF_ELEMENT = Struct("<IIII")
"""Flags; where the key is, counted from the element; the lengths of key and value, which follows the key."""

BUCKET = Struct("<QQ")
"""The number of the bucket's root page, 0 where the page follows at once; and a sequence that etcd doesn't use."""

META_BODY = Struct("<IIIIQQQQQ")
"""Magic and version of the format, size of a page, flags, root bucket (2), freelist, number of pages, transaction."""

CHECKSUM = Struct("<Q")

MAGIC = 0xED0CDAED
VERSION = 2

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3


class BadDatabaseError(ValueError):
    """The bytes are no database of bbolt, or a broken one. The message says what is wrong."""


def fnv1a(data: bytes) -> int:
    """FNV-1a with 64 bits: the checksum of a meta page."""
    sum = _FNV_OFFSET
    for byte in data:
        sum = (sum ^ byte) * _FNV_PRIME & 0xFFFFFFFFFFFFFFFF
    return sum
