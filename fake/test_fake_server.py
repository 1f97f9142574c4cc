"""The engine behind a port, and the console script."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import grpc
import pytest

from fake_etcd import Engine, cli, serve, stubs
from fake_etcd.server import CannotListenError
from fake_etcd.wire import messages as pb


def test_two_servers_share_an_engine() -> None:
    engine = Engine()
    with serve(engine, "127.0.0.1:0") as one, serve(engine, "127.0.0.1:0") as other:
        assert one.port != other.port
        with grpc.insecure_channel(one.address) as writes, grpc.insecure_channel(other.address) as reads:
            stubs(writes).kv.Put(pb.PutRequest(key=b"a", value=b"1"))
            assert stubs(reads).kv.Range(pb.RangeRequest(key=b"a")).kvs[0].value == b"1"


def test_answers_may_be_larger_than_requests() -> None:
    with serve(Engine()) as server:
        options = [("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(server.address, options=options) as channel:
            kv = stubs(channel).kv
            for number in range(6):
                kv.Put(pb.PutRequest(key=b"%d" % number, value=b"v" * 1_000_000))
            assert kv.Range(pb.RangeRequest(key=b"\0", range_end=b"\0")).ByteSize() > 6_000_000
            with pytest.raises(grpc.RpcError) as refusal:
                kv.Put(pb.PutRequest(key=b"a", value=b"v" * 2_100_000))
            assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_many_open_streams_keep_nobody_waiting() -> None:
    with serve(Engine()) as server, grpc.insecure_channel(server.address) as channel:
        etcd = stubs(channel)

        def one_then_silence() -> object:
            yield pb.LeaseKeepAliveRequest(ID=7)
            time.sleep(60)

        streams = [etcd.lease.LeaseKeepAlive(one_then_silence()) for _ in range(40)]
        assert [next(stream).TTL for stream in streams] == [0] * 40
        assert etcd.kv.Range(pb.RangeRequest(key=b"a"), timeout=5).count == 0
        for stream in streams:
            stream.cancel()


def test_a_watch_sees_a_lease_expire_without_a_call() -> None:
    with (
        serve(Engine(clock=time.monotonic, min_lease_ttl=1)) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        etcd = stubs(channel)
        create = pb.WatchCreateRequest(key=b"a", filters=[pb.WatchCreateRequest.NOPUT])
        watch = etcd.watch.Watch(iter([pb.WatchRequest(create_request=create)]), timeout=10)
        assert next(watch).created
        etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=7, TTL=1))
        etcd.kv.Put(pb.PutRequest(key=b"a", lease=7))
        granted = time.monotonic()
        assert next(watch).events[0].type == pb.Event.DELETE
        assert 0.8 < time.monotonic() - granted < 5


def test_stopping_ends_watches_at_once_and_leaves_no_threads() -> None:
    before = threading.active_count()
    server = serve(Engine())
    create = pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))
    with grpc.insecure_channel(server.address) as channel:
        open_ended = threading.Event()

        def requests() -> Iterator[pb.WatchRequest]:
            yield create
            open_ended.wait(30)

        watches = [stubs(channel).watch.Watch(requests()) for _ in range(20)]
        assert all(next(watch).created for watch in watches)
        started = time.monotonic()
        server.stop(grace=20)
        assert time.monotonic() - started < 10
        for watch in watches:
            with pytest.raises(grpc.RpcError) as ended:
                next(watch)
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        open_ended.set()
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= before


def test_a_watch_that_its_client_gave_up_is_forgotten() -> None:
    engine = Engine()
    with serve(engine) as server, grpc.insecure_channel(server.address) as channel:
        create = pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))
        watch = stubs(channel).watch.Watch(iter([create]))
        next(watch)
        assert len(engine._core.hub.streams) == 1
        watch.cancel()
        deadline = time.monotonic() + 5
        while engine._core.hub.streams and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not engine._core.hub.streams


def test_a_reset_ends_watches() -> None:
    engine = Engine()
    with serve(engine) as server, grpc.insecure_channel(server.address) as channel:
        create = pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))
        watch = stubs(channel).watch.Watch(iter([create]))
        next(watch)
        engine.reset()
        with pytest.raises(grpc.RpcError) as ended:
            next(watch)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_method_that_is_not_etcds() -> None:
    def double(request: bytes) -> bytes:
        if not request:
            raise ValueError("nothing to double")
        return request * 2

    with serve(Engine()) as server, grpc.insecure_channel(server.address) as channel:
        server.answers("/my.Service/Double", double)
        call = channel.unary_unary("/my.Service/Double", None, None)
        assert call(b"a") == b"aa"
        with pytest.raises(grpc.RpcError) as failed:
            call(b"")
        assert failed.value.code() is grpc.StatusCode.UNKNOWN
        assert failed.value.details() == "Exception calling application: nothing to double"
        assert stubs(channel).kv.Range(pb.RangeRequest(key=b"a")).count == 0


def test_a_taken_port() -> None:
    with serve(Engine()) as server, pytest.raises(CannotListenError, match=f"can't listen on {server.address}: Addr"):
        serve(Engine(), server.address)


NO_URL = "--listen-client-urls is not a URL like http://127.0.0.1:2379: "
NO_TLS = "TLS key/cert (--cert-file, --key-file) must be provided for client url https://a:1 with HTTPS scheme"


@pytest.mark.parametrize(
    ("flag", "value", "complaint"),
    [
        ("--listen-client-urls", "here", NO_URL + "here"),
        ("--listen-client-urls", "http://127.0.0.1:x", NO_URL + "http://127.0.0.1:x"),
        ("--listen-client-urls", "http://127.0.0.1:70000", NO_URL + "http://127.0.0.1:70000"),
        ("--listen-client-urls", "http://127.0.0.1", NO_URL + "http://127.0.0.1"),
        ("--listen-client-urls", "https://a:1", NO_TLS),
        ("--listen-client-urls", "http://127.0.0.1:0,", NO_URL),
        ("--listen-client-urls", "unix://", NO_URL + "unix://"),
        ("--etcd-version", "3.x", "not an etcd version: '3.x' (expected three numbers, such as 3.5.16)"),
        ("--data", "x", "unrecognized arguments: --data x"),
    ],
)
def test_a_wrong_command_line(flag: str, value: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([flag, value])
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err) == (2, "", f"fake-etcd: {complaint}\n")


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert cli.main(["--listen-client-urls", f"http://{address}"]) == 3
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"fake-etcd: can't listen on {address}: {os.strerror(errno.EADDRINUSE)}\n")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.split()[0] == "fake-etcd"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_until_a_signal(number: signal.Signals) -> None:
    code = "import sys; from fake_etcd.cli import main; sys.exit(main())"
    arguments = ["--listen-client-urls", "http://127.0.0.1:0", "--etcd-version", "3.6.16"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said, _, address = process.stdout.readline().strip().rpartition("http://")
            assert said == "fake-etcd serves etcd 3.6.16 at "
            with grpc.insecure_channel(address) as channel:
                etcd = stubs(channel)
                assert etcd.maintenance.Status(pb.StatusRequest(), timeout=5).version == "3.6.16"
                etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=7, TTL=100))
                assert etcd.lease.LeaseTimeToLive(pb.LeaseTimeToLiveRequest(ID=7)).TTL == 99  # a clock that runs
            process.send_signal(number)
            assert process.wait(10) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
        finally:
            process.kill()
