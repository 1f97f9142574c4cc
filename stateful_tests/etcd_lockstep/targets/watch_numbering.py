"""The ids that a target gives its watchers, and those that etcd would have given them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from etcd_lockstep.trace import bare
from etcd_model.operations import As, Operation, WatchCancel, WatchClose, WatchCreate, WatchRead
from etcd_model.results import Result, WatchCreateResult, Watched, WatchReadResult

_NO_WATCHER = 2**61
"""An id that no watcher has."""


class Numbering:
    """The ids of a stream's watchers, as etcd would number them: from 0, but for those that the client picks (etcd
    server/storage/mvcc/watcher.go, Watch). A server that numbers them otherwise shows it with the first for which the
    client picks none, or with one that has another id than was picked. That is reported, of the reply to the create
    request; its watchers are compared under etcd's ids."""

    def __init__(self) -> None:
        self._next = 0
        self._ids: dict[int, int] = {}
        """By the id on the server, the id in etcd."""
        self._otherwise = False
        self._has_picked = False
        """Whether the server has picked an id."""

    def name(self, asked: int, given: int) -> int:
        """The id of a watcher that was created, by the id that was asked for, 0 for any, and the one that it has."""
        if asked or not self._has_picked:
            self._otherwise |= given != asked
        self._has_picked |= not asked
        if not self._otherwise:
            self._ids[given] = given
            return given
        named = asked
        if not asked:
            while self._next in self._ids.values():
                self._next += 1
            named = self._next
        self._ids[given] = named
        return named

    def raw(self, watch_id: int) -> int:
        """The id that the server has for one of etcd's; one that it has not where etcd would have none."""
        if not self._otherwise:
            return watch_id
        return next((raw for raw, named in self._ids.items() if named == watch_id), _NO_WATCHER)


class NumberedStreams:
    """The watch streams of a target in this process, whose `WatchRead` reports watchers under the target's own ids."""

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}

    def clear(self) -> None:
        self._streams.clear()

    def in_its_ids(self, operation: Operation) -> Operation:
        """The operation as the target is to be asked it."""
        match operation:
            case As(operation=inner):
                return replace(operation, operation=self.in_its_ids(inner))
            case WatchCancel(stream=stream) if stream in self._streams:
                raw = self._streams[stream].numbering.raw(operation.watch_id)
                return replace(operation, watch_id=raw)
            case _:
                return operation

    def in_etcds_ids(self, operation: Operation, result: Result) -> Result:
        """The result as it is to be compared; the reply to a create request stays as it is."""
        match bare(operation), result:
            case WatchCreate() as create, WatchCreateResult(canceled=False):
                self._streams.setdefault(create.stream, _Stream()).created(create.watch_id, result.watch_id)
            case WatchClose(stream=stream), _:
                self._streams.pop(stream, None)
            case WatchRead(stream=stream), WatchReadResult() if stream in self._streams:
                return replace(result, watches=self._streams[stream].named(result.watches))
        return result


class _Stream:
    def __init__(self) -> None:
        self.numbering = Numbering()
        self._names: dict[int, list[int]] = {}
        """By the target's id, which it may give again after a cancellation, those in etcd, in the order of creation."""

    def created(self, asked: int, given: int) -> None:
        self._names.setdefault(given, []).append(self.numbering.name(asked, given))

    def named(self, watches: tuple[Watched, ...]) -> tuple[Watched, ...]:
        seen: Counter[int] = Counter()
        renamed = []
        for watched in watches:
            names = self._names.get(watched.watch_id, [])
            nth = seen[watched.watch_id]
            seen[watched.watch_id] += 1
            renamed.append(replace(watched, watch_id=names[nth]) if nth < len(names) else watched)
        return tuple(renamed)
