"""Watches on a mock of the etcd3 client: by callbacks, or by iterators, which a thread reads.

There is but one stream in a client, and it is not seen. So streams are groups of watchers here, and their ids are those
that etcd would have given. A read puts the sentinel's key, as the model does; what a mock delivers before that put
returns, or as long after it as the first event took, belongs to the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from etcd_lockstep.targets.etcd3_answers import Reading
from etcd_lockstep.targets.etcd3_calls import Call, Etcd3Calls, if_set, is_prefix
from etcd_lockstep.trace import RevisionAt
from etcd_model import operations as op
from etcd_model.ranges import FROM_KEY
from etcd_model.results import PutResult, Result, StreamResult, WatchCreateResult, Watched, WatchReadResult

_PATIENCE = 1.0
"""Seconds within which a mock delivers, if it does at all."""
_POLL = 0.005

WATCHES = frozenset({"watch_create", "watch_read", "watch_cancel", "watch_close"})


@dataclass
class _Watcher:
    cancel: Callable[[], None] | None = None
    """None once it is cancelled."""
    events: list[Any] = field(default_factory=list)
    """As they came."""
    is_behind: bool = False
    """Whether it was created with a start in the past since the last read."""

    def end(self) -> None:
        cancel, self.cancel = self.cancel, None
        if cancel is not None:
            cancel()

    def receive(self, answer: Any) -> None:
        """What a callback is given: a response, an event, several, or an exception."""
        if hasattr(answer, "events"):
            self.events.extend(answer.events)
        elif isinstance(answer, list | tuple):
            self.events.extend(answer)
        elif not isinstance(answer, Exception):
            self.events.append(answer)


class Etcd3Watches(Etcd3Calls):
    """Asks a client for watches too."""

    def __init__(self) -> None:
        self._settle = 0.0
        """Seconds that a mock is given to deliver after a put."""
        self._streams: dict[int, list[_Watcher]] = {}

    def _use(self, client: Any) -> None:
        super()._use(client)
        for watchers in self._streams.values():
            for watcher in watchers:
                with suppress(Exception):  # nobody asks that client any more
                    watcher.end()
        self._streams = {}

    def can_express(self, operation: op.Operation) -> bool:
        match operation:
            case op.WatchCreate():
                return self._is_plain(operation) and self._call(operation) is not None
            case op.WatchCancel() | op.WatchClose():
                return True
            case op.WatchRead():
                return super().can_express(op.Put(op.SENTINEL_KEY))
            case _:
                return super().can_express(operation)

    def _is_plain(self, operation: op.WatchCreate) -> bool:
        """Whether it has nothing that etcd3 has no words for, or of which nobody can tell what came of it."""
        start, end = operation.start_revision, operation.range_end
        return not (
            operation.watch_id
            or operation.fragment
            or operation.prev_kv
            or not operation.key
            or (end and end != FROM_KEY and end <= operation.key)
            or (start and (not isinstance(start, RevisionAt) or start.plus > 0))  # which may be in the future
        )

    def _calls(self, operation: op.Operation) -> Iterator[Call]:
        if not isinstance(operation, op.WatchCreate):
            yield from super()._calls(operation)
            return
        options = if_set(
            start_revision=operation.start_revision,
            progress_notify=operation.progress_notify,
            filters=list(operation.filters),
        )
        key = (self._key(operation.key),)
        if is_prefix(operation):
            yield Call("add_watch_prefix_callback", key, options)
            yield Call("watch_prefix", key, options)
        if operation.range_end:
            options["range_end"] = self._key(operation.range_end)
        yield Call("add_watch_callback", key, options)
        yield Call("watch", key, options)

    def _ask(self, operation: op.Operation, reading: Reading) -> Result:
        match operation:
            case op.WatchCreate():
                return self._watch(operation, reading)
            case op.WatchCancel():
                watchers = self._streams.get(operation.stream, [])
                if 0 <= operation.watch_id < len(watchers):
                    watchers[operation.watch_id].end()
                return StreamResult()
            case op.WatchClose():
                for watcher in self._streams.pop(operation.stream, []):
                    watcher.end()
                return StreamResult()
            case op.WatchRead():
                return self._read_stream(operation.stream, reading)
            case _:
                return super()._ask(operation, reading)

    def _watch(self, operation: op.WatchCreate, reading: Reading) -> WatchCreateResult:
        call = self._call(operation)
        assert call is not None, "it was asked whether there is one"
        watcher = _Watcher(is_behind=bool(operation.start_revision))
        method = getattr(self._client, call.method)
        if call.method.endswith("_callback"):
            watch_id = method(*call.arguments, watcher.receive, **call.options)
            watcher.cancel = lambda: self._client.cancel_watch(watch_id)
        else:
            events, watcher.cancel = method(*call.arguments, **call.options)
            Thread(target=_read, args=(events, watcher), name="a watch of the mock", daemon=True).start()
        watchers = self._streams.setdefault(operation.stream, [])
        watchers.append(watcher)
        reading.not_handed_on.add("revision")
        return WatchCreateResult(0, len(watchers) - 1)

    def _read_stream(self, stream: int, reading: Reading) -> WatchReadResult:
        watchers = self._streams.get(stream, [])
        revision = 0
        for _ in range(1 + any(watcher.is_behind for watcher in watchers)):
            put = super()._ask(op.Put(op.SENTINEL_KEY), reading)
            assert isinstance(put, PutResult)
            revision = put.revision
        time.sleep(self._settle)
        for watcher in watchers:
            watcher.is_behind = False
        reading.not_handed_on |= {"progress", "stray"}
        reading.not_handed_on |= {f"watches.{name}" for name in ("cancels", "compact_revision", "atomic")}
        reading.not_handed_on |= {"watches.header_behind", "watches.events.prev_kv"}
        read = [tuple(map(reading.event, watcher.events)) for watcher in watchers]
        return WatchReadResult(revision, tuple(map(Watched, range(len(read)), read)))

    def _learn_watches(self) -> bool:
        """Whether there are watches, and how long an event takes to come."""
        watch = op.WatchCreate(b"a")
        cancels = self._methods.any_of("watch", "cancel_watch")
        if not cancels or self._call(watch) is None or not super().can_express(op.Put(b"a")):
            return False
        with suppress(Exception):
            self._watch(watch, Reading())
            (watcher,) = self._streams[0]
            super()._ask(op.Put(b"a", b"1"), Reading())
            began = time.monotonic()
            while not watcher.events and time.monotonic() < began + _PATIENCE:
                self._settle = 10 * _POLL + 2 * (time.monotonic() - began)
                time.sleep(_POLL)
            if not watcher.events:
                self._settle = 0.0
        return True


def _read(events: Iterable[Any], watcher: _Watcher) -> None:
    with suppress(Exception):  # etcd3's iterators end so, too; what is not delivered is missing in the answer
        for event in events:
            watcher.receive(event)
