"""Lies about transactions."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from etcd_lockstep.specimens.specimen import Specimen, map_compares, map_requests
from etcd_model import Error, Operation, Result, Server, step
from etcd_model.errors import DUPLICATE_KEY, LEASE_NOT_FOUND, Code
from etcd_model.operations import Compare, CompareResult, CompareTarget, Put, Range, RequestOp, Txn
from etcd_model.ranges import select
from etcd_model.results import TxnResult


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


class JudgesWrongly(Specimen):
    """Judges each compare of a txn as `judge` says."""

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Txn):
            operation = map_compares(operation, lambda compares: tuple(map(self.judge, compares)))
        return super().apply(operation)

    def judge(self, compare: Compare) -> Compare:
        """The compare that is evaluated for one."""
        return compare

    def is_absent(self, compare: Compare) -> bool:
        """Whether there is no key that a compare names."""
        return not select(self.state.keys, compare.key, compare.range_end)


class LastCompareWins(Specimen):
    """Of a txn's compares, the last decides."""

    name = "last-compare-wins"

    def apply(self, operation: Operation) -> Result:
        return super().apply(map_compares(operation, _last_decides) if isinstance(operation, Txn) else operation)


def _last_decides(compares: tuple[Compare, ...]) -> tuple[Compare, ...]:
    return (*map(_always_true, compares[:-1]), *compares[-1:])


class OperatorIgnored(JudgesWrongly):
    """Whatever the operator of a compare, equality is what is looked at."""

    name = "operator-ignored"

    def judge(self, compare: Compare) -> Compare:
        return replace(compare, result=CompareResult.EQUAL)


class TargetIgnored(JudgesWrongly):
    """A compare of a value looks whether the key is absent."""

    name = "target-ignored"

    def judge(self, compare: Compare) -> Compare:
        if compare.target == CompareTarget.VALUE:
            return replace(compare, target=CompareTarget.CREATE, operand=0)
        return compare


class MissingValueComparesAsEmpty(JudgesWrongly):
    """The value of a key that is not there compares as an empty one."""

    name = "missing-value-compares-as-empty"

    def judge(self, compare: Compare) -> Compare:
        if compare.target == CompareTarget.VALUE and self.is_absent(compare) and isinstance(compare.operand, bytes):
            # No version is negative: of an empty key's, 0, all that is asked of an empty value can be asked.
            return replace(compare, target=CompareTarget.VERSION, operand=len(compare.operand))
        return compare


class ValuesComparedAsNumbers(JudgesWrongly):
    """Values that are numbers compare as numbers, so that 9 is less than 10."""

    name = "values-compared-as-numbers"

    def judge(self, compare: Compare) -> Compare:
        there = self.state.keys.get(compare.key)
        if there is None or compare.range_end or compare.target != CompareTarget.VALUE:
            return compare
        if not (isinstance(compare.operand, bytes) and compare.operand.isdigit() and there.value.isdigit()):
            return compare
        # The version stands for the key's number: what it is compared with is as far below it or above.
        difference = int(compare.operand) - int(there.value)
        return replace(compare, target=CompareTarget.VERSION, operand=there.version + difference)


class ZeroCompareOnAbsentFails(JudgesWrongly):
    """No compare holds of a key that is not there."""

    name = "zero-compare-on-absent-fails"

    def judge(self, compare: Compare) -> Compare:
        return _never_true(compare) if self.is_absent(compare) and not compare.range_end else compare


class RangeCompareOverNothing(JudgesWrongly):
    """A compare over a range in which there is no key holds, whatever it asks."""

    name = "range-compare-over-nothing"

    def judge(self, compare: Compare) -> Compare:
        return _always_true(compare) if compare.range_end and self.is_absent(compare) else compare


def _never_true(compare: Compare) -> Compare:
    return replace(compare, target=CompareTarget.CREATE, result=CompareResult.LESS, operand=0)


class EmptyCompareFails(Specimen):
    """A txn that compares nothing takes the other branch."""

    name = "empty-compare-fails"

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Txn) and not operation.compare:
            operation = replace(operation, compare=(_never_true(Compare(b"a", 0, 0, 0)),))
        return super().apply(operation)


class FailedCompareRaises(Specimen):
    """A txn whose compares do not hold is an error, and nothing is done."""

    name = "failed-compare-raises"

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)
        if isinstance(result, TxnResult) and not result.succeeded:
            self.state = before
            return Error(Code.FAILED_PRECONDITION, "compare failed")
        return result


# What is done


class ElseDropped(Specimen):
    """What a txn is to do where its compares do not hold is not done."""

    name = "else-dropped"

    def apply(self, operation: Operation) -> Result:
        _, honest = step(self.state, operation)
        if isinstance(operation, Txn) and not isinstance(honest, Error):
            operation = replace(operation, failure=())
        return super().apply(operation)


class ThenHandlesOnlyPut(Specimen):
    """A txn whose compares hold does nothing but its puts."""

    name = "then-handles-only-put"

    def apply(self, operation: Operation) -> Result:
        _, honest = step(self.state, operation)
        if isinstance(operation, Txn) and not isinstance(honest, Error):
            operation = replace(operation, success=tuple(one for one in operation.success if isinstance(one, Put)))
        return super().apply(operation)


class TxnResponsesMissing(Specimen):
    """A txn does not answer for what it did."""

    name = "txn-responses-missing"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return replace(result, responses=()) if isinstance(result, TxnResult) else result


class TxnResponsesDoubled(Specimen):
    """A txn answers twice for all that it did."""

    name = "txn-responses-doubled"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return replace(result, responses=result.responses * 2) if isinstance(result, TxnResult) else result


class DuplicateKeyAccepted(Specimen):
    """A txn that writes a key twice is carried out as far as its first write."""

    name = "duplicate-key-accepted"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, Txn) and result == DUPLICATE_KEY:
            return super().apply(Txn(operation.compare, operation.success[:1], operation.failure[:1]))
        return result


class TxnNotRolledBack(Specimen):
    """Of a txn that is refused for the lease of a put, what comes before that put is carried out."""

    name = "txn-not-rolled-back"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, Txn) and result == LEASE_NOT_FOUND:
            super().apply(Txn(operation.compare, self._begun(operation.success), self._begun(operation.failure)))
        return result

    def _begun(self, requests: tuple[RequestOp, ...]) -> tuple[RequestOp, ...]:
        def can_go_on(request: RequestOp) -> bool:
            return not isinstance(request, Put) or not request.lease or request.lease in self.state.leases

        return tuple(takewhile(can_go_on, requests))


class TooManyOpsAccepted(Specimen):
    """A txn may have as many operations as it likes."""

    name = "too-many-ops-accepted"

    def emulate(self, server: Server) -> None:
        super().emulate(replace(server, max_txn_ops=2**31))  # more than a request of legal size can hold


class NoReadYourWrites(Specimen):
    """The reads of a txn see the store as it was before it."""

    name = "no-read-your-writes"

    def apply(self, operation: Operation) -> Result:
        def before_the_txn(request: RequestOp) -> RequestOp:
            if isinstance(request, Range) and request.revision == 0:
                return replace(request, revision=self.state.revision)
            return request

        return super().apply(map_requests(operation, before_the_txn) if isinstance(operation, Txn) else operation)
