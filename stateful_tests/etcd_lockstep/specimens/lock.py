"""Lies about locks and elections."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from etcd_lockstep.specimens.attachment import with_lease
from etcd_lockstep.specimens.specimen import Specimen, basic_and
from etcd_model import Operation, Result
from etcd_model.operations import Campaign, Leader, LeaderKey, Lock, LockOperation, Proclaim, Resign, Unlock
from etcd_model.results import LeaderResult, LockResult, UnlockResult, Waiting
from etcd_model.state import DeleteEvent


class LockDoesNotWait(Specimen):
    """Whoever asks for a lock has it at once."""

    name = "lock-does-not-wait"
    capabilities = basic_and(*get_args(LockOperation))

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if not (isinstance(operation, Lock) and isinstance(result, Waiting)):
            return result
        *commits, given_up = self.state.commits
        (event,) = given_up.events
        assert isinstance(event, DeleteEvent)
        self.state = replace(self.state, commits=tuple(commits))
        return LockResult(self.state.revision, event.key)


class ResignIgnoresRevision(Specimen):
    """Who resigns from an earlier term of its own resigns from the present one."""

    name = "resign-ignores-revision"
    capabilities = basic_and(*get_args(LockOperation))

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Resign) and operation.leader is not None:
            operation = replace(operation, leader=self._of_now(operation.leader))
        return super().apply(operation)

    def _of_now(self, leader: LeaderKey) -> LeaderKey:
        kv = self.state.keys.get(leader.key)
        return replace(leader, rev=kv.create_revision) if kv else leader


class LockKeyOutlivesLease(Specimen):
    """The key of a lock goes with no lease."""

    name = "lock-key-outlives-lease"
    capabilities = basic_and(*get_args(LockOperation))

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, Lock) and isinstance(result, LockResult):
            self.state = with_lease(self.state, result.key, 0)
        return result


class UnlockDoesNothing(Specimen):
    """An unlock is answered without an error, and the lock is still held."""

    name = "unlock-does-nothing"
    capabilities = basic_and(*get_args(LockOperation))

    def apply(self, operation: Operation) -> Result:
        return UnlockResult(self.state.revision) if isinstance(operation, Unlock) else super().apply(operation)


class ProclaimIgnoresTerm(Specimen):
    """Who led once proclaims as if it led still."""

    name = "proclaim-ignores-term"
    capabilities = basic_and(*get_args(LockOperation))

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Proclaim) and operation.leader is not None:
            kv = self.state.keys.get(operation.leader.key)
            rev = kv.create_revision if kv else operation.leader.rev
            operation = replace(operation, leader=replace(operation.leader, rev=rev))
        return super().apply(operation)


class CampaignValueLost(Specimen):
    """Who campaigns writes no value."""

    name = "campaign-value-lost"
    capabilities = basic_and(*get_args(LockOperation))

    def apply(self, operation: Operation) -> Result:
        return super().apply(replace(operation, value=b"") if isinstance(operation, Campaign) else operation)


class LeaderRevisionMissing(Specimen):
    """The answer to a leader request has no revision in its header."""

    name = "leader-revision-missing"
    capabilities = basic_and(*get_args(LockOperation))

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return (
            replace(result, revision=0)
            if isinstance(operation, Leader) and isinstance(result, LeaderResult)
            else result
        )
