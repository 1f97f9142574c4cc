"""A `grpc.aio` channel without a network and without a thread: an engine in this process answers on the event loop.

Clients of any make work over it, as over `InProcessChannel`. Its calls are answered as those over a network are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any
from weakref import WeakSet

import grpc
from grpc import aio

from fake_etcd.aio_calls import InProcessCall, Requests, StreamStream, StreamUnary, UnaryStream, UnaryUnary
from fake_etcd.client_codec import ClientCodec, Deserializer, Serializer
from fake_etcd.engine import Engine
from fake_etcd.grpc_core import Handler
from fake_etcd.server_calls import acceptor, by_token

_STOPPED = (grpc.StatusCode.UNAVAILABLE, "etcdserver: server stopped")

_TICK = 0.2
"""Seconds between two looks at the clock while a call is running."""


class AioChannel(aio.Channel):
    """An asyncio channel whose calls are answered in this process. A call belongs to the loop that it was made on."""

    def __init__(self, answer: Callable[[InProcessCall], Handler]) -> None:
        """`answer` begins to answer a call."""
        self._answer = answer
        self._is_closed = False
        self._running: WeakSet[InProcessCall] = WeakSet()

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> aio.UnaryUnaryMultiCallable[Any, Any]:
        return _UnaryUnary(self, ClientCodec(method, request_serializer, response_deserializer))

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> aio.UnaryStreamMultiCallable[Any, Any]:
        return _UnaryStream(self, ClientCodec(method, request_serializer, response_deserializer))

    def stream_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> aio.StreamUnaryMultiCallable[Any, Any]:
        return _StreamUnary(self, ClientCodec(method, request_serializer, response_deserializer))

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> aio.StreamStreamMultiCallable[Any, Any]:
        return _StreamStream(self, ClientCodec(method, request_serializer, response_deserializer))

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        del try_to_connect
        return grpc.ChannelConnectivity.SHUTDOWN if self._is_closed else grpc.ChannelConnectivity.READY

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """It is ready until it is closed."""
        while self.get_state() is last_observed_state:
            await asyncio.sleep(_TICK)

    async def channel_ready(self) -> None:
        """It always is."""

    async def close(self, grace: float | None = None) -> None:
        """No new calls, and an end to those that are running."""
        del grace
        self._is_closed = True
        for call in tuple(self._running):
            call.cancel()

    def shut_down(self) -> None:
        """The same from any thread, and without an event loop: to the clients, the server has stopped."""
        self._is_closed = True
        for call in tuple(self._running):
            call.give_up(*_STOPPED)

    async def __aenter__(self) -> AioChannel:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def check_open(self) -> None:
        """UsageError, as gRPC has it, where the channel is closed."""
        if self._is_closed:
            raise aio.UsageError("Channel is closed.")

    def accept(self, call: InProcessCall) -> Handler:
        """Answer a call, and know it as long as it is running, to end it when the channel is closed."""
        self._running.add(call)
        call.add_done_callback(self._running.discard)
        return self._answer(call)


class AioInProcessChannel(AioChannel):
    """An asyncio channel to an engine: `await stubs(AioInProcessChannel(Engine())).kv.Range(request)`."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(acceptor(engine, by_token, {}))
        self._engine = engine
        self._ticking_on: asyncio.AbstractEventLoop | None = None

    def accept(self, call: InProcessCall) -> Handler:
        handler = super().accept(call)
        if not call.is_finished:
            self._tick_on(asyncio.get_running_loop())
        return handler

    def _tick_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at the clock every now and then: what waits for a lease's end makes no call meanwhile."""
        if self._ticking_on is None or self._ticking_on.is_closed():
            self._ticking_on = loop
            loop.call_later(_TICK, self._tick)

    def _tick(self) -> None:
        loop, self._ticking_on = self._ticking_on, None
        if self._running and loop is not None:
            self._engine.tick()
            self._tick_on(loop)


class _Method:
    def __init__(self, channel: AioChannel, codec: ClientCodec) -> None:
        self._channel = channel
        self._codec = codec


class _UnaryUnary(_Method, aio.UnaryUnaryMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    def __call__(
        self, request: Any, timeout: float | None = None, metadata: Any = None, *_: Any, **__: Any
    ) -> UnaryUnary:
        self._channel.check_open()
        call = UnaryUnary(self._codec, metadata, timeout)
        call.ask(request, self._channel.accept)
        return call


class _UnaryStream(_Method, aio.UnaryStreamMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    def __call__(
        self, request: Any, timeout: float | None = None, metadata: Any = None, *_: Any, **__: Any
    ) -> UnaryStream:
        self._channel.check_open()
        call = UnaryStream(self._codec, metadata, timeout)
        call.ask(request, self._channel.accept)
        return call


class _StreamUnary(_Method, aio.StreamUnaryMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    def __call__(
        self,
        request_iterator: Requests | None = None,
        timeout: float | None = None,
        metadata: Any = None,
        *_: Any,
        **__: Any,
    ) -> StreamUnary:
        self._channel.check_open()
        call = StreamUnary(self._codec, metadata, timeout)
        call.ask_each(request_iterator, self._channel.accept)
        return call


class _StreamStream(_Method, aio.StreamStreamMultiCallable):  # type: ignore[type-arg]  # generic in its stubs alone
    def __call__(
        self,
        request_iterator: Requests | None = None,
        timeout: float | None = None,
        metadata: Any = None,
        *_: Any,
        **__: Any,
    ) -> StreamStream:
        self._channel.check_open()
        call = StreamStream(self._codec, metadata, timeout)
        call.ask_each(request_iterator, self._channel.accept)
        return call
