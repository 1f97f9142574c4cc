"""Shrinking: the shortest trace that still shows what was found.

Hypothesis shrinks the numbers it drew; this shrinks the trace itself. It takes steps out, and makes what is
left plainer, as long as the trace still shows the same thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from enum import Enum, auto
from itertools import combinations
from typing import Any

from etcd_lockstep.trace import LeaseOf, RevisionAt, Trace, map_keys, reordered, subtrace, symbols
from etcd_model.operations import (
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Operation,
    Put,
    Range,
    RequestOp,
    Txn,
)
from etcd_model.ranges import FROM_KEY


class Verdict(Enum):
    """What a candidate shows at its last step."""

    NOTHING = auto()
    NEW = auto()
    """What the trace to be shrunk shows."""
    KNOWN = auto()
    """The same to look at, but a lie found before explains it."""


Judge = Callable[[Trace], Verdict]

PLAIN_TTL = 60
EQUAL, NOT_EQUAL = CompareResult.EQUAL, CompareResult.NOT_EQUAL
OPERATIONS_IN_ORDER = (
    LeaseGrant,
    Put,
    Txn,
    DeleteRange,
    LeaseKeepAlive,
    LeaseRevoke,
    Compact,
    LeaseTimeToLive,
    LeaseLeases,
    Range,
)
_PAIRS_UP_TO = 12
"""Steps below which every two of them are tried together: a grant goes only along with its revoke."""


class ShownByKnown(Exception):
    """A plainer trace of the same kind shows a lie that is known: so there is no new one."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace
        """What had been reached by then."""


def shrink(trace: Trace, judge: Judge) -> Trace:
    """The plainest trace found, never longer than the one given. The last step stays the last.

    Raises `ShownByKnown` where a plainer step makes it a known lie. Two changes are passed over instead: steps
    taken out, for a long trace may show a known lie besides; and where a lease is revoked, the lease of a put, for
    whose key goes with which lease is what many a lie is about.
    """
    accepts = _Acceptance(judge, trace)
    while True:
        smaller = _fewer_steps(trace, accepts)
        for make in (_plainer_steps, _plainer_keys, _in_order):
            smaller = make(smaller, accepts)
        if smaller == trace:
            return trace
        trace = smaller


class _Acceptance:
    def __init__(self, judge: Judge, trace: Trace) -> None:
        self._judge = judge
        self._accepted = trace

    def __call__(self, candidate: Trace, *, faithful: bool = True) -> bool:
        verdict = self._judge(candidate)
        if verdict is Verdict.KNOWN and faithful:
            raise ShownByKnown(self._accepted)
        if verdict is Verdict.NEW:
            self._accepted = candidate
        return verdict is Verdict.NEW


def _fewer_steps(trace: Trace, accepts: _Acceptance) -> Trace:
    size = len(trace) // 2
    while size:
        end = len(trace) - 1
        while end > 0:
            start = max(end - size, 0)
            candidate = subtrace(trace, [*range(start), *range(end, len(trace))])
            if accepts(candidate, faithful=False):
                trace = candidate
            end = start
        size //= 2
    return _without_pairs(trace, accepts)


def _without_pairs(trace: Trace, accepts: _Acceptance) -> Trace:
    if len(trace) > _PAIRS_UP_TO:
        return trace
    for one, other in combinations(range(len(trace) - 1), 2):
        candidate = subtrace(trace, [index for index in range(len(trace)) if index not in (one, other)])
        if accepts(candidate, faithful=False):
            return _without_pairs(candidate, accepts)
    return trace


def _plainer_steps(trace: Trace, accepts: _Acceptance) -> Trace:
    for index in range(len(trace)):
        trace = _plainer_step(trace, index, accepts)
    return trace


def _plainer_step(trace: Trace, index: int, accepts: _Acceptance) -> Trace:
    revokes = any(isinstance(operation, LeaseRevoke) for operation in trace)
    for operation in _plainer(trace[index]):
        candidate = (*trace[:index], operation, *trace[index + 1 :])
        if accepts(candidate, faithful=not (revokes and _leased(trace[index]) and not _leased(operation))):
            return _plainer_step(candidate, index, accepts)
    return trace


def _in_order(trace: Trace, accepts: _Acceptance) -> Trace:
    """Steps that need no order in the usual one: grants first, revokes late. So one lie has one trace."""
    for index in range(len(trace) - 2):
        first, second = trace[index : index + 2]
        if OPERATIONS_IN_ORDER.index(type(second)) < OPERATIONS_IN_ORDER.index(type(first)):
            swapped = reordered(trace, [*range(index), index + 1, index, *range(index + 2, len(trace))])
            if swapped is not None and accepts(swapped):
                return _in_order(swapped, accepts)
    return trace


def _leased(operation: Operation) -> bool:
    return any(isinstance(symbol, LeaseOf) for symbol in symbols(operation))


