"""Fields of answers that a user doesn't want compared (`--ignore`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import get_args

from etcd_lockstep.comparing.comparison import Difference
from etcd_model.errors import Error
from etcd_model.results import Answer, Event, KeyValue, Watched

FIELDS = frozenset(
    field.name for kind in (*get_args(Answer), KeyValue, Event, Watched, Error) for field in fields(kind)
)
"""Every field that an answer, or a part of one, may have."""


class UnknownField(ValueError):
    """No answer has such a field: a usage error."""


def check_fields(names: Collection[str]) -> tuple[str, ...]:
    """The names, which are paths such as `create_revision`, `kvs.lease` or `error.message`. Raises `UnknownField`."""
    for name in names:
        for part in name.split("."):
            if part not in FIELDS | {"error"}:
                raise UnknownField(f"no answer has a field {part!r}: there are {', '.join(sorted(FIELDS))}")
    return tuple(dict.fromkeys(names))


def without_ignored(differences: Sequence[Difference], ignored: Collection[str]) -> tuple[Difference, ...]:
    """The differences in other fields. A name stands for such a field of every answer, and for all that is in it."""
    return tuple(one for one in differences if not any(f".{name}." in f".{one.field}." for name in ignored))
