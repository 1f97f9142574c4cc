"""The Watch service. A stream is one call of `Watch.Watch`; sequences number theirs, and the first use opens one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from etcd_model.operations.shown import Shown

SENTINEL_KEY = b"~sentinel"
"""The key that a `WatchRead` writes."""


class FilterType(IntEnum):
    """`WatchCreateRequest.FilterType`."""

    NOPUT = 0
    NODELETE = 1


@dataclass(frozen=True, slots=True)
class WatchCreate(Shown):
    """A `WatchCreateRequest`, and the reply to it. `watch_id` 0 lets the server pick one."""

    key: bytes
    range_end: bytes = b""
    start_revision: int = 0
    progress_notify: bool = False
    filters: tuple[int, ...] = ()
    prev_kv: bool = False
    watch_id: int = 0
    fragment: bool = False
    stream: int = 0


@dataclass(frozen=True, slots=True)
class WatchCancel(Shown):
    """A `WatchCancelRequest`. Whether there is a reply is reported by the next `WatchRead`."""

    watch_id: int
    stream: int = 0


@dataclass(frozen=True, slots=True)
class WatchProgress(Shown):
    """A `WatchProgressRequest`. Whether there is a reply is reported by the next `WatchRead`."""

    stream: int = 0


@dataclass(frozen=True, slots=True)
class WatchRead(Shown):
    """Not a request: all that a stream has delivered since it was opened.

    A sentinel makes that a definite answer: `SENTINEL_KEY` is put, and what comes before the event of that put, to a
    watcher made for it on the same stream, has been delivered. Where a watcher of the stream was created with a
    start in the past since the last read, a watcher with a start in the past is fenced too, before, with a put
    of its own: so a read writes one revision, or two.
    """

    stream: int = 0


@dataclass(frozen=True, slots=True)
class WatchClose(Shown):
    """Not a request: the stream is closed. Its next use opens a new one."""

    stream: int = 0
