"""The report, word for word: each file in `golden/` is what the reader of one report sees.

A change of wording or layout is made visible there: run the tests once with the environment variable
REGENERATE_GOLDEN=1, which writes the files anew and fails for each that changed, and look at the difference
before it is committed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from etcd_lockstep.comparing.comparison import BROKEN_PROMISES, Difference
from etcd_lockstep.comparing.observation import Observation, Raised
from etcd_lockstep.console.cli import main
from etcd_lockstep.console.report import headline, print_findings
from etcd_lockstep.console.wording import answer_fields, operation_in_words
from etcd_lockstep.filing.corpus import file_name
from etcd_lockstep.names import operation_name
from etcd_lockstep.searching.findings import DIED, Finding, Signature, signature
from etcd_lockstep.trace import LeaseOf, RevisionAt, TokenOf, Trace
from etcd_model import errors
from etcd_model.operations import (
    OPERATIONS,
    Advance,
    Alarm,
    AlarmAction,
    AlarmType,
    As,
    AuthDisable,
    AuthEnable,
    Authenticate,
    AuthStatus,
    Campaign,
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    Defragment,
    DeleteRange,
    Downgrade,
    DowngradeAction,
    FilterType,
    Hash,
    HashKV,
    Leader,
    LeaderKey,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Lock,
    MemberAdd,
    MemberList,
    MemberPromote,
    MemberRemove,
    MemberUpdate,
    MoveLeader,
    Observe,
    Operation,
    Permission,
    PermissionType,
    Proclaim,
    Put,
    Range,
    Resign,
    RoleAdd,
    RoleDelete,
    RoleGet,
    RoleGrantPermission,
    RoleList,
    RoleRevokePermission,
    Snapshot,
    SortOrder,
    SortTarget,
    Status,
    Txn,
    Unlock,
    UserAdd,
    UserChangePassword,
    UserDelete,
    UserGet,
    UserGrantRole,
    UserList,
    UserRevokeRole,
    WatchCancel,
    WatchClose,
    WatchCreate,
    WatchProgress,
    WatchRead,
)
from etcd_model.results import (
    AdvanceResult,
    AlarmMember,
    AlarmResult,
    AuthenticateResult,
    AuthResult,
    AuthStatusResult,
    CampaignResult,
    DeleteRangeResult,
    DowngradeResult,
    Event,
    HashKVResult,
    KeyValue,
    LeaderResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
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

GOLDEN = Path(__file__).parent / "golden"


def check(name: str, text: str) -> None:
    """Compare with the golden file; trailing blanks, with which tables are filled up, don't count."""
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("REGENERATE_GOLDEN") == "1":
        before = path.read_text(encoding="utf-8") if path.exists() else None
        path.write_text(text, encoding="utf-8")
        assert before == text, (
            f"{path.name} is written anew: look at the difference, and run again without the variable"
        )
    assert text == path.read_text(encoding="utf-8"), f"golden/{path.name}: see the top of this file"


def printed(findings: Sequence[Finding], width: int = 100, folder: Path | None = None) -> str:
    out = StringIO()
    files = {file_name(finding): folder / file_name(finding) for finding in findings} if folder else {}
    print_findings(Console(file=out, width=width, force_terminal=False), findings, files)
    return out.getvalue()


def finding(
    odd: str,
    trace: Trace,
    difference: tuple[str, ...],
    expected: Observation,
    got: Observation,
    voters: str = "model fake",
) -> Finding:
    """A lie of `odd`, against what the voters said."""
    told = {name: got if name == odd else expected for name in dict.fromkeys((*voters.split(), odd))}
    *operation, field, kind = difference
    name = operation[0] if operation else operation_name(type(trace[-1]))
    return Finding(Signature(odd, name, field, kind), trace, told, ())


def kv(key: bytes, value: bytes = b"", create: int = 2, mod: int = 2, version: int = 1, lease: int = 0) -> KeyValue:
    return KeyValue(key, value, create, mod, version, lease)


