"""An independent reducer, which knows no operation by name: whatever can be left out of a trace or made plainer, once.

The shrinker is tested with it: nothing that it has shrunk can lose any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any

from etcd_lockstep.trace import RevisionAt, Symbol, Trace, subtrace
from etcd_model import operations as op

_KEPT = frozenset({"password"})
"""Fields that are no plainer for being empty: etcdctl, in whose commands traces are reported, would ask for it."""


def reductions(trace: Trace) -> Iterator[Trace]:
    """Every trace with one step less, or with one part of one step less or plainer. The last step stays."""
    for index in range(len(trace) - 1):
        yield subtrace(trace, [at for at in range(len(trace)) if at != index])
    for index, operation in enumerate(trace):
        for plainer in _plainer(operation):
            yield (*trace[:index], plainer, *trace[index + 1 :])


def _plainer(value: Any) -> Iterator[Any]:
    if isinstance(value, op.As):
        yield value.operation
    for field in fields(value):
        if field.name in _KEPT:
            continue
        for plainer in _plainer_field(getattr(value, field.name), field.default):
            yield replace(value, **{field.name: plainer})


def _plainer_field(held: Any, default: Any) -> Iterator[Any]:
    """What may stand in a field instead: nothing, one element less, or the same a little plainer."""
    if default is not MISSING and held != default:
        yield default
    match held:
        case RevisionAt(step=step, plus=plus) if plus:
            yield RevisionAt(step)
        case Symbol() | bool():
            return
        case tuple():
            for at, one in enumerate(held):
                yield (*held[:at], *held[at + 1 :])
                if is_dataclass(one):
                    yield from ((*held[:at], plainer, *held[at + 1 :]) for plainer in _plainer(one))
        case _ if is_dataclass(held):
            yield from _plainer(held)
