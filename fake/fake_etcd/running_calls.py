"""What the in-process channel's calls return while they go on: streams, and calls that wait, in gRPC's own shapes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue
from threading import Condition, Thread, Timer, current_thread
from typing import Any, NamedTuple

import grpc

from fake_etcd.calls import InProcessRpcError, debug_error_string
from fake_etcd.errors import EtcdError
from fake_etcd.waiting import Cancellation
from fake_etcd.watch import StreamClosed, WatchStream

_log = logging.getLogger(__name__)


class _Over(NamedTuple):
    """Stands behind the last answer: how the call ends."""

    code: grpc.StatusCode
    details: str


class RunningCall(grpc.Call, grpc.Future):  # type: ignore[type-arg]  # generic in its stubs alone
    """A call that goes on until somebody ends it: the client, the engine, or time."""

    def __init__(self, timeout: float | None) -> None:
        self._changed = Condition()
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._at_end: list[Callable[[], Any]] = []
        self._thread: Thread | None = None
        self._timer: Timer | None = None
        if timeout is not None:
            self._timer = Timer(timeout, self.end, (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"))
            self._timer.daemon = True

    def begin(self) -> None:
        """Start what runs besides: last of all, as the time may be over at once."""
        if self._timer is not None:
            self._timer.start()

    def _run_besides(self, function: Callable[[], None], name: str) -> None:
        self._thread = Thread(target=function, name=name, daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait so many seconds for the call's thread: it ends with the call, unless the client's requests block."""
        if self._thread is not None and self._thread is not current_thread():
            self._thread.join(max(0.0, timeout))

    def end(self, code: grpc.StatusCode, details: str = "") -> bool:
        """End the call; whoever is first decides how. False if it was over."""
        with self._changed:
            if self._code is not None:
                return False
            self._code = code
            self._details = details
            callbacks, self._at_end = self._at_end, []
            self._changed.notify_all()
        if self._timer is not None:
            self._timer.cancel()
        self._stop()
        for callback in callbacks:
            callback()
        return True

    def _stop(self) -> None:
        """Wake whoever waits for the engine; the call is over."""

    def _wait(self, timeout: float | None = None) -> grpc.StatusCode:
        with self._changed:
            if not self._changed.wait_for(lambda: self._code is not None, timeout):
                raise grpc.FutureTimeoutError
            assert self._code is not None
            return self._code

    def _error(self) -> InProcessRpcError:
        return InProcessRpcError(self._wait(), self._details)

    # grpc.Call

    def code(self) -> grpc.StatusCode:
        """Waits for the end, as gRPC does."""
        return self._wait()

    def details(self) -> str:
        self._wait()
        return self._details

    def debug_error_string(self) -> str:
        return debug_error_string(self._wait(), self._details)

    def initial_metadata(self) -> tuple[Any, ...]:
        return ()

    def trailing_metadata(self) -> tuple[Any, ...]:
        self._wait()
        return ()

    def is_active(self) -> bool:
        return self._code is None

    def time_remaining(self) -> float | None:  # type: ignore[override]  # None where there is no timeout, as in gRPC
        return None if self._timer is None else self._timer.interval

    def add_callback(self, callback: Callable[[], None]) -> bool:
        with self._changed:
            if self._code is not None:
                return False
            self._at_end.append(callback)
            return True

    def cancel(self) -> bool:
        return self.end(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")

    # grpc.Future

    def cancelled(self) -> bool:
        return self._code is grpc.StatusCode.CANCELLED

    def running(self) -> bool:
        return self._code is None

    def done(self) -> bool:
        return self._code is not None

    def result(self, timeout: float | None = None) -> Any:
        code = self._wait(timeout)
        if code is grpc.StatusCode.CANCELLED:
            raise grpc.FutureCancelledError
        if code is not grpc.StatusCode.OK:
            raise self._error()
        return self._result()

    def _result(self) -> Any:
        """What a future of this call stands for."""

    def exception(self, timeout: float | None = None) -> Exception | None:
        code = self._wait(timeout)
        if code is grpc.StatusCode.CANCELLED:
            raise grpc.FutureCancelledError
        return None if code is grpc.StatusCode.OK else self._error()

    def traceback(self, timeout: float | None = None) -> Any:
        error = self.exception(timeout)
        return None if error is None else error.__traceback__

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        if not self.add_callback(lambda: fn(self)):
            fn(self)


class WaitingCall(RunningCall):
    """The one answer to a call that may take its time."""

    def __init__(self, timeout: float | None, answer: Callable[[Cancellation], Any]) -> None:
        super().__init__(timeout)
        self._cancelled = Cancellation()
        self._answer = answer
        self._response: Any = None

    def begin(self) -> None:
        super().begin()
        self._run_besides(self._run, "fake-etcd-call")

    def answer(self) -> Any:
        """Block until it is there; however the call ends otherwise is raised as gRPC raises it, cancelling too."""
        if self._wait() is not grpc.StatusCode.OK:
            raise self._error()
        return self._response

    def _run(self) -> None:
        try:
            self._response = self._answer(self._cancelled)
        except InProcessRpcError as error:
            self.end(error.code(), error.details())
        else:
            self.end(grpc.StatusCode.OK)

    def _stop(self) -> None:
        self._cancelled.set()

    def _result(self) -> Any:
        return self._response


class _Stream(RunningCall, Iterator[Any]):
    """A call whose answers are iterated over."""

    def __init__(self, timeout: float | None, decode: Callable[[Any], Any]) -> None:
        self._decode = decode
        super().__init__(timeout)

    def __next__(self) -> Any:
        if self._code in (grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED):
            raise self._error()
        try:
            return self._decode(self._receive())
        except StreamClosed:
            if self._wait() is grpc.StatusCode.OK:
                raise StopIteration from None
            raise self._error() from None
        except InProcessRpcError as error:  # the client's own deserializer failed
            self.end(error.code(), error.details())
            raise

    def _receive(self) -> Any:
        """The next answer, or StreamClosed."""
        raise NotImplementedError


class AnswerStream(_Stream):
    """The answers that a generator of the engine's makes, on a thread of its own."""

    def __init__(
        self, timeout: float | None, decode: Callable[[Any], Any], answers: Callable[[Cancellation], Iterator[Any]]
    ) -> None:
        self._answers: SimpleQueue[Any] = SimpleQueue()
        self._cancelled = Cancellation()
        self._make_answers = answers
        super().__init__(timeout, decode)

    def begin(self) -> None:
        super().begin()
        self._run_besides(self._run, "fake-etcd-stream")

    def _run(self) -> None:
        try:
            for answer in self._make_answers(self._cancelled):
                if self._cancelled.is_set():
                    return
                self._answers.put(answer)
        except EtcdError as error:
            self._answers.put(_Over(error.code, error.message))
        except InProcessRpcError as error:  # the client's own serializer failed
            self._answers.put(_Over(error.code(), error.details()))
        except Exception:
            _request_failed(self)
        else:
            self._answers.put(_Over(grpc.StatusCode.OK, ""))

    def _stop(self) -> None:
        self._cancelled.set()
        self._answers.put(_Over(grpc.StatusCode.OK, ""))

    def _receive(self) -> Any:
        """As over a network, the call is over when its last answer was taken."""
        answer = self._answers.get()
        if isinstance(answer, _Over):
            self.end(answer.code, answer.details)
            self._answers.put(answer)  # for the next to ask
            raise StreamClosed
        return answer


class WatchCall(_Stream):
    """A call of Watch.Watch: a thread hands in the requests, as they come."""

    def __init__(
        self,
        timeout: float | None,
        decode: Callable[[Any], Any],
        stream: WatchStream,
        requests: Iterator[Any],
        patiently: Callable[[Callable[[], None]], None],
    ) -> None:
        """`patiently` calls a function that hands in a request, and waits where a rule delays it."""
        self._patiently = patiently
        self._stream = stream
        self._requests = requests
        super().__init__(timeout, decode)

    def begin(self) -> None:
        super().begin()
        self._run_besides(self._feed, "fake-etcd-watch")

    def _feed(self) -> None:
        """The end of the requests is not the end of the stream."""
        try:
            for request in self._requests:
                self._patiently(partial(self._stream.send, request))
        except StreamClosed:
            pass
        except EtcdError as error:
            self.end(error.code, error.message)
        except InProcessRpcError as error:  # the client's own serializer failed
            self.end(error.code(), error.details())
        except Exception:
            _request_failed(self)

    def _stop(self) -> None:
        self._stream.close()

    def _receive(self) -> Any:
        try:
            return self._stream.receive()
        except StreamClosed:
            self.end(grpc.StatusCode.UNAVAILABLE, "etcdserver: server stopped")  # unless it was the client
            raise


def _request_failed(call: RunningCall) -> None:
    """gRPC's words, and its log, where the client's own requests raise."""
    _log.exception("Exception iterating requests!")
    call.end(grpc.StatusCode.UNKNOWN, "Exception iterating requests!")
