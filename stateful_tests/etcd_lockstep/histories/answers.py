"""Whether an answer is the model's, and what to call it where it is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from etcd_lockstep.histories.history import Call
from etcd_lockstep.histories.store import Store, footprint
from etcd_lockstep.histories.verdicts import Anomaly, Violation
from etcd_lockstep.histories.words import two_answers_in_words
from etcd_model.errors import Error
from etcd_model.operations import Operation, Range, SortOrder, SortTarget, Txn
from etcd_model.results import DeleteRangeResult, KeyValue, PutResult, RangeResult, Result, TxnResult

SORTED_STABLY = 6
"""Up to so many results, ties of a sort are in the order of their keys in every release (`etcd_model.ranges`)."""

_NEAREST = 512
"""So many revisions on each side are looked at for one at which a wrong answer would have been right."""


def agrees(operation: Operation, expected: Result, observed: Result) -> bool:
    """Whether an answer is the expected one.

    Ties in a long sorted answer come in any order: Go's sort isn't stable.
    """
    return expected == observed or _in_order(operation, expected) == _in_order(operation, observed)


def _in_order(operation: Any, result: Any) -> Any:
    if isinstance(operation, Range) and isinstance(result, RangeResult):
        by = _SORT_FIELDS.get(operation.sort_target)
        sorts = operation.sort_order != SortOrder.NONE or operation.sort_target != SortTarget.KEY
        if by is None or not sorts or operation.limit > 0 or len(result.kvs) <= SORTED_STABLY:
            return result
        descending = operation.sort_order == SortOrder.DESCEND
        by_key = sorted(result.kvs, key=lambda kv: kv.key)
        if [getattr(kv, by) for kv in result.kvs] != sorted([getattr(kv, by) for kv in by_key], reverse=descending):
            return result
        return replace(result, kvs=tuple(by_key))
    if isinstance(operation, Txn) and isinstance(result, TxnResult):
        branch = operation.success if result.succeeded else operation.failure
        if len(branch) == len(result.responses):
            parts = tuple(map(_in_order, branch, result.responses))
            return replace(result, responses=parts) if parts != result.responses else result
    return result


_SORT_FIELDS: dict[int, str] = {
    SortTarget.VERSION: "version",
    SortTarget.CREATE: "create_revision",
    SortTarget.MOD: "mod_revision",
    SortTarget.VALUE: "value",
}


def content(result: Any) -> Any:
    """An answer without the revisions in its headers."""
    if isinstance(result, TxnResult):
        return TxnResult(0, result.succeeded, tuple(map(content, result.responses)))
    return result if isinstance(result, Error) else replace(result, revision=0)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A call whose answer is not the model's."""

    call: int
    base: int
    """The revision whose keys it should have seen: for a write, the one before its own."""
    at: int
    """The revision in its header."""


