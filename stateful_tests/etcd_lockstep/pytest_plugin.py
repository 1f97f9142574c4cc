"""The pytest plugin: a real etcd, a fake one, clients of either, a search for divergences, and the corpus as tests.

pytest loads this module in every test suite of an environment in which etcd-lockstep is installed. What the fixtures
need is therefore imported where they are used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from etcd_lockstep.filing.replaying import Replayer
    from etcd_lockstep.servers import EtcdSource, RunningEtcd
    from etcd_lockstep.suites.real_etcd import RealEtcd
    from fake_etcd import FakeEtcd, GrpcServer

ETCD_SOURCE_VARIABLE = "ETCD_LOCKSTEP_ETCD_SOURCE"
"""The environment variable that stands for `--etcd-source`."""

_BACKENDS = ("fake", "real")
_ABOUT_LEFTOVERS = ("warn", "fail", "ignore")


class LeftBehindWarning(pytest.PytestWarning):
    """A test has left leases, watches, waiting calls or threads behind."""


_resources = pytest.StashKey[ExitStack]()
_replayer = pytest.StashKey["Replayer"]()
_etcd_in_use = pytest.StashKey[str]()
_fake_in_use = pytest.StashKey["FakeEtcd"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("etcd-lockstep")
    group.addoption(
        "--etcd-source",
        metavar="SOURCE",
        help="where the real etcd comes from: auto, none[:X.Y.Z], container[:TAG], binary[:PATH], version:X.Y.Z or "
        f"endpoint:HOST:PORT (default: ${ETCD_SOURCE_VARIABLE}, the ini option etcd_source, or else auto)",
    )
    group.addoption(
        "--etcd-lockstep-allow-destroy",
        action="store_true",
        help="delete everything that the endpoint of --etcd-source holds, and then use it",
    )
    group.addoption(
        "--etcd-lockstep-corpus",
        metavar="DIR",
        help="replay the corpus files of this folder, each as one test (default: the ini option etcd_lockstep_corpus)",
    )
    group.addoption(
        "--etcd-lockstep-target",
        metavar="TARGET",
        help="the target on which the corpus is replayed besides the model, the fake and etcd, as for `etcd-lockstep "
        "replay --against` (default: the ini option etcd_lockstep_target)",
    )
    group.addoption(
        "--etcd-backend",
        metavar="BACKEND",
        choices=_BACKENDS,
        help="what the fixtures etcd_backend, etcd3_client and aetcd_client run on: fake, or real, the etcd of "
        "--etcd-source (default: the ini option etcd_backend, or else fake)",
    )
    group.addoption(
        "--etcd-leftovers",
        metavar="WHAT",
        choices=_ABOUT_LEFTOVERS,
        help="what is done about a test that leaves leases, watches, waiting calls or threads behind: warn, fail or "
        "ignore (default: the ini option etcd_leftovers, or else warn)",
    )
    group.addoption(
        "--etcd-lockstep-html",
        metavar="DIR",
        help="write a page with the timeline of each simulation that fails into this folder (needs the extra html)",
    )
    parser.addini("etcd_backend", "fake or real: what the fixture etcd_backend runs on", default="fake")
    parser.addini("etcd_leftovers", "warn, fail or ignore: about what a test leaves behind", default="warn")
    parser.addini("etcd_source", "where the real etcd comes from", default=None)
    parser.addini("etcd_lockstep_corpus", "a folder of corpus files to replay", type="paths", default=[])
    parser.addini("etcd_lockstep_target", "the target on which the corpus is replayed", default=None)
    parser.addini("fake_etcd_journal", "how many requests to the fixture fake_etcd a failing test reports", default="0")
    parser.addini("fake_etcd_version", "the release of etcd that the fixture fake_etcd emulates", default=None)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_resources] = ExitStack()
    if _source_text(config) is not None:
        _check_source(config)
    _chosen(config, "etcd_backend", _BACKENDS)
    _chosen(config, "etcd_leftovers", _ABOUT_LEFTOVERS)
    folder = config.getoption("--etcd-lockstep-corpus")
    if folder is not None and not Path(folder).is_dir():
        raise pytest.UsageError(f"--etcd-lockstep-corpus {folder}: there is no such folder")
    if config.getoption("--etcd-lockstep-html") is not None:
        from etcd_lockstep.reporting.html import NoJinja2, check_jinja2

        try:
            check_jinja2()
        except NoJinja2 as error:
            raise pytest.UsageError(str(error).replace("--html", "--etcd-lockstep-html")) from error
    named_on_command_line = config.args_source is pytest.Config.ArgsSource.ARGS
    if folder is not None or not named_on_command_line:
        config.args += [str(one) for one in _corpus_folders(config) if str(one) not in config.args]


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_resources].close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    how = config.stash.get(_etcd_in_use, None)
    if how is not None:
        terminalreporter.write_line(f"the real etcd: {how}")


def _chosen(config: pytest.Config, name: str, accepted: tuple[str, ...]) -> str:
    """An option that is also an ini option; UsageError where the latter is none of what is accepted."""
    chosen: str = config.getoption(f"--{name.replace('_', '-')}") or config.getini(name)
    if chosen not in accepted:
        raise pytest.UsageError(f"{name} is {', '.join(accepted[:-1])} or {accepted[-1]}, not {chosen!r}")
    return chosen


# The real etcd


def _source_text(config: pytest.Config) -> str | None:
    """The source that was asked for, if any was."""
    return config.getoption("--etcd-source") or os.environ.get(ETCD_SOURCE_VARIABLE) or config.getini("etcd_source")


def _check_source(config: pytest.Config) -> None:
    from etcd_lockstep.servers import BadSource, Endpoint

    try:
        source = etcd_source(config)
    except BadSource as error:
        raise pytest.UsageError(str(error)) from error
    if isinstance(source, Endpoint) and (config.getoption("numprocesses", None) or 0) > 1:
        raise pytest.UsageError(
            f"{_source_text(config)} is one server, and each worker of pytest-xdist needs one: run without -n"
        )


def etcd_source(config: pytest.Config) -> EtcdSource:
    """Where the real etcd of this session comes from. Raises `servers.BadSource`."""
    from etcd_lockstep.servers import parse_source

    return parse_source(_source_text(config) or "auto")


@pytest.fixture(scope="session")
def real_etcd(request: pytest.FixtureRequest) -> Iterator[RunningEtcd]:
    """A real etcd, started once for the session: `address` is its HOST:PORT, `version` its release.

    All tests share it, so each keeps to keys of its own. A test that uses it fails where no etcd can be started, and is
    skipped with `--etcd-source none`.
    """
    from etcd_lockstep import servers

    source = etcd_source(request.config)
    if isinstance(source, servers.NoEtcd):
        pytest.skip("this test needs a real etcd, and the session runs with --etcd-source none")
    try:
        running = servers.start(source)
    except servers.EtcdUnavailable as unavailable:
        pytest.fail(str(unavailable), pytrace=False)
    with running:
        if not running.owned:
            try:
                servers.refuse_unless_empty(running.access, request.config.getoption("--etcd-lockstep-allow-destroy"))
            except (servers.EtcdUnavailable, servers.NotEmpty) as refusal:
                pytest.fail(str(refusal), pytrace=False)
        request.config.stash[_etcd_in_use] = running.how
        yield running


# The fake, and what runs on either


@pytest.fixture
def fake_etcd(request: pytest.FixtureRequest) -> Iterator[FakeEtcd]:
    """A `fake_etcd.FakeEtcd`, empty, for one test: in-process clients of it, and `address`, where it is a server.

    It emulates the release that the ini option `fake_etcd_version` names. Its time goes by by itself, and by `advance`.
    With the ini option `fake_etcd_journal = 1000`, a failing test reports the last so many requests and answers.
    """
    from fake_etcd import FakeEtcd, RunningClock

    version, journal = request.config.getini("fake_etcd_version"), request.config.getini("fake_etcd_journal")
    if not journal.isdecimal():
        pytest.fail(f"fake_etcd_journal is how many requests to keep, not {journal!r}", pytrace=False)
    try:
        fake = FakeEtcd(*filter(None, [version]), clock=RunningClock(), journal=int(journal))
    except ValueError as error:
        pytest.fail(f"fake_etcd_version: {error}", pytrace=False)
    request.node.stash[_fake_in_use] = fake
    with _leftovers_reported(request, fake):
        yield fake


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the fake's journal to the report of a test that failed, and write the page of a simulation that did."""
    report = yield
    folder = item.config.getoption("--etcd-lockstep-html")
    if folder is not None and report.when == "call" and report.failed and call.excinfo is not None:
        from etcd_lockstep.suites.timelines import write_timelines

        for path in write_timelines(Path(folder), item.nodeid, call.excinfo.value):
            report.sections.append(("Timeline", str(path)))
    fake = item.stash.get(_fake_in_use, None)
    if report.when == "call" and report.failed and fake is not None and fake.journal:
        report.sections.append(("Journal of fake_etcd", str(fake.journal)))
    return report


