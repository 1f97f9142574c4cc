"""What can be stressed: stores behind an address, each of which any number of clients can connect to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

from etcd_lockstep import servers
from etcd_lockstep.catalogue import UnknownTarget
from etcd_lockstep.interleaving.targets import InProcess, find_in_process
from etcd_lockstep.searching.reset_check import find_way_to_reset
from etcd_lockstep.servers import Access, Credentials, NoEtcd, ServerSettings, WantedEtcd
from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.targets.fake import FakeServerTarget
from etcd_lockstep.targets.served import PREFIX, Served, parse_served
from etcd_lockstep.targets.wire import WireTarget
from etcd_model.quirks import DEFAULT_VERSION, release_of
from etcd_model.state import Server

FAKE_SERVER = "fake-server"

StressTarget: TypeAlias = "str | Served | WantedEtcd | InProcess"
"""`FAKE_SERVER`, a program to be started, a real etcd, or an object in this process."""


@dataclass(frozen=True, slots=True)
class Store:
    """One that is running."""

    name: str
    how: str
    """What it is, in a line for the report."""
    target: WireTarget
    """Empties it between rounds."""
    access: Callable[[], Access]
    """How it is reached now; a reset may change it."""
    version: str = DEFAULT_VERSION
    """The release of etcd whose behaviour is expected of it."""
    server: BinaryEtcd | None = None
    """The process that faults are done to; None where there are to be none."""


def find_stress_target(text: str, credentials: Credentials | None = None) -> StressTarget:
    """What a command line names. Raises `UnknownTarget` or `servers.BadSource`, with a line that says what is wrong."""
    if text == FAKE_SERVER:
        return text
    if text.startswith(PREFIX):
        try:
            return parse_served(text)
        except ValueError as error:
            raise UnknownTarget(str(error)) from None
    if text.partition(":")[0] in servers.KINDS:
        source = servers.parse_source(text, credentials)
        if not isinstance(source, NoEtcd):
            return source
    try:
        return find_in_process(text)
    except UnknownTarget as unknown:
        raise UnknownTarget(
            f"{unknown}; stressed can be {FAKE_SERVER}, serve:COMMAND, every etcd (auto, container, binary, version or "
            "endpoint), and in this process fake, package.module:Class and the specimens of races"
        ) from None


def check_faults(target: StressTarget, faults: Collection[str]) -> None:
    """Raises `UnknownTarget` where there can be no faults, which is known before anything is started."""
    if not faults:
        return
    if isinstance(target, servers.Endpoint):
        raise UnknownTarget(f"--faults: endpoint:{target.address} was not started by this run, so it is left alone")
    if isinstance(target, str | Served | InProcess):
        raise UnknownTarget("--faults: only an etcd can be killed, for it finds its data again")
    if isinstance(target, servers.Container):
        raise UnknownTarget("--faults: only a binary of etcd has faults, not a container")


@contextmanager
def running(
    target: StressTarget,
    *,
    faults: Collection[str] = (),
    allow_destroy: bool = False,
    call_timeout: float,
    progress: Callable[[str], None],
) -> Iterator[Store]:
    """Start what is to be stressed, and end it afterwards; an endpoint is left empty.

    Raises what `servers.start`, `servers.refuse_unless_empty` and the start of a program do, and `UnknownTarget`.
    """
    check_faults(target, faults)
    if isinstance(target, InProcess):
        raise UnknownTarget(f"{target.name} has no address: it is used from threads of this process")
    if isinstance(target, str):
        fake = FakeServerTarget(release_of(DEFAULT_VERSION), Server().min_lease_ttl)
        try:
            yield Store(target, f"the fake, as etcd {DEFAULT_VERSION}", fake, lambda: Access(fake.address))
        finally:
            fake.close()
    elif isinstance(target, Served):
        served = target.start()
        try:
            served.limit_calls(call_timeout)
            find_way_to_reset(served)
            how = f"{served.name}, reset by {served.way.value}"
            yield Store(served.name, how, served, lambda: Access(served.address))
        finally:
            served.close()
    else:
        with _etcd(target, faults, allow_destroy, progress) as store:
            yield store


@contextmanager
def _etcd(
    source: WantedEtcd, faults: Collection[str], allow_destroy: bool, progress: Callable[[str], None]
) -> Iterator[Store]:
    wanted = servers.Binary() if faults and isinstance(source, servers.Auto) else source
    with servers.start(wanted, progress, ServerSettings(durable=bool(faults))) as etcd:
        if not etcd.owned:
            servers.refuse_unless_empty(etcd.access, allow_destroy)
        server = etcd if isinstance(etcd, BinaryEtcd) else None
        if faults and server is None:
            raise UnknownTarget(f"--faults: only a binary of etcd has faults, and this is {etcd.how}")
        target = EtcdTarget(etcd)
        try:
            if not etcd.owned:
                target.learn()
            yield Store("etcd", etcd.how, target, lambda: etcd.access, release_of(etcd.version), server)
            if not etcd.owned:
                with suppress(TargetDied):
                    target.reset()
        finally:
            target.close()
