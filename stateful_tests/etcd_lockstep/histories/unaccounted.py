"""Revisions that no answer claims, and of which there is no account: what may have made them, by all that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etcd_lockstep.histories.gaps import Events, Gaps
from etcd_lockstep.histories.history import History
from etcd_lockstep.histories.observations import Observations, hints_of
from etcd_lockstep.histories.placing import Placed
from etcd_lockstep.histories.store import Store
from etcd_lockstep.histories.words import quoted
from etcd_model.operations import LeaseRevoke
from etcd_model.results import KeyValue


@dataclass(frozen=True, slots=True)
class Guess:
    """What is taken to have made a revision."""

    events: Events
    call: int | None
    """None for a lease that expired."""
    lease: int | None
    """The lease that ended with it."""
    is_one_of_several: bool
    """Whether something else may have made it as well."""


class Unaccounted:
    """Guesses the revisions in their order, on the store as it is before each."""

    def __init__(self, history: History, placed: Placed, store: Store, gaps: Gaps) -> None:
        self._history = history
        self._placed = placed
        self._store = store
        self._gaps = gaps
        self._hints: dict[int, dict[bytes, KeyValue]] | None = None
        self._observations: Observations | None = None

    def guess(self, revision: int) -> Guess | None:
        """What can have made a revision; None where nothing can."""
        hints = self._hinted(revision)
        revoked = self._revoked_at(revision, hints)
        if revoked is not None:
            return revoked
        guesses = self._plausible(revision, self._gaps.guesses(revision, hints))
        expiries = self._expiries(revision, hints)
        several = len(guesses) + len(expiries) > 1
        if guesses:
            index, events = guesses[0]
            self._gaps.take(revision, index, events)
            operation = self._history.calls[index].operation
            return Guess(events, index, operation.id if isinstance(operation, LeaseRevoke) else None, several)
        if expiries:
            lease, events = expiries[0]
            return Guess(events, None, lease, several)
        return None

    def shown(self, revision: int) -> str:
        """What is known of a revision, in words."""
        kvs = self._hinted(revision).values()
        return ", ".join(f"{quoted(kv.key)} = {quoted(kv.value)}" for kv in kvs if kv.version)

    def _hinted(self, revision: int) -> Mapping[bytes, KeyValue]:
        """What any answer and any watcher shows of a revision."""
        if self._hints is None:
            self._hints = hints_of(self._history)
        return self._hints.get(revision, {})

    def _revoked_at(self, revision: int, hints: Mapping[bytes, KeyValue]) -> Guess | None:
        """The completed revoke that was answered at a revision, and whose lease had keys then."""
        for index in self._placed.revokes.get(revision, ()):
            lease: int = self._history.calls[index].operation.id  # type: ignore[union-attr]  # a LeaseRevoke
            events = self._store.end_of(lease, revision)
            if events and _hold(events, hints):
                return Guess(events, index, lease, is_one_of_several=False)
        return None

    def _plausible(self, revision: int, guesses: list[tuple[int, Events]]) -> list[tuple[int, Events]]:
        """Those guesses that later answers allow, the ones that they need first; all of them where none is allowed:
        then one of these answers is wrong."""
        if len(guesses) < 2:
            return guesses
        if self._observations is None:
            self._observations = Observations(self._history.calls, self._placed)
        allow, need = self._observations.allow, self._observations.need
        allowed = [guess for guess in guesses if all(allow(revision, event) for event in guess[1])]
        allowed.sort(key=lambda guess: not any(need(revision, event) for event in guess[1]))
        return allowed or guesses

    def _expiries(self, revision: int, hints: Mapping[bytes, KeyValue]) -> list[tuple[int, Events]]:
        """The leases whose end may have been a revision."""
        ended = [(lease, self._store.end_of(lease, revision)) for lease, keys in self._store.attached.items() if keys]
        return [(lease, events) for lease, events in ended if _hold(events, hints)]


def _hold(events: Events, hints: Mapping[bytes, KeyValue]) -> bool:
    written = {event.kv.key: event.kv for event in events}
    return all(written.get(key) == kv for key, kv in hints.items())
