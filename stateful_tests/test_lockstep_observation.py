"""What an observation leaves out or makes comparable: each with the lie that a coarser one would miss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from etcd_lockstep.comparing.observation import Raised, View, allow_for_elapsed, observe
from etcd_lockstep.trace import LeaseOf, MemberOf
from etcd_model import Result
from etcd_model.errors import COMPACTED, FUTURE_REVISION, Error
from etcd_model.operations import (
    As,
    Authenticate,
    Campaign,
    LeaderKey,
    LeaseGrant,
    Lock,
    MemberAdd,
    Permission,
    PermissionType,
)
from etcd_model.results import (
    AdvanceResult,
    AlarmMember,
    AlarmResult,
    Answer,
    AuthenticateResult,
    AuthResult,
    AuthStatusResult,
    CampaignResult,
    CompactResult,
    DeleteRangeResult,
    DowngradeResult,
    ElectionResult,
    Event,
    HashKVResult,
    KeyValue,
    LeaderResult,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
    LockResult,
    MaintenanceResult,
    Member,
    MemberAddResult,
    MemberListResult,
    PutResult,
    RangeResult,
    RoleGetResult,
    RoleListResult,
    SnapshotResult,
    StatusResult,
    StreamResult,
    TxnResult,
    UnlockResult,
    UserGetResult,
    UserListResult,
    Waiting,
    WatchCreateResult,
    Watched,
    WatchReadResult,
)


def kv(create: int, mod: int, lease: int = 0) -> KeyValue:
    return KeyValue(b"a", b"1", create, mod, 1, lease)


def seen(result: Result, base: int = 1, *picked: int, named: tuple[int, ...] = ()) -> Result:
    """Observed on a target at revision `base` after its reset, whose leases of steps 1, 2, … are these."""
    view = View(base)
    for step, lease in enumerate(picked, 1):
        view.name_lease(step, lease, picked_by_server=True)
    for step, lease in enumerate(named, len(picked) + 1):
        view.name_lease(step, lease, picked_by_server=False)
    return observe(result, view)


# A store that counts from 0.


def test_a_header_of_0_is_the_first_revision_until_a_header_has_another() -> None:
    view = View(0)
    assert observe(RangeResult(0), view) == RangeResult(1)
    assert observe(TxnResult(1, True, (PutResult(0),)), view) == TxnResult(2, True, (PutResult(0),))
    assert observe(RangeResult(0), view) == RangeResult(0)


# Revisions are counted from the reset.

ANSWERS = (
    (RangeResult(1001, (kv(1000, 1001),), count=1), RangeResult(3, (kv(2, 3),), count=1)),
    (PutResult(1001, kv(1000, 1000)), PutResult(3, kv(2, 2))),
    (PutResult(1001), PutResult(3)),
    (DeleteRangeResult(1001, 1, (kv(1000, 1000),)), DeleteRangeResult(3, 1, (kv(2, 2),))),
    (
        TxnResult(1001, True, (PutResult(1001), TxnResult(0, True, (RangeResult(1001),)))),
        TxnResult(3, True, (PutResult(3), TxnResult(0, True, (RangeResult(3),)))),
    ),
    (CompactResult(1001), CompactResult(3)),
    (LeaseGrantResult(1001, 7, 60), LeaseGrantResult(3, 7, 60)),
    (LeaseRevokeResult(1001), LeaseRevokeResult(3)),
    (LeaseKeepAliveResult(1001, 7, 60), LeaseKeepAliveResult(3, 7, 60)),
    (LeaseTimeToLiveResult(1001, 7, 59, 60), LeaseTimeToLiveResult(3, 7, 59, 60)),
    (LeaseLeasesResult(1001), LeaseLeasesResult(3)),
    (COMPACTED, COMPACTED),
    (AdvanceResult(), AdvanceResult()),
    (WatchCreateResult(1001, 0), WatchCreateResult(3, 0)),
    (WatchCreateResult(1001, -1, canceled=True, cancel_reason="x"), WatchCreateResult(3, -1, True, True, "x")),
    (StreamResult(), StreamResult()),
    (
        WatchReadResult(
            1001,
            (Watched(0, (Event(0, kv(1000, 1001), kv(1000, 1000)), Event(1, kv(0, 1001))), ("",), 1000),),
            (1000, 1001),
            2,
        ),
        WatchReadResult(3, (Watched(0, (Event(0, kv(2, 3), kv(2, 2)), Event(1, kv(0, 3))), ("",), 2),), (2, 3), 2),
    ),
    (AuthResult(1001), AuthResult(3)),
    (AuthStatusResult(1001, True, 4), AuthStatusResult(3, True, 4)),
    (AuthenticateResult(1001, ""), AuthenticateResult(3, "")),
    (UserGetResult(1001, ("r",)), UserGetResult(3, ("r",))),
    (UserListResult(1001, ("u",)), UserListResult(3, ("u",))),
    (RoleGetResult(1001, (Permission(0, b"a"),)), RoleGetResult(3, (Permission(0, b"a"),))),
    (RoleListResult(1001, ("r",)), RoleListResult(3, ("r",))),
    (StatusResult(1001, "3.5.16", errors=("x",)), StatusResult(3, "3.5.16", errors=("x",))),
    (AlarmResult(1001, (AlarmMember(1, 1),)), AlarmResult(3, (AlarmMember(1, 1),))),
    (MaintenanceResult(1001), MaintenanceResult(3)),
    (MaintenanceResult(0), MaintenanceResult(0)),
    (HashKVResult(1001, 7, 1000, 1001), HashKVResult(3, 7, 2, 3)),
    (SnapshotResult(1001), SnapshotResult(3)),
    (DowngradeResult(1001, "3.5"), DowngradeResult(3, "3.5")),
    (MemberListResult(1001, (Member(1),)), MemberListResult(3, (Member(1),))),
    (MemberAddResult(1001, Member(7, True), (Member(1),)), MemberAddResult(3, Member(7, True), (Member(1),))),
    (LockResult(1001, b"l/7"), LockResult(3, b"l/7")),
    (UnlockResult(1001), UnlockResult(3)),
    (CampaignResult(1001, LeaderKey(b"e", b"e/7", 1000, 7)), CampaignResult(3, LeaderKey(b"e", b"e/7", 2, 7))),
    (LeaderResult(1001, kv(1000, 1001)), LeaderResult(3, kv(2, 3))),
    (LeaderResult(1001), LeaderResult(3)),
    (ElectionResult(1001), ElectionResult(3)),
    (Waiting(), Waiting()),
)


def test_every_answer_is_in_the_table() -> None:
    assert {type(reported) for reported, _shared in ANSWERS} == {*get_args(Answer), Error}


def test_a_member_that_was_added_has_the_name_of_its_step_in_whatever_order_they_are_listed() -> None:
    own, learner = Member(1), Member(77, True, ("http://a:1",))
    for members in ((own, learner), (learner, own)):
        view = View(1)
        added = MemberAddResult(0, learner, members)
        view.learn(3, MemberAdd(("http://a:1",), True), added)
        shared = replace(learner, id=MemberOf(3))
        assert view.member_ids == {3: 77}
        assert observe(added, view) == MemberAddResult(0, shared, (own, shared))
        assert observe(MemberListResult(0, members), view) == MemberListResult(0, (own, shared))
        assert observe(MemberListResult(0, members), View(1)) == MemberListResult(0, (own, learner))


@pytest.mark.parametrize(
    "answer", [AdvanceResult(), StreamResult(), Waiting(), LeaderResult(0)], ids=lambda answer: type(answer).__name__
)
@pytest.mark.parametrize("base", [0, 1, 999])
def test_what_has_no_header_has_none_in_a_store_that_counts_from_0_either(answer: Result, base: int) -> None:
    assert seen(answer, base) == answer


@pytest.mark.parametrize(("reported", "shared"), ANSWERS, ids=lambda answer: type(answer).__name__)
def test_answers_of_stores_that_count_from_elsewhere_are_the_same(reported: Result, shared: Result) -> None:
    assert seen(reported, 999) == seen(shared) == shared


@pytest.mark.parametrize(
    "reported",
    [
        RangeResult(1002, (kv(1000, 1001),), count=1),
        RangeResult(1001, (kv(1001, 1001),), count=1),
        RangeResult(1001, (kv(1000, 1000),), count=1),
    ],
    ids=str,
)
def test_a_revision_that_is_off_by_one_is_seen_wherever_it_stands(reported: Result) -> None:
    assert seen(reported, 999) != RangeResult(3, (kv(2, 3),), count=1)


def test_a_revision_of_zero_is_none_and_is_seen_where_there_should_be_one() -> None:
    assert seen(PutResult(0), 999) == PutResult(0)
    assert seen(PutResult(0), 999) != seen(PutResult(1000), 999)
    assert seen(TxnResult(1000, True, (TxnResult(1000, True),)), 999) != TxnResult(2, True, (TxnResult(0, True),))


def test_a_revision_from_before_the_reset_is_seen() -> None:
    assert seen(RangeResult(1000, (kv(500, 1000),), count=1), 999) != RangeResult(2, (kv(2, 2),), count=1)


def test_the_messages_of_errors_are_compared_as_they_are() -> None:
    assert seen(COMPACTED) != seen(FUTURE_REVISION)


@pytest.mark.parametrize(
    "reported",
    [
        WatchReadResult(1001, (Watched(0, (Event(0, kv(1000, 1000)),)),), (1001,)),
        WatchReadResult(1001, (Watched(0, (Event(0, kv(1001, 1001)),)),), (1001,)),
        WatchReadResult(1001, (Watched(0, (Event(0, kv(1000, 1001), kv(1000, 1000)),)),), (1001,)),
        WatchReadResult(1001, (Watched(0, (Event(0, kv(1000, 1001)),), compact_revision=1),), (1001,)),
        WatchReadResult(1001, (Watched(0, (Event(0, kv(1000, 1001)),)),), (1000,)),
        WatchReadResult(1002, (Watched(0, (Event(0, kv(1000, 1001)),)),), (1001,)),
    ],
    ids=str,
)
def test_a_revision_that_is_off_is_seen_wherever_a_watch_reports_one(reported: Result) -> None:
    right = WatchReadResult(1001, (Watched(0, (Event(0, kv(1000, 1001)),)),), (1001,))
    assert seen(right, 999) == WatchReadResult(3, (Watched(0, (Event(0, kv(2, 3)),)),), (3,))
    assert seen(reported, 999) != seen(right, 999)


def test_a_negative_revision_that_was_asked_for_is_reported_alike_by_all() -> None:
    assert seen(HashKVResult(1001, 7, 1000, -5), 999) == HashKVResult(3, 7, 2, -5)


@pytest.mark.parametrize("compacted", [-1, 0])
def test_a_compaction_that_never_was_is_reported_alike_by_all(compacted: int) -> None:
    assert seen(HashKVResult(1001, 7, compacted), 999) == HashKVResult(3, 7, compacted)
    assert seen(HashKVResult(1001, 7, compacted), 999) != seen(HashKVResult(1001, 7, 999), 999)
    watched = WatchReadResult(1001, (Watched(0, (), ("",), compacted),))
    assert seen(watched, 999) == WatchReadResult(3, (Watched(0, (), ("",), compacted),))


def test_the_revision_of_a_leader_is_counted_from_the_reset_and_one_that_is_off_is_seen() -> None:
    def of(rev: int) -> Result:
        return seen(CampaignResult(1001, LeaderKey(b"e", b"e/7", rev, 7)), 999)

    assert of(1001) == CampaignResult(3, LeaderKey(b"e", b"e/7", 3, 7))
    assert of(1000) != of(1001)


# The auth store.


def test_the_revision_of_the_auth_store_is_counted_from_the_reset() -> None:
    assert observe(AuthStatusResult(3, False, 41), View(1, 40)) == AuthStatusResult(3, False, 2)
    assert observe(AuthStatusResult(3, False, 40), View(1, 40)) != AuthStatusResult(3, False, 2)
    assert observe(AuthStatusResult(3, False, 0), View(1, 40)) == AuthStatusResult(3, False, 0)


def test_a_token_is_any_and_none_is_seen() -> None:
    assert seen(AuthenticateResult(1, "a.1")) == seen(AuthenticateResult(1, "b.2")) == AuthenticateResult(1, "a token")
    assert seen(AuthenticateResult(1, "")) != seen(AuthenticateResult(1, "a.1"))


def test_the_order_of_permissions_of_one_key_is_not_compared_and_all_else_is() -> None:
    read, write = Permission(PermissionType.READ, b"a"), Permission(PermissionType.WRITE, b"a")
    wide, other = Permission(PermissionType.READ, b"a", b"z"), Permission(PermissionType.READ, b"b")

    def of(*perm: Permission) -> Result:
        return seen(RoleGetResult(1, perm))

    assert of(read, write, wide, other) == of(wide, write, read, other)
    assert of(read, other) != of(other, read)
    assert of(read, read, other) != of(read, other)
    assert of(read, other) != of(write, other)
    assert of(wide, other) != of(read, other)
    assert of(other, read, other) != of(read, other, other)


def test_the_order_of_users_and_roles_is_compared() -> None:
    assert seen(UserListResult(1, ("a", "b"))) != seen(UserListResult(1, ("b", "a")))
    assert seen(RoleListResult(1, ("a", "b"))) != seen(RoleListResult(1, ("b", "a")))
    assert seen(UserGetResult(1, ("a", "b"))) != seen(UserGetResult(1, ("b", "a")))


# The hash of the history.


def test_a_hash_is_right_or_it_is_seen() -> None:
    assert observe(HashKVResult(3, 77, 1), View(1), 77) == HashKVResult(3, 0, 1)
    assert observe(HashKVResult(3, 78, 1), View(1), 77) == HashKVResult(3, 78, 1)
    assert observe(HashKVResult(3, 77, 1), View(1)) == HashKVResult(3, 77, 1)
    never_filled = observe(HashKVResult(3, 0, 1), View(1), 77)
    assert never_filled != observe(HashKVResult(3, 77, 1), View(1), 77)


def test_a_right_hash_makes_nothing_else_right() -> None:
    assert observe(HashKVResult(1002, 77, 1000, 1001), View(999), 77) == HashKVResult(4, 0, 2, 3)


# Lease ids.


def learned(*steps: tuple[Any, Result]) -> View:
    """What is known after these steps."""
    view = View(1)
    for number, (operation, result) in enumerate(steps, 1):
        view.learn(number, operation, result)
    return view


def test_what_an_answer_reports_is_remembered_by_its_step() -> None:
    view = learned(
        (LeaseGrant(60), LeaseGrantResult(1, 555, 60)),
        (LeaseGrant(60, 7), LeaseGrantResult(1, 7, 60)),
        (As("x", LeaseGrant(60)), LeaseGrantResult(1, 556, 60)),
        (As("x", Authenticate("u", "p")), AuthenticateResult(1, "a.1")),
        (Authenticate("u", "p"), COMPACTED),
        (Lock(b"a/b"), LockResult(2, b"a/b/22d")),
        (Campaign(b"e"), CampaignResult(2, LeaderKey(b"e", b"e/22e", 2, 558))),
        (Lock(b"a", 7), LockResult(2, b"a/7")),
    )
    assert view.lease_ids == {1: 555, 2: 7, 3: 556, 6: 557, 7: 558}
    assert view.tokens == {4: "a.1"}
    assert [view.lease(lease) for lease in (555, 556, 557, 558)] == [LeaseOf(1), LeaseOf(3), LeaseOf(6), LeaseOf(7)]
    assert view.lease(7) == 7


def test_a_lease_is_found_again_by_its_shared_name() -> None:
    view = learned((LeaseGrant(60), LeaseGrantResult(1, 555, 60)), (LeaseGrant(60, 7), LeaseGrantResult(1, 7, 60)))
    assert [view.raw_lease(view.lease(lease)) for lease in (555, 7, 404)] == [555, 7, 404]
    assert view.raw_lease(LeaseOf(9)) == 0


def test_a_key_that_ends_in_a_lease_that_the_server_picked_is_named_for_it() -> None:
    view = learned((LeaseGrant(60), LeaseGrantResult(1, 555, 60)), (LeaseGrant(60, 7), LeaseGrantResult(1, 7, 60)))
    named = b"l/lease of step 1"
    assert observe(LockResult(2, b"l/22b"), view) == LockResult(2, named)
    assert observe(CampaignResult(2, LeaderKey(b"l", b"l/22b", 2, 555)), view) == CampaignResult(
        2, LeaderKey(b"l", named, 2, LeaseOf(1))
    )
    locked = KeyValue(b"l/22b", b"", 2, 2, 1, 555)
    shared = KeyValue(named, b"", 2, 2, 1, LeaseOf(1))
    assert observe(RangeResult(2, (locked,), count=1), view) == RangeResult(2, (shared,), count=1)
    assert observe(LeaderResult(2, locked), view) == LeaderResult(2, shared)
    assert observe(WatchReadResult(2, (Watched(0, (Event(0, locked),)),)), view) == WatchReadResult(
        2, (Watched(0, (Event(0, shared),)),)
    )
    assert observe(LeaseTimeToLiveResult(1, 555, 9, 10, (b"l/22b",)), view) == LeaseTimeToLiveResult(
        1, LeaseOf(1), 9, 10, (named,)
    )


@pytest.mark.parametrize(
    "key", [b"l/7", b"l/22c", b"l/22B", b"l/0x22b", b"l/-22b", b"l/022b", b"l/", b"22b", b"l/022b/x"]
)
def test_a_key_that_ends_in_anything_else_stays_itself(key: bytes) -> None:
    view = learned((LeaseGrant(60), LeaseGrantResult(1, 555, 60)), (LeaseGrant(60, 7), LeaseGrantResult(1, 7, 60)))
    assert observe(LockResult(2, key), view) == LockResult(2, key)


def test_a_lease_of_which_no_answer_has_reported_is_that_of_no_step() -> None:
    view = learned((LeaseGrant(60), LeaseGrantResult(1, 555, 60)), (LeaseGrant(60, 7), LeaseGrantResult(1, 7, 60)))
    assert observe(LeaseLeasesResult(1, (555, 7, 98765)), view) == LeaseLeasesResult(1, (7, LeaseOf(0), LeaseOf(1)))
    assert observe(LeaseLeasesResult(1, (555, 7)), view) != observe(LeaseLeasesResult(1, (555, 7, 98765)), view)
    assert observe(LeaseLeasesResult(1, (555, -3)), view) == LeaseLeasesResult(1, (-3, LeaseOf(1)))


def test_ids_that_the_server_picked_are_named_for_the_step() -> None:
    assert seen(LeaseGrantResult(1, 555, 60), 1, 555) == LeaseGrantResult(1, LeaseOf(1), 60)
    assert seen(PutResult(3, kv(2, 2, 555)), 1, 555) == PutResult(3, kv(2, 2, LeaseOf(1)))
    assert seen(LeaseKeepAliveResult(1, 555, 60), 1, 555) == LeaseKeepAliveResult(1, LeaseOf(1), 60)
    assert seen(LeaseTimeToLiveResult(1, 555, 59, 60), 1, 555) == LeaseTimeToLiveResult(1, LeaseOf(1), 59, 60)
    assert seen(LeaseLeasesResult(1, (556, 555)), 1, 555, 556) == LeaseLeasesResult(1, (LeaseOf(1), LeaseOf(2)))


def test_an_id_that_the_caller_picked_stays_itself() -> None:
    assert seen(LeaseGrantResult(1, 7, 60), 1, named=(7,)) == LeaseGrantResult(1, 7, 60)
    assert seen(LeaseGrantResult(1, 8, 60), 1, named=(8,)) != LeaseGrantResult(1, 7, 60)


def test_an_id_that_is_handed_out_twice_is_seen() -> None:
    assert seen(LeaseGrantResult(1, 555, 60), 1, 555, 555) == LeaseGrantResult(1, LeaseOf(1), 60)
    assert seen(LeaseGrantResult(1, 556, 60), 1, 555, 556) == LeaseGrantResult(1, LeaseOf(2), 60)


@pytest.mark.parametrize("lease", [0, -1])
def test_an_id_that_is_not_positive_is_seen(lease: int) -> None:
    assert seen(LeaseGrantResult(1, lease, 60), 1, lease) == LeaseGrantResult(1, lease, 60)
    assert seen(LeaseGrantResult(1, lease, 60), 1, lease) != LeaseGrantResult(1, LeaseOf(1), 60)


def test_a_key_with_the_lease_of_another_step_is_seen_and_so_is_one_with_none() -> None:
    reported = [seen(PutResult(3, kv(2, 2, lease)), 1, 555, 556) for lease in (555, 556, 0, 99)]
    assert reported == [PutResult(3, kv(2, 2, lease)) for lease in (LeaseOf(1), LeaseOf(2), 0, 99)]
    assert len(set(reported)) == 4


def test_a_key_without_a_lease_has_none_though_the_server_picked_the_id_zero() -> None:
    assert seen(PutResult(3, kv(2, 2, 0)), 1, 0) == PutResult(3, kv(2, 2, 0))


# What comes in no promised order.


def test_the_order_of_a_leases_keys_is_not_compared_and_what_they_are_is() -> None:
    def of(*keys: bytes) -> Result:
        return seen(LeaseTimeToLiveResult(1, 7, 59, 60, keys))

    assert of(b"b", b"a") == of(b"a", b"b")
    assert of(b"a") != of(b"a", b"b")
    assert of(b"a", b"a") != of(b"a")
    assert of(b"a", b"c") != of(b"a", b"b")


def test_the_order_of_leases_is_not_compared_and_which_they_are_is() -> None:
    def of(*leases: int) -> Result:
        return seen(LeaseLeasesResult(1, leases), 1, 555, 556)

    assert of(556, 7, 555) == of(7, 555, 556)
    assert of(555) != of(555, 556)
    assert of(555, 555) != of(555)
    assert of(555, 7) != of(556, 7)


def test_the_order_of_alarms_is_not_compared_and_which_they_are_is() -> None:
    one, other, same = AlarmMember(1, 1), AlarmMember(1, 2), AlarmMember(7, 1)
    assert seen(AlarmResult(1, (one, other, same))) == seen(AlarmResult(1, (same, other, one)))
    assert seen(AlarmResult(1, (one, other))) != seen(AlarmResult(1, (one, same)))
    assert seen(AlarmResult(1, (one, one))) != seen(AlarmResult(1, (one,)))


def test_the_blanks_and_the_order_of_a_servers_errors_are_not_compared_and_their_words_are() -> None:
    def of(*errors: str) -> Result:
        return seen(StatusResult(1, "3.7.3", errors=errors))

    assert of("memberID:1  alarm:NOSPACE") == of("memberID:1 alarm:NOSPACE ") == of("memberID:1 alarm:NOSPACE")
    assert of("alarm:NOSPACE ", "alarm:CORRUPT ") == of("alarm:CORRUPT ", "alarm:NOSPACE ")
    assert of("memberID:1 alarm:NOSPACE") != of("memberID:2 alarm:NOSPACE")
    assert of("memberID:1alarm:NOSPACE") != of("memberID:1 alarm:NOSPACE")
    assert of("alarm:NOSPACE", "alarm:NOSPACE") != of("alarm:NOSPACE")


def test_the_order_of_everything_else_is_compared() -> None:
    one, other = KeyValue(b"a", b"", 2, 2, 1), KeyValue(b"b", b"", 2, 2, 1)
    assert seen(RangeResult(2, (one, other), count=2)) != seen(RangeResult(2, (other, one), count=2))
    assert seen(DeleteRangeResult(2, 2, (one, other))) != seen(DeleteRangeResult(2, 2, (other, one)))


# The TTL that counts down.

EXPECTED = LeaseTimeToLiveResult(1, 7, 59, 60)


@pytest.mark.parametrize(
    ("ttl", "elapsed", "allowed"),
    [
        (59, 0.001, True),
        (60, 0.001, False),
        (58, 0.001, False),
        (58, 1.0, False),
        (58, 1.001, True),
        (59, 1.001, True),
        (57, 1.9, False),
        (57, 2.1, True),
        (60, 5.0, False),
        (0, 59.5, True),
        (-1, 70.0, False),
    ],
)
def test_a_ttl_is_the_expected_one_where_the_time_explains_it(ttl: int, elapsed: float, allowed: bool) -> None:
    reported = LeaseTimeToLiveResult(1, 7, ttl, 60)
    assert (allow_for_elapsed(reported, EXPECTED, elapsed) == EXPECTED) is allowed


@pytest.mark.parametrize(
    "reported",
    [
        LeaseTimeToLiveResult(1, 7, 59, 61),
        LeaseTimeToLiveResult(1, 8, 59, 60),
        LeaseTimeToLiveResult(2, 7, 59, 60),
        LeaseTimeToLiveResult(1, 7, 59, 60, (b"a",)),
    ],
)
def test_time_explains_nothing_but_the_ttl(reported: LeaseTimeToLiveResult) -> None:
    assert allow_for_elapsed(reported, EXPECTED, 5.0) == reported != EXPECTED


def test_a_ttl_of_a_lease_that_should_be_gone_is_seen() -> None:
    gone = LeaseTimeToLiveResult(1, 7, -1)
    assert allow_for_elapsed(EXPECTED, gone, 100.0) == EXPECTED != gone


def test_what_is_granted_and_kept_alive_is_reported_by_no_clock() -> None:
    assert allow_for_elapsed(LeaseGrantResult(1, 7, 59), LeaseGrantResult(1, 7, 60), 5.0) == LeaseGrantResult(1, 7, 59)
    reported = LeaseKeepAliveResult(1, 7, 59)
    assert allow_for_elapsed(reported, LeaseKeepAliveResult(1, 7, 60), 5.0) == reported
    assert allow_for_elapsed(Raised("KeyError", "x"), EXPECTED, 5.0) == Raised("KeyError", "x")


# A counter that once went wrong shows once.


def test_after_resynchronizing_a_counter_that_was_wrong_once_is_right() -> None:
    view = View(1)
    assert observe(PutResult(4), view) == PutResult(4)
    view.resynchronize(3)
    assert observe(PutResult(5), view) == PutResult(4)
    assert observe(RangeResult(5, (kv(2, 5),), count=1), view) == RangeResult(4, (kv(2, 4),), count=1)
    assert observe(PutResult(6), view) == PutResult(5)


def test_a_counter_that_goes_wrong_again_is_seen_again() -> None:
    view = View(1)
    observe(PutResult(4), view)
    view.resynchronize(3)
    assert observe(PutResult(6), view) != PutResult(4)
    view.resynchronize(4)
    assert observe(PutResult(7), view) == PutResult(5)


def test_an_error_reports_no_revision_to_resynchronize_by() -> None:
    view = View(1)
    observe(PutResult(4), view)
    observe(COMPACTED, view)
    view.resynchronize(3)
    assert observe(PutResult(5), view) == PutResult(5)
