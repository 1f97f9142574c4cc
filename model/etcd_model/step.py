"""The front door: one operation, from one state to the next."""

from __future__ import annotations

from etcd_model import kv, lease
from etcd_model.exhaustive import assert_never
from etcd_model.operations import (
    Compact,
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Operation,
    Put,
    Range,
    Txn,
)
from etcd_model.results import Result
from etcd_model.state import State
from etcd_model.txn import txn


def step(state: State, operation: Operation) -> tuple[State, Result]:
    """What etcd would answer, and the state it would be in. Pure: no clock, no I/O, no randomness."""
    match operation:
        case Range():
            return kv.range_(state, operation)
        case Put():
            return kv.put(state, operation)
        case DeleteRange():
            return kv.delete_range(state, operation)
        case Txn():
            return txn(state, operation)
        case Compact():
            return kv.compact(state, operation)
        case LeaseGrant():
            return lease.grant(state, operation)
        case LeaseRevoke():
            return lease.revoke(state, operation)
        case LeaseKeepAlive():
            return lease.keep_alive(state, operation)
        case LeaseTimeToLive():
            return lease.time_to_live(state, operation)
        case LeaseLeases():
            return lease.leases(state, operation)
        case _:
            assert_never(operation)
