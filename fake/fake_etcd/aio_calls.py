"""Calls on an event loop without a network: what grpc.aio's clients see of them, and what answers them sees.

All of it is for the loop's thread alone, but for `wake` and `give_up`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable
from contextlib import suppress
from typing import Any

from grpc import StatusCode, aio

from fake_etcd.calls import debug_error_string
from fake_etcd.client_codec import ClientCodec
from fake_etcd.grpc_core import Handler

_log = logging.getLogger(__name__)

Requests = AsyncIterable[Any] | Iterable[Any]

_CANCELLED = (StatusCode.CANCELLED, "Locally cancelled by application!")
_EXPIRED = (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
_MIXED = "The iterator and read/write APIs may not be mixed on a single RPC."
"""gRPC's own words."""


class InProcessCall(aio.Call):
    """One call, both ends of it."""

    _reads_ahead = False
    """Whether the client's end takes answers before anybody asks for them."""

    def __init__(self, codec: ClientCodec, metadata: Iterable[tuple[str, Any]] | None, timeout: float | None) -> None:
        self.path = codec.path
        self.metadata: Iterable[tuple[str, Any]] = tuple(metadata or ())
        self.is_finished = False
        self.handler: Handler | None = None
        self._codec = codec
        self._loop = asyncio.get_running_loop()
        self._receiver: Callable[[bytes | None], None] | None = None
        self._wanted = asyncio.Event()
        """Set while a request is waited for, and at the end."""
        self._requests: deque[bytes | None] = deque()
        self._answers: deque[bytes] = deque()
        self._sent_then: Callable[[], None] | None = None
        self._changed = asyncio.Event()
        """Set whenever there is something new for whoever waits at the client's end."""
        self._over = asyncio.Event()
        self._status: tuple[StatusCode, str] = (StatusCode.OK, "")
        self._is_cancelled_here = False
        self._is_queued = False
        self._at_end: list[Callable[[Any], None]] = []
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        if timeout is not None:
            self._deadline = self._loop.time() + timeout
            if timeout > 0:
                self._timer = self._loop.call_later(timeout, self._end_here, _EXPIRED)

    def begin(self, accept: Callable[[InProcessCall], Handler]) -> None:
        """Have the call answered, unless its time is over before."""
        if self._deadline is not None and self._timer is None:
            self._end_here(_EXPIRED)
        else:
            self.handler = accept(self)

    # For the handler

    def common_name(self) -> str:
        """There is no certificate without a network."""
        return ""

    def receive(self, then: Callable[[bytes | None], None]) -> None:
        if self._requests:
            then(self._requests.popleft())
        else:
            self._receiver = then
            self._wanted.set()

    def send(self, message: bytes, then: Callable[[], None]) -> None:
        self._answers.append(message)
        self._sent_then = then
        self._changed.set()

    def finish(self, code: StatusCode = StatusCode.OK, details: str = "", message: bytes | None = None) -> None:
        if self.is_finished:
            return
        if message is not None:
            self._answers.append(message)
        self._finish((code, details))

    def wake(self) -> None:
        if self._is_queued:
            return
        self._is_queued = True
        with suppress(RuntimeError):  # the loop is closed: nobody is there
            self._loop.call_soon_threadsafe(self._ready)

    def wake_in(self, seconds: float) -> None:
        self._loop.call_later(seconds, self.wake)

    def _ready(self) -> None:
        self._is_queued = False
        if self.handler is not None and not self.is_finished:
            self.handler.ready()

    def take_over_deadline(self) -> float | None:
        """Seconds until the call's time is over. From now on the handler ends it then, and the event loop doesn't."""
        if self._timer is not None:
            self._timer.cancel()
        return self.time_remaining()

    # For the channel

    def give_up(self, code: StatusCode, details: str) -> None:
        """End the call from any thread, and also where its loop is no more; the client learns it on its loop."""
        if self.handler is not None:
            self.handler.cancelled()
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.finish, code, details)

    # For the client

    def cancelled(self) -> bool:
        return self._over.is_set() and self._status[0] is StatusCode.CANCELLED

    def done(self) -> bool:
        return self._over.is_set()

    def time_remaining(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - self._loop.time())

    def cancel(self) -> bool:
        if self._over.is_set():
            return False
        self._is_cancelled_here = True
        self._end_here(_CANCELLED)
        return True

    def add_done_callback(self, callback: Any) -> None:
        if self._over.is_set():
            callback(self)
        else:
            self._at_end.append(callback)

    async def initial_metadata(self) -> aio.Metadata:
        return aio.Metadata()

    async def trailing_metadata(self) -> aio.Metadata:
        await self._over.wait()
        return aio.Metadata()

    async def code(self) -> StatusCode:
        await self._over.wait()
        return self._status[0]

    async def details(self) -> str:
        await self._over.wait()
        return self._status[1]

    async def debug_error_string(self) -> str:
        await self._over.wait()
        return debug_error_string(*self._status)

    async def wait_for_connection(self) -> None:
        """It is there from the start."""

    def _end_here(self, status: tuple[StatusCode, str]) -> None:
        """The client's end ends it: what has not been read is lost."""
        was_finished = self.is_finished
        self._answers.clear()
        self._finish(status)
        if self.handler is not None and not was_finished:
            self.handler.cancelled()

    def _finish(self, status: tuple[StatusCode, str]) -> None:
        self.is_finished = True
        self._status = status
        if self._timer is not None:
            self._timer.cancel()
        self._changed.set()
        self._wanted.set()
        if not self._answers or self._reads_ahead:
            self._conclude()

    def _conclude(self) -> None:
        """The status has arrived: as over a network, it does once all answers were read."""
        if self._over.is_set():
            return
        self._over.set()
        callbacks, self._at_end = self._at_end, []
        for callback in callbacks:
            callback(self)

    async def _wait(self) -> None:
        """Until something has changed. Who is cancelled here cancels the call, as with gRPC."""
        self._changed.clear()
        try:
            await self._changed.wait()
        except asyncio.CancelledError:
            self.cancel()
            raise

    async def _next(self) -> bytes | None:
        """The next answer, or None where there is none any more."""
        while not self._answers and not self.is_finished:
            await self._wait()
        if not self._answers:
            return None
        answer = self._answers.popleft()
        if self.is_finished:
            if not self._answers:
                self._conclude()
        elif self._sent_then is not None:
            then, self._sent_then = self._sent_then, None
            self._loop.call_soon(self._sent, then)
        return answer

    def _sent(self, then: Callable[[], None]) -> None:
        if not self.is_finished:
            then()

    def _raise_for_status(self) -> None:
        code, details = self._status
        if self._is_cancelled_here:
            raise asyncio.CancelledError
        if code is not StatusCode.OK:
            said = debug_error_string(code, details)
            raise aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), details=details, debug_error_string=said)


