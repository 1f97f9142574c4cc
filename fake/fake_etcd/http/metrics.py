"""`/metrics` for Prometheus, under etcd's own names, of what the fake knows (etcd: server/etcdserver/metrics.go).

How long things took, and what a disk, a peer or Go would add, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grpc import StatusCode
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fake_etcd.call_counts import CallCounts
from fake_etcd.core import MEMBER_ID, Core
from fake_etcd.engine import Engine
from fake_etcd.http.exchange import Request, Response
from fake_etcd.http.routes import Routes
from fake_etcd.watch import WatchStream
from fake_etcd.wire.methods import METHOD

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def add_metrics(routes: Routes, engine: Engine, calls: Sequence[CallCounts]) -> None:
    """Answer `/metrics`, whatever the method, as promhttp does."""
    registry = CollectorRegistry()
    registry.register(_Metrics(engine, calls))

    def answer(_request: Request) -> Response:
        return Response(200, generate_latest(registry), _CONTENT_TYPE)

    routes.add("/metrics", answer)


class _Metrics(Collector):
    """What is read anew whenever somebody asks."""

    def __init__(self, engine: Engine, calls: Sequence[CallCounts]) -> None:
        self._engine = engine
        self._calls = calls

    def collect(self) -> Iterator[Metric]:
        yield from self._engine.read(lambda core: [*_of_server(core), *_of_store(core)])
        yield from self._of_calls()

    def describe(self) -> list[Metric]:
        """Nothing is to be read when it is registered."""
        return []

    def _of_calls(self) -> Iterator[Metric]:
        labels = ("grpc_method", "grpc_service", "grpc_type")
        started = CounterMetricFamily("grpc_server_started", "RPCs started on the server.", labels=labels)
        for path in METHOD:
            started.add_metric(_labels_of(path), sum(calls.started[path] for calls in self._calls))
        yield started
        handled = CounterMetricFamily(
            "grpc_server_handled", "RPCs completed on the server, whatever came of them.", labels=("grpc_code", *labels)
        )
        for path, code in dict.fromkeys(ending for calls in self._calls for ending in tuple(calls.handled)):
            name = "OK" if code is StatusCode.OK else code.name.title().replace("_", "")
            number = sum(calls.handled[path, code] for calls in self._calls)
            handled.add_metric((name, *_labels_of(path)), number)
        yield handled


def _labels_of(path: str) -> tuple[str, str, str]:
    method = METHOD[path]
    if method.client_streaming:
        return method.name, method.service, "bidi_stream"
    return method.name, method.service, "server_stream" if method.server_streaming else "unary"


def _of_server(core: Core) -> Iterator[Metric]:
    yield _gauge("etcd_server_has_leader", "Whether there is a leader.", 1)
    yield _gauge("etcd_server_is_leader", "Whether this member is the leader.", 1)
    yield _gauge("etcd_server_is_learner", "Whether this member is a learner.", 0)
    yield CounterMetricFamily("etcd_server_leader_changes_seen", "Changes of leader.", value=1)
    yield _labelled("etcd_server_version", "The release.", "server_version", core.quirks.version)
    yield _labelled("etcd_cluster_version", "Without its patch.", "cluster_version", core.storage_version[:-2])
    yield _labelled("etcd_server_id", "The member, in hexadecimal.", "server_id", f"{MEMBER_ID:x}")
    yield _gauge("etcd_server_quota_backend_bytes", "The quota of the database.", core.settings.quota_bytes)
    yield _gauge("etcd_server_proposals_committed_total", "What was put to raft.", core.raft_index)
    yield _gauge("etcd_server_proposals_applied_total", "What was put to raft.", core.raft_index)


def _of_store(core: Core) -> Iterator[Metric]:
    store = core.store
    yield CounterMetricFamily("etcd_mvcc_put", "Puts, those of txns too.", value=store.puts)
    yield CounterMetricFamily("etcd_mvcc_delete", "Keys that were deleted.", value=store.deletes)
    yield _gauge("etcd_mvcc_db_total_size_in_bytes", "Estimated.", core.backend.size)
    yield _gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Estimated.", core.backend.in_use)
    yield _gauge("etcd_debugging_mvcc_keys_total", "Keys.", store.live_keys)
    yield _gauge("etcd_debugging_mvcc_current_revision", "The revision of the store.", store.revision)
    yield _gauge("etcd_debugging_mvcc_compact_revision", "Up to where it was compacted.", store.compact_revision)
    streams = [stream for stream in core.hub.streams if isinstance(stream, WatchStream)]
    watchers = sum(len(stream.watched()) for stream in streams)
    yield _gauge("etcd_debugging_mvcc_watch_stream_total", "Open streams of watchers.", len(streams))
    yield _gauge("etcd_debugging_mvcc_watcher_total", "Watchers.", watchers)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)


def _labelled(name: str, documentation: str, label: str, value: str) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=(label,))
    family.add_metric((value,), 1)
    return family
