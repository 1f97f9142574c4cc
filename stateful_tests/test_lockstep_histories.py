"""The checker, fault by fault: short histories, each of which is right but for the one thing that its test names."""

from __future__ import annotations

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
    Linearizable,
    Unknown,
    Violated,
)
from etcd_lockstep.histories.proving.written import (
    HISTORY,
    LOST,
    TRANSFER,
    TRANSFERRED,
    A,
    B,
    account,
    agreed,
    call,
    found,
    kv,
    one,
    put,
)
from etcd_lockstep.histories.words import two_answers_in_words
from etcd_model import operations as op
from etcd_model.errors import COMPACTED, Code, Error
from etcd_model.results import (
    AuthResult,
    CompactResult,
    DeleteRangeResult,
    KeyValue,
    LeaseGrantResult,
    LeaseRevokeResult,
    PutResult,
    RangeResult,
    TxnResult,
)

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


READ = RangeResult(0, (kv(A, b"1", 2, 2, 1),), count=1)


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        (RangeResult(0), READ, ("no keys", '"a" = "1" (mod 2)')),
        (RangeResult(0, count=1), RangeResult(0, count=2), ("no keys, count: 1", "no keys, count: 2")),
        (PutResult(0), PutResult(0, kv(B, b"", 2, 3, 2)), ("no prev_kv", 'prev_kv: "b" = "" (mod 3)')),
        (
            DeleteRangeResult(0, 2),
            DeleteRangeResult(0, 1, READ.kvs),
            ("deleted: 2", 'deleted: 1, prev_kvs: "a" = "1" (mod 2)'),
        ),
        (
            TxnResult(0, succeeded=False),
            TxnResult(0, succeeded=True, responses=(READ, PutResult(0))),
            ("succeeded: false", 'succeeded: true ("a" = "1" (mod 2); no prev_kv)'),
        ),
        (
            READ,
            replace(READ, kvs=(replace(READ.kvs[0], version=2, lease=7),)),
            (
                '"a" = "1" (create 2, mod 2, version 1, lease 0)',
                '"a" = "1" (create 2, mod 2, version 2, lease 7)',
            ),
        ),
        (COMPACTED, LeaseGrantResult(0, 5, 60), (f'the error "{COMPACTED.message}"', "id: 5, ttl: 60")),
        (CompactResult(0), RangeResult(0), ("nothing but its revision", "no keys")),
    ],
)
def test_two_answers_are_told_apart_in_the_words_of_etcd(right: object, wrong: object, words: tuple[str, str]) -> None:
    assert two_answers_in_words(right, wrong) == words


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


# Stores whose answers have no revisions


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