A, B = Put(b"a"), Put(b"b", b"1", LeaseOf(2))
PUT_A, PUT_B = Event(0, kv(b"a")), Event(0, kv(b"b", b"1", 3, 3))
PUT_AGAIN = Event(0, kv(b"a", b"2", 2, 4, 2), kv(b"a"))
DELETED = Event(1, KeyValue(b"a", b"", 0, 5, 0))
ABSENT = Compare(b"a", CompareTarget.CREATE, CompareResult.EQUAL, 0)

LIES: dict[str, list[Finding]] = {
    "one-field-of-many": [
        finding(
            "mock",
            (A, LeaseGrant(60), B, Range(b"a", b"\x00", limit=1)),
            ("kvs", "unexpected"),
            RangeResult(3, (kv(b"a"),), more=True, count=2),
            RangeResult(3, (kv(b"a"), kv(b"b", b"1", 3, 3, 1, LeaseOf(2))), count=2),
            "model fake etcd",
        ),
    ],
    "no-revisions": [
        finding("mock", (A,), ("revision", "missing"), PutResult(2), PutResult(0)),
        finding(
            "mock",
            (A, Range(b"a")),
            ("kvs.version", "missing"),
            RangeResult(2, (kv(b"a"),), count=1),
            RangeResult(0, (kv(b"a", version=0, create=0, mod=0),), count=1),
        ),
    ],
    "accepted": [
        finding(
            "mock",
            (Put(b"a", ignore_lease=True),),
            ("error", "accepted (etcdserver: key not found)"),
            errors.KEY_NOT_FOUND,
            PutResult(0),
        ),
        finding(
            "mock",
            (Range(b"a", revision=RevisionAt(0, 7)),),
            ("error", f"accepted ({errors.FUTURE_REVISION.message})"),
            errors.FUTURE_REVISION,
            RangeResult(1),
            "model fake etcd",
        ),
    ],
    "refused": [
        finding(
            "mock",
            (A, Txn((ABSENT,), (A,), (Range(b"a"), DeleteRange(b"a")))),
            ("error", "refused (boom)"),
            TxnResult(3, False, (RangeResult(3, (kv(b"a"),), count=1), DeleteRangeResult(3, 1))),
            errors.Error(errors.Code.UNKNOWN, "boom"),
        ),
    ],
    "another-error": [
        finding(
            "mock",
            (LeaseRevoke(7),),
            ("error.code", "different"),
            errors.LEASE_NOT_FOUND,
            errors.Error(errors.Code.UNKNOWN, errors.LEASE_NOT_FOUND.message),
        ),
    ],
    "raised": [
        finding(
            "mock",
            (LeaseGrant(60), LeaseRevoke(LeaseOf(1))),
            ("answer", "raised KeyError"),
            LeaseRevokeResult(1),
            Raised("KeyError", "[/red] no markup :smile: and\n\x1b[31mno colour"),
        ),
    ],
    "died": [
        Finding(signature("mock", A, DIED), (A,), {}, (), "UNAVAILABLE: Socket closed\npanic: oh no"),
        Finding(
            signature("etcd", Range(b"a"), DIED), (Range(b"a", sort_target=4),), {}, (), "UNAVAILABLE: Socket closed"
        ),
    ],
    "seen-once": [
        Finding(
            signature("mock", A, Difference("error", "refused (etcdserver: too many requests)")),
            (LeaseGrant(60), A),
            {},
            (),
            "seen once, and not again",
        ),
    ],
    "voters": [
        finding("mock", (A,), ("prev_kv", "unexpected"), PutResult(2), PutResult(2, kv(b"a"))),
        finding(
            "fake",
            (A, DeleteRange(b"a")),
            ("deleted", "missing"),
            DeleteRangeResult(3, 1),
            DeleteRangeResult(3),
            "model fake etcd",
        ),
        finding(
            "etcd",
            (A, DeleteRange(b"a")),
            ("deleted", "too high"),
            DeleteRangeResult(3, 1),
            DeleteRangeResult(3, 2),
            "model fake etcd",
        ),
        finding(
            "model",
            (A, DeleteRange(b"a")),
            ("deleted", "too low"),
            DeleteRangeResult(3, 2),
            DeleteRangeResult(3, 1),
            "model fake etcd",
        ),
        Finding(
            signature("model or fake", DeleteRange(b"a"), Difference("deleted", "too low")),
            (DeleteRange(b"a"),),
            {"model": DeleteRangeResult(3, 2), "fake": DeleteRangeResult(3, 1), "mock": DeleteRangeResult(3, 2)},
            (),
        ),
    ],
    "services": [
        finding(
            "mock",
            (
                A,
                WatchCreate(b"a", b"\x00", RevisionAt(1), prev_kv=True),
                Put(b"b", b"1"),
                Put(b"a", b"2"),
                DeleteRange(b"a"),
                WatchRead(),
            ),
            ("watches.events", "lost events"),
            WatchReadResult(6, (Watched(0, (PUT_A, PUT_B, PUT_AGAIN, DELETED)),)),
            WatchReadResult(6, (Watched(0, (PUT_AGAIN, DELETED), atomic=False),), (6,), 1),
        ),
        finding(
            "mock",
            (WatchCreate(b"a", watch_id=3, stream=1), A, WatchRead(1)),
            ("watches.events", "events twice"),
            WatchReadResult(3, (Watched(3, (PUT_A,)), Watched(0, (), ("",), 2))),
            WatchReadResult(3, (Watched(3, (PUT_A, PUT_A), header_behind=True), Watched(0))),
        ),
        finding(
            "mock",
            (WatchCreate(b"a", filters=(FilterType.NOPUT,)), A, WatchRead()),
            ("watches.events", "unexpected events"),
            WatchReadResult(3, (Watched(0),)),
            WatchReadResult(3, (Watched(0, (PUT_A,)),)),
        ),
        finding(
            "mock",
            (
                UserAdd("root", "p"),
                UserGrantRole("root", "root"),
                UserAdd("u", "q"),
                RoleAdd("r"),
                RoleGrantPermission("r", Permission(PermissionType.READ, b"a", b"b")),
                UserGrantRole("u", "r"),
                AuthEnable(),
                Authenticate("u", "q"),
                As(TokenOf(8), Put(b"a")),
            ),
            ("put", "error", "accepted (etcdserver: permission denied)"),
            errors.Error(errors.Code.PERMISSION_DENIED, "etcdserver: permission denied"),
            PutResult(2),
        ),
        finding(
            "mock",
            (RoleAdd("r"), RoleGrantPermission("r", Permission(PermissionType.WRITE, b"a")), RoleGet("r")),
            ("perm", "missing"),
            RoleGetResult(1, (Permission(PermissionType.WRITE, b"a"), Permission(PermissionType.READ, b"b", b"\0"))),
            RoleGetResult(1, (Permission(PermissionType.READ, b"b", b"\0"),)),
        ),
        finding(
            "mock",
            (LeaseGrant(60), Lock(b"l", LeaseOf(1)), Lock(b"l", 7)),
            ("waiting", "missing"),
            Waiting(),
            LockResult(2, b"l/7"),
        ),
        finding(
            "mock",
            (LeaseGrant(2), Put(b"a", lease=LeaseOf(1)), Advance(3), Range(b"a")),
            ("kvs", "unexpected"),
            RangeResult(3),
            RangeResult(2, (kv(b"a", lease=LeaseOf(1)),), count=1),
        ),
        finding(
            "fake",
            (A, HashKV(RevisionAt(1))),
            ("hash", "different"),
            HashKVResult(2, 0, 1, 2),
            HashKVResult(2, 1234567, 1, 2),
            "model fake etcd",
        ),
    ],
    "nested-txns": [
        finding(
            "mock",
            (A, Txn((), (Txn((ABSENT,), (), (Put(b"a", b"1", prev_kv=True), Range(b"a"))), Range(b"a")))),
            ("range", "kvs.value", "different"),
            TxnResult(
                3,
                True,
                (
                    TxnResult(0, False, (PutResult(3, kv(b"a")), RangeResult(3, (kv(b"a", b"1", 2, 3, 2),), count=1))),
                    RangeResult(3, (kv(b"a", b"1", 2, 3, 2),), count=1),
                ),
            ),
            TxnResult(
                3,
                True,
                (
                    TxnResult(0, False, (PutResult(3, kv(b"a")), RangeResult(3, (kv(b"a"),), count=1))),
                    RangeResult(3, (kv(b"a", b"1", 2, 3, 2),), count=1),
                ),
            ),
        ),
    ],
}


