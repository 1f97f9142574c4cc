"""An etcd in a container, started with testcontainers."""

import atexit
import os
import socket
import sys
import threading
from contextlib import suppress
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from etcd_lockstep.servers.calls import READY_SECONDS, RECOVERY_SECONDS, version_when_ready
from etcd_lockstep.servers.guard import Guard
from etcd_lockstep.servers.images import Client, Image, brief, has_image, obtain_image, pull
from etcd_lockstep.servers.running import EtcdUnavailable, LaunchMember, Progress, StartedEtcd, panic_or_end
from etcd_lockstep.servers.settings import (
    PORT_TAKEN,
    PORT_TRIES,
    Membership,
    ServerSettings,
    etcd_flags,
    free_ports,
    setting_flags,
    setting_variables,
)
from etcd_lockstep.servers.sources import Container

NAMED_PULL_SECONDS = 300.0
"""How long a pull may take for a container that the user asks for by name."""
AUTO_PULL_SECONDS = 60.0
"""How long a pull may take for a container that `auto` tries, and for testcontainers' own image."""

_USUAL_HOST = "unix:///var/run/docker.sock" if os.name == "posix" else "npipe:////./pipe/docker_engine"
_ENGINE_SECONDS = 3
"""How long an engine has to answer a ping."""
_WORK_SECONDS = 60
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
"""Of an engine on this machine. Docker's SDK names the host of a Unix socket localhost."""
_PORT = 2379
_DATA = "/etcd-lockstep"
_REMOVE = "import docker, sys; client = docker.from_env(); client.api.remove_container(sys.argv[1], force=True, v=True)"
_STARTING = threading.Lock()
"""Held while a container is made, because testcontainers keeps the choice whether to start Ryuk in a global."""


def engine() -> Client:
    """A client of the Docker engine that the environment names. Raises `EtcdUnavailable` after a few seconds."""
    try:
        from testcontainers.core.docker_client import DockerClient, get_docker_host  # an extra
    except ImportError as error:
        raise EtcdUnavailable("testcontainers is not installed (pip install 'etcd-lockstep[containers]')") from error
    host = get_docker_host() or _USUAL_HOST
    try:
        _knock(host)
        client = DockerClient(timeout=_ENGINE_SECONDS).client
        client.ping()
    except Exception as error:  # the SDK's own, and those of the HTTP client below it
        raise EtcdUnavailable(f"no Docker engine answers at {host} ({brief(error)})") from error
    client.api.timeout = _WORK_SECONDS
    return client


def _knock(host: str) -> None:
    """Raise `OSError` where no engine listens on a Unix socket. Docker's SDK would leak a socket there."""
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_ENGINE_SECONDS)
            probe.connect(host.removeprefix("unix://"))


def prepare(source: Container, progress: Progress, pull_seconds: float, settings: ServerSettings) -> LaunchMember:
    """Bring the image to the engine. Returns a function that starts one container of it.

    Raises `EtcdUnavailable`.
    """
    if settings.tokens:
        raise EtcdUnavailable("a server with certificates is started from a binary, not in a container")
    client = engine()
    try:
        image = obtain_image(client, source.tag, progress, pull_seconds)
        reaped = _has_reaper(client, image, progress)
        is_here = _shares_our_network(client)
    finally:
        client.close()
    progress(f"starting a container of {image.reference}")
    return lambda membership=None: ContainerEtcd(image, settings, reaped, is_here, membership)


