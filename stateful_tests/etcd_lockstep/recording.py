"""Records a history: calls of several clients on a store that speaks etcd's wire, and the store's own account."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

import grpc

from etcd_lockstep.codec import Malformed, decode_event, encode_watch
from etcd_lockstep.histories import Account, Call, Indefinite, Outcome, Watch, WatchResponse
from etcd_lockstep.target import Target, TargetDied
from etcd_lockstep.targets.client import Client
from etcd_lockstep.targets.transport import CALL_TIMEOUT, WatchCall, definite
from etcd_model.operations import Operation, WatchCreate
from etcd_model.ranges import FROM_KEY
from etcd_model.results import Event
from fake_etcd.stubs import bind
from fake_etcd.wire import messages
from fake_etcd.wire.methods import METHOD

_RANGE = "/etcdserverpb.KV/Range"
_WATCH = "/etcdserverpb.Watch/Watch"
EVERYTHING = b"\x00"
"""The key from which on a range covers all."""


class Recorder:
    """The calls of all clients. May be used from several threads at the same time."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._lock = Lock()

    def apply(self, client: int, target: Target | Client, operation: Operation) -> Outcome:
        """Apply an operation, and record when, and what came of it. What becomes of a call whose target dies, or
        whose answer is none of etcd's, is not known."""
        outcome: Outcome
        invoked = time.monotonic_ns()
        try:
            outcome = target.apply(operation)
        except TargetDied as died:
            outcome = Indefinite(str(died))
        except Malformed as malformed:
            outcome = Indefinite(f"not an answer of etcd's: {malformed}")
        returned = time.monotonic_ns()
        with self._lock:
            self.calls.append(Call(client, operation, invoked, returned, outcome))
        return outcome


class WatchRecorder:
    """One watcher on a stream of its own, and all that it is sent."""

    def __init__(self, channel: grpc.Channel, client: int, request: WatchCreate) -> None:
        """Raises `TargetDied` where the stream ends, or where there is no answer."""
        self._client = client
        self._request = request
        self._responses: list[WatchResponse] = []
        self._invoked = time.monotonic_ns()
        self._call = WatchCall(bind(channel, METHOD[_WATCH]), ())
        self._call.send(encode_watch(request))
        created = self._call.receive(CALL_TIMEOUT)
        if created is None:
            raise TargetDied("the creation of a watch was not answered")
        self._created = created.header.revision

    def read(self, is_enough: Callable[[WatchResponse], bool], seconds: float = CALL_TIMEOUT) -> None:
        """Read responses up to the first one that is enough. Raises `TargetDied` where it doesn't come in so many
        seconds without a response."""
        while True:
            response = self._call.receive(seconds)
            if response is None:
                raise TargetDied("a watch sent no response")
            self._responses.append(_recorded(response))
            if is_enough(self._responses[-1]):
                return

    def finish(self) -> Watch:
        """Close the stream. Returns what was recorded."""
        self._call.close()
        return Watch(self._client, self._request, self._invoked, self._created, tuple(self._responses))


def _recorded(response: messages.WatchResponse) -> WatchResponse:
    return WatchResponse(
        time.monotonic_ns(),
        response.header.revision,
        tuple(map(decode_event, response.events)),
        response.fragment,
        response.canceled,
        response.compact_revision,
    )


def read_account(channel: grpc.Channel, since: int) -> Account:
    """All that was written after a revision, as a watcher of everything is sent it, up to the revision that the store
    stands at.

    Raises `TargetDied` where the store does not answer, or has compacted what was asked for.
    """
    asked = time.monotonic_ns()
    until = _revision(channel)
    if until <= since:
        return Account(asked, since, ())
    watcher = WatchRecorder(channel, -1, WatchCreate(EVERYTHING, FROM_KEY, start_revision=since + 1, prev_kv=True))

    def is_enough(response: WatchResponse) -> bool:
        if response.canceled:
            raise TargetDied(f"the account was cut off: compacted at {response.compact_revision}")
        return bool(response.events) and response.events[-1].kv.mod_revision >= until and not response.fragment

    try:
        watcher.read(is_enough)
    finally:
        watch = watcher.finish()
    events: list[Event] = [event for response in watch.responses for event in response.events]
    return Account(asked, events[-1].kv.mod_revision, tuple(events))


def _revision(channel: grpc.Channel) -> int:
    try:
        answer = bind(channel, METHOD[_RANGE])(messages.RangeRequest(key=EVERYTHING), timeout=CALL_TIMEOUT)
    except grpc.RpcError as error:
        raise TargetDied(f"the store's revision can't be read: {definite(error)}") from error
    revision: int = answer.header.revision
    return revision
