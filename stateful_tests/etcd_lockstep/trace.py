"""Traces: sequences of operations in which lease ids, revisions, tokens and the ids of members are symbolic.

An id or a token that a server picked, and every revision, differs from run to run and from
target to target. So a trace says "the lease that step 2 granted" and "the revision after step 5",
and what that is on a target is filled in just before the operation is applied to it.

Steps count from 1, as reports do. Step 0 is the empty store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter, is_not
from typing import Any, TypeAlias, get_args

from etcd_model import operations as op

Trace: TypeAlias = tuple[op.Operation, ...]


class Symbol:
    """Stands in an operation where an int or a text will: one to the type checker, equal only to its own like."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True

    # Those of int and str would say that every symbol is the same.

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis prints it in a falsifying example."""
        del cycle
        printer.text(repr(self))


class IntSymbol(Symbol, int):
    """Stands where an int will."""

    def __new__(cls, *_args: object) -> IntSymbol:
        return super().__new__(cls, 0)


class TextSymbol(Symbol, str):
    """Stands where a text will."""

    def __new__(cls, *_args: object) -> TextSymbol:
        return super().__new__(cls, "")


@dataclass(frozen=True, repr=False, eq=False)
class LeaseOf(IntSymbol):
    """The id of the lease that a step granted. In an answer, that of step 0 is one of which no answer has reported."""

    step: int

    def __repr__(self) -> str:
        return f"LeaseOf({self.step})"

    def __str__(self) -> str:
        return f"lease of step {self.step}" if self.step else "lease of no step"


@dataclass(frozen=True, repr=False, eq=False)
class RevisionAt(IntSymbol):
    """The store's revision after a step, and `plus` more."""

    step: int
    plus: int = 0

    def __repr__(self) -> str:
        return f"RevisionAt({self.step}, {self.plus})"

    def __str__(self) -> str:
        anchor = f"revision after step {self.step}" if self.step else "first revision"
        return f"{anchor} {self.plus:+}" if self.plus else anchor


@dataclass(frozen=True, repr=False, eq=False)
class TokenOf(TextSymbol):
    """The token that the Authenticate of a step returned."""

    step: int

    def __repr__(self) -> str:
        return f"TokenOf({self.step})"

    def __str__(self) -> str:
        return f"token of step {self.step}"


@dataclass(frozen=True, repr=False, eq=False)
class MemberOf(IntSymbol):
    """The id of the member that the MemberAdd of a step added."""

    step: int

    def __repr__(self) -> str:
        return f"MemberOf({self.step})"

    def __str__(self) -> str:
        return f"of step {self.step}"


@dataclass(frozen=True, repr=False, eq=False)
class AuthRevision(IntSymbol):
    """The revision at which the auth store stands when the operation is sent, and `plus` more."""

    plus: int = 0

    def __repr__(self) -> str:
        return f"AuthRevision({self.plus})"

    def __str__(self) -> str:
        return f"the auth store's revision {self.plus:+}" if self.plus else "the auth store's revision"


def bare(operation: op.Operation) -> op.Operation:
    """The operation itself, without the token that it may be sent with."""
    while isinstance(operation, op.As):
        operation = operation.operation
    return operation


def takes_time(trace: Trace) -> bool:
    """Whether time passes in a trace."""
    return any(isinstance(bare(operation), op.Advance) for operation in trace)


# Where symbols and keys may stand, found once for each class of operation.

_REVISIONS = frozenset(
    {
        "revision",
        "min_mod_revision",
        "max_mod_revision",
        "min_create_revision",
        "max_create_revision",
        "start_revision",
        "rev",
    }
)
_KEYED: tuple[type, ...] = (
    op.Range,
    op.Put,
    op.DeleteRange,
    op.Compare,
    op.WatchCreate,
    op.Permission,
    op.RoleRevokePermission,
)
"""What has a key that can have another name. That of a lock or of a leader is made of a name and a lease's id."""
_SIMPLE = frozenset({"int", "bytes", "str", "bool", "int | bytes"})


