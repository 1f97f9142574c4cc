"""gRPC's core as a server of one thread: a completion queue whose events go to whoever they are for.

`grpc.server` occupies a thread for each open stream, and `grpc.aio` costs as much as threads (docs/design.md has the
measurements). So this goes one layer below both, to what grpcio's own `grpc/_server.py` is made
of. That layer is not public, so nothing outside of this module uses it; it is the same in grpcio 1.60 and 1.85.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from heapq import heappop, heappush
from threading import Lock, get_ident
from typing import Any, Protocol

import grpc
from grpc import StatusCode
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # noqa: TID251  # see above; it has no stubs

from fake_etcd.addresses import CannotListenError
from fake_etcd.call_counts import CallCounts
from fake_etcd.grpc_handover import Handover

_log = logging.getLogger(__name__)

_REQUESTED_CALLS = 128
"""How many calls the core may hand over before it is asked for more."""

_EVENTS_A_TURN = 64
"""So many events are taken before what is ready has a turn, if there are that many."""

_READY_A_TURN = 16
"""So many of what is ready have a turn before the queue is looked at again: no request waits for a whole fan-out."""

_NO_FLAGS = 0

_NUMBER = {code: code.value[0] for code in StatusCode}

_COMMON_NAME = b"x509_common_name"


class Handler(Protocol):
    """What happens to one call. Everything is called on the server's thread."""

    def cancelled(self) -> None:
        """The client has given the call up, or the connection is gone."""

    def ready(self) -> None:
        """Somebody called `IncomingCall.wake`."""

    def stop(self) -> None:
        """The server is being stopped: the call is to be finished now, unless it will be at once."""


class IncomingCall:
    """A call of a client's, over the network."""

    __slots__ = (
        "_call",
        "_hears_of_close",
        "_is_queued",
        "_pending",
        "_received_then",
        "_sent_then",
        "_server",
        "_started",
        "handler",
        "is_finished",
        "metadata",
        "path",
    )

    def __init__(self, server: CoreServer, event: Any) -> None:
        self._server = server
        self._call = event.call
        self.path: str = event.call_details.method.decode("utf-8", "replace")
        self.metadata: Iterable[tuple[str, Any]] = event.invocation_metadata or ()
        self.handler: Handler | None = None
        self._pending = 0
        """How many batches are under way; once there is none, the call is forgotten."""
        self._hears_of_close = False
        """Whether the core was asked to say when nobody is there any more. Each thing that it says costs time, so a
        call that is answered at once asks with its answer."""
        self._started = False
        """Whether its initial metadata was sent."""
        self.is_finished = False
        """Whether its status was sent, or nobody is there to receive it."""
        self._is_queued = False

    def common_name(self) -> str:
        """Of the client's certificate; "" where it has none."""
        context = cygrpc.auth_context(self._call)
        names = [name for name in context.get(_COMMON_NAME, ()) if name]
        return names[0].decode("utf-8", "replace") if names else ""

    def receive(self, then: Callable[[bytes | None], None]) -> None:
        """Get the next message, or None where there is none any more; one at a time."""
        self._received_then = then
        self._batch((cygrpc.ReceiveMessageOperation(_NO_FLAGS),), self._received)

    def send(self, message: bytes, then: Callable[[], None]) -> None:
        """Send a message of a stream; one at a time."""
        self._sent_then = then
        operation = cygrpc.SendMessageOperation(message, _NO_FLAGS)
        self._batch((operation,) if self._started else (self._initial_metadata(), operation), self._sent)

    def finish(self, code: StatusCode = StatusCode.OK, details: str = "", message: bytes | None = None) -> None:
        """End the call, with its one answer where it has one. More than once is not heard."""
        if self.is_finished:
            return
        self.is_finished = True
        self._server.calls.handle(self.path, code)
        operations: tuple[Any, ...]
        operations = (cygrpc.SendStatusFromServerOperation(None, _NUMBER[code], details.encode(), _NO_FLAGS),)
        if message is not None:
            operations = (cygrpc.SendMessageOperation(message, _NO_FLAGS), *operations)
        if not self._started:
            operations = (self._initial_metadata(), *operations)
        if not self._hears_of_close:
            operations = (*operations, self._close())
        self._batch(operations, self._completed)

    def wake(self) -> None:
        """Call the handler's `ready` on the server's thread, soon. Any thread may call this."""
        self._server.enqueue(self)

    def wake_in(self, seconds: float) -> None:
        """The same in so many seconds; only the server's thread may call this."""
        self._server.enqueue_in(seconds, self)

    def _initial_metadata(self) -> Any:
        self._started = True
        return cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS)

    def _close(self) -> Any:
        self._hears_of_close = True
        return cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS)

    def _batch(self, operations: tuple[Any, ...], tag: Callable[[Any], None]) -> None:
        self._pending += 1
        error = self._call.start_server_batch(operations, tag)
        assert error == cygrpc.CallError.ok, error

    # Events

    def _received(self, event: Any) -> None:
        try:
            self._received_then(event.batch_operations[0].message())
        finally:
            if not self._hears_of_close:
                self._batch((self._close(),), self._closed)
            self._completed(event)

    def _sent(self, event: Any) -> None:
        try:
            if not self.is_finished:
                self._sent_then()
        finally:
            self._completed(event)

    def _closed(self, event: Any) -> None:
        try:
            if event.batch_operations[0].cancelled() and not self.is_finished:
                self.is_finished = True
                self._server.calls.handle(self.path, StatusCode.CANCELLED)
                if self.handler is not None:
                    self.handler.cancelled()
        finally:
            self._completed(event)

    def _completed(self, _event: Any) -> None:
        self._pending -= 1
        if not self._pending:
            self._server.forget(self)

    # For the server

    def queue(self) -> bool:
        """Reports whether the call was not queued yet."""
        was_queued, self._is_queued = self._is_queued, True
        return not was_queued

    def unqueue(self) -> None:
        self._is_queued = False
        if self.handler is not None and not self.is_finished:
            self.handler.ready()

    def post(self) -> None:
        """Put an event without a meaning to the queue, so that the thread looks up."""
        self._call.start_server_batch((), _nothing)


