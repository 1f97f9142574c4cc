"""Operations and traces in which something has another name: a lease, a user, a key, a lock or a watch stream."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from etcd_lockstep.trace import LeaseOf, Symbol, Trace, bare, map_keys, may_hold, substitute
from etcd_model import operations as op
from etcd_model.lock import key_of

Content = TypeVar("Content", bytes, str, int)


def with_symbol(operation: op.Operation, old: Symbol, new: Symbol) -> op.Operation:
    """The operation with one symbol in the place of another."""

    def merged(symbol: Symbol) -> int | str:
        kept = new if symbol == old else symbol
        assert isinstance(kept, int | str)
        return kept

    return substitute(operation, merged)


def with_user(operation: op.Operation, old: str, new: str) -> op.Operation:
    """The operation with one user in the place of another, unless it adds that one."""
    match operation:
        case op.As():
            return replace(operation, operation=with_user(operation.operation, old, new))
        case op.UserGrantRole(user=user) if user == old:
            return replace(operation, user=new)
        case (
            op.Authenticate(name=name)
            | op.UserGet(name=name)
            | op.UserDelete(name=name)
            | op.UserChangePassword(name=name)
            | op.UserRevokeRole(name=name)
        ) if name == old:
            return replace(operation, name=new)
        case _:
            return operation


def on_stream(operation: op.Operation, old: int, new: int) -> op.Operation:
    """The operation with one watch stream in the place of another."""
    match operation:
        case op.As():
            return replace(operation, operation=on_stream(operation.operation, old, new))
        case op.WatchCreate() | op.WatchCancel() | op.WatchProgress() | op.WatchRead() | op.WatchClose() if (
            operation.stream == old
        ):
            return replace(operation, stream=new)
        case _:
            return operation


def with_name(operation: op.Operation, old: bytes, new: bytes) -> op.Operation:
    """The operation in which one lock has another name: in its keys, and in the ends of ranges."""

    def its(_kind: type, field: str, held: Any) -> Any:
        if not isinstance(held, bytes):
            return held
        is_its = held.startswith(old + b"/") or held == {"name": old, "range_end": old + b"0"}.get(field)
        return new + held[len(old) :] if is_its else held

    mapped: op.Operation = _mapped(operation, its)
    return mapped


def renamed(trace: Trace, old: bytes, new: bytes) -> Iterator[Trace]:
    """The trace with one key in the place of another; then also where the other is that of a lock or a leader, or ends
    a range."""
    yield tuple(map_keys(operation, lambda key: new if key == old else key) for operation in trace)

    def with_key(_kind: type, field: str, held: Any) -> Any:
        return new if field in ("key", "range_end") and held == old else held

    yield tuple(_mapped(operation, with_key) for operation in trace)


def with_field(operation: op.Operation, names: Collection[str], old: object, new: object) -> op.Operation:
    """The operation with one content in the place of another in the fields of these names, whatever they are of."""
    mapped: op.Operation = _mapped(
        operation, lambda _kind, field, held: new if field in names and held == old else held
    )
    return mapped


def contents(trace: Trace, names: Collection[str], kind: type[Content]) -> set[Content]:
    """What the fields of these names hold in a trace, of one type, but for nothing and for what a step brings."""
    return {held for field, held in _held(trace) if field in names and isinstance(held, kind) and held}


def held_keys(trace: Trace) -> set[bytes]:
    """The keys that a trace names, those of locks that are given back and of leaders among them."""
    return {held for field, held in _held(trace) if field == "key"} - {b"", op.SENTINEL_KEY}


def _held(trace: Trace) -> list[tuple[str, Any]]:
    """What all fields hold, each with its name."""
    found: list[tuple[str, Any]] = []

    def note(_kind: type, field: str, held: Any) -> Any:
        found.append((field, held))
        return held

    for operation in trace:
        _mapped(operation, note)
    return found


def lease_ids(trace: Trace) -> set[int]:
    """The ids that a client has picked for the leases it grants."""
    granted = [one.id for one in map(bare, trace) if isinstance(one, op.LeaseGrant)]
    return {one for one in granted if one and not isinstance(one, Symbol)}


def with_lease_id(operation: op.Operation, old: int, new: int) -> op.Operation:
    """The operation with one lease's id in the place of another, also in the keys of locks."""
    end = key_of(b"", old)

    def changed(kind: type, field: str, held: Any) -> Any:
        if isinstance(held, bytes) and held.endswith(end):
            return held.removesuffix(end) + key_of(b"", new)
        return new if held == old and LeaseOf in may_hold(kind, field) else held

    mapped: op.Operation = _mapped(operation, changed)
    return mapped


def _mapped(value: Any, f: Callable[[type, str, Any], Any]) -> Any:
    """An operation, or a part of one, with `f` of its class, the name and the content of each field that is no part of
    its own."""

    def mapped(field: str, held: Any) -> Any:
        match held:
            case Symbol():
                return held
            case tuple():
                return tuple(mapped(field, one) for one in held)
            case _ if is_dataclass(held):
                return _mapped(held, f)
            case _:
                return f(type(value), field, held)

    return replace(value, **{field.name: mapped(field.name, getattr(value, field.name)) for field in fields(value)})
