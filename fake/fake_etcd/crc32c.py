"""CRC-32C, as Go's hash/crc32 computes it with the Castagnoli table."""

_POLYNOMIAL = 0x82F63B78
"""Castagnoli's, with its bits reversed."""


def crc32c(data: bytes) -> int:
    """The checksum of some bytes."""
    table, crc = _TABLE, 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _of_byte(crc: int) -> int:
    for _ in range(8):
        crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc


_TABLE = tuple(map(_of_byte, range(256)))