def may_hold(kind: type, field: str) -> tuple[type[Symbol], ...]:
    """The symbols that may stand in a field of an operation, or of a part of one."""
    if field == "operand":
        return LeaseOf, RevisionAt
    if kind is op.Claims:
        return (AuthRevision,) if field == "revision" else ()
    if field in _REVISIONS:
        return (RevisionAt,)
    if field == "lease" or (field == "id" and kind in get_args(op.LeaseOperation)):
        return (LeaseOf,)
    if field == "target_id" or (field == "id" and kind in get_args(op.ClusterOperation)):
        return (MemberOf,)
    return (TokenOf,) if kind is op.As and field == "token" else ()


class _Shape:
    """Where in the fields of one class of operations, or of parts of them, there is what to be looked at."""

    __slots__ = ("has_key", "key", "leaf", "many", "one", "symbolic", "values")

    def __init__(self, kind: type) -> None:
        declared = [(field.name, str(field.type).removesuffix(" | None")) for field in fields(kind)]
        held = [of.removeprefix("tuple[").removesuffix(", ...]") for _name, of in declared]
        self.values = _reader(tuple(name for name, _of in declared))
        self.symbolic = tuple(at for at, (name, _of) in enumerate(declared) if may_hold(kind, name))
        parts = [at for at, of in enumerate(held) if of not in _SIMPLE]
        self.one = tuple(at for at in parts if declared[at][1] == held[at])
        """The fields that hold a dataclass, or nothing."""
        self.many = tuple(at for at in parts if declared[at][1] != held[at])
        """The fields that hold a tuple of dataclasses."""
        self.leaf = not (self.one or self.many)
        self.has_key = kind in _KEYED
        self.key = next((at for at, (name, _of) in enumerate(declared) if name == "key"), -1)


