"""Lies about puts and deletions."""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep.specimens.specimen import HearsWrongly, Specimen, map_responses
from etcd_model import Operation, Result, step
from etcd_model.errors import EMPTY_KEY, KEY_NOT_FOUND
from etcd_model.operations import DeleteRange, Put, RequestOp
from etcd_model.results import DeleteRangeResult, PutResult, ResponseOp


class PrefixDeleteIsExact(HearsWrongly):
    """A deletion of a range deletes its first key alone."""

    name = "prefix-delete-is-exact"

    def hear(self, request: RequestOp) -> RequestOp:
        return replace(request, range_end=b"") if isinstance(request, DeleteRange) else request


class DeletedCountWrong(Specimen):
    """A deletion is said to have deleted nothing."""

    name = "deleted-count-wrong"

    def apply(self, operation: Operation) -> Result:
        return map_responses(super().apply(operation), _uncounted)


def _uncounted(response: ResponseOp) -> ResponseOp:
    return replace(response, deleted=0) if isinstance(response, DeleteRangeResult) else response


class DeletedCountAlwaysOne(Specimen):
    """A deletion of one key is said to have deleted it, be it there or not."""

    name = "deleted-count-always-one"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        of_one = isinstance(operation, DeleteRange) and not operation.range_end
        return replace(result, deleted=1) if of_one and isinstance(result, DeleteRangeResult) else result


class PrevKvAbsent(HearsWrongly):
    """A put does not bring what was there, though that was asked for."""

    name = "prev-kv-absent"

    def hear(self, request: RequestOp) -> RequestOp:
        return replace(request, prev_kv=False) if isinstance(request, Put) else request


class PrevKvAlwaysPresent(HearsWrongly):
    """A put brings what was there, though that was not asked for."""

    name = "prev-kv-always-present"

    def hear(self, request: RequestOp) -> RequestOp:
        return replace(request, prev_kv=True) if isinstance(request, Put) else request


class PrevKvIsTheNewValue(Specimen):
    """A put that is asked for what was there brings what it has put."""

    name = "prev-kv-is-the-new-value"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, Put) and isinstance(result, PutResult) and result.prev_kv is not None:
            return replace(result, prev_kv=self.state.keys[operation.key])
        return result


class DeletePrevKvsAbsent(HearsWrongly):
    """A deletion does not bring what was there, though that was asked for."""

    name = "delete-prev-kvs-absent"

    def hear(self, request: RequestOp) -> RequestOp:
        return replace(request, prev_kv=False) if isinstance(request, DeleteRange) else request


class IgnoreValueAcceptsMissing(Specimen):
    """A put that is to keep the value of a key which is not there creates it, without one."""

    name = "ignore-value-accepts-missing"

    def apply(self, operation: Operation) -> Result:
        _, honest = step(self.state, operation)
        if isinstance(operation, Put) and honest == KEY_NOT_FOUND:
            operation = replace(operation, ignore_value=False, ignore_lease=False)
        return super().apply(operation)


class LongValuesCut(HearsWrongly):
    """A value is kept up to its first 1024 bytes, as in a column of a database."""

    name = "long-values-cut"

    def hear(self, request: RequestOp) -> RequestOp:
        return replace(request, value=request.value[:1024]) if isinstance(request, Put) else request


class ValuesStripped(HearsWrongly):
    """A value is kept without the blanks around it."""

    name = "values-stripped"

    def hear(self, request: RequestOp) -> RequestOp:
        return replace(request, value=request.value.strip()) if isinstance(request, Put) else request


class NumbersKeptAsDoubles(HearsWrongly):
    """A value that is a whole number is kept as a double, as by what decodes values as JSON in JavaScript."""

    name = "numbers-kept-as-doubles"

    def hear(self, request: RequestOp) -> RequestOp:
        if isinstance(request, Put) and request.value.isdigit():
            return replace(request, value=b"%d" % float(request.value))
        return request


class EmptyKeyAccepted(Specimen):
    """A put without a key succeeds, and puts nothing."""

    name = "empty-key-accepted"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return PutResult(self.state.revision) if isinstance(operation, Put) and result == EMPTY_KEY else result
