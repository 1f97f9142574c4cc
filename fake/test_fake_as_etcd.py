"""`fake-etcd` in the place of etcd's own command: every flag of etcd's, its environment, and what it prints."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import grpc
import pytest

from fake_etcd import Engine, cli, etcd_flags, flags, serve, stubs
from fake_etcd.server import CannotListenError
from fake_etcd.wire import messages as pb

LOCAL = "--listen-client-urls=http://127.0.0.1:0"


@contextmanager
def started(*arguments: str, environment: Mapping[str, str] | None = None, name: str = "fake-etcd") -> Iterator[str]:
    """A process of the console script's own; the first line of each of its streams that is due is read by the test."""
    code = f"import sys; sys.argv[0] = {name!r}; from fake_etcd.cli import main; sys.exit(main())"
    inherited = {variable: value for variable, value in os.environ.items() if not variable.startswith("ETCD_")}
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**inherited, **(environment or {})},
    ) as process:
        said: list[str] = []
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            stream = process.stderr if name == "etcd" or "--as-etcd" in arguments else process.stdout
            while line := stream.readline():
                said.append(line)
                if re.search(r"fake-etcd serves|serving (insecure )?client", line):
                    break
            yield "".join(said)
            process.send_signal(signal.SIGTERM)
            rest_of_stdout, rest_of_stderr = process.communicate(timeout=30)
            assert process.returncode == 0, rest_of_stderr
            said += [rest_of_stdout, rest_of_stderr]
        finally:
            process.kill()


def version_at(address: str) -> str:
    with grpc.insecure_channel(address) as channel:
        return str(stubs(channel).maintenance.Status(pb.StatusRequest(), timeout=10).version)


def test_started_as_etcd_it_says_what_etcd_says_when_it_is_ready() -> None:
    arguments = (LOCAL, "--data-dir=/nowhere", "-name", "one", "--initial-cluster", "one=http://localhost:2380")
    with started(*arguments, name="etcd", environment={"FAKE_ETCD_VERSION": "3.6.16"}) as said:
        warning, ready, serving = map(json.loads, said.splitlines())
        assert (warning["level"], warning["msg"]) == (
            "warn",
            "ignored, as there is neither disk nor cluster nor log: --data-dir",
        )
        assert (ready["level"], ready["msg"]) == ("info", "ready to serve client requests")
        assert serving["msg"] == "serving client traffic insecurely; this is strongly discouraged!"
        assert version_at(serving["address"]) == "3.6.16"
        with grpc.insecure_channel(serving["address"]) as channel:
            [member] = stubs(channel).cluster.MemberList(pb.MemberListRequest(), timeout=10).members
            assert (member.name, list(member.peerURLs)) == ("one", ["http://localhost:2380"])


def test_where_metrics_are_is_said_in_a_line_of_its_own() -> None:
    of_metrics = "--listen-metrics-urls=http://127.0.0.1:0,http://localhost:0"
    with started(LOCAL, of_metrics, "--as-etcd") as said:
        *metrics, _ready, _serving = map(json.loads, said.splitlines())
        assert [line["msg"] for line in metrics] == ["serving metrics"] * 2
        for line in metrics:
            with urlopen(f"{line['address']}/health", timeout=10) as answer:
                assert json.load(answer)["health"] == "true"
    with started("--as-etcd", LOCAL, of_metrics, "--etcd-version=3.4.23") as said:
        assert "I | embed: listening for metrics on http://127.0.0.1:" in said.splitlines()[0]
    code = "import sys; from fake_etcd.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, LOCAL, of_metrics], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "fake-etcd serves" in process.stdout.readline()
        assert re.fullmatch(r"metrics at http://127\.0\.0\.1:\d+,http://localhost:\d+\n", process.stdout.readline())
        process.terminate()


def test_etcd_3_4_has_a_log_of_another_form() -> None:
    with started("--as-etcd", LOCAL, "--etcd-version=3.4.23") as said:
        ready, serving = said.splitlines()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} I \| embed: ready to serve client requests", ready)
        found = re.search(r"I \| embed: serving insecure client requests on (\S+), this is strongly", serving)
        assert found is not None
        assert version_at(found[1]) == "3.4.23"


def test_the_environment_sets_flags_and_the_command_line_counts_more() -> None:
    environment = {
        "ETCD_LISTEN_CLIENT_URLS": "http://127.0.0.1:0",
        "ETCD_MAX_TXN_OPS": "1",
        "ETCD_NAME": "of-the-environment",
        "ETCD_QUOTA_BACKEND_BYTES": "",
        "ETCD_LOCKSTEP_ETCD_SOURCE": "none",
        "ETCD_VERSION": "3.5.0",
    }
    with started("--name=of-the-command-line", environment=environment) as said:
        address = said.strip().rpartition("http://")[2]
        with grpc.insecure_channel(address) as channel:
            etcd = stubs(channel)
            [member] = etcd.cluster.MemberList(pb.MemberListRequest(), timeout=10).members
            assert member.name == "of-the-command-line"
            put = [pb.RequestOp(request_put=pb.PutRequest(key=key)) for key in (b"a", b"b")]
            with pytest.raises(grpc.RpcError, match="too many operations"):
                etcd.kv.Txn(pb.TxnRequest(success=put))


