"""Operations and answers in words."""

from __future__ import annotations

import pytest

from etcd_lockstep.comparing.observation import Observation
from etcd_lockstep.reporting.wording import answer_fields, operation_in_words
from etcd_lockstep.trace import LeaseOf, MemberOf, RevisionAt, TokenOf
from etcd_model import operations as op
from etcd_model.results import (
    AdvanceResult,
    AlarmMember,
    AlarmResult,
    AuthenticateResult,
    AuthResult,
    AuthStatusResult,
    CampaignResult,
    DowngradeResult,
    Event,
    HashKVResult,
    KeyValue,
    LeaderResult,
    LeaseLeasesResult,
    LockResult,
    Member,
    MemberAddResult,
    MemberListResult,
    RoleGetResult,
    SnapshotResult,
    StatusResult,
    UserListResult,
    Waiting,
    WatchCreateResult,
    Watched,
    WatchReadResult,
)


def kv(key: bytes, value: bytes = b"", create: int = 2, mod: int = 2, version: int = 1, lease: int = 0) -> KeyValue:
    return KeyValue(key, value, create, mod, version, lease)


A = op.Put(b"a")
PUT_AGAIN = Event(0, kv(b"a", b"2", 2, 4, 2), kv(b"a"))
DELETED = Event(1, KeyValue(b"a", b"", 0, 5, 0))
ABSENT = op.Compare(b"a", op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0)
LEADER = op.LeaderKey(b"e", b"e/7", RevisionAt(2), LeaseOf(1))


ROLE_IN_WORDS = {"revision": "2", "perm": 'READWRITE "a"\n7 ["a", "b")'}


REFUSED_IN_WORDS = {
    "revision": "2",
    "watch_id": "-1",
    "created": "true",
    "canceled": "true",
    "cancel_reason": "why",
}


