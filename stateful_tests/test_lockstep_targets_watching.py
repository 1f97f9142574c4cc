"""Watch streams: transcripts by the sentinel, on the fake, on the fake behind gRPC, and on a real etcd; and by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from etcd_lockstep.target import Target
from etcd_lockstep.targets import watching
from etcd_lockstep.targets.fake import FakeServerTarget
from etcd_lockstep.targets.watching import SENTINEL_IDS, StreamEnded, WatchSession
from etcd_model.errors import Code, Error
from etcd_model.operations import (
    SENTINEL_KEY,
    Compact,
    DeleteRange,
    FilterType,
    Put,
    Txn,
    WatchCancel,
    WatchClose,
    WatchCreate,
    WatchProgress,
    WatchRead,
)
from etcd_model.ranges import FROM_KEY
from etcd_model.results import PutResult, Result, StreamResult, WatchCreateResult, Watched, WatchReadResult
from fake_etcd.wire import messages as pb


@pytest.fixture(params=["fake", "fake-server", "etcd"])
def target(request: pytest.FixtureRequest, etcd_version: str, min_lease_ttl: int) -> Iterator[Target]:
    if request.param != "fake-server":
        yield request.getfixturevalue("real" if request.param == "etcd" else "fake")
        return
    served = FakeServerTarget(etcd_version, min_lease_ttl)
    served.reset()
    yield served
    served.close()


def read(target: Target, stream: int = 0) -> WatchReadResult:
    result = target.apply(WatchRead(stream))
    assert isinstance(result, WatchReadResult), result
    return result


def created(target: Target, operation: WatchCreate) -> WatchCreateResult:
    result = target.apply(operation)
    assert isinstance(result, WatchCreateResult), result
    return result


def put(target: Target, key: bytes, value: bytes = b"") -> int:
    result = target.apply(Put(key, value))
    assert isinstance(result, PutResult), result
    return result.revision


def reported(watched: Watched) -> list[tuple[int, bytes, bytes]]:
    """The type, key and value of each event."""
    return [(event.type, event.kv.key, event.kv.value) for event in watched.events]


PUT, DELETE = 0, 1


def test_a_live_watcher_is_notified_of_what_happens_in_its_range(target: Target) -> None:
    reply = created(target, WatchCreate(b"a", b"c"))
    assert (reply.watch_id, reply.created, reply.canceled) == (0, True, False)
    put(target, b"a", b"1")
    put(target, b"c", b"2")
    target.apply(Txn(success=(Put(b"b", b"3"), DeleteRange(b"a"))))
    result = read(target)
    (watched,) = result.watches
    assert reported(watched) == [(PUT, b"a", b"1"), (PUT, b"b", b"3"), (DELETE, b"a", b"")]
    assert watched.atomic
    assert not watched.header_behind
    assert (watched.cancels, result.stray, result.progress) == ((), 0, ())


def test_the_revision_of_a_read_is_that_of_its_fence(target: Target) -> None:
    before = put(target, b"a")
    assert read(target).revision == before + 1
    assert read(target).revision == before + 2
    assert put(target, b"a") == before + 3


def test_a_watcher_from_the_past_is_reported_the_history_and_costs_a_second_fence(target: Target) -> None:
    first = put(target, b"a", b"1")
    put(target, b"a", b"2")
    created(target, WatchCreate(b"a", start_revision=first))
    last = put(target, b"a", b"3")
    result = read(target)
    (watched,) = result.watches
    assert reported(watched) == [(PUT, b"a", b"1"), (PUT, b"a", b"2"), (PUT, b"a", b"3")]
    assert result.revision == last + 2
    assert read(target).revision == last + 3


def test_a_watcher_from_the_future_costs_one_fence_and_is_reported_what_comes_then(target: Target) -> None:
    last = put(target, b"a", b"1")
    created(target, WatchCreate(b"a", start_revision=last + 2))
    assert read(target).revision == last + 1
    put(target, b"a", b"2")
    (watched,) = read(target).watches
    assert reported(watched) == [(PUT, b"a", b"2")]


def test_a_watcher_of_all_keys_sees_the_fences_themselves(target: Target) -> None:
    first = put(target, b"a", b"1")
    created(target, WatchCreate(b"\x00", FROM_KEY, start_revision=first))
    created(target, WatchCreate(b"\x00", FROM_KEY))
    created(target, WatchCreate(b"\x00", FROM_KEY, filters=(FilterType.NOPUT,)))
    sentinel = (PUT, SENTINEL_KEY, b"")
    for sentinels in (2, 3, 4):
        past, live, deletes = read(target).watches
        assert reported(past) == [(PUT, b"a", b"1"), *[sentinel] * sentinels]
        assert reported(live) == [sentinel] * sentinels
        assert reported(deletes) == []


def test_many_watchers_of_all_keys_all_see_every_fence(target: Target) -> None:
    for _ in range(20):
        created(target, WatchCreate(b"\x00", FROM_KEY))
    for sentinels in range(1, 11):
        assert [len(watched.events) for watched in read(target).watches] == [sentinels] * 20


def test_a_read_reports_all_since_the_stream_was_opened(target: Target) -> None:
    created(target, WatchCreate(b"a"))
    put(target, b"a", b"1")
    before = read(target).watches
    assert read(target).watches == before
    put(target, b"a", b"2")
    assert [reported(watched) for watched in read(target).watches] == [[(PUT, b"a", b"1"), (PUT, b"a", b"2")]]


def test_a_cancelled_watcher_keeps_what_it_was_reported_and_its_id_may_be_taken_again(target: Target) -> None:
    created(target, WatchCreate(b"a", watch_id=7))
    put(target, b"a", b"1")
    read(target)
    assert target.apply(WatchCancel(7)) == StreamResult()
    put(target, b"a", b"2")
    assert [watched.cancels for watched in read(target).watches] == [("",)]
    created(target, WatchCreate(b"a", watch_id=7))
    put(target, b"a", b"3")
    first, second = read(target).watches
    assert (first.watch_id, reported(first), first.cancels) == (7, [(PUT, b"a", b"1")], ("",))
    assert (second.watch_id, reported(second), second.cancels) == (7, [(PUT, b"a", b"3")], ())


def test_a_watcher_from_before_the_compaction_is_cancelled_with_its_revision(target: Target) -> None:
    first = put(target, b"a", b"1")
    last = put(target, b"a", b"2")
    target.apply(Compact(last))
    created(target, WatchCreate(b"a", start_revision=first))
    (watched,) = read(target).watches
    assert (watched.events, watched.cancels, watched.compact_revision) == ((), ("",), last)
    target.apply(WatchCancel(0))
    (watched,) = read(target).watches
    assert watched.cancels == ("", "")


def test_a_refused_watcher_is_answered_and_left_out(target: Target) -> None:
    reply = created(target, WatchCreate(b"b", b"a"))
    assert (reply.watch_id, reply.canceled, reply.cancel_reason) == (-1, True, "mvcc: watcher range is empty")
    created(target, WatchCreate(b"a", watch_id=1))
    assert created(target, WatchCreate(b"b", watch_id=1)).canceled
    assert [watched.watch_id for watched in read(target).watches] == [1]


def test_progress_is_reported_with_the_revision_at_which_it_was_asked(target: Target) -> None:
    created(target, WatchCreate(b"a"))
    asked_at = read(target).revision
    assert target.apply(WatchProgress()) == StreamResult()
    assert read(target).progress == (asked_at,)
    assert read(target).progress == (asked_at,)


def test_a_cancelled_unknown_watcher_is_nothing(target: Target) -> None:
    target.apply(WatchCancel(5))
    result = read(target)
    assert (result.watches, result.stray) == ((), 0)


def test_streams_are_apart_and_a_closed_one_is_forgotten(target: Target) -> None:
    created(target, WatchCreate(b"a", stream=1))
    created(target, WatchCreate(b"b", stream=2))
    put(target, b"a", b"1")
    assert [reported(watched) for watched in read(target, 1).watches] == [[(PUT, b"a", b"1")]]
    assert [reported(watched) for watched in read(target, 2).watches] == [[]]
    assert target.apply(WatchClose(1)) == StreamResult()
    assert read(target, 1).watches == ()
    assert len(read(target, 2).watches) == 1


def test_a_reset_closes_every_stream(target: Target) -> None:
    created(target, WatchCreate(b"a"))
    target.reset()
    assert read(target).watches == ()
    assert created(target, WatchCreate(b"a")).watch_id == 0


def test_auto_ids_are_those_of_a_stream_without_fences(target: Target) -> None:
    for expected in range(4):
        assert created(target, WatchCreate(b"a")).watch_id == expected
        read(target)


def test_what_a_reset_deleted_is_nothing_that_a_watcher_is_notified_of(target: Target) -> None:
    put(target, b"a")
    base = target.reset()
    assert base is not None
    created(target, WatchCreate(b"a", start_revision=base))
    put(target, b"a", b"1")
    (watched,) = read(target).watches
    assert reported(watched) == [(PUT, b"a", b"1")]


def test_a_cancellation_is_done_before_the_next_put(target: Target) -> None:
    for number in range(1, 51):
        created(target, WatchCreate(b"a", watch_id=number))
        target.apply(WatchCancel(number))
        put(target, b"a")
    assert [(len(watched.events), watched.cancels) for watched in read(target).watches] == [(0, ("",))] * 50


def test_progress_is_asked_before_the_next_put(target: Target) -> None:
    created(target, WatchCreate(b"a"))
    asked_at = []
    for _ in range(50):
        target.apply(WatchProgress())
        asked_at.append(put(target, b"b") - 1)
    assert read(target).progress == tuple(asked_at)


# By hand: streams of servers that are not etcd


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


def test_a_stream_that_the_server_ends_is_an_error_and_the_next_use_opens_another(target: Target) -> None:
    class Ended(Script):
        def receive(self, timeout: float) -> pb.WatchResponse | None:  # noqa: ARG002  # it is over at once
            raise StreamEnded(Error(Code.UNAVAILABLE, "over"))

    created(target, WatchCreate(b"a"))
    client = getattr(target, "_wire", None) or target._client  # type: ignore[attr-defined]  # of the fake
    client._sessions[0] = WatchSession(Ended(lambda _request: ()))
    assert target.apply(WatchRead()) == Error(Code.UNAVAILABLE, "over")
    assert read(target).watches == ()
