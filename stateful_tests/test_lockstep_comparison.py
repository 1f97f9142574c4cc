"""Where two observations differ, and in which way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etcd_lockstep.comparison import Difference, differences
from etcd_lockstep.observation import Observation, Raised
from etcd_model.errors import COMPACTED, EMPTY_KEY, FUTURE_REVISION, Code, Error
from etcd_model.results import (
    DeleteRangeResult,
    KeyValue,
    LeaseLeasesResult,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
    TxnResult,
)

A = KeyValue(b"a", b"1", 2, 3, 2, 7)
B = KeyValue(b"b", b"2", 4, 4, 1)
AB = RangeResult(4, (A, B), count=2)


def told(expected: Observation, got: Observation) -> list[tuple[str, str]]:
    return [(difference.field, difference.kind) for difference in differences(expected, got)]


@pytest.mark.parametrize("observation", [AB, COMPACTED, Raised("KeyError", "'a'"), TxnResult(2, True, (AB,))])
def test_what_is_the_same_does_not_differ(observation: Observation) -> None:
    assert differences(observation, observation) == []


@pytest.mark.parametrize(
    ("expected", "got", "field", "kind"),
    [
        (COMPACTED, AB, "error", f"accepted ({COMPACTED.message})"),
        (AB, COMPACTED, "error", f"refused ({COMPACTED.message})"),
        (COMPACTED, FUTURE_REVISION, "error.message", "different"),
        (EMPTY_KEY, Error(Code.NOT_FOUND, EMPTY_KEY.message), "error.code", "different"),
        (AB, Raised("KeyError", "'a'"), "answer", "raised KeyError"),
        (COMPACTED, Raised("KeyError", "'a'"), "answer", "raised KeyError"),
        (Raised("KeyError", "'a'"), AB, "answer", "answered"),
        (AB, PutResult(4), "answer", "of another operation"),
    ],
)
def test_whether_there_is_an_answer_comes_before_what_is_in_it(
    expected: Observation, got: Observation, field: str, kind: str
) -> None:
    assert told(expected, got) == [(field, kind)]


def test_two_errors_may_differ_in_code_and_in_message() -> None:
    assert told(EMPTY_KEY, COMPACTED) == [("error.code", "different"), ("error.message", "different")]


@pytest.mark.parametrize(
    ("changed", "field", "kind"),
    [
        ({"value": b"9"}, "kvs.value", "different"),
        ({"value": b""}, "kvs.value", "different"),
        ({"version": 1}, "kvs.version", "too low"),
        ({"version": 3}, "kvs.version", "too high"),
        ({"create_revision": 0}, "kvs.create_revision", "missing"),
        ({"lease": 0}, "kvs.lease", "missing"),
        ({"lease": 8}, "kvs.lease", "different"),
    ],
)
def test_a_field_of_a_key_value_is_told_by_its_path(changed: dict[str, int], field: str, kind: str) -> None:
    got = replace(AB, kvs=(replace(A, **changed), B))  # type: ignore[arg-type]  # the values fit their fields
    assert told(AB, got) == [(field, kind)]


def test_a_field_that_should_be_empty_is_unexpected() -> None:
    assert told(AB, replace(AB, kvs=(A, replace(B, lease=7)))) == [("kvs.lease", "unexpected")]
    assert told(AB, replace(AB, more=True)) == [("more", "unexpected")]


def test_a_key_that_is_missing_or_too_many_is_told_once_and_not_again_by_the_count() -> None:
    assert told(AB, RangeResult(4, (B,), more=True, count=1)) == [("kvs", "missing")]
    assert told(AB, RangeResult(4, (), count=0)) == [("kvs", "missing")]
    assert told(RangeResult(4, (A,), count=1), AB) == [("kvs", "unexpected")]
    assert told(RangeResult(4, (A,), count=1), RangeResult(4, (B,), count=1)) == [
        ("kvs", "missing"),
        ("kvs", "unexpected"),
    ]


def test_a_key_that_is_there_twice_is_unexpected() -> None:
    assert ("kvs", "unexpected") in told(AB, RangeResult(4, (A, A, B), count=3))


def test_a_count_that_is_wrong_by_itself_is_told() -> None:
    assert told(AB, replace(AB, count=3)) == [("count", "too high")]
    assert told(AB, replace(AB, count=0)) == [("count", "missing")]


def test_an_order_that_differs_is_that_and_no_difference_of_fields() -> None:
    assert told(AB, replace(AB, kvs=(B, A))) == [("kvs", "out of order")]


def test_a_missing_key_does_not_put_those_behind_it_out_of_order() -> None:
    c = KeyValue(b"c", b"3", 5, 5, 1)
    assert told(RangeResult(5, (A, B, c), count=3), RangeResult(5, (A, c), count=2)) == [("kvs", "missing")]


def test_the_keys_and_ids_of_leases_are_missing_or_unexpected() -> None:
    lease = LeaseTimeToLiveResult(1, 7, 59, 60, (b"a", b"b"))
    assert told(lease, replace(lease, keys=(b"a",))) == [("keys", "missing")]
    assert told(lease, replace(lease, keys=(b"a", b"b", b"c"))) == [("keys", "unexpected")]
    assert told(lease, replace(lease, keys=(b"a", b"a", b"b"))) == [("keys", "different")]
    assert told(LeaseLeasesResult(1, (1,)), LeaseLeasesResult(1, (2,))) == [
        ("leases", "missing"),
        ("leases", "unexpected"),
    ]


def test_a_prev_kv_is_missing_unexpected_or_differs_in_a_field() -> None:
    assert told(PutResult(3, A), PutResult(3)) == [("prev_kv", "missing")]
    assert told(PutResult(3), PutResult(3, A)) == [("prev_kv", "unexpected")]
    assert told(PutResult(3, A), PutResult(3, replace(A, value=b"9"))) == [("prev_kv.value", "different")]
    assert told(DeleteRangeResult(3, 1, (A,)), DeleteRangeResult(3, 1)) == [("prev_kvs", "missing")]


def test_the_answers_in_a_txn_are_told_by_their_fields_without_an_index() -> None:
    expected = TxnResult(3, True, (PutResult(3), DeleteRangeResult(3, 1), PutResult(3, A)))
    assert told(expected, replace(expected, responses=(PutResult(3), DeleteRangeResult(3), PutResult(3)))) == [
        ("responses.deleted", "missing"),
        ("responses.prev_kv", "missing"),
    ]


def test_a_list_of_answers_may_be_too_short_too_long_or_gone() -> None:
    two = TxnResult(3, True, (PutResult(3), PutResult(3)))
    assert told(two, TxnResult(3, True, (PutResult(3),))) == [("responses", "too few")]
    assert told(two, TxnResult(3, True, (PutResult(3),) * 3)) == [("responses", "too many")]
    assert told(two, TxnResult(3, True)) == [("responses", "missing")]
    assert told(two, TxnResult(3, True, (PutResult(3), RangeResult(3)))) == [("responses", "of another operation")]


def test_a_nested_txn_is_told_like_the_outer_one_however_deep() -> None:
    def deep(inner: PutResult) -> TxnResult:
        return TxnResult(3, True, (TxnResult(0, True, (TxnResult(0, True, (inner,)),)),))

    fields = [field for field, _ in told(deep(PutResult(3, A)), deep(PutResult(3)))]
    assert len(fields) == 1
    assert fields[0].endswith("responses.prev_kv")


def test_the_most_telling_difference_comes_first_and_the_header_last() -> None:
    got = RangeResult(9, (replace(A, version=9, mod_revision=9, lease=0, value=b"9"), B), count=2)
    assert told(AB, got) == [
        ("kvs.value", "different"),
        ("kvs.lease", "missing"),
        ("kvs.version", "too high"),
        ("kvs.mod_revision", "too high"),
        ("revision", "too high"),
    ]


def test_the_same_difference_of_many_keys_is_one() -> None:
    got = replace(AB, kvs=(replace(A, value=b"9"), replace(B, value=b"9")))
    assert differences(AB, got) == [Difference("kvs.value", "different")]


def test_whether_a_txn_succeeded_is_told() -> None:
    assert told(TxnResult(1, True), TxnResult(1, False)) == [("succeeded", "missing")]
    assert told(TxnResult(1, False), TxnResult(1, True)) == [("succeeded", "unexpected")]


def test_where_the_other_branch_was_taken_that_is_the_only_difference() -> None:
    assert told(TxnResult(2, True, (PutResult(2),)), TxnResult(1, False)) == [("succeeded", "missing")]