NEW_WORDS: tuple[tuple[op.Operation, str], ...] = (
    (op.Put(b"a", b"x" * 1_500_000), 'put "a" = "x" × 1500000'),
    (op.Put(b"a", b"xy" * 1000), f'put "a" = "{"xy" * 16}"… (2000 bytes)'),
    (op.Advance(3), "advance 3 s"),
    (op.As(TokenOf(3), op.Put(b"a")), 'as the user of step 3: put "a" = ""'),
    (op.As(TokenOf(3), op.Put(b"a"), scheme="Bearer "), 'as the user of step 3, after "Bearer ": put "a" = ""'),
    (
        op.As(TokenOf(3), op.Range(b"a"), authorization=True),
        'as the user of step 3, in the metadata authorization: range "a"',
    ),
    (
        op.UserChangePassword("u", hashed_password="eA=="),
        'user_change_password "u" with the password "", hashed_password "eA=="',
    ),
    (op.Lock(b"a", 7, op.Unlock(b"a/8")), 'lock "a", lease 7, and while it waits: unlock "a/8"'),
    (op.As("no.such.token", op.Range(b"a")), 'with the token "no.such.token": range "a"'),
    (op.As("\x1b\n", op.AuthStatus()), 'with the token "\\u001b\\n": auth_status'),
    (op.WatchCreate(b"a"), 'watch "a" on stream 0'),
    (
        op.WatchCreate(b"a", b"b", RevisionAt(2, 1), True, (0, 1, 7), True, 5, True, 2),
        'watch ["a", "b") on stream 2 from revision after step 2 +1, progress_notify, filters NOPUT NODELETE 7, '
        "prev_kv, watch_id 5, fragment",
    ),
    (op.WatchCreate(b"a", b"\0"), 'watch from "a" onwards on stream 0'),
    (op.WatchCreate(b"a", start_revision=-1), 'watch "a" on stream 0 from revision -1'),
    (
        op.WatchCreate(b"a", watch_id=-7, filters=(op.FilterType.NOPUT,)),
        'watch "a" on stream 0, filters NOPUT, watch_id -7',
    ),
    (op.WatchCancel(3, 1), "watch_cancel of watcher 3 on stream 1"),
    (op.WatchProgress(), "watch_progress on stream 0"),
    (op.WatchRead(1), "watch_read stream 1"),
    (op.WatchClose(), "watch_close stream 0"),
    (op.AuthEnable(), "auth_enable"),
    (op.AuthDisable(), "auth_disable"),
    (op.AuthStatus(), "auth_status"),
    (op.Authenticate("u", "p"), 'authenticate "u" with the password "p"'),
    (op.UserAdd("u", "p"), 'user_add "u" with the password "p"'),
    (op.UserAdd("u"), 'user_add "u" with the password ""'),
    (op.UserAdd("u", no_password=True), 'user_add "u", no_password'),
    (op.UserAdd("u", "p", True), 'user_add "u" with the password "p", no_password'),
    (op.UserGet("u"), 'user_get "u"'),
    (op.UserList(), "user_list"),
    (op.UserDelete('u"'), 'user_delete "u\\""'),
    (op.UserChangePassword("u", "q"), 'user_change_password "u" with the password "q"'),
    (op.UserGrantRole("u", "r"), 'user_grant_role "r" to "u"'),
    (op.UserRevokeRole("u", "r"), 'user_revoke_role "r" of "u"'),
    (op.RoleAdd("r"), 'role_add "r"'),
    (op.RoleGet("r"), 'role_get "r"'),
    (op.RoleList(), "role_list"),
    (op.RoleDelete("r"), 'role_delete "r"'),
    (
        op.RoleGrantPermission("r", op.Permission(op.PermissionType.READWRITE, b"a", b"\x00")),
        'role_grant_permission READWRITE from "a" on to "r"',
    ),
    (op.RoleGrantPermission("r"), 'role_grant_permission without one to "r"'),
    (op.RoleRevokePermission("r", b"a", b"b"), 'role_revoke_permission ["a", "b") of "r"'),
    (op.Status(), "status"),
    (op.Alarm(), "alarm GET"),
    (op.Alarm(op.AlarmAction.ACTIVATE, 1, op.AlarmType.NOSPACE), "alarm ACTIVATE, member_id 1, alarm NOSPACE"),
    (op.Alarm(9, alarm=9), "alarm 9, alarm 9"),
    (op.Defragment(), "defragment"),
    (op.Hash(), "hash"),
    (op.HashKV(), "hash_kv"),
    (op.HashKV(RevisionAt(2)), "hash_kv, revision (revision after step 2)"),
    (op.Snapshot(), "snapshot"),
    (op.RangeStream(b"a", limit=1), 'range_stream "a", limit 1'),
    (op.MoveLeader(1), "move_leader to member 1"),
    (op.Downgrade(op.DowngradeAction.VALIDATE, "3.5.0"), 'downgrade VALIDATE "3.5.0"'),
    (op.MemberList(True), "member_list, linearizable"),
    (op.MemberAdd(("http://a", "http://b"), True), 'member_add "http://a" "http://b", is_learner'),
    (op.MemberAdd(), "member_add without a URL"),
    (op.MemberRemove(1), "member_remove member 1"),
    (op.MemberUpdate(1, ("http://a",)), 'member_update member 1 to "http://a"'),
    (op.MemberUpdate(1), "member_update member 1 to no URL"),
    (op.MemberPromote(1), "member_promote member 1"),
    (op.MemberPromote(MemberOf(2)), "member_promote member of step 2"),
    (op.MoveLeader(MemberOf(2)), "move_leader to member of step 2"),
    (op.Lock(b"l", LeaseOf(2)), 'lock "l", lease of step 2'),
    (op.Lock(b"l"), 'lock "l"'),
    (op.Unlock(b"l/7"), 'unlock "l/7"'),
    (op.Campaign(b"e", 7, b"v"), 'campaign "e" = "v", lease 7'),
    (
        op.Proclaim(LEADER, b"v"),
        'proclaim "v" as leader "e/7" of "e", rev (revision after step 2), lease of step 1',
    ),
    (op.Proclaim(None, b"v"), 'proclaim "v" as nobody'),
    (op.Leader(b"e"), 'leader "e"'),
    (op.Observe(b"e"), 'observe "e"'),
    (op.Resign(LEADER), 'resign as leader "e/7" of "e", rev (revision after step 2), lease of step 1'),
    (op.Resign(), "resign as nobody"),
)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (op.Put(b"a", b"1"), 'put "a" = "1"'),
        (op.Put(b'a"\x00', b"", LeaseOf(2), True), 'put "a\\"\\x00" = "", lease of step 2, prev_kv'),
        (op.Put(b"a", ignore_value=True, ignore_lease=True), 'put "a", ignore_value, ignore_lease'),
        (op.Put(b"a", b"1", lease=7), 'put "a" = "1", lease 7'),
        (op.Range(b"a"), 'range "a"'),
        (op.Range(b"a", b"b"), 'range ["a", "b")'),
        (op.Range(b"a", b"\x00"), 'range from "a" on'),
        (
            op.Range(b"a", limit=3, revision=RevisionAt(2, -1)),
            'range "a", limit 3, revision (revision after step 2 -1)',
        ),
        (op.Range(b"a", revision=RevisionAt(0)), 'range "a", revision (first revision)'),
        (op.Range(b"a", revision=-1), 'range "a", revision -1'),
        (
            op.Range(b"a", sort_order=op.SortOrder.DESCEND, sort_target=op.SortTarget.MOD, keys_only=True),
            'range "a", sort_order DESCEND, sort_target MOD, keys_only',
        ),
        (op.Range(b"a", sort_order=3, sort_target=9), 'range "a", sort_order 3, sort_target 9'),
        (op.DeleteRange(b"a", b"b", prev_kv=True), 'delete_range ["a", "b"), prev_kv'),
        (op.Txn(), "txn with nothing in it"),
        (op.Txn((ABSENT,), (A,), (op.Range(b"a"),)), 'txn if create of "a" = 0 then {put "a" = ""} else {range "a"}'),
        (op.Txn((), (op.Txn(),)), "txn then {txn with nothing in it}"),
        (op.Txn((), (op.Range(b"a"),) * 128 + (A,)), 'txn then {range "a" × 128; put "a" = ""}'),
        (
            op.Txn((ABSENT, op.Compare(b"a", op.CompareTarget.VALUE, op.CompareResult.NOT_EQUAL, b"1", b"b"))),
            'txn if create of "a" = 0 and value of ["a", "b") ≠ "1"',
        ),
        (
            op.Txn((op.Compare(b"a", op.CompareTarget.LEASE, op.CompareResult.LESS, LeaseOf(1)),)),
            'txn if lease of "a" < (lease of step 1)',
        ),
        (
            op.Txn((op.Compare(b"a", op.CompareTarget.MOD, op.CompareResult.GREATER, RevisionAt(1)),)),
            'txn if mod of "a" > (revision after step 1)',
        ),
        (op.Txn((op.Compare(b"a", 9, 9, 1),)), 'txn if target 9 of "a" result 9 1'),
        (op.Compact(RevisionAt(1), physical=True), "compact (revision after step 1), physical"),
        (op.LeaseGrant(60), "lease_grant ttl 60"),
        (op.LeaseGrant(60, 7), "lease_grant ttl 60, id 7"),
        (op.LeaseRevoke(LeaseOf(1)), "lease_revoke lease of step 1"),
        (op.LeaseKeepAlive(404), "lease_keep_alive lease 404"),
        (op.LeaseTimeToLive(LeaseOf(1), keys=True), "lease_time_to_live lease of step 1, keys"),
        (op.LeaseLeases(), "lease_leases"),
        *NEW_WORDS,
    ],
    ids=str,
)
def test_an_operation_in_words(operation: op.Operation, words: str) -> None:
    assert operation_in_words(operation) == words


