"""The Watch service."""

from __future__ import annotations

from dataclasses import dataclass

from etcd_model.results.kv import KeyValue


@dataclass(frozen=True, slots=True)
class WatchCreateResult:
    """The `WatchResponse` to a create request. `canceled` says that it was refused, `cancel_reason` why."""

    revision: int
    watch_id: int
    created: bool = True
    canceled: bool = False
    cancel_reason: str = ""


@dataclass(frozen=True, slots=True)
class StreamResult:
    """A message was sent on a stream, or the stream was closed: that by itself is not answered."""

    revision: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """`mvccpb.Event`. Of a DELETE, `kv` has nothing but the key and the `mod_revision`."""

    type: int
    kv: KeyValue
    prev_kv: KeyValue | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """What one watcher of a stream was sent, from its creation on."""

    watch_id: int
    events: tuple[Event, ...] = ()
    """All of them in the order of delivery, however they were spread over responses."""
    cancels: tuple[str, ...] = ()
    """The reason of each reply that said canceled; usually empty."""
    compact_revision: int = 0
    """Of the last such reply."""
    atomic: bool = True
    """Whether no revision was split over responses, but for fragments."""
    header_behind: bool = False
    """Whether a response's header reported an older revision than an event in it."""


@dataclass(frozen=True, slots=True)
class WatchReadResult:
    """What a stream delivered: its watchers in the order of their creation, those refused left out."""

    revision: int
    """After the sentinel."""
    watches: tuple[Watched, ...] = ()
    progress: tuple[int, ...] = ()
    """The revisions in the headers of the replies to progress requests."""
    stray: int = 0
    """How many responses were for no watcher of the stream, came after its cancellation, or held nothing at all for
    one that did not ask for progress."""
