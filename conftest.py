"""Fixtures of every suite: a folder to run in, and the targets, on the real etcd of the plugin of etcd_lockstep; and
Hypothesis' profiles."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, Phase, settings

from etcd_lockstep.searching import search, workers
from etcd_lockstep.servers import EtcdUnavailable, RunningEtcd
from etcd_lockstep.servers.container import engine
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.targets.wire import WireTarget
from etcd_model import DEFAULT_VERSION, Quirks, Server, quirks_of
from etcd_model.operations import LeaseGrant, LeaseRevoke
from etcd_model.quirks import release_of
from etcd_model.results import LeaseGrantResult
from fake_etcd import Engine, InProcessChannel, serve

_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
"""A sequence of operations on a real server takes longer than what Hypothesis holds for healthy."""

_PATIENCE = 10.0
"""Seconds that a thread of a library's has to end."""

settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=_SLOW)
settings.register_profile("ci", parent=settings.get_profile("dev"), max_examples=100, derandomize=True, database=None)
settings.register_profile(
    "fuzz",
    parent=settings.get_profile("dev"),
    max_examples=10_000,
    phases=set(Phase) - {Phase.explain},
    print_blob=True,
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")  # --hypothesis-profile is applied after this


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own to run in, `sys.path` as it was, and room for long lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    """Fails if the test leaves a thread behind, but for those of the program `stubborn`, which nothing can end.

    A simulated thread has ended when its run is over. One of gRPC's ends a little after its channel was closed.
    """
    before = set(threading.enumerate())
    yield
    left = {thread for thread in threading.enumerate() if thread.name != "simulated stubborn"} - before
    for thread in left:
        if not thread.name.startswith("simulated "):
            thread.join(_PATIENCE)
    assert not {thread for thread in left if thread.is_alive()}


@pytest.fixture(scope="module")
def time_to_shrink() -> Iterator[None]:
    """Findings are shrunk to the end, however busy the machine is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "SHRINK_SECONDS", 600.0)
        patch.setattr(workers, "SHRINK_SECONDS", 600.0)
        patch.setattr(workers, "SHRINK_SECONDS_IN_ALL", 600.0)
        yield


@pytest.fixture(scope="session")
def etcd_address(real_etcd: RunningEtcd) -> str:
    """HOST:PORT of the real etcd."""
    return real_etcd.address


@pytest.fixture(scope="session")
def etcd_version(request: pytest.FixtureRequest) -> str:
    """The release that model and fake emulate: that of the real etcd, or the default one where there is none."""
    try:
        running: RunningEtcd = request.getfixturevalue("real_etcd")
    except (pytest.skip.Exception, pytest.fail.Exception):  # only a test that needs a real etcd reports why
        return DEFAULT_VERSION
    return release_of(running.version)


@pytest.fixture(scope="session")
def quirks(etcd_version: str) -> Quirks:
    """What the release does in a way of its own."""
    return quirks_of(etcd_version)


@pytest.fixture(scope="session")
def min_lease_ttl(request: pytest.FixtureRequest) -> int:
    """The least TTL, in seconds, that the real etcd grants; it follows from timings that an endpoint may have set."""
    try:
        running: RunningEtcd = request.getfixturevalue("real_etcd")
    except (pytest.skip.Exception, pytest.fail.Exception):
        return Server().min_lease_ttl
    target = WireTarget("etcd", running.address)
    try:
        granted = target.apply(LeaseGrant(1))
        assert isinstance(granted, LeaseGrantResult), granted
        target.apply(LeaseRevoke(granted.id))
    finally:
        target.close()
    return granted.ttl


@pytest.fixture
def model(quirks: Quirks, min_lease_ttl: int) -> ModelTarget:
    """The model, of the release that the real etcd is."""
    target = ModelTarget(Server(quirks=quirks, min_lease_ttl=min_lease_ttl))
    target.reset()
    return target


@pytest.fixture
def fake(etcd_version: str, min_lease_ttl: int) -> FakeTarget:
    """The fake, of the release that the real etcd is."""
    target = FakeTarget(etcd_version, min_lease_ttl)
    target.reset()
    return target


@pytest.fixture(params=["in-process", "loopback"])
def channel(request: pytest.FixtureRequest) -> Iterator[grpc.Channel]:
    """A channel to a fake, in this process and over loopback."""
    engine = Engine()
    if request.param == "in-process":
        with InProcessChannel(engine) as channel:
            yield channel
        return
    with serve(engine) as server, grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.fixture(scope="session")
def _real(etcd_address: str) -> Iterator[WireTarget]:
    target = WireTarget("etcd", etcd_address)
    yield target
    target.close()


@pytest.fixture
def real(_real: WireTarget) -> WireTarget:
    """The real etcd as a target, emptied."""
    _real.reset()
    return _real


@pytest.fixture
def docker() -> Iterator[Any]:
    """A client of the Docker engine; where none answers, the test is skipped, unless it is required."""
    try:
        client = engine()
    except EtcdUnavailable as reason:
        if os.environ.get("ETCD_LOCKSTEP_REQUIRE_CONTAINER") == "1":
            pytest.fail(f"ETCD_LOCKSTEP_REQUIRE_CONTAINER is set, but {reason}")
        pytest.skip(str(reason))
    yield client
    client.close()


@pytest.fixture
def unreachable_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a machine without a registry and without an etcd on PATH, so that these tests are the same everywhere."""
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setenv("ETCD_LOCKSTEP_IMAGE", "127.0.0.1:1/nobody/etcd")
