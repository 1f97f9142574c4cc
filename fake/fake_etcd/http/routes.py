"""Who answers which path (Go: net/http ServeMux)."""

from __future__ import annotations

from collections.abc import Callable

from fake_etcd.http.access import Access
from fake_etcd.http.exchange import Answer, Exchange, Request, Response

_Way = Callable[[Exchange], None]


class Routes:
    """Answers are found by the whole path, or by its longest beginning that ends in a slash."""

    def __init__(self, access: Access | None) -> None:
        """Where nobody looks who asks, requests of the method OPTIONS are like others."""
        self._access = access
        self._ways: dict[str, _Way] = {}

    def add(self, path: str, answer: Answer) -> None:
        """Answer a path such as `/version`, or all that begin with one such as `/control/`."""
        self.add_exchange(path, lambda exchange: exchange.respond(answer(exchange.request)))

    def add_get(self, path: str, answer: Answer) -> None:
        """The same for the method GET alone. etcd: server/etcdserver/api/etcdhttp/utils.go allowMethod."""

        def get(request: Request) -> Response:
            if request.method != "GET":
                return Response.error(405, "Method Not Allowed", ("Allow", "GET"))
            return answer(request)

        self.add(path, get)

    def add_exchange(self, path: str, way: _Way) -> None:
        """The same, for what may be answered later or bit by bit."""
        self._ways[path] = way

    def answer(self, exchange: Exchange) -> None:
        """Have a request answered, or refuse it."""
        if self._access is not None:
            refusal = self._access.refusal(exchange.request)
            if refusal is not None or exchange.request.method == "OPTIONS":
                exchange.respond(refusal or Response(200))
                return
        self._find(exchange.request.path)(exchange)

    def headers(self, request: Request) -> tuple[tuple[str, str], ...]:
        """What the answer to a request has, whatever it is."""
        if self._access is None or self._access.refusal(request) is not None:
            return ()
        return self._access.headers(request)

    def _find(self, path: str) -> _Way:
        while path:
            if path in self._ways:
                return self._ways[path]
            path = path[: path.rstrip("/").rfind("/") + 1]
        return _not_found


def _not_found(exchange: Exchange) -> None:
    exchange.respond(Response.error(404, "404 page not found"))
