"""The gates of RPCs: where a request waits to be let through, an answer to be delivered, and a watch for events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import grpc
from google.protobuf.message import Message

from etcd_lockstep.simulation.backends import Backend, Pending, Stream
from etcd_lockstep.simulation.errors import InjectedError, deadline_exceeded, dropped
from etcd_lockstep.simulation.scheduler import Gate, Scheduler
from fake_etcd.calls import InProcessRpcError

Suspended = Callable[[], AbstractContextManager[None]]
"""Gives the thread what is real for a while: see `patches`."""


class Call:
    """An RPC of a client's."""

    def __init__(self, path: str, request: Message, token: str) -> None:
        self.path = path
        self.request = request
        self.token = token
        self.pending: Pending | None = None
        self.error: InjectedError | None = None
        self.row: int | None = None
        """Where the journal has its request."""


class RequestGate(Gate):
    """A request that was not let through yet."""

    def __init__(self, call: Call, deadline: float | None) -> None:
        super().__init__(f"{call.path} to be let through", lambda: True)
        self.call = call
        self.deadline = deadline

    def let_through(self, backend: Backend) -> AnswerGate:
        """To the store. The client stands at its answer from now on."""
        self.call.pending = backend.send(self.call.path, self.call.request, self.call.token)
        return AnswerGate(self.call, self.deadline)


class AnswerGate(Gate):
    """An answer that was not delivered yet; a call that waits in etcd has none yet."""

    def __init__(self, call: Call, deadline: float | None) -> None:
        assert call.pending is not None
        super().__init__(f"the answer of {call.path}", call.pending.poll, deadline)
        self.call = call


class WatchRequestGate(Gate):
    """A request on a stream of watchers."""

    def __init__(self, stream: WatchedStream, request: Any) -> None:
        super().__init__("its watch to be asked for", lambda: True)
        self.stream = stream
        self.request = request


class WatchGate(Gate):
    """A reader of a stream of watchers."""

    def __init__(self, stream: WatchedStream) -> None:
        super().__init__("an event of its watch", stream.is_readable)
        self.stream = stream


class ClientExchange:
    """How a client's calls reach the store: by the gates."""

    def __init__(
        self,
        scheduler: Scheduler,
        backend: Backend,
        suspended: Suspended,
        on_given_up: Callable[[Call, bool], None],
    ) -> None:
        """`on_given_up` is called with each call that a client gives up, and whether its deadline has passed."""
        self._scheduler = scheduler
        self._backend = backend
        self._suspended = suspended
        self.on_given_up = on_given_up
        self._streams: list[WatchedStream] = []

    def check_alive(self) -> None:
        """Raises `Crashed`."""
        self._scheduler.check_alive()

    def call(self, path: str, request: Message, token: str, timeout: float | None) -> Message:
        """Raises what the store refuses, `InjectedError`, and `Crashed`."""
        __tracebackhide__ = True
        if timeout is not None and timeout <= 0:
            raise deadline_exceeded()
        call = Call(path, request, token)
        deadline = None if timeout is None else self._scheduler.clock() + timeout
        delivered = False
        try:
            self._scheduler.wait(RequestGate(call, deadline))
            if call.error is not None:
                raise call.error
            assert call.pending is not None
            delivered = True
            return call.pending.answer()
        finally:
            if not delivered:
                self.cancel(call)

    def cancel(self, call: Call) -> None:
        """Nobody waits for its answer any more."""
        if call.pending is not None:
            with self._suspended():
                call.pending.cancel()

    def open_stream(self, token: str) -> WatchedStream:
        """A stream of watchers that wasn't asked for anything yet."""
        with self._suspended():
            stream = WatchedStream(self._scheduler, self._backend.watch(token), self._suspended)
        self._streams.append(stream)
        return stream

    def watch(self, requests: Iterator[Any], token: str) -> WatchedStream:
        stream = self.open_stream(token)
        threading.Thread(target=stream.ask, args=(requests,), name="watch requests", daemon=True).start()
        return stream

    def close(self) -> None:
        """The client is gone, and its streams with it."""
        for stream in self._streams:
            stream.end(grpc.StatusCode.CANCELLED, "Channel closed!")


class WatchedStream:
    """A stream of `Watch.Watch` of a client's: an iterator of responses."""

    def __init__(self, scheduler: Scheduler, stream: Stream, suspended: Suspended) -> None:
        self._scheduler = scheduler
        self._stream = stream
        self._suspended = suspended
        self._ended: grpc.RpcError | None = None
        self._next: Any = None

    def ask(self, requests: Iterator[Any]) -> None:
        """Send the client's requests, from a thread of its own, as gRPC does."""
        for request in requests:
            if self._ended is not None:
                return
            self._scheduler.wait(WatchRequestGate(self, request))

    def send(self, request: Any) -> None:
        """For the simulation: let one of them through."""
        if self._ended is None:
            self._stream.send(request)

    def is_readable(self) -> bool:
        return self._ended is not None or self.peek() is not None

    def peek(self) -> Any:
        """For the simulation: the response that is delivered next, if one is there."""
        if self._ended is not None:
            return None
        if self._next is None and self._stream.poll():
            self._next = self._stream.receive()
        return self._next

    def drop(self) -> None:
        """Break it."""
        self._end(dropped("watch stream"))

    def end(self, code: grpc.StatusCode, details: str) -> None:
        self._end(InProcessRpcError(code, details))

    def _end(self, error: grpc.RpcError) -> None:
        if self._ended is None:
            self._ended = error
            with self._suspended():
                self._stream.close()

    def __iter__(self) -> WatchedStream:
        return self

    def __next__(self) -> Any:
        self._scheduler.wait(WatchGate(self))
        return self.take()

    def take(self) -> Any:
        """What is there for the client. Raises `grpc.RpcError` where the stream is over."""
        if self._ended is not None:
            raise self._ended
        response, self._next = self._next, None
        return response

    def cancel(self) -> None:
        self.end(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")


class DirectExchange:
    """How the simulation's own calls reach the store, in the set-up and in invariants: at once.

    A client that uses a channel of the set-up's goes by its own gates all the same.
    """

    def __init__(self, backend: Backend, suspended: Suspended, of_client: Callable[[], ClientExchange | None]) -> None:
        """`of_client` knows the exchange of the client whose thread asks, if it is a client's."""
        self._backend = backend
        self._suspended = suspended
        self._of_client = of_client

    def call(self, path: str, request: Message, token: str, timeout: float | None) -> Message:
        if (exchange := self._of_client()) is not None:
            return exchange.call(path, request, token, timeout)
        with self._suspended():
            pending = self._backend.send(path, request, token)
            if not pending.poll():
                pending.cancel()
                raise deadline_exceeded()
            return pending.answer()

    def watch(self, requests: Iterator[Any], token: str) -> Any:
        if (exchange := self._of_client()) is not None:
            return exchange.watch(requests, token)
        raise InProcessRpcError(grpc.StatusCode.UNIMPLEMENTED, "a set-up and an invariant don't watch: a client can")