@pytest.mark.parametrize("name", LIES)
def test_a_report(name: str) -> None:
    check(name, printed(LIES[name], folder=Path("lies-found")))


def test_a_narrow_report() -> None:
    check("narrow", printed([*LIES["accepted"], *LIES["nested-txns"]], width=60, folder=Path("lies-found")))


def test_every_line_but_a_path_fits() -> None:
    everything = [one for findings in LIES.values() for one in findings]
    for width in (50, 80, 120):
        for line in printed(everything, width, Path("a folder") / ("long " * 30)).splitlines():
            assert len(line) <= width or line.startswith("   a folder/long ")


def test_a_path_is_in_one_line() -> None:
    for width in (20, 80):
        (one,) = LIES["another-error"]
        path = Path("x" * 60) / "[bold]" / file_name(one)
        assert f"\n   {path}\n" in printed([one], width, path.parent)


def test_what_a_target_says_is_neither_markup_nor_orders_to_a_terminal() -> None:
    told = printed(LIES["raised"])
    assert "[/red] no markup :smile: and" in told
    assert "\x1b" not in told


def test_a_report_without_files_names_none() -> None:
    assert "json" not in printed(LIES["voters"])


def test_voters_come_first_and_then_the_shortest() -> None:
    told = printed([*LIES["one-field-of-many"], *LIES["no-revisions"], *LIES["voters"]])
    order = re.findall(r"^\d+\. (.*)$", told, flags=re.MULTILINE)
    assert [line.partition(":")[0] for line in order] == [
        "the fake is not with the model, and no real etcd is there to judge",
        "fake lies",
        "etcd surprises",
        "the model is wrong",
        *["mock lies"] * 4,
    ]
    assert order[-1] == "mock lies: range: kvs unexpected"


