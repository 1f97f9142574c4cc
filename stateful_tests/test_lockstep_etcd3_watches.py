"""Watches of mocks of the etcd3 client: by callbacks and by iterators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import Queue
from types import SimpleNamespace
from typing import Any

import pytest

from canned import of
from etcd_lockstep.targets.etcd3_mock import Etcd3Mock
from etcd_lockstep.trace import RevisionAt
from etcd_model import operations as op
from etcd_model.results import Event, KeyValue, Watched, WatchReadResult

PUT, DELETE = op.Put(b"a", b"1"), op.DeleteRange(b"a")


class PutEvent(SimpleNamespace):
    pass


class DeleteEvent(SimpleNamespace):
    pass


class Watching:
    """Calls back at once."""

    def __init__(self) -> None:
        self.now, self.callbacks = 1, dict[int, tuple[str, Callable[[Any], None]]]()

    def put(self, key: str, value: str) -> Any:
        self.now += 1
        self._emit(PutEvent(key=key, value=value, mod_revision=self.now, create_revision=self.now, version=1))
        return of(header=of(revision=self.now))

    def delete(self, key: str) -> None:
        self.now += 1
        self._emit(DeleteEvent(key=key, value="", mod_revision=self.now))

    def add_watch_callback(self, key: str, callback: Callable[[Any], None], range_end: str | None = None) -> int:
        del range_end
        self.callbacks[len(self.callbacks) + 7] = key, callback
        return len(self.callbacks) + 6

    def cancel_watch(self, watch_id: int) -> None:
        self.callbacks[watch_id] = "", print

    def _emit(self, event: Any) -> None:
        for key, callback in self.callbacks.values():
            if key == event.key:
                callback(of(events=[event]))


class Iterating(Watching):
    """The same, by iterators."""

    add_watch_callback = None  # type: ignore[assignment]  # it has none

    def watch(self, key: str) -> tuple[Iterator[Any], Callable[[], None]]:
        events: Queue[Any] = Queue()
        watch_id = Watching.add_watch_callback(self, key, events.put)

        def cancel() -> None:
            self.cancel_watch(watch_id)
            events.put(None)

        return iter(events.get, None), cancel


@pytest.mark.parametrize("kind", [Watching, Iterating])
def test_a_watch_is_read_with_a_sentinel(kind: type[Watching]) -> None:
    target = Etcd3Mock(kind)
    assert {"watch_create", "watch_read", "watch_cancel", "watch_close"} <= target.capabilities
    target.reset()
    for operation in (op.WatchCreate(b"a"), op.WatchCreate(b"b", stream=1), op.WatchCreate(b"~sentinel"), PUT, DELETE):
        assert target.can_express(operation)
        target.apply(operation)
    read = target.apply(op.WatchRead())
    put = Event(0, KeyValue(b"a", b"1", 2, 2, 1))
    deleted = Event(1, KeyValue(b"a", b"", 0, 3, 0))
    sentinel = Event(0, KeyValue(b"~sentinel", b"", 4, 4, 1))
    assert read == WatchReadResult(4, (Watched(0, (put, deleted)), Watched(1, (sentinel,))))
    assert "watches.events.kv.version" not in target.not_handed_on
    assert "watches.events.kv.lease" in target.not_handed_on
    for end in (op.WatchCancel(0), op.WatchCancel(0), op.WatchCancel(9), op.WatchClose()):
        target.apply(end)
    assert target.apply(op.WatchRead()) == WatchReadResult(5)
    target.close()


class Ending(Iterating):
    """The same, and each iterator raises when it is asked for a second event."""

    def watch(self, key: str) -> tuple[Iterator[Any], Callable[[], None]]:
        events, cancel = super().watch(key)

        def first() -> Iterator[Any]:
            yield next(events)
            raise ValueError("the connection is gone")

        return first(), cancel


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_iterator_that_raises_delivers_no_more() -> None:
    target = Etcd3Mock(Ending)
    target.reset()
    for operation in (op.WatchCreate(b"a"), PUT, PUT):
        target.apply(operation)
    read = target.apply(op.WatchRead())
    assert isinstance(read, WatchReadResult)
    (watched,) = read.watches
    assert [event.kv.mod_revision for event in watched.events] == [2]
    target.close()


@pytest.mark.parametrize(
    "watch",
    [
        op.WatchCreate(b""),
        op.WatchCreate(b"a", watch_id=5),
        op.WatchCreate(b"a", prev_kv=True),
        op.WatchCreate(b"a", start_revision=RevisionAt(0)),
        op.WatchCreate(b"b", b"a"),
    ],
    ids=str,
)
def test_a_watch_that_can_not_be_compared_is_not_asked(watch: op.WatchCreate) -> None:
    assert not Etcd3Mock(Watching).can_express(watch)
    assert Etcd3Mock(Watching).can_express(op.WatchCreate(b"a", b"c"))
