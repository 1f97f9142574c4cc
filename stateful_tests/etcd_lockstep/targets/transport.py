"""What gRPC's errors mean, and its streams with a time limit on each message."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, Queue, SimpleQueue
from threading import Thread
from typing import Any

import grpc
from google.protobuf.message import Message

from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.authorization import Metadata
from etcd_lockstep.targets.watching import StreamEnded
from etcd_model.errors import STREAM_ENDED, UNHEALTHY, Code, Error
from fake_etcd.wire import messages

CALL_TIMEOUT = 10.0
"""Seconds after which a target has stopped answering. An idle etcd answers in milliseconds."""

_INDEFINITE = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})
"""What the transport says when nobody knows whether the request was carried out."""


def definite(error: grpc.RpcError) -> Error:
    """The answer that an error is. Raises `TargetDied` where the answer is unknown."""
    if not isinstance(error, grpc.Call):
        raise error
    if error.code() in _INDEFINITE and error.details() != UNHEALTHY.message:
        raise TargetDied(f"{error.code().name}: {error.details()}") from error
    return Error(Code(error.code().value[0]), error.details() or "")


class Incoming:
    """The messages of a stream, read by a thread that ends with it."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._arrived: Queue[Any] = Queue()  # not a SimpleQueue: on Python 3.10, its get(timeout=…) may wait for ever
        self._reader = Thread(target=self._read, name="etcd-lockstep-stream", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            for message in self._call:
                self._arrived.put(message)
            self._arrived.put(StreamEnded(STREAM_ENDED))
        except grpc.RpcError as error:
            self._arrived.put(error)

    def receive(self, timeout: float) -> Any:
        """The next message; None where none comes in so many seconds. Raises `StreamEnded`, `TargetDied`."""
        try:
            message = self._arrived.get(timeout=timeout)
        except Empty:
            return None
        match message:
            case StreamEnded():
                self._arrived.put(message)  # whoever asks again is reported again
                raise message
            case grpc.RpcError():
                self._arrived.put(message)
                raise StreamEnded(definite(message))
        return message

    def close(self) -> None:
        self._call.cancel()
        self._reader.join(CALL_TIMEOUT)


class WatchCall:
    """A call of `Watch.Watch`: a `Duplex`."""

    def __init__(self, method: Callable[..., Any], metadata: Metadata) -> None:
        self._outgoing: SimpleQueue[Message | None] = SimpleQueue()
        self._incoming = Incoming(method(iter(self._outgoing.get, None), metadata=metadata))

    def send(self, request: messages.WatchRequest) -> None:
        self._outgoing.put(request)

    def receive(self, timeout: float) -> messages.WatchResponse | None:
        response: messages.WatchResponse | None = self._incoming.receive(timeout)
        return response

    def close(self) -> None:
        self._outgoing.put(None)
        self._incoming.close()
