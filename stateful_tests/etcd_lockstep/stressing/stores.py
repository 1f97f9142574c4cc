"""What can be stressed: stores behind an address, each of which any number of clients can connect to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from etcd_lockstep import servers
from etcd_lockstep.catalogue import UnknownTarget
from etcd_lockstep.interleaving.targets import InProcess, find_in_process
from etcd_lockstep.searching.reset_check import find_way_to_reset
from etcd_lockstep.servers import Access, Credentials, NoEtcd, ServerSettings, WantedEtcd
from etcd_lockstep.servers.running import StartedEtcd
from etcd_lockstep.stressing.nemesis import OF_CLUSTERS, OF_NETWORK, OF_SERVERS, Breaking, Peers
from etcd_lockstep.stressing.network import Link, Network
from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.targets.fake import FakeServerTarget
from etcd_lockstep.targets.served import PREFIX, Served, parse_served
from etcd_lockstep.targets.wire import WireTarget
from etcd_model.quirks import DEFAULT_VERSION, release_of
from etcd_model.state import Server

FAKE_SERVER = "fake-server"

CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class WantedCluster:
    """`cluster:3[:VERSION]`, `cluster:3:container[:TAG]` or `cluster:3:binary[:PATH]`."""

    source: servers.Binary | servers.Container | servers.Version = field(default_factory=servers.Binary)


StressTarget: TypeAlias = "str | Served | WantedEtcd | WantedCluster | InProcess"
"""`FAKE_SERVER`, a program to be started, a real etcd, three of them, or an object in this process."""


@dataclass(frozen=True, slots=True)
class Store:
    """One that is running."""

    name: str
    how: str
    """What it is, in a line for the report."""
    target: WireTarget
    """Empties it between rounds."""
    access: Callable[[], Access]
    """How it is reached now, whatever happens to clients; a reset may change it."""
    version: str = DEFAULT_VERSION
    """The release of etcd whose behaviour is expected of it."""
    members: int = 1
    """Of the cluster."""
    breaking: Breaking = field(default_factory=Breaking)
    """What faults are done to."""
    clients: Callable[[], Sequence[Access]] | None = None
    """How clients reach it now, who are spread over these; as all do, where there is nothing in between."""
    settle: Callable[[], None] = lambda: None
    """Wait until it answers after a fault. Raises `servers.EtcdUnavailable`."""


def find_stress_target(text: str, credentials: Credentials | None = None) -> StressTarget:
    """What a command line names. Raises `UnknownTarget` or `servers.BadSource`, with a line that says what is wrong."""
    if text == FAKE_SERVER:
        return text
    if text.startswith(PREFIX):
        try:
            return parse_served(text)
        except ValueError as error:
            raise UnknownTarget(str(error)) from None
    if text.partition(":")[0] == CLUSTER:
        return _parse_cluster(text)
    if text.partition(":")[0] in servers.KINDS:
        source = servers.parse_source(text, credentials)
        if not isinstance(source, NoEtcd):
            return source
    try:
        return find_in_process(text)
    except UnknownTarget as unknown:
        raise UnknownTarget(
            f"{unknown}; stressed can be {FAKE_SERVER}, serve:COMMAND, every etcd (auto, container, binary, version or "
            "endpoint), cluster:3[:VERSION], cluster:3:container[:TAG], and in this process fake, package.module:Class "
            "and the specimens of races"
        ) from None


def _parse_cluster(text: str) -> WantedCluster:
    size, _, members = text.partition(":")[2].partition(":")
    if size != "3":
        raise UnknownTarget(f"{text}: a cluster has three members, as in cluster:3 or cluster:3:3.5.30")
    if not members:
        return WantedCluster()
    source = servers.parse_source(members if members.partition(":")[0] in servers.KINDS else f"version:{members}")
    if not isinstance(source, servers.Binary | servers.Container | servers.Version):
        raise UnknownTarget(f"{text}: the members of a cluster are processes, or containers as in cluster:3:container")
    return WantedCluster(source)


def check_faults(target: StressTarget, faults: Collection[str]) -> None:
    """Raises `UnknownTarget` where there can't be such faults, which is known before anything is started."""
    if not faults:
        return
    if isinstance(target, InProcess):
        raise UnknownTarget("--faults: in this process there is neither a server nor a network")
    of_clusters = sorted(set(faults) & set(OF_CLUSTERS))
    if of_clusters and not isinstance(target, WantedCluster):
        raise UnknownTarget(f"--faults: only a cluster has {of_clusters[0]}")
    of_servers = set(faults) & set(OF_SERVERS)
    if isinstance(target, servers.Endpoint):
        if of_servers:
            raise UnknownTarget(f"--faults: endpoint:{target.address} was not started by this run, so it is left alone")
        if any(server.tls or server.address.startswith("unix:") for server in target.servers):
            raise UnknownTarget("--faults: those of the network are done to plain TCP alone, without TLS")
    if of_servers and isinstance(target, str | Served):
        raise UnknownTarget("--faults: only an etcd can be killed, for it finds its data again")


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
    with ExitStack() as stack:
        network = None
        if set(faults) & {*OF_NETWORK, *OF_CLUSTERS}:
            network = Network()
            stack.callback(network.close)
        if isinstance(target, InProcess):
            raise UnknownTarget(f"{target.name} has no address: it is used from threads of this process")
        if isinstance(target, str):
            store = _fake(stack)
        elif isinstance(target, Served):
            store = _served(stack, target, call_timeout)
        elif isinstance(target, WantedCluster):
            yield stack.enter_context(_cluster(target, network, faults, progress))
            return
        else:
            store = stack.enter_context(_etcd(target, faults, allow_destroy, progress))
        yield store if network is None else _behind(network, store)


