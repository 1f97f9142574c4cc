"""What gogo/protobuf, which decodes etcd's messages up to 3.6, refuses, and in which words.

It is stricter than other decoders, and not only where data is cut off: a known field of another wire type is refused,
which others skip. Measured on 3.4.23, 3.5.30 and 3.6.16.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from google.protobuf.descriptor import FieldDescriptor


class Wire(IntEnum):
    """The wire types that there are, of eight that can be written."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    START_GROUP = 3
    END_GROUP = 4
    FIXED32 = 5


_CUT_OFF = "unexpected EOF"
_OVERFLOW = "proto: integer overflow"
_NEGATIVE = "proto: negative length found during unmarshaling"

_BYTE_TYPES = (FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE)


class Refused(Exception):
    """The text is gogo/protobuf's."""


def check(message: Any, data: bytes) -> None:
    """Read data as the message that a descriptor describes. Raises `Refused`."""
    _Reader(data).read(message)


class _Reader:
    """etcd api/etcdserverpb/rpc.pb.go: what its generator writes for each message, and skipRpc for what is unknown."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, message: Any) -> None:
        while self._at < len(self._data):
            began = self._at
            tag = self._varint()
            number, wire_type = _signed(tag >> 3, 32), tag & 7
            if wire_type == Wire.END_GROUP:
                raise Refused(f"proto: {message.name}: wiretype end group for non-group")
            if number <= 0:
                raise Refused(f"proto: {message.name}: illegal tag {number} (wire type {tag})")
            field = message.fields_by_number.get(number)
            if field is None:
                self._at = began
                self._skip()
            else:
                self._field(field, wire_type)

    def _field(self, field: FieldDescriptor, wire_type: int) -> None:
        if field.type in _BYTE_TYPES:
            if wire_type != Wire.BYTES:
                raise Refused(_wrong(field, wire_type))
            content = self._bytes()
            if field.message_type is not None:
                check(field.message_type, content)
        elif wire_type == Wire.VARINT:
            self._varint()
        elif wire_type == Wire.BYTES and is_repeated(field):  # packed
            packed = _Reader(self._bytes())
            while packed._at < len(packed._data):
                packed._varint()
        else:
            raise Refused(_wrong(field, wire_type))

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 64, 7):
            if self._at >= len(self._data):
                raise Refused(_CUT_OFF)
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value % 2**64
        raise Refused(_OVERFLOW)

    def _bytes(self) -> bytes:
        length = _signed(self._varint(), 64)
        if length < 0 or self._at + length >= 2**63:
            raise Refused(_NEGATIVE)
        end = self._at + length
        if end > len(self._data):
            raise Refused(_CUT_OFF)
        began, self._at = self._at, end
        return self._data[began:end]

    def _skip(self) -> None:
        """A field that the message has not, with all that is in it where it is a group."""
        depth = 0
        while self._at < len(self._data):
            wire_type = self._varint() & 7
            match wire_type:
                case Wire.VARINT:
                    self._varint()
                case Wire.FIXED64:
                    self._at += 8
                case Wire.FIXED32:
                    self._at += 4
                case Wire.BYTES:
                    length = _signed(self._varint(), 64)
                    if length < 0:
                        raise Refused(_NEGATIVE)
                    self._at += length
                case Wire.START_GROUP:
                    depth += 1
                case Wire.END_GROUP:
                    if not depth:
                        raise Refused("proto: unexpected end of group")
                    depth -= 1
                case _:
                    raise Refused(f"proto: illegal wireType {wire_type}")
            if self._at >= 2**63:
                raise Refused(_NEGATIVE)
            if not depth:
                if self._at > len(self._data):
                    raise Refused(_CUT_OFF)
                return
        raise Refused(_CUT_OFF)


def is_repeated(field: Any) -> bool:
    """protobuf below 6 has no `is_repeated`, and says so by a label that later ones warn of."""
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED)


def _signed(number: int, bits: int) -> int:
    number %= 2**bits
    return number - 2**bits if number >= 2 ** (bits - 1) else number


def _wrong(field: FieldDescriptor, wire_type: int) -> str:
    return f"proto: wrong wireType = {wire_type} for field {_go_name(field.name)}"


def _go_name(name: str) -> str:
    """As Go's generators make it: `range_end` is `RangeEnd`, and `peerURLs` is `PeerURLs`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