def test_variables_that_are_for_no_flag_are_found() -> None:
    environment = {"ETCD_ROOT_PASSWORD": "x", "ETCD_DATA_DIR": "/x", "ETCDCTL_API": "3", "ETCD_LOCKSTEP_X": "y"}
    assert etcd_flags.from_environment(environment, ["data-dir", "name"]) == (
        ["--data-dir=/x"],
        ["ETCD_ROOT_PASSWORD"],
    )


OBEYED = {
    *("advertise-client-urls", "listen-client-urls", "listen-metrics-urls", "host-whitelist", "cors"),
    *("name", "initial-advertise-peer-urls", "initial-cluster"),
    *("max-learners", "strict-reconfig-check"),
    *("max-txn-ops", "max-request-bytes", "quota-backend-bytes"),
    *("auto-compaction-mode", "auto-compaction-retention"),
    *("watch-progress-notify-interval", "experimental-watch-progress-notify-interval"),
    *("auth-token", "auth-token-ttl", "heartbeat-interval", "election-timeout", "grpc-keepalive-min-time"),
    *("cert-file", "key-file", "trusted-ca-file", "client-cert-auth", "auto-tls"),
}
"""The flags of etcd that do here what they do there."""


@pytest.mark.parametrize("release", ["3.4.23", "3.5.30", "3.6.16", "3.7.3"])
def test_every_flag_of_etcd_is_accepted(release: str) -> None:
    program = Path(__file__).parent.parent / ".etcd" / f"etcd-{release}"
    if not program.exists():
        pytest.skip(f"needs etcd {release}: scripts/fetch-etcd")
    help_text = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    theirs = set(re.findall(r"^ *--([a-z0-9-]+)", help_text.stdout + help_text.stderr, re.MULTILINE))
    assert len(theirs) > 50
    ours = set(flags.of_etcd(cli._parser()))
    assert theirs - ours <= {"version", "help"}
    assert not {name for name in etcd_flags.OBSOLETE if is_unknown(program, name)}
    assert is_unknown(program, "no-such-flag")


def is_unknown(program: Path, flag: str) -> bool:
    """Whether an etcd has no such flag: not all of them are in its help."""
    run = subprocess.run([program, f"--{flag}=", "--version"], capture_output=True, text=True, check=False)
    return f"flag provided but not defined: -{flag}" in run.stdout + run.stderr


def test_every_flag_of_etcd_is_obeyed_named_or_refused() -> None:
    """What is neither known to do something nor refused is named at the start; and no flag has two fates."""
    parser = cli._parser()
    fates = [etcd_flags.HARMLESS, etcd_flags.HARMLESS_SWITCHES, etcd_flags.OBSOLETE]
    refused = [etcd_flags.REFUSED, etcd_flags.REFUSED_SWITCHES]
    known = [name for names in (*fates, *refused) for name in names]
    assert len(known) == len(set(known))
    obeyed = {name for name in flags.of_etcd(parser) if name not in known}
    assert obeyed == OBEYED
    for name in (name for names in fates for name in names):
        options = parser.parse_args([f"--{name}=1"])
        assert etcd_flags.ignored(options) == [name]
    for name in (name for names in refused for name in names):
        with pytest.raises(ValueError, match=f"--{name}.*: fake-etcd can't do that: "):
            etcd_flags.ignored(parser.parse_args([f"--{name}=1"]))


def test_flags_that_change_nothing_are_taken_as_go_takes_them() -> None:
    parser = cli._parser()
    given = ["-data-dir", "x", "--pre-vote", "--unsafe-no-fsync=true", "--initial-cluster-state", "new", "-logger=zap"]
    options = parser.parse_args(etcd_flags.as_go_reads_them(given, flags.switches(parser)))
    assert etcd_flags.ignored(options) == ["data-dir", "logger", "pre-vote", "unsafe-no-fsync"]
    assert etcd_flags.ignored(parser.parse_args([])) == []


def test_a_value_that_is_called_like_a_switch_stays_a_value() -> None:
    parser = cli._parser()
    options = parser.parse_args(etcd_flags.as_go_reads_them(["--name", "pre-vote"], flags.switches(parser)))
    assert options.name == "pre-vote"


