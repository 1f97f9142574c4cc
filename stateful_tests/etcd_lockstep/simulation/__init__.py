"""Programs that use etcd, under schedules that Hypothesis draws: who goes on next, and what fails.

`simulate` makes a test of them. Nothing happens at the same time as anything else, so that a run is a function of its
schedule.
"""

from etcd_lockstep.simulation.errors import (
    BlockedOutside,
    ClientFailed,
    Crashed,
    Deadlock,
    InvariantBroken,
    NotFinished,
    SimulationFailed,
    SwallowedCrash,
)
from etcd_lockstep.simulation.running import FAULTS
from etcd_lockstep.simulation.simulation import Run, Simulation, on_real, simulate
from etcd_lockstep.simulation.world import Client, World
from fake_etcd.compat.etcd3 import import_etcd3

__all__ = [
    "FAULTS",
    "BlockedOutside",
    "Client",
    "ClientFailed",
    "Crashed",
    "Deadlock",
    "InvariantBroken",
    "NotFinished",
    "Run",
    "Simulation",
    "SimulationFailed",
    "SwallowedCrash",
    "World",
    "import_etcd3",
    "on_real",
    "simulate",
]
