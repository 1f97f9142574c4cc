"""CRC-32C (Castagnoli), which the standard library does not have: RFC 3720, appendix B.4."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from functools import cache

_POLYNOMIAL = 0x82F63B78
"""Reflected."""


def crc32c(data: bytes) -> int:
    """The checksum of the data, four bytes at a time."""
    one, two = _tables()
    whole = len(data) & ~3
    words = array("I", data[:whole])
    if sys.byteorder == "big":
        words.byteswap()
    crc = 0xFFFFFFFF
    for word in words:
        crc ^= word
        crc = two[crc & 0xFFFF] ^ one[crc >> 16]
    for byte in data[whole:]:
        crc = _shifted((crc ^ byte) & 0xFF, 8) ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


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
