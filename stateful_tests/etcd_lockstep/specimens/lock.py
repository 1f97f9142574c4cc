"""Lies about locks and elections."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from etcd_lockstep.specimens.attachment import with_lease
from etcd_lockstep.specimens.specimen import Specimen, basic_and
from etcd_model import Error, Operation, Result
from etcd_model.errors import SESSION_EXPIRED
from etcd_model.operations import Campaign, Leader, LeaderKey, Lock, LockOperation, Proclaim, Resign, Unlock
from etcd_model.results import LeaderResult, LockResult, UnlockResult, Waiting
from etcd_model.state import DeleteEvent, PutEvent


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


class ProclaimKeepsLease(Specimen):
    """Who proclaims with another lease than the key has leaves it that one."""

    name = "proclaim-keeps-lease"
    capabilities = basic_and(*get_args(LockOperation))

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)
        if isinstance(operation, Proclaim) and operation.leader is not None and not isinstance(result, Error):
            key = operation.leader.key
            if before.keys[key].lease in self.state.leases:
                self.state = with_lease(self.state, key, before.keys[key].lease)
        return result


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


class LockWaitNeverEnds(Specimen):
    """A call that waits for a lock or to lead is not answered when its turn has come."""

    name = "lock-wait-never-ends"
    capabilities = basic_and(*get_args(LockOperation))

    def apply(self, operation: Operation) -> Result:
        if not isinstance(operation, Lock | Campaign) or operation.meanwhile is None:
            return super().apply(operation)
        result = super().apply(replace(operation, meanwhile=None))
        if isinstance(result, Waiting):
            super().apply(operation.meanwhile)
        return result


class WokenLockRevisionStale(Specimen):
    """A call that has waited for a lock is answered with the revision at which its wait began."""

    name = "woken-lock-revision-stale"
    capabilities = basic_and(*get_args(LockOperation))

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, Lock) and operation.meanwhile is not None and isinstance(result, LockResult):
            return replace(result, revision=self.state.keys[result.key].create_revision)
        return result


class ExpiredSessionLocks(Specimen):
    """Who waits for a lock has it when its turn comes, be its key still there or gone with its lease."""

    name = "expired-session-locks"
    capabilities = basic_and(*get_args(LockOperation))

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)
        if not isinstance(operation, Lock) or result != SESSION_EXPIRED:
            return result
        (entered,) = self.state.commits[len(before.commits)].events
        assert isinstance(entered, PutEvent)
        return LockResult(self.state.revision, entered.kv.key)


class WokenTooEarly(Specimen):
    """Who waits for a lock has it as soon as one of those who came before is gone."""

    name = "lock-woken-too-early"
    capabilities = basic_and(*get_args(LockOperation))

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)
        if not isinstance(operation, Lock) or not isinstance(result, Waiting):
            return result
        *commits, last = self.state.commits
        gone = {event.key for commit in commits for event in commit.events if isinstance(event, DeleteEvent)}
        (given_up,) = last.events if len(last.events) == 1 else (None,)
        ahead = {key for key in before.keys if key.startswith(operation.name + b"/")}
        if not isinstance(given_up, DeleteEvent) or given_up.key in ahead or not gone & ahead - commits[-1].keys.keys():
            return result
        self.state = replace(self.state, commits=tuple(commits))
        return LockResult(self.state.revision, given_up.key)
