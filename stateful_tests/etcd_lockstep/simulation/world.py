"""What a test and the clients of a simulation see of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

import grpc

from fake_etcd import Stubs, stubs
from fake_etcd.aio_channel import AioChannel
from fake_etcd.compat.aetcd import client_on as aetcd_client_on
from fake_etcd.compat.etcd3 import client_on, import_etcd3

with suppress(ImportError):  # without it there are stubs
    import_etcd3()  # now, so that what it makes as it is imported is no run's

Check = Callable[[], object]
C = TypeVar("C", bound=Check)


def refuse_coroutine_function(check: Callable[..., object]) -> None:
    """TypeError where calling it would do nothing."""
    if inspect.iscoroutinefunction(check):
        raise TypeError(f"{check.__name__} is an async def, which nobody would await: make it a plain function")


class World:
    """A run, as its set-up and its invariants see it. Their own calls are answered at once, and are no steps."""

    def __init__(
        self, clients: tuple[str, ...], open_channel: Callable[[], grpc.Channel], clock: Callable[[], float]
    ) -> None:
        self.clients = clients
        """Their names, as the timeline has them."""
        self._open_channel = open_channel
        self._clock = clock
        self.invariants: list[Check] = []
        self.at_ends: list[Check] = []

    @property
    def clock(self) -> float:
        """Seconds since the start of the run."""
        return self._clock()

    @cached_property
    def stubs(self) -> Stubs:
        """Stubs of every service: `world.stubs.kv.Range(messages.RangeRequest(key=b"a"))`."""
        return stubs(self._open_channel())

    @cached_property
    def etcd(self) -> Any:
        """An etcd3 client. It can't watch: what happens in between steps is the clients'."""
        return client_on(self._open_channel())

    def invariant(self, check: C) -> C:
        """Check this after each step; a decorator. It holds as long as it does not raise, which an `assert` does."""
        refuse_coroutine_function(check)
        self.invariants.append(check)
        return check

    def at_end(self, check: C) -> C:
        """Check this once all clients are over; a decorator."""
        refuse_coroutine_function(check)
        self.at_ends.append(check)
        return check


class Client:
    """What a client's callable is given: its name, and etcd as it sees it, by the gates of the schedule."""

    def __init__(
        self,
        name: str,
        index: int,
        start: int,
        channel: grpc.Channel,
        open_aio_channel: Callable[[], AioChannel],
        note: Callable[[str], None],
    ) -> None:
        self.name = name
        """As the timeline has it, such as `worker 2`."""
        self.index = index
        """Counted from 0, in the order of `clients`."""
        self.start = start
        """1 at first, and 2 when it was started again after a crash."""
        self.channel = channel
        """A gRPC channel, for stubs of any make."""
        self._open_aio_channel = open_aio_channel
        self._note = note

    @cached_property
    def stubs(self) -> Stubs:
        """Stubs of every service, as `fake_etcd.stubs` makes them."""
        return stubs(self.channel)

    @cached_property
    def etcd(self) -> Any:
        """An etcd3 client. `etcd3.client()`, called by a client, gives one as well."""
        return client_on(self.channel)

    @cached_property
    def aio_channel(self) -> AioChannel:
        """A `grpc.aio` channel, for asyncio stubs of any make: `fake_etcd.stubs(me.aio_channel)`."""
        return self._open_aio_channel()

    @cached_property
    def aetcd(self) -> Any:
        """An aetcd client, for an `async def`. `aetcd.Client()`, called by a client, works as well.

        ImportError, which says what to install, where aetcd isn't there.
        """
        return aetcd_client_on(self._open_aio_channel)

    def note(self, text: str) -> None:
        """Write a line into the client's column of the timeline."""
        self._note(text)
