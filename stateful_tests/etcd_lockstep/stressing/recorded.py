"""The calls that a round made, as a script that can be played again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from etcd_lockstep.histories import Call
from etcd_lockstep.stressing.nemesis import Planned
from etcd_lockstep.stressing.scripts import Fixed, revision_after
from etcd_lockstep.trace import RevisionAt, Trace
from etcd_model import operations as op
from etcd_model.operations import Operation


def script_of(
    calls: Iterable[Call],
    beginning: int,
    fault: Planned | None = None,
    began: int | None = None,
    until: int | None = None,
) -> Fixed:
    """The same calls again, the revisions in them relative to what each client had been answered.

    Args:
        calls: Of one round, in any order.
        beginning: The store's revision before the first of them.
        fault: What was done meanwhile.
        began: When, in nanoseconds of the calls' clock.
        until: Calls that were invoked later are left out.
    """
    made = [call for call in sorted(calls, key=lambda call: call.invoked) if until is None or call.invoked <= until]
    clients = sorted({call.client for call in made})
    traces = tuple(_trace([call for call in made if call.client == client], beginning) for client in clients)
    if fault is None or began is None or (until is not None and began > until):
        return Fixed(traces)
    return Fixed(traces, fault, sum(call.returned is not None and call.returned < began for call in made))


def _trace(calls: Sequence[Call], beginning: int) -> Trace:
    """Of one client."""
    revisions = [beginning]
    trace: list[Operation] = []
    for call in calls:
        trace.append(_relative(call.operation, revisions))
        revisions.append(revision_after(call.outcome, revisions[-1]))
    return tuple(trace)


def _relative(operation: Operation, revisions: Sequence[int]) -> Operation:
    match operation:
        case op.Range(revision=revision) if revision > 0:
            return replace(operation, revision=_symbol(revision, revisions))
        case op.Txn(compare=compares):
            return replace(operation, compare=tuple(_relative_compare(one, revisions) for one in compares))
        case _:
            return operation


def _relative_compare(compare: op.Compare, revisions: Sequence[int]) -> op.Compare:
    """That a key has the revision which the client has read becomes that it has none above that of the client's last
    answer: both say that nobody has written it since, though the second also lets a key pass that was deleted."""
    if compare.target != op.CompareTarget.MOD or not isinstance(compare.operand, int) or compare.operand <= 0:
        return compare
    if compare.result != op.CompareResult.EQUAL:
        return compare
    return replace(compare, result=op.CompareResult.LESS, operand=RevisionAt(len(revisions) - 1, 1))


def _symbol(revision: int, revisions: Sequence[int]) -> RevisionAt:
    step = max((at for at, known in enumerate(revisions) if known <= revision), default=0)
    return RevisionAt(step, revision - revisions[step])
