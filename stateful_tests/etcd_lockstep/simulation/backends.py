"""The store of a simulation: the fake, on the clock of the run."""

from __future__ import annotations

from typing import Any, Protocol

from google.protobuf.message import Message

from fake_etcd import Engine, EtcdError, VirtualClock
from fake_etcd.calls import InProcessRpcError
from fake_etcd.errors import unknown_method
from fake_etcd.waiting import Task as Waiting
from fake_etcd.wire import messages as pb

WATCH = "/etcdserverpb.Watch/Watch"


class Pending(Protocol):
    """A request that went through."""

    def poll(self) -> bool:
        """Whether there is an answer, or a refusal, by now."""
        ...

    def answer(self) -> Message:
        """It. Raises `grpc.RpcError` where it was refused."""
        ...

    def cancel(self) -> None:
        """Its client is gone, or has given it up."""
        ...


class Stream(Protocol):
    """A stream of `Watch.Watch`."""

    def send(self, request: Any) -> None: ...

    def poll(self) -> bool:
        """Whether there is a response to receive."""
        ...

    def receive(self) -> Any: ...

    def close(self) -> None: ...


class Backend(Protocol):
    """An empty etcd whose leases live by the run's clock."""

    def send(self, path: str, request: Message, token: str) -> Pending:
        """Let a request through."""
        ...

    def watch(self, token: str) -> Stream: ...

    def next_expiry(self) -> float | None:
        """When the next lease runs out."""
        ...

    def pass_time(self, seconds: float) -> list[int]:
        """Move the clock on, and do what is due. Returns the leases that ran out."""
        ...

    def close(self) -> None: ...


class Answered:
    """A request that was answered at once."""

    def __init__(self, answer: Message | None, error: Exception | None = None) -> None:
        self._answer = answer
        self._error = error

    def poll(self) -> bool:
        return True

    def answer(self) -> Message:
        __tracebackhide__ = True
        if self._error is not None:
            raise self._error.with_traceback(None)
        assert self._answer is not None
        return self._answer

    def cancel(self) -> None:
        """It happened."""


class FakeBackend:
    """An engine of the fake, new for each run."""

    def __init__(self, clock: VirtualClock, version: str) -> None:
        self._clock = clock
        self._engine = Engine(version, clock=clock)

    def send(self, path: str, request: Message, token: str) -> Pending:
        if path == WATCH or not self._engine.implements(path):
            return Answered(None, _refusal(unknown_method(path)))
        if self._engine.waits(path):
            return _InFake(self._engine, path, request, token)
        try:
            return Answered(self._engine.call(path, request, token))
        except EtcdError as error:
            return Answered(None, _refusal(error))

    def watch(self, token: str) -> Stream:
        return _FakeStream(self._engine, token)

    def next_expiry(self) -> float | None:
        return self._engine.next_expiry()

    def pass_time(self, seconds: float) -> list[int]:
        before = self._granted()
        self._clock.advance(seconds)
        after = set(self._granted())
        return [lease for lease in before if lease not in after]

    def _granted(self) -> list[int]:
        answer: Any = self._engine.call("/etcdserverpb.Lease/LeaseLeases", pb.LeaseLeasesRequest())
        return [status.ID for status in answer.leases]

    def close(self) -> None:
        self._engine.reset()


class _InFake:
    """A call that may wait, such as Lock."""

    def __init__(self, engine: Engine, path: str, request: Message, token: str) -> None:
        self._woken = True
        self._outcome: Answered | None = None
        self._task: Waiting = engine.task(path, request, token, self._wake)

    def _wake(self) -> None:
        self._woken = True

    def poll(self) -> bool:
        while self._woken and self._outcome is None:
            self._woken = False
            try:
                step = self._task.step()
            except EtcdError as error:
                self._outcome = Answered(None, _refusal(error))
            else:
                if step.over:
                    self._outcome = Answered(step.answer)
        return self._outcome is not None

    def answer(self) -> Message:
        assert self._outcome is not None
        return self._outcome.answer()

    def cancel(self) -> None:
        """Give it up, as a server does whose client is gone."""
        self._task.cancel()


class _FakeStream:
    def __init__(self, engine: Engine, token: str) -> None:
        self._stream = engine.watch(token)
        self._next: Any = None

    def send(self, request: Any) -> None:
        self._stream.send(request)

    def poll(self) -> bool:
        if self._next is None:
            self._next = self._stream.receive(timeout=0)
        return self._next is not None

    def receive(self) -> Any:
        response, self._next = self._next, None
        return response

    def close(self) -> None:
        self._stream.close()


def _refusal(error: EtcdError) -> InProcessRpcError:
    return InProcessRpcError(error.code, error.message)
