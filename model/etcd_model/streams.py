"""Open watch streams: their watchers, and what these were sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from etcd_model.auth.sender import NOBODY, Sender
from etcd_model.results import Event


@dataclass(frozen=True, slots=True)
class Watcher:
    """One watcher of a stream. It stays in the stream when it is cancelled, for what it was sent."""

    watch_id: int
    key: bytes
    range_end: bytes
    start_revision: int
    next_revision: int
    """The first revision of which it has not been reported."""
    filters: tuple[int, ...] = ()
    prev_kv: bool = False
    registered: bool = True
    """Whether its id is taken. A compaction that cancels the watcher does not free the id."""
    compacted: bool = False
    """Whether a compaction cancelled it."""
    owed: bool = False
    """Whether it was sent events since the last read of the stream."""
    events: tuple[Event, ...] = ()
    cancels: tuple[str, ...] = ()
    compact_revision: int = 0

    @property
    def live(self) -> bool:
        """Whether it is notified of what happens."""
        return self.registered and not self.compacted


@dataclass(frozen=True, slots=True)
class Stream:
    """One call of `Watch.Watch`."""

    sender: Sender = NOBODY
    """Who made the call, which holds for every watcher created on it."""
    watchers: tuple[Watcher, ...] = ()
    """In the order of creation, cancelled ones included, refused ones not."""
    next_id: int = 0
    """Where the search for an id begins; it never goes back (etcd server/storage/mvcc/watcher.go, Watch)."""
    progress: tuple[int, ...] = ()
    """The revisions that replies to progress requests reported."""
    catching_up: bool = False
    """Whether a watcher was created with a start in the past since the last read."""
    muted: Mapping[int, tuple[Event, ...]] = field(default_factory=dict)
    """Ids whose responses etcd holds back, and the events held back (`Quirks.watch_refusal_has_reason`)."""

    def registered(self, watch_id: int) -> Watcher | None:
        """The watcher that has this id now."""
        for watcher in self.watchers:
            if watcher.registered and watcher.watch_id == watch_id:
                return watcher
        return None