@pytest.fixture
def fake_etcd_server(fake_etcd: FakeEtcd) -> GrpcServer:
    """The same fake as a gRPC server on loopback: `address` is its HOST:PORT."""
    return fake_etcd.serve()


@pytest.fixture
def etcd_backend(request: pytest.FixtureRequest) -> Iterator[FakeEtcd | RealEtcd]:
    """The fake or, with `--etcd-backend real`, a real etcd that is emptied before the test.

    Both have `address`, `version`, `channel()`, `aio_channel()`, `etcd3_client()`, `aetcd_client()` and `advance()`,
    which waits where the etcd is real. A test that asks for `fake_etcd` too gets that one.
    """
    if _chosen(request.config, "etcd_backend", _BACKENDS) == "fake" or "fake_etcd" in request.fixturenames:
        yield request.getfixturevalue("fake_etcd")
        return
    running = request.getfixturevalue("real_etcd")
    from etcd_lockstep.suites.real_etcd import RealEtcd
    from etcd_lockstep.target import TargetDied

    try:
        real = RealEtcd(running)
    except TargetDied as error:
        pytest.fail(str(error), pytrace=False)
    with _leftovers_reported(request, real):
        yield real


@pytest.fixture
def etcd3_client(etcd_backend: FakeEtcd | RealEtcd) -> Any:
    """A client of the package etcd3, for the `etcd_backend`; it is closed after the test."""
    return _or_fail(etcd_backend.etcd3_client)


