"""A gRPC channel without a network: an engine in this process answers its calls.

Clients of any make work over it, because it takes their own message classes through the bytes that would go over the
wire; messages of `fake_etcd.wire.messages` are handed over as they are. Of the metadata, the token counts. Credentials
and compression are accepted and have no effect; a timeout has one on streams and on calls that wait (Lock, Campaign),
on calls that a rule of a fault delays, and on any call if it is over before.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from threading import Event
from typing import Any, TypeVar
from weakref import WeakSet

import grpc

from fake_etcd.calls import Answered, InProcessRpcError
from fake_etcd.client_codec import ClientCodec, Deserializer, Serializer
from fake_etcd.engine import WATCH, Engine
from fake_etcd.errors import EtcdError
from fake_etcd.running_calls import AnswerStream, RunningCall, WaitingCall, WatchCall
from fake_etcd.server_calls import token_of

Running = TypeVar("Running", bound=RunningCall)

_CLOSED = (grpc.StatusCode.CANCELLED, "Channel closed!")
"""gRPC's own words."""
_KEY = re.compile(rb"[0-9a-z_.-]+")
_VALUE = re.compile(rb"[ -~]*")
"""What may be sent as metadata."""

_log = logging.getLogger(__name__)


class InProcessChannel(grpc.Channel):
    """A channel to an engine: `stubs(InProcessChannel(Engine())).kv.Range(request)`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._closed = False
        self._running: WeakSet[RunningCall] = WeakSet()

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.UnaryUnaryMultiCallable[Any, Any]:
        return _UnaryUnary(self._method(method, request_serializer, response_deserializer))

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.UnaryStreamMultiCallable[Any, Any]:
        return _UnaryStream(self._method(method, request_serializer, response_deserializer))

    def stream_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.StreamUnaryMultiCallable[Any, Any]:
        return _StreamUnary(self._method(method, request_serializer, response_deserializer))

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.StreamStreamMultiCallable[Any, Any]:
        return _StreamStream(self._method(method, request_serializer, response_deserializer))

    def subscribe(
        self, callback: Callable[[grpc.ChannelConnectivity], None], try_to_connect: bool | None = False
    ) -> None:
        """Always ready: says so once."""
        del try_to_connect
        callback(grpc.ChannelConnectivity.READY)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        del callback

    def close(self) -> None:
        """No new calls, and an end to those that are running."""
        self._closed = True
        for call in tuple(self._running):
            call.end(*_CLOSED)

    def join(self, timeout: float) -> None:
        """Once it is closed, wait for the threads of its calls, all in all for so many seconds."""
        deadline = time.monotonic() + timeout
        for call in tuple(self._running):
            call.join(deadline - time.monotonic())

    def __enter__(self) -> InProcessChannel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _method(self, path: str, serialize: Serializer | None, deserialize: Deserializer | None) -> _Method:
        return _Method(self, path, serialize, deserialize)

    def open_engine(self) -> Engine:
        """The engine, while the channel is open."""
        if self._closed:
            raise ValueError("Cannot invoke RPC on closed channel!")  # gRPC's own words
        return self._engine

    def running(self, call: Running) -> Running:
        """Begin a call, and know it, to end it when the channel is closed."""
        self._running.add(call)
        call.begin()
        if self._closed:  # meanwhile
            call.end(*_CLOSED)
        return call


class _Method(ClientCodec):
    """One method on a channel, with its client's codec: `method(request)` is one request's answer.

    What the codec raises, and metadata that can't be sent, become what gRPC makes of them (1.85: `_common._transform`
    and `validate_metadata.cc`).
    """

    def __init__(
        self, channel: InProcessChannel, path: str, serialize: Serializer | None, deserialize: Deserializer | None
    ) -> None:
        super().__init__(path, serialize, deserialize)
        self.channel = channel

    def __call__(
        self, request: Any, token: str = "", cancelled: Event | None = None, timeout: float | None = None
    ) -> Any:
        engine = self.channel.open_engine()
        try:
            encoded = self.encode(request, engine)
            return self.decode(engine.patiently(lambda: engine.call(self.path, encoded, token, cancelled), timeout))
        except EtcdError as error:
            raise InProcessRpcError(error.code, error.message) from None  # the engine has no context here either

    def to_bytes(self, request: Any) -> bytes:
        try:
            return super().to_bytes(request)
        except Exception:
            raise _codec_failed("Exception serializing request!") from None

    def from_bytes(self, data: bytes) -> Any:
        try:
            return super().from_bytes(data)
        except Exception:
            raise _codec_failed("Exception deserializing response!") from None


def _codec_failed(words: str) -> InProcessRpcError:
    """Log the exception that is being handled. The caller gets these words alone, as from gRPC."""
    _log.exception(words)
    return InProcessRpcError(grpc.StatusCode.INTERNAL, words)


def _token(metadata: Any) -> str:
    """The token in a call's metadata, all of which must be fit to be sent."""
    if not metadata:
        return ""
    for key, value in metadata:
        for part in (key, value):
            if not isinstance(part, str | bytes):
                raise TypeError(f"Expected str, not {type(part)}")
        if not _KEY.fullmatch(_as_bytes(key)) or not (key.endswith("-bin") or _VALUE.fullmatch(_as_bytes(value))):
            raise InProcessRpcError(grpc.StatusCode.INTERNAL, "Invalid metadata")
    return token_of(metadata)


