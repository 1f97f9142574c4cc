"""Values as plain data, which JSON can write, and back: what is equal before is equal after.

Corpus files have a notation for readers (`filing.notation`), which leaves out what can be guessed. Here nothing is
guessed: a dataclass is `{"is": "Put", "key": …}`, an enum's member `{"is": "Code", "number": 5}`, bytes are
`{"hex": …}`, a set `{"set": […]}` and a mapping `{"pairs": [[key, value], …]}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import IntEnum
from typing import Any, get_args

from etcd_lockstep.comparing.comparison import Difference
from etcd_lockstep.comparing.observation import Raised
from etcd_lockstep.searching.findings import Finding, Signature
from etcd_lockstep.shards.result import AcceptedByShard, ShardResult, ShardTargets, WorkloadSummary
from etcd_lockstep.shards.shard import Shard
from etcd_lockstep.trace import AuthRevision, LeaseOf, MemberOf, RevisionAt, TokenOf
from etcd_model import operations as op
from etcd_model import results
from etcd_model.errors import Code, Error

_HELD: tuple[type, ...] = (
    *op.OPERATIONS,
    *(op.Compare, op.Permission, op.LeaderKey, op.Claims),
    *get_args(results.Answer),
    *(results.KeyValue, results.Event, results.Watched, results.AlarmMember, results.Member),
    *(Error, Raised, Difference, Finding, Signature),
    *(LeaseOf, RevisionAt, TokenOf, MemberOf, AuthRevision),
    *(Shard, ShardResult, ShardTargets, WorkloadSummary, AcceptedByShard),
)
_CLASSES: dict[str, Any] = {kind.__name__: kind for kind in _HELD}
_NUMBERED = (one for one in (Code, *vars(op).values()) if isinstance(one, type) and issubclass(one, IntEnum))
_ENUMS: dict[str, Any] = {kind.__name__: kind for kind in _NUMBERED}


class BadPlainData(ValueError):
    """This is not what `to_plain` returns, and why."""


def to_plain(value: object) -> Any:
    """A value as plain data. Raises TypeError for one of another class than those that a shard or its result holds."""
    match value:
        case IntEnum():
            return {"is": type(value).__name__, "number": int(value)}
        case _ if is_dataclass(value) and type(value).__name__ in _CLASSES:
            held = {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
            return {"is": type(value).__name__, **held}
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return {"hex": value.hex()}
        case tuple() | list():
            return [to_plain(one) for one in value]
        case frozenset():
            return {"set": sorted(map(to_plain, value))}
        case Mapping():
            return {"pairs": [[to_plain(key), to_plain(one)] for key, one in value.items()]}
        case _:
            raise TypeError(f"a {type(value).__name__} has no form as plain data")


def from_plain(plain: object) -> Any:
    """The value again; sequences as tuples. Raises `BadPlainData`."""
    match plain:
        case None | bool() | int() | float() | str():
            return plain
        case list():
            return tuple([from_plain(one) for one in plain])
        case {"is": str(name), "number": int(number)} if name in _ENUMS:
            return _made(_ENUMS[name], number)
        case {"is": str(name), **given} if name in _CLASSES:
            return _dataclass(_CLASSES[name], given)
        case {"hex": str(digits)}:
            return _made(bytes.fromhex, digits)
        case {"set": list(held)}:
            return frozenset(map(from_plain, held))
        case {"pairs": list(held)}:
            return _made(dict, [from_plain(pair) for pair in held])
        case _:
            raise BadPlainData(f"this is no plain data of ours: {plain!r:.80}")


def _dataclass(kind: Any, given: Mapping[object, object]) -> Any:
    names = [field.name for field in fields(kind)]
    if given.keys() != set(names):
        raise BadPlainData(f"a {kind.__name__} has {', '.join(names)}, not {', '.join(map(str, given))}")
    return _made(kind, *(from_plain(given[name]) for name in names))  # by place: symbols take no names


def _made(kind: Any, *values: object) -> Any:
    try:
        return kind(*values)
    except (TypeError, ValueError) as error:
        raise BadPlainData(f"this is no {kind.__name__}: {error}") from error
