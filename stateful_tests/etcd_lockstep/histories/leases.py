"""Leases: whether each existed where a call needed it, and did not where a call missed it.

Grants and ends of leases without keys make no revision. So for each lease its calls are ordered by a search of their
own, on a state that is nothing but whether there is such a lease, within the places that their headers and real time
leave to them: 2R is the write that made revision R, and 2R + 1 is between it and the next one. Where a call lists all
leases, all are searched together. Of calls that concern different leases, and whose answers have no exact revision, the
order is not looked at.

A lease expires when its TTL is over since it was granted or kept alive, or later, never before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from etcd_lockstep.histories.history import FOREVER, Call, History
from etcd_lockstep.histories.lease_steps import ANY_TTL, State, begin, end, has, key_of, leases_in, mark, marked
from etcd_lockstep.histories.placing import Placed, returned
from etcd_lockstep.histories.real_time import RealTime
from etcd_lockstep.histories.replay import Replay
from etcd_lockstep.histories.verdicts import Anomaly, Unknown, Violation
from etcd_lockstep.histories.wing_gong import BUDGET, Entry, Found, Impossible, find_order
from etcd_model.operations import LeaseGrant, LeaseRevoke
from etcd_model.results import (
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseTimeToLiveResult,
)

NANOSECONDS = 1_000_000_000

_MOST_REVISIONS = 1_000
"""So many revisions are looked at for one at which a lease has the keys that an answer lists."""
_MOST_LISTED = 1_000
"""With more leases than these, those that list them all are not checked: each step would look at all of them."""


@dataclass(slots=True)
class _Lease:
    """What concerns one lease."""

    entries: list[Entry[State]] = field(default_factory=list)
    grants: list[tuple[int, int, int]] = field(default_factory=list)
    """When each was asked for, the TTL in seconds, and its place; that of an optional one is 0."""
    renewed: int = 0
    """When the last successful keep-alive was asked for."""


class Leases:
    """Collects what a history says of leases, and checks it."""

    def __init__(self, history: History, placed: Placed, real_time: RealTime, replay: Replay) -> None:
        self.violations: list[Violation] = []
        self.certain: list[Violation] = []
        """What is wrong wherever the calls are placed."""
        self.unknowns: list[Unknown] = []
        self._calls = history.calls
        self._is_alone = history.members == 1
        self._placed = placed
        self._real_time = real_time
        self._replay = replay
        self._leases: dict[int, _Lease] = {}
        self._listings: list[Entry[State]] = []
        self._initial = dict(history.beginning.leases)
        for lease_id, ttl in self._initial.items():
            self._of(lease_id).grants.append((min((call.invoked for call in history.calls), default=0), ttl, 0))
        self._least_ttl = self._find_least_ttl(history.min_lease_ttl)
        self._ended: dict[int, list[tuple[int, int, bool]]] = {}
        for lease_id, revision, index, sure in replay.leases.ended:
            self._ended.setdefault(lease_id, []).append((revision, index, sure))
        self._over = max((call.returned or call.invoked for call in history.calls), default=0)
        """When the last call returned: what happens later shows nowhere."""
        self._nameless: list[int] = []
        self._revokes: dict[int, list[int]] = {}
        """When each indefinite revoke of a lease was invoked."""
        self._place_answered()
        self._place_indefinite()

    def _of(self, lease_id: int) -> _Lease:
        return self._leases.setdefault(lease_id, _Lease())

    def miss(self, lease_id: int, index: int, low: int, high: int) -> None:
        """A call was refused because there was no such lease, between two places."""
        self._add(lease_id, index, lambda state: state if lease_id not in state else None, low, high)

    def need(self, lease_id: int, index: int, low: int, high: int) -> None:
        """A call needed the lease between two places."""
        self._add(lease_id, index, lambda state: state if lease_id in state else None, low, high)

    def need_somewhere(self, lease_id: int, index: int, places: Sequence[tuple[int, int]]) -> None:
        """A call needed the lease in one of several ranges of places."""
        if len(places) == 1:
            self.need(lease_id, index, *places[0])
            return
        call = self._calls[index]
        for low, high in places:
            met = Entry(mark(lease_id, index), call.invoked, optional=True, low=low, high=high, call=index)
            self._of(lease_id).entries.append(met)
        self._add(lease_id, index, marked(index), places[0][0], places[-1][1])

    def _add(self, lease_id: int, index: int, step: Callable[[State], State | None], low: int, high: int) -> None:
        call = self._calls[index]
        self._of(lease_id).entries.append(Entry(step, call.invoked, returned(call), low=low, high=high, call=index))

    def _find_least_ttl(self, least: int | None) -> int | None:
        """The TTL that is granted where less is asked for. Every server has one such."""
        for index in self._placed.grants:
            call = self._calls[index]
            asked, result = call.operation, call.outcome
            assert isinstance(asked, LeaseGrant)
            assert isinstance(result, LeaseGrantResult)
            if result.ttl == asked.ttl and asked.ttl >= (least or 1):
                continue
            if asked.ttl > result.ttl or (least is not None and result.ttl != least):
                self._never(index, f"a lease of {result.ttl} s was granted where {asked.ttl} s were asked for")
            least = result.ttl
        return least

    def _wrong(self, index: int, what: str) -> None:
        """An answer that is wrong where its call is placed."""
        revision = self._placed.revisions[index]
        self.violations.append(Violation(Anomaly.WRONG_ANSWER, what, (index,), revision=revision))

    def _never(self, index: int, what: str) -> None:
        """An answer that would be wrong anywhere."""
        revision = self._placed.revisions[index]
        self.certain.append(Violation(Anomaly.WRONG_ANSWER, what, (index,), revision=revision))

    # What was answered

    def _place_answered(self) -> None:
        placed, calls = self._placed, self._calls
        for index in placed.grants:
            self._grant(index, calls[index])
        ended = {(lease_id, at): index for lease_id, ends in self._ended.items() for at, index, _sure in ends}
        for revision, indices in placed.revokes.items():
            for index in indices:
                lease_id: int = calls[index].operation.id  # type: ignore[union-attr]  # a LeaseRevoke
                if ended.get((lease_id, revision)) == index:
                    continue
                if self._keys_at(lease_id, revision):
                    self._wrong(index, f"lease {lease_id} was revoked, and still has keys at revision {revision}")
                self._add(lease_id, index, end(lease_id), 2 * revision + 1, 2 * revision + 1)
        for lease_id, revision, index in self._replay.leases.used:
            if index >= 0:
                self.need(lease_id, index, 2 * revision, 2 * revision)
        for index in placed.loose:
            self._loose(index, calls[index])

    def _grant(self, index: int, call: Call) -> None:
        asked, result = call.operation, call.outcome
        assert isinstance(asked, LeaseGrant)
        assert isinstance(result, LeaseGrantResult)
        if asked.id and asked.id != result.id:
            self._never(index, f"lease {result.id} was granted where {asked.id} was asked for")
        place = 2 * result.revision + 1
        self._of(result.id).grants.append((call.invoked, result.ttl, place))
        self._add(result.id, index, begin(result.id, result.ttl), place, place)

    def _loose(self, index: int, call: Call) -> None:
        """Answers whose headers are made before or after the fact (`placing`)."""
        result = call.outcome
        floor, ceiling = self._real_time.floor(index), self._real_time.ceiling(index)
        match result:
            case LeaseKeepAliveResult(ttl=ttl):
                lease_id: int = call.operation.id  # type: ignore[union-attr]  # a LeaseKeepAlive
                if result.id != lease_id:
                    self._never(index, f"it kept lease {result.id} alive, and was asked for {lease_id}")
                low, high = 2 * max(floor, result.revision), 2 * ceiling + 1
                if ttl:
                    self._of(lease_id).renewed = max(self._of(lease_id).renewed, call.invoked)
                self._add(lease_id, index, has(lease_id, ttl or None), low, high)
            case LeaseTimeToLiveResult():
                latest = min(ceiling, result.revision + 1) if self._is_alone else ceiling
                self._time_to_live(index, call, result, floor, latest)
            case LeaseLeasesResult(leases=ids):
                low, high = 2 * floor, 2 * min(ceiling, result.revision + 1) + 1
                listed = frozenset(ids)
                for lease_id in listed:
                    self._of(lease_id)

                def step(state: State, listed: frozenset[int] = listed) -> State | None:
                    return state if leases_in(state) == listed else None

                self._listings.append(Entry(step, call.invoked, returned(call), low=low, high=high, call=index))

    def _time_to_live(self, index: int, call: Call, result: LeaseTimeToLiveResult, low: int, high: int) -> None:
        operation = call.operation
        lease_id: int = operation.id  # type: ignore[union-attr]  # a LeaseTimeToLive
        there = result.ttl >= 0
        if result.id != lease_id:
            self._never(index, f"it is answered about lease {result.id}, and asked for {lease_id}")
        if there and result.ttl > result.granted_ttl:
            self._never(index, f"{result.ttl} s are left of a lease of {result.granted_ttl} s")
        if there and operation.keys:  # type: ignore[union-attr]  # as above
            low, high = self._narrowed(index, lease_id, result, low, high)
        self._add(lease_id, index, has(lease_id, result.granted_ttl if there else None), 2 * low, 2 * high + 1)

    def _narrowed(
        self, index: int, lease_id: int, result: LeaseTimeToLiveResult, low: int, high: int
    ) -> tuple[int, int]:
        """Between which revisions the lease has the keys that an answer lists."""
        store = self._replay.store
        high = min(high, self._replay.store.revision)
        if high - low > _MOST_REVISIONS:
            where = f"the keys of lease {lease_id}, which may be those of any revision from {low} to {high}"
            self.unknowns.append(
                Unknown(where, f"more than {_MOST_REVISIONS:,} revisions would be looked at", (index,))
            )
            return low, high
        listed = sorted(result.keys)
        right = [revision for revision in range(low, high + 1) if store.attached_at(lease_id, revision) == listed]
        if not right:
            self._wrong(index, f"lease {lease_id} has other keys than {listed} from revision {low} to {high}")
            return low, high
        return right[0], right[-1]

    def _keys_at(self, lease_id: int, revision: int) -> bool:
        number = 0
        for since, keys in self._replay.store.attachments.get(lease_id, ()):
            if since > revision:
                break
            number = keys
        return number > 0

    # What is not known

    def _place_indefinite(self) -> None:
        made = set(self._replay.filled.values())
        for index in self._placed.indefinite:
            call = self._calls[index]
            if isinstance(call.operation, LeaseRevoke):
                self._revokes.setdefault(call.operation.id, []).append(call.invoked)
            match call.operation:
                case LeaseGrant(id=lease_id, ttl=ttl):
                    if lease_id:
                        self._optional_grant(lease_id, ttl, call, index)
                    else:
                        self._nameless.append(index)
                case LeaseRevoke(id=lease_id) if index not in made:
                    for low, high in self._windows(lease_id):
                        self._of(lease_id).entries.append(
                            Entry(end(lease_id), call.invoked, optional=True, low=low, high=high, call=index)
                        )
        unknown = [
            lease_id for lease_id, lease in self._leases.items() if not lease.grants and lease_id not in self._initial
        ]
        for lease_id, index in zip(unknown, self._nameless, strict=False):
            call = self._calls[index]
            self._optional_grant(lease_id, call.operation.ttl, call, index)  # type: ignore[union-attr]  # a LeaseGrant

    def _optional_grant(self, lease_id: int, ttl: int, call: Call, index: int) -> None:
        lease = self._of(lease_id)
        lease.grants.append((call.invoked, max(ttl, self._least_ttl or 1), 0))
        granted = ANY_TTL if self._least_ttl is None else max(ttl, self._least_ttl)
        lease.entries.append(Entry(begin(lease_id, granted), call.invoked, optional=True, call=index))

    def _windows(self, lease_id: int) -> Iterator[tuple[int, int]]:
        """The places at which the end of the lease makes no revision, because it has no keys, or none that shows."""
        low = 0
        for revision, keys in self._replay.store.attachments.get(lease_id, ()):
            if keys and low >= 0:
                yield low, 2 * revision - 1
                low = -1
            elif not keys and low < 0:
                low = 2 * revision + 1
        if low >= 0:
            yield low, FOREVER
        elif self._replay.open_ended:
            yield 2 * self._replay.store.revision + 1, FOREVER

    # The check

    def check(self) -> None:
        """Look for an order of the calls of each lease."""
        for lease_id, lease in self._leases.items():
            self._add_ends(lease_id, lease)
        if self._listings and len(self._leases) > _MOST_LISTED:
            why = f"the history has more than {_MOST_LISTED:,} leases, and a list is checked with all of them"
            self.unknowns.append(Unknown("the lists of all leases", why, (self._listings[0].call,)))
        elif self._listings:
            entries = [entry for lease in self._leases.values() for entry in lease.entries]
            self._search(None, [*entries, *self._listings], self._initial)
            return
        for lease_id, lease in self._leases.items():
            initial = {lease_id: self._initial[lease_id]} if lease_id in self._initial else {}
            self._search(lease_id, lease.entries, initial)

    def _add_ends(self, lease_id: int, lease: _Lease) -> None:
        """The ends that deleted keys, and the chance of an expiry without keys after each grant."""
        once = len(lease.grants) == 1
        lives = [
            (max(asked, lease.renewed if once else 0) + ttl * NANOSECONDS, place)
            for asked, ttl, place in sorted(lease.grants, key=lambda grant: grant[2])
        ]
        expiries = [expiry for expiry, _place in lives]
        for revision, index, sure in self._ended.get(lease_id, ()):
            place, deadline = 2 * revision, self._real_time.deadline(revision)
            if index < 0 and sure and expiries and min(expiries) > deadline:
                what = f"the keys of lease {lease_id} were deleted, which nobody revoked, before its TTL was over"
                self.violations.append(Violation(Anomaly.PHANTOM_WRITE, what, revision=revision))
            begins = [*expiries, *self._revokes.get(lease_id, ())]
            invoked = self._calls[index].invoked if index >= 0 and sure else min(begins, default=0)
            lease.entries.append(
                Entry(
                    end(lease_id),
                    min(invoked, deadline),
                    deadline,
                    optional=not sure,
                    low=place,
                    high=place,
                    call=index,
                )
            )
        windows = list(self._windows(lease_id))
        for number, (expiry, place) in enumerate(lives):
            if expiry > self._over:
                continue
            until = lives[number + 1][1] if place and number + 1 < len(lives) else FOREVER
            first = bisect_left(windows, place, key=lambda window: window[1])
            for low, high in windows[first:]:
                if low > until:
                    break
                lease.entries.append(Entry(end(lease_id), expiry, optional=True, low=low, high=high))

    def _search(self, lease_id: int | None, entries: list[Entry[State]], initial: State) -> None:
        named = "all leases" if lease_id is None else f"lease {lease_id}"
        match find_order(entries, initial, key_of, BUDGET):
            case Found():
                return
            case Impossible(stuck=stuck):
                calls = _calls(entries, stuck)
                ids = self._ended if lease_id is None else (lease_id,)
                unsure = any(not sure for of in ids for _at, _call, sure in self._ended.get(of, ()))
                if unsure:
                    why = "a revision that deletes all its keys may be its end, or another call's doing"
                    self.unknowns.append(Unknown(named, why, calls))
                    return
                shown = calls[0] if calls else -1
                revision = self._placed.revisions[shown] if shown >= 0 else -1
                what = f"{named}: there is no order of its calls in which all of their answers are right"
                self.violations.append(
                    Violation(Anomaly.WRONG_ANSWER, what, calls, revision=revision if revision >= 0 else None)
                )
            case out:
                self.unknowns.append(
                    Unknown(
                        named,
                        f"the search for an order of its calls took more than {BUDGET:,} steps",
                        _calls(entries, out.stuck),
                    )
                )


def _calls(entries: list[Entry[State]], stuck: Iterable[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(entries[index].call for index in stuck if entries[index].call >= 0))
