"""A connection in HTTP/1.1, by the package h11: one request after the other, each answered before the next is read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

import h11

from fake_etcd.http.exchange import Request, Response, nothing
from fake_etcd.http.routes import Routes
from fake_etcd.tls import common_name_of

_log = logging.getLogger(__name__)

_MOST_BODY_BYTES = 64 * 1024 * 1024
"""Of a request; etcd refuses what is longer than its own limit far below."""


class HttpConnection(asyncio.Protocol):
    """A client's connection. All of it is for the event loop's thread."""

    def __init__(self, routes: Routes, connections: set[HttpConnection]) -> None:
        """It is among the connections as long as it is open."""
        self._routes = routes
        self._connections = connections
        self._h11 = h11.Connection(h11.SERVER)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._exchange: HttpExchange | None = None
        self._when_writable: Callable[[], None] | None = None
        self._is_full = False

    # For the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._h11.receive_data(data)
        self._read()

    def eof_received(self) -> bool:
        """A client that has said all gets no more answers, but for those that are under way already."""
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self._connections.discard(self)
        self._when_writable = None
        if self._exchange is not None:
            exchange, self._exchange = self._exchange, None
            exchange.is_gone()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        if self._when_writable is not None:
            then, self._when_writable = self._when_writable, None
            then()

    def close(self) -> None:
        """End it, whatever is under way."""
        self._transport.abort()

    # For the exchange

    def send(self, event: h11.Event) -> None:
        data = self._h11.send(event)
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def when_writable(self, then: Callable[[], None]) -> None:
        """Call back soon, once the client has taken enough of what was sent."""
        if self._is_full:
            self._when_writable = then
        else:
            asyncio.get_running_loop().call_soon(self._if_open, then)

    def answered(self) -> None:
        """The exchange is over: the next request has its turn, or the connection ends."""
        self._exchange = None
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
            asyncio.get_running_loop().call_soon(self._if_open, self._read)
        else:
            self._transport.close()

    def _if_open(self, then: Callable[[], None]) -> None:
        if not self._transport.is_closing():
            then()

    # Requests

    def _read(self) -> None:
        try:
            while self._exchange is None:
                event = self._h11.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    self._encourage()
                    return
                if isinstance(event, h11.Request):
                    self._head = event
                    self._body.clear()
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > _MOST_BODY_BYTES:
                        self._refuse(413)
                        return
                elif isinstance(event, h11.EndOfMessage):
                    self._answer()
                else:
                    self._transport.close()
                    return
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint)

    def _encourage(self) -> None:
        if self._h11.they_are_waiting_for_100_continue:
            self.send(h11.InformationalResponse(status_code=100, headers=[]))

    def _answer(self) -> None:
        assert self._head is not None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._head.headers}
        request = Request.of_target(
            self._head.method.decode("ascii"),
            self._head.target.decode("latin-1"),
            headers,
            bytes(self._body),
            common_name_of(self._transport.get_extra_info("peercert")),
            is_secure=self._transport.get_extra_info("sslcontext") is not None,
        )
        self._exchange = HttpExchange(self, request, self._routes.headers(request))
        try:
            self._routes.answer(self._exchange)
        except Exception as error:  # one request must not end the others
            _log.exception("fake-etcd: a request failed")
            if self._exchange is None or self._exchange.has_begun:
                self.close()
            else:
                self._exchange.respond(Response.error(500, f"fake-etcd: internal error: {type(error).__name__}"))

    def _refuse(self, status: int) -> None:
        """What is no HTTP/1.1 gets a last answer. Go: net/http conn.serve."""
        if self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._exchange = HttpExchange(self, Request.of_target("GET", "/", {}))
            self._exchange.respond(Response.error(status))
        self._transport.close()


class HttpExchange:
    """One request of a connection, and the ways to answer it."""

    def __init__(self, connection: HttpConnection, request: Request, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """`headers`: what the answer has, whatever it is."""
        self.request = request
        self._headers = headers
        self.is_over = False
        self.has_begun = False
        self.when_gone: Callable[[], None] = nothing
        self._connection = connection

    def respond(self, response: Response) -> None:
        self._begin(response.status, response.content_type, len(response.body), response.headers)
        if response.body and self.request.method != "HEAD":
            self._connection.send(h11.Data(data=response.body))
        self.end()

    def begin(self, status: int, content_type: str) -> None:
        self._begin(status, content_type, None, ())

    def write(self, data: bytes, then: Callable[[], None]) -> None:
        if not self.is_over:
            self._connection.send(h11.Data(data=data))
            self._connection.when_writable(then)

    def end(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._connection.send(h11.EndOfMessage())
            self._connection.answered()

    def is_gone(self) -> None:
        """The client has gone."""
        if not self.is_over:
            self.is_over = True
            self.when_gone()

    def _begin(self, status: int, content_type: str, size: int | None, more: tuple[tuple[str, str], ...]) -> None:
        """Without a size, the answer comes in chunks."""
        self.has_begun = True
        headers = [*self._headers, *more, ("Date", formatdate(usegmt=True))]
        if size is not None:
            headers.append(("Content-Length", str(size)))
        if size != 0 and content_type:
            headers.append(("Content-Type", content_type))
        self._connection.send(h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase))
