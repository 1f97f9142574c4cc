"""Faults of the network, and a cluster of three under stress."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import grpc
import pytest

from etcd_lockstep import servers
from etcd_lockstep.catalogue import UnknownTarget
from etcd_lockstep.histories import Indefinite
from etcd_lockstep.servers.calls import call
from etcd_lockstep.stressing.nemesis import CUT, DELAY, OF_CLUSTERS, OF_NETWORK, PARTITION, Breaking, Nemesis
from etcd_lockstep.stressing.network import Link, Network
from etcd_lockstep.stressing.rounds import Circumstances, Round
from etcd_lockstep.stressing.run import StressOptions, Tally, stress
from etcd_lockstep.stressing.scripts import Drawn
from etcd_lockstep.stressing.stores import WantedCluster, check_faults, find_stress_target, running
from etcd_lockstep.target import ALL
from fake_etcd.wire import messages

SEED = 3
SECONDS = 5.0


@contextmanager
def echo() -> Iterator[str]:
    """A server that sends back what it is sent, one connection after the other."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_echo, args=(server,), daemon=True).start()
        host, port = server.getsockname()
        yield f"{host}:{port}"
        server.shutdown(socket.SHUT_RDWR)


def _echo(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(1024):
                connection.sendall(data)
        except OSError:
            return


@contextmanager
def linked() -> Iterator[tuple[Network, Link, socket.socket]]:
    """A connection through a network."""
    with echo() as address, closing(Network()) as network:
        link = network.link(address)
        host, port = link.address.split(":")
        with socket.create_connection((host, int(port)), SECONDS) as client:
            client.sendall(b"1")
            assert client.recv(10) == b"1"
            yield network, link, client


def hears(client: socket.socket, seconds: float) -> bytes | None:
    """What arrives in so many seconds; None where nothing does."""
    client.settimeout(seconds)
    try:
        return client.recv(10)
    except TimeoutError:
        return None


@pytest.mark.parametrize("way", ["requests", "answers"])
def test_what_is_held_arrives_afterwards(way: str) -> None:
    with linked() as (network, link, client):
        with network.held([link], requests=way == "requests", answers=way == "answers"):
            client.sendall(b"2")
            assert hears(client, 0.1) is None
        assert hears(client, SECONDS) == b"2"


def test_what_is_held_from_one_sender_alone_lets_others_pass() -> None:
    with linked() as (network, link, client), network.held([link], lambda sender: sender == "another"):
        client.sendall(b"2")
        assert hears(client, SECONDS) == b"2"


def test_a_reset_ends_a_connection_and_a_new_one_works() -> None:
    with linked() as (network, link, client):
        network.reset([link])
        with pytest.raises(ConnectionResetError):
            hears(client, SECONDS)
        host, port = link.address.split(":")
        with socket.create_connection((host, int(port)), SECONDS) as again:
            again.sendall(b"3")
            assert hears(again, SECONDS) == b"3"


def test_a_network_that_is_closed_ends_its_connections() -> None:
    with linked() as (network, _link, client):
        network.close()
        with pytest.raises(ConnectionResetError):
            hears(client, SECONDS)
        network.close()


def test_the_fake_is_linearizable_on_a_network_that_fails() -> None:
    tally = Tally()
    faults = OF_NETWORK
    with running(find_stress_target("fake-server"), faults=faults, call_timeout=1, progress=print) as store:
        assert stress(store, StressOptions(3, 4, SEED, faults, call_timeout=1.0), tally) is None
    assert tally.rounds == tally.linearizable
    assert sum(tally.faults.values()) == tally.rounds
    assert tally.indefinite > 0


def test_a_history_has_the_faults_of_its_round_and_of_the_calls_that_it_keeps_of_earlier_ones() -> None:
    with running(find_stress_target("fake-server"), faults=[CUT], call_timeout=1, progress=print) as store:
        run = Circumstances(store, 0.1, Nemesis(store.breaking, [CUT]))
        first = Round(run, Drawn(2, SEED, 1, ALL))
        one = first.play()
        kept = first.unsettled()
        both, alone = Round(run, Drawn(2, SEED, 2, ALL), kept).play(), Round(run, Drawn(2, SEED, 3, ALL)).play()
    assert kept
    assert [str(fault) for fault in (*one.faults, *alone.faults)] == ["cut", "cut"]
    assert [*both.faults][:1] == one.faults
    assert len(both.faults) == 2
    for history in one, alone:
        (fault,) = history.faults
        assert any(
            isinstance(call.outcome, Indefinite)
            and call.invoked <= (fault.ended or 0)
            and (call.returned or 0) >= fault.began
            for call in history.calls
        )


def test_a_fault_says_to_which_member_the_network_failed() -> None:
    network = Network()
    over = Event()
    over.set()
    nemesis = Nemesis(Breaking((), network, [network.link() for _ in range(2)]), [DELAY])
    source = random.Random(SEED)
    for _ in range(20):
        nemesis.disturb(source, over)
    network.close()
    assert {str(fault) for fault in nemesis.faults} == {"delay", "delay to member 1", "delay to member 2"}


def test_a_cluster_is_linearizable_while_it_is_parted_and_loses_its_leader() -> None:
    tally = Tally()
    with running(find_stress_target("cluster:3"), faults=OF_CLUSTERS, call_timeout=1, progress=print) as store:
        members = [server for server in store.breaking.servers if isinstance(server, servers.RunningEtcd)]
        assert len(members) == 3
        assert stress(store, StressOptions(6, 4, SEED, OF_CLUSTERS, call_timeout=1.0), tally) is None
        assert all(member.is_alive() for member in members)
    assert tally.rounds == tally.linearizable
    assert sum(tally.faults.values()) == tally.rounds
    assert not any(member.is_alive() for member in members)


def test_a_member_that_is_parted_from_the_others_answers_no_linearizable_read() -> None:
    with running(find_stress_target("cluster:3"), faults=[PARTITION], call_timeout=1, progress=print) as store:
        breaking = store.breaking
        assert breaking.network is not None
        assert breaking.peers is not None
        assert store.clients is not None
        parted = breaking.peers.id_of(2)
        others = [link for number, link in breaking.peers.links.items() if number != 2]
        accesses = store.clients()
        with (
            breaking.network.held([breaking.peers.links[2]]),
            breaking.network.held(others, lambda sender: sender in ("", parted)),
        ):
            with pytest.raises(grpc.RpcError):
                _read(accesses[2], 3.0)
            _read(accesses[0], 10.0)
        store.settle()
        _read(accesses[2], 3.0)


def _read(access: servers.Access, seconds: float) -> None:
    request, response = messages.RangeRequest(key=b"a"), messages.RangeResponse
    with servers.open_channel(access) as channel:
        call(channel, "/etcdserverpb.KV/Range", request, response, seconds, starting=True)


@pytest.mark.parametrize(
    ("target", "faults", "said"),
    [
        ("cluster:5", (), "a cluster has three members"),
        ("cluster:3:x", (), "a version needs its number"),
        ("cluster:3:endpoint:127.0.0.1:1", (), "the members of a cluster are processes, or containers"),
        ("version:3.5.1", ("partition",), "only a cluster has partition"),
        ("endpoint:https://127.0.0.1:1", ("cut",), "without TLS"),
        ("fake", ("cut",), "neither a server nor a network"),
    ],
)
def test_what_there_is_not_is_refused(target: str, faults: tuple[str, ...], said: str) -> None:
    with pytest.raises((UnknownTarget, servers.BadSource), match=said):
        check_faults(find_stress_target(target), faults)


def test_the_members_of_a_cluster_are_of_a_binary_a_release_or_an_image() -> None:
    assert find_stress_target("cluster:3") == WantedCluster(servers.Binary())
    assert find_stress_target("cluster:3:binary:/etcd") == WantedCluster(servers.Binary(Path("/etcd")))
    assert find_stress_target("cluster:3:3.5.30") == WantedCluster(servers.Version("3.5.30"))
    assert find_stress_target("cluster:3:container:v3.5.30") == WantedCluster(servers.Container("v3.5.30"))


def test_nothing_of_a_cluster_is_left_where_it_can_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "etcd"
    program.write_text('#!/bin/sh\n[ "$1" = --version ] || [ "$2" = --version ] && echo \'etcd Version: 3.5.1\'\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(servers.EtcdUnavailable, match="died at its start"):
        servers.start_cluster(servers.Binary())
