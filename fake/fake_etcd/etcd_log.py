"""The lines of etcd's log that those who start it wait for, on stderr, as the emulated release writes them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timezone

from fake_etcd.quirks import quirks_of

_CAPNSLOG = {"info": "I", "warn": "W"}
"""How etcd 3.4 calls the levels; it logs in JSON only with --logger=zap. Measured: 3.4.23, 3.5.30, 3.6.16."""


class EtcdLog:
    """Writes lines of a release; ValueError where there is none of that number."""

    def __init__(self, version: str) -> None:
        self._in_json = not quirks_of(version).version.startswith("3.4.")

    def warn(self, message: str) -> None:
        """Something of our own."""
        self._write("warn", "fake-etcd", message)

    def serves_metrics(self, urls: Sequence[str]) -> None:
        """Metrics are to be had there besides. etcd: server/embed/etcd.go serveMetrics."""
        for url in urls:
            if self._in_json:
                self._write("info", "embed/etcd.go", "serving metrics", address=url)
            else:
                self._write("info", "embed", f"listening for metrics on {url}")

    def is_ready(self, servers: Sequence[tuple[str, bool]]) -> None:
        """Servers listen: their addresses, each with whether it is by TLS. etcd: server/embed/serve.go serve."""
        self._write("info", "embed/serve.go" if self._in_json else "embed", "ready to serve client requests")
        for address, is_secure in servers:
            if self._in_json:
                how = "securely" if is_secure else "insecurely; this is strongly discouraged!"
                self._write("info", "embed/serve.go", f"serving client traffic {how}", traffic="grpc", address=address)
            elif is_secure:
                self._write("info", "embed", f"serving client requests on {address}")
            else:
                self._write(
                    "info", "embed", f"serving insecure client requests on {address}, this is strongly discouraged!"
                )

    def _write(self, level: str, caller: str, message: str, **fields: str) -> None:
        now = datetime.now(timezone.utc)
        if self._in_json:
            stamp = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
            line = json.dumps(
                {"level": level, "ts": stamp, "caller": caller, "msg": message, **fields}, separators=(",", ":")
            )
        else:
            line = f"{now:%Y-%m-%d %H:%M:%S.%f} {_CAPNSLOG[level]} | {caller}: {message}"
        print(line, file=sys.stderr, flush=True)