REFUSED = "fake-etcd can't do that:"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--auth-token", "jwt,sign-method=HS256"], "--auth-token jwt,sign-method=HS256: auth: missing key data"),
        (["--initial-cluster-state", "existing"], f"--initial-cluster-state existing: {REFUSED} it is a cluster of "),
        (["--initial-cluster", "default=http://a:1,b=c"], f"--initial-cluster default=http://a:1,b=c: {REFUSED} it "),
        (["--initial-cluster", "b=http://b:1"], 'couldn\'t find local name "default" in the initial cluster'),
        (["--auto-compaction-retention", "x"], "--auto-compaction-retention: not a duration like 10m or 1m30s: x"),
        (
            ["--auto-compaction-mode=revision", "--auto-compaction-retention=1h"],
            "--auto-compaction-retention is not a number of revisions: 1h",
        ),
        (["--auto-compaction-mode", "x"], "--auto-compaction-mode is periodic or revision, not x"),
        (["--listen-client-http-urls", "x"], f"--listen-client-http-urls x: {REFUSED} it serves HTTP on"),
        (["--listen-metrics-urls", "http://a.test:1"], "expected IP in URL for binding (http://a.test:1)"),
        (["--listen-metrics-urls", "http://127.0.0.1:1/"], "--listen-metrics-urls is not a URL like"),
        (["--listen-metrics-urls", "nonsense"], "--listen-metrics-urls is not a URL like"),
        (
            ["--listen-metrics-urls", "https://127.0.0.1:1"],
            "TLS key/cert (--cert-file, --key-file) must be",
        ),
        *(
            (["--cors", given], f"--cors is not * or URLs like http://page.test:80, without a path: {given}")
            for given in ("", "x", "*,http://a.test:80", "http://a.test", "http://a.test:80/x", "http://a.test:80,")
        ),
        (["--config-file", "x"], f"--config-file x: {REFUSED} it reads no file"),
        (["--client-crl-file", "x"], f"--client-crl-file x: {REFUSED} it doesn't know revoked"),
        (["--enable-v2"], f"--enable-v2: {REFUSED} it has no API of version 2"),
        (["--as-etcd", "--etcd-version", "3.x"], "not an etcd version: '3.x'"),
        (["--pre-vote=maybe"], "argument --pre-vote: neither true nor false: maybe"),
        (["--pre-vote", "false"], "unrecognized arguments: false"),
        (["gateway"], "unrecognized arguments: gateway"),
    ],
)
def test_what_the_fake_cannot_do_is_refused(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments, {})
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"fake-etcd: {complaint}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--auth-token", "simple"],
        ["--auto-tls=false"],
        ["--discovery="],
        ["--tls-min-version", "TLS1.2"],
    ],
)
def test_a_value_that_changes_nothing_is_taken(arguments: list[str]) -> None:
    parser = cli._parser()
    options = parser.parse_args(etcd_flags.as_go_reads_them(arguments, flags.switches(parser)))
    assert etcd_flags.ignored(options) == []


def test_the_version_of_etcd(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--as-etcd", "-version"], {"FAKE_ETCD_VERSION": "3.6.16"}) == 0
    assert capsys.readouterr().out.splitlines()[0] == "etcd Version: 3.6.16"


@pytest.mark.skipif(find_spec("trustme") is None, reason="trustme is not installed")
def test_certificates_of_its_own() -> None:
    with started("--auto-tls", "--as-etcd", "--listen-client-urls=https://127.0.0.1:0") as said:
        serving = json.loads(said.splitlines()[-1])
        assert serving["msg"] == "serving client traffic securely"
        certificate = ssl.get_server_certificate(tuple(serving["address"].split(":")))
        assert certificate.startswith("-----BEGIN CERTIFICATE-----")


def test_several_urls_and_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "etcd.sock"
    urls = f"http://127.0.0.1:0,unix://{path},http://localhost:0"
    with started("--listen-client-urls", urls) as said:
        first, second, third = said.strip().rpartition(" ")[2].split(",")
        assert second == f"unix://{path}"
        addresses = (first.removeprefix("http://"), f"unix:{path}", third.removeprefix("http://"))
        assert [version_at(address) for address in addresses] == ["3.5.16"] * 3
    assert not path.exists()


def test_a_socket_that_nobody_listens_at_any_more_is_replaced_and_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "etcd.sock"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    with serve(Engine(), f"unix:{path}") as server:
        assert (server.address, server.url, server.port) == (f"unix:{path}", f"unix://{path}", 0)
        assert version_at(server.address) == "3.5.16"
        with pytest.raises(CannotListenError, match=f"can't listen on unix:{path}: Address already in use"):
            serve(Engine(), f"unix:{path}")
        assert version_at(server.address) == "3.5.16"
    path.write_text("mine")
    with pytest.raises(CannotListenError, match="Address already in use"):
        serve(Engine(), f"unix:{path}")
    assert path.read_text() == "mine"
    with pytest.raises(CannotListenError, match="No such file"):
        serve(Engine(), f"unix:{tmp_path / 'nowhere' / 'etcd.sock'}")
    with pytest.raises(CannotListenError, match="too long"):
        serve(Engine(), f"unix:{tmp_path / ('x' * 200)}")
