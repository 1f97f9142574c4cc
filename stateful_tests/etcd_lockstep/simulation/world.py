"""What a test and the clients of a simulation see of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

import grpc

from fake_etcd import Stubs, stubs
from fake_etcd.compat.etcd3 import client_on, import_etcd3

with suppress(ImportError):  # without it there are stubs
    import_etcd3()  # now, so that what it makes as it is imported is no run's

Check = Callable[[], object]
C = TypeVar("C", bound=Check)


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
        self.invariants.append(check)
        return check

    def at_end(self, check: C) -> C:
        """Check this once all clients are over; a decorator."""
        self.at_ends.append(check)
        return check


class Client:
    """What a client's callable is given: its name, and etcd as it sees it, by the gates of the schedule."""

    def __init__(self, name: str, index: int, start: int, channel: grpc.Channel, note: Callable[[str], None]) -> None:
        self.name = name
        """As the timeline has it, such as `worker 2`."""
        self.index = index
        """Counted from 0, in the order of `clients`."""
        self.start = start
        """1 at first, and 2 when it was started again after a crash."""
        self.channel = channel
        """A gRPC channel, for stubs of any make."""
        self._note = note

    @cached_property
    def stubs(self) -> Stubs:
        """Stubs of every service, as `fake_etcd.stubs` makes them."""
        return stubs(self.channel)

    @cached_property
    def etcd(self) -> Any:
        """An etcd3 client. `etcd3.client()`, called by a client, gives one as well."""
        return client_on(self.channel)

    def note(self, text: str) -> None:
        """Write a line into the client's column of the timeline."""
        self._note(text)
