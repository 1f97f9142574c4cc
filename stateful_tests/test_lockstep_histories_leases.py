"""The checker on refusals, leases and compaction: each history is right but for the one thing that its test names."""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep import check_history
from etcd_lockstep.histories import Anomaly, Call, History, Linearizable, Violated
from etcd_lockstep.histories.proving.written import HISTORY, A, B, account, agreed, call, found, kv, one, put
from etcd_model import errors
from etcd_model import operations as op
from etcd_model.errors import Error
from etcd_model.results import (
    CompactResult,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
    PutResult,
)

SECOND = 1_000_000_000


def refused(start: int, end: int, operation: op.Operation, error: Error) -> Call:
    return call(3, start, end, operation, error)


def test_a_refusal_must_be_due_at_some_moment_of_the_call() -> None:
    missing = op.Put(A, ignore_value=True)
    agreed([*HISTORY, refused(0, 5, missing, errors.KEY_NOT_FOUND)])
    verdict = check_history(History([*HISTORY, refused(15, 25, missing, errors.KEY_NOT_FOUND)]))
    assert found(verdict) is Anomaly.WRONG_ANSWER


GRANT = call(1, 0, 10, op.LeaseGrant(60, 7), LeaseGrantResult(1, 7, 60))


def test_a_lease_is_there_from_its_grant_to_its_end() -> None:
    attached = call(1, 20, 30, op.Put(A, b"1", lease=7), PutResult(2))
    revoked = call(1, 40, 50, op.LeaseRevoke(7), LeaseRevokeResult(3))
    gone = call(2, 60, 70, op.Range(A), one(3))
    agreed([GRANT, attached, revoked, gone])
    agreed([GRANT, attached, revoked, refused(45, 60, op.Put(B, b"1", lease=7), errors.LEASE_NOT_FOUND)])
    for wrong in (
        [attached, revoked, gone],
        [GRANT, attached, gone],
        [GRANT, attached, refused(35, 38, op.Put(B, b"1", lease=7), errors.LEASE_NOT_FOUND)],
        [GRANT, attached, revoked, call(1, 60, 70, op.Put(B, b"1", lease=7), PutResult(4))],
        [GRANT, attached, revoked, call(1, 60, 70, op.LeaseRevoke(7), LeaseRevokeResult(3))],
        [GRANT, attached, replace(revoked, outcome=LeaseRevokeResult(2))],
        [GRANT, refused(20, 30, op.LeaseRevoke(7), errors.LEASE_NOT_FOUND)],
        [refused(20, 30, op.LeaseGrant(60, 7), errors.LEASE_EXIST)],
        [GRANT, call(1, 20, 30, op.LeaseGrant(60, 7), LeaseGrantResult(1, 7, 60))],
    ):
        assert isinstance(check_history(History(wrong)), Violated), wrong


def test_the_header_of_a_time_to_live_may_be_behind_its_keys_in_a_cluster_alone() -> None:
    attached = call(1, 20, 30, op.Put(A, b"1", lease=7), PutResult(2))
    other = call(2, 20, 25, op.Put(B, b"1"), PutResult(3))
    again = call(2, 40, 50, op.Put(B, b"1", lease=7), PutResult(4))
    told = call(3, 35, 60, op.LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(2, 7, 59, 60, (A, B)))
    calls = [GRANT, attached, other, again, told]
    assert check_history(History(calls)) != Linearizable()
    assert check_history(History(calls, members=3)) == Linearizable()
    early = replace(told, invoked=31, returned=39)
    assert check_history(History([*calls[:-1], early], members=3)) != Linearizable()