def _as_bytes(part: str | bytes) -> bytes:
    return part.encode() if isinstance(part, str) else part


def _check_timeout(timeout: float | None) -> None:
    if timeout is not None and timeout <= 0:
        raise InProcessRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


class _UnaryUnary(grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    def __init__(self, method: _Method) -> None:
        self._method = method

    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None, *_: Any, **__: Any) -> Any:
        _check_timeout(timeout)
        if self._method.channel.open_engine().waits(self._method.path):
            return self._wait(request, timeout, metadata).answer()
        return self._method(request, _token(metadata), timeout=timeout)

    def with_call(
        self, request: Any, timeout: float | None = None, metadata: Any = None, *_: Any, **__: Any
    ) -> tuple[Any, grpc.Call]:
        response = self(request, timeout, metadata)
        return response, Answered(response)

    def future(self, request: Any, timeout: float | None = None, metadata: Any = None, *_: Any, **__: Any) -> Any:
        try:
            _check_timeout(timeout)
            if self._method.channel.open_engine().waits(self._method.path):
                return self._wait(request, timeout, metadata)
            return Answered(self._method(request, _token(metadata), timeout=timeout))
        except InProcessRpcError as error:
            return error

    def _wait(self, request: Any, timeout: float | None, metadata: Any) -> WaitingCall:
        token = _token(metadata)
        call = WaitingCall(timeout, lambda cancelled: self._method(request, token, cancelled))
        return self._method.channel.running(call)


class _UnaryStream(grpc.UnaryStreamMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    def __init__(self, method: _Method) -> None:
        self._method = method

    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None, *_: Any, **__: Any) -> Any:
        _check_timeout(timeout)
        method, token = self._method, _token(metadata)
        engine = method.channel.open_engine()
        call = AnswerStream(
            timeout,
            method.decode,
            lambda cancelled: engine.patiently(
                lambda: engine.stream(method.path, method.encode(request, engine), token, cancelled)
            ),
        )
        return method.channel.running(call)


class _StreamUnary(grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    """etcd's API has no method of this shape: every call is refused."""

    def __init__(self, method: _Method) -> None:
        self._method = method

    def __call__(self, request_iterator: Iterable[Any], *_: Any, **__: Any) -> Any:
        del request_iterator
        refusal = self._method.channel.open_engine().refusal(self._method.path)
        raise InProcessRpcError(refusal.code, refusal.message)

    def with_call(self, request_iterator: Iterable[Any], *_: Any, **__: Any) -> Any:
        return self(request_iterator)

    def future(self, request_iterator: Iterable[Any], *_: Any, **__: Any) -> Any:
        try:
            return self(request_iterator)
        except InProcessRpcError as error:
            return error


class _StreamStream(grpc.StreamStreamMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    def __init__(self, method: _Method) -> None:
        self._method = method

    def __call__(
        self, request_iterator: Iterable[Any], timeout: float | None = None, metadata: Any = None, *_: Any, **__: Any
    ) -> Any:
        _check_timeout(timeout)
        method, token = self._method, _token(metadata)
        engine = method.channel.open_engine()
        if method.path == WATCH:
            watch = WatchCall(
                timeout,
                method.decode,
                engine.watch(token),
                (method.encode(request, engine) for request in request_iterator),
                engine.patiently,
            )
            return method.channel.running(watch)

        def answers(_cancelled: Event) -> Iterator[Any]:
            if not engine.implements(method.path):  # said at once: a client may wait for an answer before it asks
                raise engine.refusal(method.path)
            for request in request_iterator:
                yield engine.patiently(partial(engine.call, method.path, method.encode(request, engine), token))

        return method.channel.running(AnswerStream(timeout, method.decode, answers))
