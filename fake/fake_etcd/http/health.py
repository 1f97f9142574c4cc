"""`/health`, `/livez`, `/readyz` and `/version` (etcd: server/etcdserver/api/etcdhttp/health.go, version.go).

A cluster of one member always has its leader and answers reads, so alarms alone make it unhealthy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial

from fake_etcd.alarms import CORRUPT, NONE, name_of
from fake_etcd.core import Core
from fake_etcd.engine import Engine
from fake_etcd.http.exchange import JSON, Request, Response
from fake_etcd.http.routes import Routes
from fake_etcd.quirks import Quirks

Check = Callable[[Core], str]
"""What is wrong, or nothing. It is called with the engine's lock held."""

_NOSNIFF = ("X-Content-Type-Options", "nosniff")


def add_health(routes: Routes, engine: Engine) -> None:
    """Those of the paths that the emulated release has."""
    routes.add_get("/version", partial(_version, engine))
    add_probes(routes, engine)


def add_probes(routes: Routes, engine: Engine) -> None:
    """The same without `/version`. etcd: server/etcdserver/api/etcdhttp/health.go HandleHealth."""
    quirks = engine.quirks
    routes.add_get("/health", partial(_health, engine))
    if quirks.livez_exists:
        _add_checks(routes, engine, "/livez", {"serializable_read": _passes})
        _add_checks(routes, engine, "/readyz", _readiness(quirks))


def _version(engine: Engine, _request: Request) -> Response:
    quirks = engine.quirks
    versions = {"etcdserver": quirks.version, "etcdcluster": engine.read(lambda core: core.storage_version)}
    if quirks.storage_version:
        versions["storage"] = versions["etcdcluster"]
    return Response(200, _json(versions), JSON)


def _health(engine: Engine, request: Request) -> Response:
    """Without a cluster to be asked, `serializable=true` changes nothing."""
    excluded = request.query.get("exclude", ()) if engine.quirks.health_excludes_alarms else ()

    def reason(core: Core) -> str:
        raised = (name_of(alarm.alarm) for alarm in core.alarms.get(NONE))
        first = next((name for name in raised if name not in excluded), "")
        return f"ALARM {first if first in ('NOSPACE', 'CORRUPT') else 'UNKNOWN'}" if first else ""

    failed = engine.read(reason)
    health = {"health": "false" if failed else "true"}
    if engine.quirks.health_has_reason:
        health["reason"] = failed
    if failed:
        return Response(503, _json(health) + b"\n", headers=(_NOSNIFF,))
    return Response(200, _json(health))


def _readiness(quirks: Quirks) -> Mapping[str, Check]:
    checks: dict[str, Check] = {
        "data_corruption": _no_corrupt_alarm,
        "serializable_read": _passes,
        "linearizable_read": _passes,
    }
    if quirks.readyz_refuses_learners:
        checks["non_learner"] = _passes
    return checks


def _passes(_core: Core) -> str:
    return ""


def _no_corrupt_alarm(core: Core) -> str:
    return "alarm activated: CORRUPT" if core.alarms.get(CORRUPT) else ""


def _add_checks(routes: Routes, engine: Engine, path: str, checks: Mapping[str, Check]) -> None:
    """All of them at a path, and each at a path below it."""

    def answer(request: Request) -> Response:
        excluded = request.query.get("exclude", ())
        return _run(engine, {name: check for name, check in checks.items() if name not in excluded}, request)

    routes.add_get(path, answer)
    for name, check in checks.items():
        routes.add_get(f"{path}/{name}", partial(_run, engine, {name: check}))


def _run(engine: Engine, checks: Mapping[str, Check], request: Request) -> Response:
    """etcd runs them in any order."""
    outcomes = engine.read(lambda core: {name: check(core) for name, check in checks.items()})
    report = "".join(
        f"[-]{name} failed: {failed}\n" if failed else f"[+]{name} ok\n" for name, failed in outcomes.items()
    )
    if any(outcomes.values()):
        return Response.error(503, report)
    return Response(200, f"{report if 'verbose' in request.query else ''}ok\n".encode(), headers=(_NOSNIFF,))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
