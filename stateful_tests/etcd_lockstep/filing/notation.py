"""Operations and answers as JSON: what corpus files and `--json` hold.

An operation is an object with `op` and the fields that are set. A symbol is an object: `{"lease_of": 2}`,
`{"revision_at": 3, "plus": 1}`, `{"token_of": 4}`, `{"member_of": 5}`, `{"auth_revision": -1}`. Bytes are text where
they are printable ASCII, else `{"hex": "6100"}`; a long run of one byte is `{"repeat": "x", "times": 1500000}`.
"""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from enum import IntEnum
from typing import Any, TypeAlias

from etcd_lockstep.comparing.observation import Observation
from etcd_lockstep.names import OPERATION_NAMED, enum_of, operation_name
from etcd_lockstep.trace import AuthRevision, LeaseOf, MemberOf, RevisionAt, TokenOf, may_hold
from etcd_model.operations import (
    MEANWHILE,
    OPERATIONS,
    As,
    Claims,
    Compare,
    CompareTarget,
    LeaderKey,
    Operation,
    Permission,
    Txn,
)

Json: TypeAlias = "dict[str, Any]"

_SHOWN = 60
"""How many characters of a wrong value a message shows."""
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)
_REPEATED_FROM = 257
"""Bytes of one value so many times are reported by their number: a value of a megabyte is no line to read."""
_LONGEST = 2**24
"""More of them than any server takes, and fewer than a machine minds."""
_LONGEST_PAUSE = 3600
"""Seconds of an Advance, which a real server is waited for."""


DEEPEST = 32
"""How deep txns may be nested. Protobuf reads messages 100 deep, of which a txn takes two."""


class BadNotation(ValueError):
    """This is no operation, and why."""


def to_json(value: object) -> Any:
    """Any value that an operation or an answer may hold."""
    match value:
        case LeaseOf(step=step):
            return {"lease_of": step}
        case RevisionAt(step=step, plus=plus):
            return {"revision_at": step, "plus": plus} if plus else {"revision_at": step}
        case TokenOf(step=step):
            return {"token_of": step}
        case MemberOf(step=step):
            return {"member_of": step}
        case AuthRevision(plus=plus):
            return {"auth_revision": plus}
        case bytes() if len(value) >= _REPEATED_FROM and value.count(value[:1]) == len(value):
            return {"repeat": to_json(value[:1]), "times": len(value)}
        case bytes():
            return value.decode() if _PRINTABLE.fullmatch(value) else {"hex": value.hex()}
        case IntEnum():
            return value.name
        case None | bool() | int() | str():
            return value
        case tuple():
            return [to_json(one) for one in value]
        case _ if isinstance(value, OPERATIONS):
            return {"op": operation_name(type(value)), **_set_fields(value)}
        case _:
            return _set_fields(value)


def _set_fields(value: object) -> Json:
    """The fields of a dataclass that do not have their default."""
    return {
        field.name: to_json(_named(type(value), field.name, getattr(value, field.name)))
        for field in fields(value)  # type: ignore[arg-type]  # one of our frozen dataclasses
        if field.default is MISSING or getattr(value, field.name) != field.default
    }


def _named(kind: type, name: str, value: Any) -> object:
    enum = enum_of(kind, name)
    if enum is None:
        return value
    if isinstance(value, tuple):
        return tuple(_named(kind, name, one) for one in value)
    return enum(value) if value in list(enum) else value


def answer_to_json(observation: Observation) -> Json:
    """An answer, with the kind of answer it is: `range`, `error`, `raised`, …"""
    kind = type(observation).__name__.removesuffix("Result")
    return {"answer": re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower(), **_set_fields(observation)}


def operation_from_json(value: object, step: int, depth: int = 0) -> Operation:
    """The operation at a step of a trace, in so many txns. Raises `BadNotation`."""
    name, given = _object(value, "op")
    operation = OPERATION_NAMED.get(name)
    if operation is None:
        raise BadNotation(f"no operation is called {name!r}: there are {', '.join(OPERATION_NAMED)}")
    if operation is Txn:
        return _txn(given, step, depth)
    if operation is As and isinstance(given.get("operation"), dict) and given["operation"].get("op") == "as":
        raise BadNotation("an operation is sent with one token, not with two")
    built: Operation = _build(operation, given, step)
    return built


def _object(value: object, key: str) -> tuple[str, Json]:
    if not isinstance(value, dict) or not isinstance(value.get(key), str):
        raise BadNotation(f"an operation is an object with {key!r}, not {_shown(value)}")
    return value[key], {name: one for name, one in value.items() if name != key}


def _txn(given: Json, step: int, depth: int) -> Txn:
    if depth >= DEEPEST:
        raise BadNotation(f"txns nested too deep: at most {DEEPEST} levels")
    for name in given:
        if name not in ("compare", "success", "failure"):
            raise BadNotation(f"a txn has no {name!r}")
        if not isinstance(given[name], list):
            raise BadNotation(f"{name} of a txn is a list, not {_shown(given[name])}")
    branches: dict[str, Any] = {}
    for name in ("success", "failure"):
        branches[name] = tuple(operation_from_json(one, step, depth + 1) for one in given.get(name, []))
        for request in branches[name]:
            if operation_name(type(request)) not in ("range", "put", "delete_range", "txn"):
                raise BadNotation(f"a txn can't hold {_a(type(request))}")
    compares = tuple(_compare(one, step) for one in given.get("compare", []))
    return Txn(compares, **branches)


