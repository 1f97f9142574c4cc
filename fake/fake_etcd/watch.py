"""A stream of `Watch.Watch`: requests in, responses out (etcd: server/etcdserver/api/v3rpc/watch.go)."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from threading import Condition

from fake_etcd import interventions, permissions
from fake_etcd.core import Core
from fake_etcd.errors import Compacted, EtcdError
from fake_etcd.faults.rules import CancelWatch, StallWatch
from fake_etcd.sizes import frame_size
from fake_etcd.store import FROM_KEY, Record
from fake_etcd.watch_catch_up import read_history
from fake_etcd.watch_events import EventEncoder, fragments
from fake_etcd.watch_hub import Watcher
from fake_etcd.watch_outbox import Events, Outbox, Pending
from fake_etcd.wire import messages as pb

NO_ID = -1
"""The id in what is not about one watcher. etcd: clientv3.InvalidWatchID."""

_NOPUT = pb.WatchCreateRequest.FilterType.Value("NOPUT")
_NODELETE = pb.WatchCreateRequest.FilterType.Value("NODELETE")

_PATIENCE = 0.25
"""Seconds between two looks at the clock while a receiver waits."""


class StreamClosed(Exception):
    """The stream is over: nothing comes any more, and nothing can be sent."""


class WatchStream:
    """One stream and its watchers. Threads may share it: some send, others receive."""

    def __init__(self, core: Core, token: str, on_ready: Callable[[], None] | None = None) -> None:
        """`on_ready` is called, with the engine's lock held, when there is something to take where nothing was."""
        self._core = core
        self._token = token
        self._on_ready = on_ready
        self._arrived = Condition(core.lock)
        self._outbox = Outbox()
        self._watchers: dict[int, Watcher] = {}
        self._behind: dict[Watcher, int] = {}
        """The watchers that are sent history, and from which revision on: the hub doesn't know them."""
        self._next_id = 0
        self._silenced: dict[int, list[Pending]] = {}
        """What is withheld of the watchers that a refusal silenced, in releases where it does so."""
        self._closed = False
        self._stalled_by = 0
        """The number of the rule that holds the events back; 0: none."""
        self._next_progress = core.settings.clock() + core.settings.watch_progress_interval
        with core.lock:
            core.hub.open(self, self._next_progress)
            core.streams_opened += 1
            self.number = core.streams_opened
            """Of the stream, counted from 1."""

    # For its user

    def send(self, request: pb.WatchRequest) -> None:
        """Hand in a request; what it causes is received.

        Raises StreamClosed, and what a rule of a fault says: an EtcdError that ends the stream, or Delayed.
        """
        frame_size(request, self._core.settings.max_frame_bytes)
        if self._core.is_observed:
            interventions.watch_request(
                self._core, self.number, self._token, request, partial(self._take_request, request)
            )
        else:
            self._take_request(request)

    def _take_request(self, request: pb.WatchRequest) -> None:
        with self._core.lock:
            if self._closed:
                raise StreamClosed
            self._core.tick()
            match request.WhichOneof("request_union"):
                case "create_request":
                    self._create(request.create_request)
                case "cancel_request":
                    self._cancel(request.cancel_request.watch_id)
                case "progress_request":
                    self._progress()
                case _:
                    pass  # etcd ignores what it doesn't know (recvLoop)

    def receive(self, timeout: float | None = None) -> pb.WatchResponse | None:
        """The next response, or None if none came within so many seconds. Raises StreamClosed at the end."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._core.lock:
            while not self._is_ready():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                timed = self._core.timed
                self._arrived.wait(left if not timed else _PATIENCE if left is None else min(left, _PATIENCE))
                self._core.tick()
            response = self._outbox.take()
            if isinstance(response, Events):
                response = pb.WatchResponse.FromString(self._encode(response))
            self._note(response)
            return response

    def take(self) -> bytes | None:
        """The next response, encoded, or None where there is none; late events of a watcher come in one.

        Raises StreamClosed at the end.
        """
        with self._core.lock:
            if not self._is_ready():
                return None
            response = self._encode(self._outbox.take_merged())
            self._note(response)
            return response

    @property
    def is_full(self) -> bool:
        """Whether so much is waiting to be received that no more requests should be sent."""
        with self._core.lock:
            return self._outbox.full

    def watched(self) -> list[tuple[bytes, bytes]]:
        """Key and range_end of each watcher, in the order of their creation. With the engine's lock held."""
        return [(watcher.key, watcher.range_end) for watcher in self._watchers.values()]

    def close(self) -> None:
        """End the stream and all its watchers. Once is enough, more do no harm."""
        with self._core.lock:
            self.end()

    def _is_ready(self) -> bool:
        """Whether there is something to take. Raises StreamClosed at the end."""
        if not self._outbox and self._behind:
            self._catch_up()
        if self._outbox:
            return True
        if self._closed:
            raise StreamClosed
        return False

    def _note(self, response: pb.WatchResponse | bytes) -> None:
        if self._core.journal is not None:
            now = self._core.settings.clock()
            self._core.journal.note(now, interventions.WATCH, answer=response, stream=self.number)

    def _encode(self, response: Pending) -> bytes:
        if isinstance(response, Events):
            return response.encode(self._core.header)
        return response.SerializeToString()

    # For the hub, with the lock held

    def deliver(self, watcher: Watcher, records: tuple[Record, ...], encoder: EventEncoder) -> None:
        """Send a watcher events, or have it catch up later if the reader is slow. etcd: watchable_store.go notify.

        Where one watcher of the stream is behind, the others are too as soon as there is something for them: what is
        pending comes to an end then, and nobody waits forever.
        """
        if self._core.faults.any_active and not self._stalled_by and self._is_struck(watcher, records):
            return
        if self._behind or self._outbox.full or self._stalled_by:
            self._core.hub.remove(watcher)
            self._behind[watcher] = encoder.revision
        else:
            self._send(watcher, records, encoder)

    def _is_struck(self, watcher: Watcher, records: tuple[Record, ...]) -> bool:
        """Do what a rule says about these events; whether they aren't to be sent to this watcher at all."""
        active = self._core.faults.of_delivery([record.key for record in records])
        if active is None:
            return False
        if self._core.journal is not None:
            now = self._core.settings.clock()
            self._core.journal.note(now, interventions.WATCH, stream=self.number, fault=active.fault)
        match active.fault.then:
            case StallWatch():
                self._stalled_by = active.number
                return False
            case CancelWatch(compacted=True):
                self._core.hub.remove(watcher)
                self._core.abandoned.append(partial(self._compact_and_cancel, watcher))
            case CancelWatch(reason=reason):
                self._cancel(watcher.id, reason)
            case _:
                return False
        return True

    def _compact_and_cancel(self, watcher: Watcher) -> None:
        """After the commit whose events are about to be sent."""
        store = self._core.store
        if store.compact_revision < store.revision:
            self._core.compact(store.revision)
        if not self._closed:
            self._cancel_as_compacted(watcher)

    def resume(self) -> None:
        """Send what was held back, if the rule that held it back is there no more. With the lock held."""
        if self._stalled_by and not self._core.faults.is_active(self._stalled_by):
            self._stalled_by = 0
            self._announce()

    def _send(self, watcher: Watcher, records: tuple[Record, ...], encoder: EventEncoder) -> None:
        body = encoder.encode(records, watcher.prev_kv)
        watcher.idle = False
        events = Events(watcher.id, encoder.revision, body)
        if not (watcher.fragment and len(body) > self._core.settings.max_request_bytes):
            self._put(watcher.id, events)
            return
        for fragment in fragments(
            pb.WatchResponse.FromString(self._encode(events)), self._core.settings.max_frame_bytes
        ):
            self._put(watcher.id, fragment)

    def tick(self, now: float) -> float:
        """Report the watchers that asked for it that nothing happened, once an interval; intervals missed are over.

        etcd: sendLoop, progressTicker.
        """
        interval = self._core.settings.watch_progress_interval
        self._next_progress += interval * (1 + (now - self._next_progress) // interval)
        for watcher in self._watchers.values():
            if watcher.progress_notify:
                if watcher.idle and self._has_progress(watcher):
                    self._put(watcher.id, self._response(watcher.id, self._core.store.revision))
                watcher.idle = True
        return self._next_progress

    def end(self) -> None:
        """Close the stream. What was sent before can still be received."""
        if self._closed:
            return
        self._closed = True
        for watcher in self._watchers.values():
            self._stop_listening(watcher)
        self._watchers.clear()
        self._core.hub.forget(self)
        self._announce()

    # Requests

    def _create(self, request: pb.WatchCreateRequest) -> None:
        """etcd: recvLoop; server/storage/mvcc/watcher.go Watch."""
        core = self._core
        key, range_end = request.key or b"\0", request.range_end
        start_revision, store = request.start_revision, core.store
        if start_revision < 0 and core.quirks.watch_negative_start_refused:
            self._refuse(Compacted().message)
            return
        try:
            permissions.check_watch(core.auth, core.quirks, self._token, key, range_end)
        except EtcdError as refusal:
            self._refuse_by_auth(refusal, request.watch_id)
            return
        if range_end and range_end != FROM_KEY and range_end <= key:
            self._refuse("mvcc: watcher range is empty")
            return
        if request.watch_id in self._watchers and request.watch_id != 0:
            self._refuse("mvcc: duplicate watch ID provided on the WatchStream")
            return
        watcher = Watcher(self, request.watch_id or self._pick_id(), key, range_end, start_revision)
        watcher.drops_puts = _NOPUT in request.filters
        watcher.drops_deletes = _NODELETE in request.filters
        watcher.prev_kv = request.prev_kv
        watcher.fragment = request.fragment
        watcher.progress_notify = request.progress_notify
        self._watchers[watcher.id] = watcher
        created = self._response(watcher.id, store.revision)
        created.created = True
        self._post(created)
        for withheld in self._silenced.pop(watcher.id, ()):
            self._post(withheld)
        if start_revision == 0 or start_revision > store.revision:
            self._listen(watcher)
        elif start_revision < store.compact_revision:
            self._cancel_as_compacted(watcher)
        else:
            # of -1, etcd reads from the end: as unsigned, it is the greatest revision
            self._behind[watcher] = start_revision if start_revision > 0 else store.revision + 1
            self._catch_up()

    def _pick_id(self) -> int:
        """The smallest that is free from a counter on that never goes back."""
        while self._next_id in self._watchers:
            self._next_id += 1
        self._next_id += 1
        return self._next_id - 1

    def _listen(self, watcher: Watcher) -> None:
        self._core.listen()
        self._core.hub.add(watcher)

    def _stop_listening(self, watcher: Watcher) -> None:
        if self._behind.pop(watcher, None) is None and not watcher.compacted:
            self._core.hub.remove(watcher)

    def _catch_up(self) -> None:
        """Send watchers that are behind what they have missed, as far as there is room.

        A real server sends it a little later: etcd: watchable_store.go syncWatchers.
        """
        core = self._core
        while self._behind and not self._outbox.full and not self._stalled_by:
            for watcher, revision in tuple(self._behind.items()):
                if revision < core.store.compact_revision:
                    del self._behind[watcher]
                    self._cancel_as_compacted(watcher)
            if not self._behind:
                return
            encoder = EventEncoder(core.store, core.store.revision)
            read_to, missed = read_history(core, self._behind)
            for watcher, records in missed.items():
                self._send(watcher, records, encoder)
            for watcher in tuple(self._behind):
                if read_to > core.store.revision:
                    del self._behind[watcher]
                    self._listen(watcher)
                else:
                    self._behind[watcher] = max(self._behind[watcher], read_to)

    def _cancel_as_compacted(self, watcher: Watcher) -> None:
        """It stays the stream's, until it is cancelled by request. etcd: watcher_group.go chooseAll."""
        watcher.compacted = True
        response = self._response(watcher.id, 0)
        response.canceled = True
        response.compact_revision = self._core.store.compact_revision
        self._put(watcher.id, response)

    def _refuse(self, reason: str, id: int = NO_ID) -> None:
        """In some releases the server takes its own refusal for the end of the watcher that has its id (sendLoop)."""
        response = self._response(id, self._core.store.revision)
        response.created = response.canceled = True
        response.cancel_reason = reason
        self._post(response)
        if not self._core.quirks.watch_refusal_has_reason and id in self._watchers:
            self._silenced.setdefault(id, [])

    def _refuse_by_auth(self, refusal: EtcdError, id: int) -> None:
        if self._core.quirks.watch_refusal_has_reason:
            self._refuse(permissions.as_reason(refusal))
        else:
            self._refuse("rpc error: code = PermissionDenied desc = etcdserver: permission denied", id)

    def _cancel(self, id: int, reason: str = "") -> None:
        """An unknown watcher is not answered."""
        watcher = self._watchers.pop(id, None)
        if watcher is None:
            return
        self._stop_listening(watcher)
        response = self._response(id, self._core.store.revision)
        response.canceled = True
        response.cancel_reason = reason
        self._post(response)

    def _progress(self) -> None:
        """etcd: watchable_store.go progressAll; before it was there, the answer was given whatever the watchers."""
        watchers = self._watchers.values()
        if self._core.quirks.progress_only_if_synced and not (watchers and all(map(self._has_progress, watchers))):
            return
        self._post(self._response(NO_ID, self._core.store.revision))

    def _has_progress(self, watcher: Watcher) -> bool:
        """etcd: watchable_store.go progressIfSync."""
        if watcher.compacted or watcher in self._behind:
            return False
        in_future = watcher.start_revision > self._core.store.revision
        return not (in_future and self._core.quirks.progress_awaits_start)

    # Responses

    def _response(self, id: int, revision: int) -> pb.WatchResponse:
        response = pb.WatchResponse(watch_id=id)
        self._core.fill(response.header)
        response.header.revision = revision
        return response

    def _put(self, id: int, response: Pending) -> None:
        """Send what a watcher has to say, unless it is silenced."""
        withheld = self._silenced.get(id) if self._silenced else None
        if withheld is None:
            self._post(response)
        else:
            withheld.append(response)

    def _post(self, response: Pending) -> None:
        was_empty = not self._outbox
        self._outbox.put(response)
        if was_empty:
            self._announce()

    def _announce(self) -> None:
        self._arrived.notify_all()
        if self._on_ready is not None:
            self._on_ready()
