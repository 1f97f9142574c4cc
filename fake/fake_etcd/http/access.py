"""Who may ask over HTTP: --host-whitelist and --cors (etcd: server/embed/serve.go accessController)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from fake_etcd.http.exchange import Request, Response

_HOST_AND_PORT = re.compile(r"\[([^\[\]]*)\]:[^:\[\]]*|([^:\[\]]*):[^:\[\]]*")
"""Go: net.SplitHostPort."""

_REFUSAL = """
etcd received your request, but the Host header was unrecognized.

To fix this, choose one of the following options:
- Enable TLS, then any HTTPS request will be allowed.
- Add the hostname you want to use to the whitelist in settings.
  - e.g. etcd --host-whitelist {}

This requirement has been added to help prevent "DNS Rebinding" attacks (CVE-2018-5702).
"""


@dataclass(frozen=True, slots=True)
class Access:
    """What the flags say; without them, everybody may. None of it is for gRPC."""

    origins: frozenset[str] | None = None
    """The origins of pages whose scripts may read answers; None: any."""
    hosts: frozenset[str] | None = None
    """The hosts by whose names the server may be called, but not by TLS; None: any."""

    def refusal(self, request: Request) -> Response | None:
        """The answer to a request that calls the server by another name."""
        if self.hosts is None or request.is_secure:
            return None
        host = _host_of(request)
        return None if host in self.hosts else Response.error(421, _REFUSAL.format(json.dumps(host)))

    def headers(self, request: Request) -> tuple[tuple[str, str], ...]:
        """What every answer to it has besides, unless it is a refusal. etcd: addCORSHeader."""
        origin = "*" if self.origins is None else request.headers.get("origin", "")
        if self.origins is not None and origin not in self.origins:
            return ()
        return (
            ("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Headers", "accept, content-type, authorization"),
        )


def _host_of(request: Request) -> str:
    """Without the port. etcd: pkg/httputil/httputil.go GetHostname."""
    called = request.headers.get("host", "")
    parts = _HOST_AND_PORT.fullmatch(called)
    return called if parts is None else parts[1] if parts[1] is not None else parts[2]
