"""What happens to a call from outside, by the shape of its method: it never occupies a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from google.protobuf.message import Message
from grpc import StatusCode

from fake_etcd.auth_tokens import NAMELESS, CertificateName
from fake_etcd.engine import WATCH, Engine
from fake_etcd.errors import EtcdError, internal_error
from fake_etcd.grpc_core import Handler
from fake_etcd.interventions import Delayed, Unanswered
from fake_etcd.waiting import Sleeper, Task
from fake_etcd.watch import StreamClosed
from fake_etcd.wire.methods import METHODS, Method

_STOPPED = (StatusCode.UNAVAILABLE, "etcdserver: server stopped")


class IncomingCall(Protocol):
    """A call of a client's, over the network (`grpc_core.IncomingCall`) or on an event loop (`aio_calls`)."""

    path: str
    metadata: Iterable[tuple[str, Any]]
    is_finished: bool
    """Whether its status was sent, or nobody is there to receive it."""

    def common_name(self) -> str:
        """Of the client's certificate; "" where it has none."""

    def receive(self, then: Callable[[bytes | None], None]) -> None:
        """Get the next message, or None where there is none any more; one at a time."""

    def send(self, message: bytes, then: Callable[[], None]) -> None:
        """Send a message of a stream; one at a time."""

    def finish(self, code: StatusCode = StatusCode.OK, details: str = "", message: bytes | None = None) -> None:
        """End the call, with its one answer where it has one. More than once is not heard."""

    def wake(self) -> None:
        """Call the handler's `ready`, soon. Any thread may call this."""

    def wake_in(self, seconds: float) -> None:
        """The same in so many seconds; not for any thread."""


def token_of(metadata: Iterable[tuple[str, Any]] | None) -> str:
    """The token that a call came with. etcd: server/auth/store.go AuthInfoFromCtx."""
    authorization = ""
    for key, value in metadata or ():
        if key == "token":
            return str(value)
        if key == "authorization" and not authorization:
            authorization = str(value)
    return authorization


Plain = Callable[[bytes], bytes]
"""Answers a request of a method that is not etcd's, as encoded as it came."""


def acceptor(
    engine: Engine, who: Callable[[IncomingCall], str], others: Mapping[str, Plain]
) -> Callable[[IncomingCall], Handler]:
    """What begins to answer a call; `who` makes of it what the engine takes for a token."""
    shapes = {method.path: _shape(engine, method) for method in METHODS}

    def accept(call: IncomingCall) -> Handler:
        other = others.get(call.path)
        if other is not None:
            return _Other(engine, call, who(call), other)
        return shapes.get(call.path, _Refused)(engine, call, who(call))

    return accept


def _shape(engine: Engine, method: Method) -> type[_Call]:
    if not engine.implements(method.path):
        return _Refused
    if method.path == WATCH:
        return _Watch
    if method.client_streaming:
        return _Each
    if method.server_streaming or engine.waits(method.path):
        return _Task
    return _Unary


def by_token(call: IncomingCall) -> str:
    """The token of a call."""
    return token_of(call.metadata)


def by_token_or_certificate(call: IncomingCall) -> str:
    """The token of a call or, without one, the common name of the client's certificate.

    etcd: server/etcdserver/v3_server.go AuthInfoFromCtx. What came through a gateway has the gateway's certificate.
    """
    token = token_of(call.metadata)
    if token or any(key == "grpcgateway-accept" for key, _ in call.metadata):
        return token
    return CertificateName(call.common_name() or NAMELESS)


class _Call:
    """What all have in common."""

    _delayed: Delayed | None = None
    _sleeper: Sleeper | None = None

    def __init__(self, engine: Engine, call: IncomingCall, token: str) -> None:
        self._engine = engine
        self._call = call
        self._token = token
        self._begin()

    def _begin(self) -> None:
        self._call.receive(self._received)

    def _received(self, data: bytes | None) -> None:
        """Answer a message; what goes wrong ends the call."""
        if not self._call.is_finished:
            self._attempt(lambda: self._answer(data))

    def _attempt(self, answer: Callable[[], None]) -> None:
        try:
            answer()
        except Unanswered:
            return
        except EtcdError as error:
            self._refuse(error)
        except Delayed as delayed:
            self._wait_out(delayed)
        except Exception as error:
            self._refuse(internal_error(error))
            raise

    def _answer(self, data: bytes | None) -> None:
        raise NotImplementedError

    def _deliver(self, answered: Any) -> None:
        """Go on with what the engine makes of a message."""
        raise NotImplementedError

    def _refuse(self, error: EtcdError) -> None:
        self._call.finish(error.code, error.message)

    def _wait_out(self, delayed: Delayed) -> None:
        """Go on when the engine's clock, which may go by itself, has come to it."""
        self._delayed = delayed
        self._sleeper = self._engine.wake_in(delayed.seconds, self._call.wake)
        self._call.wake_in(delayed.seconds)

    def _has_waited(self) -> bool:
        """Whether nothing is delayed, or no longer."""
        if self._delayed is None or self._sleeper is None:
            return True
        left = self._sleeper.left
        if left > 0:
            self._call.wake_in(left)
            return False
        self._sleeper.forget()
        delayed, self._delayed, self._sleeper = self._delayed, None, None
        self._attempt(lambda: self._deliver(delayed.go_on()))
        return False

    def _decode(self, data: bytes | None) -> Message:
        if data is None:
            raise EtcdError(StatusCode.UNKNOWN, "EOF")  # as gRPC for Go has it
        message: Message = self._engine.decode(self._call.path, data)
        return message

    def cancelled(self) -> None:
        """Who is given up does not go on."""
        if self._sleeper is not None:
            self._sleeper.forget()
            self._delayed = self._sleeper = None

    def ready(self) -> None:
        """Only what is late was waited for."""
        self._has_waited()

    def stop(self) -> None:
        """The call ends with the server, unless it was about to be answered."""
        self._call.finish(*_STOPPED)


