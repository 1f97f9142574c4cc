"""Traces: sequences of operations in which lease ids and revisions are symbolic.

A lease id that a server picked, and every revision, differs from run to run and from target to
target. So a trace says "the lease that step 2 granted" and "the revision after step 5", and what
that is on a target is filled in just before the operation is applied to it.

Steps count from 1, as reports do. Step 0 is the empty store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from etcd_model.exhaustive import assert_never
from etcd_model.operations import (
    Compact,
    Compare,
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

Trace: TypeAlias = tuple[Operation, ...]


class Symbol(int):
    """Stands in an operation where an int will: an int to the type checker, equal only to its own like."""

    def __new__(cls, *_args: object) -> Symbol:
        return super().__new__(cls, 0)

    def __bool__(self) -> bool:
        return True

    # Those of int would say that every symbol is 0.

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))


@dataclass(frozen=True, repr=False, eq=False)
class LeaseOf(Symbol):
    """The id of the lease that a step granted."""

    step: int

    def __repr__(self) -> str:
        return f"LeaseOf({self.step})"

    def __str__(self) -> str:
        return f"lease of step {self.step}"


@dataclass(frozen=True, repr=False, eq=False)
class RevisionAt(Symbol):
    """The store's revision after a step, and `plus` more."""

    step: int
    plus: int = 0

    def __repr__(self) -> str:
        return f"RevisionAt({self.step}, {self.plus})"

    def __str__(self) -> str:
        anchor = f"revision after step {self.step}" if self.step else "first revision"
        return f"{anchor} {self.plus:+}" if self.plus else anchor


Substitution: TypeAlias = Callable[[Symbol], int]


def substitute(operation: Operation, f: Substitution) -> Operation:
    """The operation with every symbol in it replaced by `f` of it; itself where there is none."""
    match operation:
        case Range():
            return _substitute_range(operation, f)
        case Put():
            return replace(operation, lease=f(operation.lease)) if isinstance(operation.lease, Symbol) else operation
        case Txn():
            return _substitute_txn(operation, f)
        case Compact():
            if isinstance(operation.revision, Symbol):
                return replace(operation, revision=f(operation.revision))
            return operation
        case LeaseGrant() | LeaseRevoke() | LeaseKeepAlive() | LeaseTimeToLive():
            return replace(operation, id=f(operation.id)) if isinstance(operation.id, Symbol) else operation
        case DeleteRange() | LeaseLeases():
            return operation
        case _:
            assert_never(operation)


_RANGE_REVISIONS = ("revision", "min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision")


def _substitute_range(operation: Range, f: Substitution) -> Range:
    changed: dict[str, Any] = {
        name: f(value) for name in _RANGE_REVISIONS if isinstance(value := getattr(operation, name), Symbol)
    }
    return replace(operation, **changed) if changed else operation


def _substitute_txn(operation: Txn, f: Substitution) -> Txn:
    return Txn(
        tuple(_substitute_compare(compare, f) for compare in operation.compare),
        tuple(_request(substitute(request, f)) for request in operation.success),
        tuple(_request(substitute(request, f)) for request in operation.failure),
    )


def _substitute_compare(compare: Compare, f: Substitution) -> Compare:
    return replace(compare, operand=f(compare.operand)) if isinstance(compare.operand, Symbol) else compare


def symbols(operation: Operation) -> list[Symbol]:
    """Every symbol in an operation."""
    found: list[Symbol] = []

    def note(symbol: Symbol) -> int:
        found.append(symbol)
        return symbol

    substitute(operation, note)
    return found


def map_keys(operation: Operation, f: Callable[[bytes], bytes]) -> Operation:
    """The operation with every key in it replaced by `f` of it. Range ends stay: they are not keys."""
    match operation:
        case Range() | Put() | DeleteRange():
            return replace(operation, key=f(operation.key))
        case Txn():
            return Txn(
                tuple(replace(compare, key=f(compare.key)) for compare in operation.compare),
                tuple(_request(map_keys(request, f)) for request in operation.success),
                tuple(_request(map_keys(request, f)) for request in operation.failure),
            )
        case _:
            return operation


def _request(operation: Operation) -> RequestOp:
    assert isinstance(operation, Range | Put | DeleteRange | Txn)
    return operation


UNKNOWN_LEASE = 404
"""A lease id that nobody grants; stands in where the step that granted a lease is taken out of a trace."""


def subtrace(trace: Trace, kept: Sequence[int]) -> Trace:
    """The steps at the given indices (ascending, from 0), their symbols renumbered.

    A revision after a step that is gone becomes that after the last one kept before it.
    """
    new_step = {index + 1: position + 1 for position, index in enumerate(kept)}

    def renumber(symbol: Symbol) -> int:
        match symbol:
            case LeaseOf(step=step):
                return LeaseOf(new_step[step]) if step in new_step else UNKNOWN_LEASE
            case RevisionAt(step=step, plus=plus):
                return RevisionAt(max((new for old, new in new_step.items() if old <= step), default=0), plus)
            case _:
                raise AssertionError(symbol)

    return tuple(substitute(trace[index], renumber) for index in kept)


def reordered(trace: Trace, order: Sequence[int]) -> Trace | None:
    """The steps in another order, given as indices from 0; None where a step would name a lease not yet granted.

    A revision stays that after the same step, or the last one before if that would be a later one.
    """
    new_step = {index + 1: position + 1 for position, index in enumerate(order)}
    forward = False

    def renumber(symbol: Symbol) -> int:
        nonlocal forward
        match symbol:
            case LeaseOf(step=step):
                forward |= new_step[step] >= position
                return LeaseOf(new_step[step])
            case RevisionAt(step=step, plus=plus):
                return RevisionAt(min(new_step[step], position - 1) if step else 0, plus)
            case _:
                raise AssertionError(symbol)

    steps = []
    for position, index in enumerate(order, 1):  # noqa: B007  # `renumber` reads it
        steps.append(substitute(trace[index], renumber))
    return None if forward else tuple(steps)
