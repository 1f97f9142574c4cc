"""Faults by rule: what a real etcd can't be asked for."""

from fake_etcd.faults.active import ActiveFault, Faults
from fake_etcd.faults.rules import (
    CancelWatch,
    Delay,
    Disconnect,
    Effect,
    ExpireLease,
    Fault,
    NoAnswer,
    NoSpace,
    Refuse,
    StallWatch,
)

__all__ = [
    "ActiveFault",
    "CancelWatch",
    "Delay",
    "Disconnect",
    "Effect",
    "ExpireLease",
    "Fault",
    "Faults",
    "NoAnswer",
    "NoSpace",
    "Refuse",
    "StallWatch",
]
