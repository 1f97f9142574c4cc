"""Coverage: on how many steps all targets agreed, by the fields that the request used, by the error it met,
and by the state of the store in which it was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import compress
from operator import attrgetter
from typing import Any, TypeAlias

from etcd_lockstep.comparing.observation import Observation
from etcd_lockstep.names import operation_name, snake_case
from etcd_lockstep.searching.states import state_features
from etcd_lockstep.trace import bare
from etcd_model import State, errors
from etcd_model.errors import Error
from etcd_model.operations import (
    OPERATIONS,
    Compare,
    CompareTarget,
    LeaderKey,
    Operation,
    Permission,
    Txn,
    UserAdd,
    WatchCancel,
    WatchCreate,
    WatchProgress,
)

OK = ""
"""Stands where an error would."""

CoverageCounts: TypeAlias = Mapping[tuple[frozenset[str], str, str], int]
"""Agreed steps by the fields that are set, the operation, and the error."""

StateCounts: TypeAlias = Mapping[tuple[str, str, tuple[str, ...]], int]
"""Agreed steps by the operation, the error, and the features of the state (`StateFeatures`)."""

ERRORS = frozenset(one.message for one in vars(errors).values() if isinstance(one, Error))
"""The messages of the errors that the model has by name."""


class Coverage:
    """Counts of agreed steps."""

    __slots__ = ("_states", "_steps")

    def __init__(self, counts: CoverageCounts | None = None, states: StateCounts | None = None) -> None:
        self._steps = Counter(counts)
        """Taken apart only when they are asked for."""
        self._states = Counter(states)

    @property
    def counts(self) -> CoverageCounts:
        """As they are counted."""
        return self._steps

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

    @property
    def states(self) -> StateCounts:
        """As they are counted; by workers that follow no model, none are."""
        return self._states

    @property
    def met(self) -> Counter[tuple[str, str, str]]:
        """By operation, error and one feature of the state: how many agreed steps met the three together."""
        counts: Counter[tuple[str, str, str]] = Counter()
        for (operation, message, features), steps in self._states.items():
            for feature in filter(None, features):
                counts[operation, message, feature] += steps
        return counts

    @property
    def features(self) -> Counter[str]:
        """By feature of the state: how many agreed steps met it."""
        counts: Counter[str] = Counter()
        for (_, _, feature), steps in self.met.items():
            counts[feature] += steps
        return counts

    @property
    def errors_not_met(self) -> list[str]:
        """The messages of those errors that no step met, in alphabetical order."""
        return sorted(ERRORS - {message for _, message in self.answers})

    def agreed(self, operation: Operation, observation: Observation, before: State | None = None) -> None:
        """All targets have given this answer to an operation. `before`: the model's state in which it was asked, where
        one is at hand."""
        message = observation.message if isinstance(observation, Error) else OK
        name = operation_name(type(bare(operation)))
        self._steps[fields_used(operation), name, message] += 1
        if before is not None:
            self._states[name, message, state_features(operation, before, observation)] += 1

    def add(self, other: Coverage) -> None:
        """Count what another search has seen, too."""
        self._steps.update(other._steps)
        self._states.update(other._states)

    def to_json(self) -> dict[str, Any]:
        """As `fuzz --json` writes it."""
        return {
            "fields": dict(sorted(self.fields.items())),
            "answers": [
                {"operation": operation, "error": error, "steps": steps}
                for (operation, error), steps in sorted(self.answers.items())
            ],
            "states": [
                {"operation": operation, "error": error, "feature": feature, "steps": steps}
                for (operation, error, feature), steps in sorted(self.met.items())
            ],
            "errors_not_met": self.errors_not_met,
        }


def fields_used(operation: Operation) -> frozenset[str]:
    """The fields that are set in an operation and its parts, each with what it is a field of: `put.lease`."""
    found: set[str] = set()
    _note_fields(bare(operation), found)
    return frozenset(found)


class _Shape:
    """What the fields of one class of operations, or of parts of them, are called."""

    __slots__ = ("name", "names", "parts", "values")

    def __init__(self, kind: type) -> None:
        declared = fields(kind)
        self.name = snake_case(kind.__name__)
        self.names = [f"{self.name}.{field.name}" for field in declared]
        self.values: Callable[[Any], Iterable[Any]] = _reader([field.name for field in declared])
        self.parts = tuple(at for at, field in enumerate(declared) if field.name in _HOLD_PARTS)


_HOLD_PARTS = frozenset({"compare", "success", "failure", "leader", "perm", "meanwhile"})
"""The fields whose values have fields of their own."""


def _reader(names: Sequence[str]) -> Callable[[Any], Iterable[Any]]:
    if not names:
        return lambda _value: ()
    read = attrgetter(*names)
    return read if len(names) > 1 else lambda value: (read(value),)


_SHAPES = {kind: _Shape(kind) for kind in (*OPERATIONS, Compare, LeaderKey, Permission)}
_REQUEST_OPS = {kind: f"request_op.request_{shape.name}" for kind, shape in _SHAPES.items()}


def _note_fields(value: Any, found: set[str]) -> None:
    kind = type(value)
    shape = _SHAPES[kind]
    values = tuple(shape.values(value))
    if kind is Compare:
        found.update(shape.names)
        found.add(f"compare.{_OPERANDS[CompareTarget(value.target)]}")
        return
    found.update(compress(shape.names, values))
    for at in shape.parts:
        held = values[at]
        if isinstance(held, tuple):
            for part in held:
                _note_fields(part, found)
        elif held is not None:
            _note_fields(held, found)
    if kind is Txn:
        for request in (*value.success, *value.failure):
            found.add(_REQUEST_OPS[type(request)])
    elif kind is UserAdd and value.no_password:
        found.add("user_add.options")
    elif kind in _WATCH_REQUESTS:
        found.add(_WATCH_REQUESTS[kind])


_WATCH_REQUESTS = {
    WatchCreate: "watch.create_request",
    WatchCancel: "watch.cancel_request",
    WatchProgress: "watch.progress_request",
}
_OPERANDS = {
    CompareTarget.VERSION: "version",
    CompareTarget.CREATE: "create_revision",
    CompareTarget.MOD: "mod_revision",
    CompareTarget.VALUE: "value",
    CompareTarget.LEASE: "lease",
}
