"""One call of `Watch.Watch` as a target holds it, and the sentinel that makes its transcript definite.

Why two sentinels say that all is delivered (etcd server/storage/mvcc/watchable_store.go):

- Watchers whose start has come before the present are unsynced: a loop sends them the history every 100 ms, a batch
  of watchers at a time in no order, holding the store's lock (`syncWatchers`). Once a sentinel among them has its
  event, all that were created before it are in that batch or an earlier one.
- A put sends its event to the synced watchers, in no order, holding that lock too (`notify`). So once a sentinel among
  them has its event, every batch before it and the event of every put before it are in the stream's one queue.
- Both sentinels' puts are events themselves, for watchers whose range holds the key. Those of the last put may come
  after the sentinel's own: they are waited for.

Where the stream's token may not read the sentinel's key there is no sentinel, and time has to report.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from etcd_lockstep.codec import decode_created, decode_event, encode_watch
from etcd_lockstep.targets.watch_numbering import Numbering
from etcd_model.errors import Code, Error
from etcd_model.operations import (
    SENTINEL_KEY,
    FilterType,
    WatchCancel,
    WatchCreate,
    WatchProgress,
)
from etcd_model.ranges import FROM_KEY
from etcd_model.results import Event, PutResult, Result, StreamResult, Watched, WatchReadResult
from fake_etcd.wire import messages

SENTINEL_IDS = (2**62, 2**62 + 1)
"""The ids of the watchers that a read creates and cancels: the one that starts in the past, and the live one."""

SENTINEL_SECONDS = 5.0
"""How long a sentinel, or the reply to a create request, may take. An etcd needs 100 ms at most."""

NO_SENTINEL_SECONDS = 0.3
"""How long all that is under way is given where no sentinel is possible."""

GRACE_SECONDS = 0.5
"""How long what should follow a sentinel at once is waited for: the last put's other events, the cancel's reply."""

_PROGRESS_ID = -1
"""The watch id in a reply to a progress request. A watcher may have it as well."""


class StreamEnded(Exception):
    """The other side ended the stream."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


class Duplex(Protocol):
    """The two directions of a stream. Raises `StreamEnded`, or `TargetDied` where nobody knows what became of it."""

    def send(self, request: messages.WatchRequest) -> None: ...

    def receive(self, timeout: float) -> messages.WatchResponse | None:
        """The next response; None where none comes in so many seconds."""

    def close(self) -> None: ...


