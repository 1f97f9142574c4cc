"""Lies about what makes a revision."""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep.specimens.specimen import Specimen
from etcd_model import Operation, Result
from etcd_model.results import DeleteRangeResult
from etcd_model.state import Commit


class DeleteOfMissingBumps(Specimen):
    """A delete of nothing makes a revision, in which nothing happens."""

    name = "delete-of-missing-bumps"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if not isinstance(result, DeleteRangeResult) or result.deleted:
            return result
        empty = Commit(self.state.revision + 1, (), self.state.keys)
        self.state = replace(self.state, commits=(*self.state.commits, empty))
        return replace(result, revision=empty.revision)
