"""Lies about transactions."""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep.specimens.specimen import Specimen, map_compares, map_requests
from etcd_model import Operation, Result
from etcd_model.operations import Compare, CompareResult, CompareTarget, Range, RequestOp, Txn


class OnlyFirstCompare(Specimen):
    """Of a txn's compares, the first decides."""

    name = "only-first-compare"

    def apply(self, operation: Operation) -> Result:
        return super().apply(map_compares(operation, _first_decides) if isinstance(operation, Txn) else operation)


def _first_decides(compares: tuple[Compare, ...]) -> tuple[Compare, ...]:
    """The others stay, since a txn may be refused for their keys or their number; but they hold, whatever is there."""
    return (*compares[:1], *(_always_true(compare) for compare in compares[1:]))


def _always_true(compare: Compare) -> Compare:
    return replace(compare, target=CompareTarget.CREATE, result=CompareResult.GREATER, operand=-1)


class NoReadYourWrites(Specimen):
    """The reads of a txn see the store as it was before it."""

    name = "no-read-your-writes"

    def apply(self, operation: Operation) -> Result:
        def before_the_txn(request: RequestOp) -> RequestOp:
            if isinstance(request, Range) and request.revision == 0:
                return replace(request, revision=self.state.revision)
            return request

        return super().apply(map_requests(operation, before_the_txn) if isinstance(operation, Txn) else operation)
