"""Who watches what: every new revision goes to the watchers of its keys (etcd: mvcc/watchable_store.go)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from fake_etcd.store import FROM_KEY, Record


class Listener(Protocol):
    """What the hub knows of a stream of watchers. All of it is called with the engine's lock held."""

    def deliver(self, watcher: Watcher, records: Sequence[Record], revision: int) -> None:
        """Send a watcher the records that it wants of a new revision."""

    def tick(self, now: float) -> None:
        """Send progress to the watchers that asked for it, at this reading of the clock, in seconds."""

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

    __slots__ = ("_of_key", "_of_range", "streams")

    def __init__(self) -> None:
        self._of_key: dict[bytes, list[Watcher]] = {}
        self._of_range: list[Watcher] = []
        self.streams: dict[Listener, None] = {}

    def add(self, watcher: Watcher) -> None:
        """Send it events from now on."""
        if watcher.range_end:
            self._of_range.append(watcher)
        else:
            self._of_key.setdefault(watcher.key, []).append(watcher)

    def remove(self, watcher: Watcher) -> None:
        """Send it nothing any more."""
        if watcher.range_end:
            self._of_range.remove(watcher)
        else:
            watchers = self._of_key[watcher.key]
            watchers.remove(watcher)
            if not watchers:
                del self._of_key[watcher.key]

    def deliver(self, records: Sequence[Record]) -> None:
        """One response to each watcher that is concerned, with all that it wants of a new revision."""
        batches: dict[Watcher, list[Record]] = {}
        for record in records:
            for watcher in self._watchers_of(record.key):
                if watcher.wants(record):
                    batches.setdefault(watcher, []).append(record)
        for watcher, batch in batches.items():
            watcher.stream.deliver(watcher, batch, records[0].mod_revision)

    def _watchers_of(self, key: bytes) -> Iterable[Watcher]:
        yield from self._of_key.get(key, ())
        for watcher in self._of_range:
            if watcher.covers(key):
                yield watcher

    def tick(self, now: float) -> None:
        """Send progress to whoever asked for it and had none for long enough."""
        for stream in self.streams:
            stream.tick(now)

    def close(self) -> None:
        """Close every stream."""
        for stream in tuple(self.streams):
            stream.end()
