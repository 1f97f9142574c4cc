"""Lies that no read shows: only a hash over the whole history reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from etcd_lockstep.specimens.specimen import Specimen, basic_and
from etcd_model import Operation, Result, step
from etcd_model.operations import HashKV
from etcd_model.state import DeleteEvent, Event, PutEvent


class HistorySpecimen(Specimen):
    """Remembers of each revision what `remember` makes of its events."""

    capabilities = basic_and(HashKV)

    def apply(self, operation: Operation) -> Result:
        if not isinstance(operation, HashKV):
            return super().apply(operation)
        commits = tuple(replace(one, events=tuple(self.remember(one.events))) for one in self.state.commits)
        _, result = step(replace(self.state, commits=commits), operation)
        return result

    def remember(self, events: Iterable[Event]) -> Iterable[Event]:
        """The records of one revision, in their order."""
        return events


class SubRevisionsForgotten(HistorySpecimen):
    """The records of one revision are in the order of their keys, not in that in which they were written."""

    name = "sub-revisions-forgotten"

    def remember(self, events: Iterable[Event]) -> Iterable[Event]:
        return sorted(events, key=_key)


def _key(event: Event) -> bytes:
    return event.kv.key if isinstance(event, PutEvent) else event.key


class TombstonesForgotten(HistorySpecimen):
    """A deletion leaves no record."""

    name = "tombstones-forgotten"

    def remember(self, events: Iterable[Event]) -> Iterable[Event]:
        return (event for event in events if not isinstance(event, DeleteEvent))
