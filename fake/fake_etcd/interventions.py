"""What rules of faults do to calls, and what the journal keeps of them. The lock is not held, unless it says so."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn, TypeVar, cast

from google.protobuf.message import Message
from grpc import StatusCode

from fake_etcd.alarms import NOSPACE
from fake_etcd.core import MEMBER_ID, Core
from fake_etcd.errors import EtcdError
from fake_etcd.exhaustive import assert_never
from fake_etcd.faults.keys import lease_of
from fake_etcd.faults.rules import Delay, Disconnect, ExpireLease, Fault, NoAnswer, NoSpace, OfCall, Refuse
from fake_etcd.waiting import Steps
from fake_etcd.wire.messages import WatchRequest
from fake_etcd.wire.methods import METHOD

_T = TypeVar("_T")

WATCH = "/etcdserverpb.Watch/Watch"


class Unanswered(EtcdError):
    """The caller is to get no answer. To one who can't wait for ever, it is as if its deadline were over."""

    def __init__(self) -> None:
        super().__init__(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


class Delayed(Exception):
    """The answer is late: in so many seconds of the engine's clock, `go_on` gives it, or raises what it raises."""

    def __init__(self, seconds: float, go_on: Callable[[], Any]) -> None:
        super().__init__(seconds)
        self.seconds = seconds
        self.go_on = go_on


def call(core: Core, path: str, request: Message, token: str, answer: Callable[[], Message]) -> Message:
    """Answer a request, or do what a rule says. Raises EtcdError, and Delayed."""
    fault = _fault_of(core, path, request)
    note = partial(_note, core, path, request, token)
    if fault is None:
        return _noted(answer, note)
    match cast(OfCall, fault.then):
        case Delay(seconds=seconds, applied=applied):
            note(fault=fault, silent=True)
            later = partial(_noted, answer, note)
            raise Delayed(seconds, _outcome_of(later) if applied else later)
        case Refuse() | Disconnect() | NoAnswer() as effect:
            error = _error(effect)
            note(_answered(answer) if effect.applied else None, error, fault=fault)
            raise error
        case ExpireLease() | NoSpace() as effect:
            _prepare(core, effect, request)
            return _noted(answer, partial(note, fault=fault))
        case never:
            assert_never(never)


def begin(core: Core, path: str, request: Message, token: str, steps: Steps, run: Callable[[Steps], _T]) -> _T:
    """The same for a call that may wait or has many answers, which `run` runs."""
    fault = _fault_of(core, path, request)
    note = partial(_note, core, path, request, token)
    if METHOD[path].server_streaming:
        note(silent=True)
    if fault is None:
        return run(_noted_steps(steps, note, None))
    match cast(OfCall, fault.then):
        case Delay(seconds=seconds):
            note(fault=fault, silent=True)
            raise Delayed(seconds, lambda: run(_noted_steps(steps, note, None)))
        case Refuse() | Disconnect() | NoAnswer() as effect:
            error = _error(effect)
            if effect.applied:
                return run(_noted_steps(steps, partial(note, fault=fault), error))
            note(None, error, fault=fault)
            raise error
        case ExpireLease() | NoSpace() as effect:
            _prepare(core, effect, request)
            return run(_noted_steps(steps, partial(note, fault=fault), None))
        case never:
            assert_never(never)


def watch_request(core: Core, stream: int, token: str, request: WatchRequest, take: Callable[[], None]) -> None:
    """Have a stream of watchers take a request, or do what a rule says; rules are about create requests alone."""
    fault = _fault_of(core, WATCH, request) if request.HasField("create_request") else None
    note = partial(_note, core, WATCH, request, token, stream=stream, fault=fault)
    match cast("OfCall | None", fault and fault.then):
        case None:
            note()
            take()
        case Delay(seconds=seconds):
            note(silent=True)
            raise Delayed(seconds, take)
        case NoAnswer(applied=applied):
            note(silent=True)
            if applied:
                take()
        case Refuse() | Disconnect() as effect:
            note(None, effect.as_error())
            raise effect.as_error()
        case ExpireLease() | NoSpace() as effect:
            _prepare(core, effect, request)
            note()
            take()
        case never:
            assert_never(never)


def _fault_of(core: Core, path: str, request: Message) -> Fault | None:
    active = core.faults.of_call(path, request) if core.faults.any_active else None
    return None if active is None else active.fault


def _error(effect: Refuse | Disconnect | NoAnswer) -> EtcdError:
    return Unanswered() if isinstance(effect, NoAnswer) else effect.as_error()


def _prepare(core: Core, effect: ExpireLease | NoSpace, request: Message) -> None:
    with core.lock:
        if isinstance(effect, NoSpace):
            core.alarms.activate(MEMBER_ID, NOSPACE)
        else:
            core.expire(lease_of(request))


def _answered(answer: Callable[[], Message]) -> Message | None:
    """What the caller doesn't get: an answer, or None where the request is refused."""
    try:
        return answer()
    except EtcdError:
        return None


def _outcome_of(answer: Callable[[], Message]) -> Callable[[], Message]:
    """The answer now, to be given later."""
    try:
        answered = answer()
    except EtcdError as refusal:
        return partial(_raise, refusal)
    return lambda: answered


def _raise(error: EtcdError) -> NoReturn:
    raise error


def _noted(answer: Callable[[], Message], note: Callable[..., None]) -> Message:
    try:
        answered = answer()
    except EtcdError as error:
        note(None, error)
        raise
    note(answered)
    return answered


def _noted_steps(steps: Steps, note: Callable[..., None], error: EtcdError | None) -> Steps:
    """The same call, whose end is noted, and is an error where one is given. The lock is held."""
    try:
        answered = yield from steps
    except EtcdError as refusal:
        note(None, refusal)
        raise
    note(answered, error)
    if error is not None:
        raise error
    return answered


def _note(
    core: Core,
    path: str,
    request: Message,
    token: str,
    answer: Message | None = None,
    error: EtcdError | None = None,
    *,
    stream: int = 0,
    fault: Fault | None = None,
    silent: bool = False,
) -> None:
    if core.journal is not None:
        unanswered = silent or isinstance(error, Unanswered)
        core.journal.note(
            core.settings.clock(),
            path,
            request,
            answer,
            None if unanswered else error,
            token=token,
            stream=stream,
            fault=fault,
            silent=unanswered,
        )
