"""Operations with one option, one compare or one request less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields, replace
from typing import Any

from etcd_lockstep.searching.findings import SUBJECTS
from etcd_lockstep.strategies.simplify import nature
from etcd_model import operations as op
from etcd_model.operations.shown import Shown
from etcd_model.ranges import FROM_KEY

_PLAIN_VALUES = (b"1", b" ", b"12", b"\xff")
"""A plain value, and for each feature that `nature` finds in short ones a value with that alone."""


def one_less(operation: Any, keys: Sequence[bytes]) -> Iterator[Any]:
    """An operation, or a part of one, without one of its features, each in its turn: an option, and of a txn a compare
    or a request. Instead of a range it has one of the keys in it; `keys` are those that are of interest. A txn of one
    request without a compare may be that request alone. Whoever sends it goes on doing so."""
    match operation:
        case op.As(operation=inner):
            yield from (replace(operation, operation=less) for less in one_less(inner, keys))
            return
        case op.Txn(compare=(), success=(request,), failure=()) | op.Txn(compare=(), success=(), failure=(request,)):
            yield request
    for field in fields(operation):
        held = getattr(operation, field.name)
        if field.name == "range_end":
            yield from _one_key(operation, keys) if held else ()
        else:
            for less in _less(field.name, held, field.default, keys):
                yield replace(operation, **{field.name: less})


def _one_key(ranged: Any, keys: Sequence[bytes]) -> Iterator[Any]:
    if ranged.range_end == FROM_KEY:
        yield replace(ranged, range_end=max((ranged.key, *keys)) + b"\0")
    for key in (ranged.key, *keys):
        if ranged.key <= key and (ranged.range_end == FROM_KEY or key < ranged.range_end):
            yield replace(ranged, key=key, range_end=b"")


def _less(name: str, held: Any, default: Any, keys: Sequence[bytes]) -> Iterator[Any]:
    if isinstance(held, tuple):
        for at, one in enumerate(held):
            yield (*held[:at], *held[at + 1 :])
            if isinstance(one, Shown):
                yield from ((*held[:at], less, *held[at + 1 :]) for less in one_less(one, keys))
    elif name == "value":
        natures = set(nature(held))
        yield from (plainer for plainer in _PLAIN_VALUES if natures > set(nature(plainer)))
    elif name not in SUBJECTS:
        if default is not MISSING and held != default:
            yield default
        if isinstance(held, Shown):
            yield from one_less(held, keys)
