"""Watch streams of servers that are not etcd: the other side is a script."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from etcd_lockstep.targets import watching
from etcd_lockstep.targets.watching import SENTINEL_IDS, WatchSession
from etcd_model.errors import Code, Error
from etcd_model.operations import (
    WatchCancel,
    WatchCreate,
)
from etcd_model.ranges import FROM_KEY
from etcd_model.results import PutResult, Result, WatchCreateResult, Watched, WatchReadResult
from fake_etcd.wire import messages as pb

PUT, DELETE = 0, 1


class Script:
    """A stream whose other side is a function: of a request it makes the responses."""

    def __init__(self, answer: Callable[[pb.WatchRequest], Iterable[pb.WatchResponse]]) -> None:
        self._answer = answer
        self._responses: list[pb.WatchResponse] = []
        self.closed = False

    def send(self, request: pb.WatchRequest) -> None:
        self.push(*self._answer(request))

    def push(self, *responses: pb.WatchResponse) -> None:
        self._responses.extend(responses)

    def receive(self, timeout: float) -> pb.WatchResponse | None:
        if self._responses:
            return self._responses.pop(0)
        time.sleep(timeout)
        return None

    def close(self) -> None:
        self.closed = True


def reply(watch_id: int, revision: int = 1, **fields: bool) -> pb.WatchResponse:
    return pb.WatchResponse(header=pb.ResponseHeader(revision=revision), watch_id=watch_id, **fields)  # type: ignore[arg-type]  # flags


def event(revision: int, key: bytes = b"a") -> pb.Event:
    return pb.Event(kv=pb.KeyValue(key=key, mod_revision=revision, create_revision=revision, version=1))


def deletion(revision: int) -> pb.Event:
    return pb.Event(type=pb.Event.DELETE, kv=pb.KeyValue(key=b"a", mod_revision=revision))


def batch(watch_id: int, header: int, *revisions: int, fragment: bool = False) -> pb.WatchResponse:
    return pb.WatchResponse(
        header=pb.ResponseHeader(revision=header),
        watch_id=watch_id,
        events=[event(revision) for revision in revisions],
        fragment=fragment,
    )


class Server:
    """Keeps the rules of a stream, and delivers to watchers other than the sentinel what a test pushes."""

    def __init__(self, *, sentinels: bool = True, base: int = 1) -> None:
        self.revision = base
        self.stream = Script(self.answer)
        self.sentinels = sentinels
        self.session = WatchSession(self.stream, base=base)

    def answer(self, request: pb.WatchRequest) -> Iterator[pb.WatchResponse]:
        if request.HasField("create_request"):
            yield reply(request.create_request.watch_id, self.revision, created=True)
        if request.HasField("cancel_request"):
            yield reply(request.cancel_request.watch_id, self.revision, canceled=True)

    def put_sentinel(self) -> Result:
        self.revision += 1
        if self.sentinels:
            self.stream.push(batch(SENTINEL_IDS[1], self.revision, self.revision))
        return PutResult(self.revision)

    def watched(self, *responses: pb.WatchResponse) -> Watched:
        """What a watcher's transcript says after these responses."""
        self.session.create(WatchCreate(b"a"))
        self.stream.push(*responses)
        (watched,) = self.read().watches
        return watched

    def read(self) -> WatchReadResult:
        result = self.session.read(self.put_sentinel)
        assert isinstance(result, WatchReadResult), result
        return result


class NumbersFrom1(Server):
    """Picks the ids of all watchers itself."""

    last = 0

    def answer(self, request: pb.WatchRequest) -> Iterator[pb.WatchResponse]:
        if request.HasField("create_request"):
            self.last += 1
            request.create_request.watch_id = self.last
        if request.cancel_request.watch_id <= self.last:  # of an id that there is not, nothing is said
            yield from super().answer(request)

    def put_sentinel(self) -> Result:
        self.revision += 1
        self.stream.push(batch(self.last, self.revision, self.revision))
        return PutResult(self.revision)


def test_the_watchers_of_a_server_that_numbers_them_from_1_are_not_taken_for_each_other() -> None:
    server = NumbersFrom1()
    first, second = (server.session.create(WatchCreate(key)) for key in (b"a", b"b"))
    assert isinstance(first, WatchCreateResult)
    assert isinstance(second, WatchCreateResult)
    assert (first.watch_id, second.watch_id) == (1, 2)  # which is reported
    server.stream.push(batch(2, 2, 2))
    assert [(one.watch_id, len(one.events)) for one in server.read().watches] == [(0, 0), (1, 1)]


def test_an_id_that_was_asked_for_and_is_by_chance_the_one_given_hides_no_other_numbering() -> None:
    server = NumbersFrom1()
    server.session.create(WatchCreate(b"a", watch_id=1))
    server.session.create(WatchCreate(b"b"))
    server.stream.push(batch(2, 2, 2))
    assert [(one.watch_id, len(one.events)) for one in server.read().watches] == [(1, 0), (0, 1)]


def test_a_watcher_is_cancelled_under_the_id_that_the_server_has() -> None:
    server = NumbersFrom1()
    for key in (b"a", b"b"):
        server.session.create(WatchCreate(key))
    server.session.send(WatchCancel(0))
    server.session.send(WatchCancel(2))  # which is another's id on the server
    assert [bool(one.cancels) for one in server.read().watches] == [True, False]


