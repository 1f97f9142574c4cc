"""HTTP/1.1 on the port of gRPC: who is spoken to in which, and what etcd answers besides its gateway."""

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection, IncompleteRead
from pathlib import Path

import grpc
import pytest

from fake_etcd import Engine, GrpcServer, serve, stubs
from fake_etcd.addresses import CannotListenError
from fake_etcd.http import Request, Response
from fake_etcd.http.access import Access
from fake_etcd.http.metrics_server import MetricsServer
from fake_etcd.testing import certificates
from fake_etcd.wire import messages as pb


@pytest.fixture
def server() -> Iterator[GrpcServer]:
    with serve(Engine("3.6.16"), http=True) as server:
        yield server


def get(server: GrpcServer, target: str, method: str = "GET") -> tuple[int, str]:
    """The status and the body of an answer."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request(method, target)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


def put(channel: grpc.Channel) -> int:
    """The revision of a put over gRPC."""
    with channel:
        return int(stubs(channel).kv.Put(pb.PutRequest(key=b"a"), timeout=20).header.revision)


def alarm(server: GrpcServer, kind: str) -> None:
    with grpc.insecure_channel(server.address) as channel:
        request = pb.AlarmRequest(action="ACTIVATE", memberID=1, alarm=kind)
        stubs(channel).maintenance.Alarm(request, timeout=20)


def test_one_port_speaks_grpc_and_http(server: GrpcServer) -> None:
    assert put(grpc.insecure_channel(server.address)) == 2
    assert get(server, "/health") == (200, '{"health":"true","reason":""}')
    assert put(grpc.insecure_channel(server.address)) == 3


def ask(port: int, method: str, path: str, **headers: str) -> tuple[int, str | None, str]:
    """The status, the origin that may read the answer, and its body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, response.getheader("Access-Control-Allow-Origin"), body


def test_who_calls_the_server_by_another_name_is_misdirected() -> None:
    with GrpcServer(Engine(), http=True, access=Access(hosts=frozenset({"good.test"}))) as server:
        for host in ("good.test", "good.test:7"):
            assert ask(server.port, "GET", "/health", Host=host)[:2] == (200, "*")
        for method in ("GET", "OPTIONS"):
            status, origin, body = ask(server.port, method, "/health", Host='a"b:7')
            assert (status, origin) == (421, None)
            assert 'etcd --host-whitelist "a\\"b"\n' in body
        assert put(grpc.insecure_channel(server.address)) == 2