class Naming:
    """Finds out what a wrong answer is, once the whole history is known."""

    def __init__(self, calls: Sequence[Call], store: Store, mismatches: Sequence[Mismatch], *, accounted: bool) -> None:
        self._calls = calls
        self._store = store
        self._accounted = accounted
        self._missed: dict[int, list[int]] = {}
        """By revision: the reads that miss it."""
        self._named = [self._name(mismatch) for mismatch in mismatches]
        for mismatch, (_violation, missed) in zip(mismatches, self._named, strict=True):
            if missed:
                self._missed.setdefault(missed, []).append(mismatch.call)

    def violations(self) -> Iterator[Violation]:
        """One for each mismatch. A write that several answers miss and that nobody saw is lost, which is said once."""
        lost = set() if self._accounted else {at for at, calls in self._missed.items() if len(calls) > 1}
        if lost:
            lost -= _seen(self._calls)
        said: set[int] = set()
        for violation, missed in self._named:
            if missed in lost:
                if missed not in said:
                    said.add(missed)
                    what = (
                        f"nobody ever saw what was written at revision {missed}, and {len(self._missed[missed])} reads "
                    )
                    yield Violation(
                        Anomaly.LOST_WRITE,
                        f"{what}after it show what was there before",
                        (*self._writer(missed), *self._missed[missed]),
                        revision=missed,
                    )
            else:
                yield violation

    def _writer(self, revision: int) -> list[int]:
        return [
            index
            for index, call in enumerate(self._calls)
            if not isinstance(call.operation, Range) and getattr(call.outcome, "revision", 0) == revision
        ][:1]

    def _name(self, mismatch: Mismatch) -> tuple[Violation, int]:
        """The violation, and the revision that the answer misses, 0 where that is none."""
        call, store = self._calls[mismatch.call], self._store
        observed: Any = call.outcome
        expected, _events = store.answer(call.operation, mismatch.base)

        def made(anomaly: Anomaly, what: str) -> Violation:
            return Violation(anomaly, what, (mismatch.call,), revision=mismatch.at)

        right, wrong = two_answers_in_words(expected, observed)
        at = f"at revision {mismatch.at} the answer is {right}, not {wrong}"
        if torn := self._torn_range(call.operation, observed, expected):
            return made(Anomaly.TORN_TXN, f"it shows a part of what revision {torn} wrote, and not the rest"), 0
        changes = sorted(store.changes(call.operation, 0, store.revision) | {0})
        earlier = [revision for revision in reversed(changes) if revision <= mismatch.base][:_NEAREST]
        later = [revision for revision in changes if revision > mismatch.base][:_NEAREST]
        for revisions, anomaly in ((earlier, Anomaly.STALE_READ), (later, Anomaly.FUTURE_READ)):
            for revision in revisions:
                if self._is_right(call.operation, observed, mismatch.base, revision):
                    following = [change for change in changes if change > revision]
                    missed = following[0] if following and anomaly is Anomaly.STALE_READ else 0
                    until = f"up to revision {missed - 1}" if missed else f"from revision {revision} on"
                    return made(anomaly, f"{at}; that was right {until}"), missed
        if self._torn_txn(call.operation, observed, mismatch.base, [*earlier, *later]):
            return made(Anomaly.TORN_TXN, f"{at}; its parts are right at different revisions"), 0
        return made(Anomaly.WRONG_ANSWER, f"{at}; that was right at no revision"), 0

    def _is_right(self, operation: Operation, observed: Result, base: int, revision: int) -> bool:
        answer, _events = self._store.answer(operation, base, keys_of=revision)
        return agrees(operation, content(answer), content(observed))

    def _torn_range(self, operation: Operation, observed: Any, expected: Any) -> int:
        """The revision of which a read shows a part, and not another; 0 if there is none."""
        shown, right = _shown(observed), _shown(expected)
        ranges = [*footprint(operation)]
        for key in shown.keys() | right.keys():
            if shown.get(key) == right.get(key):
                continue
            revision = max(kv.mod_revision for kv in (shown.get(key), right.get(key)) if kv is not None)
            together = self._store.together.get(revision, ())
            named = [one for one in together if any(one in self._store.known(*of) for of in ranges)]
            after = [one for one in named if (kv := shown.get(one)) is not None and kv.mod_revision == revision]
            if after and len(set(after)) < len(set(named)) and not _limited(operation):
                return revision
        return 0

    def _torn_txn(self, operation: Operation, observed: Any, base: int, revisions: Sequence[int]) -> bool:
        if not isinstance(operation, Txn) or not isinstance(observed, TxnResult) or len(observed.responses) < 2:
            return False
        right = [False] * len(observed.responses)
        for revision in revisions:
            answer, _events = self._store.answer(operation, base, keys_of=revision)
            if isinstance(answer, TxnResult) and answer.succeeded == observed.succeeded:
                for number, (one, other) in enumerate(zip(answer.responses, observed.responses, strict=False)):
                    right[number] |= content(one) == content(other)
        return all(right)


def _limited(operation: Operation) -> bool:
    return isinstance(operation, Range) and (operation.limit > 0 or operation.keys_only or operation.count_only)


def _shown(result: Any) -> dict[bytes, KeyValue]:
    """The key-values in the reads of an answer."""
    if isinstance(result, RangeResult):
        return {kv.key: kv for kv in result.kvs}
    if isinstance(result, TxnResult):
        return {key: kv for response in result.responses for key, kv in _shown(response).items()}
    return {}


def _seen(calls: Iterable[Call]) -> set[int]:
    """The revisions of all key-values that any answer shows."""
    return {kv.mod_revision for call in calls for kv in kvs_in(call.outcome)}


def kvs_in(result: Any) -> Iterator[KeyValue]:
    """Every key-value in an answer, previous ones too."""
    match result:
        case RangeResult():
            yield from result.kvs
        case PutResult():
            if result.prev_kv is not None:
                yield result.prev_kv
        case DeleteRangeResult():
            yield from result.prev_kvs
        case TxnResult():
            for response in result.responses:
                yield from kvs_in(response)
