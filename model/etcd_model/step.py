"""The front door: one operation, from one state to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from etcd_model import auth, kv, lease, lock, maintenance, watch
from etcd_model import operations as op
from etcd_model.admission import admit_call
from etcd_model.auth.permission import bare
from etcd_model.auth.sender import sender_of
from etcd_model.errors import unimplemented
from etcd_model.events import deliver
from etcd_model.results import Result
from etcd_model.sizes import check_message
from etcd_model.state import State
from etcd_model.txn import txn

Step = Callable[[State, Any], tuple[State, Result]]


def admitted(run: Step) -> Step:
    """A call that is looked at only if it is not refused for its caller's or an alarm's sake."""

    def checked(state: State, operation: Any) -> tuple[State, Result]:
        error = admit_call(state, operation) if state.guarded else None
        return (state, error) if error else run(state, operation)

    return checked


def _read(state: State, operation: op.WatchRead) -> tuple[State, Result]:
    """The sentinel is put as any other key is, so that all that follows from a put follows from it."""
    return watch.read(state, operation, put_sentinel=lambda before: step(before, op.Put(op.SENTINEL_KEY)))


def framed(run: Step) -> Step:
    """A call that may be longer than what gRPC takes."""

    def checked(state: State, operation: Any) -> tuple[State, Result]:
        error = check_message(operation)
        return (state, error) if error else run(state, operation)

    return checked


def _range_stream(state: State, operation: op.RangeStream) -> tuple[State, Result]:
    """A server that doesn't know the method doesn't look at the request either."""
    if not state.server.quirks.range_streams:
        return state, unimplemented("etcdserverpb.KV", "RangeStream")
    return framed(kv.range_)(state, operation)


def _lock(state: State, operation: op.LockOperation) -> tuple[State, Result]:
    return lock.step(state, operation, step)


_STEPS: dict[type[op.Operation], Step] = {
    op.Range: framed(kv.range_),
    op.RangeStream: _range_stream,
    op.Put: framed(kv.put),
    op.DeleteRange: framed(kv.delete_range),
    op.Txn: framed(txn),
    op.Compact: admitted(kv.compact),
    op.LeaseGrant: lease.grant,
    op.LeaseRevoke: admitted(lease.revoke),
    op.LeaseKeepAlive: admitted(lease.keep_alive),
    op.LeaseTimeToLive: admitted(lease.time_to_live),
    op.LeaseLeases: admitted(lease.leases),
    op.Advance: lease.advance,
    **dict.fromkeys(get_args(op.WatchOperation), watch.step),
    op.WatchRead: _read,
    **dict.fromkeys(get_args(op.AuthOperation), auth.step),
    **dict.fromkeys(get_args(op.MaintenanceOperation), maintenance.step),
    **dict.fromkeys(get_args(op.LockOperation), framed(_lock)),
}


def step(state: State, operation: op.Operation) -> tuple[State, Result]:
    """What etcd would answer, and the state it would be in. Pure: no clock, no I/O, no randomness."""
    if isinstance(operation, op.As):
        return _step_as(state, operation)
    run = _STEPS.get(type(operation))
    if run is None:
        raise AssertionError(f"not an operation of etcd: {operation!r}")
    after, result = run(state, operation)
    return (deliver(after) if after.streams else after), result


def _step_as(state: State, operation: op.As) -> tuple[State, Result]:
    """The state knows the sender just while its request is answered. To be looked at keeps a token alive."""
    used = state.auth.used(bare(state, operation.sent), state.now)
    if used is not state.auth:
        state = replace(state, auth=used)
    asked = replace(state, sender=sender_of(operation))
    answered, result = step(asked, operation.operation)
    return state if answered is asked else replace(answered, sender=state.sender), result
