"""Where two observations differ, and in which way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from etcd_lockstep.comparing.comparison import BROKEN_PROMISES, Difference, differences
from etcd_lockstep.comparing.observation import Observation, Raised
from etcd_lockstep.trace import LeaseOf
from etcd_model.errors import COMPACTED, EMPTY_KEY, FUTURE_REVISION, KEY_NOT_FOUND, Code, Error
from etcd_model.operations import LeaderKey, Permission
from etcd_model.results import (
    AlarmMember,
    AlarmResult,
    AuthenticateResult,
    AuthStatusResult,
    CampaignResult,
    DeleteRangeResult,
    Event,
    HashKVResult,
    KeyValue,
    LeaderResult,
    LeaseLeasesResult,
    LeaseTimeToLiveResult,
    LockResult,
    Member,
    MemberListResult,
    PutResult,
    RangeResult,
    RoleGetResult,
    SnapshotResult,
    StatusResult,
    TxnResult,
    UserListResult,
    Waiting,
    WatchCreateResult,
    Watched,
    WatchReadResult,
)

A = KeyValue(b"a", b"1", 2, 3, 2, 7)
B = KeyValue(b"b", b"2", 4, 4, 1)
AB = RangeResult(4, (A, B), count=2)


def reported(expected: Observation, got: Observation) -> list[tuple[str, str]]:
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
    assert reported(expected, got) == [(field, kind)]


def test_of_two_errors_the_code_is_reported_and_the_message_where_the_code_is_the_same() -> None:
    assert reported(EMPTY_KEY, COMPACTED) == [("error.code", "different")]
    assert reported(EMPTY_KEY, KEY_NOT_FOUND) == [("error.message", "different")]


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
def test_a_field_of_a_key_value_is_reported_by_its_path(changed: dict[str, int], field: str, kind: str) -> None:
    got = replace(AB, kvs=(replace(A, **changed), B))  # type: ignore[arg-type]  # the values fit their fields
    assert reported(AB, got) == [(field, kind)]


def test_a_field_that_should_be_empty_is_unexpected() -> None:
    assert reported(AB, replace(AB, kvs=(A, replace(B, lease=7)))) == [("kvs.lease", "unexpected")]
    assert reported(AB, replace(AB, more=True)) == [("more", "unexpected")]


def test_a_key_that_is_missing_or_too_many_is_reported_once_and_not_again_by_the_count() -> None:
    assert reported(AB, RangeResult(4, (B,), more=True, count=1)) == [("kvs", "missing")]
    assert reported(AB, RangeResult(4, (), count=0)) == [("kvs", "missing")]
    assert reported(RangeResult(4, (A,), count=1), AB) == [("kvs", "unexpected")]
    assert reported(RangeResult(4, (A,), count=1), RangeResult(4, (B,), count=1)) == [
        ("kvs", "missing"),
        ("kvs", "unexpected"),
    ]


def test_a_key_that_is_there_twice_is_unexpected() -> None:
    assert ("kvs", "unexpected") in reported(AB, RangeResult(4, (A, A, B), count=3))


def test_a_count_that_is_wrong_by_itself_is_reported() -> None:
    assert reported(AB, replace(AB, count=3)) == [("count", "too high")]
    assert reported(AB, replace(AB, count=0)) == [("count", "missing")]


def test_an_order_that_differs_is_that_and_no_difference_of_fields() -> None:
    assert reported(AB, replace(AB, kvs=(B, A))) == [("kvs", "out of order")]


def test_a_missing_key_does_not_put_those_behind_it_out_of_order() -> None:
    c = KeyValue(b"c", b"3", 5, 5, 1)
    assert reported(RangeResult(5, (A, B, c), count=3), RangeResult(5, (A, c), count=2)) == [("kvs", "missing")]


def test_the_keys_and_ids_of_leases_are_missing_or_unexpected() -> None:
    lease = LeaseTimeToLiveResult(1, 7, 59, 60, (b"a", b"b"))
    assert reported(lease, replace(lease, keys=(b"a",))) == [("keys", "missing")]
    assert reported(lease, replace(lease, keys=(b"a", b"b", b"c"))) == [("keys", "unexpected")]
    assert reported(lease, replace(lease, keys=(b"a", b"a", b"b"))) == [("keys", "different")]
    assert reported(LeaseLeasesResult(1, (1,)), LeaseLeasesResult(1, (2,))) == [
        ("leases", "missing"),
        ("leases", "unexpected"),
    ]


def test_a_prev_kv_is_missing_unexpected_or_differs_in_a_field() -> None:
    assert reported(PutResult(3, A), PutResult(3)) == [("prev_kv", "missing")]
    assert reported(PutResult(3), PutResult(3, A)) == [("prev_kv", "unexpected")]
    assert reported(PutResult(3, A), PutResult(3, replace(A, value=b"9"))) == [("prev_kv.value", "different")]
    assert reported(DeleteRangeResult(3, 1, (A,)), DeleteRangeResult(3, 1)) == [("prev_kvs", "missing")]


def test_the_answers_in_a_txn_are_reported_by_their_fields_without_an_index() -> None:
    expected = TxnResult(3, True, (PutResult(3), DeleteRangeResult(3, 1), PutResult(3, A)))
    assert reported(expected, replace(expected, responses=(PutResult(3), DeleteRangeResult(3), PutResult(3)))) == [
        ("responses.deleted", "missing"),
        ("responses.prev_kv", "missing"),
    ]


def test_a_list_of_answers_may_be_too_short_too_long_or_gone() -> None:
    two = TxnResult(3, True, (PutResult(3), PutResult(3)))
    assert reported(two, TxnResult(3, True, (PutResult(3),))) == [("responses", "too few")]
    assert reported(two, TxnResult(3, True, (PutResult(3),) * 3)) == [("responses", "too many")]
    assert reported(two, TxnResult(3, True)) == [("responses", "missing")]
    assert reported(two, TxnResult(3, True, (PutResult(3), RangeResult(3)))) == [("responses", "of another operation")]


def test_a_nested_txn_is_reported_like_the_outer_one_however_deep() -> None:
    def deep(inner: PutResult) -> TxnResult:
        return TxnResult(3, True, (TxnResult(0, True, (TxnResult(0, True, (inner,)),)),))

    fields = [field for field, _ in reported(deep(PutResult(3, A)), deep(PutResult(3)))]
    assert len(fields) == 1
    assert fields[0].endswith("responses.prev_kv")


def test_the_most_telling_difference_comes_first_and_the_header_last() -> None:
    got = RangeResult(9, (replace(A, version=9, mod_revision=9, lease=0, value=b"9"), B), count=2)
    assert reported(AB, got) == [
        ("kvs.value", "different"),
        ("kvs.lease", "missing"),
        ("kvs.version", "too high"),
        ("kvs.mod_revision", "too high"),
        ("revision", "too high"),
    ]


def test_the_same_difference_of_many_keys_is_one() -> None:
    got = replace(AB, kvs=(replace(A, value=b"9"), replace(B, value=b"9")))
    assert differences(AB, got) == [Difference("kvs.value", "different")]


def test_whether_a_txn_succeeded_is_reported() -> None:
    assert reported(TxnResult(1, True), TxnResult(1, False)) == [("succeeded", "missing")]
    assert reported(TxnResult(1, False), TxnResult(1, True)) == [("succeeded", "unexpected")]


def test_where_the_other_branch_was_taken_that_is_the_only_difference() -> None:
    assert reported(TxnResult(2, True, (PutResult(2),)), TxnResult(1, False)) == [("succeeded", "missing")]


def test_a_lease_that_has_the_name_of_another_step_is_another_and_no_lower_one() -> None:
    got = replace(AB, kvs=(replace(A, lease=LeaseOf(1)), B))
    assert reported(replace(AB, kvs=(replace(A, lease=LeaseOf(2)), B)), got) == [("kvs.lease", "different")]


# What a watch promises.

PUT = Event(0, KeyValue(b"a", b"1", 2, 2, 1))
AGAIN = Event(0, KeyValue(b"a", b"2", 2, 3, 2), KeyValue(b"a", b"1", 2, 2, 1))
GONE = Event(1, KeyValue(b"a", b"", 0, 4, 0))
EVENTS = (PUT, AGAIN, GONE)


def watched(*events: Event, watch_id: int = 0) -> Watched:
    return Watched(watch_id, events)


def with_revision(event: Event, mod_revision: int) -> Event:
    return replace(event, kv=replace(event.kv, mod_revision=mod_revision))


def read(*watches: Watched) -> WatchReadResult:
    return WatchReadResult(5, watches)


@pytest.mark.parametrize(
    ("events", "kinds"),
    [
        ((PUT, GONE), ["lost events"]),
        ((), ["lost events"]),
        ((PUT, AGAIN, AGAIN, GONE), ["events twice"]),
        ((PUT, AGAIN, GONE, PUT), ["events twice"]),
        ((AGAIN, PUT, GONE), ["out of order"]),
        ((PUT, AGAIN, GONE, Event(0, KeyValue(b"b", b"", 5, 5, 1))), ["unexpected events"]),
        ((GONE, PUT), ["lost events", "out of order"]),
        ((PUT, PUT, GONE), ["events twice", "lost events"]),
        ((PUT, AGAIN, Event(0, GONE.kv)), ["lost events", "unexpected events"]),
        ((PUT, AGAIN, Event(1, KeyValue(b"b", b"", 0, 4, 0))), ["lost events", "unexpected events"]),
        (
            (PUT, replace(AGAIN, kv=replace(AGAIN.kv, value=b"3", mod_revision=9)), GONE),
            ["lost events", "unexpected events"],
        ),
    ],
    ids=str,
)
def test_a_broken_promise_of_a_watch_is_named(events: tuple[Event, ...], kinds: list[str]) -> None:
    assert reported(read(watched(*EVENTS)), read(watched(*events))) == [("watches.events", kind) for kind in kinds]


@pytest.mark.parametrize(
    ("events", "differences"),
    [
        ((PUT, AGAIN, with_revision(GONE, 3)), ["kv.mod_revision too low"]),
        ((with_revision(PUT, 3), with_revision(AGAIN, 4), with_revision(GONE, 5)), ["kv.mod_revision too high"]),
        ((with_revision(PUT, 0), AGAIN, GONE), ["kv.mod_revision missing"]),
        ((AGAIN, with_revision(GONE, 3)), ["events lost events", "kv.mod_revision too low"]),
        (
            (PUT, AGAIN, with_revision(GONE, 3), with_revision(GONE, 5)),
            ["events lost events", "events unexpected events"],
        ),
        ((with_revision(GONE, 3), PUT, AGAIN), ["events out of order", "kv.mod_revision too low"]),
        ((PUT, with_revision(replace(AGAIN, prev_kv=None), 9), GONE), ["prev_kv missing", "kv.mod_revision too high"]),
    ],
    ids=str,
)
def test_an_event_under_another_revision_is_neither_lost_nor_unexpected(
    events: tuple[Event, ...], differences: list[str]
) -> None:
    found = reported(read(watched(*EVENTS)), read(watched(*events)))
    assert [f"{field.removeprefix('watches.')} {kind}" for field, kind in found] == differences


def test_an_event_that_was_not_asked_for_is_unexpected_and_breaks_no_promise() -> None:
    assert reported(read(watched(PUT)), read(watched(*EVENTS))) == [("watches.events", "unexpected events")]
    assert "unexpected events" not in BROKEN_PROMISES


def test_a_revision_that_was_split_is_reported_as_that() -> None:
    split = Watched(0, EVENTS, atomic=False)
    assert reported(read(watched(*EVENTS)), read(split)) == [("watches.events", "a revision was split")]
    assert reported(read(split), read(watched(*EVENTS))) == []
    assert reported(read(watched(*EVENTS)), read(replace(split, events=EVENTS[:1]))) == [
        ("watches.events", "a revision was split"),
        ("watches.events", "lost events"),
    ]


def test_each_kind_that_breaks_a_promise_can_be_seen() -> None:
    seen = {
        kind
        for events in ((PUT,), (PUT, *EVENTS), (GONE, AGAIN, PUT))
        for _, kind in reported(read(watched(*EVENTS)), read(Watched(0, events, atomic=False)))
    }
    assert seen == BROKEN_PROMISES.keys()


@pytest.mark.parametrize(
    ("changed", "field", "kind"),
    [
        (replace(AGAIN, prev_kv=None), "watches.prev_kv", "missing"),
        (replace(AGAIN, prev_kv=GONE.kv), "watches.prev_kv", "different"),
        (replace(AGAIN, kv=replace(AGAIN.kv, value=b"9")), "watches.kv.value", "different"),
        (replace(AGAIN, kv=replace(AGAIN.kv, version=1)), "watches.kv.version", "too low"),
        (replace(AGAIN, kv=replace(AGAIN.kv, lease=7)), "watches.kv.lease", "unexpected"),
        (replace(AGAIN, kv=replace(AGAIN.kv, create_revision=0)), "watches.kv.create_revision", "missing"),
    ],
    ids=str,
)
def test_what_is_changed_in_an_event_is_reported_by_its_field(changed: Event, field: str, kind: str) -> None:
    assert reported(read(watched(*EVENTS)), read(watched(PUT, changed, GONE))) == [(field, kind)]


def test_a_prev_kv_that_was_not_asked_for_is_unexpected() -> None:
    got = read(watched(replace(PUT, prev_kv=GONE.kv), AGAIN, GONE))
    assert reported(read(watched(*EVENTS)), got) == [("watches.prev_kv", "unexpected")]


def test_watchers_are_held_against_each_other_by_their_id() -> None:
    one, other = watched(*EVENTS), watched(PUT, watch_id=1)
    assert reported(read(one, other), read(one)) == [("watches", "missing")]
    assert reported(read(one), read(one, other)) == [("watches", "unexpected")]
    assert reported(read(one, other), read(other, one)) == [("watches", "out of order")]
    assert reported(read(one, other), read(one, replace(other, events=()))) == [("watches.events", "lost events")]
    assert reported(read(one), read(replace(one, watch_id=3))) == [("watches", "missing"), ("watches", "unexpected")]


def test_an_id_that_was_given_twice_is_of_two_watchers() -> None:
    one, other = watched(PUT), watched(GONE)
    assert reported(read(one, other), read(one, other)) == []
    assert reported(read(one, other), read(one)) == [("watches", "missing")]
    assert reported(read(one, other), read(one, watched())) == [("watches.events", "lost events")]


@pytest.mark.parametrize(
    ("changed", "field", "kind"),
    [
        ({"cancels": ()}, "watches.cancels", "missing"),
        ({"cancels": ("why", "")}, "watches.cancels", "unexpected"),
        ({"cancels": ("why", "why")}, "watches.cancels", "different"),
        ({"compact_revision": 0}, "watches.compact_revision", "missing"),
        ({"compact_revision": 2}, "watches.compact_revision", "too low"),
        ({"header_behind": True}, "watches.header_behind", "unexpected"),
    ],
    ids=str,
)
def test_what_else_a_watcher_was_reported(changed: dict[str, Any], field: str, kind: str) -> None:
    expected = Watched(0, EVENTS, ("why",), 3)
    assert reported(read(expected), read(replace(expected, **changed))) == [(field, kind)]


def test_what_else_a_stream_delivered() -> None:
    expected = WatchReadResult(5, (), (4,), 0)
    assert reported(expected, replace(expected, progress=())) == [("progress", "missing")]
    assert reported(expected, replace(expected, progress=(4, 5))) == [("progress", "unexpected")]
    assert reported(expected, replace(expected, progress=(4, 4))) == [("progress", "different")]
    assert reported(expected, replace(expected, stray=2)) == [("stray", "unexpected")]
    assert reported(expected, replace(expected, revision=4)) == [("revision", "too low")]


def test_the_most_telling_of_a_watch_is_that_a_watcher_is_missing_or_what_it_lost() -> None:
    expected = read(watched(*EVENTS), watched(PUT, watch_id=1))
    got = WatchReadResult(4, (watched(replace(PUT, kv=replace(PUT.kv, version=9)), GONE),))
    assert reported(expected, got) == [
        ("watches", "missing"),
        ("watches.events", "lost events"),
        ("watches.kv.version", "too high"),
        ("revision", "too low"),
    ]


def test_the_reply_to_a_watch() -> None:
    created = WatchCreateResult(3, 0)
    assert reported(created, replace(created, watch_id=1)) == [("watch_id", "different")]
    assert reported(replace(created, watch_id=2), replace(created, watch_id=1)) == [("watch_id", "different")]
    refused = WatchCreateResult(3, -1, canceled=True, cancel_reason="why")
    assert reported(refused, created) == [("canceled", "missing")]
    assert reported(refused, replace(refused, cancel_reason="")) == [("cancel_reason", "missing")]


# Everything else.


@pytest.mark.parametrize(
    ("expected", "got", "differ"),
    [
        (AuthStatusResult(1, True, 4), AuthStatusResult(1, False, 3), ["auth_revision too low", "enabled missing"]),
        (AuthenticateResult(1, "a token"), AuthenticateResult(1, ""), ["token missing"]),
        (UserListResult(1, ("a", "b")), UserListResult(1, ("b", "a")), ["users out of order"]),
        (UserListResult(1, ("a", "b")), UserListResult(1, ("a",)), ["users missing"]),
        (UserListResult(1, ("a", "b")), UserListResult(1, ("a", "b", "b")), ["users different"]),
        (
            RoleGetResult(1, (Permission(0, b"a"),)),
            RoleGetResult(1, (Permission(1, b"a"),)),
            ["perm missing", "perm unexpected"],
        ),
        (RoleGetResult(1, (Permission(0, b"a"),)), RoleGetResult(1), ["perm missing"]),
        (AlarmResult(1), AlarmResult(1, (AlarmMember(1, 1),)), ["alarms unexpected"]),
        (MemberListResult(1, (Member(1),)), MemberListResult(1), ["members missing"]),
        (StatusResult(1, "3.5.1"), StatusResult(1, "3.5.2", leads=False), ["leads missing", "version different"]),
        (SnapshotResult(), SnapshotResult(intact=False), ["intact missing"]),
        (HashKVResult(1, 0, 1), HashKVResult(1, 77, 1), ["hash different"]),
        (HashKVResult(1, 77, 1), HashKVResult(1, 0, 1), ["hash different"]),
        (HashKVResult(1, 0, -1, 3), HashKVResult(1, 0, 2), ["compact_revision too high", "hash_revision missing"]),
        (LockResult(1, b"l/7"), LockResult(1, b"l/8"), ["key different"]),
        (LockResult(1, b"l/7"), Waiting(), ["waiting unexpected"]),
        (Waiting(), LockResult(1, b"l/7"), ["waiting missing"]),
        (Waiting(), COMPACTED, [f"error refused ({COMPACTED.message})"]),
        (LeaderResult(1, A), LeaderResult(1), ["kv missing"]),
        (LeaderResult(1, A), LeaderResult(1, replace(A, value=b"")), ["kv.value different"]),
        (
            CampaignResult(1, LeaderKey(b"e", b"e/7", 3, 7)),
            CampaignResult(1, LeaderKey(b"e", b"e/8", 2, 8)),
            ["leader.key different", "leader.rev too low", "leader.lease different"],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_field_of_any_answer_is_reported_by_its_path(
    expected: Observation, got: Observation, differ: list[str]
) -> None:
    assert [f"{field} {kind}" for field, kind in reported(expected, got)] == differ
