"""Compactions: whether each read of the past was still possible, or no longer, when it was answered.

A compaction makes no revision, so compactions, reads of past revisions and refusals are ordered by a search of their
own, on a state that is nothing but the compacted revision.
"""

from __future__ import annotations

from collections.abc import Iterator

from etcd_lockstep.histories.history import History
from etcd_lockstep.histories.placing import Placed, returned
from etcd_lockstep.histories.real_time import RealTime
from etcd_lockstep.histories.verdicts import Anomaly, Unknown, Violation
from etcd_lockstep.histories.wing_gong import BUDGET, Entry, Found, Impossible, find_order
from etcd_model.operations import Compact, Operation, Range, RequestOp, Txn
from etcd_model.results import CompactResult, RangeResult, TxnResult


def past_reads(operation: Operation | RequestOp, result: object) -> Iterator[int]:
    """The past revisions that a call of the KV service has read, as its answer shows."""
    match operation, result:
        case Range(revision=revision), RangeResult() if revision > 0:
            yield revision
        case Txn(), TxnResult():
            branch = operation.success if result.succeeded else operation.failure
            for request, response in zip(branch, result.responses, strict=False):
                yield from past_reads(request, response)


class Compactions:
    """Collects what a history says of compaction, and checks it."""

    def __init__(self, history: History, placed: Placed, real_time: RealTime) -> None:
        self.violations: list[Violation] = []
        self.unknowns: list[Unknown] = []
        self.revisions = {history.beginning.compact_revision}
        """All that may have been compacted at."""
        self._calls = history.calls
        self._placed = placed
        self._initial = history.beginning.compact_revision
        self._entries: list[Entry[int]] = []
        for index in placed.loose:
            if isinstance(history.calls[index].outcome, CompactResult):
                low, high = real_time.floor(index), min(real_time.ceiling(index), placed.revisions[index])
                self._compact(index, low, high, optional=False)
        for index in placed.indefinite:
            if isinstance(history.calls[index].operation, Compact):
                self._compact(index, real_time.floor(index), placed.revisions[index], optional=True)
        self._has_any = bool(self._entries)

    def _compact(self, index: int, low: int, high: int, *, optional: bool) -> None:
        """It is refused at or below the compacted revision, and above the current one."""
        call = self._calls[index]
        at: int = call.operation.revision  # type: ignore[union-attr]  # a Compact
        self.revisions.add(at)
        place = 2 * max(low, at)
        entry = Entry(
            lambda compacted: at if compacted < at else None,
            call.invoked,
            returned(call),
            optional=optional,
            low=place,
            call=index,
        )
        if not optional:
            entry = Entry(entry.step, entry.invoked, entry.returned, low=place, high=2 * high + 1, call=index)
            if at > high:
                what = f"revision {at} was compacted, and the store stood at {high} at most"
                self.violations.append(Violation(Anomaly.WRONG_ANSWER, what, (index,), revision=high))
        self._entries.append(entry)

    def read(self) -> None:
        """Note the reads of the past that were answered."""
        if not self._has_any and self._initial < 0:
            return  # nothing was ever compacted
        placed = self._placed
        for indices, at_write in ((placed.reads, 0), *((claims, 1) for claims in placed.claims.values())):
            for index in indices:
                call = self._calls[index]
                if isinstance(call.operation, Range) and call.operation.revision <= 0:
                    continue
                for revision in past_reads(call.operation, call.outcome):
                    place = 2 * placed.revisions[index] + 1 - at_write
                    self._read(index, revision, place)

    def _read(self, index: int, revision: int, place: int) -> None:
        call = self._calls[index]
        self._entries.append(
            Entry(
                lambda compacted: compacted if revision >= compacted else None,
                call.invoked,
                returned(call),
                low=place,
                high=place,
                call=index,
            )
        )

    def refused(self, index: int, revision: int, low: int, high: int, *, itself: bool = False) -> None:
        """A call was refused between two places, because a revision is compacted. `itself`: the compacted revision is
        refused too, which is so for another compaction, but not for a read."""
        call = self._calls[index]
        self._entries.append(
            Entry(
                lambda compacted: compacted if revision < compacted + itself else None,
                call.invoked,
                returned(call),
                low=low,
                high=high,
                call=index,
            )
        )

    def check(self) -> None:
        """Look for an order of them."""
        match find_order(self._entries, self._initial, lambda compacted: compacted, BUDGET):
            case Found():
                return
            case Impossible(stuck=stuck):
                calls = tuple(self._entries[index].call for index in stuck)
                what = "there is no order of the compactions in which these were answered rightly"
                revision = self._placed.revisions[calls[0]] if calls else -1
                self.violations.append(
                    Violation(Anomaly.WRONG_ANSWER, what, calls, revision=revision if revision >= 0 else None)
                )
            case out:
                why = f"the search for their order took more than {BUDGET:,} steps"
                stuck_calls = tuple(self._entries[index].call for index in out.stuck)
                self.unknowns.append(Unknown("the compactions", why, stuck_calls))
