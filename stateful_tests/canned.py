"""A mock of the etcd3 client with answers that a test gives it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest

from etcd_lockstep.targets.etcd3_mock import Etcd3Mock

needs_etcd3 = pytest.mark.skipif(
    find_spec("etcd3") is None, reason="needs the etcd3 client: pip install 'etcd-lockstep[etcd3]'"
)


def returning(**answers: Any) -> Etcd3Mock:
    """A mock whose methods take anything, and return what is given for them; an exception is raised."""

    def method(answer: Any) -> Callable[..., Any]:
        def called(*_arguments: Any, **_options: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return called

    methods = {name: staticmethod(method(answer)) for name, answer in answers.items()}
    return Etcd3Mock(type("Canned", (), {"transactions": Builders(), **methods}))


class Builders:
    """As much of `client.transactions` as there is: each keeps what it is given."""

    def __getattr__(self, name: str) -> Any:
        if name not in ("create", "value", "put", "get", "delete", "txn"):
            raise AttributeError(name)
        return lambda *arguments, **options: Built(name, arguments, options)


class Built(SimpleNamespace):
    def __init__(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        super().__init__(name=name, arguments=arguments, options=options)

    def __eq__(self, other: object) -> Any:
        return Built(f"{self.name} ==", (*self.arguments, other), self.options)

    __hash__ = None


def of(**fields: Any) -> Any:
    return SimpleNamespace(**fields)
