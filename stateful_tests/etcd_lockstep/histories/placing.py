"""Where an answer's header places its call in the store's order, and whether the call wrote.

A write made the revision `R`. What made none stands between two writes. What a header says of where, from etcd's
source (server/etcdserver):

- Range, Put, DeleteRange, Txn: exactly there. The revision is that of the read or write transaction itself
  (txn/range.go, txn/put.go, txn/delete.go, txn/txn.go).
- LeaseGrant, LeaseRevoke: exactly there. Both are applied one after the other with the writes, and the header is
  made where they are applied (apply/backend.go).
- LeaseKeepAlive: there or later. The header is made before the lease is renewed, by the member that was asked
  (api/v3rpc/lease.go, leaseKeepAlive).
- LeaseTimeToLive, LeaseLeases, Compact: there or earlier. The header is made after the fact (api/v3rpc/lease.go,
  v3_server.go: LeaseLeases, Compact). A lease that ends is gone from the lessor a moment before its keys are, and a
  put's lease has its key a moment before the revision is there (lease/lessor.go, Revoke; mvcc/kvstore_txn.go, put):
  so the first two may show what belongs to the next revision.
- Status and what else has a header: the store had come as far by then, and nothing else.

A serializable read is answered by one member from what it has: its revision is exact, and may be an old one.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from etcd_lockstep.histories.history import FOREVER, Call, History, Indefinite
from etcd_model import operations as op
from etcd_model.errors import Error
from etcd_model.results import DeleteRangeResult, PutResult, ResponseOp, Result, TxnResult

CHECKED = (
    op.Range,
    op.Put,
    op.DeleteRange,
    op.Txn,
    op.Compact,
    op.LeaseGrant,
    op.LeaseRevoke,
    op.LeaseKeepAlive,
    op.LeaseTimeToLive,
    op.LeaseLeases,
    op.Status,
)
"""The operations whose calls can be placed."""

_WRITING = (op.Put, op.DeleteRange, op.Txn, op.LeaseRevoke)


def wrote(result: Result | ResponseOp) -> bool:
    """Whether an answer of the KV service says that something was written."""
    match result:
        case PutResult():
            return True
        case DeleteRangeResult(deleted=deleted):
            return deleted > 0
        case TxnResult(responses=responses):
            return any(map(wrote, responses))
    return False


def may_write(operation: op.Operation | op.RequestOp) -> bool:
    """Whether an operation writes on some path."""
    match operation:
        case op.Txn():
            return any(map(may_write, (*operation.success, *operation.failure)))
    return isinstance(operation, _WRITING)


def serializable(operation: op.Operation) -> bool:
    """Whether a read may be answered from an old revision (txn/txn.go, IsTxnSerializable)."""
    match operation:
        case op.Range():
            return operation.serializable
        case op.Txn(success=success, failure=failure) if success or failure:
            return all(isinstance(request, op.Range) and request.serializable for request in (*success, *failure))
    return False


@dataclass(slots=True)
class Placed:
    """The calls of a history, sorted by what their answers say. All numbers are indices of calls."""

    revisions: array[int]
    """By call: the revision in its header, -1 where there was none."""
    claims: dict[int, list[int]] = field(default_factory=dict)
    """By revision: whose answer says that it wrote it; mostly one."""
    revokes: dict[int, list[int]] = field(default_factory=dict)
    """By revision: the revokes that were answered there. They wrote it if their leases had keys."""
    reads: list[int] = field(default_factory=list)
    """Answered exactly at their revision, which they did not make."""
    grants: list[int] = field(default_factory=list)
    loose: list[int] = field(default_factory=list)
    """Of the lease service and compactions: answered, and not exactly at the revision of the header."""
    refused: list[int] = field(default_factory=list)
    indefinite: list[int] = field(default_factory=list)
    stale: bytearray = field(default_factory=bytearray)
    """By call: whether an old revision is allowed: serializable reads, and headers made by a member on its own."""
    writes: bytearray = field(default_factory=bytearray)
    """By call: whether it certainly made the revision of its header."""
    unrevealed: list[int] = field(default_factory=list)
    """Answered without a revision."""
    unsupported: list[int] = field(default_factory=list)
    """Calls of operations whose answers are not checked."""


def place(history: History) -> Placed:
    """Sort the calls of a history."""
    calls = history.calls
    placed = Placed(array("q", [-1]) * len(calls), stale=bytearray(len(calls)), writes=bytearray(len(calls)))
    for index, call in enumerate(calls):
        outcome = call.outcome
        kind = type(call.operation)
        if kind not in _KINDS:
            placed.unsupported.append(index)
        elif type(outcome) is Indefinite:
            placed.indefinite.append(index)
        elif type(outcome) is Error:
            placed.refused.append(index)
        elif not outcome.revision:  # type: ignore[union-attr]  # an answer
            placed.unrevealed.append(index)
        else:
            revision: int = outcome.revision  # type: ignore[union-attr]  # an answer
            placed.revisions[index] = revision
            _place_answered(placed, index, call, kind, revision)
    return placed


_KINDS = frozenset(CHECKED)


def _place_answered(placed: Placed, index: int, call: Call, kind: type, revision: int) -> None:
    if kind is op.Put:
        placed.claims.setdefault(revision, []).append(index)
        placed.writes[index] = 1
    elif kind is op.Range:
        placed.reads.append(index)
        if call.operation.serializable:  # type: ignore[union-attr]  # a Range
            placed.stale[index] = 1
    elif kind is op.Txn or kind is op.DeleteRange:
        if wrote(call.outcome):  # type: ignore[arg-type]  # an answer
            placed.claims.setdefault(revision, []).append(index)
            placed.writes[index] = 1
        else:
            placed.reads.append(index)
            placed.stale[index] = serializable(call.operation)
    elif kind is op.LeaseRevoke:
        placed.revokes.setdefault(revision, []).append(index)
    elif kind is op.LeaseGrant:
        placed.grants.append(index)
    else:
        placed.stale[index] = 1
        if kind is not op.Status:
            placed.loose.append(index)


def returned(call: Call) -> int:
    """When a call was over for certain; an indefinite one never is."""
    return FOREVER if call.returned is None or type(call.outcome) is Indefinite else call.returned
