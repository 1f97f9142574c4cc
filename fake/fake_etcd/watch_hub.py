"""Who watches what: every new revision goes to the watchers of its keys (etcd: mvcc/watchable_store.go)."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Protocol, TypeVar

from fake_etcd.store import FROM_KEY, Record, Store
from fake_etcd.watch_events import EventEncoder

_SLACK = 64
"""How many entries the queue of ticks may have beyond twice the streams, before what is stale goes."""


class Listener(Protocol):
    """What the hub knows of a stream of watchers. All of it is called with the engine's lock held."""

    def deliver(self, watcher: Watcher, records: tuple[Record, ...], encoder: EventEncoder) -> None:
        """Send a watcher the records that it wants of a new revision, which is the encoder's."""

    def tick(self, now: float) -> float:
        """Send progress to the watchers that asked for it, at this reading of the clock, in seconds.

        Reports at what reading it wants to be asked again.
        """

    def end(self) -> None:
        """Close the stream: the hub is closed, or the state was reset."""


class Watcher:
    """One watcher of a stream."""

    __slots__ = (
        "compacted",
        "drops_deletes",
        "drops_puts",
        "fragment",
        "id",
        "idle",
        "key",
        "prev_kv",
        "progress_notify",
        "range_end",
        "start_revision",
        "stream",
    )

    def __init__(self, stream: Listener, id: int, key: bytes, range_end: bytes, start_revision: int) -> None:
        self.stream = stream
        self.id = id
        self.key = key
        self.range_end = range_end
        self.start_revision = start_revision
        """As it was asked for; 0: whatever comes."""
        self.drops_puts = False
        self.drops_deletes = False
        self.prev_kv = False
        self.fragment = False
        self.progress_notify = False
        self.idle = True
        """No events since the last tick of progress."""
        self.compacted = False
        """Cancelled by compaction: it gets nothing any more, and its id stays taken."""

    def wants(self, record: Record) -> bool:
        """Whether the filters let a record through, and it is not before the start."""
        if record.mod_revision < self.start_revision:
            return False
        return not (self.drops_puts if record.version else self.drops_deletes)

    def covers(self, key: bytes) -> bool:
        """Whether a key is in the watched range."""
        if not self.range_end:
            return key == self.key
        return key >= self.key and (self.range_end == FROM_KEY or key < self.range_end)


class WatchHub:
    """Every watcher of every stream, by what it watches; and the open streams."""

    __slots__ = ("_of_key", "_of_range", "_opened", "_ticks", "streams")

    def __init__(self) -> None:
        self._of_key: dict[bytes, dict[Watcher, None]] = {}
        self._of_range: dict[tuple[bytes, bytes], dict[Watcher, None]] = {}
        self._ticks: list[tuple[float, int, Listener]] = []
        """A heap of the streams that want to be asked for progress, by when; some are closed by now."""
        self._opened = 0
        self.streams: dict[Listener, None] = {}

    def open(self, stream: Listener, first_tick: float = inf) -> None:
        """Know a stream, to end it at a reset, and ask it for progress from a reading of the clock on."""
        self.streams[stream] = None
        self._opened += 1
        if first_tick < inf:
            if len(self._ticks) > 2 * len(self.streams) + _SLACK:
                self._ticks = [entry for entry in self._ticks if entry[2] in self.streams]
                heapify(self._ticks)
            heappush(self._ticks, (first_tick, self._opened, stream))

    def forget(self, stream: Listener) -> None:
        """A stream is closed."""
        self.streams.pop(stream, None)

    def add(self, watcher: Watcher) -> None:
        """Send it events from now on."""
        if watcher.range_end:
            self._of_range.setdefault((watcher.key, watcher.range_end), {})[watcher] = None
        else:
            self._of_key.setdefault(watcher.key, {})[watcher] = None

    def remove(self, watcher: Watcher) -> None:
        """Send it nothing any more."""
        if watcher.range_end:
            _remove(self._of_range, (watcher.key, watcher.range_end), watcher)
        else:
            _remove(self._of_key, watcher.key, watcher)

    def deliver(self, store: Store, records: tuple[Record, ...]) -> None:
        """One response to each watcher that is concerned, with all that it wants of a new revision."""
        batches: dict[Watcher, list[Record]] = {}
        for record in records:
            for watcher in self._watchers_of(record.key):
                if watcher.wants(record):
                    batches.setdefault(watcher, []).append(record)
        if not batches:
            return
        encoder = EventEncoder(store, records[0].mod_revision)
        for watcher, batch in batches.items():
            watcher.stream.deliver(watcher, records if len(batch) == len(records) else tuple(batch), encoder)

    def _watchers_of(self, key: bytes) -> Iterable[Watcher]:
        yield from self._of_key.get(key, ())
        for (first, range_end), watchers in self._of_range.items():
            if key >= first and (key < range_end or range_end == FROM_KEY):
                yield from watchers

    def tick(self, now: float) -> None:
        """Ask the streams whose time has come for progress."""
        ticks = self._ticks
        while ticks and ticks[0][0] <= now:
            _, place, stream = heappop(ticks)
            if stream in self.streams:
                heappush(ticks, (stream.tick(now), place, stream))

    def close(self) -> None:
        """Close every stream."""
        for stream in tuple(self.streams):
            stream.end()


_Key = TypeVar("_Key")


def _remove(watchers: dict[_Key, dict[Watcher, None]], key: _Key, watcher: Watcher) -> None:
    of_key = watchers[key]
    del of_key[watcher]
    if not of_key:
        del watchers[key]
