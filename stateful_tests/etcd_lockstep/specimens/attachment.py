"""Lies about which keys go with a lease: what puts and deletions make of it."""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep.specimens.specimen import HearsWrongly, ShowsWrongly, Specimen
from etcd_model import Operation, Result, State, step
from etcd_model.lease import attached
from etcd_model.operations import DeleteRange, LeaseRevoke, LeaseTimeToLive, Put, RequestOp
from etcd_model.results import KeyValue, PutResult


def with_lease(state: State, key: bytes, lease: int) -> State:
    """The state in which a key that is there goes with another lease, or with none."""
    *earlier, newest = state.commits
    keys = {**newest.keys, key: replace(newest.keys[key], lease=lease)}
    return replace(state, commits=(*earlier, replace(newest, keys=keys)))


class PutSpecimen(Specimen):
    """Attaches a key that was put as `attach` says."""

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)
        if isinstance(operation, Put) and isinstance(result, PutResult):
            lease = self.attach(before, operation, self.state.keys[operation.key].lease)
            self.state = with_lease(self.state, operation.key, lease)
        return result

    def attach(self, before: State, put: Put, lease: int) -> int:  # noqa: ARG002
        """The lease that a key goes with which etcd attaches to `lease`."""
        return lease

    def attached_before(self, before: State, key: bytes) -> int:
        """The lease that a key went with, if that is still there; or 0."""
        lease = before.keys[key].lease if key in before.keys else 0
        return lease if lease in self.state.leases else 0


class RePutKeepsOldAttachment(PutSpecimen):
    """A key that is put again without a lease still goes with the one that it had."""

    name = "re-put-keeps-old-attachment"

    def attach(self, before: State, put: Put, lease: int) -> int:
        return lease or self.attached_before(before, put.key)


class SameLeaseRePutDetaches(PutSpecimen):
    """A key that is put again with the lease that it has goes with none."""

    name = "same-lease-re-put-detaches"

    def attach(self, before: State, put: Put, lease: int) -> int:
        return 0 if put.lease and lease == self.attached_before(before, put.key) else lease


class NewLeaseRePutKeepsOld(PutSpecimen):
    """A key that is put again with another lease still goes with the one that it had."""

    name = "new-lease-re-put-keeps-old"

    def attach(self, before: State, put: Put, lease: int) -> int:
        return (self.attached_before(before, put.key) or lease) if lease else lease


class LeaseBoundOnlyUnderAPrefix(PutSpecimen):
    """Only keys that begin with `a` are attached to a lease."""

    name = "lease-bound-only-under-a-prefix"

    def attach(self, before: State, put: Put, lease: int) -> int:  # noqa: ARG002
        return lease if put.key.startswith(b"a") else 0


class DeleteKeepsAttachment(PutSpecimen):
    """A key that was deleted and put again without a lease goes with the one that it had before."""

    name = "delete-keeps-attachment"

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[bytes, int] = {}

    def reset(self) -> int:
        self._last = {}
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, DeleteRange) and not operation.range_end and operation.key in self.state.keys:
            self._last[operation.key] = self.state.keys[operation.key].lease
        return super().apply(operation)

    def attach(self, before: State, put: Put, lease: int) -> int:
        old = self._last.pop(put.key, 0) if put.key not in before.keys else 0
        return lease or (old if old in self.state.leases else 0)


class DeleteFreesSiblings(Specimen):
    """With a key that is deleted, the other keys of its lease are detached from it."""

    name = "delete-frees-siblings"

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)
        if isinstance(operation, DeleteRange) and not operation.range_end and operation.key in before.keys:
            lease = before.keys[operation.key].lease
            for key in attached(self.state, lease) if lease else ():
                self.state = with_lease(self.state, key, 0)
        return result


class RevokeDeletesNothing(Specimen):
    """The keys of a lease that is revoked stay."""

    name = "revoke-deletes-nothing"

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, LeaseRevoke):
            for key in attached(self.state, operation.id):
                self.state = with_lease(self.state, key, 0)
        return super().apply(operation)


class RevokeIsLate(Specimen):
    """The keys of a lease that is revoked go once the next request comes, which still finds them."""

    name = "revoke-is-late"

    def __init__(self) -> None:
        super().__init__()
        self._due = 0

    def reset(self) -> int:
        self._due = 0
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        due, self._due = self._due, 0
        if isinstance(operation, LeaseRevoke) and operation.id in self.state.leases and operation.id != due:
            _, result = step(self.state, operation)
            self._due = operation.id
            self._finish(due)
            return result
        result = super().apply(operation)
        self._finish(due)
        return result

    def _finish(self, due: int) -> None:
        if due in self.state.leases:
            self.state, _ = step(self.state, LeaseRevoke(due))


class UnknownLeaseOnPutAccepted(HearsWrongly):
    """A put with a lease that is not there succeeds; the key goes with none."""

    name = "unknown-lease-on-put-accepted"

    def hear(self, request: RequestOp) -> RequestOp:
        if isinstance(request, Put) and request.lease and request.lease not in self.state.leases:
            return replace(request, lease=0)
        return request


class KvLeaseNotReported(ShowsWrongly):
    """No key-value says which lease it goes with."""

    name = "kv-lease-not-reported"

    def show(self, kv: KeyValue) -> KeyValue:
        return replace(kv, lease=0)


class LeaseKeysNotListed(Specimen):
    """A lease does not list its keys, though that was asked for."""

    name = "lease-keys-not-listed"

    def apply(self, operation: Operation) -> Result:
        return super().apply(replace(operation, keys=False) if isinstance(operation, LeaseTimeToLive) else operation)
