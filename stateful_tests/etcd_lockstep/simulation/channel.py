"""The gRPC channel of a simulation's client: every call stops at a gate, and the schedule says what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message

from etcd_lockstep.simulation.backends import WATCH
from etcd_lockstep.simulation.errors import ChannelClosed
from fake_etcd.calls import Answered, InProcessRpcError
from fake_etcd.errors import unknown_method
from fake_etcd.server_calls import token_of
from fake_etcd.wire.methods import METHOD

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


class Exchange(Protocol):
    """How a channel's calls reach the store."""

    def call(self, path: str, request: Message, token: str, timeout: float | None) -> Message:
        """The answer to one request. Raises `grpc.RpcError`."""
        ...

    def watch(self, requests: Iterator[Any], token: str) -> Any:
        """A stream of responses, which can be cancelled."""
        ...


class SimulatedChannel(grpc.Channel):
    """A channel of a client's, or of the simulation's own."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._closed = False
        self.watches: list[Any] = []
        """The streams of watchers that were opened on it."""

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.UnaryUnaryMultiCallable[Any, Any]:
        return _Unary(self, method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.UnaryStreamMultiCallable[Any, Any]:
        return _Refused(self, method, request_serializer, response_deserializer)

    def stream_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.StreamUnaryMultiCallable[Any, Any]:
        return _Refused(self, method, request_serializer, response_deserializer)

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.StreamStreamMultiCallable[Any, Any]:
        return _Streams(self, method, request_serializer, response_deserializer)

    def subscribe(
        self, callback: Callable[[grpc.ChannelConnectivity], None], try_to_connect: bool | None = False
    ) -> None:
        """Always ready: says so once."""
        del try_to_connect
        callback(grpc.ChannelConnectivity.READY)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        del callback

    def close(self) -> None:
        """No new calls, and an end to watches."""
        self._closed = True
        for stream in self.watches:
            stream.end(grpc.StatusCode.CANCELLED, "Channel closed!")  # gRPC's own words

    def __enter__(self) -> SimulatedChannel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def exchange(self) -> Exchange:
        """How calls reach the store, while the channel is open."""
        if self._closed:
            raise ChannelClosed("Cannot invoke RPC on closed channel!")  # gRPC's own words
        return self._exchange


class _Method:
    """One method on a channel, with its client's codec."""

    def __init__(
        self, channel: SimulatedChannel, path: str, serialize: Serializer | None, deserialize: Deserializer | None
    ) -> None:
        self.channel = channel
        self.path = path
        self._serialize = serialize
        self._deserialize = deserialize
        self._method = METHOD.get(path)

    def encode(self, request: Any) -> Any:
        """A client's request as the wire's own message."""
        if self._method is None:
            refusal = unknown_method(self.path)
            raise InProcessRpcError(refusal.code, refusal.message)
        data = self._serialize(request) if self._serialize else request
        return self._method.request.FromString(data)  # a copy: the client may go on with its own

    def decode(self, response: Message) -> Any:
        """The wire's own message as what the client wants."""
        data = response.SerializeToString()
        return self._deserialize(data) if self._deserialize else data

    def call(self, request: Any, timeout: float | None, metadata: Any) -> Any:
        __tracebackhide__ = True
        exchange = self.channel.exchange()
        return self.decode(exchange.call(self.path, self.encode(request), token_of(metadata), timeout))


class _Unary(_Method, grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None, *_: Any, **__: Any) -> Any:
        __tracebackhide__ = True
        return self.call(request, timeout, metadata)

    def with_call(
        self, request: Any, timeout: float | None = None, metadata: Any = None, *_: Any, **__: Any
    ) -> tuple[Any, grpc.Call]:
        response = self.call(request, timeout, metadata)
        return response, Answered(response)

    def future(self, request: Any, timeout: float | None = None, metadata: Any = None, *_: Any, **__: Any) -> Any:
        """Waits for the answer: what a client does between asking and taking the answer is not in the schedule."""
        try:
            return Answered(self.call(request, timeout, metadata))
        except InProcessRpcError as error:
            return error


class _Refused(_Method, grpc.UnaryStreamMultiCallable, grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    """A simulation has no calls of this shape."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise InProcessRpcError(grpc.StatusCode.UNIMPLEMENTED, f"a simulation doesn't have {self.path}")

    with_call = future = __call__


class _Streams(_Method, grpc.StreamStreamMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    def __call__(
        self, request_iterator: Iterable[Any], timeout: float | None = None, metadata: Any = None, *_: Any, **__: Any
    ) -> Any:
        token = token_of(metadata)
        if self.path == WATCH:
            stream = self.channel.exchange().watch(map(self.encode, request_iterator), token)
            self.channel.watches.append(stream)
            return _Decoded(stream, self.decode)
        return _OneByOne(self, request_iterator, timeout, metadata)


class _Call(grpc.Call):
    """What can be asked of a stream."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.OK

    def details(self) -> str:
        return ""

    def initial_metadata(self) -> tuple[Any, ...]:
        return ()

    def trailing_metadata(self) -> tuple[Any, ...]:
        return ()

    def is_active(self) -> bool:
        return True

    def time_remaining(self) -> float:
        return inf

    def add_callback(self, callback: Callable[[], None]) -> bool:
        del callback
        return False


class _OneByOne(_Call):
    """A stream in which each request has one answer, as LeaseKeepAlive's: a call each, when its answer is asked for."""

    def __init__(self, method: _Method, requests: Iterable[Any], timeout: float | None, metadata: Any) -> None:
        self._method = method
        self._requests = iter(requests)
        self._timeout = timeout
        self._metadata = metadata
        self._cancelled = False

    def __iter__(self) -> _OneByOne:
        return self

    def __next__(self) -> Any:
        if self._cancelled:
            raise InProcessRpcError(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
        return self._method.call(next(self._requests), self._timeout, self._metadata)

    def cancel(self) -> bool:
        self._cancelled = True
        return True


class _Decoded(_Call):
    """A stream of watch responses as the client wants them."""

    def __init__(self, stream: Any, decode: Callable[[Message], Any]) -> None:
        self._stream = stream
        self._decode = decode

    def __iter__(self) -> _Decoded:
        return self

    def __next__(self) -> Any:
        return self._decode(next(self._stream))

    def cancel(self) -> bool:
        self._stream.cancel()
        return True