class OneRequest(InProcessCall):
    """The client says all at once."""

    def ask(self, request: Any, accept: Callable[[InProcessCall], Handler]) -> None:
        self._requests.extend((self._codec.to_bytes(request), None))
        self.begin(accept)


class ManyRequests(InProcessCall):
    """The client hands in requests as they come, by an iterator or by `write`."""

    _feeder: asyncio.Task[None] | None = None
    _is_done_writing = False

    def ask_each(self, requests: Requests | None, accept: Callable[[InProcessCall], Handler]) -> None:
        self.begin(accept)
        if requests is not None and not self.is_finished:
            feeder = self._feeder = self._loop.create_task(self._feed(requests))
            self.add_done_callback(lambda _: feeder.cancel())

    async def write(self, request: Any) -> None:
        self._check_writable()
        await self._write(self._codec.to_bytes(request))

    async def done_writing(self) -> None:
        self._check_writable()
        self._close_requests()

    def _check_writable(self) -> None:
        """An iterator of requests leaves no room for others."""
        if self._feeder is not None and not self._over.is_set():
            raise aio.UsageError(_MIXED)

    def _close_requests(self) -> None:
        if not self._is_done_writing and not self.is_finished:
            self._is_done_writing = True
            if self._receiver is None:
                self._requests.append(None)
            else:
                self._hand_in(self._receiver, None)

    async def _write(self, data: bytes) -> None:
        if self._is_done_writing:
            raise asyncio.InvalidStateError('RPC is half closed after calling "done_writing".')
        while self._receiver is None and not self.is_finished:
            await self._wanted.wait()
        if self.is_finished or self._receiver is None:
            raise asyncio.InvalidStateError("RPC already finished.")
        self._hand_in(self._receiver, data)

    def _hand_in(self, receiver: Callable[[bytes | None], None], data: bytes | None) -> None:
        self._receiver = None
        self._wanted.clear()
        receiver(data)

    async def _feed(self, requests: Requests) -> None:
        try:
            if isinstance(requests, AsyncIterable):
                async for request in requests:
                    await self._write(self._codec.to_bytes(request))
            else:
                for request in requests:
                    await self._write(self._codec.to_bytes(request))
            self._close_requests()
        except asyncio.InvalidStateError:
            return
        except Exception:
            _log.debug("Client request_iterator raised exception:", exc_info=True)  # as gRPC does
            self.cancel()


class OneAnswer(InProcessCall):
    """Awaiting the call gives its answer, as often as it is awaited."""

    _answer: bytes | None = None
    _reads_ahead = True

    def __await__(self) -> Generator[Any, None, Any]:
        return self._get().__await__()

    async def _get(self) -> Any:
        if self._answer is None and (answer := await self._next()) is not None:
            self._answer = answer
        self._raise_for_status()
        return self._codec.from_bytes(self._answer or b"")


class ManyAnswers(InProcessCall):
    """The answers are iterated over, or read one by one."""

    _is_iterated: bool | None = None
    """Or read: who has begun with one of both has to stay with it."""

    def __aiter__(self) -> AsyncIterator[Any]:
        self._take_as(iterated=True)
        return self._iterate()

    def _take_as(self, *, iterated: bool) -> None:
        if self._is_iterated not in (None, iterated):
            raise aio.UsageError(_MIXED)
        self._is_iterated = iterated

    async def _iterate(self) -> AsyncIterator[Any]:
        while (answer := await self._next()) is not None:
            yield self._codec.from_bytes(answer)
        self._raise_for_status()

    async def read(self) -> Any:
        if not self._over.is_set():
            self._take_as(iterated=False)
        answer = await self._next()
        if answer is None:
            self._raise_for_status()
            return aio.EOF  # type: ignore[attr-defined]  # not in its stubs
        return self._codec.from_bytes(answer)


class UnaryUnary(OneRequest, OneAnswer, aio.UnaryUnaryCall[Any, Any]):
    pass


class UnaryStream(OneRequest, ManyAnswers, aio.UnaryStreamCall[Any, Any]):
    pass


class StreamUnary(ManyRequests, OneAnswer, aio.StreamUnaryCall[Any, Any]):
    pass


class StreamStream(ManyRequests, ManyAnswers, aio.StreamStreamCall[Any, Any]):
    pass
