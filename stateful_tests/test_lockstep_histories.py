"""The checker, fault by fault: short histories, each of which is right but for the one thing that its test names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from etcd_lockstep import check_history
from etcd_lockstep.histories import (
    Account,
    Anomaly,
    BadHistory,
    Beginning,
    Call,
    History,
    Indefinite,
    Linearizable,
    Outcome,
    Unknown,
    Verdict,
    Violated,
    Watch,
    WatchResponse,
)
from etcd_model import errors
from etcd_model import operations as op
from etcd_model.errors import Code, Error
from etcd_model.results import (
    AuthResult,
    CompactResult,
    DeleteRangeResult,
    Event,
    KeyValue,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
    TxnResult,
)

SECOND = 1_000_000_000
A, B = b"a", b"b"


def call(client: int, start: int, end: int | None, operation: op.Operation, outcome: Outcome) -> Call:
    return Call(client, operation, start, end, outcome)


def kv(key: bytes, value: bytes, create: int, mod: int, version: int, lease: int = 0) -> KeyValue:
    return KeyValue(key, value, create, mod, version, lease)


def put(key: bytes, value: bytes, create: int, mod: int, version: int, lease: int = 0) -> Event:
    return Event(0, kv(key, value, create, mod, version, lease))


def deletion(key: bytes, mod: int) -> Event:
    return Event(1, kv(key, b"", 0, mod, 0))


def one(revision: int, *kvs: KeyValue) -> RangeResult:
    return RangeResult(revision, kvs, count=len(kvs))


LOST = Indefinite("UNAVAILABLE")


def found(verdict: Verdict) -> Anomaly:
    assert isinstance(verdict, Violated), verdict
    return verdict.first.anomaly


def agreed(calls: Sequence[Call], account: Account | None = None) -> None:
    verdict = check_history(History(calls, account=account))
    assert verdict == Linearizable(), verdict


def account(until: int, *events: Event) -> Account:
    return Account(1000, until, events)


# Right ones


def test_nothing_at_all_is_linearizable() -> None:
    agreed([])


def test_calls_that_overlap_may_have_happened_in_either_order() -> None:
    write = call(1, 0, 10, op.Put(A, b"1"), PutResult(2))
    agreed([write, call(2, 5, 8, op.Range(A), one(1))])
    agreed([write, call(2, 5, 8, op.Range(A), one(2, kv(A, b"1", 2, 2, 1)))])


def test_a_call_that_begins_when_another_returns_overlaps_it() -> None:
    agreed([call(1, 0, 10, op.Put(A, b"1"), PutResult(2)), call(2, 10, 20, op.Range(A), one(1))])


def test_an_indefinite_call_may_have_happened_or_not_and_also_later() -> None:
    lost = call(1, 0, 10, op.Put(A, b"1"), LOST)
    agreed([lost, call(2, 20, 30, op.Range(A), one(1))])
    agreed([lost, call(2, 20, 30, op.Range(A), one(2, kv(A, b"1", 2, 2, 1)))])
    agreed(
        [lost, call(2, 20, 30, op.Range(A), one(1)), call(2, 40, 50, op.Range(A), one(2, kv(A, b"1", 2, 2, 1)))],
    )


def test_a_history_may_begin_with_keys_and_leases() -> None:
    held = kv(A, b"1", 4, 7, 3, lease=5)
    beginning = Beginning(9, (held,), {5: 60})
    calls = [
        call(1, 0, 1, op.Range(A), one(9, held)),
        call(1, 2, 3, op.LeaseRevoke(5), LeaseRevokeResult(10)),
        call(1, 4, 5, op.Range(A), one(10)),
    ]
    assert check_history(History(calls, beginning=beginning)) == Linearizable()


def test_a_refusal_for_a_reason_beyond_the_keys_and_leases_is_counted() -> None:
    crowded = Error(Code.RESOURCE_EXHAUSTED, "etcdserver: too many requests")
    verdict = check_history(History([call(1, 0, 1, op.Put(A, b"1"), crowded), call(1, 2, 3, op.Range(A), one(1))]))
    assert verdict == Linearizable(unchecked=1)


def test_a_serializable_read_may_be_behind() -> None:
    written = call(1, 0, 10, op.Put(A, b"1"), PutResult(2))
    agreed([written, call(2, 20, 30, op.Range(A, serializable=True), one(1))])


# Writes


def test_lost_write_is_one_that_the_account_has_not() -> None:
    calls = [
        call(1, 0, 10, op.Put(A, b"1"), PutResult(2)),
        call(1, 20, 30, op.Put(B, b"1"), PutResult(3)),
        call(1, 40, 50, op.Put(B, b"2"), PutResult(4)),
    ]
    events = (put(A, b"1", 2, 2, 1), put(B, b"1", 3, 3, 1), put(B, b"2", 3, 4, 2))
    agreed(calls, account(4, *events))
    verdict = check_history(History(calls, account=account(4, events[0], put(B, b"2", 4, 4, 1))))
    assert found(verdict) is Anomaly.LOST_WRITE
    assert isinstance(verdict, Violated)
    assert verdict.first.calls == (1,)
    assert verdict.first.revision == 3


def test_lost_write_is_one_that_the_account_ends_before() -> None:
    calls = [call(1, 0, 10, op.Put(A, b"1"), PutResult(2)), call(1, 20, 30, op.Put(A, b"2"), PutResult(3))]
    assert found(check_history(History(calls, account=account(2, put(A, b"1", 2, 2, 1))))) is Anomaly.LOST_WRITE


def test_lost_write_is_one_whose_revision_another_write_made() -> None:
    calls = [call(1, 0, 10, op.Put(A, b"1"), PutResult(2)), call(2, 20, None, op.Put(B, b"2"), LOST)]
    assert found(check_history(History(calls, account=account(2, put(B, b"2", 2, 2, 1))))) is Anomaly.LOST_WRITE


def test_lost_write_is_one_that_every_later_read_misses() -> None:
    calls = [
        call(1, 0, 10, op.Put(A, b"1"), PutResult(2)),
        call(1, 20, 30, op.Put(B, b"1"), PutResult(3)),
        call(2, 40, 50, op.Range(A), one(3)),
        call(3, 60, 70, op.Range(A), one(3)),
    ]
    assert found(check_history(History(calls))) is Anomaly.LOST_WRITE


def test_phantom_write_is_one_that_nobody_asked_for() -> None:
    calls = [
        call(1, 0, 10, op.Put(A, b"1"), PutResult(2)),
        call(1, 20, 30, op.Range(A), one(3, kv(A, b"9", 2, 3, 2))),
    ]
    events = (put(A, b"1", 2, 2, 1), put(A, b"9", 2, 3, 2))
    assert found(check_history(History(calls))) is Anomaly.PHANTOM_WRITE
    assert found(check_history(History(calls, account=account(3, *events)))) is Anomaly.PHANTOM_WRITE
    agreed([*calls, call(2, 0, None, op.Put(A, b"9"), LOST)], account(3, *events))


def test_phantom_write_is_one_whose_call_came_too_late() -> None:
    calls = [
        call(1, 0, 10, op.Range(A), one(2, kv(A, b"1", 2, 2, 1))),
        call(2, 20, None, op.Put(A, b"1"), LOST),
    ]
    assert found(check_history(History(calls))) is Anomaly.PHANTOM_WRITE
    agreed([calls[0], replace(calls[1], invoked=5)])


def test_phantom_write_is_a_second_one_of_one_call() -> None:
    calls = [call(1, 0, None, op.Put(A, b"1"), LOST)]
    twice = account(3, put(A, b"1", 2, 2, 1), put(A, b"1", 2, 3, 2))
    assert found(check_history(History(calls, account=twice))) is Anomaly.PHANTOM_WRITE
    agreed([*calls, call(2, 0, None, op.Put(A, b"1"), LOST)], twice)


def test_a_revision_is_given_to_the_call_that_leaves_the_other_one_its_own() -> None:
    """The txn could have made both revisions, the put only the first."""
    either = op.Txn(
        (op.Compare(B, op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0),), (op.Put(A, b"1"),), (op.Put(B, b"2"),)
    )
    calls = [
        call(1, 0, None, either, LOST),
        call(2, 1, None, op.Put(A, b"1"), LOST),
        call(3, 2, 9, op.Put(B, b"1"), PutResult(3)),
    ]
    events = (put(A, b"1", 2, 2, 1), put(B, b"1", 3, 3, 1), put(B, b"2", 3, 4, 2))
    agreed(calls, account(4, *events))


def test_two_writes_at_one_revision() -> None:
    calls = [call(1, 0, 10, op.Put(A, b"1"), PutResult(2)), call(2, 5, 15, op.Put(B, b"1"), PutResult(2))]
    assert found(check_history(History(calls))) is Anomaly.TWO_WRITES
    assert found(check_history(History(calls, account=account(2, put(A, b"1", 2, 2, 1))))) is Anomaly.TWO_WRITES


def test_real_time_order_broken() -> None:
    calls = [call(1, 0, 10, op.Put(A, b"1"), PutResult(3)), call(2, 20, 30, op.Put(B, b"1"), PutResult(2))]
    verdict = check_history(History(calls, account=account(3, put(B, b"1", 2, 2, 1), put(A, b"1", 3, 3, 1))))
    assert found(verdict) is Anomaly.REAL_TIME
    assert isinstance(verdict, Violated)
    assert verdict.first.calls == (1, 0)


TRANSFER = op.Txn((), (op.Put(A, b"1"), op.Put(B, b"1")))
TRANSFERRED = TxnResult(2, succeeded=True, responses=(PutResult(2), PutResult(2)))


def test_torn_txn_is_one_of_which_the_account_has_a_part() -> None:
    calls = [call(1, 0, 10, TRANSFER, TRANSFERRED)]
    agreed(calls, account(2, put(A, b"1", 2, 2, 1), put(B, b"1", 2, 2, 1)))
    assert found(check_history(History(calls, account=account(2, put(A, b"1", 2, 2, 1))))) is Anomaly.TORN_TXN


def test_torn_txn_is_one_of_which_a_read_shows_a_part() -> None:
    calls = [
        call(1, 0, 10, TRANSFER, TRANSFERRED),
        call(2, 20, 30, op.Range(A, b"c"), one(2, kv(A, b"1", 2, 2, 1))),
    ]
    assert found(check_history(History(calls))) is Anomaly.TORN_TXN


def test_torn_txn_is_one_whose_parts_see_different_revisions() -> None:
    both = op.Txn((), (op.Range(A), op.Range(B)))
    calls = [
        call(1, 0, 10, op.Put(A, b"1"), PutResult(2)),
        call(1, 20, 30, op.Put(B, b"1"), PutResult(3)),
        call(1, 40, 50, both, TxnResult(3, succeeded=True, responses=(one(3), one(3, kv(B, b"1", 3, 3, 1))))),
    ]
    assert found(check_history(History(calls))) is Anomaly.TORN_TXN


# Reads


HISTORY = (
    call(1, 0, 10, op.Put(A, b"1"), PutResult(2)),
    call(1, 20, 30, op.Put(A, b"2"), PutResult(3)),
    call(1, 40, 50, op.Put(A, b"3"), PutResult(4)),
    call(1, 60, 70, op.Put(A, b"4"), PutResult(5)),
)


def read(start: int, end: int, revision: int, *kvs: KeyValue) -> Call:
    return call(2, start, end, op.Range(A), one(revision, *kvs))


@pytest.mark.parametrize("header", [3, 4])
def test_stale_read_shows_what_was_overwritten_before_it_was_invoked(header: int) -> None:
    verdict = check_history(History([*HISTORY, read(55, 58, header, kv(A, b"2", 2, 3, 2))]))
    assert found(verdict) is Anomaly.STALE_READ
    assert isinstance(verdict, Violated)
    assert verdict.first.calls[0] == 4


@pytest.mark.parametrize("header", [4, 5])
def test_future_read_shows_what_was_only_written_after_it_had_returned(header: int) -> None:
    verdict = check_history(History([*HISTORY, read(55, 58, header, kv(A, b"4", 2, 5, 4))]))
    assert found(verdict) is Anomaly.FUTURE_READ
    assert isinstance(verdict, Violated)
    assert verdict.first.calls[0] == 4


def test_wrong_answer_was_right_at_no_revision() -> None:
    for wrong in (kv(A, b"9", 2, 4, 3), kv(A, b"3", 3, 4, 3), kv(A, b"3", 2, 4, 4), kv(A, b"3", 2, 4, 3, lease=1)):
        assert found(check_history(History([*HISTORY, read(55, 58, 4, wrong)]))) is Anomaly.WRONG_ANSWER
    agreed([*HISTORY, read(55, 58, 4, kv(A, b"3", 2, 4, 3))])


def test_wrong_answer_of_a_write() -> None:
    before = kv(A, b"1", 2, 2, 1)
    calls = [HISTORY[0], call(1, 20, 30, op.DeleteRange(A, prev_kv=True), DeleteRangeResult(3, 1, (before,)))]
    agreed(calls)
    wrong = replace(calls[1], outcome=DeleteRangeResult(3, 1, (replace(before, version=2),)))
    assert found(check_history(History([calls[0], wrong]))) is Anomaly.WRONG_ANSWER


def test_wrong_answer_of_a_txn_that_took_the_wrong_branch() -> None:
    guarded = op.Txn((op.Compare(A, op.CompareTarget.VALUE, op.CompareResult.EQUAL, b"9"),), (op.Put(A, b"5"),))
    calls = [HISTORY[0], call(1, 20, 30, guarded, TxnResult(3, succeeded=True, responses=(PutResult(3),)))]
    assert found(check_history(History(calls))) is Anomaly.WRONG_ANSWER


def test_a_txn_that_writes_on_what_was_overwritten_is_a_stale_read() -> None:
    guarded = op.Txn((op.Compare(A, op.CompareTarget.VALUE, op.CompareResult.EQUAL, b"1"),), (op.Put(A, b"9"),))
    calls = [*HISTORY[:2], call(2, 20, 60, guarded, TxnResult(4, succeeded=True, responses=(PutResult(4),)))]
    assert found(check_history(History(calls))) is Anomaly.STALE_READ


def test_a_read_of_the_past_shows_the_past() -> None:
    past = call(2, 80, 90, op.Range(A, revision=3), one(5, kv(A, b"2", 2, 3, 2)))
    agreed([*HISTORY, past])
    wrong = replace(past, outcome=one(5, kv(A, b"4", 2, 5, 4)))
    assert isinstance(check_history(History([*HISTORY, wrong])), Violated)


# Refusals, leases and compaction


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


def test_what_is_told_of_a_lease_is_so_at_some_moment_of_the_call() -> None:
    attached = call(1, 20, 30, op.Put(A, b"1", lease=7), PutResult(2))
    told = call(2, 40, 50, op.LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(2, 7, 59, 60, (A,)))
    alive = call(2, 60, 70, op.LeaseKeepAlive(7), LeaseKeepAliveResult(2, 7, 60))
    listed = call(2, 80, 90, op.LeaseLeases(), LeaseLeasesResult(2, (7,)))
    agreed([GRANT, attached, told, alive, listed])
    for wrong in (
        [GRANT, attached, replace(told, outcome=LeaseTimeToLiveResult(2, 7, -1))],
        [GRANT, attached, replace(told, outcome=LeaseTimeToLiveResult(2, 7, 59, 60, ()))],
        [GRANT, attached, replace(told, outcome=LeaseTimeToLiveResult(2, 7, 59, 90, (A,)))],
        [GRANT, attached, replace(told, outcome=LeaseTimeToLiveResult(2, 7, 61, 60, (A,)))],
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


# Watches

EVENTS = (put(A, b"1", 2, 2, 1), put(A, b"2", 2, 3, 2), put(A, b"3", 2, 4, 3), put(A, b"4", 2, 5, 4))


def watched(*events: Event, progress: int = 0, key: bytes = A, start: int = 2) -> History:
    responses = [WatchResponse(100, event.kv.mod_revision, (event,)) for event in events]
    responses += [WatchResponse(100, progress)] if progress else []
    return History(HISTORY, (Watch(9, op.WatchCreate(key, start_revision=start), 0, 1, tuple(responses)),))


def test_a_watch_may_be_behind() -> None:
    for number in range(len(EVENTS) + 1):
        assert check_history(watched(*EVENTS[:number])) == Linearizable()
    assert check_history(watched(*EVENTS[2:], start=4)) == Linearizable()
    assert check_history(watched(progress=5, key=B)) == Linearizable()


def test_watch_lost_an_event_before_one_that_it_was_sent() -> None:
    assert found(check_history(watched(EVENTS[0], EVENTS[2]))) is Anomaly.WATCH_LOST


def test_watch_lost_an_event_before_its_progress() -> None:
    assert check_history(watched(EVENTS[0], progress=2)) == Linearizable()
    verdict = check_history(watched(EVENTS[0], progress=3))
    assert found(verdict) is Anomaly.WATCH_LOST
    assert isinstance(verdict, Violated)
    assert (verdict.first.watch, verdict.first.revision) == (0, 3)


def test_watch_repeated_an_event() -> None:
    assert found(check_history(watched(EVENTS[0], EVENTS[1], EVENTS[0], EVENTS[2]))) is Anomaly.WATCH_REPEATED
    assert found(check_history(watched(EVENTS[0], EVENTS[1], EVENTS[1]))) is Anomaly.WATCH_REPEATED


def test_watch_out_of_order() -> None:
    assert found(check_history(watched(EVENTS[0], EVENTS[2], EVENTS[1]))) is Anomaly.WATCH_OUT_OF_ORDER


def test_a_watch_is_sent_what_happened() -> None:
    assert found(check_history(watched(EVENTS[0], put(A, b"9", 2, 3, 2)))) is Anomaly.WRONG_ANSWER
    assert found(check_history(watched(EVENTS[0], deletion(A, 3)))) is Anomaly.WRONG_ANSWER


def test_watch_lost_the_second_half_of_a_revision() -> None:
    request = op.WatchCreate(b"\0", b"\0", start_revision=2)
    halves = (put(A, b"1", 2, 2, 1), put(B, b"1", 2, 2, 1))

    def of(*responses: WatchResponse) -> History:
        return History([call(1, 0, 10, TRANSFER, TRANSFERRED)], (Watch(9, request, 0, 1, responses),))

    assert check_history(of(WatchResponse(20, 2, halves))) == Linearizable()
    assert check_history(of(WatchResponse(20, 2, halves[:1], fragment=True))) == Linearizable()
    assert found(check_history(of(WatchResponse(20, 2, halves[:1])))) is Anomaly.WATCH_LOST


# Stores that tell no revisions


def silent(value: bytes | None) -> RangeResult:
    return RangeResult(0, (KeyValue(A, value, 0, 0, 0),), count=1) if value is not None else RangeResult(0)


def writes(*values: bytes) -> list[Call]:
    return [
        call(1, 100 * number, 100 * number + 10, op.Put(A, value), PutResult(0)) for number, value in enumerate(values)
    ]


def test_without_revisions_an_order_is_searched() -> None:
    seen = call(2, 50, 60, op.Range(A), silent(b"1"))
    overlapping = call(2, 5, 120, op.Range(A), silent(None))
    assert check_history(History([*writes(b"1", b"2"), seen, overlapping])) == Linearizable()


@pytest.mark.parametrize(
    ("value", "more", "anomaly"),
    [
        (b"1", [call(3, 120, 130, op.Range(A), silent(b"2"))], Anomaly.STALE_READ),
        (b"1", [], Anomaly.LOST_WRITE),
        (b"9", [], Anomaly.PHANTOM_WRITE),
        (b"3", [], Anomaly.FUTURE_READ),
    ],
)
def test_without_revisions_a_violation_is_named_by_the_values(value: bytes, more: list[Call], anomaly: Anomaly) -> None:
    calls = [*writes(b"1", b"2", b"3"), *more, call(2, 150, 160, op.Range(A), silent(value))]
    assert found(check_history(History(calls))) is anomaly


def test_without_revisions_keys_are_searched_apart() -> None:
    """Each of 40 keys has five writes that nobody knows the outcome of: all together no search would end."""
    calls: list[Call] = []
    for number in range(40):
        key = b"%d" % number
        calls += [call(number, at, None, op.Put(key, b"%d" % at), LOST) for at in range(5)]
        shown = RangeResult(0, (KeyValue(key, b"3", 0, 0, 0),), count=1)
        calls += [call(number, 50, 60, op.Range(key), shown), call(number, 70, 80, op.Range(key), shown)]
    assert check_history(History(calls)) == Linearizable()


# What can't be said


def test_unknown_where_an_operation_is_not_checked() -> None:
    verdict = check_history(History([call(1, 0, 1, op.AuthEnable(), AuthResult(1))]))
    assert isinstance(verdict, Unknown)
    assert "auth_enable" in verdict.why


def test_unknown_where_a_request_kills_etcd() -> None:
    deadly = op.Range(A, b"b", sort_order=1, sort_target=9)
    verdict = check_history(History([call(1, 0, 1, deadly, one(1))], version="3.5.16"))
    assert isinstance(verdict, Unknown)
    assert "sort_target" in verdict.why


def test_unknown_where_a_serializable_read_is_of_before_the_beginning() -> None:
    old = call(1, 0, 1, op.Range(A, serializable=True), one(5))
    assert isinstance(check_history(History([old], beginning=Beginning(9))), Unknown)
    assert (
        found(check_history(History([call(1, 0, 1, op.Range(A), one(5))], beginning=Beginning(9))))
        is Anomaly.STALE_READ
    )


def test_a_revision_that_is_far_too_high_is_one_that_nobody_made() -> None:
    calls = [HISTORY[0], call(2, 5, None, op.Put(A, b"2"), LOST), call(3, 5, None, op.Put(B, b"3"), LOST)]
    calls += [call(2, 60, 70, op.Range(A), one(10**15, kv(A, b"1", 2, 2, 1)))]
    assert isinstance(check_history(History(calls)), Violated)


def test_unknown_where_a_search_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etcd_lockstep.histories.whole.BUDGET", 50)
    calls = [call(number, 0, 1000, op.Put(A, b"%d" % number), PutResult(0)) for number in range(12)]
    calls += [call(20, 2000, 2001, op.Range(A), silent(b"nobody's"))]
    verdict = check_history(History(calls))
    assert isinstance(verdict, Unknown)
    assert "50 steps" in verdict.why
    assert verdict.calls


@pytest.mark.parametrize(
    "bad",
    [
        History([call(1, 10, 5, op.Range(A), one(1))]),
        History([call(1, 10, None, op.Range(A), one(1))]),
        History([call(1, 10, 20, op.Range(A), PutResult(2))]),
        History([call(1, 10, 20, op.Range(A), one(-1))]),
        History([], account=Account(0, 2, (put(A, b"1", 3, 3, 1),))),
        History([], account=Account(0, 3, (put(A, b"1", 2, 3, 2), put(A, b"1", 2, 2, 1)))),
    ],
)
def test_what_can_not_have_been_recorded_is_refused(bad: History) -> None:
    with pytest.raises(BadHistory):
        check_history(bad)


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
