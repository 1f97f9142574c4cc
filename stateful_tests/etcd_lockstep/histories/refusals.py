"""Refusals: a definite error must be the model's answer at some revision at which the call may have been looked at.

An error has no header. So it is placed between the revision that the store had reached when the call was invoked, and
the first one that was answered to a call that was invoked after it had returned.
"""

from __future__ import annotations

from collections.abc import Iterator

from etcd_lockstep.histories.compactions import Compactions
from etcd_lockstep.histories.history import Call, History
from etcd_lockstep.histories.leases import Leases
from etcd_lockstep.histories.placing import Placed, serializable
from etcd_lockstep.histories.real_time import RealTime
from etcd_lockstep.histories.store import NO_LEASE, Store, lease_ids
from etcd_lockstep.histories.verdicts import Anomaly, Unknown, Violation
from etcd_lockstep.histories.words import answer_in_words
from etcd_model import errors
from etcd_model.errors import Error
from etcd_model.lease import MAX_TTL
from etcd_model.operations import Compact, LeaseGrant, LeaseRevoke, Operation, Range, RequestOp, Txn

DUE_TO_THE_STORE = frozenset(
    {
        errors.EMPTY_KEY,
        errors.KEY_NOT_FOUND,
        errors.VALUE_PROVIDED,
        errors.LEASE_PROVIDED,
        errors.TOO_MANY_OPS,
        errors.DUPLICATE_KEY,
        errors.INVALID_SORT_OPTION,
        errors.COMPACTED,
        errors.FUTURE_REVISION,
        errors.LEASE_NOT_FOUND,
        errors.LEASE_EXIST,
        errors.LEASE_TTL_TOO_LARGE,
        errors.TOO_LARGE,
    }
)
"""The errors that follow from the request, the keys, the leases and the compaction. Whether any other was due is not
checked."""

_MOST_REVISIONS = 10_000
"""So many revisions are looked at for one at which a refusal was right."""


