"""The JSON gateway: calls of etcd's methods as POSTs to `/v3/…` (etcd: server/embed/serve.go registerGateway).

etcd's gateway is a client of its own server. This one puts a call to what answers gRPC's calls, so both answer alike.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from grpc import StatusCode

from fake_etcd.call_counts import CallCounts
from fake_etcd.engine import Engine
from fake_etcd.grpc_core import Handler
from fake_etcd.http.exchange import JSON, Exchange, Request, Response, nothing
from fake_etcd.http.gateway_json import (
    NotJsonError,
    error_of,
    http_status,
    rendered,
    requests_in,
    stream_error_of,
    to_bytes,
)
from fake_etcd.http.gateway_routes import gateway_routes
from fake_etcd.http.routes import Routes
from fake_etcd.server_calls import IncomingCall
from fake_etcd.wire.methods import Method

_METADATA_PREFIX = "grpc-metadata-"
"""Headers with it are metadata of the call. grpc-gateway: runtime/mux.go DefaultHeaderMatcher."""


def add_gateway(
    routes: Routes, engine: Engine, accept: Callable[[IncomingCall], Handler], *, refuses_names: bool
) -> CallCounts:
    """Answer what is below `/v3/`; `refuses_names` says whether clients' certificates are users otherwise.

    Reports where the calls are counted.
    """
    gateway = Gateway(engine, accept, refuses_names=refuses_names)
    routes.add_exchange("/v3/", gateway.answer)
    routes.add_exchange("/v3beta/", gateway.answer)
    return gateway.calls


class Gateway:
    """Begins calls, and refuses what is none."""

    def __init__(self, engine: Engine, accept: Callable[[IncomingCall], Handler], *, refuses_names: bool) -> None:
        self.calls = CallCounts()
        self._engine = engine
        self._accept = accept
        self._refuses_names = refuses_names
        self._methods = gateway_routes(engine.quirks)
        self._v2 = engine.quirks.gateway_v2

    def answer(self, exchange: Exchange) -> None:
        request = exchange.request
        path = request.path.removeprefix("/v3beta/")
        method = self._methods.get(request.path if path == request.path else f"/v3/{path}")
        if self._refuses_names and request.common_name and self._engine.read(lambda core: core.auth.enabled):
            # etcd: server/embed/serve.go accessController
            message = "CommonName of client sending a request against gateway will be ignored and not used as expected"
            exchange.respond(Response.error(400, message))
        elif method is None:
            exchange.respond(self._not_found(404, StatusCode.NOT_FOUND, "Not Found"))
        elif request.method != "POST":
            exchange.respond(self._not_found(405, StatusCode.UNIMPLEMENTED, "Method Not Allowed"))
        else:
            self._begin(exchange, method)

    def _not_found(self, status: int, code: StatusCode, message: str) -> Response:
        return self.error(code, message) if self._v2 else Response.error(status, message)

    def _begin(self, exchange: Exchange, method: Method) -> None:
        requests = requests_in(exchange.request.body, method.request)
        encoded: list[bytes] = []
        try:
            if method.client_streaming:
                encoded.extend(requests)
            else:
                encoded.append(next(requests, b""))
        except NotJsonError as error:
            if not method.client_streaming:
                exchange.respond(self.error(StatusCode.INVALID_ARGUMENT, str(error)))
                return
            if not self._v2 and not encoded:
                exchange.respond(self.error(StatusCode.UNKNOWN, str(error)))
                return
            # what came before it is all that the client has to say
        kind = _Stream if method.server_streaming else _Unary
        kind(self, exchange, method, encoded).begin(self._accept)

    def error(self, code: StatusCode, message: str) -> Response:
        """An answer that is an error."""
        return Response(http_status(code), to_bytes(error_of(code, message, v2=self._v2)), JSON)

    def last_line(self, code: StatusCode, message: str) -> bytes:
        """The end of a stream that is an error."""
        return to_bytes(stream_error_of(code, message, v2=self._v2)) + (b"\n" if self._v2 else b"")

    @property
    def content_type_of_nothing(self) -> str:
        """Of a stream without a line."""
        return "" if self._v2 else JSON


class _Call:
    """A call whose requests are there as a whole. All of it is for the loop's thread, but for `wake`."""

    def __init__(self, gateway: Gateway, exchange: Exchange, method: Method, requests: Iterable[bytes]) -> None:
        self.path = method.path
        self.metadata: Iterable[tuple[str, Any]] = _metadata(exchange.request)
        self.is_finished = False
        self._gateway = gateway
        self._exchange = exchange
        self._method = method
        self._requests = deque(requests)
        self._loop = asyncio.get_running_loop()
        self._handler: Handler | None = None
        self._is_queued = False

    def begin(self, accept: Callable[[IncomingCall], Handler]) -> None:
        """Have it answered."""
        self._exchange.when_gone = self._gone
        self._gateway.calls.start(self.path)
        self._handler = accept(self)

    # For the handler

    def common_name(self) -> str:
        """Nobody is a user by a certificate here."""
        return ""

    def receive(self, then: Callable[[bytes | None], None]) -> None:
        self._loop.call_soon(then, self._requests.popleft() if self._requests else None)

    def send(self, message: bytes, then: Callable[[], None]) -> None:
        raise NotImplementedError

    def finish(self, code: StatusCode = StatusCode.OK, details: str = "", message: bytes | None = None) -> None:
        if not self.is_finished:
            self.is_finished = True
            self._gateway.calls.handle(self.path, code)
            self._finish(code, details, message)

    def _finish(self, code: StatusCode, details: str, message: bytes | None) -> None:
        raise NotImplementedError

    def wake(self) -> None:
        if not self._is_queued:
            self._is_queued = True
            with suppress(RuntimeError):  # the loop is closed: nobody is there
                self._loop.call_soon_threadsafe(self._ready)

    def wake_in(self, seconds: float) -> None:
        self._loop.call_later(seconds, self.wake)

    def _ready(self) -> None:
        self._is_queued = False
        if self._handler is not None and not self.is_finished:
            self._handler.ready()

    def _gone(self) -> None:
        """The client is."""
        if not self.is_finished:
            self.is_finished = True
            self._gateway.calls.handle(self.path, StatusCode.CANCELLED)
            if self._handler is not None:
                self._handler.cancelled()

    def _rendered(self, message: bytes) -> dict[str, Any]:
        return rendered(self._method.response.FromString(message))


