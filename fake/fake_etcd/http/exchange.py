"""A request over HTTP, and the ways to answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request, with its body."""

    method: str
    path: str
    """Without escapes and without the query."""
    query: Mapping[str, Sequence[str]]
    """The values of each parameter, an empty one too."""
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes
    common_name: str = ""
    """Of the client's certificate."""
    is_secure: bool = False
    """Whether it came by TLS."""

    @staticmethod
    def of_target(
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        common_name: str = "",
        *,
        is_secure: bool = False,
    ) -> Request:
        """The request for a target such as `/health?exclude=NOSPACE`."""
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        return Request(method, unquote(parts.path), query, headers, body, common_name, is_secure)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer that is there as a whole."""

    status: int
    body: bytes = b""
    content_type: str = TEXT
    headers: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def error(status: int, message: str = "", *headers: tuple[str, str]) -> Response:
        """A line of text; without a message, the status' own name. Go: net/http Error."""
        text = message or HTTPStatus(status).phrase
        return Response(status, f"{text}\n".encode(), TEXT, (("X-Content-Type-Options", "nosniff"), *headers))


Answer = Callable[[Request], Response]
"""Answers a request at once. It is called on the thread of the HTTP server, which answers nobody meanwhile."""


class Exchange(Protocol):
    """A request that is to be answered: by `respond`, or by `begin`, any number of `write` and `end`."""

    request: Request
    when_gone: Callable[[], None]
    """Called where the client has gone before the answer is over; to be set by whoever answers later."""

    def respond(self, response: Response) -> None:
        """The whole answer."""

    def begin(self, status: int, content_type: str) -> None:
        """An answer that comes in pieces; the type may be empty."""

    def write(self, data: bytes, then: Callable[[], None]) -> None:
        """A piece; `then` is called when the client is ready for the next."""

    def end(self) -> None:
        """There are no more pieces."""


def nothing() -> None:
    """Nobody needs to know."""
