"""Connections for gRPC's core that somebody else has accepted.

The core can't speak HTTP/1.1, so where one port serves both, whoever listens there looks at a connection's first bytes
and hands it over if they are HTTP/2. gRPC's C++ API calls this an external connection acceptor. Python's has none, but
its core does: for an address `external:NAME` it takes a pointer from the channel argument of that name, and stores
there the object that takes connections (grpc: src/core/lib/iomgr/tcp_server.h TcpServerFdHandler). That has one virtual
method, `Handle(int listener_fd, int fd, grpc_byte_buffer* pending_read)`, behind its two destructors. All of it is the
same in grpcio 1.60, 1.66, 1.75 and 1.85. Windows has no such object.
"""

from __future__ import annotations

import ctypes
import os
import socket

HTTP_IS_POSSIBLE = os.name == "posix"
"""Whether one port can serve gRPC and HTTP/1.1."""

_ADDRESS = "external:fake-etcd"

_HANDLE = 2
"""The place of the method in the table of virtual ones (Itanium C++ ABI: two destructors come first)."""

_HANDLE_TYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


class Handover:
    """Takes connections for one server of gRPC's core."""

    address = _ADDRESS
    """What the core is to listen on."""

    def __init__(self) -> None:
        self._taker = ctypes.c_void_p()

    def option(self) -> tuple[str, object]:
        """The channel argument that the core's server needs; this object must live as long as that server."""
        return (_ADDRESS, _Pointer(ctypes.addressof(self._taker)))

    @property
    def is_open(self) -> bool:
        """Whether the core takes connections: once it listens, unless it can't on this system."""
        return bool(self._taker.value)

    def take(self, listening: socket.socket, connection: socket.socket) -> None:
        """Give a connection to the core, with all that the client has sent. Not once the core's server was stopped."""
        assert self._taker.value is not None
        methods = ctypes.cast(self._taker, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p))).contents
        handle = _HANDLE_TYPE(methods[_HANDLE])
        handle(self._taker, listening.fileno(), connection.detach(), None)


class _Pointer:
    """As the core's Cython takes a pointer for an argument's value."""

    def __init__(self, address: int) -> None:
        self._address = address

    def __int__(self) -> int:
        return self._address
