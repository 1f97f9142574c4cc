"""A stream of `Watch.Watch`: requests in, responses out (etcd: server/etcdserver/api/v3rpc/watch.go)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue

from fake_etcd import permissions
from fake_etcd.core import Core
from fake_etcd.errors import Compacted, EtcdError
from fake_etcd.sizes import frame_size
from fake_etcd.store import FROM_KEY, Record
from fake_etcd.watch_events import event_of, fragments, in_batches, previous_of
from fake_etcd.watch_hub import Watcher
from fake_etcd.wire import messages as pb

NO_ID = -1
"""The id in what is not about one watcher. etcd: clientv3.InvalidWatchID."""

_CATCH_UP_REVISIONS = 1000
"""etcd: server/storage/mvcc/watcher_group.go watchBatchMaxRevs."""

_NOPUT = pb.WatchCreateRequest.FilterType.Value("NOPUT")
_NODELETE = pb.WatchCreateRequest.FilterType.Value("NODELETE")

_PATIENCE = 0.25
"""Seconds between two looks at the clock while a receiver waits."""


class StreamClosed(Exception):
    """The stream is over: nothing comes any more, and nothing can be sent."""


class WatchStream:
    """One stream and its watchers. Threads may share it: some send, others receive."""

    def __init__(self, core: Core, token: str) -> None:
        self._core = core
        self._token = token
        self._responses: SimpleQueue[pb.WatchResponse | None] = SimpleQueue()
        """What was not received yet; None is the end."""
        self._watchers: dict[int, Watcher] = {}
        self._next_id = 0
        self._silenced: dict[int, list[pb.WatchResponse]] = {}
        """What is withheld of the watchers that a refusal silenced, in releases where it does so."""
        self._closed = False
        self._next_progress = core.settings.clock() + core.settings.watch_progress_interval
        with core.lock:
            core.hub.streams[self] = None

    # For its user

    def send(self, request: pb.WatchRequest) -> None:
        """Hand in a request; what it causes is received. Raises StreamClosed."""
        frame_size(request)
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
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            wait = left if not self._core.timed else _PATIENCE if left is None else min(left, _PATIENCE)
            try:
                response = self._responses.get(timeout=wait)
            except Empty:
                if wait == left:
                    return None
                with self._core.lock:
                    self._core.tick()
                continue
            if response is None:
                self._responses.put(None)  # for the next to ask
                raise StreamClosed
            return response

    def close(self) -> None:
        """End the stream and all its watchers. Once is enough, more do no harm."""
        with self._core.lock:
            self.end()

    # For the hub, with the lock held

    def deliver(self, watcher: Watcher, records: Sequence[Record], revision: int) -> None:
        """Send a watcher events, as of a revision."""
        store = self._core.store
        response = self._response(watcher.id, revision)
        for record in records:
            response.events.append(event_of(record, previous_of(store, record) if watcher.prev_kv else None))
        watcher.idle = False
        if watcher.fragment:
            for fragment in fragments(response):
                self._put(fragment)
        else:
            self._put(response)

    def tick(self, now: float) -> None:
        """Report the watchers that asked for it that nothing happened, once an interval; intervals missed are over.

        etcd: sendLoop, progressTicker.
        """
        if now < self._next_progress:
            return
        interval = self._core.settings.watch_progress_interval
        self._next_progress += interval * (1 + (now - self._next_progress) // interval)
        for watcher in self._watchers.values():
            if watcher.progress_notify:
                if watcher.idle and self._has_progress(watcher):
                    self._put(self._response(watcher.id, self._core.store.revision))
                watcher.idle = True

    def end(self) -> None:
        """Close the stream."""
        if self._closed:
            return
        self._closed = True
        for watcher in self._watchers.values():
            if not watcher.compacted:
                self._core.hub.remove(watcher)
        self._watchers.clear()
        self._core.hub.streams.pop(self, None)
        self._responses.put(None)

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
        self._responses.put(created)
        for withheld in self._silenced.pop(watcher.id, ()):
            self._responses.put(withheld)
        if start_revision == 0 or start_revision > store.revision:
            self._listen(watcher)
        elif start_revision < store.compact_revision:
            self._cancel_as_compacted(watcher)
        else:
            if start_revision > 0:
                self._catch_up(watcher)  # of -1, etcd reads from the end: as unsigned, it is the greatest revision
            self._listen(watcher)

    def _pick_id(self) -> int:
        """The smallest that is free from a counter on that never goes back."""
        while self._next_id in self._watchers:
            self._next_id += 1
        self._next_id += 1
        return self._next_id - 1

    def _listen(self, watcher: Watcher) -> None:
        self._core.listen()
        self._core.hub.add(watcher)

    def _catch_up(self, watcher: Watcher) -> None:
        """What happened from its start on. A real server sends it a little later: etcd: syncWatchers."""
        store = self._core.store
        revisions = store.revisions_from(watcher.start_revision, self._core.quirks.compaction_keeps_tombstones)
        wanted = (
            [record for record in records if watcher.covers(record.key) and watcher.wants(record)]
            for records in revisions
        )
        for batch in in_batches(wanted, _CATCH_UP_REVISIONS):
            self.deliver(watcher, batch, store.revision)

    def _cancel_as_compacted(self, watcher: Watcher) -> None:
        """It stays the stream's, until it is cancelled by request. etcd: watcher_group.go chooseAll."""
        watcher.compacted = True
        response = self._response(watcher.id, 0)
        response.canceled = True
        response.compact_revision = self._core.store.compact_revision
        self._put(response)

    def _refuse(self, reason: str, id: int = NO_ID) -> None:
        """In some releases the server takes its own refusal for the end of the watcher that has its id (sendLoop)."""
        response = self._response(id, self._core.store.revision)
        response.created = response.canceled = True
        response.cancel_reason = reason
        self._responses.put(response)
        if not self._core.quirks.watch_refusal_has_reason and id in self._watchers:
            self._silenced.setdefault(id, [])

    def _refuse_by_auth(self, refusal: EtcdError, id: int) -> None:
        if self._core.quirks.watch_refusal_has_reason:
            self._refuse(permissions.as_reason(refusal))
        else:
            self._refuse("rpc error: code = PermissionDenied desc = etcdserver: permission denied", id)

    def _cancel(self, id: int) -> None:
        """An unknown watcher is not answered."""
        watcher = self._watchers.pop(id, None)
        if watcher is None:
            return
        if not watcher.compacted:
            self._core.hub.remove(watcher)
        response = self._response(id, self._core.store.revision)
        response.canceled = True
        self._responses.put(response)

    def _progress(self) -> None:
        """etcd: watchable_store.go progressAll; before it was there, the answer was given whatever the watchers."""
        watchers = self._watchers.values()
        if self._core.quirks.progress_only_if_synced and not (watchers and all(map(self._has_progress, watchers))):
            return
        self._responses.put(self._response(NO_ID, self._core.store.revision))

    def _has_progress(self, watcher: Watcher) -> bool:
        """etcd: watchable_store.go progressIfSync."""
        if watcher.compacted:
            return False
        in_future = watcher.start_revision > self._core.store.revision
        return not (in_future and self._core.quirks.progress_awaits_start)

    # Responses

    def _response(self, id: int, revision: int) -> pb.WatchResponse:
        response = pb.WatchResponse(watch_id=id)
        self._core.fill(response.header)
        response.header.revision = revision
        return response

    def _put(self, response: pb.WatchResponse) -> None:
        """Send what a watcher has to say, unless it is silenced."""
        withheld = self._silenced.get(response.watch_id) if self._silenced else None
        if withheld is None:
            self._responses.put(response)
        else:
            withheld.append(response)
