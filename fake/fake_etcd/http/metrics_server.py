"""The listeners of --listen-metrics-urls (etcd: server/embed/etcd.go serveMetrics)."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from fake_etcd.call_counts import CallCounts
from fake_etcd.engine import Engine
from fake_etcd.http.front import Front
from fake_etcd.http.health import add_probes
from fake_etcd.http.metrics import add_metrics
from fake_etcd.http.routes import Routes
from fake_etcd.tls import Tls


class MetricsServer:
    """Answers `/metrics` and the probes of health at an address, and nothing else; a context manager that stops it.

    Whoever asks may call it by any name, and no answer is for the scripts of pages.
    """

    def __init__(self, engine: Engine, address: str, calls: Sequence[CallCounts], tls: Tls | None = None) -> None:
        """Listen on `host:port`; CannotListenError, BadCertificateError. `calls`: of the servers whose calls count."""
        self._front = Front(address, tls.context() if tls is not None else None, Routes(None))
        add_probes(self._front.routes, engine)
        add_metrics(self._front.routes, engine, calls)
        self.address = f"{address.rpartition(':')[0]}:{self._front.port}"
        self.url = f"http{'s' if tls is not None else ''}://{self.address}"
        self._front.start()

    def stop(self) -> None:
        """End it, and what is under way."""
        self._front.stop()

    def __enter__(self) -> MetricsServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
