"""The traces of lies about locks and elections, and of those that only a hash shows."""

from __future__ import annotations

from etcd_lockstep.trace import RevisionAt, Trace
from etcd_model import operations as op

GRANT, OTHER = op.LeaseGrant(60, 7), op.LeaseGrant(60, 8)
CAMPAIGN = op.Campaign(b"a", 7)
PUT = op.Put(b"a", b"1")


def _term(step: int) -> op.LeaderKey:
    return op.LeaderKey(b"a", b"a/7", RevisionAt(step), 7)


LOCK: dict[str, Trace] = {
    "lock-does-not-wait": (op.Put(b"a/"), op.Lock(b"a")),
    "resign-ignores-revision": (op.Put(b"a/7"), op.LeaseGrant(60, 7), op.Resign(_term(0))),
    "lock-key-outlives-lease": (GRANT, op.Lock(b"a", 7), op.LeaseRevoke(7)),
    "unlock-does-nothing": (op.Put(b"a/7"), op.Unlock(b"a/7")),
    "proclaim-ignores-term": (GRANT, CAMPAIGN, op.Proclaim(_term(0))),
    "proclaim-keeps-lease": (
        *(GRANT, OTHER, CAMPAIGN, op.Proclaim(op.LeaderKey(b"", b"a/7", RevisionAt(3), 8))),
        op.Range(b"a/7"),
    ),
    "campaign-value-lost": (op.LeaseGrant(60, 7), op.Campaign(b"a", 7, b"1"), op.Leader(b"a")),
    "lock-wait-never-ends": (op.Put(b"a/"), op.Lock(b"a", meanwhile=op.DeleteRange(b"a/"))),
    "woken-lock-revision-stale": (op.Put(b"a/"), op.Lock(b"a", meanwhile=op.DeleteRange(b"a/"))),
    "expired-session-locks": (op.Put(b"a/"), op.Lock(b"a", meanwhile=op.DeleteRange(b"a/", b"a0"))),
    "lock-woken-too-early": (
        *(op.Put(b"a/"), op.Put(b"a/7")),
        op.Lock(b"a", meanwhile=op.DeleteRange(b"a/")),
    ),
    "leader-revision-missing": (GRANT, CAMPAIGN, op.Leader(b"a")),
}

HISTORY: dict[str, Trace] = {
    "sub-revisions-forgotten": (op.Txn(success=(op.Put(b"b", b"1"), PUT)), op.HashKV()),
    "tombstones-forgotten": (PUT, op.DeleteRange(b"a"), op.HashKV()),
}