def _fake(stack: ExitStack) -> Store:
    fake = FakeServerTarget(release_of(DEFAULT_VERSION), Server().min_lease_ttl)
    stack.callback(fake.close)
    return Store(FAKE_SERVER, f"the fake, as etcd {DEFAULT_VERSION}", fake, lambda: Access(fake.address))


def _served(stack: ExitStack, target: Served, call_timeout: float) -> Store:
    served = target.start()
    stack.callback(served.close)
    served.limit_calls(call_timeout)
    find_way_to_reset(served)
    how = f"{served.name}, reset by {served.way.value}"
    return Store(served.name, how, served, lambda: Access(served.address))


def _behind(network: Network, store: Store) -> Store:
    """A store whose clients reach it through a network that can fail."""
    link = network.link()

    def clients() -> list[Access]:
        access = store.access()
        link.target = access.address
        return [replace(access, address=link.address)]

    breaking = replace(store.breaking, network=network, links=(link,))
    return replace(store, breaking=breaking, clients=clients)


@contextmanager
def _etcd(
    source: WantedEtcd, faults: Collection[str], allow_destroy: bool, progress: Callable[[str], None]
) -> Iterator[Store]:
    killed = bool(set(faults) & set(OF_SERVERS))
    with servers.start(source, progress, ServerSettings(durable=killed)) as etcd:
        if not etcd.owned:
            servers.refuse_unless_empty(etcd.access, allow_destroy)
        breaking = Breaking((etcd,)) if isinstance(etcd, StartedEtcd) else Breaking()
        target = EtcdTarget(etcd)
        try:
            if not etcd.owned:
                target.learn()
            yield Store("etcd", etcd.how, target, lambda: etcd.access, release_of(etcd.version), 1, breaking)
            if not etcd.owned:
                with suppress(TargetDied):
                    target.reset()
        finally:
            target.close()


@contextmanager
def _cluster(
    wanted: WantedCluster, network: Network | None, faults: Collection[str], progress: Callable[[str], None]
) -> Iterator[Store]:
    """Three members. With faults of the network, all that is sent goes through it."""
    to_members: list[Link] = []

    def between(address: str) -> str:
        if network is None:
            return address
        to_members.append(network.link(address))
        return to_members[-1].address

    with servers.start_cluster(wanted.source, progress, ServerSettings(durable=bool(faults)), between) as cluster:
        links = [network.link() for _ in cluster.members] if network is not None else []

        def clients() -> list[Access]:
            for link, access in zip(links, cluster.accesses, strict=False):
                link.target = access.address
            return [Access(link.address) for link in links] or cluster.accesses

        peers = Peers(
            dict(enumerate(to_members)), cluster.leader, lambda number: cluster.id_of(cluster.members[number])
        )
        target = EtcdTarget(cluster)
        try:
            yield Store(
                CLUSTER,
                cluster.how,
                target,
                lambda: cluster.access,
                release_of(cluster.version),
                len(cluster.members),
                Breaking(cluster.members, network, links, peers),
                clients,
                cluster.settle,
            )
        finally:
            target.close()