def test_every_operation_has_words() -> None:
    kv_and_lease = {
        op.Range,
        op.Put,
        op.DeleteRange,
        op.Txn,
        op.Compact,
        op.LeaseGrant,
        op.LeaseRevoke,
        op.LeaseKeepAlive,
        op.LeaseTimeToLive,
    }
    assert {type(operation) for operation, _ in NEW_WORDS} | kv_and_lease | {op.LeaseLeases} == set(op.OPERATIONS)


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        (Waiting(), {"answer": "would wait"}),
        (AdvanceResult(), {"revision": "none"}),
        (AuthResult(2), {"revision": "2"}),
        (AuthenticateResult(2, "a token"), {"revision": "2", "token": "a token"}),
        (AuthenticateResult(2, ""), {"revision": "2", "token": "none"}),
        (AuthStatusResult(2, True, 4), {"revision": "2", "enabled": "true", "auth_revision": "4"}),
        (UserListResult(2, ("a", "b\x1b")), {"revision": "2", "users": "a\nb\\x1b"}),
        (UserListResult(2), {"revision": "2", "users": "none"}),
        (RoleGetResult(2, (op.Permission(2, b"a"), op.Permission(7, b"a", b"b"))), ROLE_IN_WORDS),
        (
            StatusResult(2, "3.5.1", False, errors=("x", "y")),
            {
                "revision": "2",
                "version": "3.5.1",
                "leads": "false",
                "is_learner": "false",
                "errors": "x\ny",
                "storage_version": "none",
            },
        ),
        (
            AlarmResult(2, (AlarmMember(1, 1), AlarmMember(2, 9))),
            {"revision": "2", "alarms": "NOSPACE of member 1\n9 of member 2"},
        ),
        (
            MemberListResult(0, (Member(1), Member(2, True))),
            {"revision": "none", "members": "member 1\nmember 2, learner"},
        ),
        (
            MemberAddResult(0, Member(MemberOf(1), True, ("http://a:1", "http://b:2")), (Member(1),)),
            {
                "revision": "none",
                "member": 'member of step 1, learner, at "http://a:1" "http://b:2"',
                "members": "member 1",
            },
        ),
        (SnapshotResult(), {"revision": "none", "intact": "true"}),
        (DowngradeResult(2, "3.5"), {"revision": "2", "version": "3.5"}),
        (
            HashKVResult(2, 0, -1),
            {"revision": "2", "hash": "right", "compact_revision": "-1", "hash_revision": "0"},
        ),
        (LeaseLeasesResult(2, (7, LeaseOf(1))), {"revision": "2", "leases": "lease 7\nlease of step 1"}),
        (LockResult(2, b"l/\x00"), {"revision": "2", "key": '"l/\\x00"'}),
        (
            CampaignResult(2, op.LeaderKey(b"e", b"e/7", 2, 7)),
            {"revision": "2", "leader": 'leader "e/7" of "e", rev 2, lease 7'},
        ),
        (LeaderResult(2), {"revision": "2", "kv": "none"}),
        (WatchCreateResult(2, -1, canceled=True, cancel_reason="why"), REFUSED_IN_WORDS),
        (
            WatchReadResult(6, (Watched(0, (PUT_AGAIN, DELETED)), Watched(4, (), ("", "why"), 3)), (5, 6)),
            {
                "revision": "6",
                "progress": "5\n6",
                "stray": "0",
                "watch 1": 'watcher 0:\nPUT "a" = "2", create 2, mod 4, version 2; before: "a" = "", create 2, mod 2, '
                'version 1\nDELETE "a", mod 5',
                "watch 2": "watcher 4: no events\ncanceled\ncanceled: why\ncompact_revision 3",
            },
        ),
        (
            WatchReadResult(6, (Watched(0, (Event(7, kv(b"a")),), (), 0, False, True),)),
            {
                "revision": "6",
                "progress": "none",
                "stray": "0",
                "watch 1": 'watcher 0:\ntype 7 "a" = "", create 2, mod 2, version 1\n'
                "a revision is split over responses\na header is behind its events",
            },
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_answer_in_words(answer: Observation, fields: dict[str, str]) -> None:
    assert answer_fields(answer) == fields