def test_headlines_of_different_refusals_differ() -> None:
    headlines = {headline(one) for one in LIES["accepted"]}
    assert headlines == {
        "mock lies: it accepts a put that should be refused (key not found)",
        "mock lies: it accepts a range that should be refused (mvcc: required revision is a future revision)",
    }


@pytest.mark.parametrize(
    ("trace", "told"),
    [
        ((WatchCreate(b"a", start_revision=RevisionAt(0)), WatchRead()), "not resumable: lost events"),
        ((As("x", WatchCreate(b"a", start_revision=2, stream=1)), As("x", WatchRead(1))), "not resumable: lost events"),
        ((WatchCreate(b"a"), WatchRead()), "not reliable: lost events"),
        ((WatchCreate(b"a"), WatchCreate(b"a", start_revision=2, stream=1), WatchRead()), "not reliable: lost events"),
    ],
    ids=str,
)
def test_history_that_a_watcher_asked_for_is_another_promise_than_an_event_that_gets_lost(
    trace: Trace, told: str
) -> None:
    found = Finding(Signature("mock", "watch_read", "watches.events", "lost events"), trace, {}, ())
    assert headline(found) == f"mock lies: a watch is {told}"


def test_a_call_that_waits_or_does_not_is_told_as_that() -> None:
    told = [
        headline(Finding(Signature("mock", "lock", "waiting", kind), (Lock(b"l"),), {}, ()))
        for kind in ("missing", "unexpected")
    ]
    assert told == [
        "mock lies: it grants a lock that should wait",
        "mock lies: it lets a lock wait that should be granted",
    ]