def test_a_revision_in_one_response_is_atomic_and_in_two_is_not() -> None:
    assert Server().watched(batch(0, 3, 2, 3, 3), batch(0, 4, 4)).atomic
    assert not Server().watched(batch(0, 3, 2, 3), batch(0, 3, 3)).atomic


def test_a_fragment_may_split_a_revision_and_what_follows_the_last_one_may_not() -> None:
    assert Server().watched(batch(0, 2, 2, fragment=True), batch(0, 2, 2)).atomic
    assert not Server().watched(batch(0, 2, 2, fragment=True), batch(0, 2, 2), batch(0, 2, 2)).atomic


def test_a_header_older_than_an_event_is_noted() -> None:
    assert not Server().watched(batch(0, 3, 2, 3)).header_behind
    assert Server().watched(batch(0, 2, 2, 3)).header_behind


def test_events_after_the_cancellation_are_stray_and_so_are_those_for_nobody() -> None:
    server = Server()
    server.session.create(WatchCreate(b"a"))
    server.stream.push(reply(0, canceled=True), batch(0, 2, 2), batch(5, 2, 2))
    result = server.read()
    assert result.stray == 2
    assert result.watches[0].events == ()


def test_a_response_with_nothing_in_it_is_stray_where_nobody_asked_for_progress() -> None:
    server = Server()
    server.session.create(WatchCreate(b"a", watch_id=1))
    server.session.create(WatchCreate(b"a", watch_id=2, progress_notify=True))
    server.stream.push(reply(1, 1), reply(2, 1), reply(2, 1))
    assert server.read().stray == 1


def test_of_the_time_up_to_the_reset_only_its_own_tombstones_are_left_out() -> None:
    server = Server(base=5)
    server.session.create(WatchCreate(b"a"))
    server.stream.push(
        pb.WatchResponse(
            header=pb.ResponseHeader(revision=6),
            events=[event(0), event(4), deletion(4), event(5), deletion(5), deletion(6)],
        )
    )
    (watched,) = server.read().watches
    seen = [(event.type, event.kv.mod_revision) for event in watched.events]
    assert seen == [(PUT, 0), (PUT, 4), (DELETE, 4), (PUT, 5), (DELETE, 6)]


def test_a_response_that_has_but_tombstones_of_the_reset_is_neither_stray_nor_reported() -> None:
    server = Server(base=5)
    server.session.create(WatchCreate(b"a"))
    server.stream.push(pb.WatchResponse(header=pb.ResponseHeader(revision=5), events=[deletion(5)]))
    result = server.read()
    assert (result.stray, result.watches[0].events) == (0, ())


def test_a_watcher_may_have_the_id_of_progress_replies() -> None:
    server = Server()
    server.session.create(WatchCreate(b"a", watch_id=-1))
    server.stream.push(batch(-1, 2, 2), reply(-1, 2), reply(-1, 2, canceled=True))
    result = server.read()
    assert result.progress == (2,)
    assert [(len(watched.events), watched.cancels) for watched in result.watches] == [(1, ("",))]


def test_a_fence_that_is_not_delivered_is_an_error_and_not_the_targets_death(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SENTINEL_SECONDS", 0.05)
    server = Server(sentinels=False)
    assert server.session.read(server.put_sentinel) == Error(Code.DEADLINE_EXCEEDED, "the sentinel was not delivered")
    server.sentinels = True
    assert isinstance(server.session.read(server.put_sentinel), WatchReadResult)


def test_a_create_request_without_an_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SENTINEL_SECONDS", 0.05)
    session = WatchSession(Script(lambda _request: ()))
    assert session.create(WatchCreate(b"a")) == Error(Code.DEADLINE_EXCEEDED, "the create request was not answered")


def test_a_fence_that_may_not_be_put_is_the_answer() -> None:
    refusal = Error(Code.PERMISSION_DENIED, "etcdserver: permission denied")
    assert Server().session.read(lambda: refusal) == refusal


def test_a_watcher_that_misses_a_fence_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "GRACE_SECONDS", 0.1)
    server = Server()
    server.session.create(WatchCreate(b"\x00", FROM_KEY))
    took = []
    for _ in range(2):
        started = time.monotonic()
        server.read()
        took.append(time.monotonic() - started)
    assert took[0] >= 0.1 > took[1]


def test_a_server_without_order_between_watchers_is_given_time_to_settle() -> None:
    server = Server()
    late = [batch(0, 2, 2)]

    class Late(Script):
        def receive(self, timeout: float) -> pb.WatchResponse | None:
            response = super().receive(0)
            return response or (late.pop() if timeout == 0 and late else None)

    stream = Late(server.answer)
    server.stream = stream
    server.session = WatchSession(stream, settle=0.01)
    assert len(server.watched().events) == 1


def test_a_server_that_picks_the_fences_id_itself_is_fenced_all_the_same() -> None:
    def answer(request: pb.WatchRequest) -> Iterator[pb.WatchResponse]:
        if request.HasField("create_request"):
            yield reply(3, created=True)
        if request.HasField("cancel_request"):
            yield reply(request.cancel_request.watch_id, canceled=True)

    stream = Script(answer)

    def put_sentinel() -> Result:
        stream.push(batch(3, 2, 2))
        return PutResult(2)

    assert WatchSession(stream).read(put_sentinel) == WatchReadResult(2)
