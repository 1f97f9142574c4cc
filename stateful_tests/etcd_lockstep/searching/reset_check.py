"""Whether a target's `reset` does what it must: what it leaves would be taken for findings."""

from __future__ import annotations

from contextlib import suppress

from etcd_lockstep.catalogue import UnknownTarget
from etcd_lockstep.names import name_of
from etcd_lockstep.strategies.generator_state import KEYS
from etcd_lockstep.target import Target, TargetDied
from etcd_lockstep.targets.served import ServedTarget, Way
from etcd_model import operations as op
from etcd_model import results
from etcd_model.ranges import FROM_KEY


class UnfitTarget(UnknownTarget):
    """A target whose `reset` does not empty its store."""


def check_reset(target: Target) -> None:
    """Reset a target, write a key, a lease and a user as far as it can, reset it again, and look what is left.

    Raises `UnfitTarget` with what `reset` leaves behind. Whatever else goes wrong here, the search will see it.
    """
    try:
        _check(target)
    except TargetDied:
        with suppress(TargetDied):
            target.revive()


def find_way_to_reset(target: ServedTarget) -> None:
    """Have a program that was started reset in a way that empties it. Raises `UnfitTarget` where there is none."""
    try:
        check_reset(target)
    except UnfitTarget:
        if target.way is Way.RESTARTING:
            raise
        target.reset_by_restarting()
        check_reset(target)


def _check(target: Target) -> None:
    target.reset()
    key = (target.keys or KEYS)[0]
    for operation in (op.Put(key, b"1"), op.LeaseGrant(60), op.UserAdd("u", "p")):
        _answer(target, operation)
    target.reset()
    left: list[str] = []
    match _answer(target, op.Range(b"\x00", FROM_KEY)) or _answer(target, op.Range(key)):
        case results.RangeResult(kvs=kvs) if kvs:
            left.append(f"keys ({', '.join(repr(kv.key) for kv in kvs[:3])}{', …' if len(kvs) > 3 else ''})")
    match _answer(target, op.LeaseLeases()):
        case results.LeaseLeasesResult(leases=leases) if leases:
            left.append(f"{len(leases)} leases" if len(leases) > 1 else "a lease")
    match _answer(target, op.UserList()):
        case results.UserListResult(users=users) if users:
            left.append(f"users ({', '.join(users[:3])})")
    if left:
        raise UnfitTarget(f"{target.name}: its reset() leaves {' and '.join(left)}: it has to empty the store")


def _answer(target: Target, operation: op.Operation) -> results.Result | None:
    if name_of(operation) not in target.capabilities:
        return None
    try:
        return target.apply(operation) if target.can_express(operation) else None
    except TargetDied:
        raise
    except Exception:
        return None