@pytest.mark.parametrize("kind", BROKEN_PROMISES)
def test_a_broken_promise_is_named_by_etcd_s_word_for_it(kind: str) -> None:
    trace: Trace = (WatchCreate(b"a"), WatchRead())
    found = Finding(Signature("mock", "watch_read", "watches.events", kind), trace, {}, ())
    assert headline(found) == f"mock lies: a watch is not {BROKEN_PROMISES[kind]}: {kind}"


# Operations in words

LEADER = LeaderKey(b"e", b"e/7", RevisionAt(2), LeaseOf(1))
ROLE_IN_WORDS = {"revision": "2", "perm": 'READWRITE "a"\n7 ["a", "b")'}
REFUSED_IN_WORDS = {
    "revision": "2",
    "watch_id": "-1",
    "created": "true",
    "canceled": "true",
    "cancel_reason": "why",
}

NEW_WORDS: tuple[tuple[Operation, str], ...] = (
    (Put(b"a", b"x" * 1_500_000), 'put "a" = "x" × 1500000'),
    (Put(b"a", b"xy" * 1000), f'put "a" = "{"xy" * 16}"… (2000 bytes)'),
    (Advance(3), "advance 3 s"),
    (As(TokenOf(3), Put(b"a")), 'as the user of step 3: put "a" = ""'),
    (As("no.such.token", Range(b"a")), 'with the token "no.such.token": range "a"'),
    (As("\x1b\n", AuthStatus()), 'with the token "\\u001b\\n": auth_status'),
    (WatchCreate(b"a"), 'watch "a" on stream 0'),
    (
        WatchCreate(b"a", b"b", RevisionAt(2, 1), True, (0, 1, 7), True, 5, True, 2),
        'watch ["a", "b") on stream 2 from revision after step 2 +1, progress_notify, filters NOPUT NODELETE 7, '
        "prev_kv, watch_id 5, fragment",
    ),
    (WatchCreate(b"a", b"\0"), 'watch from "a" onwards on stream 0'),
    (WatchCreate(b"a", start_revision=-1), 'watch "a" on stream 0 from revision -1'),
    (WatchCreate(b"a", watch_id=-7, filters=(FilterType.NOPUT,)), 'watch "a" on stream 0, filters NOPUT, watch_id -7'),
    (WatchCancel(3, 1), "watch_cancel of watcher 3 on stream 1"),
    (WatchProgress(), "watch_progress on stream 0"),
    (WatchRead(1), "watch_read stream 1"),
    (WatchClose(), "watch_close stream 0"),
    (AuthEnable(), "auth_enable"),
    (AuthDisable(), "auth_disable"),
    (AuthStatus(), "auth_status"),
    (Authenticate("u", "p"), 'authenticate "u" with the password "p"'),
    (UserAdd("u", "p"), 'user_add "u" with the password "p"'),
    (UserAdd("u"), 'user_add "u" with the password ""'),
    (UserAdd("u", no_password=True), 'user_add "u", no_password'),
    (UserAdd("u", "p", True), 'user_add "u" with the password "p", no_password'),
    (UserGet("u"), 'user_get "u"'),
    (UserList(), "user_list"),
    (UserDelete('u"'), 'user_delete "u\\""'),
    (UserChangePassword("u", "q"), 'user_change_password "u" with the password "q"'),
    (UserGrantRole("u", "r"), 'user_grant_role "r" to "u"'),
    (UserRevokeRole("u", "r"), 'user_revoke_role "r" of "u"'),
    (RoleAdd("r"), 'role_add "r"'),
    (RoleGet("r"), 'role_get "r"'),
    (RoleList(), "role_list"),
    (RoleDelete("r"), 'role_delete "r"'),
    (
        RoleGrantPermission("r", Permission(PermissionType.READWRITE, b"a", b"\x00")),
        'role_grant_permission READWRITE from "a" on to "r"',
    ),
    (RoleGrantPermission("r"), 'role_grant_permission without one to "r"'),
    (RoleRevokePermission("r", b"a", b"b"), 'role_revoke_permission ["a", "b") of "r"'),
    (Status(), "status"),
    (Alarm(), "alarm GET"),
    (Alarm(AlarmAction.ACTIVATE, 1, AlarmType.NOSPACE), "alarm ACTIVATE, member_id 1, alarm NOSPACE"),
    (Alarm(9, alarm=9), "alarm 9, alarm 9"),
    (Defragment(), "defragment"),
    (Hash(), "hash"),
    (HashKV(), "hash_kv"),
    (HashKV(RevisionAt(2)), "hash_kv, revision (revision after step 2)"),
    (Snapshot(), "snapshot"),
    (MoveLeader(1), "move_leader to member 1"),
    (Downgrade(DowngradeAction.VALIDATE, "3.5.0"), 'downgrade VALIDATE "3.5.0"'),
    (MemberList(True), "member_list, linearizable"),
    (MemberAdd(("http://a", "http://b"), True), 'member_add "http://a" "http://b", is_learner'),
    (MemberAdd(), "member_add without a URL"),
    (MemberRemove(1), "member_remove member 1"),
    (MemberUpdate(1, ("http://a",)), 'member_update member 1 to "http://a"'),
    (MemberUpdate(1), "member_update member 1 to no URL"),
    (MemberPromote(1), "member_promote member 1"),
    (Lock(b"l", LeaseOf(2)), 'lock "l", lease of step 2'),
    (Lock(b"l"), 'lock "l"'),
    (Unlock(b"l/7"), 'unlock "l/7"'),
    (Campaign(b"e", 7, b"v"), 'campaign "e" = "v", lease 7'),
    (
        Proclaim(LEADER, b"v"),
        'proclaim "v" as leader "e/7" of "e", rev (revision after step 2), lease of step 1',
    ),
    (Proclaim(None, b"v"), 'proclaim "v" as nobody'),
    (Leader(b"e"), 'leader "e"'),
    (Observe(b"e"), 'observe "e"'),
    (Resign(LEADER), 'resign as leader "e/7" of "e", rev (revision after step 2), lease of step 1'),
    (Resign(), "resign as nobody"),
)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (Put(b"a", b"1"), 'put "a" = "1"'),
        (Put(b'a"\x00', b"", LeaseOf(2), True), 'put "a\\"\\x00" = "", lease of step 2, prev_kv'),
        (Put(b"a", ignore_value=True, ignore_lease=True), 'put "a", ignore_value, ignore_lease'),
        (Put(b"a", b"1", lease=7), 'put "a" = "1", lease 7'),
        (Range(b"a"), 'range "a"'),
        (Range(b"a", b"b"), 'range ["a", "b")'),
        (Range(b"a", b"\x00"), 'range from "a" on'),
        (Range(b"a", limit=3, revision=RevisionAt(2, -1)), 'range "a", limit 3, revision (revision after step 2 -1)'),
        (Range(b"a", revision=RevisionAt(0)), 'range "a", revision (first revision)'),
        (Range(b"a", revision=-1), 'range "a", revision -1'),
        (
            Range(b"a", sort_order=SortOrder.DESCEND, sort_target=SortTarget.MOD, keys_only=True),
            'range "a", sort_order DESCEND, sort_target MOD, keys_only',
        ),
        (Range(b"a", sort_order=3, sort_target=9), 'range "a", sort_order 3, sort_target 9'),
        (DeleteRange(b"a", b"b", prev_kv=True), 'delete_range ["a", "b"), prev_kv'),
        (Txn(), "txn with nothing in it"),
        (Txn((ABSENT,), (A,), (Range(b"a"),)), 'txn if create of "a" = 0 then {put "a" = ""} else {range "a"}'),
        (Txn((), (Txn(),)), "txn then {txn with nothing in it}"),
        (Txn((), (Range(b"a"),) * 128 + (A,)), 'txn then {range "a" × 128; put "a" = ""}'),
        (
            Txn((ABSENT, Compare(b"a", CompareTarget.VALUE, CompareResult.NOT_EQUAL, b"1", b"b"))),
            'txn if create of "a" = 0 and value of ["a", "b") ≠ "1"',
        ),
        (
            Txn((Compare(b"a", CompareTarget.LEASE, CompareResult.LESS, LeaseOf(1)),)),
            'txn if lease of "a" < (lease of step 1)',
        ),
        (
            Txn((Compare(b"a", CompareTarget.MOD, CompareResult.GREATER, RevisionAt(1)),)),
            'txn if mod of "a" > (revision after step 1)',
        ),
        (Txn((Compare(b"a", 9, 9, 1),)), 'txn if target 9 of "a" result 9 1'),
        (Compact(RevisionAt(1), physical=True), "compact (revision after step 1), physical"),
        (LeaseGrant(60), "lease_grant ttl 60"),
        (LeaseGrant(60, 7), "lease_grant ttl 60, id 7"),
        (LeaseRevoke(LeaseOf(1)), "lease_revoke lease of step 1"),
        (LeaseKeepAlive(404), "lease_keep_alive lease 404"),
        (LeaseTimeToLive(LeaseOf(1), keys=True), "lease_time_to_live lease of step 1, keys"),
        (LeaseLeases(), "lease_leases"),
        *NEW_WORDS,
    ],
    ids=str,
)
def test_an_operation_in_words(operation: Operation, words: str) -> None:
    assert operation_in_words(operation) == words