class Refusals:
    """Checks the definite errors of a history, and leaves to the checks of leases and compactions what is theirs."""

    def __init__(
        self,
        history: History,
        placed: Placed,
        real_time: RealTime,
        store: Store,
        leases: Leases,
        compactions: Compactions,
    ) -> None:
        self.violations: list[Violation] = []
        self.unknowns: list[Unknown] = []
        self.unchecked = 0
        """How many refusals had another reason."""
        self._store = store
        self._leases = leases
        self._compactions = compactions
        for index in placed.refused:
            call = history.calls[index]
            assert isinstance(call.outcome, Error)
            if call.outcome in DUE_TO_THE_STORE:
                old = serializable(call.operation)
                low = history.beginning.revision if old else real_time.floor(index)
                high = min(real_time.ceiling(index), store.revision)
                self._check(index, call, call.outcome, low, max(low, high))
            else:
                self.unchecked += 1

    def _check(self, index: int, call: Call, error: Error, low: int, high: int) -> None:
        match call.operation:
            case LeaseGrant(id=lease_id, ttl=ttl):
                if error == errors.LEASE_EXIST and lease_id and ttl <= MAX_TTL:
                    self._leases.need(lease_id, index, 2 * low, 2 * high + 1)
                elif error != errors.LEASE_TTL_TOO_LARGE or ttl <= MAX_TTL:
                    self._wrong(index, error, low, high)
            case LeaseRevoke(id=lease_id):
                if error == errors.LEASE_NOT_FOUND:
                    self._leases.miss(lease_id, index, 2 * low, 2 * high + 1)
                else:
                    self._wrong(index, error, low, high)
            case Compact(revision=revision):
                self._check_compact(index, revision, error, low, high)
            case Range(revision=revision) if error == errors.COMPACTED and revision > 0:
                if revision > high:
                    self._wrong(index, error, low, high)
                else:
                    self._compactions.refused(index, revision, 2 * max(low, revision), 2 * high + 1)
            case operation:
                self._check_kv(index, operation, error, low, high)

    def _check_compact(self, index: int, revision: int, error: Error, low: int, high: int) -> None:
        if error == errors.COMPACTED:
            self._compactions.refused(index, revision, 2 * low, 2 * high + 1, itself=True)
        elif error != errors.FUTURE_REVISION or revision <= low:
            self._wrong(index, error, low, high)

    def _check_kv(self, index: int, operation: Operation, error: Error, low: int, high: int) -> None:
        revisions = sorted({low, *self._store.changes(operation, low, high)})
        if _reads_the_past(operation):
            revisions = [*range(low, min(high, low + _MOST_REVISIONS) + 1)]
        if len(revisions) > _MOST_REVISIONS:
            where = f"a refusal that may have been given anywhere from revision {low} to {high}"
            self.unknowns.append(
                Unknown(where, f"more than {_MOST_REVISIONS:,} revisions would be looked at", (index,))
            )
            return
        right = [at for at in revisions if self._store.answer(operation, at)[0] == error]
        if right:
            self._check_needed(index, operation, error, revisions, right, high)
        elif error == errors.LEASE_NOT_FOUND:
            self._check_lease(index, operation, revisions, low, high)
        elif error == errors.COMPACTED:
            self._check_compacted(index, operation, revisions, low, high)
        else:
            self._wrong(index, error, low, high)

    def _check_needed(
        self, index: int, operation: Operation, error: Error, revisions: list[int], right: list[int], high: int
    ) -> None:
        """A refusal that is right at some revisions if its leases are there; it may be right without, because they come
        later."""
        named = set(lease_ids(operation))
        if not named or any(self._store.answer(operation, at, leases=NO_LEASE)[0] == error for at in right):
            return
        if len(named) > 1:
            self._undecided(index, "which of its leases was there, and when,")
            return
        ends = [*(at - 1 for at in revisions[1:]), high]
        places = [(2 * at, 2 * end + 1) for at, end in zip(revisions, ends, strict=True) if at in right]
        self._leases.need_somewhere(named.pop(), index, places)

    def _check_lease(self, index: int, operation: Operation, revisions: list[int], low: int, high: int) -> None:
        named = set(lease_ids(operation))
        right = [
            at for at in revisions if self._store.answer(operation, at, leases=NO_LEASE)[0] == errors.LEASE_NOT_FOUND
        ]
        if not right or not named:
            self._wrong(index, errors.LEASE_NOT_FOUND, low, high)
        elif len(named) > 1 or len(right) < len(revisions):
            self._undecided(index, "which of its leases was missing, and when,")
        else:
            self._leases.miss(named.pop(), index, 2 * low, 2 * high + 1)

    def _check_compacted(self, index: int, operation: Operation, revisions: list[int], low: int, high: int) -> None:
        asked = set(_past(operation))
        right = [
            at for at in revisions if self._store.answer(operation, at, compact_revision=at + 1)[0] == errors.COMPACTED
        ]
        if not right or not asked:
            self._wrong(index, errors.COMPACTED, low, high)
        elif len(asked) > 1 or right != revisions[-len(right) :]:
            self._undecided(index, "which of the revisions that it reads was compacted")
        else:
            self._compactions.refused(index, asked.pop(), 2 * right[0], 2 * high + 1)

    def _undecided(self, index: int, what: str) -> None:
        self.unknowns.append(Unknown("a txn that was refused", f"{what} is not decided", (index,)))

    def _wrong(self, index: int, error: Error, low: int, high: int) -> None:
        where = f"at revision {low}" if low == high else f"from revision {low} to {high}"
        what = f"{answer_in_words(error)} was due nowhere {where}"
        self.violations.append(Violation(Anomaly.WRONG_ANSWER, what, (index,), revision=low))


def _past(operation: Operation | RequestOp) -> Iterator[int]:
    match operation:
        case Range(revision=revision):
            if revision:
                yield revision
        case Txn():
            for request in (*operation.success, *operation.failure):
                yield from _past(request)


def _reads_the_past(operation: Operation) -> bool:
    return any(True for _ in _past(operation))
