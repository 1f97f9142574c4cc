"""The flags of `fake-etcd`, and what they change in the server."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from fake_etcd import Engine, cli, flags, serve, stubs
from fake_etcd.stubs import Stubs
from fake_etcd.wire import messages as pb


@contextmanager
def fake_etcd(*arguments: str) -> Iterator[tuple[Stubs, str]]:
    """A process of the console script's own, and its address."""
    code = "import sys; from fake_etcd.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "--listen-client-urls", "http://127.0.0.1:0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip().rpartition("http://")[2]
            with grpc.insecure_channel(address) as channel:
                yield stubs(channel), address
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


def refusal(call: object, request: object) -> str:
    with pytest.raises(grpc.RpcError) as error:
        call(request)  # type: ignore[operator]
    return str(error.value.details())


def test_what_the_flags_set() -> None:
    with fake_etcd(
        *("--max-txn-ops", "1"),
        *("--max-request-bytes", "1000"),
        *("--quota-backend-bytes", "40000"),
        *("--watch-progress-notify-interval", "100ms"),
        *("--auth-token-ttl", "1"),
        *("--heartbeat-interval", "200", "--election-timeout", "2000"),
        *("--grpc-keepalive-min-time", "10s"),
        *("--advertise-client-urls", "http://etcd.test:1,https://etcd.test:2"),
    ) as (etcd, _):
        put = pb.RequestOp(request_put=pb.PutRequest(key=b"a"))
        other = pb.RequestOp(request_put=pb.PutRequest(key=b"b"))
        assert refusal(etcd.kv.Txn, pb.TxnRequest(success=[put, other])) == (
            "etcdserver: too many operations in txn request"
        )
        assert refusal(etcd.kv.Put, pb.PutRequest(key=b"a", value=b"v" * 1000)) == "etcdserver: request is too large"
        assert refusal(etcd.kv.Put, pb.PutRequest(key=b"a", value=b"v" * 600_000)) == (
            "grpc: received message larger than max (600007 vs. 525288)"
        )
        assert etcd.lease.LeaseGrant(pb.LeaseGrantRequest(TTL=1)).TTL == 3
        [member] = etcd.cluster.MemberList(pb.MemberListRequest()).members
        assert list(member.clientURLs) == ["http://etcd.test:1", "https://etcd.test:2"]
        create = pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a", progress_notify=True))
        watch = etcd.watch.Watch(iter([create]), timeout=10)
        assert [(response.created, len(response.events)) for response in (next(watch), next(watch))] == [
            (True, 0),
            (False, 0),
        ]
        watch.cancel()
        large = pb.PutRequest(key=b"a", value=b"v" * 900)
        answers = [etcd.kv.Put.future(large) for _ in range(20)]
        refused = {answer.details() for answer in answers if answer.code() is not grpc.StatusCode.OK}
        assert refused == {"etcdserver: mvcc: database space exceeded"}


def test_a_quota_that_is_none() -> None:
    with fake_etcd("--quota-backend-bytes", "-1") as (etcd, _):
        assert etcd.kv.Put(pb.PutRequest(key=b"a")).header.revision == 2


def test_a_signal_that_another_thread_gets_ends_it() -> None:
    """Or one that comes just before the main thread begins to wait: neither interrupts that wait."""
    code = """
import builtins, signal, sys, threading
from fake_etcd.cli import main

def send():
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

builtins.print = lambda *_, **__: threading.Timer(0.2, send).start()
sys.exit(main(["--listen-client-urls", "http://127.0.0.1:0"]))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_members_are_found_where_the_server_listens() -> None:
    with fake_etcd() as (etcd, address):
        assert urls(etcd) == [f"http://{address}"]
    engine = Engine()
    with serve(engine) as one, grpc.insecure_channel(one.address) as channel:
        with serve(engine) as other:
            assert urls(stubs(channel)) == [f"http://{one.address}", f"http://{other.address}"]
        engine.reset()
        assert urls(stubs(channel)) == [f"http://{one.address}"]
    with serve(engine, "0.0.0.0:0") as every, grpc.insecure_channel(f"127.0.0.1:{every.port}") as channel:
        assert urls(stubs(channel)) == [f"http://localhost:{every.port}"]


def urls(etcd: Stubs) -> list[str]:
    [member] = etcd.cluster.MemberList(pb.MemberListRequest()).members
    return list(member.clientURLs)


@pytest.mark.parametrize(
    ("heartbeat", "election", "ttl"), [(100, 1000, 2), (10, 50, 1), (200, 2000, 3), (500, 5000, 8), (100, 50_000, 75)]
)
def test_the_least_ttl_follows_from_the_timings(heartbeat: int, election: int, ttl: int) -> None:
    assert flags.min_lease_ttl(heartbeat, election) == ttl


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--max-txn-ops", "x"], "argument --max-txn-ops: not a whole number: x"),
        (["--max-txn-ops", "-1"], "argument --max-txn-ops: less than 0: -1"),
        (["--auth-token-ttl", "0"], "argument --auth-token-ttl: less than 1: 0"),
        (["--grpc-keepalive-min-time", "5"], "argument --grpc-keepalive-min-time: not a duration like 10m or 1m30s: 5"),
        (
            ["--watch-progress-notify-interval", "0s"],
            "argument --watch-progress-notify-interval/--experimental-watch-progress-notify-interval: "
            "not a duration like 10m or 1m30s: 0s",
        ),
        (
            ["--advertise-client-urls", "http://a:1,b"],
            "argument --advertise-client-urls: not a URL like http://127.0.0.1:2379: b",
        ),
        (
            ["--heartbeat-interval", "300"],
            "--election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[300ms]",
        ),
        (
            ["--election-timeout", "60000"],
            "--election-timeout[60000ms] is too long, and should be set less than 50000ms",
        ),
    ],
)
def test_a_wrong_value(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err) == (2, "", f"fake-etcd: {complaint}\n")


@pytest.mark.parametrize(("text", "seconds"), [("10m", 600), ("1m30s", 90), ("1.5h", 5400), ("250ms", 0.25)])
def test_durations(text: str, seconds: float) -> None:
    parsed = cli._parser().parse_args(["--grpc-keepalive-min-time", text])
    assert parsed.grpc_keepalive_min_time == seconds