class ContainerEtcd(StartedEtcd):
    """A container with its data in memory, or in a volume where it is durable; removed with everything in it. Raises
    `EtcdUnavailable`.

    Where the engine's network is ours, it listens on our loopback, as a process does. Elsewhere its port is published,
    and it is no member of a cluster: those reach each other, and whatever a caller puts in between, on loopback.
    """

    def __init__(
        self, image: Image, settings: ServerSettings, reaped: bool, is_here: bool, membership: Membership | None = None
    ) -> None:
        """`reaped`: whether Ryuk can be started beside it. `is_here`: whether the engine's network is ours.
        `membership`: of a cluster; without, it is the only member of its own."""
        if membership is not None and not is_here:
            raise EtcdUnavailable(
                "the members of a cluster need a Docker engine whose host network is that of this process: "
                "one on this machine, neither in a virtual machine nor rootless"
            )
        self._image = image
        self._membership = membership
        self._settings = settings
        self.member = ""
        self.origin = f"containers of {image.reference}" + (f", {image.origin}" if image.origin else "")
        self._reaped = reaped
        self._container: Any | None = None
        self._guard: Guard | None = None
        self._last_log = ""
        self._owner = os.getpid()
        self._is_here = is_here
        self._start()

    def restart(self) -> None:
        self._end()
        self._start()

    def is_alive(self) -> bool:
        if self._container is None:
            return False
        try:
            wrapped = self._container.get_wrapped_container()
            wrapped.reload()
        except Exception:  # the container is gone, or the engine is
            return False
        return str(wrapped.status) in ("running", "paused")

    def stop(self) -> None:
        if os.getpid() != self._owner:
            return  # a fork of this process that ends leaves the server running
        self._end()
        atexit.unregister(self.stop)

    def kill(self) -> None:
        if self.is_alive():
            self._tell("kill")
            self._tell("wait")

    def recover(self) -> None:
        self._tell("start")
        if version_when_ready(self.address, self.member, self.is_alive, RECOVERY_SECONDS) is None:
            self.stop()
            said = self.log_tail(20).strip() or "no log"
            raise EtcdUnavailable(f"the etcd in a container of {self._image.reference} did not start again: {said}")

    def pause(self) -> None:
        if self.is_alive():
            self._tell("pause")

    def resume(self) -> None:
        if self.is_alive():
            self._tell("unpause")

    def _tell(self, command: str) -> None:
        """Have the engine do one thing to the container. Raises `EtcdUnavailable`."""
        assert self._container is not None
        try:
            getattr(self._container.get_wrapped_container(), command)()
        except Exception as error:  # the SDK's own, and those of the HTTP client below it
            raise EtcdUnavailable(f"the engine can't {command} container {self._id[:12]} ({brief(error)})") from error

    def log_tail(self, lines: int = 40) -> str:
        return panic_or_end(self._log(), lines)

    def _start(self) -> None:
        atexit.register(self.stop)
        for _ in range(PORT_TRIES if self._membership is None else 1):
            try:
                self._run()
            except Exception as error:  # the SDK's own, and those of the HTTP client below it
                self.stop()
                reference = self._image.reference
                raise EtcdUnavailable(f"no container of {reference} can be started ({brief(error)})") from error
            version = version_when_ready(self.address, self.member, self.is_alive)
            if version is not None:
                break
            died = not self.is_alive()
            self._end()
            if not (died and PORT_TAKEN in self._last_log):
                break
        if version is None:
            atexit.unregister(self.stop)
            state = "died at its start" if died else f"was not ready at {self.address} after {READY_SECONDS:g} s"
            said = self.log_tail(20).strip() or "no log"
            raise EtcdUnavailable(f"the etcd in a container of {self._image.reference} {state}: {said}")
        self.version = version
        self.how = f"etcd {version} in container {self._id[:12]} of {self._image.reference}"
        if self._image.origin:
            self.how += f", {self._image.origin}"

    def _run(self) -> None:
        """Start the container, and find out where it is reached."""
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.container import DockerContainer

        own = self._own_membership()
        self.member = own.name
        flags = etcd_flags(
            name=own.name,
            data_dir=f"{_DATA}/data",
            listen="127.0.0.1" if self._is_here else "0.0.0.0",
            client_port=own.client_port,
            peer_port=own.peer_port,
            peer_url=own.peer_url,
            cluster=own.cluster,
        )
        container: Any = DockerContainer(self._image.reference).with_command(flags + setting_flags(self._settings))
        container.with_envs(**setting_variables(self._settings))
        # A container that is started again finds its volume, and nothing in its memory.
        in_memory = {"Type": "tmpfs", "Target": _DATA, "TmpfsOptions": {"Mode": 0o1777}}
        in_volume = {"Type": "volume", "Target": _DATA}
        container.with_kwargs(
            entrypoint=["etcd"],  # instead of what the image would start
            mounts=[in_volume if self._settings.durable else in_memory],
            **({"network_mode": "host"} if self._is_here else {}),
        )
        if not self._is_here:
            container.ports[f"{_PORT}/tcp"] = self._published(container.get_docker_client())
        self._container = container
        with _STARTING:
            before = testcontainers_config.ryuk_disabled
            testcontainers_config.ryuk_disabled = not self._reaped
            try:
                container.start()
            finally:
                testcontainers_config.ryuk_disabled = before
        self._id: str = container.get_wrapped_container().id
        self._guard = Guard(sys.executable, "-c", _REMOVE, self._id)
        if self._is_here:
            self.address = f"127.0.0.1:{own.client_port}"
        else:
            self.address = f"{container.get_container_host_ip()}:{container.get_exposed_port(_PORT)}"

    def _own_membership(self) -> Membership:
        """Of the cluster, or of one of its own, with a name that nobody else has."""
        if self._membership is not None:
            return self._membership
        ports = free_ports() if self._is_here else (_PORT, _PORT + 1)
        return Membership(f"lockstep-{uuid4().hex[:12]}", *ports)

    def _published(self, client: Any) -> tuple[str, int | None]:
        """At which of the engine's addresses the port is published: on loopback where that is ours, as Docker Desktop's
        is. The engine picks a port at each start, so one that is to stay the same is picked here."""
        is_local = client.get_connection_mode().value == "docker_host" and client.host() == "localhost"
        return "127.0.0.1" if is_local else "0.0.0.0", free_ports()[0] if self._settings.durable else None

    def _log(self) -> str:
        if self._container is None:
            return self._last_log
        try:
            return b"".join(self._container.get_logs()).decode(errors="replace")
        except Exception:  # the container is gone, or the engine is
            return ""

    def _end(self) -> None:
        if self._container is not None:
            self._last_log = self._log()
            with suppress(Exception):  # another process has removed it already
                self._container.stop(force=True, delete_volume=True)
            self._container = None
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None