class WatchSession:
    """A stream that is open: its watchers, and what each was sent."""

    def __init__(self, duplex: Duplex, settle: float = 0.0, base: int = 0) -> None:
        """After a sentinel another `settle` seconds are waited: for servers that keep no order between watchers.

        `base` is the revision after the reset. From there a watcher may be sent the tombstones of what was deleted
        in that very revision: a compaction keeps them (since etcd 3.4.34 and 3.5.16). They are none of the sequence's
        events; whatever else is as old as that is reported.
        """
        self._duplex = duplex
        self._base = base
        self._settle = settle
        self._transcripts: list[_Transcript] = []
        self._current: dict[int, _Transcript] = {}
        """By watch id, as the server has it, the last one created with it."""
        self._numbering = Numbering()
        self._progress: list[int] = []
        self._stray = 0
        self._sentinels = set(SENTINEL_IDS)
        self._passed: set[int] = set()
        """The sentinels that have had their event."""
        self._cancelled: set[int] = set()
        """Those whose cancellation was answered."""
        self._behind = False
        """Whether a watcher was created with a start in the past since the last read."""

    def create(self, operation: WatchCreate) -> Result:
        reply = self._create(operation)
        if reply is None:
            return Error(Code.DEADLINE_EXCEEDED, "the create request was not answered")
        answer = decode_created(reply)
        if not reply.canceled:
            watch_id = self._numbering.name(operation.watch_id, reply.watch_id)
            transcript = _Transcript(watch_id, operation, self._base)
            self._transcripts.append(transcript)
            self._current[reply.watch_id] = transcript
            self._sentinels.discard(reply.watch_id)
            self._behind |= operation.start_revision != 0 and operation.start_revision <= answer.revision
        return answer

    def send(self, operation: WatchCancel | WatchProgress) -> Result:
        """What is sent on a stream and what is asked of the store take different ways to the server. So this waits for
        the reply to a later request of the stream, before which the server has done what is asked here."""
        if isinstance(operation, WatchCancel):
            operation = replace(operation, watch_id=self._numbering.raw(operation.watch_id))
        self._send(operation)
        later = self._open_sentinel(SENTINEL_IDS[1])
        if isinstance(later, Error):
            return later
        self._drop_sentinel(later)
        return StreamResult()

    def read(self, put_sentinel: Callable[[], Result]) -> Result:
        """All that was delivered, as far as the sentinel. `put_sentinel` puts `SENTINEL_KEY`: where that is refused,
        the refusal is the answer. It is an error too where the sentinel is not delivered."""
        error = self._pass_in_the_past(put_sentinel) if self._behind else None
        if error is not None:
            return error
        live = self._open_sentinel(SENTINEL_IDS[1])
        if isinstance(live, Error):
            return live
        put = put_sentinel()
        if isinstance(put, PutResult):
            error = self._await_sentinel(live)
            if error is not None:
                return error
            self._await_events_of(put)
        self._drop_sentinel(live)
        if not isinstance(put, PutResult):
            return put
        self._behind = False
        watches = tuple(transcript.watched() for transcript in self._transcripts)
        return WatchReadResult(put.revision, watches, tuple(self._progress), self._stray)

    def close(self) -> None:
        self._duplex.close()

    # Fences

    def _pass_in_the_past(self, put_sentinel: Callable[[], Result]) -> Result | None:
        """Wait until the watchers that were created in the past have caught up. Returns what went wrong."""
        put = put_sentinel()
        if not isinstance(put, PutResult):
            return put
        past = self._open_sentinel(SENTINEL_IDS[0], start_revision=put.revision)
        if isinstance(past, Error):
            return past
        error = self._await_sentinel(past)
        self._drop_sentinel(past)
        return error

    def _await_events_of(self, put: PutResult) -> None:
        """Those that the last sentinel's put causes for other watchers. Who is late once is not waited for again."""
        self._await(lambda: not any(one.owes(put.revision) for one in self._transcripts), GRACE_SECONDS)
        for transcript in self._transcripts:
            transcript.give_up_on(put.revision)
        if self._settle:
            time.sleep(self._settle)
            self._await(lambda: False, seconds=0)

    def _open_sentinel(self, watch_id: int, start_revision: int = 0) -> int | Error | None:
        """The id of the sentinel, which a server may have picked; None where it is refused."""
        reply = self._create(WatchCreate(SENTINEL_KEY, start_revision=start_revision, watch_id=watch_id))
        if reply is None:
            return Error(Code.DEADLINE_EXCEEDED, "the sentinel's create request was not answered")
        if reply.canceled:
            return None
        self._sentinels.add(reply.watch_id)
        self._passed.discard(reply.watch_id)
        return reply.watch_id

    def _await_sentinel(self, watch_id: int | None) -> Error | None:
        """Wait for the sentinel's event, or a while where there is no sentinel."""
        if watch_id is None:
            self._await(lambda: False, NO_SENTINEL_SECONDS)
        elif not self._await(lambda: watch_id in self._passed, SENTINEL_SECONDS):
            self._send(WatchCancel(watch_id))
            return Error(Code.DEADLINE_EXCEEDED, "the sentinel was not delivered")
        return None

    def _drop_sentinel(self, watch_id: int | None) -> None:
        """Cancel a sentinel, and wait for the reply: nothing of it is left for later."""
        if watch_id is not None:
            self._cancelled.discard(watch_id)
            self._send(WatchCancel(watch_id))
            self._await(lambda: watch_id in self._cancelled, GRACE_SECONDS)

    # The stream

    def _send(self, operation: WatchCreate | WatchCancel | WatchProgress) -> None:
        self._duplex.send(encode_watch(operation))

    def _create(self, operation: WatchCreate) -> messages.WatchResponse | None:
        """The reply to a create request: replies come in the order of the requests. None where there is none."""
        self._send(operation)
        end = time.monotonic() + SENTINEL_SECONDS
        while (response := self._receive(end)) is not None:
            refused = response.canceled and response.watch_id not in (*self._current, *self._sentinels)
            if response.created or refused:
                return response
            self._file(response)
        return None

    def _await(self, condition: Callable[[], bool], seconds: float) -> bool:
        """File what comes until the condition holds, and say whether it does."""
        end = time.monotonic() + seconds
        while not condition():
            response = self._receive(end)
            if response is None:
                return False
            self._file(response)
        return True

    def _receive(self, end: float) -> messages.WatchResponse | None:
        return self._duplex.receive(max(end - time.monotonic(), 0.0))

    def _file(self, response: messages.WatchResponse) -> None:
        watch_id = response.watch_id
        if watch_id in self._sentinels:
            if response.events:
                self._passed.add(watch_id)
            if response.canceled:
                self._cancelled.add(watch_id)
        elif watch_id == _PROGRESS_ID and not (response.created or response.canceled or response.events):
            self._progress.append(response.header.revision)
        elif (transcript := self._current.get(watch_id)) is None or not transcript.add(response):
            self._stray += 1


