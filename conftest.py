"""Options and fixtures of every suite: which real etcd the tests run against, and the targets on it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from etcd_lockstep.servers import (
    ACCEPTED,
    BadSource,
    EtcdUnavailable,
    NoEtcd,
    NotEmpty,
    RunningEtcd,
    parse_source,
    refuse_unless_empty,
    start,
)
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.targets.wire import WireTarget
from etcd_model import DEFAULT_VERSION, Quirks, Server, quirks_of
from etcd_model.operations import LeaseGrant, LeaseRevoke
from etcd_model.quirks import release_of
from etcd_model.results import LeaseGrantResult

_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
"""A sequence of operations on a real server takes longer than what Hypothesis holds for healthy."""

settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=_SLOW)
settings.register_profile("ci", parent=settings.get_profile("dev"), max_examples=200, derandomize=True, database=None)
settings.register_profile(
    "fuzz",
    parent=settings.get_profile("dev"),
    max_examples=10_000,
    phases=set(Phase) - {Phase.explain},
    print_blob=True,
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")  # --hypothesis-profile is applied after this


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("etcd-lockstep")
    group.addoption(
        "--etcd",
        metavar="SOURCE",
        default=os.environ.get("ETCD") or "auto",
        help=f"the real etcd: {ACCEPTED} (default: $ETCD, or else auto)",
    )
    group.addoption(
        "--allow-destroy",
        action="store_true",
        help="the tests may delete whatever the endpoint of --etcd holds",
    )


def pytest_configure(config: pytest.Config) -> None:
    try:
        parse_source(config.getoption("--etcd"))
    except BadSource as error:
        raise pytest.UsageError(str(error)) from error


class _NoneWanted(Exception):
    """`--etcd none`."""


@pytest.fixture(scope="session")
def _etcd_or_reason(request: pytest.FixtureRequest) -> Iterator[RunningEtcd | Exception]:
    """The one real etcd of the session, or why there is none: each test that needs it tells."""
    source = parse_source(request.config.getoption("--etcd"))
    if isinstance(source, NoEtcd):
        yield _NoneWanted("needs a real etcd, and --etcd none was said")
        return
    try:
        running = start(source)
    except EtcdUnavailable as unavailable:
        yield unavailable
        return
    with running:
        try:
            if not running.owned:
                refuse_unless_empty(running.address, request.config.getoption("--allow-destroy"))
        except (EtcdUnavailable, NotEmpty) as refusal:
            yield refusal
            return
        _say(request.config, f"the real etcd: {running.how}")
        yield running


def _say(config: pytest.Config, line: str) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.ensure_newline()
        reporter.write_line(line)


@pytest.fixture(scope="session")
def _running(_etcd_or_reason: RunningEtcd | Exception) -> RunningEtcd:
    """The real etcd. A test that can't have one fails, unless the session was told to do without."""
    match _etcd_or_reason:
        case _NoneWanted():
            pytest.skip(str(_etcd_or_reason))
        case Exception():
            pytest.fail(str(_etcd_or_reason), pytrace=False)
        case _:
            return _etcd_or_reason


@pytest.fixture(scope="session")
def etcd(_running: RunningEtcd) -> RunningEtcd:
    """The real etcd of the session."""
    return _running


@pytest.fixture(scope="session")
def etcd_address(_running: RunningEtcd) -> str:
    """HOST:PORT of the real etcd; a module may give the name `etcd` to something of its own."""
    return _running.address


@pytest.fixture(scope="session")
def etcd_version(_etcd_or_reason: RunningEtcd | Exception) -> str:
    """The release that model and fake are to be: that of the real etcd, or the default one where there is none."""
    return DEFAULT_VERSION if isinstance(_etcd_or_reason, Exception) else release_of(_etcd_or_reason.version)


@pytest.fixture(scope="session")
def quirks(etcd_version: str) -> Quirks:
    """What the release does in a way of its own."""
    return quirks_of(etcd_version)


@pytest.fixture(scope="session")
def min_lease_ttl(_etcd_or_reason: RunningEtcd | Exception) -> int:
    """The least TTL, in seconds, that the real etcd grants; it follows from timings that an endpoint may have set."""
    if isinstance(_etcd_or_reason, Exception):
        return Server().min_lease_ttl
    target = WireTarget("etcd", _etcd_or_reason.address)
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
