"""The commands, a module each. Each returns its exit code."""

from etcd_lockstep.console.commands.check import run_check
from etcd_lockstep.console.commands.fuzz import FuzzOptions, run_fuzz
from etcd_lockstep.console.commands.record import MOST_REQUESTS, run_record
from etcd_lockstep.console.commands.replay import run_replay
from etcd_lockstep.console.commands.stress import StressCommand, run_stress
from etcd_lockstep.console.commands.targets import run_targets
from etcd_lockstep.console.exits import Exit

__all__ = [
    "MOST_REQUESTS",
    "Exit",
    "FuzzOptions",
    "StressCommand",
    "run_check",
    "run_fuzz",
    "run_record",
    "run_replay",
    "run_stress",
    "run_targets",
]
