"""Situations: what an operation met, and in what state of the store, so that what is new can be recognized."""

from __future__ import annotations

from typing import TypeAlias

from etcd_lockstep.comparing.observation import Observation
from etcd_model import State
from etcd_model.errors import Error
from etcd_model.operations import Operation
from etcd_model.results import DeleteRangeResult, RangeResult, TxnResult, WatchReadResult

MANY = 3
"""From so many on, keys and leases count as many."""

Situation: TypeAlias = tuple[type, type | None, object, int, int, bool, bool]


def situation(operation: Operation, answer: Observation, after: State) -> Situation:
    """Which operation it was, and which one it was before a token was added; its outcome; and of the state after it
    how many keys and leases there are, whether it was compacted, and whether a stream is open."""
    return (
        type(operation),
        type(getattr(operation, "operation", None)),
        _outcome(answer),
        min(len(after.keys), MANY),
        min(len(after.leases), MANY),
        after.compact_revision > 1,
        bool(after.streams),
    )


def _outcome(answer: Observation) -> object:
    match answer:
        case Error(message=message):
            return message
        case RangeResult(kvs=kvs, more=more):
            return min(len(kvs), MANY), more
        case DeleteRangeResult(deleted=deleted):
            return min(deleted, MANY)
        case TxnResult(succeeded=succeeded, responses=responses):
            return succeeded, min(len(responses), MANY)
        case WatchReadResult(watches=watches):
            return min(sum(len(one.events) for one in watches), MANY)
        case _:
            return None
