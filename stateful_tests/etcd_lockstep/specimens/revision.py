"""Lies about what makes a revision, and about what key-values say of theirs."""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep.specimens.specimen import ShowsWrongly, Specimen, one_by_one, with_empty_revision
from etcd_model import Error, Operation, Result
from etcd_model.lease import attached
from etcd_model.operations import LeaseRevoke, Put, Txn
from etcd_model.results import (
    DeleteRangeResult,
    KeyValue,
    LeaseGrantResult,
    LeaseRevokeResult,
    PutResult,
    RangeResult,
    TxnResult,
)
from etcd_model.state import PutEvent

# What makes a revision


class DeleteOfMissingBumps(Specimen):
    """A delete of nothing makes a revision, in which nothing happens."""

    name = "delete-of-missing-bumps"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if not isinstance(result, DeleteRangeResult) or result.deleted:
            return result
        self.state = with_empty_revision(self.state)
        return replace(result, revision=self.state.revision)


class LeaseOpBumps(Specimen):
    """A lease that is granted makes a revision."""

    name = "lease-op-bumps"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if not isinstance(result, LeaseGrantResult):
            return result
        self.state = with_empty_revision(self.state)
        return replace(result, revision=self.state.revision)


class RevokeOfNoKeysBumps(Specimen):
    """A lease that has no keys makes a revision as it is revoked."""

    name = "revoke-of-no-keys-bumps"

    def apply(self, operation: Operation) -> Result:
        revision = self.state.revision
        result = super().apply(operation)
        if not isinstance(result, LeaseRevokeResult) or self.state.revision > revision:
            return result
        self.state = with_empty_revision(self.state)
        return replace(result, revision=self.state.revision)


class ReadOnlyTxnBumps(Specimen):
    """A txn makes a revision even where it writes nothing."""

    name = "failed-or-read-only-txn-bumps"

    def apply(self, operation: Operation) -> Result:
        revision = self.state.revision
        result = super().apply(operation)
        if not isinstance(result, TxnResult) or self.state.revision > revision:
            return result
        self.state = with_empty_revision(self.state)
        return replace(result, revision=self.state.revision)


class SameValueNotCounted(Specimen):
    """To put the value that a key has already changes nothing."""

    name = "same-value-not-counted"

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Put) and not (operation.lease or operation.ignore_lease or operation.ignore_value):
            old = self.state.keys.get(operation.key)
            if old is not None and old.value == operation.value and not old.lease:
                return PutResult(self.state.revision, old if operation.prev_kv else None)
        return super().apply(operation)


class MultiKeyRevokeBumpsMany(Specimen):
    """Each key that goes with a revoked lease goes in a revision of its own."""

    name = "multi-key-revoke-bumps-many"

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)
        if isinstance(operation, LeaseRevoke) and not isinstance(result, Error) and attached(before, operation.id):
            self.state = one_by_one(before, self.state)
            return replace(result, revision=self.state.revision)
        return result


class TxnRevisionPerOp(Specimen):
    """Each write of a txn makes a revision of its own."""

    name = "txn-revision-per-op"

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)
        if isinstance(operation, Txn) and isinstance(result, TxnResult):
            self.state = one_by_one(before, self.state)
            return replace(result, revision=self.state.revision)
        return result


# What answers say


class HeaderMissing(Specimen):
    """The header of a read says nothing of the store's revision."""

    name = "header-missing"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return replace(result, revision=0) if isinstance(result, RangeResult) else result


class HeaderConstant(Specimen):
    """The header of a put says the revision at which the store began."""

    name = "header-constant"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return replace(result, revision=1) if isinstance(result, PutResult) else result


class PerKeyRevision(ShowsWrongly):
    """Each key counts its own revisions, from that of the empty store on."""

    name = "per-key-revision"

    def show(self, kv: KeyValue) -> KeyValue:
        return replace(kv, create_revision=2, mod_revision=1 + kv.version)


class Aba(ShowsWrongly):
    """A key that is created anew counts its versions on from before it was deleted."""

    name = "aba"

    def show(self, kv: KeyValue) -> KeyValue:
        written = sum(
            1
            for commit in self.state.commits
            for event in commit.events
            if isinstance(event, PutEvent) and event.kv.key == kv.key and commit.revision <= kv.mod_revision
        )
        return replace(kv, version=max(kv.version, written))


class CreateLostOnUpdate(ShowsWrongly):
    """A key that is put again is said to have been created then."""

    name = "create-lost-on-update"

    def show(self, kv: KeyValue) -> KeyValue:
        return replace(kv, create_revision=kv.mod_revision)


class VersionMissing(ShowsWrongly):
    """Every key is of version 1, however often it was put."""

    name = "version-missing"

    def show(self, kv: KeyValue) -> KeyValue:
        return replace(kv, version=1)
