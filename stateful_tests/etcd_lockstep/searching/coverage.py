"""Coverage: on how many steps all targets agreed, by the fields that the request used and by the error it met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

from etcd_lockstep.comparing.observation import Observation
from etcd_lockstep.names import operation_name, snake_case
from etcd_lockstep.trace import Symbol, bare
from etcd_model.errors import Error
from etcd_model.operations import (
    Compare,
    CompareTarget,
    Operation,
    Txn,
    UserAdd,
    WatchCancel,
    WatchCreate,
    WatchProgress,
)

OK = ""
"""Stands where an error would."""


class Coverage:
    """Counts of agreed steps."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: Counter[tuple[frozenset[str], str, str]] = Counter()
        """By the fields that are set, the operation, and the error: taken apart only when they are asked for."""

    @property
    def fields(self) -> Counter[str]:
        """By `put.lease`: how many agreed requests had that field set. One in a txn counts like one of its own."""
        counts: Counter[str] = Counter()
        for (used, _, _), steps in self._steps.items():
            for name in used:
                counts[name] += steps
        return counts

    @property
    def answers(self) -> Counter[tuple[str, str]]:
        """By operation and error message: how many agreed answers were that error; `OK` where they were none."""
        counts: Counter[tuple[str, str]] = Counter()
        for (_, operation, message), steps in self._steps.items():
            counts[operation, message] += steps
        return counts

    def agreed(self, operation: Operation, observation: Observation) -> None:
        """All targets have given this answer to an operation."""
        message = observation.message if isinstance(observation, Error) else OK
        self._steps[fields_used(operation), operation_name(type(bare(operation))), message] += 1

    def add(self, other: Coverage) -> None:
        """Count what another search has seen, too."""
        self._steps.update(other._steps)

    def to_json(self) -> dict[str, Any]:
        """As `fuzz --json` writes it."""
        return {
            "fields": dict(sorted(self.fields.items())),
            "answers": [
                {"operation": operation, "error": error, "steps": steps}
                for (operation, error), steps in sorted(self.answers.items())
            ],
        }


@lru_cache(maxsize=8192)
def fields_used(operation: Operation) -> frozenset[str]:
    """The fields that are set in an operation and its parts, each with what it is a field of: `put.lease`."""
    return frozenset(_fields(bare(operation)))


def _fields(value: Any) -> Iterator[str]:
    name = snake_case(type(value).__name__)
    for one in fields(value):
        held = getattr(value, one.name)
        if held or name == "compare":
            yield f"{name}.{one.name}"
        for part in held if isinstance(held, tuple) else (held,):
            if is_dataclass(part) and not isinstance(part, Symbol):
                yield from _fields(part)
    match value:
        case Compare(target=target):
            yield f"compare.{_OPERANDS[CompareTarget(target)]}"
        case WatchCreate():
            yield "watch.create_request"
        case WatchCancel():
            yield "watch.cancel_request"
        case WatchProgress():
            yield "watch.progress_request"
        case UserAdd(no_password=True):
            yield "user_add.options"
        case Txn(success=success, failure=failure):
            for request in (*success, *failure):
                yield f"request_op.request_{snake_case(type(request).__name__)}"


_OPERANDS = {
    CompareTarget.VERSION: "version",
    CompareTarget.CREATE: "create_revision",
    CompareTarget.MOD: "mod_revision",
    CompareTarget.VALUE: "value",
    CompareTarget.LEASE: "lease",
}