def _compare(value: object, step: int) -> Compare:
    if not isinstance(value, dict):
        raise BadNotation(f"a compare is an object, not {_shown(value)}")
    compare: Compare = _build(Compare, value, step)
    if (compare.target == CompareTarget.VALUE) != isinstance(compare.operand, bytes):
        raise BadNotation("the operand of a compare is text where its target is VALUE, a number elsewhere")
    return compare


_PARTS: dict[str, type] = {"Compare": Compare, "Permission": Permission, "LeaderKey": LeaderKey, "Claims": Claims}


def _build(kind: Any, given: Json, step: int) -> Any:
    known = {field.name: field for field in fields(kind)}
    for field in given:
        if field not in known:
            raise BadNotation(f"{_a(kind)} has no {field!r}")
    for field, declared in known.items():
        if declared.default is MISSING and field not in given:
            raise BadNotation(f"{_a(kind)} needs {field!r}")
    return kind(**{field: _value(kind, field, str(known[field].type), one, step) for field, one in given.items()})


def _a(kind: type) -> str:
    """`a put`, `an alarm`, `a leader key`."""
    name = (
        "leader key"
        if kind is LeaderKey
        else kind.__name__.lower()
        if kind in _PARTS.values()
        else operation_name(kind)
    )
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _value(kind: type, name: str, declared: str, value: object, step: int) -> object:
    """The value of a field that is declared as an `int`, `tuple[str, ...]`, `Permission | None`, …"""
    if declared.startswith("tuple["):
        if not isinstance(value, list):
            raise BadNotation(f"{name} is a list, not {_shown(value)}")
        return tuple(
            _value(kind, name, declared.removeprefix("tuple[").removesuffix(", ...]"), one, step) for one in value
        )
    if declared.removesuffix(" | None") == "Operation":
        operation = operation_from_json(value, step)
        if name == "meanwhile" and not isinstance(operation, MEANWHILE):
            raise BadNotation(f"while a call waits nobody is asked for {_a(type(operation))}")
        return operation
    part = _PARTS.get(declared.removesuffix(" | None"))
    if part is not None:
        if not isinstance(value, dict):
            raise BadNotation(f"{name} is an object, not {_shown(value)}")
        return _build(part, value, step)
    enum = enum_of(kind, name)
    if enum and isinstance(value, str):
        if value not in enum.__members__:
            raise BadNotation(f"{name} is one of {', '.join(enum.__members__)}, not {_shown(value)}")
        return enum[value]
    symbols = may_hold(kind, name)
    match value:
        case bool() if declared == "bool":
            return value
        case int() if "int" in declared and _is_int(value) and value in _numbers(name, enum):
            return value
        case str() if "bytes" in declared and not any(map(_is_surrogate, value)):
            return value.encode()
        case str() if declared == "str" and not any(map(_is_surrogate, value)):
            return value
        case {"hex": str(digits), **rest} if "bytes" in declared and not rest:
            try:
                return bytes.fromhex(digits)
            except ValueError as error:
                raise BadNotation(f"{name}: {digits!r} is not hexadecimal") from error
        case {"repeat": one, "times": int(times), **rest} if "bytes" in declared and not rest and _is_int(times):
            return _repeated(kind, name, one, times, step)
        case {"lease_of": int(of), **rest} if LeaseOf in symbols and not rest and _is_int(of) and 0 < of < step:
            return LeaseOf(of)
        case {"token_of": int(of), **rest} if TokenOf in symbols and not rest and _is_int(of) and 0 < of < step:
            return TokenOf(of)
        case {"member_of": int(of), **rest} if MemberOf in symbols and not rest and _is_int(of) and 0 < of < step:
            return MemberOf(of)
        case {"auth_revision": int(off), **rest} if AuthRevision in symbols and not rest and _is_int(off):
            if off in _INT32:
                return AuthRevision(off)
        case {"revision_at": int(at), **rest} if RevisionAt in symbols and rest.keys() <= {"plus"}:
            plus: Any = rest.get("plus", 0)
            if _is_int(at) and 0 <= at < step and _is_int(plus) and plus in _INT64:
                return RevisionAt(at, plus)
    raise BadNotation(f"{name} can't be {_shown(value)} at step {step}")


def _numbers(name: str, enum: object) -> range:
    if name == "seconds":
        return range(_LONGEST_PAUSE + 1)
    return _INT32 if enum else _INT64


def _repeated(kind: type, name: str, one: object, times: int, step: int) -> bytes:
    byte = _value(kind, name, "bytes", one, step)
    if not isinstance(byte, bytes) or len(byte) != 1 or times not in range(_LONGEST + 1):
        raise BadNotation(f"{name} is one byte, at most {_LONGEST} times, not {_shown(one)} {times} times")
    return byte * times


def _is_int(value: object) -> bool:
    """To Python, true and false are ints as well."""
    return type(value) is int


def _is_surrogate(char: str) -> bool:
    """Half of a character, which JSON can write and no bytes can hold."""
    return "\ud800" <= char <= "\udfff"


def _shown(value: object) -> str:
    """The beginning of a value, as JSON."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
