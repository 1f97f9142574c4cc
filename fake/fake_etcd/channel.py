"""A gRPC channel without a network: an engine in this process answers its calls.

Clients of any make work over it, because it takes their own message classes through the bytes that would go over the
wire; messages of `fake_etcd.wire.messages` are handed over as they are. Metadata, credentials and compression are
accepted and have no effect; a timeout has one only if it is over before the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import grpc

from fake_etcd.calls import Answered, AnswerStream, InProcessRpcError
from fake_etcd.engine import Engine
from fake_etcd.errors import EtcdError, not_implemented
from fake_etcd.wire.methods import METHOD

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


class InProcessChannel(grpc.Channel):
    """A channel to an engine: `stubs(InProcessChannel(Engine())).kv.Range(request)`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._closed = False

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
        """Always ready: tells so once."""
        del try_to_connect
        callback(grpc.ChannelConnectivity.READY)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        del callback

    def close(self) -> None:
        self._closed = True

    def __enter__(self) -> InProcessChannel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _method(self, path: str, serialize: Serializer | None, deserialize: Deserializer | None) -> _Method:
        return _Method(self, path, serialize, deserialize)

    def answer(self, path: str, request: Any) -> Any:
        """Answer one request, or raise what gRPC would."""
        if self._closed:
            raise ValueError("Cannot invoke RPC on closed channel!")
        try:
            return self._engine.call(path, request)
        except EtcdError as error:
            refusal = InProcessRpcError(error.code, error.message)
        raise refusal  # outside the except clause: a remote peer's error has no context here either


class _Method:
    """One method on a channel, with its client's codec: `method(request)` is one request's answer."""

    def __init__(
        self, channel: InProcessChannel, path: str, serialize: Serializer | None, deserialize: Deserializer | None
    ) -> None:
        self.path = path
        self._channel = channel
        self._serialize = serialize
        self._deserialize = deserialize
        method = METHOD.get(path)
        self._request_class = method.request if method else None
        self._answers_as_is = method is not None and deserialize == method.response.FromString

    def __call__(self, request: Any) -> Any:
        if self._request_class is not None and type(request) is not self._request_class:
            data = self._serialize(request) if self._serialize else request
            request = self._request_class.FromString(data)
        response = self._channel.answer(self.path, request)
        if self._answers_as_is:
            return response
        data = response.SerializeToString()
        return self._deserialize(data) if self._deserialize else data


def _check_timeout(timeout: float | None) -> None:
    if timeout is not None and timeout <= 0:
        raise InProcessRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


class _UnaryUnary(grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    def __init__(self, method: _Method) -> None:
        self._method = method

    def __call__(self, request: Any, timeout: float | None = None, *_: Any, **__: Any) -> Any:
        _check_timeout(timeout)
        return self._method(request)

    def with_call(self, request: Any, timeout: float | None = None, *_: Any, **__: Any) -> tuple[Any, grpc.Call]:
        response = self(request, timeout)
        return response, Answered(response)

    def future(self, request: Any, timeout: float | None = None, *_: Any, **__: Any) -> Any:
        try:
            return Answered(self(request, timeout))
        except InProcessRpcError as error:
            return error


class _UnaryStream(grpc.UnaryStreamMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    def __init__(self, method: _Method) -> None:
        self._method = method

    def __call__(self, request: Any, timeout: float | None = None, *_: Any, **__: Any) -> Any:
        _check_timeout(timeout)
        return AnswerStream(self._method, iter((request,)))


class _StreamUnary(grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    """etcd's API has no method of this shape: every call is refused."""

    def __init__(self, method: _Method) -> None:
        self._method = method

    def __call__(self, request_iterator: Iterable[Any], *_: Any, **__: Any) -> Any:
        del request_iterator
        refusal = not_implemented(self._method.path, known=False)
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

    def __call__(self, request_iterator: Iterable[Any], timeout: float | None = None, *_: Any, **__: Any) -> Any:
        _check_timeout(timeout)
        return AnswerStream(self._method, iter(request_iterator))
