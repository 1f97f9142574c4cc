"""`record`: a session on the served fake becomes a file, whatever language its client is in."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import Request, urlopen

import grpc
import pytest

from etcd_lockstep.console.cli import main
from etcd_lockstep.filing.corpus import load
from etcd_lockstep.trace import RevisionAt
from etcd_model import operations as op
from fake_etcd import stubs
from fake_etcd.wire import messages as pb

PROGRAM = (sys.executable, "-c", "import sys; from etcd_lockstep.console.cli import main; sys.exit(main())", "record")

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("elsewhere")


@dataclass
class Session:
    """A running `record`; what it said and its exit code, once it has ended."""

    process: subprocess.Popen[str]
    address: str = ""
    output: str = ""
    lines: list[str] = field(default_factory=list)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        assert err == ""
        self.lines = out.splitlines()
        return self.process.returncode


@contextmanager
def recording(*options: str) -> Iterator[Session]:
    arguments = [*PROGRAM, "--out", "session.json", "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert "and records until Ctrl-C or SIGTERM" in ready
            yield Session(process, ready.partition("http://")[2].partition(",")[0])
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_session_is_written_at_its_end_and_replayed(number: int, capsys: Capture) -> None:
    with recording("--etcd-version", "3.6.16") as session:
        with grpc.insecure_channel(session.address) as channel:
            kv = stubs(channel).kv
            kv.Put(pb.PutRequest(key=b"a", value=b"1"), timeout=10)
            kv.DeleteRange(pb.DeleteRangeRequest(key=b"a"), timeout=10)
            kv.Range(pb.RangeRequest(key=b"a", revision=2), timeout=10)
        assert session.end(number) == 0
    assert session.lines == ["session.json: 3 steps, 0 left out"]
    assert load(Path("session.json")).trace == (
        op.Put(b"a", b"1"),
        op.DeleteRange(b"a"),
        op.Range(b"a", revision=RevisionAt(1)),
    )
    assert main(["replay", "session.json", "--etcd", "none"]) == 0
    assert "FIXED" in capsys.readouterr().out
    assert main(["replay", "session.json", "--etcd", "none", "--against", "historical-read-wrong"]) == 1
    assert "STILL LIES" in capsys.readouterr().out


def test_what_came_by_http_is_recorded_too() -> None:
    with recording() as session:
        request = Request(f"http://{session.address}/v3/kv/put", data=b'{"key": "YQ==", "value": "MQ=="}')
        with urlopen(request, timeout=10) as answer:
            assert answer.status == 200
        assert session.end() == 0
    assert load(Path("session.json")).trace == (op.Put(b"a", b"1"),)


def test_what_no_trace_holds_is_said() -> None:
    with recording("--most", "2") as session:
        with grpc.insecure_channel(session.address) as channel:
            kv = stubs(channel).kv
            for value in (b"1", b"2"):
                kv.Put(pb.PutRequest(key=b"a", value=value), timeout=10)
            with pytest.raises(grpc.RpcError):
                kv.Txn(pb.TxnRequest(compare=[pb.Compare(key=b"a")], success=[pb.RequestOp()]), timeout=10)
        assert session.end() == 0
    assert session.lines == [
        "left out: entries 1 to 1: the journal had no room for them any more",
        "left out: entry 3, Txn: a compare names no operand",
        "session.json: 1 step, 2 left out",
    ]


def test_of_a_session_without_a_request_nothing_is_written() -> None:
    with recording() as session:
        session.process.send_signal(signal.SIGTERM)
        _, err = session.process.communicate(timeout=60)
    assert session.process.returncode == 2
    assert err == "etcd-lockstep: session.json: not written, for there is no step to replay\n"
    assert not Path("session.json").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--out", "gone/session.json"], "--out gone/session.json: there is no folder gone"),
        (["--out", "x.json", "--listen", "ftp://127.0.0.1:1"], "--listen is not a URL like http://127.0.0.1:2379"),
        (["--out", "x.json", "--listen", "https://127.0.0.1:1"], "with HTTPS scheme"),
        (["--out", "x.json", "--etcd-version", "2.3.8"], "fake-etcd can't be etcd 2.3.8"),
        (["--out", "x.json", "--most", "0"], "'0' is not a whole number from 1 on"),
        ([], "the following arguments are required: --out"),
    ],
)
def test_what_can_not_be_recorded_is_refused_at_once(options: list[str], reason: str) -> None:
    run = subprocess.run([*PROGRAM, *options], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert reason in run.stderr
    assert run.stderr.count("\n") == 1


def test_an_address_that_is_taken_is_none() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["record", "--out", "x.json", "--listen", f"127.0.0.1:{taken.getsockname()[1]}"]) == 3
