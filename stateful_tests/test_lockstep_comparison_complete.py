"""The comparison sees every field of every answer, but for a list of exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import IntEnum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from etcd_lockstep.comparing.comparison import differences
from etcd_lockstep.comparing.observation import Raised, View, observe
from etcd_model import operations, results
from etcd_model.errors import Code, Error
from etcd_model.results import HashKVResult, Result

NOT_COMPARED = {
    "AlarmResult.alarms: order": "a Go map holds the alarms, so their order is random",
    "AuthenticateResult.token: other": "each server makes its own tokens",
    "LeaseLeasesResult.leases: order": "leases that expire at the same time are in random order",
    "LeaseTimeToLiveResult.keys: order": "a Go map holds the keys of a lease, so their order is random",
    "WatchReadResult.watches.atomic: other": "a revision that arrives whole is right, whoever splits it",
    "MemberAddResult.members: order": "members are listed by their ids, which are other ones on every server",
    "MemberListResult.members: order": "likewise",
    "StatusResult.errors: order": "the alarms are among them, in random order",
}
"""What the comparison does not see on purpose; etcd_lockstep/comparing/observation.py gives the same reasons.

What it does not see in some answers only (the order of the permissions of one key, the ids of unknown leases, a TTL
that counts down) has tests in test_lockstep_observation.py.
"""

RESPONSES = (results.RangeResult, results.PutResult, results.DeleteRangeResult, results.TxnResult)
TYPES = [*get_args(results.Answer), Error]


def filled(hint: Any, *, seed: int = 0, depth: int = 2) -> Any:
    """A value of a type in which no field is empty. Another `seed` makes another value, but for the key of anything."""
    if hint is bool:
        return True
    if hint is int:
        return 5 + seed
    if hint is str:
        return f"text{seed}"
    if hint is bytes:
        return b"key%d" % seed
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return list(hint)[(1 + seed) % len(hint)]
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return hint(**{one.name: filled(hints[one.name], seed=seed, depth=depth) for one in fields(hint)})  # type: ignore[operator]  # a dataclass
    if get_origin(hint) is tuple:
        return elements(get_args(hint)[0], depth)
    if get_origin(hint) in (Union, UnionType):
        return filled(next(one for one in get_args(hint) if one is not type(None)), seed=seed, depth=depth)
    raise AssertionError(f"no value of {hint!r} is known")


def elements(hint: Any, depth: int) -> tuple[Any, ...]:
    if set(get_args(hint)) == set(RESPONSES):  # what is in a txn: each kind of it, as deep as `depth`
        return tuple(filled(one, depth=depth - 1) for one in RESPONSES if one is not results.TxnResult or depth)
    return filled(hint, depth=depth), filled(hint, seed=1, depth=depth)


def changes(value: Any) -> Iterator[tuple[str, Any]]:
    """The value with one thing in it changed, once for each thing, and what that is."""
    if isinstance(value, bool):
        yield ": other", not value
    elif isinstance(value, IntEnum):
        yield ": other", next(one for one in type(value) if one != value)
    elif isinstance(value, int):
        yield ": other", value + 1
        yield ": none", 0
    elif isinstance(value, str):
        yield ": other", f"{value}x"
        yield ": none", ""
    elif isinstance(value, bytes):
        yield ": other", value + b"x"
        yield ": none", b""
    elif is_dataclass(value):
        for one in fields(value):
            for what, changed in changes(getattr(value, one.name)):
                yield f".{one.name}{what}", replace(value, **{one.name: changed})  # type: ignore[type-var]  # an instance
            if isinstance(getattr(value, one.name), results.KeyValue) and (type(value), one.name) != (
                results.Event,
                "kv",
            ):
                yield f".{one.name}: none", replace(value, **{one.name: None})  # type: ignore[type-var]
    elif isinstance(value, tuple):
        yield ": none", ()
        yield ": fewer", value[:-1]
        yield ": more", (*value, value[-1])
        yield ": order", value[::-1]
        for index, element in enumerate(value):
            for what, changed in changes(element):
                yield what, (*value[:index], changed, *value[index + 1 :])
    else:
        raise AssertionError(f"no change of {value!r} is known")


def seen(expected: Result, got: Result) -> bool:
    view = View(1)
    for lease in (5, 6):  # those of `filled`
        view.name_lease(lease, lease, picked_by_server=False)
    right_hash = expected.hash if isinstance(expected, HashKVResult) else None
    return bool(differences(observe(expected, view, right_hash), observe(got, view, right_hash)))


def all_changes(kind: type[Any]) -> Iterator[tuple[str, Result, Result]]:
    answer = filled(kind)
    for what, changed in changes(answer):
        yield f"{kind.__name__}{what}", answer, changed


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_change_of_an_answer_is_seen(kind: type[Any]) -> None:
    answer = filled(kind)
    assert not seen(answer, answer)
    missed = {what for what, one, other in all_changes(kind) if not (seen(one, other) and seen(other, one))}
    assert missed == {what for what in NOT_COMPARED if what.startswith(f"{kind.__name__}.")}


def test_every_field_was_changed() -> None:
    """The reflection reaches every field of every record that an answer may hold."""
    changed = {what.rpartition(":")[0] for kind in TYPES for what, _one, _other in all_changes(kind)}
    for kind in TYPES:
        assert {f"{kind.__name__}.{one.name}" for one in fields(kind)} <= {
            ".".join(what.split(".")[:2]) for what in changed if what.startswith(f"{kind.__name__}.")
        }
    leaves = {what.rpartition(".")[2] for what in changed}
    records = (results.KeyValue, results.Event, results.Watched, results.Member, results.AlarmMember)
    for record in (*records, operations.Permission, operations.LeaderKey):
        assert {one.name for one in fields(record)} <= leaves


def test_another_kind_of_answer_is_seen() -> None:
    answers = [filled(kind) for kind in TYPES]
    for one in answers:
        for other in answers:
            assert seen(one, other) is (type(one) is not type(other)), (one, other)
        assert differences(one, Raised("KeyError", "'a'"))


def test_every_code_is_another_error() -> None:
    for one in Code:
        for other in Code:
            assert seen(Error(one, "m"), Error(other, "m")) is (one is not other)
