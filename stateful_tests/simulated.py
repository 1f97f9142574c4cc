"""Clients and set-ups that several tests of simulations share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from etcd_lockstep.simulation import Client, Simulation, World, simulate


def counts(me: Client) -> None:
    """Reads, adds one and writes: what loses an update."""
    value, _ = me.etcd.get("/n")
    me.etcd.put("/n", str(int(value) + 1))


def with_put(key: str) -> Callable[[Client], None]:
    """A client that puts a key."""

    def putter(me: Client) -> None:
        me.etcd.put(key, "1")

    return putter


def nothing(world: World) -> None:
    """A set-up without any invariant."""


def no_update_is_lost(world: World) -> None:
    """Two clients that count come to 2."""
    world.etcd.put("/n", "0")

    @world.at_end
    def nothing_is_lost() -> None:
        assert world.etcd.get("/n")[0] == b"2"


def made(*clients: Any, set_up: Callable[[World], None] = nothing, **options: Any) -> Simulation:
    return simulation_of(simulate(clients, **options)(set_up))


def simulation_of(test: Any) -> Simulation:
    """That which a test decorated with `simulate` is."""
    simulation: Simulation = test.simulation
    return simulation