def _plainer_keys(trace: Trace, accepts: _Acceptance) -> Trace:
    """Every key renamed to a shorter or smaller one of the trace's own or to `a`, everywhere at once."""
    names = sorted({b"a", b"b", *_keys(trace)} - {b""}, key=_size)
    for old in sorted(_keys(trace), key=_size, reverse=True):
        for new in names:
            if _size(new) < _size(old):
                candidate = _renamed(trace, old, new)
                if accepts(candidate):
                    return _plainer_keys(candidate, accepts)
    return trace


def _renamed(trace: Trace, old: bytes, new: bytes) -> Trace:
    return tuple(map_keys(operation, lambda key: new if key == old else key) for operation in trace)


def _size(key: bytes) -> tuple[int, bytes]:
    return len(key), key


def _plainer(operation: RequestOp | Operation) -> Iterator[Operation]:
    """Operations a little plainer than this one, the boldest first."""
    match operation:
        case Txn():
            yield from _plainer_txn(operation)
        case Put():
            yield from _without_options(operation, "prev_kv", "ignore_value", "ignore_lease", "lease")
            yield from (
                replace(operation, value=value) for value in (b"", b"1") if _size(value) < _size(operation.value)
            )
        case Range():
            yield from _without_options(
                operation, *(field.name for field in fields(operation) if field.name not in ("key", "revision"))
            )
            yield from _plainer_revisions(operation, "revision")
            if operation.range_end == FROM_KEY and operation.key:
                yield replace(operation, range_end=operation.key + b"\xff")
        case DeleteRange():
            yield from _without_options(operation, "range_end", "prev_kv")
        case Compact():
            yield from _without_options(operation, "physical")
            yield from _plainer_revisions(operation, "revision", or_none=False)
        case LeaseGrant():
            yield from _without_options(operation, "id")
            if operation.ttl != PLAIN_TTL:
                yield replace(operation, ttl=PLAIN_TTL)
        case LeaseTimeToLive():
            yield from _without_options(operation, "keys")
        case LeaseRevoke() | LeaseKeepAlive() | LeaseLeases():
            return


def _without_options(operation: Operation, *names: str) -> Iterator[Operation]:
    defaults = {field.name: field.default for field in fields(operation)}
    for name in names:
        if getattr(operation, name) != defaults[name]:
            yield _with(operation, name, defaults[name])


def _with(operation: Operation, name: str, value: object) -> Operation:
    changed: dict[str, Any] = {name: value}
    return replace(operation, **changed)


def _plainer_revisions(operation: Range | Compact, name: str, *, or_none: bool = True) -> Iterator[Operation]:
    revision = getattr(operation, name)
    if or_none and revision:
        yield _with(operation, name, 0)
    if isinstance(revision, RevisionAt) and revision.plus not in (0, 1):
        yield _with(operation, name, RevisionAt(revision.step, 1 if revision.plus > 1 else 0))


def _plainer_txn(operation: Txn) -> Iterator[Operation]:
    """One of its operations in its place, then without its parts, then with plainer parts."""
    yield from operation.success
    yield from operation.failure
    if operation.compare:
        yield replace(operation, compare=())
        if operation.success or operation.failure:
            yield Txn(operation.compare)
    for name in ("compare", "success", "failure"):
        parts: tuple[RequestOp | Compare, ...] = getattr(operation, name)
        size = len(parts) // 2
        while size:
            for start in range(0, len(parts), size):
                yield _with(operation, name, parts[:start] + parts[start + size :])
            size //= 2
        if len(parts) == 1:
            yield _with(operation, name, ())
        for index, part in enumerate(parts):
            plainer = _plainer_compare(part) if isinstance(part, Compare) else _plainer_request(part)
            for one in plainer:
                yield _with(operation, name, (*parts[:index], one, *parts[index + 1 :]))
    if operation.failure and not operation.success:
        yield Txn(success=operation.failure)


def _plainer_request(request: RequestOp) -> Iterator[RequestOp]:
    for plainer in _plainer(request):
        assert isinstance(plainer, Range | Put | DeleteRange | Txn)
        yield plainer


def _plainer_compare(compare: Compare) -> Iterator[Compare]:
    """Whether the key is there at all is the plainest thing to compare."""
    plain = (Compare(compare.key, CompareTarget.VERSION, result, 0) for result in (EQUAL, NOT_EQUAL))
    if compare.target != CompareTarget.VERSION or compare.operand or compare.result not in (EQUAL, NOT_EQUAL):
        yield from plain
    if compare.range_end:
        yield replace(compare, range_end=b"")
    if isinstance(compare.operand, int) and compare.operand:
        yield replace(compare, operand=0)
    if isinstance(compare.operand, bytes) and compare.operand:
        yield replace(compare, operand=b"")


def _keys(trace: Trace) -> set[bytes]:
    found: set[bytes] = set()

    def note(key: bytes) -> bytes:
        found.add(key)
        return key

    for operation in trace:
        map_keys(operation, note)
    return found
