"""Stores that answer rightly while one thread uses them, and wrongly where two meet.

Each has one race, of the kinds that mocks have which were written for one client: `etcd-lockstep stress` finds them,
and `fuzz` does not. What is not guarded stands on lines of its own, between which threads are switched.
"""

from __future__ import annotations

from dataclasses import replace
from threading import RLock

from etcd_lockstep.specimens.specimen import Specimen, basic_and
from etcd_model import Operation, Result, step
from etcd_model.lease import attached
from etcd_model.operations import LeaseRevoke, Put, Range, Txn, WatchCreate, WatchRead
from etcd_model.results import RangeResult, TxnResult, WatchCreateResult


class Locked(Specimen):
    """Right: one lock around all of it. What the specimens are made from, each of which leaves it out somewhere."""

    name = "locked"
    capabilities = basic_and(WatchCreate, WatchRead)

    def __init__(self) -> None:
        super().__init__()
        self._lock = RLock()

    def apply(self, operation: Operation) -> Result:
        with self._lock:
            return super().apply(operation)


class LostUpdateUnderThreads(Locked):
    """A put reads the store, makes the new one, and puts it in place, without a lock: of two, one is lost."""

    name = "lost-update-under-threads"

    def apply(self, operation: Operation) -> Result:
        if not isinstance(operation, Put):
            return super().apply(operation)
        state, result = step(self.state, operation)
        self.state = state
        return result


class CheckThenAct(Locked):
    """A txn looks whether its compares hold, and then, in a second step, carries its branch out."""

    name = "check-then-act"

    def apply(self, operation: Operation) -> Result:
        if not isinstance(operation, Txn) or not operation.compare:
            return super().apply(operation)
        _, checked = step(self.state, operation)
        if not isinstance(checked, TxnResult):
            return checked
        branch = operation.success if checked.succeeded else operation.failure
        carried_out = super().apply(Txn(success=branch))
        return replace(carried_out, succeeded=checked.succeeded) if isinstance(carried_out, TxnResult) else carried_out


class WatchRegisteredLate(Locked):
    """A watcher from now on is first sent the revision, and then put on the list of those who are sent events."""

    name = "watch-registered-late"

    def apply(self, operation: Operation) -> Result:
        if not isinstance(operation, WatchCreate) or operation.start_revision:
            return super().apply(operation)
        revision = self.state.revision
        result = super().apply(operation)
        return replace(result, revision=revision) if isinstance(result, WatchCreateResult) else result


class IterateWhileChanged(Locked):
    """A read of several keys goes through a dict that others write to meanwhile."""

    name = "iterate-while-changed"

    def __init__(self) -> None:
        super().__init__()
        self._index: dict[bytes, None] = {}

    def reset(self) -> int:
        self._index = {}
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Range) and operation.range_end:
            for key in self._index:
                assert key
        result = super().apply(operation)
        with self._lock:
            for gone in self._index.keys() - self.state.keys.keys():
                del self._index[gone]
            self._index.update(dict.fromkeys(self.state.keys))
        return result


class NonAtomicRevoke(Locked):
    """The end of a lease takes its keys away one after the other, and only then counts as a revision."""

    name = "non-atomic-revoke"

    def __init__(self) -> None:
        super().__init__()
        self._gone: set[bytes] = set()

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, LeaseRevoke):
            for key in attached(self.state, operation.id):
                self._gone.add(key)
            with self._lock:
                self._gone.clear()
                return super().apply(operation)
        with self._lock:
            result = super().apply(operation)
            if not isinstance(result, RangeResult) or not result.kvs:
                return result
            left = tuple(kv for kv in result.kvs if kv.key not in self._gone)
            return replace(result, kvs=left, count=result.count - len(result.kvs) + len(left))


RACING: dict[str, type[Locked]] = {
    specimen.name: specimen
    for specimen in (
        LostUpdateUnderThreads,
        CheckThenAct,
        WatchRegisteredLate,
        IterateWhileChanged,
        NonAtomicRevoke,
    )
}
"""Each by its name."""
