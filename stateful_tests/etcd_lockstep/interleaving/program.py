"""What is run: a few clients with a few calls each, and where one client's thread is interrupted for another's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from etcd_model.operations import Operation


@dataclass(frozen=True, slots=True)
class Program:
    """Concurrent calls. All operations are concrete."""

    before: tuple[Operation, ...]
    """Applied first, by nobody's thread in particular, one after the other."""
    clients: tuple[tuple[Operation, ...], ...]
    """The calls of each client, in order. Clients count from 1."""

    @property
    def calls(self) -> int:
        """How many, without those before."""
        return sum(map(len, self.clients))

    def without_client(self, index: int) -> Program:
        return replace(self, clients=self.clients[:index] + self.clients[index + 1 :])

    def with_calls(self, index: int, calls: tuple[Operation, ...]) -> Program:
        return replace(self, clients=(*self.clients[:index], calls, *self.clients[index + 1 :]))


@dataclass(frozen=True, slots=True)
class Preemption:
    """One thread stops, and another goes on."""

    client: int
    step: int
    """At which of the client's switching points: before each call, before each line of the target's own code, and
    after each return from it. They count from 1."""
    to: int
    """The client that goes on, if it can, until it ends, waits, or is interrupted itself."""
    where: str = ""
    """For readers: the file, the line and its code."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """In which order threads run. Without preemptions: each client runs to its end, the one with the lowest number
    first, unless another one is named."""

    preemptions: tuple[Preemption, ...] = ()
    first: int = 1


Where: TypeAlias = "tuple[str, int, str]"
"""A file, a line, and its code."""