def _nothing(_event: Any) -> None:
    """An operation whose end needs no answer."""


class CoreServer:
    """A listening server. `run` is its thread's whole life; everything else may be called by any thread."""

    def __init__(
        self,
        options: tuple[tuple[str, Any], ...],
        accept: Callable[[IncomingCall], Handler],
        tick: Callable[[], None],
        tick_seconds: float,
    ) -> None:
        """`accept` is called with each call, and `tick` called every so many seconds, both on the server's thread."""
        self.calls = CallCounts()
        self._accept = accept
        self._tick = tick
        self._tick_seconds = tick_seconds
        self._queue = cygrpc.CompletionQueue()
        self._server = cygrpc.Server(options, False)
        self._server.register_completion_queue(self._queue)
        self._calls: set[IncomingCall] = set()
        self._ready: deque[IncomingCall] = deque()
        self._later: list[tuple[float, int, IncomingCall]] = []
        """A heap of calls that have a turn at a time, some of which may be over by then."""
        self._delays = 0
        self._requested = 0
        self._lock = Lock()
        """Around what other threads do to the queue, whose end must not come in between."""
        self._thread = 0
        self._is_stopping = False
        self._was_shut_down = False
        self._is_over = False

    def listen(self, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listen on `host:port`, or `unix:path`; reports the port."""
        try:
            port = self._add_port(address, credentials)
        except RuntimeError as error:
            raise CannotListenError(f"can't listen on {address}") from error
        if port == 0:
            raise CannotListenError(f"can't listen on {address}")
        return port

    def listen_for(self, handover: Handover, credentials: grpc.ServerCredentials | None = None) -> None:
        """Serve the connections that are handed over; the options must have the handover's."""
        with suppress(RuntimeError):  # there is no port, which is no failure here
            self._add_port(handover.address, credentials)
        if not handover.is_open:
            raise CannotListenError("gRPC takes no connections from others on this system, so no HTTP beside it")

    def _add_port(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        if credentials is None:
            return int(self._server.add_http2_port(address.encode()))
        return int(self._server.add_http2_port(address.encode(), credentials._credentials))  # type: ignore[attr-defined]  # as grpc/_server.py has it

    def start(self) -> None:
        """Take calls: `run` must follow, on a thread of its own."""
        self._server.start()
        for _ in range(_REQUESTED_CALLS):
            self._request_call()

    def run(self) -> None:
        """Answer calls until the server is stopped."""
        self._thread = get_ident()
        queue, ready, timed_out = self._queue, self._ready, cygrpc.CompletionType.queue_timeout
        next_tick = time.time() + self._tick_seconds
        events = 0
        while not self._is_over:
            event = queue.poll(0 if ready else min(next_tick, self._later[0][0]) if self._later else next_tick)
            events += 1
            try:
                if event.completion_type != timed_out:
                    event.tag(event)
                else:
                    events = _EVENTS_A_TURN
            except Exception:  # a call must not end the others
                _log.exception("fake-etcd: a call failed")
            del event  # or its call, if it is the last to hold it, would be kept alive by this frame
            if events >= _EVENTS_A_TURN:
                events = 0
                self._give_turns()
                now = time.time()
                while self._later and self._later[0][0] <= now:
                    self.enqueue(heappop(self._later)[2])
                if now >= next_tick or next_tick - now > self._tick_seconds:  # or the clock was set
                    next_tick = now + self._tick_seconds
                    self._guarded(self._tick)
        self._later.clear()

    def stop(self) -> None:
        """Take no more calls, and have those under way finished. `run` returns once they are."""
        with self._lock:
            if self._is_over or self._is_stopping:
                return
            self._is_stopping = True
            self._server.shutdown(self._queue, self._shut_down)
            calls = tuple(self._calls)
            self._ready.extend(calls)
            for call in calls[:1]:
                call.post()

    def cancel_all(self) -> None:
        """Cut off whatever is still under way."""
        with self._lock:
            if not self._is_over:
                self._server.cancel_all_calls()

    def enqueue(self, call: IncomingCall) -> None:
        """Give a call a turn, soon."""
        if get_ident() == self._thread:
            if call.queue():
                self._ready.append(call)
            return
        with self._lock:
            if not self._is_over and call in self._calls and call.queue():
                self._ready.append(call)
                call.post()

    def enqueue_in(self, seconds: float, call: IncomingCall) -> None:
        """The same in so many seconds. On the server's thread."""
        self._delays += 1
        heappush(self._later, (time.time() + seconds, self._delays, call))

    def forget(self, call: IncomingCall) -> None:
        """A call is over, and nothing of it is under way."""
        self._calls.discard(call)
        if self._is_stopping:
            with self._lock:
                self._end_if_done()

    def _give_turns(self) -> None:
        for _ in range(min(_READY_A_TURN, len(self._ready))):
            call = self._ready.popleft()
            if self._is_stopping and call.handler is not None and not call.is_finished:
                self._guarded(call.handler.stop)
            else:
                self._guarded(call.unqueue)

    def _request_call(self) -> None:
        self._requested += 1
        self._server.request_call(self._queue, self._queue, self._called)

    def _called(self, event: Any) -> None:
        self._requested -= 1
        if not event.success:
            with self._lock:
                self._end_if_done()
            return
        call = IncomingCall(self, event)
        self._calls.add(call)
        self.calls.start(call.path)
        if not self._is_stopping:
            self._request_call()
        try:
            call.handler = self._accept(call)
        except Exception:
            call.finish(StatusCode.INTERNAL, "fake-etcd: internal error")
            raise
        if self._is_stopping:
            call.handler.stop()

    def _shut_down(self, _event: Any) -> None:
        with self._lock:
            self._was_shut_down = True
            self._end_if_done()

    def _end_if_done(self) -> None:
        if self._was_shut_down and not self._calls and not self._requested and not self._is_over:
            self._is_over = True
            self._server.destroy()

    @staticmethod
    def _guarded(function: Callable[[], Any]) -> None:
        try:
            function()
        except Exception:
            _log.exception("fake-etcd: a call failed")
