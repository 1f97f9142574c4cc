"""Watch streams: transcripts by the sentinel, on the fake, on the fake behind gRPC, and on a real etcd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from etcd_lockstep.target import Target
from etcd_lockstep.targets.fake import FakeServerTarget
from etcd_lockstep.targets.watching import StreamEnded, WatchSession
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
from etcd_model.results import PutResult, StreamResult, WatchCreateResult, Watched, WatchReadResult
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


class Ended:
    """A stream that the server has ended."""

    def send(self, request: pb.WatchRequest) -> None: ...

    def receive(self, timeout: float) -> pb.WatchResponse | None:  # noqa: ARG002  # it is over at once
        raise StreamEnded(Error(Code.UNAVAILABLE, "over"))

    def close(self) -> None: ...


def test_a_stream_that_the_server_ends_is_an_error_and_the_next_use_opens_another(target: Target) -> None:
    created(target, WatchCreate(b"a"))
    client = getattr(target, "_wire", None) or target._client  # type: ignore[attr-defined]  # of the fake
    client._sessions[0] = WatchSession(Ended())
    assert target.apply(WatchRead()) == Error(Code.UNAVAILABLE, "over")
    assert read(target).watches == ()