def _reader(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads so many fields at once."""
    if not names:
        return lambda _value: ()
    read = attrgetter(*names)
    return read if len(names) > 1 else lambda value: (read(value),)


_SHAPES = {kind: _Shape(kind) for kind in (*op.OPERATIONS, op.Compare, op.LeaderKey, op.Permission, op.Claims)}
_SYMBOLIC = {
    kind: (_reader(tuple(field.name for field in fields(kind) if may_hold(kind, field.name))), shape)
    for kind, shape in _SHAPES.items()
}

_ONLY = {
    kind: attrgetter(*names)
    for kind, shape in _SHAPES.items()
    if shape.leaf and len(names := [field.name for field in fields(kind) if may_hold(kind, field.name)]) == 1
}
"""Of the classes in which one field may be symbolic: what reads it. Most operations of a run are such."""

Substitution: TypeAlias = Callable[[Symbol], "int | str"]


def substitute(operation: op.Operation, f: Substitution) -> op.Operation:
    """The operation with every symbol in it replaced by `f` of it; itself where there is none."""
    only = _ONLY.get(type(operation))
    if only is not None and not isinstance(only(operation), Symbol):
        return operation
    replaced: op.Operation = _substitute(operation, f)
    return replaced


def _substitute(value: Any, f: Substitution) -> Any:
    read, shape = _SYMBOLIC[type(value)]
    if shape.leaf:
        for held in read(value):
            if isinstance(held, Symbol):
                break
        else:
            return value
    values = list(shape.values(value))
    changed = False
    for at in shape.symbolic:
        held = values[at]
        if isinstance(held, Symbol):
            values[at] = f(held)
            changed = True
    for at in shape.one:
        held = values[at]
        if held is not None:
            values[at] = _substitute(held, f)
            changed = changed or values[at] is not held
    for at in shape.many:
        held = values[at]
        if held:
            values[at] = tuple([_substitute(part, f) for part in held])
            changed = changed or any(map(is_not, values[at], held))
    return type(value)(*values) if changed else value


def symbols(operation: op.Operation) -> list[Symbol]:
    """Every symbol in an operation."""
    found: list[Symbol] = []
    _collect(operation, found)
    return found


def _collect(value: Any, found: list[Symbol]) -> None:
    read, shape = _SYMBOLIC[type(value)]
    for held in read(value):
        if isinstance(held, Symbol):
            found.append(held)
    if shape.leaf:
        return
    values = shape.values(value)
    for at in shape.one:
        if values[at] is not None:
            _collect(values[at], found)
    for at in shape.many:
        for part in values[at]:
            _collect(part, found)


def map_keys(operation: op.Operation, f: Callable[[bytes], bytes]) -> op.Operation:
    """The operation with every key in it replaced by `f` of it. Range ends stay: they are not keys. So do the keys
    of locks and leaders, which hold the id of a lease, and the key that a `WatchRead` writes."""
    mapped: op.Operation = _map_keys(operation, f)
    return mapped


def _map_keys(value: Any, f: Callable[[bytes], bytes]) -> Any:
    shape = _SHAPES[type(value)]
    if shape.leaf and not shape.has_key:
        return value
    values = list(shape.values(value))
    if shape.has_key and values[shape.key] != op.SENTINEL_KEY:
        values[shape.key] = f(values[shape.key])
    for at in shape.one:
        if values[at] is not None:
            values[at] = _map_keys(values[at], f)
    for at in shape.many:
        values[at] = tuple([_map_keys(part, f) for part in values[at]])
    return type(value)(*values)


def keys_of(trace: Trace) -> list[bytes]:
    """The keys that a trace names, each once, the first one first."""
    found: dict[bytes, None] = {}

    def note(key: bytes) -> bytes:
        found[key] = None
        return key

    for operation in trace:
        map_keys(operation, note)
    return list(found)


UNKNOWN_LEASE = 404
"""A lease id that nobody grants; stands in where the step that granted a lease is taken out of a trace."""

UNKNOWN_MEMBER = 404
"""A member's id that nobody has; stands in where the MemberAdd is taken out of a trace, or was refused."""

UNKNOWN_TOKEN = "no.such.token"
"""A token that no server hands out; stands in where the Authenticate that made one is taken out of a trace."""


def subtrace(trace: Trace, kept: Sequence[int]) -> Trace:
    """The steps at the given indices (ascending, from 0), their symbols renumbered.

    A revision after a step that is gone becomes that after the last one kept before it.
    """
    new_step = {index + 1: position + 1 for position, index in enumerate(kept)}

    def renumber(symbol: Symbol) -> int | str:
        match symbol:
            case AuthRevision():
                return symbol
            case LeaseOf(step=step):
                return LeaseOf(new_step[step]) if step in new_step else UNKNOWN_LEASE
            case MemberOf(step=step):
                return MemberOf(new_step[step]) if step in new_step else UNKNOWN_MEMBER
            case TokenOf(step=step):
                return TokenOf(new_step[step]) if step in new_step else UNKNOWN_TOKEN
            case RevisionAt(step=step, plus=plus):
                return RevisionAt(max((new for old, new in new_step.items() if old <= step), default=0), plus)
            case _:
                raise AssertionError(symbol)

    return tuple(substitute(trace[index], renumber) for index in kept)


def reordered(trace: Trace, order: Sequence[int]) -> Trace | None:
    """The steps in another order, given as indices from 0; None where a step would name a lease, a token or a
    member that is not there yet.

    A revision stays that after the same step, or the last one before if that would be a later one.
    """
    new_step = {index + 1: position + 1 for position, index in enumerate(order)}
    forward = False

    def renumber(symbol: Symbol) -> int | str:
        nonlocal forward
        match symbol:
            case AuthRevision():
                return symbol
            case LeaseOf(step=step) | TokenOf(step=step) | MemberOf(step=step):
                forward |= new_step[step] >= position
                return type(symbol)(new_step[step])
            case RevisionAt(step=step, plus=plus):
                return RevisionAt(min(new_step[step], position - 1) if step else 0, plus)
            case _:
                raise AssertionError(symbol)

    steps = []
    for position, index in enumerate(order, 1):  # noqa: B007  # `renumber` reads it
        steps.append(substitute(trace[index], renumber))
    return None if forward else tuple(steps)


def expanded(trace: Trace, index: int, steps: Sequence[op.Operation]) -> Trace:
    """The trace with several steps in the place of the one at an index (from 0), the symbols of later ones renumbered.

    A revision after that step becomes the one after the last of them.
    """
    more = len(steps) - 1

    def renumber(symbol: Symbol) -> int | str:
        match symbol:
            case AuthRevision():
                return symbol
            case LeaseOf(step=step) | TokenOf(step=step) | MemberOf(step=step):
                return type(symbol)(step + more if step > index else step)
            case RevisionAt(step=step, plus=plus):
                return RevisionAt(step + more if step > index else step, plus)
            case _:
                raise AssertionError(symbol)

    return (*trace[:index], *steps, *(substitute(operation, renumber) for operation in trace[index + 1 :]))