class _Unary(_Call):
    """The one answer is the body."""

    def _finish(self, code: StatusCode, details: str, message: bytes | None) -> None:
        if message is None:
            self._exchange.respond(self._gateway.error(code, details))
        else:
            self._exchange.respond(Response(200, to_bytes(self._rendered(message)), JSON))


class _Stream(_Call):
    """The answers are lines, from the first on, as they come."""

    _has_begun = False

    def send(self, message: bytes, then: Callable[[], None]) -> None:
        self._line(message, lambda: self._sent(then))

    def _sent(self, then: Callable[[], None]) -> None:
        if not self.is_finished:
            then()

    def _finish(self, code: StatusCode, details: str, message: bytes | None) -> None:
        if message is not None:
            self._line(message, nothing)
        elif code is not StatusCode.OK:
            self._begin_with(http_status(code), JSON)
            self._exchange.write(self._gateway.last_line(code, details), nothing)
        self._begin_with(200, self._gateway.content_type_of_nothing)
        self._exchange.end()

    def _line(self, message: bytes, then: Callable[[], None]) -> None:
        self._begin_with(200, JSON)
        self._exchange.write(to_bytes({"result": self._rendered(message)}) + b"\n", then)

    def _begin_with(self, status: int, content_type: str) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._exchange.begin(status, content_type)


def _metadata(request: Request) -> tuple[tuple[str, str], ...]:
    """What the gateway makes of headers. grpc-gateway: runtime/context.go annotateContext."""
    metadata = [("grpcgateway-accept", request.headers.get("accept", ""))]
    for name, value in request.headers.items():
        if name == "authorization":
            metadata.append((name, value))
        elif name.startswith(_METADATA_PREFIX):
            metadata.append((name.removeprefix(_METADATA_PREFIX), value))
    return tuple(metadata)
