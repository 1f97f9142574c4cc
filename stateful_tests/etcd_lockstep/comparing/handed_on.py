"""Fields of an answer that a target's interface does not hand on: they are taken for right."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from etcd_model.results import KeyValue

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def filled_in(observed: T, expected: object, paths: Collection[str]) -> T:
    """An observation with the expected values at these paths (`revision`, `kvs.version`, …). Key-values are held
    against those of the same key, what else is in a list against what is at the same place."""
    if not paths or type(observed) is not type(expected):
        return observed
    inner: dict[str, list[str]] = {}
    for path in paths:
        field, _, rest = path.partition(".")
        inner.setdefault(field, []).append(rest)
    return replace(
        observed,
        **{
            field: getattr(expected, field)
            if "" in rests
            else _filled_in(getattr(observed, field), getattr(expected, field), rests)
            for field, rests in inner.items()
            if hasattr(expected, field)
        },
    )


def _filled_in(observed: Any, expected: Any, paths: Collection[str]) -> Any:
    if not isinstance(observed, tuple):
        return filled_in(observed, expected, paths) if is_dataclass(observed) else observed  # type: ignore[type-var]
    if all(isinstance(one, KeyValue) for one in (*observed, *expected)):
        by_key = {kv.key: kv for kv in expected}
        return tuple(filled_in(kv, by_key.get(kv.key), paths) for kv in observed)
    return (*_each(observed, expected, paths), *observed[len(expected) :])


def _each(observed: Iterable[Any], expected: Iterable[Any], paths: Collection[str]) -> Iterable[Any]:
    return (filled_in(one, other, paths) for one, other in zip(observed, expected, strict=False))
