"""A program as a target, in text: how it is named, and the line by which it says its address."""

from __future__ import annotations

import pytest

from etcd_lockstep.catalogue import UnknownTarget, find
from etcd_lockstep.servers.serving import ProgramFailed, printed_address
from etcd_lockstep.targets.served import parse_served


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("127.0.0.1:2379", "127.0.0.1:2379"),
        ("2026-01-02T12:30:45.1Z main.go:42: listening on 127.0.0.1:40123.", "127.0.0.1:40123"),
        ("serving at http://localhost:80/", "localhost:80"),
        ("http://127.0.0.1:1", "127.0.0.1:1"),
        ("up at [::1]:5", "[::1]:5"),
        ('{"address":"127.0.0.1:65535"}', "127.0.0.1:65535"),
        ("starting at 12:30:45", None),
        ("main.go:42: starting", None),
        ("version 1.2.3.4", None),
        ("port 2379", None),
        ("", None),
    ],
)
def test_an_address_is_read_from_a_line(line: str, address: str | None) -> None:
    assert printed_address(line) == address


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0.0.0.0:2379", "it printed 0.0.0.0:2379, which is not loopback"),
        ("[::]:2379", r"it printed \[::\]:2379, which is not loopback"),
        ("192.168.0.7:1", "which is not loopback"),
        ("http://etcd.example:2379", "it printed etcd.example:2379, which is not loopback"),
        ("https://127.0.0.1:2379", "it printed https://127.0.0.1:2379, and TLS is not supported"),
        ("127.0.0.1:0", "it printed 127.0.0.1:0, and no port has that number"),
        ("127.0.0.1:70000", "no port has that number"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(line: str, reason: str) -> None:
    with pytest.raises(ProgramFailed, match=reason):
        printed_address(line)


def test_a_program_is_called_as_its_file_or_as_the_text_says() -> None:
    assert parse_served("serve:./bin/slot-mock --port 0").name == "slot-mock"
    named = parse_served("serve:my-mock=node 'a file.js' --x=1")
    assert (named.name, named.command) == ("my-mock", ("node", "a file.js", "--x=1"))
    assert parse_served("serve:./mock --x=1").name == "mock"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("serve:", "no command follows"),
        ("serve:mock=", "no command follows"),
        ("serve:'a", "no closing quotation"),
        ("serve:/usr/bin/etcd", "a run has a target called 'etcd' already: name yours, as in serve:NAME=COMMAND"),
        ("serve:model=./x", "a run has a target called 'model' already"),
    ],
)
def test_a_text_that_names_no_program_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UnknownTarget, match=reason):
        find(text)
