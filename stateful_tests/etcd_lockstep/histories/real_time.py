"""Real time: what had returned before a call was invoked comes before it in the store's order."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from etcd_lockstep.histories.history import FOREVER, History
from etcd_lockstep.histories.placing import Placed, returned
from etcd_lockstep.histories.verdicts import Anomaly, Violation


class RealTime:
    """The sweep over a history's times: what it breaks, and the bounds that it sets."""

    def __init__(self, history: History, placed: Placed) -> None:
        calls = history.calls
        self._beginning = history.beginning.revision
        self._calls = calls
        self._placed = placed
        self._sightings = [
            (response.received, response.events[-1].kv.mod_revision)
            for watch in history.watches
            for response in watch.responses
            if response.events
        ]
        self.floors = array("q", [self._beginning]) * len(calls)
        """By call: the revision that the store had reached for certain when it was invoked."""
        self._by_invoked = sorted(range(len(calls)), key=[call.invoked for call in calls].__getitem__)
        self._ceilings: list[int] | None = None
        self._invoked: list[int] = []
        self._deadlines: tuple[list[int], list[int]] | None = None

    def violations(self) -> Iterator[Violation]:
        """Every call that is placed before one that had returned by then. Computes `floors` on the way.

        What only follows from a header that was named already is left out. A header that is too high makes every later
        answer look stale; it is the offender if writes came later that are below it.
        """
        found = list(self._sweep())
        too_high = {violation.calls[-1] for violation in found if violation.anomaly is Anomaly.REAL_TIME}
        too_high |= {violation.calls[0] for violation in found if violation.anomaly is Anomaly.FUTURE_READ}
        offenders: set[int] = set()
        for violation in found:
            if violation.anomaly is Anomaly.STALE_READ and not too_high.isdisjoint(violation.calls[1:]):
                continue
            if offenders.isdisjoint(violation.calls):
                yield violation
            offenders.add(violation.calls[0])

    def _sweep(self) -> Iterator[Violation]:
        calls, placed = self._calls, self._placed
        revisions, writes, stale, floors = placed.revisions, placed.writes, placed.stale, self.floors
        times = [call.returned or 0 for call in calls]
        times += [received for received, _revision in self._sightings]
        sighted = [revision for _received, revision in self._sightings]
        number = len(calls)
        seen = sorted(
            [*(index for index in range(number) if revisions[index] >= 0), *range(number, number + len(sighted))],
            key=times.__getitem__,
        )
        highest, source, position = self._beginning, -1, 0
        for index in self._by_invoked:
            invoked = calls[index].invoked
            while position < len(seen) and times[seen[position]] < invoked:
                other = seen[position]
                revision = revisions[other] if other < number else sighted[other - number]
                if revision > highest:
                    highest, source = revision, other
                position += 1
            floors[index] = highest
            revision = revisions[index]
            if 0 <= revision <= highest:
                if writes[index]:
                    yield self._overtaken(index, source, revision, highest)
                elif revision < highest and not stale[index]:
                    before = f"after {self._named(source)} had returned at {highest}"
                    yield Violation(
                        Anomaly.STALE_READ,
                        f"it was answered at revision {revision}, {before}",
                        (index, source) if 0 <= source < number else (index,),
                        revision=revision,
                    )

    def _overtaken(self, index: int, source: int, revision: int, highest: int) -> Violation:
        """A write that made a revision which had been seen before it was invoked."""
        if source < 0:
            what = f"it made revision {revision}, and the store stood at {highest} before the first call"
            return Violation(Anomaly.REAL_TIME, what, (index,), revision=revision)
        if source >= len(self._calls):
            what = f"a watcher was sent revision {highest} before the call that made {revision} was invoked"
            return Violation(Anomaly.FUTURE_READ, what, (index,), revision=revision)
        if self._placed.writes[source]:
            what = f"it made revision {revision}, after a write had returned with revision {highest}"
            return Violation(Anomaly.REAL_TIME, what, (index, source), revision=revision)
        what = f"it was answered at revision {highest} before the write that made {revision} was invoked"
        return Violation(Anomaly.FUTURE_READ, what, (source, index), revision=highest)

    def _named(self, source: int) -> str:
        if source < 0:
            return "the first revision"
        if source >= len(self._calls):
            return "an event"
        return "a write" if self._placed.writes[source] else "a call"

    def floor(self, index: int) -> int:
        """The least revision that a call may have been answered at."""
        return self.floors[index]

    def ceiling(self, index: int) -> int:
        """The greatest: what was invoked after it had returned comes after it."""
        if self._ceilings is None:
            self._ceilings = self._suffixes()
        after = bisect_right(self._invoked, returned(self._calls[index]))
        return self._ceilings[after]

    def _suffixes(self) -> list[int]:
        """By position among the invocations: the least revision that any call from there on was answered at."""
        calls, placed = self._calls, self._placed
        self._invoked = [calls[index].invoked for index in self._by_invoked]
        least, ceilings = FOREVER, [FOREVER] * (len(calls) + 1)
        for position in range(len(calls) - 1, -1, -1):
            index = self._by_invoked[position]
            revision = placed.revisions[index]
            if revision >= 0 and not placed.stale[index]:
                least = min(least, revision - placed.writes[index])
            ceilings[position] = least
        return ceilings

    def deadline(self, revision: int) -> int:
        """When a revision had been made for certain: the first time that anybody was answered there or later."""
        if self._deadlines is None:
            self._deadlines = self._first_seen()
        known, times = self._deadlines
        position = bisect_left(known, revision)
        return times[position] if position < len(times) else FOREVER

    def _first_seen(self) -> tuple[list[int], list[int]]:
        first: dict[int, int] = {}
        for index, revision in enumerate(self._placed.revisions):
            if revision >= 0:
                time = returned(self._calls[index])
                if time < first.get(revision, FOREVER):
                    first[revision] = time
        for time, revision in self._sightings:
            if time < first.get(revision, FOREVER):
                first[revision] = time
        known = sorted(first)
        times: list[int] = [first[revision] for revision in known]
        for position in range(len(times) - 2, -1, -1):
            times[position] = min(times[position], times[position + 1])
        return known, times


def beyond_the_account(history: History, placed: Placed) -> Iterator[Violation]:
    """Every answer at a revision that the account, which was asked for later, does not reach."""
    account = history.account
    if account is None or max(placed.revisions, default=0) <= account.until:
        return
    for index, revision in enumerate(placed.revisions):
        if revision > account.until and (history.calls[index].returned or 0) < account.asked:
            what = f"it was answered at revision {revision}, and the account ends at {account.until}"
            anomaly = Anomaly.LOST_WRITE if placed.writes[index] else Anomaly.FUTURE_READ
            yield Violation(anomaly, what, (index,), revision=revision)


def last_revision(history: History, placed: Placed, known: Sequence[int]) -> int:
    """The highest revision that anything in the history says there is."""
    sighted = (
        event.kv.mod_revision for watch in history.watches for response in watch.responses for event in response.events
    )
    return max(max(placed.revisions, default=0), history.beginning.revision, *known, max(sighted, default=0))
