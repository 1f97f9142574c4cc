"""CRC-32C (Castagnoli), which the standard library does not have: RFC 3720, appendix B.4."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

_POLYNOMIAL = 0x82F63B78
"""Reflected."""


_LARGE = 4096
"""Bytes from which on a part's own checksum is remembered: a value of a megabyte takes 30 ms, and is hashed again with
each history that holds it."""

_Columns = tuple[int, ...]
"""A linear map of 32 bits, as what each bit comes to."""


def crc32c(data: bytes) -> int:
    """The checksum of the data."""
    return _continued(0xFFFFFFFF, data) ^ 0xFFFFFFFF


def crc32c_of_parts(parts: Iterable[bytes]) -> int:
    """The checksum of parts, one after the other."""
    crc = 0xFFFFFFFF
    small = bytearray()
    for part in parts:
        if len(part) < _LARGE:
            small += part
            continue
        # A checksum is linear: what was before it, shifted by the part's length, and the part's own.
        crc = _applied(_shift_by(len(part)), _continued(crc, small)) ^ _of_large(part)
        small.clear()
    return _continued(crc, small) ^ 0xFFFFFFFF


def _continued(crc: int, data: bytes | bytearray) -> int:
    """The register after the data, four bytes at a time."""
    one, two = _tables()
    whole = len(data) & ~3
    words = array("I", data[:whole])
    if sys.byteorder == "big":
        words.byteswap()
    for word in words:
        crc ^= word
        crc = two[crc & 0xFFFF] ^ one[crc >> 16]
    for byte in data[whole:]:
        crc = _shifted((crc ^ byte) & 0xFF, 8) ^ (crc >> 8)
    return crc


@lru_cache(maxsize=8)
def _of_large(part: bytes) -> int:
    return _continued(0, part)


@lru_cache(maxsize=64)
def _shift_by(length: int) -> _Columns:
    """What so many bytes of zeros do to the register."""
    shift: _Columns = tuple(1 << bit for bit in range(32))
    power: _Columns = tuple(_shifted(1 << bit, 8) for bit in range(32))
    while length:
        if length & 1:
            shift = tuple(_applied(power, column) for column in shift)
        power = tuple(_applied(power, column) for column in power)
        length >>= 1
    return shift


def _applied(columns: _Columns, crc: int) -> int:
    result = 0
    for column in columns:
        if crc & 1:
            result ^= column
        crc >>= 1
    return result


def _shifted(crc: int, bits: int) -> int:
    for _ in range(bits):
        crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc


@cache
def _tables() -> tuple[Sequence[int], Sequence[int]]:
    """What 16 bits come to when 16 bits, and when 32 bits, have been shifted out. Made at the first use: 30 ms."""
    byte = [_shifted(value, 8) for value in range(256)]
    one = []
    for value in range(1 << 16):
        crc = byte[value & 0xFF] ^ (value >> 8)
        one.append(byte[crc & 0xFF] ^ (crc >> 8))
    two = [one[crc & 0xFFFF] ^ (crc >> 16) for crc in one]
    return one, two
