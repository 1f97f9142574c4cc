"""An engine as a server of gRPC and, on the same port, of HTTP."""

from __future__ import annotations

from threading import Thread
from types import TracebackType

from fake_etcd import addresses
from fake_etcd.addresses import CannotListenError
from fake_etcd.call_counts import CallCounts
from fake_etcd.engine import Engine
from fake_etcd.grpc_core import CoreServer
from fake_etcd.http.access import Access
from fake_etcd.http.exchange import Answer
from fake_etcd.http.front import Front
from fake_etcd.http.gateway import add_gateway
from fake_etcd.http.health import add_health
from fake_etcd.http.metrics import add_metrics
from fake_etcd.http.routes import Routes
from fake_etcd.server_calls import Plain, acceptor, by_token, by_token_or_certificate
from fake_etcd.tls import Tls

__all__ = ["CannotListenError", "GrpcServer", "serve"]

_TICK = 0.2
"""Seconds between two looks at the clock."""

_MOST_RECEIVED_BYTES = 64 * 1024 * 1024
"""Up to here the server refuses what is too long for etcd in etcd's words; beyond, gRPC's core does in its own."""

_NO_LIMIT = 2**31 - 1


class GrpcServer:
    """A running server of an engine; a context manager that stops it.

    It has one thread, whatever is open, and another for HTTP.
    """

    def __init__(
        self,
        engine: Engine,
        address: str = "127.0.0.1:0",
        *,
        tls: Tls | None = None,
        keepalive_min_time: float = 5,
        http: bool = False,
        access: Access | None = None,
    ) -> None:
        """Listen on `host:port`, where port 0 picks a free one, or on `unix:PATH`; CannotListenError if that can't be.

        With TLS, BadCertificateError says what is wrong with a file. With `http`, what etcd has over HTTP/1.1 is
        answered on the same port: its health, its version, its metrics and the JSON gateway. `access` is who may ask
        for that; everybody, if it is not given.

        Clients that ping more often than every so many seconds are cut off (etcd: --grpc-keepalive-min-time).
        """
        credentials = tls.credentials() if tls is not None else None
        who = by_token_or_certificate if tls is not None and tls.client_cert_auth else by_token
        self._others: dict[str, Plain] = {}
        accept = acceptor(engine, who, self._others)
        routes = Routes(access or Access())
        self._front = Front(address, tls.context() if tls is not None else None, routes) if http else None
        if self._front is None:
            addresses.try_to_listen(address)
        self._core = CoreServer(
            (
                *([self._front.handover.option()] if self._front is not None else []),
                ("grpc.so_reuseport", 0),  # or a second server would quietly share the first one's port
                ("grpc.max_receive_message_length", _MOST_RECEIVED_BYTES),
                ("grpc.max_send_message_length", -1),
                ("grpc.server.max_pending_requests", _NO_LIMIT),  # or a burst of calls would be refused in part
                ("grpc.server.max_pending_requests_hard_limit", _NO_LIMIT),
                ("grpc.http2.min_ping_interval_without_data_ms", int(keepalive_min_time * 1000)),
                ("grpc.keepalive_permit_without_calls", 1),  # etcd: embed/etcd.go configureGRPC, PermitWithoutStream
            ),
            accept,
            engine.tick,
            _TICK,
        )
        self.calls: list[CallCounts] = [self._core.calls]
        """How many calls there were: of gRPC, and through the gateway."""
        if self._front is None:
            port = self._core.listen(address, credentials)
        else:
            port = self._front.port
            self._core.listen_for(self._front.handover, credentials)
            add_health(self._front.routes, engine)
            with_names = tls is not None and tls.client_cert_auth
            self.calls.append(add_gateway(self._front.routes, engine, accept, refuses_names=with_names))
            add_metrics(self._front.routes, engine, self.calls)
        self._socket = addresses.socket_path(address)
        secure = "s" if tls is not None else ""
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
        if self._front is not None:
            self._front.start()

    @property
    def has_http(self) -> bool:
        """Whether HTTP/1.1 is answered on the port too."""
        return self._front is not None

    def answers(self, path: str, answer: Plain) -> None:
        """Answer one more unary method, such as `/my.Service/Reset`: the request's bytes in, the answer's out.

        It is called on the server's one thread, which answers nobody meanwhile.
        """
        self._others[path] = answer

    def answers_http(self, path: str, answer: Answer) -> None:
        """Answer one more path over HTTP, such as `/version`, or all that begin with one such as `/control/`.

        It is called on the thread of HTTP, which answers nobody meanwhile. ValueError where the server has no HTTP.
        """
        if self._front is None:
            raise ValueError("this server has no HTTP: make it with http=True")
        self._front.routes.add(path, answer)

    def stop(self, grace: float | None = 0.5) -> None:
        """Refuse new calls and end what is open at once; what isn't over after `grace` seconds is cut off."""
        if self._front is not None:
            self._front.stop()
            self._front = None
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


def serve(engine: Engine, address: str = "127.0.0.1:0", *, tls: Tls | None = None, http: bool = False) -> GrpcServer:
    """Serve an engine on `host:port` until the server is stopped; with `http`, etcd's HTTP too."""
    return GrpcServer(engine, address, tls=tls, http=http)


def _reachable(host: str) -> str:
    """What a client on this machine finds a server at that listens at this host: on every address, at localhost."""
    return "localhost" if host in ("0.0.0.0", "[::]") else host
