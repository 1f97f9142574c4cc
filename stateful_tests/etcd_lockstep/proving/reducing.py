"""An independent reducer, which shares with the shrinker the order of operations alone: whatever can be left out of a
trace, merged, put in order or made plainer.

The shrinker is tested with it: nothing that it has shrunk can lose any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from itertools import combinations
from typing import Any, NamedTuple

from etcd_lockstep.strategies.operation_table import place
from etcd_lockstep.trace import (
    UNKNOWN_LEASE,
    LeaseOf,
    MemberOf,
    RevisionAt,
    Symbol,
    TokenOf,
    Trace,
    bare,
    keys_of,
    reordered,
    substitute,
    subtrace,
    symbols,
)
from etcd_model import operations as op
from etcd_model.lock import key_of

_AT_ONCE = 3
"""Up to how many steps are left out at once."""

_PASSWORD = "p"
"""The simplest password that is not empty: etcdctl, whose commands reports show, prompts for an empty one."""

_PLAIN = {
    "ttl": (60, 2),
    **dict.fromkeys(("lease", "id", "operand"), (UNKNOWN_LEASE, 7)),
    "target_id": (UNKNOWN_LEASE,),
}
"""Numbers that are as plain as smaller ones: of a lease that lives on or that is to expire, of what nobody has, and of
what a client has picked."""

_VALUES = frozenset({"value", "operand"})
"""Fields with bytes that name nothing."""

_MADE: dict[type, type[LeaseOf | TokenOf | MemberOf]] = {
    op.LeaseGrant: LeaseOf,
    op.Authenticate: TokenOf,
    op.MemberAdd: MemberOf,
}
"""Symbols, by the operations that make what they stand for."""


class Reduction(NamedTuple):
    """A trace that is simpler than another."""

    what: str
    """What came off, in a few words."""
    trace: Trace


def reductions(trace: Trace) -> Iterator[Reduction]:
    """Every trace that has a few steps less, or is simpler in one respect, or both with one step less. The last step
    stays the last."""
    for number in range(1, _AT_ONCE + 1):
        for gone in combinations(range(len(trace) - 1), number):
            yield Reduction("a step less" if number == 1 else f"{number} steps less", _without(trace, *gone))
    yield from _simpler(trace)
    for index in range(len(trace) - 1):
        for what, simpler in _simpler(trace):
            if len(simpler) == len(trace):
                yield Reduction(f"{what}, and a step less", _without(simpler, index))


def _without(trace: Trace, *gone: int) -> Trace:
    return subtrace(trace, [at for at in range(len(trace)) if at not in gone])


def _with(trace: Trace, index: int, operation: op.Operation) -> Trace:
    return (*trace[:index], operation, *trace[index + 1 :])


def _simpler(trace: Trace) -> Iterator[Reduction]:
    for index, operation in enumerate(trace):
        yield from (Reduction(what, _with(trace, index, one)) for what, one in _plainer(operation))
        yield from (Reduction(what, _with(trace, index, one)) for what, one in _replaced(trace, index))
    yield from _merged(trace)
    yield from (Reduction(what, renamed) for what, renamed in _renamed(trace) if renamed != trace)
    yield from _in_order(trace)


# A part of an operation less, or plainer


def _plainer(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, op.As):
        yield "nobody's name", value.operation
    for field in fields(value):
        if field.name != "password":
            for what, plainer in _plainer_field(field.name, getattr(value, field.name), field.default):
                yield what, replace(value, **{field.name: plainer})
    key, end = getattr(value, "key", b""), getattr(value, "range_end", b"")
    if key and end and end != (of_prefix := key[:-1] + bytes([min(key[-1] + 1, 0xFF)])):
        yield "a plainer range_end", replace(value, range_end=of_prefix)


def _plainer_field(name: str, held: Any, default: Any) -> Iterator[tuple[str, Any]]:
    """What may stand in a field instead: nothing, one element less, or the same a little plainer."""
    if default is not MISSING and held != default:
        yield f"no {name}", default
    match held:
        case RevisionAt(step=step, plus=plus):
            plainer = (less for less in (0, 1) if abs(less) < abs(plus))
            yield from ((f"a plainer {name}", RevisionAt(step, less)) for less in plainer)
            if step:
                yield f"an earlier {name}", RevisionAt(step - 1, plus if plus > 0 else 0)
        case Symbol() | bool() | Enum():
            return
        case int() if held not in _PLAIN.get(name, ()):
            smaller = (0, 1, -1, held // 2, held - 1, held + 1)
            yield from ((f"a smaller {name}", less) for less in smaller if abs(less) < abs(held))
        case bytes() if name in _VALUES:
            plainer_values = sorted({b"", b"1", held[:-1], held[1:], held[: len(held) // 2]}, key=_size)
            yield from ((f"a plainer {name}", one) for one in plainer_values if _size(one) < _size(held))
        case tuple():
            for at, one in enumerate(held):
                yield f"one of {name} less", (*held[:at], *held[at + 1 :])
                if is_dataclass(one):
                    yield from ((what, (*held[:at], plainer, *held[at + 1 :])) for what, plainer in _plainer(one))
            if len(held) > _AT_ONCE:
                yield f"half of {name} less", held[: len(held) // 2]
                yield f"half of {name} less", held[len(held) // 2 :]
        case _ if is_dataclass(held):
            yield from _plainer(held)


def _size(name: bytes) -> tuple[int, bool, bytes]:
    return len(name), not (name.isascii() and name.isalnum()), name


# A plainer operation instead of one


def _replaced(trace: Trace, index: int) -> Iterator[tuple[str, op.Operation]]:
    """A put or a delete instead of a step, but for the last one; or of what a txn or a call that waits holds."""
    operation = trace[index]
    keys = [key for key in keys_of(trace) if key]
    for one in map(bare, trace):
        if isinstance(one, op.Lock | op.Campaign):
            keys.append(key_of(one.name, one.lease))
    instead: list[op.Operation] = [*map(op.Put, keys), *map(op.DeleteRange, keys)]
    for plainer in instead:
        what = f"a {type(plainer).__name__} for"
        if index < len(trace) - 1 and _is_plainer(plainer, bare(operation)):
            yield f"{what} {type(bare(operation)).__name__}", plainer
        for request, with_it in _within(operation, plainer):
            if _is_plainer(plainer, request):
                yield f"{what} {type(request).__name__} within", with_it


def _within(operation: op.Operation, instead: op.Operation) -> Iterator[tuple[op.Operation, op.Operation]]:
    """Each request in an operation, and the operation with another one in its place."""
    for field in ("success", "failure"):
        requests: tuple[op.Operation, ...] = getattr(operation, field, ())
        for at, request in enumerate(requests):
            others: dict[str, Any] = {field: (*requests[:at], instead, *requests[at + 1 :])}
            yield request, replace(operation, **others)
    if isinstance(operation, op.Lock | op.Campaign) and operation.meanwhile is not None:
        meanwhile: dict[str, Any] = {"meanwhile": instead}
        yield operation.meanwhile, replace(operation, **meanwhile)


def _is_plainer(one: op.Operation, than: op.Operation) -> bool:
    """A put is plainer than any other write, and a delete than what ends terms. What ends a lease stays: which keys go
    with it is what many a lie is about."""
    if isinstance(than, op.DeleteRange):
        return isinstance(one, op.Put)
    return isinstance(than, op.Txn | op.Lock | op.Campaign | op.Proclaim | op.Unlock | op.Resign)


# Two of a kind that are one


def _merged(trace: Trace) -> Iterator[Reduction]:
    """One lease, token or member for two, the first or the second; one user or role for two."""
    for maker, symbol in _MADE.items():
        made = [index for index, operation in enumerate(trace[:-1]) if isinstance(bare(operation), maker)]
        for first, second in combinations(made, 2):
            for kept, gone in ((first, second), (second, first)):
                old, new = symbol(gone + 1), symbol(kept + 1)
                if not any(old in symbols(operation) for operation in trace[:kept]):
                    one = tuple(_with_symbol(operation, old, new) for operation in trace)
                    yield Reduction(f"one {maker.__name__} for two", _without(one, gone))
    for adder in (op.UserAdd, op.RoleAdd):
        added = [(index, one.name) for index, one in enumerate(map(bare, trace[:-1])) if isinstance(one, adder)]
        for (_, kept_name), (at, name) in combinations(added, 2):
            renamed = tuple(_with_name(operation, name, kept_name) for operation in trace)
            yield Reduction(f"one {adder.__name__} for two", _without(renamed, at))


def _with_symbol(operation: op.Operation, old: Symbol, new: LeaseOf | TokenOf | MemberOf) -> op.Operation:
    def merged(symbol: Symbol) -> int | str:
        one = new if symbol == old else symbol
        assert isinstance(one, int | str)
        return one

    return substitute(operation, merged)


# Plainer names, everywhere at once


def _renamed(trace: Trace) -> Iterator[tuple[str, Trace]]:
    """A key, a lock or a value with a plainer name or that of another, and a lease with the first of the usual ids."""
    names = dict.fromkeys(name for operation in trace for name in _names(operation))
    for is_value, old in names:
        plain = {b"1"} if is_value else {b"a", b"b", b"aa", old[:-1], old[1:]}
        others = {name for of_value, name in names if of_value is is_value}
        for new in sorted(others | plain, key=_size):
            if new and _size(new) < _size(old):
                what = f"{'one' if new in others else 'a plainer'} {'value' if is_value else 'key'}"
                yield what, tuple(_with_name(operation, old, new, is_value=is_value) for operation in trace)
                if not is_value:  # that of a lock, under which its keys are
                    yield what, tuple(_under_name(operation, old, new) for operation in trace)
    for lease in {one.id for one in map(bare, trace) if isinstance(one, op.LeaseGrant) and one.id not in (0, 7)}:
        yield "a plainer id", tuple(_with_lease(operation, lease, 7) for operation in trace)
    for password in {held for one in trace for name, held in _parts(one) if name == "password"} - {"", _PASSWORD}:
        yield "a plainer password", tuple(_with_password(operation, password) for operation in trace)


def _names(value: Any) -> Iterator[tuple[bool, bytes]]:
    """All that is bytes, but for the ends of ranges, each with whether it names nothing."""
    for name, held in _parts(value):
        if isinstance(held, bytes) and held not in (b"", op.SENTINEL_KEY) and name != "range_end":
            yield name in _VALUES, held


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(value):
        held = getattr(value, field.name)
        for one in held if isinstance(held, tuple) else (held,):
            if is_dataclass(one) and not isinstance(one, Symbol):
                yield from _parts(one)
            else:
                yield field.name, one


def _with_name(value: Any, old: bytes | str, new: bytes | str, *, is_value: bool = False) -> Any:
    return _mapped(
        value, lambda name, held: new if held == old and (name in _VALUES) is is_value and name != "password" else held
    )


def _with_password(value: Any, old: str) -> Any:
    return _mapped(value, lambda name, held: _PASSWORD if name == "password" and held == old else held)


def _under_name(value: Any, old: bytes, new: bytes) -> Any:
    return _mapped(
        value,
        lambda name, held: (
            new + held[len(old) :]
            if isinstance(held, bytes) and name not in _VALUES and held.startswith((old + b"/", old + b"0"))
            else new
            if held == old and name not in _VALUES
            else held
        ),
    )


def _with_lease(value: Any, old: int, new: int) -> Any:
    end = key_of(b"", old)

    def one(name: str, held: Any) -> Any:
        if isinstance(held, bytes) and held.endswith(end):
            return held.removesuffix(end) + key_of(b"", new)
        return new if held == old and name in ("id", "lease", "operand") else held

    return _mapped(value, one)


def _mapped(value: Any, f: Any) -> Any:
    def one(name: str, held: Any) -> Any:
        if isinstance(held, Symbol):
            return held
        if isinstance(held, tuple):
            return tuple(one(name, part) for part in held)
        return _mapped(held, f) if is_dataclass(held) else f(name, held)

    return replace(value, **{field.name: one(field.name, getattr(value, field.name)) for field in fields(value)})


# The usual order


def _in_order(trace: Trace) -> Iterator[Reduction]:
    for index in range(len(trace) - 2):
        first, second = trace[index : index + 2]
        if (place(second), keys_of((second,))) < (place(first), keys_of((first,))):
            swapped = reordered(trace, [*range(index), index + 1, index, *range(index + 2, len(trace))])
            if swapped is not None:
                yield Reduction("two steps in order", swapped)
