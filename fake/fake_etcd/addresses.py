"""Addresses to listen on: `host:port`, or `unix:PATH`."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

_UNIX = "unix:"


class CannotListenError(OSError):
    """The address can't be listened on."""


def socket_path(address: str) -> Path | None:
    """The path of a unix socket's address; None is the address of a host."""
    return Path(address.removeprefix(_UNIX)) if address.startswith(_UNIX) else None


def listen(address: str) -> socket.socket:
    """A listening socket; CannotListenError says why there is none."""
    path = socket_path(address)
    return _listen_at_host(address) if path is None else _listen_at_path(address, path)


def try_to_listen(address: str) -> None:
    """Find out with a plain socket whether gRPC can: it reports the reason only to its log."""
    listen(address).close()
    path = socket_path(address)
    if path is not None:
        path.unlink()


def _listen_at_host(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 2**16):
        raise CannotListenError(f"can't listen on {address!r}: an address is a host and a port, as in 127.0.0.1:0")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # where it allows a port's reuse after its last owner, not beside it
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host.strip("[]"), int(port)))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise CannotListenError(f"can't listen on {address}: {error.strerror}") from error
    return listening


def _listen_at_path(address: str, path: Path) -> socket.socket:
    """A socket that nobody listens at any more is removed (etcd: client/pkg/transport/unix_listener.go)."""
    listening = socket.socket(socket.AF_UNIX)
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and probe.connect_ex(str(path)) != 0:
                path.unlink()
        listening.bind(str(path))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise CannotListenError(f"can't listen on {address}: {error.strerror or error}") from error
    return listening


_BACKLOG = 1024
"""Connections that wait to be accepted, unless the system allows fewer."""
