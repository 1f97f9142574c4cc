"""The states of the store in which operations are asked, by few features, so that they can be counted."""

from __future__ import annotations

from typing import NamedTuple

from etcd_lockstep.comparing.observation import Observation
from etcd_lockstep.trace import bare
from etcd_model import State
from etcd_model.operations import Operation
from etcd_model.results import DeleteRangeResult, RangeResult

_STORE = ("no keys", "one key", "several keys")


class StateFeatures(NamedTuple):
    """What was so when an operation was asked, each as the words that reports use; empty where it isn't so."""

    store: str
    """How many keys were alive."""
    key: str
    """Whether the key that the operation names was alive, and whether it had a lease."""
    covered: str
    """How much of the store a Range counted or a DeleteRange deleted, where there was something."""
    compacted: str
    auth: str
    alarm: str


def state_features(operation: Operation, before: State, answer: Observation) -> StateFeatures:
    """`before`: the model's state in which the operation was asked. `answer`: what it observed."""
    keys = before.keys
    alive = len(keys)
    named = getattr(bare(operation), "key", b"")
    found = keys.get(named) if isinstance(named, bytes) else None
    return StateFeatures(
        _STORE[min(alive, 2)],
        "" if found is None else "key with a lease" if found.lease else "key without a lease",
        _covered(answer, alive) if alive else "",
        "compacted" if before.compact_revision > 1 else "",
        "auth enabled" if before.auth.enabled else "",
        "alarm raised" if before.alarms else "",
    )


def _covered(answer: Observation, alive: int) -> str:
    match answer:
        case RangeResult(count=count) | DeleteRangeResult(deleted=count):
            return "covers none" if not count else "covers some" if count < alive else "covers all"
        case _:
            return ""