class _Refused(_Call):
    """A method that isn't there: said at once, as a client may wait for an answer before it sends anything."""

    def _begin(self) -> None:
        self._refuse(self._engine.refusal(self._call.path))


class _Unary(_Call):
    """One request, one answer, at once."""

    def _answer(self, data: bytes | None) -> None:
        self._deliver(self._engine.call(self._call.path, self._decode(data), self._token))

    def _deliver(self, answered: Message) -> None:
        self._call.finish(message=answered.SerializeToString())

    def stop(self) -> None:
        """A request that is being received is answered still, unless it is delayed."""
        if self._delayed is not None:
            super().stop()


class _Other(_Unary):
    """A method that is not etcd's."""

    def __init__(self, engine: Engine, call: IncomingCall, token: str, answer: Plain) -> None:
        self._plain = answer
        super().__init__(engine, call, token)

    def _answer(self, data: bytes | None) -> None:
        try:
            answer = self._plain(data or b"")
        except EtcdError:
            raise
        except Exception as error:  # in the words of `grpc.server`
            raise EtcdError(StatusCode.UNKNOWN, f"Exception calling application: {error}") from error
        self._call.finish(message=answer)


class _Each(_Call):
    """A bidirectional method that answers request by request."""

    def _answer(self, data: bytes | None) -> None:
        if data is None:
            self._call.finish()
            return
        self._deliver(self._engine.call(self._call.path, self._decode(data), self._token))

    def _deliver(self, answered: Message) -> None:
        self._call.send(answered.SerializeToString(), self._begin)


class _Task(_Call):
    """One request, and an answer that may take its time, or many."""

    _task: Task | None = None
    _waits = False

    def _answer(self, data: bytes | None) -> None:
        if self._task is None:
            request = self._decode(data)
            self._deliver(self._engine.task(self._call.path, request, self._token, self._call.wake))

    def _deliver(self, answered: Task) -> None:
        self._task = answered
        self._step(answered)

    def _step(self, task: Task) -> None:
        try:
            step = task.step()
        except Unanswered:
            return
        except EtcdError as error:
            self._refuse(error)
            return
        except Exception as error:
            self._refuse(internal_error(error))
            raise
        self._waits = step.answer is None and not step.over
        if step.over:
            self._call.finish(message=None if step.answer is None else step.answer.SerializeToString())
        elif step.answer is not None:
            self._call.send(step.answer.SerializeToString(), self._sent)

    def _sent(self) -> None:
        if self._task is not None:
            self._step(self._task)

    def ready(self) -> None:
        if self._has_waited() and self._waits and self._task is not None:
            self._step(self._task)

    def cancelled(self) -> None:
        super().cancelled()
        if self._task is not None:
            self._task.cancel()

    def stop(self) -> None:
        self._call.finish(*_STOPPED)
        self.cancelled()


class _Watch(_Call):
    """A client that has said all that it has to say still gets what it watches."""

    _is_sending = False
    _is_receiving = True

    def _begin(self) -> None:
        self._stream = self._engine.watch(self._token, self._call.wake)
        super()._begin()

    def _answer(self, data: bytes | None) -> None:
        self._is_receiving = data is None
        if data is not None:
            self._stream.send(self._engine.decode(WATCH, data))
            self._deliver(None)

    def _deliver(self, answered: None) -> None:
        del answered
        self._receive_on()
        self.ready()

    def _receive_on(self) -> None:
        """Take requests while their answers are read, or a client that reads nothing would fill the memory."""
        if not self._is_receiving and not self._stream.is_full:
            self._is_receiving = True
            self._call.receive(self._received)

    def ready(self) -> None:
        """What is there already is sent also while a request is late."""
        self._has_waited()
        if self._is_sending or self._call.is_finished:
            return
        try:
            response = self._stream.take()
        except StreamClosed:
            self._call.finish(*_STOPPED)
            return
        if response is not None:
            self._is_sending = True
            self._call.send(response, self._sent)

    def _sent(self) -> None:
        """What is next has its turn after the requests that have come meanwhile."""
        self._is_sending = False
        self._receive_on()
        self._call.wake()

    def _refuse(self, error: EtcdError) -> None:
        super()._refuse(error)
        self._stream.close()

    def cancelled(self) -> None:
        super().cancelled()
        self._stream.close()

    def stop(self) -> None:
        self._stream.close()
        self._call.finish(*_STOPPED)
