"""Lies about locks and elections."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from etcd_lockstep.specimens.specimen import Specimen, basic_and
from etcd_model import Operation, Result
from etcd_model.operations import LeaderKey, Lock, LockOperation, Resign
from etcd_model.results import LockResult, Waiting
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
