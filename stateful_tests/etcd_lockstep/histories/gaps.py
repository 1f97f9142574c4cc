"""Revisions that no answer claims: which indefinite call can have made each of them.

A call can have made a revision if its events, on the keys just before, are those of the revision, and if it was
invoked before anybody was answered at that revision or later. Revisions are filled in their order, so whoever was
invoked in time for one is in time for all later ones; and a call that is needed elsewhere gives its revision up where
another can make that one. That is a matching, as in Kuhn's algorithm, and no search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from etcd_lockstep.histories.history import Call
from etcd_lockstep.histories.placing import may_write
from etcd_lockstep.histories.plain import DELETE, PUT
from etcd_lockstep.histories.store import Store
from etcd_model.operations import DeleteRange, LeaseRevoke, Operation, Put, RequestOp, Txn
from etcd_model.results import Event, KeyValue

Events: TypeAlias = tuple[Event, ...]
Trigger: TypeAlias = "tuple[bytes, bytes | None] | bytes | int | None"
"""A key with the value that it is put to, which is None where it keeps its value; a key that is deleted; a lease that
is revoked; None for a range of keys that is deleted."""

_MOST_MOVES = 10_000
"""So many times a call is asked to give up its revision, for each one to be filled."""
_MOST_ASKED = 500
"""So many calls at most give it up in a chain: each is a level of the recursion."""


class _Index:
    """Calls, by what an event of theirs would be."""

    def __init__(self) -> None:
        self._found: dict[Trigger, dict[int, None]] = {}

    def add(self, index: int, operation: Operation) -> None:
        for trigger in _triggers(operation):
            self._found.setdefault(trigger, {})[index] = None

    def remove(self, index: int, operation: Operation) -> None:
        for trigger in set(_triggers(operation)):
            del self._found[trigger][index]

    def about(self, event: Event, lease: int | None) -> Iterator[int]:
        """The calls that can have caused an event, a few more, and some twice; `lease`: whose end it may be."""
        kv = event.kv
        triggers: list[Trigger] = [(kv.key, kv.value), (kv.key, None)] if event.type == PUT else [kv.key, None]
        for trigger in triggers:
            yield from list(self._found.get(trigger, ()))
        if lease is not None:
            yield from list(self._found.get(lease, ()))


class Gaps:
    """The indefinite calls of a history, and the revisions that they are taken to have made."""

    def __init__(
        self, calls: Sequence[Call], indefinite: Sequence[int], store: Store, deadline: Callable[[int], int]
    ) -> None:
        self._calls = calls
        self._store = store
        self._deadline = deadline
        self.filled: dict[int, int] = {}
        """By revision: the call that made it."""
        self._made: dict[int, int] = {}
        """By call: the revision that it made. A call that has made one is never without one again."""
        self._events: dict[int, Events] = {}
        self._lease: dict[int, int | None] = {}
        """By revision: the lease of which its events delete all keys."""
        self.writers = sorted(
            (index for index in indefinite if may_write(calls[index].operation)),
            key=lambda index: calls[index].invoked,
        )
        self._all, self._unused = _Index(), _Index()
        for index in self.writers:
            self._all.add(index, calls[index].operation)
            self._unused.add(index, calls[index].operation)
        self.gave_up = False
        """Whether a matching was not looked for any longer."""

    def fill(self, revision: int, events: Events, lease: int | None) -> int | None:
        """The call that made a revision, which is the next one, and whose events are known; None if none can have.
        `lease`: the lease of which the events delete all keys, if there is one."""
        self._events[revision], self._lease[revision] = events, lease
        for index in self._candidates(revision, self._unused):
            self._assign(revision, index)
            return index
        moves = [0]
        if self._reassign(revision, set(), moves):
            return self.filled[revision]
        self.gave_up |= moves[0] > _MOST_MOVES
        return None

    def fill_at_any_time(self, revision: int, events: Events, lease: int | None) -> bool:
        """Whether a call can have made a revision, leaving aside when that was answered first: the answer was to a
        write that is not there, and may be as wrong as that."""
        if self.fill(revision, events, lease) is not None:
            return True
        for index in self._unused.about(events[0], lease):
            if self._makes(index, revision, events):
                self._assign(revision, index)
                return True
        return False

    def _assign(self, revision: int, index: int) -> None:
        self.filled[revision] = index
        if index not in self._made:
            self._unused.remove(index, self._calls[index].operation)
        self._made[index] = revision

    def _reassign(self, revision: int, asked: set[int], moves: list[int]) -> bool:
        """Take a call from another revision that a third call can have made."""
        for index in self._candidates(revision, self._all):
            if index in asked:
                continue
            asked.add(index)
            moves[0] += 1
            if moves[0] > _MOST_MOVES or len(asked) > _MOST_ASKED:
                moves[0] = _MOST_MOVES + 1
                return False
            other = self._made.get(index)
            if other is None or self._reassign(other, asked, moves):
                self._assign(revision, index)
                return True
        return False

    def _candidates(self, revision: int, among: _Index) -> Iterator[int]:
        """The calls that can have made a revision whose events are known, the first invoked first."""
        events = self._events[revision]
        deadline = self._deadline(revision)
        for index in among.about(events[0], self._lease[revision]):
            if self._calls[index].invoked <= deadline and self._makes(index, revision, events):
                yield index

    def _makes(self, index: int, revision: int, events: Events) -> bool:
        operation = self._calls[index].operation
        if isinstance(operation, LeaseRevoke):
            return self._lease[revision] == operation.id
        return self._would_make(operation, revision) == events

    def _would_make(self, operation: Operation, revision: int) -> Events:
        """The events of a call of the KV service, had it been carried out as this revision."""
        base = revision - 1
        _answer, events = self._store.answer(operation, None if self._store.revision == base else base)
        return events

    def guesses(self, revision: int, hints: Mapping[bytes, KeyValue]) -> list[tuple[int, Events]]:
        """Of a revision whose events are not known but for some: the calls that can have made it, each with its
        events; those that do the same are there once."""
        deadline = self._deadline(revision)
        found: dict[Operation, tuple[int, Events]] = {}
        kv = next(iter(hints.values())) if hints else None
        pool: Iterable[int] = (
            self.writers if kv is None else self._unused.about(Event(PUT if kv.version else DELETE, kv), None)
        )
        for index in pool:
            operation = self._calls[index].operation
            if index in self._made or self._calls[index].invoked > deadline or operation in found:
                continue
            events = (
                self._store.end_of(operation.id, revision)
                if isinstance(operation, LeaseRevoke)
                else self._would_make(operation, revision)
            )
            written = {event.kv.key: event.kv for event in events}
            if events and all(written.get(key) == one for key, one in hints.items()):
                found[operation] = (index, events)
        return list(found.values())

    def take(self, revision: int, index: int, events: Events) -> None:
        """Settle for a guess."""
        self._events[revision], self._lease[revision] = events, self._store.lease_ended_by(events)
        self._assign(revision, index)


def _triggers(operation: Operation | RequestOp) -> Iterator[Trigger]:
    """By what an operation is found that may have made a revision."""
    match operation:
        case Put():
            yield operation.key, None if operation.ignore_value else operation.value
        case DeleteRange():
            yield None if operation.range_end else operation.key
        case LeaseRevoke():
            yield operation.id
        case Txn():
            for request in (*operation.success, *operation.failure):
                yield from _triggers(request)
