"""An engine as a gRPC server: handlers made from the table of methods."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import Any

import grpc
from google.protobuf.message import Message

from fake_etcd.engine import WATCH, Engine
from fake_etcd.errors import EtcdError
from fake_etcd.watch import StreamClosed, WatchStream
from fake_etcd.wire.methods import METHODS, Method

_THREADS = 512
"""An open stream occupies one; they are started only as they are needed."""

_TICK = 0.2
"""Seconds between two looks at the clock."""


class CannotListenError(OSError):
    """The address can't be listened on."""


class GrpcServer:
    """A running server of an engine; a context manager that stops it."""

    def __init__(self, engine: Engine, address: str = "127.0.0.1:0") -> None:
        """Listen on `host:port`, where port 0 picks a free one; CannotListenError if that can't be."""
        self._engine = engine
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="fake-etcd")
        self._server = grpc.server(
            self._threads,
            options=[
                ("grpc.so_reuseport", 0),  # or a second server would quietly share the first one's port
                ("grpc.max_receive_message_length", -1),  # the engine refuses what is too long, in etcd's words
                ("grpc.max_send_message_length", -1),
            ],
        )
        self._watches: set[WatchStream] = set()
        services: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
        for method in METHODS:
            services.setdefault(method.service, {})[method.name] = self._handler(method)
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, handlers) for service, handlers in services.items()]
        )
        host = address.rpartition(":")[0]
        self.port = _listen(self._server, address)
        """The port, also where 0 was asked for."""
        self.address = f"{host}:{self.port}"
        self._stopped = Event()
        self._ticker = Thread(target=self._tick, name="fake-etcd-clock", daemon=True)
        self._server.start()
        self._ticker.start()

    def stop(self, grace: float | None = 0.5) -> None:
        """Refuse new calls and close watches at once, and end what else is under way after `grace` seconds."""
        stopping = self._server.stop(grace)
        self._stopped.set()
        while self._watches:
            self._watches.pop().close()
        stopping.wait()
        self._threads.shutdown(wait=False)
        self._ticker.join()

    def _tick(self) -> None:
        while not self._stopped.wait(_TICK):
            self._engine.tick()

    def __enter__(self) -> GrpcServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # How methods are answered

    def _handler(self, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        codec: dict[str, Callable[..., Any]] = {
            "request_deserializer": method.request.FromString,
            "response_serializer": method.response.SerializeToString,
        }
        if method.path == WATCH:
            return grpc.stream_stream_rpc_method_handler(self._watch, **codec)
        if method.client_streaming:
            return grpc.stream_stream_rpc_method_handler(_each(self._engine, method.path), **codec)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(_stream(self._engine, method.path), **codec)
        return grpc.unary_unary_rpc_method_handler(_unary(self._engine, method.path), **codec)

    def _watch(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Message]:
        """A client that has said all it has to say still gets what it watches."""
        stream = self._engine.watch(_token(context))
        self._watches.add(stream)
        try:
            if not context.add_callback(stream.close):
                return
            Thread(target=_feed, args=(stream, requests), name="fake-etcd-watch", daemon=True).start()
            while True:
                response = stream.receive()
                if response is not None:
                    yield response
        except StreamClosed:
            if context.is_active():
                context.abort(grpc.StatusCode.UNAVAILABLE, "etcdserver: server stopped")
        finally:
            self._watches.discard(stream)
            stream.close()


def serve(engine: Engine, address: str = "127.0.0.1:0") -> GrpcServer:
    """Serve an engine on `host:port` until the server is stopped."""
    return GrpcServer(engine, address)


def _listen(server: grpc.Server, address: str) -> int:
    _try_to_listen(address)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise CannotListenError(f"can't listen on {address}") from error
    if port == 0:  # how older releases of grpcio say it
        raise CannotListenError(f"can't listen on {address}")
    return port


def _try_to_listen(address: str) -> None:
    """Find out with a plain socket: gRPC reports the reason only to its log."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 2**16):
        raise CannotListenError(f"can't listen on {address!r}: an address is a host and a port, as in 127.0.0.1:0")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name == "posix":  # where it allows a port's reuse after its last owner, not beside it
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host.strip("[]"), int(port)))
            probe.listen()
    except OSError as error:
        raise CannotListenError(f"can't listen on {address}: {error.strerror}") from error


def token_of(metadata: Iterable[tuple[str, Any]] | None) -> str:
    """The token that a call came with. etcd: server/auth/store.go AuthInfoFromCtx."""
    authorization = ""
    for key, value in metadata or ():
        if key == "token":
            return str(value)
        if key == "authorization" and not authorization:
            authorization = str(value)
    return authorization


def _token(context: grpc.ServicerContext) -> str:
    return token_of(context.invocation_metadata())


def _cancelled(context: grpc.ServicerContext) -> Event:
    """Set when the call is over for whoever made it."""
    cancelled = Event()
    if not context.add_callback(cancelled.set):
        cancelled.set()
    return cancelled


def _unary(engine: Engine, path: str) -> Callable[[Any, grpc.ServicerContext], Message]:
    waits = engine.waits(path)

    def answer(request: Any, context: grpc.ServicerContext) -> Message:
        try:
            return engine.call(path, request, _token(context), _cancelled(context) if waits else None)
        except EtcdError as error:
            context.abort(error.code, error.message)

    return answer


def _each(engine: Engine, path: str) -> Callable[[Iterator[Any], grpc.ServicerContext], Iterator[Message]]:
    """A bidirectional method that answers request by request."""
    answer = _unary(engine, path)

    def answers(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Message]:
        for request in requests:
            yield answer(request, context)

    return answers


def _stream(engine: Engine, path: str) -> Callable[[Any, grpc.ServicerContext], Iterator[Message]]:
    def answers(request: Any, context: grpc.ServicerContext) -> Iterator[Message]:
        try:
            yield from engine.stream(path, request, _token(context), _cancelled(context))
        except EtcdError as error:
            context.abort(error.code, error.message)

    return answers


def _feed(stream: WatchStream, requests: Iterator[Any]) -> None:
    with suppress(StreamClosed, grpc.RpcError):  # the call is over
        for request in requests:
            stream.send(request)
