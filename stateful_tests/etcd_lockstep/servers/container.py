"""An etcd in a container, started with testcontainers."""

import atexit
import os
import socket
import sys
import threading
from contextlib import suppress
from typing import Any
from uuid import uuid4

from etcd_lockstep.servers.calls import READY_SECONDS, RECOVERY_SECONDS, version_when_ready
from etcd_lockstep.servers.guard import Guard
from etcd_lockstep.servers.images import Client, Image, brief, has_image, obtain_image, pull
from etcd_lockstep.servers.running import EtcdUnavailable, LaunchMember, Progress, StartedEtcd, panic_or_end
from etcd_lockstep.servers.settings import Membership, ServerSettings, etcd_flags, free_ports, setting_flags
from etcd_lockstep.servers.sources import Container

NAMED_PULL_SECONDS = 300.0
"""How long a pull may take for a container that the user asks for by name."""
AUTO_PULL_SECONDS = 60.0
"""How long a pull may take for a container that `auto` tries, and for testcontainers' own image."""

_USUAL_HOST = "unix:///var/run/docker.sock" if os.name == "posix" else "npipe:////./pipe/docker_engine"
_ENGINE_SECONDS = 3
"""How long an engine has to answer a ping."""
_WORK_SECONDS = 60
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
    finally:
        client.close()
    progress(f"starting a container of {image.reference}")
    return lambda membership=None: ContainerEtcd(image, settings, reaped, membership)


class ContainerEtcd(StartedEtcd):
    """A container with its data in memory, or in a volume where it is durable; removed with everything in it. Raises
    `EtcdUnavailable`.

    Members of a cluster are on the loopback of the engine's machine, which is to be this one, and so reach each other
    and whatever a caller puts in between as processes do.
    """

    def __init__(
        self, image: Image, settings: ServerSettings, reaped: bool, membership: Membership | None = None
    ) -> None:
        """`membership`: of a cluster; without, it is the only member of its own."""
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
        self._is_here = False
        """Whether the engine's loopback is ours."""
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
        self.address = self._address()
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
        self.member = self._membership.name if self._membership is not None else f"lockstep-{uuid4().hex[:12]}"
        try:
            self._run()
        except Exception as error:  # the SDK's own, and those of the HTTP client below it
            self.stop()
            raise EtcdUnavailable(f"no container of {self._image.reference} can be started ({brief(error)})") from error
        version = version_when_ready(self.address, self.member, self.is_alive)
        if version is None:
            state = f"was not ready after {READY_SECONDS:g} s" if self.is_alive() else "died at its start"
            self.stop()
            raise EtcdUnavailable(
                f"the etcd in a container of {self._image.reference} {state}: {self.log_tail(20).strip() or 'no log'}"
            )
        self.version = version
        self.how = f"etcd {version} in container {self._id[:12]} of {self._image.reference}"
        if self._image.origin:
            self.how += f", {self._image.origin}"

    def _run(self) -> None:
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.container import DockerContainer

        own = self._membership or Membership(self.member, _PORT, _PORT + 1)
        alone = self._membership is None
        flags = etcd_flags(
            name=own.name,
            data_dir=f"{_DATA}/data",
            listen="0.0.0.0" if alone else "127.0.0.1",
            client_port=own.client_port,
            peer_port=own.peer_port,
            peer_url=own.peer_url,
            cluster=own.cluster,
        )
        container: Any = DockerContainer(self._image.reference).with_command(flags + setting_flags(self._settings))
        # A container that is started again finds its volume, and nothing in its memory.
        in_memory = {"Type": "tmpfs", "Target": _DATA, "TmpfsOptions": {"Mode": 0o1777}}
        in_volume = {"Type": "volume", "Target": _DATA}
        container.with_kwargs(
            entrypoint=["etcd"],  # instead of what the image would start
            mounts=[in_volume if self._settings.durable else in_memory],
            **({} if alone else {"network_mode": "host"}),
        )
        self._is_here = _shares_our_network(container.get_docker_client())
        if alone:
            # Published on loopback, unless the engine has another one. It picks a port at each start, so one that is to
            # stay the same is picked here.
            port = free_ports()[0] if self._settings.durable else None
            container.ports[f"{_PORT}/tcp"] = ("127.0.0.1", port) if self._is_here else None
        elif not self._is_here:
            raise EtcdUnavailable("the members of a cluster need an engine on this machine, in no other container")
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
        self.address = self._address()

    def _address(self) -> str:
        if self._membership is not None:
            return f"127.0.0.1:{self._membership.client_port}"
        assert self._container is not None
        host = "127.0.0.1" if self._is_here else self._container.get_container_host_ip()
        return f"{host}:{self._container.get_exposed_port(_PORT)}"

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


def _shares_our_network(client: Any) -> bool:
    """Whether the engine of testcontainers' client is on this machine: outside of containers, or in the same one as we.

    Where we are in one, the address by which its containers reach it is ours in that case only.
    """
    mode = client.get_connection_mode().value
    if mode != "gateway_ip":
        return bool(mode == "docker_host" and client.host() == "localhost")
    configs = client.client.networks.get("bridge").attrs["IPAM"]["Config"] or ()
    gateway = next((config["Gateway"] for config in configs if "Gateway" in config), None)
    if gateway is None:
        return False
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
