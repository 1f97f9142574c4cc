"""Watches: each watcher is sent the events of its range, from its start, in order, once.

A watcher may be behind, so what it was sent need only be the beginning of what it is owed; but what a response without
events says is delivered has to be. Events of one revision come together, but for fragments.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence

from etcd_lockstep.histories.history import History, Watch, WatchResponse
from etcd_lockstep.histories.plain import DELETE, PUT
from etcd_lockstep.histories.store import Store
from etcd_lockstep.histories.verdicts import Anomaly, Violation
from etcd_lockstep.histories.words import quoted
from etcd_model.operations import FilterType, WatchCreate
from etcd_model.results import Event, KeyValue


class Watches:
    """Checks the watches of a history against what was written."""

    def __init__(self, history: History, store: Store, compactions: Collection[int], *, keeps_tombstones: bool) -> None:
        self.violations: list[Violation] = []
        self._store = store
        self._compactions = compactions
        self._keeps_tombstones = keeps_tombstones
        self._last: tuple[tuple[bytes, bytes, tuple[int, ...]], list[Event]] | None = None
        """What was asked for last, and its events."""
        for number, watch in enumerate(history.watches):
            if watch.created is not None and watch.responses:
                self._check(number, watch, watch.created)

    def _check(self, number: int, watch: Watch, created: int) -> None:
        start = watch.request.start_revision if watch.request.start_revision > 0 else created + 1
        owed = self._owed(watch.request, start)
        if not owed and not any(response.events for response in watch.responses):
            return
        position, last = 0, (0, -1)
        sent: set[tuple[int, bytes, int]] = set()
        for response in watch.responses:
            for event in response.events:
                at = event.kv.mod_revision
                if position < len(owed) and _is(event, owed[position]):
                    if not self._check_previous(number, watch, event):
                        return
                    sent.add(_key(event))
                    position, last = position + 1, max(last, (at, position))
                    continue
                skipped = self._find(event, owed, position)
                if skipped is None:
                    self._unexpected(number, event, owed, sent)
                    return
                missing = [one for one in owed[position:skipped] if not self._may_be_gone(one)]
                if missing:
                    self._lost(number, watch, response, event, missing)
                    return
                sent.add(_key(event))
                position = skipped + 1
            if not response.events and not response.canceled:
                while position < len(owed) and owed[position].kv.mod_revision <= response.revision:
                    if not self._may_be_gone(owed[position]):
                        what = f"its progress is reported as revision {response.revision}"
                        what = f"{what}, and it was not sent {_named(owed[position])}"
                        self._report(number, Anomaly.WATCH_LOST, what, owed[position])
                        return
                    position += 1
            elif response.events and not response.fragment:
                at = response.events[-1].kv.mod_revision
                if position < len(owed) and owed[position].kv.mod_revision == at:
                    what = f"a response ends within revision {at}, before {_named(owed[position])}"
                    self._report(number, Anomaly.WATCH_LOST, what, owed[position])
                    return
            if response.canceled and response.compact_revision and response.compact_revision not in self._compactions:
                what = (
                    f"it was canceled for a compaction at revision {response.compact_revision}, which nobody asked for"
                )
                self.violations.append(Violation(Anomaly.WRONG_ANSWER, what, watch=number))
                return

    def _owed(self, request: WatchCreate, start: int) -> list[Event]:
        """The events that a watcher is owed. Watchers of the same keys mostly come in numbers."""
        asked = (request.key, request.range_end, request.filters)
        if self._last is None or self._last[0] != asked:
            self._last = asked, owed_events(self._store, request)
        events = self._last[1]
        first = bisect_left(events, start, key=lambda event: event.kv.mod_revision)
        return events[first:]

    def _find(self, event: Event, owed: Sequence[Event], position: int) -> int | None:
        """Where among what is still owed an event stands."""
        low = bisect_left(owed, event.kv.mod_revision, position, key=lambda one: one.kv.mod_revision)
        while low < len(owed) and owed[low].kv.mod_revision == event.kv.mod_revision:
            if _is(event, owed[low]):
                return low
            low += 1
        return None

    def _unexpected(
        self, number: int, event: Event, owed: Sequence[Event], sent: Collection[tuple[int, bytes, int]]
    ) -> None:
        """An event that was not owed any more, or never."""
        if _key(event) in sent:
            self._report(number, Anomaly.WATCH_REPEATED, f"it was sent {_named(event)} again", event)
        elif any(_is(event, one) for one in owed):
            self._report(number, Anomaly.WATCH_OUT_OF_ORDER, f"it was sent {_named(event)} after a later one", event)
        else:
            self._report(
                number, Anomaly.WRONG_ANSWER, f"it was sent {_named(event)}, which is not what happened", event
            )

    def _lost(self, number: int, watch: Watch, response: WatchResponse, event: Event, missing: Sequence[Event]) -> None:
        """Events were skipped: they came later, or never."""
        rest = watch.responses[watch.responses.index(response) :]
        later = {_key(one) for sent in rest for one in sent.events}
        if any(_key(one) in later for one in missing):
            what = f"it was sent {_named(event)} before {_named(missing[0])}"
            self._report(number, Anomaly.WATCH_OUT_OF_ORDER, what, missing[0])
        else:
            what = f"it was sent {_named(event)}, and not {_named(missing[0])} before"
            self._report(number, Anomaly.WATCH_LOST, what, missing[0])

    def _check_previous(self, number: int, watch: Watch, event: Event) -> bool:
        """Whether the value before the event is the right one (`etcd_model.events`)."""
        shown = event.prev_kv
        before = self._store.at(event.kv.key, event.kv.mod_revision - 1)
        created = event.type == PUT and event.kv.create_revision == event.kv.mod_revision
        expected = before if watch.request.prev_kv and not created else None
        compacted = any(at >= event.kv.mod_revision - 1 for at in self._compactions)
        if shown == expected or (shown is None and compacted):
            return True
        what = f"the value before {_named(event)} is another than there was"
        self._report(number, Anomaly.WRONG_ANSWER, what, event)
        return False

    def _may_be_gone(self, event: Event) -> bool:
        """Whether a compaction at the very revision may have taken the event before the watcher came to it: it keeps
        the last of each key, and deletions in some releases (`etcd_model.events.survivors`)."""
        if event.kv.mod_revision not in self._compactions:
            return False
        last = self._store.at(event.kv.key, event.kv.mod_revision)
        if event.type == DELETE:
            return last is not None or not self._keeps_tombstones
        return last != event.kv

    def _report(self, number: int, anomaly: Anomaly, what: str, event: Event) -> None:
        self.violations.append(Violation(anomaly, what, watch=number, revision=event.kv.mod_revision))


def owed_events(store: Store, request: WatchCreate) -> list[Event]:
    """The events of a watcher's keys that its filters let pass, in order."""
    found: list[Event] = []
    for key in store.known(request.key or b"\x00", request.range_end):
        for kv in store.history_of(key):
            kind = PUT if kv.version else DELETE
            if (FilterType.NOPUT if kind == PUT else FilterType.NODELETE) not in request.filters:
                found.append(Event(kind, kv))
    found.sort(key=lambda event: (event.kv.mod_revision, _order(store, event)))
    return found


def _order(store: Store, event: Event) -> int:
    """The position of an event in its revision."""
    together = store.together.get(event.kv.mod_revision)
    return together.index(event.kv.key) if together else 0


def _is(event: Event, other: Event) -> bool:
    return event.type == other.type and event.kv == other.kv


def _key(event: Event) -> tuple[int, bytes, int]:
    return event.kv.mod_revision, event.kv.key, event.type


def _named(event: Event) -> str:
    kv: KeyValue = event.kv
    return f"the {'put' if event.type == PUT else 'deletion'} of {quoted(kv.key)} at revision {kv.mod_revision}"
