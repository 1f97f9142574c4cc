"""Functions of others that find something else under a name of their module's, for one caller alone."""

from collections.abc import Mapping
from types import FunctionType, SimpleNamespace
from typing import Any


def rebound(function: Any, names: Mapping[str, Any]) -> Any:
    """The same function, which finds these names where it looks for those of its module. The module stays as it is."""
    made = FunctionType(
        function.__code__,
        {**function.__globals__, **names},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    made.__kwdefaults__ = function.__kwdefaults__
    made.__doc__ = function.__doc__
    return made


def with_names(module: Any, names: Mapping[str, Any]) -> SimpleNamespace:
    """What a module has, but for these names."""
    return SimpleNamespace(**{**vars(module), **names})
