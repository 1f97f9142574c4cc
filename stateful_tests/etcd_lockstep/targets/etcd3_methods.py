"""Which of the etcd3 client's methods an object has, and the options that each of them takes by name."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from unittest.mock import NonCallableMock

RANGE_OPTIONS = (
    "limit",
    "revision",
    "serializable",
    "keys_only",
    "count_only",
    "min_mod_revision",
    "max_mod_revision",
    "min_create_revision",
    "max_create_revision",
)
"""Those of a read that etcd3's methods take as etcd has them; the two for sorting they take by name."""

_SORT = frozenset({"sort_order", "sort_target"})
_RANGE = _SORT.union(RANGE_OPTIONS)
_WATCH = frozenset({"range_end", "start_revision", "progress_notify", "filters", "prev_kv"})

OPTIONS: Mapping[str, frozenset[str]] = {
    "get": frozenset({"serializable"}),
    "get_prefix": _RANGE,
    "get_range": _RANGE,
    "get_all": _SORT | {"keys_only"},
    "add_watch_callback": _WATCH,
    "add_watch_prefix_callback": _WATCH,
    "watch": _WATCH,
    "watch_prefix": _WATCH,
    "transaction": frozenset({"compare", "success", "failure"}),
}
"""What `**kwargs` stands for, by the method: etcd3's own takes these (etcd3 0.12.0, client.py)."""


class Methods:
    """The methods of an object. What a `unittest.mock.Mock` makes up by itself is none; what has a `side_effect` is."""

    def __init__(self, holder: object) -> None:
        self._holder = holder
        self._options: dict[str, frozenset[str] | None] = {}

    def takes(self, name: str, options: Collection[str] = ()) -> bool:
        """Whether there is such a method, and it takes all these options by name."""
        if name not in self._options:
            self._options[name] = _options_of(self._holder, name)
        taken = self._options[name]
        return taken is not None and taken.issuperset(options)

    def any_of(self, *names: str) -> bool:
        return any(map(self.takes, names))


def _options_of(holder: object, name: str) -> frozenset[str] | None:
    """None where there is no such method."""
    method = getattr(holder, name, None)
    if isinstance(method, NonCallableMock):
        method = method.side_effect
    if not callable(method):
        return None
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):  # of what is not written in Python
        return OPTIONS.get(name.removesuffix("_response"), frozenset())
    named = frozenset(one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY))
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return named | OPTIONS.get(name.removesuffix("_response"), frozenset())
    return named
