"""Operations and answers as JSON: what corpus files and `--json` hold.

An operation is an object with `op` and the fields that are set. A symbol is an object: `{"lease_of": 2}`,
`{"revision_at": 3, "plus": 1}`. Bytes are text where they are printable ASCII, else `{"hex": "6100"}`.
"""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from enum import IntEnum
from typing import Any, TypeAlias

from etcd_lockstep.names import OPERATION_NAMED, operation_name
from etcd_lockstep.observation import Observation
from etcd_lockstep.trace import LeaseOf, RevisionAt
from etcd_model.operations import Compare, CompareResult, CompareTarget, Operation, SortOrder, SortTarget, Txn

Json: TypeAlias = "dict[str, Any]"

_ENUMS: dict[str, type[IntEnum]] = {
    "sort_order": SortOrder,
    "sort_target": SortTarget,
    "target": CompareTarget,
    "result": CompareResult,
}
_SHOWN = 60
"""How many characters of a wrong value a message shows."""
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)
_MAY_BE_LEASE = ("id", "lease", "operand")
_MAY_BE_REVISION = (
    "revision",
    "min_mod_revision",
    "max_mod_revision",
    "min_create_revision",
    "max_create_revision",
    "operand",
)


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
        case bytes():
            return value.decode() if _PRINTABLE.fullmatch(value) else {"hex": value.hex()}
        case IntEnum():
            return value.name
        case None | bool() | int() | str():
            return value
        case tuple():
            return [to_json(one) for one in value]
        case _ if type(value) in OPERATION_NAMED.values():
            return {"op": operation_name(type(value)), **_set_fields(value)}  # type: ignore[arg-type]  # looked up
        case _:
            return _set_fields(value)


def _set_fields(value: object) -> Json:
    """The fields of a dataclass that do not have their default."""
    return {
        field.name: to_json(_named(field.name, getattr(value, field.name)))
        for field in fields(value)  # type: ignore[arg-type]  # one of our frozen dataclasses
        if field.default is MISSING or getattr(value, field.name) != field.default
    }


def _named(name: str, value: Any) -> object:
    enum = _ENUMS.get(name)
    return enum(value) if enum and value in list(enum) else value


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
                raise BadNotation(f"a txn can't hold a {operation_name(type(request))}")
    compares = tuple(_compare(one, step) for one in given.get("compare", []))
    return Txn(compares, **branches)


def _compare(value: object, step: int) -> Compare:
    if not isinstance(value, dict):
        raise BadNotation(f"a compare is an object, not {_shown(value)}")
    compare: Compare = _build(Compare, value, step)
    if (compare.target == CompareTarget.VALUE) != isinstance(compare.operand, bytes):
        raise BadNotation("the operand of a compare is text where its target is VALUE, a number elsewhere")
    return compare


def _build(kind: Any, given: Json, step: int) -> Any:
    known = {field.name: field for field in fields(kind)}
    name = "compare" if kind is Compare else operation_name(kind)
    for field in given:
        if field not in known:
            raise BadNotation(f"a {name} has no {field!r}")
    for field, declared in known.items():
        if declared.default is MISSING and field not in given:
            raise BadNotation(f"a {name} needs {field!r}")
    return kind(**{field: _value(field, str(known[field].type), one, step) for field, one in given.items()})


def _value(name: str, kind: str, value: object, step: int) -> object:
    enum = _ENUMS.get(name)
    if enum and isinstance(value, str):
        if value not in enum.__members__:
            raise BadNotation(f"{name} is one of {', '.join(enum.__members__)}, not {_shown(value)}")
        return enum[value]
    match value:
        case bool() if kind == "bool":
            return value
        case int() if "int" in kind and _is_int(value) and value in (_INT32 if enum else _INT64):
            return value
        case str() if "bytes" in kind and not any(map(_is_surrogate, value)):
            return value.encode()
        case {"hex": str(digits), **rest} if "bytes" in kind and not rest:
            try:
                return bytes.fromhex(digits)
            except ValueError as error:
                raise BadNotation(f"{name}: {digits!r} is not hexadecimal") from error
        case {"lease_of": int(of), **rest} if name in _MAY_BE_LEASE and not rest and _is_int(of) and 0 < of < step:
            return LeaseOf(of)
        case {"revision_at": int(at), **rest} if name in _MAY_BE_REVISION and rest.keys() <= {"plus"}:
            plus: Any = rest.get("plus", 0)
            if _is_int(at) and 0 <= at < step and _is_int(plus) and plus in _INT64:
                return RevisionAt(at, plus)
    raise BadNotation(f"{name} can't be {_shown(value)} at step {step}")


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
