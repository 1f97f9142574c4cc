"""Lies about reads."""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep.specimens.specimen import Specimen, map_requests
from etcd_model import Operation, Result
from etcd_model.operations import Range, RequestOp


class AnyOptionMeansCountOnly(Specimen):
    """A read with an option, whichever it is, brings a count and no keys."""

    name = "any-option-means-count-only"

    def apply(self, operation: Operation) -> Result:
        return super().apply(map_requests(operation, _counting_with_any_option))


def _counting_with_any_option(request: RequestOp) -> RequestOp:
    if isinstance(request, Range) and request != Range(request.key):
        return replace(request, count_only=True)
    return request


class CountOnlyReturnsKvs(Specimen):
    """A read that asks for a count alone brings the keys too."""

    name = "count-only-returns-kvs"

    def apply(self, operation: Operation) -> Result:
        return super().apply(map_requests(operation, _with_kvs))


def _with_kvs(request: RequestOp) -> RequestOp:
    return replace(request, count_only=False) if isinstance(request, Range) else request