def test_by_tls_any_name_will_do(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    with GrpcServer(Engine(), tls=made.tls(), http=True, access=Access(hosts=frozenset())) as server:
        context = ssl.create_default_context(cafile=made.ca_file)
        connection = HTTPSConnection("localhost", server.port, timeout=20, context=context)
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        connection.close()


def test_the_scripts_of_some_pages_may_read_answers() -> None:
    with GrpcServer(Engine(), http=True, access=Access(origins=frozenset({"http://a.test:80"}))) as server:
        for method in ("GET", "OPTIONS"):
            for origin, allowed in (("http://a.test:80", "http://a.test:80"), ("http://b.test:80", None)):
                assert ask(server.port, method, "/none", Origin=origin)[1] == allowed
            assert ask(server.port, method, "/none")[1] is None


def test_metrics_have_an_address_of_their_own_where_nothing_else_is_answered() -> None:
    engine = Engine()
    with serve(engine, http=True) as server, MetricsServer(engine, "127.0.0.1:0", server.calls) as metrics:
        assert put(grpc.insecure_channel(server.address)) == 2
        port = int(metrics.address.rpartition(":")[2])
        status, origin, body = ask(port, "GET", "/metrics", Host="x", Origin="http://a.test:80")
        assert (status, origin) == (200, None)
        assert 'grpc_server_started_total{grpc_method="Put"' in body
        assert ask(port, "GET", "/livez") == (200, None, "ok\n")
        assert [ask(port, "OPTIONS", path)[0] for path in ("/metrics", "/health", "/version")] == [200, 405, 404]
        with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
            put(grpc.insecure_channel(metrics.address))


def test_one_port_speaks_both_by_tls(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    certificate, key = made.client("root")
    with serve(Engine(), tls=made.tls(client_cert_auth=True), http=True) as server:
        credentials = grpc.ssl_channel_credentials(
            Path(made.ca_file).read_bytes(), Path(key).read_bytes(), Path(certificate).read_bytes()
        )
        assert put(grpc.secure_channel(f"localhost:{server.port}", credentials)) == 2
        context = ssl.create_default_context(cafile=made.ca_file)
        context.load_cert_chain(certificate, key)
        connection = HTTPSConnection("localhost", server.port, timeout=20, context=context)
        connection.request("GET", "/version")
        assert json.load(connection.getresponse()) == {"etcdserver": "3.5.16", "etcdcluster": "3.5.0"}
        connection.close()


def test_who_must_show_a_certificate_and_has_none_gets_no_answer(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    with serve(Engine(), tls=made.tls(client_cert_auth=True), http=True) as server:
        context = ssl.create_default_context(cafile=made.ca_file)
        connection = HTTPSConnection("localhost", server.port, timeout=20, context=context)
        connection.connect()  # in TLS 1.3, the client has no answer yet
        connection.request("GET", "/version")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connection.getresponse()
        connection.close()


def test_one_socket_path_speaks_both(tmp_path: Path) -> None:
    path = tmp_path / "etcd.sock"
    with serve(Engine(), f"unix:{path}", http=True) as server:
        assert put(grpc.insecure_channel(server.address)) == 2
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(path))
            client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
    assert not path.exists()


def test_a_beginning_that_comes_in_pieces_is_waited_for(server: GrpcServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(b"P")
        assert get(server, "/health")[0] == 200
        client.sendall(b"OST /version HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")


def test_requests_that_come_at_once_are_answered_one_by_one(server: GrpcServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.0\r\nHost: a\r\n\r\n")
        with client.makefile("rb") as answers:
            assert re.findall(rb"HTTP/1.1 (\d+)", answers.read()) == [b"200", b"404"]


@pytest.mark.parametrize("garbage", [b"\0\0\0\0", b"GET / FTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello"], ids=repr)
def test_what_is_neither_is_refused(server: GrpcServer, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(garbage)
        assert client.recv(1000).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert get(server, "/health")[0] == 200


def test_the_version(server: GrpcServer) -> None:
    status, body = get(server, "/version")
    assert (status, json.loads(body)) == (200, {"etcdserver": "3.6.16", "etcdcluster": "3.6.0", "storage": "3.6.0"})


def test_an_alarm_makes_it_unhealthy_unless_it_is_excluded(server: GrpcServer) -> None:
    alarm(server, "NOSPACE")
    assert get(server, "/health") == (503, '{"health":"false","reason":"ALARM NOSPACE"}\n')
    assert get(server, "/health?exclude=NOSPACE")[0] == 200
    assert get(server, "/readyz") == (200, "ok\n")
    alarm(server, "CORRUPT")
    assert get(server, "/health?exclude=NOSPACE") == (503, '{"health":"false","reason":"ALARM CORRUPT"}\n')
    status, body = get(server, "/readyz")
    assert status == 503
    assert "[-]data_corruption failed: alarm activated: CORRUPT\n" in body
    assert get(server, "/readyz?exclude=data_corruption") == (200, "ok\n")
    assert get(server, "/readyz/linearizable_read") == (200, "ok\n")
    assert get(server, "/livez?verbose") == (200, "[+]serializable_read ok\nok\n")


def test_an_old_release_has_no_probes_and_gives_no_reasons() -> None:
    with serve(Engine("3.4.23"), http=True) as server:
        assert get(server, "/health") == (200, '{"health":"true"}')
        assert get(server, "/livez") == (404, "404 page not found\n")


def test_other_paths_and_methods_are_refused(server: GrpcServer) -> None:
    assert get(server, "/v2/keys") == (404, "404 page not found\n")
    assert get(server, "/version", "POST") == (405, "Method Not Allowed\n")
    assert get(server, "/version", "OPTIONS") == (200, "")


def test_further_paths_can_be_answered(server: GrpcServer) -> None:
    def echo(request: Request) -> Response:
        return Response(200, f"{request.path} {dict(request.query)}".encode())

    server.answers_http("/own/", echo)
    assert get(server, "/own/a%20b?c=d&e") == (200, "/own/a b {'c': ['d'], 'e': ['']}")


def test_an_answer_that_fails_is_an_internal_error(server: GrpcServer) -> None:
    def fail(_request: Request) -> Response:
        raise ZeroDivisionError

    server.answers_http("/own", fail)
    assert get(server, "/own") == (500, "fake-etcd: internal error: ZeroDivisionError\n")
    assert get(server, "/health")[0] == 200


def test_without_http_there_is_none() -> None:
    with serve(Engine()) as server, pytest.raises(ValueError, match="http=True"):
        server.answers_http("/own", lambda _: Response(200))


def test_an_address_in_use_is_refused(server: GrpcServer) -> None:
    with pytest.raises(CannotListenError, match="Address already in use"):
        serve(Engine(), server.address, http=True)


def test_nothing_is_left_of_a_server_that_was_stopped() -> None:
    before = threading.active_count()
    server = serve(Engine(), http=True)
    with (
        socket.create_connection(("127.0.0.1", server.port)),
        socket.create_connection(("127.0.0.1", server.port)) as b,
    ):
        b.sendall(b"GET /health HTTP/1.1\r\n")
        assert put(grpc.insecure_channel(server.address)) == 2
        server.stop()
    end = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)  # gRPC's own threads end a moment after their calls
    assert threading.active_count() <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_metrics_have_etcds_names(server: GrpcServer) -> None:
    put(grpc.insecure_channel(server.address))
    put(grpc.insecure_channel(server.address))
    with grpc.insecure_channel(server.address) as channel:
        etcd = stubs(channel)
        watch = etcd.watch.Watch(iter([pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))]), timeout=20)
        assert next(watch).created
        with pytest.raises(grpc.RpcError):
            etcd.kv.Range(pb.RangeRequest(), timeout=20)
        lines = get(server, "/metrics")[1].splitlines()
        watch.cancel()
    assert {
        "etcd_server_has_leader 1.0",
        'etcd_server_version{server_version="3.6.16"} 1.0',
        'etcd_cluster_version{cluster_version="3.6"} 1.0',
        "etcd_mvcc_put_total 2.0",
        "etcd_mvcc_delete_total 0.0",
        "etcd_debugging_mvcc_keys_total 1.0",
        "etcd_debugging_mvcc_current_revision 3.0",
        "etcd_debugging_mvcc_watcher_total 1.0",
        'grpc_server_started_total{grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 2.0',
        'grpc_server_handled_total{grpc_code="InvalidArgument",grpc_method="Range",grpc_service="etcdserverpb.KV",'
        'grpc_type="unary"} 1.0',
    } <= set(lines)


def test_a_call_through_the_gateway_is_one_of_grpc(server: GrpcServer) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", "/v3/kv/put", json.dumps({"key": "YQ=="}))
    assert json.load(connection.getresponse())["header"]["revision"] == "2"
    connection.close()
    started = 'grpc_server_started_total{grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1.0'
    assert started in get(server, "/metrics")[1]


def test_a_stream_through_the_gateway_ends_with_its_client_and_with_the_server(server: GrpcServer) -> None:
    connections = [HTTPConnection("127.0.0.1", server.port, timeout=20) for _ in range(2)]
    streams = []
    for connection in connections:
        connection.request("POST", "/v3/watch", json.dumps({"create_request": {"key": "YQ=="}}))
        streams.append(connection.getresponse())
        assert json.loads(streams[-1].readline())["result"]["created"]
    assert put(grpc.insecure_channel(server.address)) == 2
    for stream in streams:
        assert json.loads(stream.readline())["result"]["events"][0]["kv"]["key"] == "YQ=="
    streams[0].close()
    connections[0].close()
    while "etcd_debugging_mvcc_watcher_total 1.0" not in get(server, "/metrics")[1]:
        pass
    server.stop()
    with pytest.raises((IncompleteRead, ConnectionError)):
        streams[1].read()
    streams[1].close()
    connections[1].close()
