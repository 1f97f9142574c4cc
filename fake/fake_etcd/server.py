"""An engine as a gRPC server: handlers made from the table of methods."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import grpc
from google.protobuf.message import Message

from fake_etcd.engine import MAX_FRAME_BYTES, Engine
from fake_etcd.errors import EtcdError, not_implemented
from fake_etcd.wire.methods import METHODS, Method

_THREADS = 512
"""An open stream occupies one; they are started only as they are needed."""


class CannotListenError(OSError):
    """The address can't be listened on."""


class Server:
    """A running server of an engine; a context manager that stops it."""

    def __init__(self, engine: Engine, address: str = "127.0.0.1:0") -> None:
        """Listen on `host:port`, where port 0 picks a free one; CannotListenError if that can't be."""
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="fake-etcd"),
            options=[
                ("grpc.so_reuseport", 0),  # or a second server would quietly share the first one's port
                ("grpc.max_receive_message_length", MAX_FRAME_BYTES),
                ("grpc.max_send_message_length", -1),
            ],
        )
        services: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
        for method in METHODS:
            services.setdefault(method.service, {})[method.name] = _handler(engine, method)
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, handlers) for service, handlers in services.items()]
        )
        host = address.rpartition(":")[0]
        self.port = _listen(self._server, address)
        """The port, also where 0 was asked for."""
        self.address = f"{host}:{self.port}"
        self._server.start()

    def stop(self, grace: float | None = 0.5) -> None:
        """Refuse new calls at once, and end those under way after `grace` seconds."""
        self._server.stop(grace).wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def serve(engine: Engine, address: str = "127.0.0.1:0") -> Server:
    """Serve an engine on `host:port` until the server is stopped."""
    return Server(engine, address)


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
    """Find out with a plain socket: gRPC tells the reason only to its log."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name == "posix":  # where it allows a port's reuse after its last owner, not beside it
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host.strip("[]"), int(port)))
            probe.listen()
    except OSError as error:
        raise CannotListenError(f"can't listen on {address}: {error.strerror}") from error


def _handler(engine: Engine, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
    codec: dict[str, Callable[..., Any]] = {
        "request_deserializer": method.request.FromString,
        "response_serializer": method.response.SerializeToString,
    }
    if method.client_streaming:
        return grpc.stream_stream_rpc_method_handler(_stream(engine, method.path), **codec)
    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(
            lambda request, context: _stream(engine, method.path)(iter((request,)), context), **codec
        )
    return grpc.unary_unary_rpc_method_handler(_unary(engine, method.path), **codec)


def _unary(engine: Engine, path: str) -> Callable[[Any, grpc.ServicerContext], Message]:
    def answer(request: Any, context: grpc.ServicerContext) -> Message:
        try:
            return engine.call(path, request)
        except EtcdError as error:
            context.abort(error.code, error.message)

    return answer


def _stream(engine: Engine, path: str) -> Callable[[Iterator[Any], grpc.ServicerContext], Iterator[Message]]:
    answer = _unary(engine, path)

    def answers(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Message]:
        if not engine.implements(path):  # said at once: a client may wait for an answer before it asks
            refusal = not_implemented(path, known=True)
            context.abort(refusal.code, refusal.message)
        for request in requests:
            yield answer(request, context)

    return answers
