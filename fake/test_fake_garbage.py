"""What no client sends: garbage, halves and masses. Afterwards the server answers, and holds nothing of it."""

from __future__ import annotations

import os
import random
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from fake_etcd import FakeEtcd, stubs
from fake_etcd.wire import messages as pb
from fake_etcd.wire.methods import METHODS, Method

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""How a connection of HTTP/2 begins (RFC 9113, 3.4)."""
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
"""An empty frame of settings, which must come next."""
FRAME_TYPES = range(12)
"""Those of HTTP/2, and two that it doesn't know."""
MOST_FILES = 8192
FEW = 8
"""Open files that gRPC may keep for itself, for later connections."""


@contextmanager
def unharmed() -> Iterator[FakeEtcd]:
    """A fake with a server. In the end it must answer, and hold no thread, connection, stream or watcher more."""
    with FakeEtcd() as etcd:
        address = etcd.serve().address
        with grpc.insecure_channel(address) as channel:
            stubs(channel).kv.Put(pb.PutRequest(key=b"before"), timeout=20)
        before = threading.active_count(), open_files()
        yield etcd
        with grpc.insecure_channel(address) as channel:
            assert stubs(channel).kv.Range(pb.RangeRequest(key=b"before"), timeout=20).count == 1
        settles(lambda: open_files() <= before[1] + FEW)
        settles(lambda: threading.active_count() <= before[0])
        assert [str(one) for one in etcd.in_use() if "lease" not in str(one)] == []


def open_files() -> int:
    """Of this process, in which the server is."""
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


def settles(is_so: Callable[[], bool]) -> None:
    """What ends on threads of gRPC's own ends soon."""
    for _ in range(500):
        if is_so():
            return
        time.sleep(0.02)
    assert is_so(), (threading.enumerate(), open_files())


def connect(etcd: FakeEtcd, *parts: bytes) -> socket.socket:
    host, _, port = etcd.address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    for part in parts:
        try:
            connection.sendall(part)
        except OSError:  # the server has had enough
            break
    return connection


def frames(choices: random.Random) -> bytes:
    """A few frames whose headers are well-formed, or nearly so, and whose payloads are anything."""
    made = b""
    for _ in range(choices.randint(1, 6)):
        payload = choices.randbytes(choices.choice((0, 1, 4, 5, 8, 9, 100)))
        length = len(payload) if choices.random() < 0.8 else choices.randrange(1 << 24)
        head = bytes((choices.choice(FRAME_TYPES), choices.randrange(256)))
        made += length.to_bytes(3, "big") + head + choices.choice((0, 1, 3, 2**31 - 1)).to_bytes(4, "big") + payload
    return made


@pytest.mark.parametrize("seed", range(4))
def test_garbage_on_a_connection(seed: int) -> None:
    choices = random.Random(seed)
    with unharmed() as etcd, ExitStack() as connections:
        for _ in range(60):
            begins = choices.choice(
                (b"", PREFACE, PREFACE + SETTINGS, b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\0\x01")
            )
            said = choices.choice((frames(choices), choices.randbytes(choices.randint(1, 300))))
            connections.enter_context(connect(etcd, begins, said))


def answer_to(channel: grpc.Channel, method: Method, body: bytes) -> str:
    """What a method answers to a request that is these bytes."""
    call: Any
    try:
        if method.client_streaming:
            call = channel.stream_stream(method.path, bytes, bytes)(iter((body,)), timeout=0.5)
        elif method.server_streaming:
            call = channel.unary_stream(method.path, bytes, bytes)(body, timeout=0.5)
        else:
            call = iter((channel.unary_unary(method.path, bytes, bytes)(body, timeout=0.5),))
        next(call, None)
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"
    return "OK"


def test_garbage_in_the_place_of_every_request() -> None:
    """Some of it is a message, by chance; some asks for what waits: a lock, an election."""
    choices = random.Random(7)
    with unharmed() as etcd, grpc.insecure_channel(etcd.address) as channel:
        for method in METHODS:
            for body in (choices.randbytes(choices.randint(1, 60)), b"\x0a\xff\xff\xff\xff\x7f", b"\x0a\x02\x08"):
                answer = answer_to(channel, method, body)
                assert "internal error" not in answer
                assert not answer.startswith("UNAVAILABLE"), (method.path, body, answer)


def test_streams_that_are_cut() -> None:
    with unharmed() as etcd:
        for number in range(50):
            watch = pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))
            with grpc.insecure_channel(etcd.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
                stream = stubs(channel).watch.Watch(iter([watch] * 20), timeout=20)
                if number % 2:
                    assert next(stream).created
            connect(etcd, PREFACE, SETTINGS, b"\0\0\x05\1\4\0\0\0\1").close()  # a frame of headers without its payload


def test_messages_that_are_too_long() -> None:
    with unharmed() as etcd, grpc.insecure_channel(etcd.address) as channel:
        kv = stubs(channel).kv
        for size in (2 * 2**20, 65 * 2**20):
            with pytest.raises(grpc.RpcError) as refusal:
                kv.Put(pb.PutRequest(key=b"a", value=bytes(size)), timeout=20)
            assert "larger than max" in str(refusal.value.details()) or "too large" in str(refusal.value.details())


def test_a_thousand_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        with unharmed() as etcd, ExitStack() as connections:
            for number in range(1000):
                connections.enter_context(connect(etcd, *((PREFACE, SETTINGS) if number % 2 else ())))
            with grpc.insecure_channel(etcd.address) as channel:
                assert stubs(channel).kv.Range(pb.RangeRequest(key=b"before"), timeout=20).count == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
