"""An engine as a gRPC server."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from threading import Thread
from types import TracebackType

from fake_etcd.engine import Engine
from fake_etcd.grpc_core import CannotListenError, CoreServer
from fake_etcd.server_calls import Plain, acceptor, by_token, by_token_or_certificate
from fake_etcd.tls import Tls

__all__ = ["CannotListenError", "GrpcServer", "serve"]

_TICK = 0.2
"""Seconds between two looks at the clock."""

_MOST_RECEIVED_BYTES = 64 * 1024 * 1024
"""Up to here the server refuses what is too long for etcd in etcd's words; beyond, gRPC's core does in its own."""

_NO_LIMIT = 2**31 - 1

_UNIX = "unix:"


class GrpcServer:
    """A running server of an engine; a context manager that stops it. It has one thread, whatever is open."""

    def __init__(
        self,
        engine: Engine,
        address: str = "127.0.0.1:0",
        *,
        tls: Tls | None = None,
        keepalive_min_time: float = 5,
    ) -> None:
        """Listen on `host:port`, where port 0 picks a free one, or on `unix:PATH`; CannotListenError if that can't be.

        With TLS, BadCertificateError says what is wrong with a file.

        Clients that ping more often than every so many seconds are cut off (etcd: --grpc-keepalive-min-time).
        """
        credentials = tls.credentials() if tls is not None else None
        who = by_token_or_certificate if tls is not None and tls.client_cert_auth else by_token
        self._others: dict[str, Plain] = {}
        _try_to_listen(address)
        self._core = CoreServer(
            (
                ("grpc.so_reuseport", 0),  # or a second server would quietly share the first one's port
                ("grpc.max_receive_message_length", _MOST_RECEIVED_BYTES),
                ("grpc.max_send_message_length", -1),
                ("grpc.server.max_pending_requests", _NO_LIMIT),  # or a burst of calls would be refused in part
                ("grpc.server.max_pending_requests_hard_limit", _NO_LIMIT),
                ("grpc.http2.min_ping_interval_without_data_ms", int(keepalive_min_time * 1000)),
                ("grpc.keepalive_permit_without_calls", 1),  # etcd: embed/etcd.go configureGRPC, PermitWithoutStream
            ),
            acceptor(engine, who, self._others),
            engine.tick,
            _TICK,
        )
        port = self._core.listen(address, credentials)
        secure = "s" if tls is not None else ""
        self._socket = Path(address.removeprefix(_UNIX)) if address.startswith(_UNIX) else None
        host = address.rpartition(":")[0]
        self.port = port if self._socket is None else 0
        """The port, also where 0 was asked for; 0 for a socket's path."""
        self.address = f"{host}:{port}" if self._socket is None else address
        """As gRPC takes it."""
        self.url = f"http{secure}://{host}:{port}" if self._socket is None else f"unix{secure}://{self._socket}"
        """As etcd's clients take it."""
        self._url = self.url if self._socket else f"http{secure}://{_reachable(host)}:{port}"
        self._engine = engine
        engine.listens(self._url)
        self._core.start()
        self._thread = Thread(target=self._core.run, name="fake-etcd", daemon=True)
        self._thread.start()

    def answers(self, path: str, answer: Plain) -> None:
        """Answer one more unary method, such as `/my.Service/Reset`: the request's bytes in, the answer's out.

        It is called on the server's one thread, which answers nobody meanwhile.
        """
        self._others[path] = answer

    def stop(self, grace: float | None = 0.5) -> None:
        """Refuse new calls and end what is open at once; what isn't over after `grace` seconds is cut off."""
        self._core.stop()
        if self._url:
            self._engine.stops_listening(self._url)
            self._url = ""
        self._thread.join(0 if grace is None else grace)
        self._core.cancel_all()
        self._thread.join()
        if self._socket is not None:
            self._socket.unlink(missing_ok=True)

    def __enter__(self) -> GrpcServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def serve(engine: Engine, address: str = "127.0.0.1:0", *, tls: Tls | None = None) -> GrpcServer:
    """Serve an engine on `host:port` until the server is stopped."""
    return GrpcServer(engine, address, tls=tls)


def _reachable(host: str) -> str:
    """What a client on this machine finds a server at that listens at this host: on every address, at localhost."""
    return "localhost" if host in ("0.0.0.0", "[::]") else host


def _try_to_listen(address: str) -> None:
    """Find out with a plain socket: gRPC reports the reason only to its log."""
    if address.startswith(_UNIX):
        _try_to_listen_at_path(address, Path(address.removeprefix(_UNIX)))
        return
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 2**16):
        raise CannotListenError(f"can't listen on {address!r}: an address is a host and a port, as in 127.0.0.1:0")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name == "posix":  # where it allows a port's reuse after its last owner, not beside it
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host.strip("[]"), int(port)))
            probe.listen()
    except OSError as error:
        raise CannotListenError(f"can't listen on {address}: {error.strerror}") from error


def _try_to_listen_at_path(address: str, path: Path) -> None:
    """A socket that nobody listens at any more is removed (etcd: client/pkg/transport/unix_listener.go)."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and probe.connect_ex(str(path)) != 0:
                path.unlink()
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
        path.unlink()
    except OSError as error:
        raise CannotListenError(f"can't listen on {address}: {error.strerror or error}") from error
