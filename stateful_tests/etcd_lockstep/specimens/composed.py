"""Two specimens in one: a fake that tells both lies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from etcd_lockstep.specimens.specimen import Specimen

_CHANGING = ("hear", "show", "judge", "read", "remember", "attach")
"""What a specimen overrides to change the last argument, without asking `super()`."""

_PERMITTING = ("permits",)
"""What it overrides to permit something, without asking `super()`."""


def composed(first: type[Specimen], second: type[Specimen]) -> type[Specimen]:
    """A specimen with the lies of both: a request passes through the first, then the second; an answer the other way.

    Raises TypeError where two classes can't be the bases of one.
    """
    own: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": f"{first.__doc__} {second.__doc__}",
        "name": name_of_both(first.name, second.name),
        "capabilities": first.capabilities | second.capabilities,
        "keys": (*first.keys, *second.keys),
    }
    for name in (*_CHANGING, *_PERMITTING):
        one, other = getattr(first, name, None), getattr(second, name, None)
        if one and other and one is not other:
            own[name] = _either(one, other) if name in _PERMITTING else _one_after_the_other(one, other)
    return type("Both", (first, second), own)


def name_of_both(first: str, second: str) -> str:
    """What the two in one are called."""
    return f"{first} and {second}"


def _one_after_the_other(first: Callable[..., Any], second: Callable[..., Any]) -> Callable[..., Any]:
    def both(*given: Any) -> Any:
        return second(*given[:-1], first(*given))

    return both


def _either(first: Callable[..., Any], second: Callable[..., Any]) -> Callable[..., Any]:
    def both(*given: Any) -> Any:
        return first(*given) or second(*given)

    return both