class _Transcript:
    """What one watcher was sent so far."""

    def __init__(self, watch_id: int, created: WatchCreate, base: int) -> None:
        self._watch_id = watch_id
        self._base = base
        self._created = created
        self._sees_sentinels = _covers_sentinel(created) and FilterType.NOPUT not in created.filters
        self._events: list[Event] = []
        self._cancels: list[str] = []
        self._compact_revision = 0
        self._atomic = True
        self._header_behind = False
        self._last_revision = 0
        """Of the last event."""
        self._fragment = False
        """Whether the last response announced that the next one goes on with its revision."""

    def add(self, response: messages.WatchResponse) -> bool:
        """Whether the watcher is one that may be sent this."""
        if response.created or (self._cancels and not response.canceled):
            return False
        if not (response.events or response.canceled or self._created.progress_notify):
            return False
        events = [decode_event(event) for event in response.events if not self._is_left_by_reset(event)]
        if events:
            split = events[0].kv.mod_revision == self._last_revision and not self._fragment
            self._atomic &= not split
            self._last_revision = events[-1].kv.mod_revision
            self._fragment = response.fragment
            self._header_behind |= response.header.revision < max(event.kv.mod_revision for event in events)
            self._events.extend(events)
        if response.canceled:
            self._cancels.append(response.cancel_reason)
            self._compact_revision = response.compact_revision
        return True

    def _is_left_by_reset(self, event: messages.Event) -> bool:
        return event.type == messages.Event.DELETE and event.kv.mod_revision == self._base

    def owes(self, revision: int) -> bool:
        """Whether the event of the sentinel that was put at this revision has yet to come."""
        return (
            self._sees_sentinels
            and not self._cancels
            and self._created.start_revision <= revision
            and self._last_revision < revision
        )

    def give_up_on(self, revision: int) -> None:
        """No longer expect such events, if this one has not come."""
        self._sees_sentinels &= not self.owes(revision)

    def watched(self) -> Watched:
        return Watched(
            self._watch_id,
            tuple(self._events),
            tuple(self._cancels),
            self._compact_revision,
            self._atomic,
            self._header_behind,
        )


def _covers_sentinel(created: WatchCreate) -> bool:
    """An empty key is the key of one zero byte (etcd server/etcdserver/api/v3rpc/watch.go, recvLoop)."""
    key, end = created.key or b"\x00", created.range_end
    if not end:
        return key == SENTINEL_KEY
    return key <= SENTINEL_KEY and (end == FROM_KEY or end > SENTINEL_KEY)
