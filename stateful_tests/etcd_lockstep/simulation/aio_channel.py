"""The asyncio channel of a simulation's client: each call stops at a gate of its own, while others go on."""

from __future__ import annotations

import asyncio
from typing import cast

import grpc

from etcd_lockstep.simulation.backends import WATCH
from etcd_lockstep.simulation.calls import Call, ClientExchange, RequestGate, WatchGate, WatchRequestGate
from etcd_lockstep.simulation.event_loop import LoopCall, SimulatedLoop
from fake_etcd.aio_calls import InProcessCall
from fake_etcd.aio_channel import AioChannel
from fake_etcd.calls import InProcessRpcError
from fake_etcd.errors import unknown_method
from fake_etcd.grpc_core import Handler
from fake_etcd.server_calls import token_of
from fake_etcd.wire.methods import METHOD, Method


def simulated_aio_channel(exchange: ClientExchange) -> AioChannel:
    """A channel of a client's. RuntimeError for a call on an event loop that is not the simulation's."""

    def answer(call: InProcessCall) -> Handler:
        exchange.check_alive()
        loop = asyncio.get_running_loop()
        if not isinstance(loop, SimulatedLoop):
            raise RuntimeError("this event loop is not the simulation's: use that of the client, or asyncio.run")
        method = METHOD.get(call.path)
        if method is None:
            refusal = unknown_method(call.path)
            return _Refused(call, refusal.code, refusal.message)
        if call.path == WATCH:
            return _Watch(exchange, loop, call, method)
        if method.server_streaming and not method.client_streaming:
            unimplemented = grpc.StatusCode.UNIMPLEMENTED
            return _Refused(call, unimplemented, f"a simulation doesn't have {call.path}")
        return _OneByOne(exchange, loop, call, method)

    return AioChannel(answer)


class _Refused:
    """It is answered at once."""

    def __init__(self, call: InProcessCall, code: grpc.StatusCode, details: str) -> None:
        call.finish(code, details)

    def cancelled(self) -> None: ...

    def ready(self) -> None: ...

    def stop(self) -> None: ...


class _Gated:
    def __init__(self, exchange: ClientExchange, loop: SimulatedLoop, call: InProcessCall, method: Method) -> None:
        self._exchange = exchange
        self._loop = loop
        self._call = call
        self._method = method
        self._token = token_of(call.metadata)
        call.receive(self._received)

    def _received(self, data: bytes | None) -> None:
        raise NotImplementedError

    def cancelled(self) -> None:
        raise NotImplementedError

    def ready(self) -> None: ...

    def stop(self) -> None: ...

    def _refuse(self, error: grpc.RpcError) -> None:
        status = cast(InProcessRpcError, error)  # as all that a store and the schedule refuse with
        self._call.finish(status.code(), status.details())


class _OneByOne(_Gated):
    """Each request has one answer: a call of that kind, or LeaseKeepAlive, in which it is like a call for each."""

    _asked: Call | None = None
    _waiting: LoopCall | None = None

    def _received(self, data: bytes | None) -> None:
        if data is None:
            self._call.finish()
            return
        asked = self._asked = Call(self._call.path, self._method.request.FromString(data), self._token)
        left = self._call.time_remaining() if self._method.client_streaming else self._call.take_over_deadline()
        deadline = None if left is None else self._loop.time() + left
        self._waiting = LoopCall(self._loop, RequestGate(asked, deadline), self._answered, self._give_up)

    def _answered(self) -> None:
        asked = self._asked
        assert asked is not None
        self._asked = self._waiting = None
        if asked.error is not None:
            self._exchange.cancel(asked)
            self._refuse(asked.error)
            return
        assert asked.pending is not None
        try:
            answer = asked.pending.answer().SerializeToString()
        except InProcessRpcError as refusal:
            self._refuse(refusal)
            return
        if self._method.client_streaming:
            self._call.send(answer, lambda: self._call.receive(self._received))
        else:
            self._call.finish(message=answer)

    def cancelled(self) -> None:
        """The client cancels it, or the time of a stream is over."""
        if self._asked is None or self._waiting is None or self._waiting.over:
            return
        self._exchange.on_given_up(self._asked, not self._call.cancelled())
        self._waiting.drop()

    def _give_up(self) -> None:
        if self._asked is not None:
            self._exchange.cancel(self._asked)


class _Watch(_Gated):
    """A stream of watchers: requests go through one by one, and so do the responses."""

    def __init__(self, exchange: ClientExchange, loop: SimulatedLoop, call: InProcessCall, method: Method) -> None:
        self._stream = exchange.open_stream(token_of(call.metadata))
        self._gates: dict[str, LoopCall] = {}
        super().__init__(exchange, loop, call, method)
        self._await_response()

    def _received(self, data: bytes | None) -> None:
        """The client's end of requests, which is None, ends nothing: etcd goes on sending events."""
        if data is not None:
            gate = WatchRequestGate(self._stream, self._method.request.FromString(data))
            self._gates["request"] = LoopCall(self._loop, gate, self._asked, lambda: None)

    def _asked(self) -> None:
        del self._gates["request"]
        self._call.receive(self._received)

    def _await_response(self) -> None:
        self._gates["response"] = LoopCall(self._loop, WatchGate(self._stream), self._responded, self._end)

    def _responded(self) -> None:
        del self._gates["response"]
        try:
            response = self._stream.take()
        except InProcessRpcError as broken:
            self._refuse(broken)
            self._drop_gates()
        else:
            self._call.send(response.SerializeToString(), self._await_response)

    def cancelled(self) -> None:
        self._drop_gates()
        self._end()

    def _drop_gates(self) -> None:
        for waiting in tuple(self._gates.values()):
            waiting.drop()
        self._gates.clear()

    def _end(self) -> None:
        self._stream.cancel()
