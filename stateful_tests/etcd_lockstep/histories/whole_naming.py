"""What to call a violation where there are no revisions to say it by: from the values that were read and written."""

from __future__ import annotations

from collections.abc import Sequence

from etcd_lockstep.histories.history import Call, Indefinite
from etcd_lockstep.histories.placing import returned
from etcd_lockstep.histories.verdicts import Anomaly, Violation
from etcd_lockstep.histories.words import quoted
from etcd_model.errors import Error
from etcd_model.operations import Operation, Put, Range, RequestOp, Txn
from etcd_model.results import RangeResult

_NO_ORDER = "there is no order of the calls on these keys in which all of their answers are right"


def name(calls: Sequence[Call], group: Sequence[int], stuck: Sequence[int]) -> Violation:
    """The violation of a group of calls for which there is no order; `stuck`: those that no order could go on with."""
    for index in sorted(stuck, key=lambda index: returned(calls[index])):
        operation, result = calls[index].operation, calls[index].outcome
        if isinstance(operation, Range) and isinstance(result, RangeResult) and not operation.range_end:
            value = result.kvs[0].value if result.kvs else None
            return _name_read(calls, group, index, operation.key, value)
    return Violation(Anomaly.WRONG_ANSWER, _NO_ORDER, tuple(stuck or group[:1]))


def _name_read(calls: Sequence[Call], group: Sequence[int], index: int, key: bytes, value: bytes | None) -> Violation:
    read, name = calls[index], quoted(key)
    writers = [other for other in group if value is not None and (key, value) in _puts(calls[other].operation)]
    effective = [other for other in writers if not isinstance(calls[other].outcome, Error)]
    shown = "nothing" if value is None else quoted(value)
    if value is not None and not effective:
        return Violation(Anomaly.PHANTOM_WRITE, f"it read {shown}, which no call wrote to {name}", (index,))
    if effective and all(calls[other].invoked > returned(read) for other in effective):
        what = f"it read {shown}, which was only written to {name} after it had returned"
        return Violation(Anomaly.FUTURE_READ, what, (index, effective[0]))
    newer = [
        other
        for other in group
        if _is_certain_put(calls[other], key, value)
        and returned(calls[other]) < read.invoked
        and all(returned(calls[writer]) < calls[other].invoked for writer in effective)
    ]
    if newer:
        last = max(newer, key=lambda other: calls[other].invoked)
        written: bytes = calls[last].operation.value  # type: ignore[union-attr]  # a Put
        if not any(_shows(calls[other], key, written) for other in group):
            what = f"{quoted(written)} was written to {name} and acknowledged, and nobody ever read it"
            return Violation(Anomaly.LOST_WRITE, what, (last, index))
        what = f"it read {shown} from {name}, where {quoted(written)} had been written"
        return Violation(Anomaly.STALE_READ, what, (index, last))
    return Violation(Anomaly.WRONG_ANSWER, _NO_ORDER, (index,))


def _puts(operation: Operation | RequestOp) -> set[tuple[bytes, bytes]]:
    match operation:
        case Put(key=key, value=value):
            return {(key, value)}
        case Txn():
            return {put for request in (*operation.success, *operation.failure) for put in _puts(request)}
    return set()


def _is_certain_put(call: Call, key: bytes, value: bytes | None) -> bool:
    """Whether a call put another value to the key, and was acknowledged."""
    operation = call.operation
    certain = not isinstance(call.outcome, Error | Indefinite)
    return certain and isinstance(operation, Put) and operation.key == key and operation.value != value


def _shows(call: Call, key: bytes, value: bytes) -> bool:
    return isinstance(call.outcome, RangeResult) and any((kv.key, kv.value) == (key, value) for kv in call.outcome.kvs)
