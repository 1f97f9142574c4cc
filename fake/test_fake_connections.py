"""One connection, frame by frame: requests are taken in the order they came, and pings as etcd takes them."""

import socket
import struct
import time
from collections.abc import Iterator

import pytest

from fake_etcd import Engine, GrpcServer, serve
from fake_etcd.wire import messages as pb

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GO_AWAY = 0, 1, 4, 6, 7
ACK, END_STREAM, END_HEADERS = 1, 1, 4
ENHANCE_YOUR_CALM = 11


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header as HPACK has it without an index (RFC 7541, 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def opened(stream: int, path: bytes) -> bytes:
    """A call's headers."""
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    )
    return frame(HEADERS, END_HEADERS, stream, b"".join(literal(*field) for field in fields))


def message(stream: int, data: bytes, flags: int = 0) -> bytes:
    return frame(DATA, flags, stream, b"\0" + struct.pack(">I", len(data)) + data)


class Connection:
    """A connection whose frames are written by hand."""

    def __init__(self, server: GrpcServer) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(PREFACE, frame(SETTINGS, 0, 0))

    def send(self, *frames: bytes) -> None:
        self._socket.sendall(b"".join(frames))

    def frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Kind, flags, stream and payload of what comes, until the connection is closed."""
        while len(head := self._read(9)) == 9:
            length, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], head[5:]
            payload = self._read(length)
            if kind == SETTINGS and not flags & ACK:
                self.send(frame(SETTINGS, ACK, 0))
            yield kind, flags, int.from_bytes(stream, "big"), payload

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length and (more := self._socket.recv(length - len(data))):
            data += more
        return data

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


WATCH = pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a")).SerializeToString()
KEEPALIVE = b"keepaliv"
PUT = pb.PutRequest(key=b"a", value=b"1").SerializeToString()


@pytest.mark.parametrize("batches", ["at once", "frame by frame"])
def test_a_watch_is_open_when_a_later_put_is_answered(batches: str) -> None:
    """jetcd lost the event in a third of the tries: a thread of the watch's own had yet to take its first request."""
    with serve(Engine()) as server:
        for _ in range(30):
            frames = (
                opened(1, b"/etcdserverpb.Watch/Watch"),
                message(1, WATCH),
                opened(3, b"/etcdserverpb.KV/Put"),
                message(3, PUT, END_STREAM),
            )
            with Connection(server) as connection:
                for part in (b"".join(frames),) if batches == "at once" else frames:
                    connection.send(part)
                received = b""
                is_answered = False
                for kind, _, stream, payload in connection.frames():
                    if kind == DATA and stream == 1:
                        received += payload
                    is_answered = is_answered or (kind == DATA and stream == 3)
                    if is_answered and len(responses(received)) == 2:
                        break
            created, event = responses(received)
            assert (created.created, event.events[0].kv.value) == (True, b"1")


def responses(data: bytes) -> list[pb.WatchResponse]:
    """The whole messages in a stream's data."""
    found = []
    while len(data) >= 5 and len(data) >= 5 + (length := int.from_bytes(data[1:5], "big")):
        found.append(pb.WatchResponse.FromString(data[5 : 5 + length]))
        data = data[5 + length :]
    return found


def pings_answered(server: GrpcServer, count: int, seconds: float, *, call: bool = True) -> tuple[int, bytes]:
    """How many pings are answered beside a quiet watch, or without a call, and what the server said in the end."""
    with Connection(server) as connection:
        if call:
            connection.send(opened(1, b"/etcdserverpb.Watch/Watch"), message(1, WATCH))
        first = DATA if call else SETTINGS
        answered = sent = 0
        for kind, flags, _, payload in connection.frames():
            if kind == GO_AWAY:
                return answered, payload
            if kind == PING and not flags & ACK:  # the server's own, by which it measures the bandwidth
                connection.send(frame(PING, ACK, 0, payload))
            elif (kind == PING and payload == KEEPALIVE) or (kind == first and not sent):
                answered += kind == PING
                if sent == count:
                    break
                time.sleep(seconds)
                connection.send(frame(PING, 0, 0, KEEPALIVE))
                sent += 1
    return answered, b""


@pytest.mark.parametrize("call", [True, False])
def test_a_client_may_ping_as_often_as_etcd_lets_it(call: bool) -> None:
    with GrpcServer(Engine(), keepalive_min_time=0.05) as server:
        assert pings_answered(server, 8, 0.06, call=call) == (8, b"")


def test_a_client_that_pings_more_often_is_cut_off() -> None:
    with serve(Engine()) as server:
        answered, last = pings_answered(server, 8, 0.01)
    assert answered < 8
    assert int.from_bytes(last[4:8], "big") == ENHANCE_YOUR_CALM
    assert last[8:].startswith(b"too_many_pings")


def test_what_is_no_http2_disturbs_nobody() -> None:
    with serve(Engine()) as server:
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, PREFACE + b"\xff" * 100, PREFACE[:10]):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as broken:
                broken.sendall(garbage)
        for path, data in ((b"/etcdserverpb.KV/Put", b"\xff" * 20), (b"/\xff/\xff", b""), (b"", b"x")):
            with Connection(server) as connection:
                connection.send(opened(1, path), message(1, data))
                connection.send(frame(DATA, 0, 1, b"\0\xff\xff\xff\xff"))
        with Connection(server) as connection:
            connection.send(opened(1, b"/etcdserverpb.KV/Put"), message(1, PUT, END_STREAM))
            assert any(kind == DATA and stream == 1 for kind, _, stream, _ in connection.frames())
