"""What a client speaks, by the first bytes that it sends (etcd: server/embed/serve.go, by cmux and by ALPN)."""

from __future__ import annotations

from enum import Enum, auto

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113, 3.4."""

_HANDSHAKE = 0x16
_CLIENT_HELLO = 0x01
_ALPN = 16
_RECORD_HEADER_BYTES = 5


class Spoken(Enum):
    """What a connection is for."""

    GRPC = auto()
    HTTP = auto()
    NOT_YET_KNOWN = auto()
    """More bytes are needed."""


def spoken_in_plain(data: bytes) -> Spoken:
    """gRPC is HTTP/2 from the first byte on; all else is taken for HTTP/1.1."""
    if data.startswith(_PREFACE):
        return Spoken.GRPC
    return Spoken.NOT_YET_KNOWN if _PREFACE.startswith(data) else Spoken.HTTP


def spoken_in_tls(data: bytes) -> Spoken:
    """gRPC is for a client that offers h2 alone; who offers http/1.1, or nothing, is spoken to in HTTP/1.1."""
    if len(data) < _RECORD_HEADER_BYTES:
        return Spoken.NOT_YET_KNOWN
    record = data[_RECORD_HEADER_BYTES : _RECORD_HEADER_BYTES + int.from_bytes(data[3:5], "big")]
    if data[0] != _HANDSHAKE:
        return Spoken.HTTP
    if len(record) < int.from_bytes(data[3:5], "big"):
        return Spoken.NOT_YET_KNOWN
    offered = _protocols_offered(record)
    return Spoken.GRPC if b"h2" in offered and b"http/1.1" not in offered else Spoken.HTTP


def _protocols_offered(hello: bytes) -> list[bytes]:
    """The ALPN protocols of a ClientHello (RFC 8446, 4.1.2; RFC 7301, 3.1); none where it isn't one."""
    if hello[:1] != bytes([_CLIENT_HELLO]):
        return []
    reader = _Reader(hello[4:])  # a type and a length come first
    reader.take(2 + 32)  # the version and the random bytes
    for size_bytes in (1, 2, 1):  # the session's id, the cipher suites, the compression methods
        reader.take_vector(size_bytes)
    extensions = _Reader(reader.take_vector(2))
    while extensions.data:
        kind = int.from_bytes(extensions.take(2), "big")
        extension = extensions.take_vector(2)
        if kind == _ALPN:
            names = _Reader(_Reader(extension).take_vector(2))
            offered = []
            while names.data:
                offered.append(names.take_vector(1))
            return offered
    return []


class _Reader:
    """Takes what comes next from bytes: less than was asked for, where they end."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def take_vector(self, size_bytes: int) -> bytes:
        return self.take(int.from_bytes(self.take(size_bytes), "big"))
