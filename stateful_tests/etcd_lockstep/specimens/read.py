"""Lies about reads."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from etcd_lockstep.specimens.specimen import HearsWrongly, Specimen, map_responses
from etcd_model import Operation, Result
from etcd_model.errors import COMPACTED, FUTURE_REVISION
from etcd_model.operations import DeleteRange, Range, RequestOp, SortOrder, SortTarget
from etcd_model.ranges import FROM_KEY
from etcd_model.results import KeyValue, RangeResult, ResponseOp


def prefix_end(key: bytes) -> bytes:
    """The end of the range of all keys that begin with a key."""
    stem = key.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else FROM_KEY


# What is read


class AnyOptionMeansCountOnly(HearsWrongly):
    """A read with an option, whichever it is, brings a count and no keys."""

    name = "any-option-means-count-only"

    def hear(self, request: RequestOp) -> RequestOp:
        with_option = isinstance(request, Range) and request != Range(request.key)
        return replace(request, count_only=True) if isinstance(request, Range) and with_option else request


class AnyOptionMeansPrefix(HearsWrongly):
    """A read of one key with an option, whichever it is, is one of all keys that begin with it."""

    name = "any-option-means-prefix"

    def hear(self, request: RequestOp) -> RequestOp:
        if isinstance(request, Range) and request.key and not request.range_end and request != Range(request.key):
            return replace(request, range_end=prefix_end(request.key))
        return request


class AnyOptionMeansPrefixDelete(HearsWrongly):
    """A deletion of one key that asks for what was there deletes all keys that begin with it."""

    name = "any-option-means-prefix-delete"

    def hear(self, request: RequestOp) -> RequestOp:
        if isinstance(request, DeleteRange) and request.key and request.prev_kv and not request.range_end:
            return replace(request, range_end=prefix_end(request.key))
        return request


class CountOnlyReturnsKvs(HearsWrongly):
    """A read that asks for a count alone brings the keys too."""

    name = "count-only-returns-kvs"

    def hear(self, request: RequestOp) -> RequestOp:
        return replace(request, count_only=False) if isinstance(request, Range) else request


class RangeEndAsPrefix(HearsWrongly):
    """A read of a range, wherever it ends, brings the keys that begin with its first."""

    name = "range-end-as-prefix"

    def hear(self, request: RequestOp) -> RequestOp:
        if isinstance(request, Range) and request.key and request.range_end not in (b"", FROM_KEY):
            return replace(request, range_end=prefix_end(request.key))
        return request


class FromKeyEmpty(HearsWrongly):
    """A read from a key on brings nothing: its range end is taken for a key."""

    name = "from-key-empty"

    def hear(self, request: RequestOp) -> RequestOp:
        if isinstance(request, Range) and request.key and request.range_end == FROM_KEY:
            return replace(request, range_end=b"\x00\x00")
        return request


class HistoricalReadWrong(HearsWrongly):
    """A read of the past brings what is there now."""

    name = "historical-read-wrong"

    def hear(self, request: RequestOp) -> RequestOp:
        past = isinstance(request, Range) and self.state.compact_revision <= request.revision <= self.state.revision
        return replace(request, revision=0) if isinstance(request, Range) and past else request


class CompactedReadIsFuture(Specimen):
    """A read of a revision that was compacted is refused as one of a revision that is yet to come."""

    name = "compacted-read-is-future"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return FUTURE_REVISION if isinstance(operation, Range) and result == COMPACTED else result


class FutureReadAccepted(HearsWrongly):
    """A read of a revision that is yet to come brings what is there now."""

    name = "future-read-accepted"

    def hear(self, request: RequestOp) -> RequestOp:
        if isinstance(request, Range) and request.revision > self.state.revision:
            return replace(request, revision=0)
        return request


# How it is cut and sorted


class LimitIgnored(HearsWrongly):
    """A read brings all keys, however many were asked for."""

    name = "limit-ignored"

    def hear(self, request: RequestOp) -> RequestOp:
        return replace(request, limit=0) if isinstance(request, Range) else request


class LimitBeforeSort(Specimen):
    """A read with a limit sorts the first keys only, where it should bring the first of all that it has sorted."""

    name = "limit-before-sort"

    def apply(self, operation: Operation) -> Result:
        if not isinstance(operation, Range) or operation.limit <= 0 or operation.sort_order not in _SORTED:
            return super().apply(operation)
        first = super().apply(replace(operation, sort_order=SortOrder.NONE, sort_target=SortTarget.KEY))
        all_sorted = super().apply(replace(operation, limit=0))
        if not isinstance(first, RangeResult) or not isinstance(all_sorted, RangeResult):
            return all_sorted
        keys = {kv.key for kv in first.kvs}
        return replace(first, kvs=tuple(kv for kv in all_sorted.kvs if kv.key in keys))


_SORTED = (SortOrder.ASCEND, SortOrder.DESCEND)


class RangeFiltersIgnored(HearsWrongly):
    """A read leaves no key out for its revisions."""

    name = "range-filters-ignored"

    def hear(self, request: RequestOp) -> RequestOp:
        if not isinstance(request, Range):
            return request
        return replace(request, min_mod_revision=0, max_mod_revision=0, min_create_revision=0, max_create_revision=0)


class SortIgnored(HearsWrongly):
    """A read brings keys in their own order, whatever was asked for."""

    name = "sort-ignored"

    def hear(self, request: RequestOp) -> RequestOp:
        sensible = isinstance(request, Range) and request.sort_order in tuple(SortOrder)
        if isinstance(request, Range) and sensible:
            return replace(request, sort_order=SortOrder.NONE, sort_target=SortTarget.KEY)
        return request


class KeysOnlyReturnsValues(HearsWrongly):
    """A read that asks for keys alone brings their values too."""

    name = "keys-only-returns-values"

    def hear(self, request: RequestOp) -> RequestOp:
        return replace(request, keys_only=False) if isinstance(request, Range) else request


# What is answered


class ReadSpecimen(Specimen):
    """Answers each read as `read` says, those in txns too."""

    def apply(self, operation: Operation) -> Result:
        def answered(response: ResponseOp) -> ResponseOp:
            return self.read(response) if isinstance(response, RangeResult) else response

        return map_responses(super().apply(operation), answered)

    def read(self, answer: RangeResult) -> RangeResult:
        """What is answered to a read."""
        return answer


class UnsortedRange(ReadSpecimen):
    """A read without a sort brings keys in the order in which they were created, as a map that keeps it."""

    name = "unsorted-range"

    def read(self, answer: RangeResult) -> RangeResult:
        return replace(answer, kvs=tuple(sorted(answer.kvs, key=_created)))


def _created(kv: KeyValue) -> int:
    return kv.create_revision


class CountTruncated(ReadSpecimen):
    """The count is of the keys in the answer, not of all that there are."""

    name = "count-truncated"

    def read(self, answer: RangeResult) -> RangeResult:
        return replace(answer, count=len(answer.kvs)) if answer.more else answer


class MoreMissing(ReadSpecimen):
    """An answer that was cut does not say that there is more."""

    name = "more-missing"

    def read(self, answer: RangeResult) -> RangeResult:
        return replace(answer, more=False)


class FiltersAppliedToCount(Specimen):
    """The count is of the keys that the filters leave."""

    name = "filters-applied-to-count"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        filtered = isinstance(operation, Range) and _is_filtered(operation) and not operation.limit > 0
        if filtered and isinstance(result, RangeResult) and isinstance(operation, Range) and not operation.count_only:
            return replace(result, count=len(result.kvs))
        return result


def _is_filtered(request: Range) -> bool:
    return any(
        (
            request.min_mod_revision,
            request.max_mod_revision,
            request.min_create_revision,
            request.max_create_revision,
        )
    )


class LimitZeroMeansNone(Specimen):
    """A read of a range without a limit brings no keys."""

    name = "limit-zero-means-none"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        without_limit = isinstance(operation, Range) and operation.range_end and not operation.limit
        return replace(result, kvs=()) if without_limit and isinstance(result, RangeResult) else result


class HiddenSuffix(ReadSpecimen):
    """A key that ends in `/info` is never shown, nor counted."""

    name = "hidden-suffix"
    keys: ClassVar[tuple[bytes, ...]] = (b"p", b"p/info", b"p/x", b"p/x/info")

    def read(self, answer: RangeResult) -> RangeResult:
        shown = tuple(kv for kv in answer.kvs if not kv.key.endswith(b"/info"))
        return replace(answer, kvs=shown, count=answer.count - len(answer.kvs) + len(shown))
