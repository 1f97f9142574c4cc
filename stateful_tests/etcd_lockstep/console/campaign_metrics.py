"""The figures of a running campaign for Prometheus, on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from etcd_lockstep.console.campaign_progress import CampaignBoard

_METRICS: dict[str, tuple[str, Callable[[CampaignBoard], float]]] = {
    "shards_done": ("Shards that are done.", lambda board: board.done),
    "shards_failed": ("Shards that came to nothing.", lambda board: board.failed),
    "shards_running": ("Shards that are under way.", lambda board: board.under_way),
    "steps": ("Steps, with those of the shards under way.", lambda board: board.steps_so_far),
    "findings": ("Findings, each counted once.", lambda board: board.findings),
    "workers": ("Workers that have reported how far their shard is.", lambda board: len(board.workers)),
}


@contextmanager
def served_metrics(board: CampaignBoard, port: int | None) -> Iterator[None]:
    """Serve them at `http://127.0.0.1:PORT/metrics` meanwhile; without a port, nothing. Raises OSError."""
    if port is None:
        yield
        return
    registry = CollectorRegistry()
    for name, (what, read) in _METRICS.items():
        gauge = Gauge(f"etcd_lockstep_campaign_{name}", what, registry=registry)
        gauge.set_function(partial(read, board))
    server, thread = start_http_server(port, "127.0.0.1", registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