def test_every_operation_has_words() -> None:
    kv_and_lease = {Range, Put, DeleteRange, Txn, Compact, LeaseGrant, LeaseRevoke, LeaseKeepAlive, LeaseTimeToLive}
    assert {type(operation) for operation, _ in NEW_WORDS} | kv_and_lease | {LeaseLeases} == set(OPERATIONS)


# Answers in words


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
        (RoleGetResult(2, (Permission(2, b"a"), Permission(7, b"a", b"b"))), ROLE_IN_WORDS),
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
        (SnapshotResult(), {"revision": "none", "intact": "true"}),
        (DowngradeResult(2, "3.5"), {"revision": "2", "version": "3.5"}),
        (
            HashKVResult(2, 0, -1),
            {"revision": "2", "hash": "right", "compact_revision": "-1", "hash_revision": "0"},
        ),
        (LeaseLeasesResult(2, (7, LeaseOf(1))), {"revision": "2", "leases": "lease 7\nlease of step 1"}),
        (LockResult(2, b"l/\x00"), {"revision": "2", "key": '"l/\\x00"'}),
        (
            CampaignResult(2, LeaderKey(b"e", b"e/7", 2, 7)),
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


# A whole run


def test_a_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One specimen, a fixed seed. How many sequences the examples come to depends on what draws them; it is masked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    arguments = "--etcd none --against count-only-returns-kvs --families kv --seed 1 --examples 300"
    assert main(["fuzz", *arguments.split()]) == 1
    told = capsys.readouterr().out
    masked = re.sub(r"[\d,]+ sequences, [\d,]+ steps in \d+ s \([\d,]+ steps/s\)", "N sequences, N steps in N s", told)
    check("whole-run", masked)
