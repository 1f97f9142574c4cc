"""--host-whitelist, --cors and --listen-metrics-urls: the same requests to the fake and to a real etcd of a release."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

import pytest

from etcd_lockstep.servers import EtcdUnavailable
from etcd_lockstep.servers.discovery import Program, environment, find_release
from etcd_lockstep.servers.settings import etcd_flags

RELEASES = ("3.4.23", "3.5.1", "3.7.3")

A, B = "http://a.test:80", "http://b.test:80"
COMPARED = ("Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Origin", "Allow")


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)


def called(host: str, origin: str = "", method: str = "GET", path: str = "/health") -> Asked:
    return Asked(method, path, {"Host": host, **({"Origin": origin} if origin else {})})


def from_page(origin: str, method: str = "GET", path: str = "/health") -> Asked:
    return Asked(method, path, {"Origin": origin})


NAMES = [
    called(name)
    for name in ("good.test", "good.test:99", "GOOD.test", "bad.test", "[::1]:2", "::1", "", "127.0.0.1", "127.0.0.1:5")
]
PAGES = [from_page(origin) for origin in (A, f"{A}/", B, "http://a.test", "https://a.test:80", "HTTP://A.test:80")]
TABLE: list[tuple[list[str], list[Asked]]] = [
    ([], [*NAMES, *PAGES, from_page(A, "OPTIONS")]),
    (
        ["--host-whitelist=good.test,127.0.0.1"],
        [
            *NAMES,
            called("bad.test", A, "OPTIONS"),
            called("bad.test:1", A, "POST", "/v3/kv/range"),
            called("bad.test", "", "GET", "/none"),
        ],
    ),
    (["--host-whitelist="], NAMES),
    (["--host-whitelist=*,good.test"], NAMES),
    (["--host-whitelist=good.test:99, 127.0.0.1"], NAMES),
    ([f"--cors={A}"], [*PAGES, from_page(A, "OPTIONS"), from_page(B, "OPTIONS"), from_page(A, path="/none")]),
    ([f"--cors= {B},HTTP{A[4:]}"], PAGES),
    ([f"--cors={A}", "--host-whitelist=good.test"], [called("good.test", A), called("bad.test", A)]),
]
REFUSED = (
    *("--cors=", "--cors=x", f"--cors=*,{A}", "--cors=http://a.test", f"--cors={A}/x", f"--cors={A},,{B}"),
    *("--listen-metrics-urls=x", "--listen-metrics-urls=127.0.0.1:1", "--listen-metrics-urls=http://127.0.0.1:1/"),
    *("--listen-metrics-urls=http://a.test:1", "--listen-metrics-urls=https://127.0.0.1:1"),
)
OF_METRICS = [
    Asked(method, path, {"Host": "bad.test", "Origin": A})
    for path in ("/health", "/metrics", "/version", "/livez", "/readyz", "/readyz/data_corruption", "/", "/v3/kv/range")
    for method in ("GET", "HEAD", "POST", "OPTIONS")
] + [Asked("GET", path) for path in ("/health?exclude=NOSPACE", "/metrics/", "/livez?verbose", "/none")]


@pytest.fixture(params=RELEASES)
def program(request: pytest.FixtureRequest) -> Program:
    """A real etcd of a release."""
    try:
        return find_release(request.param)
    except EtcdUnavailable as reason:
        pytest.skip(f"needs etcd {request.param} (scripts/fetch-etcd {request.param}): {reason}")


@contextmanager
def real(program: Program, flags: Sequence[str]) -> Iterator[int]:
    """The port of a real etcd with flags."""
    with (
        tempfile.TemporaryDirectory(prefix="etcd-lockstep-") as folder,
        process(of_etcd(program, folder), flags) as port,
    ):
        yield port


def of_etcd(program: Program, folder: str) -> list[str]:
    client_port, peer_port = free_ports(2)
    usual = etcd_flags(
        name="one", data_dir=f"{folder}/data", listen="127.0.0.1", client_port=client_port, peer_port=peer_port
    )
    return [str(program.path), *usual, *program.speedups, "--heartbeat-interval=10", "--election-timeout=100"]


@contextmanager
def fake(program: Program, flags: Sequence[str]) -> Iterator[int]:
    """The port of the fake of the same release, with the same flags."""
    with process(of_fake(program), flags) as port:
        yield port


def of_fake(program: Program) -> list[str]:
    code = "import sys; from fake_etcd.cli import main; sys.exit(main())"
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    return [sys.executable, "-c", code, f"--etcd-version={program.version}", f"--listen-client-urls={url}"]


@contextmanager
def process(command: Sequence[str], flags: Sequence[str]) -> Iterator[int]:
    """A server that runs, and answers on the port that its command names."""
    port = next(int(flag.rpartition(":")[2]) for flag in command if flag.startswith("--listen-client-urls="))
    with subprocess.Popen(
        [*command, *flags], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            deadline = time.monotonic() + 30
            while (ask(port, Asked("GET", "/health")) or (503,))[0] == 503:  # without a leader, it is not well
                assert server.poll() is None, "it ended"
                assert time.monotonic() < deadline, "it doesn't answer"
                time.sleep(0.05)
            yield port
        finally:
            server.kill()


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def ask(port: int, asked: Asked) -> tuple[object, ...] | None:
    """What is compared of an answer; None where there is no server."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(asked.method, asked.path, skip_host="Host" in asked.headers)
        for name, value in asked.headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read().decode()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    kind = re.sub("; (version|escaping)=.*", "", response.getheader("Content-Type") or "")
    if body.startswith("# HELP"):
        body = "metrics"  # the fake has those that it knows
    if "verbose" in asked.path:
        body = "\n".join(sorted(body.splitlines()))
    return response.status, kind, *(response.getheader(name) for name in COMPARED), body


@pytest.mark.parametrize(("flags", "requests"), TABLE, ids=[" ".join(flags) for flags, _ in TABLE])
def test_who_may_ask_is_who_may_ask_etcd(program: Program, flags: list[str], requests: list[Asked]) -> None:
    with real(program, flags) as etcd, fake(program, flags) as ours:
        for asked in requests:
            expected = ask(etcd, asked)
            assert expected is not None
            assert ask(ours, asked) == expected, asked


def test_metrics_and_health_are_answered_where_they_are_asked_for_besides(program: Program) -> None:
    of_real, of_ours = free_ports(2)
    flags = ["--host-whitelist=127.0.0.1", f"--cors={B}"]
    with (
        real(program, [*flags, f"--listen-metrics-urls=http://127.0.0.1:{of_real}"]) as etcd,
        fake(program, [*flags, f"--listen-metrics-urls=http://127.0.0.1:{of_ours}"]) as ours,
    ):
        for asked in OF_METRICS:
            expected = ask(of_real, asked)
            assert expected is not None
            assert ask(of_ours, asked) == expected, asked
        for path in ("/health", "/metrics"):
            assert ask(ours, Asked("GET", path)) == ask(etcd, Asked("GET", path))


@pytest.mark.parametrize("program", RELEASES[1:2], indirect=True)
@pytest.mark.parametrize("flag", REFUSED)
def test_what_etcd_refuses_to_start_with_the_fake_refuses_too(program: Program, flag: str) -> None:
    with tempfile.TemporaryDirectory(prefix="etcd-lockstep-") as folder:
        for command in (of_etcd(program, folder), of_fake(program)):
            ended = subprocess.run([*command, flag], env=environment(), capture_output=True, timeout=60, check=False)
            assert ended.returncode in (1, 2)
