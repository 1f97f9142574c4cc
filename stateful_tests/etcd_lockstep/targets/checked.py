"""A target of the user's: its answers are looked at before anybody compares them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import copy, deepcopy
from dataclasses import Field, fields, is_dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, get_args

from etcd_lockstep.target import Target, TargetDied, described, text_of
from etcd_lockstep.targets.deadline import Overdue
from etcd_lockstep.targets.unimplemented import Unimplemented
from etcd_lockstep.targets.watch_numbering import NumberedStreams
from etcd_lockstep.targets.wire import WireTarget
from etcd_model import Operation, Result, results
from etcd_model.operations import As, LeaderKey, Permission, Txn

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

P = ParamSpec("P")
T = TypeVar("T")
_Dataclass = TypeVar("_Dataclass", bound="DataclassInstance")

_RESULTS = frozenset(get_args(Result))
_PARTS = (results.KeyValue, results.Event, results.Watched, results.AlarmMember, results.Member, LeaderKey, Permission)
_TYPES: dict[str, tuple[type, ...]] = {
    **{kind.__name__: (kind,) for kind in (int, bool, bytes, str, *_PARTS, *_RESULTS)},
    "Code": (int,),  # a number is equal to the code that it is of
    "None": (type(None),),
    "ResponseOp": (results.RangeResult, results.PutResult, results.DeleteRangeResult, results.TxnResult),
}
"""By the names that the declarations of fields are made of."""


class CheckedTarget(Target):
    """Passes everything on. What `apply` returns that is no result becomes a TypeError which says so, and is so
    reported; lists in it become tuples. Watchers that the target numbers in its own way are compared under etcd's ids.
    What a server answers with UNIMPLEMENTED is what it has no words for. A `reset` that fails leaves nothing to go on
    with."""

    def __init__(self, own: Target, name: str) -> None:
        self.name = name
        self.capabilities = frozenset(own.capabilities)
        self.keys = tuple(own.keys)  # type: ignore[misc]  # one instance's, not the class's
        self.txns = tuple(own.txns)  # type: ignore[misc]  # as above
        self.shared_store = own.shared_store
        self.real_time = own.real_time
        self._own = own
        self._unimplemented = Unimplemented()
        self._streams = NumberedStreams()
        self._failed_reset = ""

    def reset(self) -> int | None:
        self._failed_reset = ""
        self._streams.clear()
        try:
            revision = self._own.reset()
        except (TargetDied, *_OURS):
            raise
        except BaseException as error:
            self._failed_reset = f"its reset() raised {described(error)}"
            raise TargetDied(self._failed_reset) from error
        if revision is not None and (type(revision) is not int or revision < 0):
            self._failed_reset = f"its reset() returned {revision!r:.60}, and should return a revision or None"
            raise TargetDied(self._failed_reset)
        return revision

    @property
    def not_handed_on(self) -> frozenset[str]:  # type: ignore[override]  # read only, here
        return self._own.not_handed_on

    def auth_revision(self) -> int:
        return self._passed_on("auth_revision()", self._own.auth_revision)

    def apply(self, operation: Operation) -> Result:
        try:
            result = self._own.apply(_copied(self._streams.in_its_ids(operation)))
        except SystemExit as error:
            raise RuntimeError(f"apply() called sys.exit({error.code!r})") from error
        except (Exception, *_OURS):
            raise
        except BaseException as error:  # which would end the run
            raise type(type(error).__name__, (Exception,), {})(text_of(error)) from error
        if type(result) not in _RESULTS:
            raise TypeError(f"apply() returned {type(result).__name__}, which is no result of etcd_model.results")
        checked = _checked(result)
        if isinstance(self._own, WireTarget):  # which has its watchers under etcd's ids already
            self._unimplemented.learn(operation, checked)
            return checked
        return self._streams.in_etcds_ids(operation, checked)

    def revive(self) -> None:
        if self._failed_reset:
            raise TargetDied(self._failed_reset)
        self._passed_on("revive()", self._own.revive)

    def can_express(self, operation: Operation) -> bool:
        if not self._unimplemented.may_send(operation):
            return False
        return bool(self._passed_on("can_express()", self._own.can_express, _copied(operation)))

    def close(self) -> None:
        with suppress(TargetDied):  # the run is over, and its verdict stands
            self._passed_on("close()", self._own.close)

    def _passed_on(self, what: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Whatever it raises that is no `TargetDied` becomes one."""
        try:
            return function(*args, **kwargs)
        except (TargetDied, *_OURS):
            raise
        except BaseException as error:
            raise TargetDied(f"its {what} raised {described(error)}") from error


_OURS = (Overdue, KeyboardInterrupt)
"""What is raised in the middle of a target's code without its doing."""


def _copied(operation: Operation) -> Operation:
    """One of the target's own, so that what it does to it does nothing to the others."""
    return deepcopy(operation) if isinstance(operation, Txn | As) else copy(operation)


def _checked(value: _Dataclass) -> _Dataclass:
    """A result, or a part of one, with tuples where it has lists. Raises TypeError where a field is not of its type."""
    return replace(value, **{field.name: _held(value, field) for field in fields(value)})


def _held(value: object, field: Field[Any]) -> object:
    held, declared = getattr(value, field.name), _declared(field)
    if not declared.startswith("tuple["):
        return _one(value, field, held)
    if not isinstance(held, list | tuple):
        raise TypeError(f"{type(value).__name__}.{field.name} is {held!r:.60}, and should be a tuple")
    return tuple(_one(value, field, one) for one in held)


def _one(value: object, field: Field[Any], one: object) -> object:
    """What a field holds, or one of what it holds."""
    declared = _declared(field)
    if not any(_is_a(one, wanted) for wanted in _wanted(declared)):
        raise TypeError(f"{type(value).__name__}.{field.name} holds {one!r:.60}, and should hold {declared}")
    return _checked(one) if is_dataclass(one) and not isinstance(one, type) else one


def _is_a(one: object, wanted: type) -> bool:
    """No bool is an int here; and what inherits from a dataclass is never equal to one of it."""
    return type(one) is wanted if is_dataclass(wanted) or type(one) is bool else isinstance(one, wanted)


def _declared(field: Field[Any]) -> str:
    return field.type.__name__ if isinstance(field.type, type) else str(field.type)


@cache
def _wanted(declared: str) -> tuple[type, ...]:
    """The types that a declaration allows, be it of a field or of each thing in a tuple."""
    names = declared.removeprefix("tuple[").removesuffix(", ...]").split(" | ")
    return tuple(kind for name in names for kind in _TYPES[name])
