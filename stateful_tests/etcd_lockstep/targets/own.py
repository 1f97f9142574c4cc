"""A target of the user's: its answers are looked at before anybody compares them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import get_args

from etcd_lockstep.target import Target, TargetDied
from etcd_model import Operation, Result

_RESULTS = frozenset(get_args(Result))
_PLAIN: dict[str, type] = {"int": int, "bool": bool, "bytes": bytes, "str": str}


class OwnTarget(Target):
    """Passes everything on. What `apply` returns that is no result becomes a TypeError which says so, and is so
    reported; a `reset` that fails leaves nothing to go on with."""

    def __init__(self, own: Target, name: str) -> None:
        self.name = name
        self.capabilities = frozenset(own.capabilities)
        self.keys = tuple(own.keys)  # type: ignore[misc]  # one instance's, not the class's
        self.shared_store = own.shared_store
        self.real_time = own.real_time
        self._own = own
        self._failed_reset = ""

    def reset(self) -> int | None:
        self._failed_reset = ""
        try:
            return self._own.reset()
        except TargetDied:
            raise
        except Exception as error:
            self._failed_reset = f"its reset() raised {type(error).__name__}: {error}"
            raise TargetDied(self._failed_reset) from error

    def auth_revision(self) -> int:
        return self._own.auth_revision()

    def apply(self, operation: Operation) -> Result:
        result = self._own.apply(operation)
        if type(result) not in _RESULTS:
            raise TypeError(f"apply() returned {type(result).__name__}, which is no result of etcd_model.results")
        _check(result)
        return result

    def revive(self) -> None:
        if self._failed_reset:
            raise TargetDied(self._failed_reset)
        self._own.revive()

    def can_express(self, operation: Operation) -> bool:
        return self._own.can_express(operation)

    def close(self) -> None:
        with suppress(Exception):  # the run is over, and its verdict stands
            self._own.close()


def _check(value: object) -> None:
    """Raise TypeError where a field of a result, or of what is in it, is not of its type."""
    for field in fields(value):  # type: ignore[arg-type]  # a result, or a part of one
        held, declared = getattr(value, field.name), str(field.type)
        several = declared.startswith("tuple[")
        if several and not isinstance(held, list | tuple):
            raise TypeError(f"{type(value).__name__}.{field.name} is {held!r:.60}, and should be a tuple")
        wanted = _PLAIN.get(declared.removeprefix("tuple[").removesuffix(", ...]"))
        for one in held if several else (held,):
            if wanted is None and is_dataclass(one):
                _check(one)
            elif wanted is not None and not (isinstance(one, wanted) and (wanted is bool or type(one) is not bool)):
                raise TypeError(f"{type(value).__name__}.{field.name} holds {one!r:.60}, and should hold {declared}")