@pytest.fixture
def aetcd_client(etcd_backend: FakeEtcd | RealEtcd) -> Any:
    """A client of the package aetcd, for the `etcd_backend`. It connects at its first call; the test closes it."""
    return _or_fail(etcd_backend.aetcd_client)


def _or_fail(client: Callable[[], Any]) -> Any:
    try:
        return client()
    except ImportError as error:
        pytest.fail(str(error), pytrace=False)


@contextmanager
def _leftovers_reported(request: pytest.FixtureRequest, etcd: FakeEtcd | RealEtcd) -> Iterator[None]:
    """Close an etcd after a test, and report what the test has left behind in it: by then, its fixtures have ended."""
    from etcd_lockstep.suites.left_behind import Threads, left_behind, settled

    threads = Threads()
    yield
    what = _chosen(request.config, "etcd_leftovers", _ABOUT_LEFTOVERS)
    held = [] if what == "ignore" else settled(etcd.in_use)
    etcd.close()
    if what == "ignore":
        return
    left = left_behind(held, threads.new())
    if left and what == "fail":
        pytest.fail(f"{request.node.name} has left behind: {left}", pytrace=False)
    if left:
        request.node.warn(LeftBehindWarning(f"{request.node.name} has left behind: {left}"))


# Lies, and the corpus


@pytest.fixture
def etcd_lockstep(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`etcd_lockstep.assert_matches_etcd` with the session's source of a real etcd: `etcd_lockstep(MyMock)` searches
    for divergences of a target, and fails with their reports."""
    from etcd_lockstep.api import assert_matches_etcd

    return partial(assert_matches_etcd, etcd=_source_text(request.config) or "auto")


def _corpus_folders(config: pytest.Config) -> list[Path]:
    option = config.getoption("--etcd-lockstep-corpus")
    return [Path(option).absolute()] if option is not None else config.getini("etcd_lockstep_corpus")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == ".json" and file_path.parent in _corpus_folders(parent.config):
        return _CorpusFile.from_parent(parent, path=file_path)
    return None


class _CorpusFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        yield _ReplayItem.from_parent(self, name="replay")


class _StillShows(Exception):
    """The divergence that a corpus file holds still shows."""


class _ReplayItem(pytest.Item):
    """One corpus file: FIXED is a pass, STILL LIES a failure."""

    path: Path

    def runtest(self) -> None:
        from etcd_lockstep.filing.corpus import load
        from etcd_lockstep.filing.replaying import Outcome
        from etcd_lockstep.reporting.wording import operation_in_words

        file = load(self.path)
        result = _replayer_of(self.config).replay(file)
        match result.outcome:
            case Outcome.NOT_REPLAYED:
                pytest.skip(result.remark)
            case Outcome.NOT_REPRODUCED:
                pytest.skip("it was seen once only when it was found, and does not show now")
            case Outcome.STILL_LIES:
                steps = (f"  {step} {operation_in_words(one)}" for step, one in enumerate(file.trace, 1))
                raise _StillShows("\n".join((f"STILL LIES: {result.remark}", *steps)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """One line for what is wrong with the file, the target or the etcd; a traceback for anything else."""
        from etcd_lockstep.catalogue import UnknownTarget
        from etcd_lockstep.filing.corpus import BadFile
        from etcd_lockstep.servers import EtcdUnavailable, NotEmpty
        from etcd_lockstep.target import TargetDied

        if isinstance(excinfo.value, _StillShows | BadFile | UnknownTarget | EtcdUnavailable | NotEmpty | TargetDied):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"replay of {self.path.name}"


def _replayer_of(config: pytest.Config) -> Replayer:
    if _replayer not in config.stash:
        from etcd_lockstep.catalogue import find
        from etcd_lockstep.filing.replaying import Replayer

        target = config.getoption("--etcd-lockstep-target") or config.getini("etcd_lockstep_target")
        config.stash[_replayer] = config.stash[_resources].enter_context(
            Replayer(
                etcd_source(config),
                [find(target)] if target else [],
                allow_destroy=config.getoption("--etcd-lockstep-allow-destroy"),
            )
        )
    return config.stash[_replayer]