def _shares_our_network(client: Client) -> bool:
    """Whether what listens on the loopback of the engine's host network is reached on ours.

    It is not where the engine is on another machine or in a virtual one, as Docker Desktop's is; where it has a network
    namespace of its own, as a rootless one has; where it gives nobody its host network, as with user namespaces; and
    where we are in one of its containers, whose network has not the address by which containers reach the engine.
    """
    if urlsplit(client.api.base_url).hostname not in _LOCAL_HOSTS:
        return False
    info = client.info()
    if info.get("OperatingSystem") == "Docker Desktop":
        return False
    if {"name=rootless", "name=userns"} & {option.partition(",")[0] for option in info.get("SecurityOptions") or ()}:
        return False
    bridges = [config for one in client.networks.list("bridge") for config in one.attrs["IPAM"]["Config"] or ()]
    if not bridges or "Subnet" not in bridges[0]:
        return False
    # Docker 20.10 reports the gateway only where the bridge was there before the engine; it is the first address.
    gateway = bridges[0].get("Gateway") or str(next(ip_network(bridges[0]["Subnet"]).hosts()))
    with socket.socket() as probe:
        try:
            probe.bind((gateway, 0))
        except OSError:
            return False
    return True


def _has_reaper(client: Client, image: Image, progress: Progress) -> bool:
    """Whether testcontainers can start its own watcher (Ryuk) beside `Guard`, which needs one more image."""
    from testcontainers.core.config import testcontainers_config

    if testcontainers_config.ryuk_disabled:
        return False
    if has_image(client, testcontainers_config.ryuk_image):
        return True
    if not image.registry_works:
        return False
    repository, _, tag = testcontainers_config.ryuk_image.rpartition(":")
    try:
        pull(client, repository, tag, progress, AUTO_PULL_SECONDS)
    except EtcdUnavailable:
        return False
    return True
