"""How an operation is printed by IPython's pretty printer, which Hypothesis uses for falsifying examples."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


class Shown:
    """Prints only the fields that differ from their defaults: most of an operation's options are not set."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The protocol of IPython (`IPython.lib.pretty`)."""
        del cycle
        named = [(field.name, getattr(self, field.name), field.default) for field in fields(self)]  # type: ignore[arg-type]  # every subclass is a dataclass
        shown = [(name, value) for name, value, default in named if value != default]
        with printer.group(4, f"{type(self).__name__}(", ")"):
            for index, (name, value) in enumerate(shown):
                printer.text(", " * bool(index) + f"{name}=")
                printer.pretty(value)
