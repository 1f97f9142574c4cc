"""What a service is: tables of its methods' handlers by path."""

from collections.abc import Callable, Iterator, Mapping
from threading import Event
from typing import Any

from google.protobuf.message import Message

from fake_etcd.core import Core

Handler = Callable[[Any, str], Message]
"""Answers a request that came with a token ("": none), with the lock held; or raises EtcdError."""

WaitingHandler = Callable[[Any, str, Event | None], Message]
"""The same of a method that may wait (`Core.wait`), until the caller has given up."""

StreamHandler = Callable[[Any, str, Event | None], Iterator[Message]]
"""The answers to a request of a server-streaming method. Called and advanced without the lock: it takes it itself."""


class Service:
    """One of etcd's services, over the shared state. A subclass fills in the tables that it needs."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def handlers(self) -> Mapping[str, Handler]:
        """Methods that answer at once; of a bidirectional method, a request is one message of the stream."""
        return {}

    def waiting(self) -> Mapping[str, WaitingHandler]:
        """Methods that may wait."""
        return {}

    def streams(self) -> Mapping[str, StreamHandler]:
        """Server-streaming methods."""
        return {}

    def reset(self) -> None:
        """Forget everything that isn't in the core; with the lock held."""