def test_what_is_reported_of_a_lease_is_so_at_some_moment_of_the_call() -> None:
    attached = call(1, 20, 30, op.Put(A, b"1", lease=7), PutResult(2))
    reported = call(2, 40, 50, op.LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(2, 7, 59, 60, (A,)))
    alive = call(2, 60, 70, op.LeaseKeepAlive(7), LeaseKeepAliveResult(2, 7, 60))
    listed = call(2, 80, 90, op.LeaseLeases(), LeaseLeasesResult(2, (7,)))
    agreed([GRANT, attached, reported, alive, listed])
    for wrong in (
        [GRANT, attached, replace(reported, outcome=LeaseTimeToLiveResult(2, 7, -1))],
        [GRANT, attached, replace(reported, outcome=LeaseTimeToLiveResult(2, 7, 59, 60, ()))],
        [GRANT, attached, replace(reported, outcome=LeaseTimeToLiveResult(2, 7, 59, 90, (A,)))],
        [GRANT, attached, replace(reported, outcome=LeaseTimeToLiveResult(2, 7, 61, 60, (A,)))],
        [GRANT, attached, replace(alive, outcome=LeaseKeepAliveResult(2, 7, 0))],
        [GRANT, attached, replace(listed, outcome=LeaseLeasesResult(2, ()))],
        [GRANT, attached, replace(listed, outcome=LeaseLeasesResult(2, (7, 8)))],
    ):
        assert found(check_history(History(wrong))) is Anomaly.WRONG_ANSWER, wrong


def test_a_lease_expires_when_its_time_is_over_and_not_before() -> None:
    calls = [GRANT, call(1, 20, 30, op.Put(A, b"1", lease=7), PutResult(2))]
    late, early = 61 * SECOND, 59 * SECOND
    agreed([*calls, call(2, late, late + 1, op.Range(A), one(3))])
    agreed([*calls, call(2, late, late + 1, op.Range(A), one(2, kv(A, b"1", 2, 2, 1, 7)))])
    assert (
        found(check_history(History([*calls, call(2, early, early + 1, op.Range(A), one(3))]))) is Anomaly.PHANTOM_WRITE
    )
    renewed = call(2, 50 * SECOND, 50 * SECOND + 1, op.LeaseKeepAlive(7), LeaseKeepAliveResult(2, 7, 60))
    verdict = check_history(History([*calls, renewed, call(2, late, late + 1, op.Range(A), one(3))]))
    assert found(verdict) is Anomaly.PHANTOM_WRITE


def test_a_lease_without_keys_expires_without_a_revision() -> None:
    late = 61 * SECOND
    agreed([GRANT, refused(late, late + 1, op.LeaseRevoke(7), errors.LEASE_NOT_FOUND)])
    early = call(2, 20, 30, op.LeaseTimeToLive(7), LeaseTimeToLiveResult(1, 7, -1))
    assert found(check_history(History([GRANT, early]))) is Anomaly.WRONG_ANSWER


def test_what_is_compacted_can_not_be_read_and_everything_else_can() -> None:
    compacted = call(2, 80, 90, op.Compact(4), CompactResult(5))
    old, kept = op.Range(A, revision=3), op.Range(A, revision=4)
    right = one(5, kv(A, b"2", 2, 3, 2))
    agreed([*HISTORY, compacted, refused(85, 95, old, errors.COMPACTED), call(1, 72, 85, old, right)])
    agreed([*HISTORY, compacted, call(1, 95, 99, kept, one(5, kv(A, b"3", 2, 4, 3)))])
    agreed([*HISTORY, refused(80, 90, op.Range(A, revision=6), errors.FUTURE_REVISION)])
    agreed([*HISTORY, compacted, refused(95, 99, op.Compact(4), errors.COMPACTED)])
    for wrong in (
        [*HISTORY, refused(80, 90, old, errors.COMPACTED)],
        [*HISTORY, compacted, call(1, 95, 99, old, right)],
        [*HISTORY, compacted, refused(95, 99, kept, errors.COMPACTED)],
        [*HISTORY, refused(80, 90, op.Range(A, revision=5), errors.FUTURE_REVISION)],
        [*HISTORY, call(2, 80, 90, op.Compact(7), CompactResult(5))],
    ):
        assert isinstance(check_history(History(wrong)), Violated), wrong


def test_a_refusal_that_needs_a_lease_needs_it_while_it_is_right() -> None:
    """The key is missing only before revision 2, and the lease is there only after it."""
    calls = [
        call(1, 0, 90, op.LeaseGrant(60, 8), LeaseGrantResult(2, 8, 60)),
        refused(20, 60, op.Put(A, lease=8, ignore_value=True), errors.KEY_NOT_FOUND),
        call(2, 30, 90, op.Put(A, b"3"), PutResult(2)),
    ]
    end = account(2, put(A, b"3", 2, 2, 1))
    assert found(check_history(History(calls, account=end))) is Anomaly.WRONG_ANSWER
    early = replace(calls[0], outcome=LeaseGrantResult(1, 8, 60))
    agreed([early, *calls[1:]], end)
