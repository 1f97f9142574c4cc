"""What a service is: tables of its methods' handlers by path."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from fake_etcd.core import Core
from fake_etcd.waiting import Steps

Handler = Callable[[Any, str], Message]
"""Answers a request that came with a token ("": none), with the lock held; or raises EtcdError."""

StepsHandler = Callable[[Any, str], Steps]
"""The same as a generator, of a method that may wait (it returns its answer) or has many answers (it yields them)."""


class Service:
    """One of etcd's services, over the shared state. A subclass fills in the tables that it needs."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def handlers(self) -> Mapping[str, Handler]:
        """Methods that answer at once; of a bidirectional method, a request is one message of the stream."""
        return {}

    def waiting(self) -> Mapping[str, StepsHandler]:
        """Methods that may wait."""
        return {}

    def streams(self) -> Mapping[str, StepsHandler]:
        """Server-streaming methods."""
        return {}

    def reset(self) -> None:
        """Forget everything that isn't in the core; with the lock held."""

    def saved(self) -> Any:
        """What of the state isn't in the core; with the lock held."""

    def restore(self, saved: Any) -> None:
        """Return to what was saved; with the lock held."""
