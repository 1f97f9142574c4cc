"""Maintenance and the cluster: alarms and what they refuse, who may ask for what, and what is never sent."""

from __future__ import annotations

import pytest

from etcd_model import Error, Operation, Result, Server, State, crash_reason, nondeterminism, quirks_of, step
from etcd_model import operations as op
from etcd_model.errors import (
    BAD_LEADER_TRANSFEREE,
    CORRUPT,
    DUPLICATE_KEY,
    EMPTY_KEY,
    INVALID_AUTH_TOKEN,
    INVALID_DOWNGRADE_TARGET_VERSION,
    MEMBER_BAD_URLS,
    MEMBER_NOT_FOUND,
    MEMBER_NOT_LEARNER,
    NO_INFLIGHT_DOWNGRADE,
    NO_SPACE,
    NOT_ENOUGH_STARTED,
    PERMISSION_DENIED,
    UNKNOWN_METHOD,
    USER_EMPTY,
    WRONG_DOWNGRADE_VERSION_FORMAT,
    Code,
)
from etcd_model.results import (
    AlarmMember,
    AlarmResult,
    AuthResult,
    CompactResult,
    DeleteRangeResult,
    DowngradeResult,
    LeaseGrantResult,
    MaintenanceResult,
    Member,
    MemberListResult,
    PutResult,
    RangeResult,
    SnapshotResult,
    StatusResult,
    TxnResult,
)

VERSIONS = ["3.4.23", "3.5.1", "3.5.16", "3.5.30", "3.6.16", "3.7.3"]
IN_LAYERS = ["3.6.0", "3.7.3"]
ONE_AT_A_TIME = ["3.4.45", "3.5.33"]
NOSPACE_ALARM, CORRUPT_ALARM = (
    AlarmMember(op.MEMBER_ID, op.AlarmType.NOSPACE),
    AlarmMember(op.MEMBER_ID, op.AlarmType.CORRUPT),
)


def store(version: str = "3.5.16") -> State:
    return State(server=Server(quirks_of(version)))


def play(state: State, *transcript: tuple[Operation, Result]) -> State:
    for operation, expected in transcript:
        state, result = step(state, operation)
        assert result == expected, operation
    return state


def after(state: State, *operations: Operation) -> State:
    for operation in operations:
        state, result = step(state, operation)
        assert not isinstance(result, Error), operation
    return state


def said(state: State, operation: Operation) -> Result:
    return step(state, operation)[1]


def activate(alarm: int, member_id: int = op.MEMBER_ID) -> op.Alarm:
    return op.Alarm(op.AlarmAction.ACTIVATE, member_id, alarm)


def deactivate(alarm: int, member_id: int = op.MEMBER_ID) -> op.Alarm:
    return op.Alarm(op.AlarmAction.DEACTIVATE, member_id, alarm)


# Alarms come and go.


def test_alarms_are_reported_to_who_asks_and_in_the_status() -> None:
    play(
        store(),
        (op.Alarm(), AlarmResult(1)),
        (activate(op.AlarmType.NOSPACE), AlarmResult(1, (NOSPACE_ALARM,))),
        (activate(op.AlarmType.NOSPACE), AlarmResult(1, (NOSPACE_ALARM,))),
        (activate(op.AlarmType.CORRUPT, 7), AlarmResult(1, (AlarmMember(7, op.AlarmType.CORRUPT),))),
        (op.Alarm(), AlarmResult(1, (NOSPACE_ALARM, AlarmMember(7, op.AlarmType.CORRUPT)))),
        (op.Alarm(alarm=op.AlarmType.NOSPACE), AlarmResult(1, (NOSPACE_ALARM,))),
        (op.Status(), StatusResult(1, "3.5.16", errors=("memberID:1 alarm:NOSPACE ", "memberID:7 alarm:CORRUPT "))),
        (deactivate(op.AlarmType.CORRUPT), AlarmResult(1)),
        (deactivate(op.AlarmType.CORRUPT, 7), AlarmResult(1, (AlarmMember(7, op.AlarmType.CORRUPT),))),
        (deactivate(op.AlarmType.NOSPACE), AlarmResult(1, (NOSPACE_ALARM,))),
        (op.Status(), StatusResult(1, "3.5.16")),
    )


def test_the_answer_to_an_alarm_has_no_header_in_3_4() -> None:
    assert said(after(store("3.4.45"), op.Put(b"a")), op.Alarm()) == AlarmResult(0)
    assert said(after(store("3.5.0"), op.Put(b"a")), op.Alarm()) == AlarmResult(2)


@pytest.mark.parametrize(("version", "text"), [("3.6.16", "alarm:NOSPACE "), ("3.7.0", "alarm:NOSPACE")])
def test_a_zero_is_left_out_of_an_alarms_text(version: str, text: str) -> None:
    status = said(after(store(version), activate(op.AlarmType.NOSPACE, 0)), op.Status())
    assert isinstance(status, StatusResult)
    assert status.errors == (text,)


def test_an_alarm_of_type_none_is_one_in_3_4_only() -> None:
    none = AlarmMember(5, op.AlarmType.NONE)
    play(store("3.4.23"), (activate(0, 5), AlarmResult(0, (none,))), (op.Alarm(), AlarmResult(0, (none,))))
    play(store("3.5.0"), (activate(0, 5), AlarmResult(1)), (op.Alarm(), AlarmResult(1)))


@pytest.mark.parametrize("version", ["3.4.23", "3.6.16"])
def test_an_alarm_of_an_unknown_type_refuses_nothing(version: str) -> None:
    state = after(store(version), activate(9, 0))
    assert state.alarms == {AlarmMember(0, 9)}
    play(state, (op.Put(b"a"), PutResult(2)))


# What an alarm refuses.


@pytest.mark.parametrize("version", VERSIONS)
def test_no_space_refuses_puts_and_leases_that_are_well_formed(version: str) -> None:
    nested = op.Txn(success=(op.Txn(success=(op.Put(b"a"),)),))
    state = after(store(version), op.Put(b"b"), activate(op.AlarmType.NOSPACE))
    play(
        state,
        (op.Put(b""), EMPTY_KEY),
        (op.Put(b"a"), NO_SPACE),
        (op.Put(b"a", lease=404), NO_SPACE),
        (op.Put(b"a", ignore_value=True), NO_SPACE),
        (op.Txn(success=(op.Put(b"a"), op.Put(b"a"))), DUPLICATE_KEY),
        (op.Txn(failure=(op.Put(b"a"),)), NO_SPACE),
        (op.LeaseGrant(10, id=7), NO_SPACE),
        (op.LeaseGrant(2**40), NO_SPACE),
        (op.Range(b"a"), RangeResult(2)),
        (op.DeleteRange(b"b"), DeleteRangeResult(3, 1)),
        (op.Txn(success=(op.DeleteRange(b"b"),)), TxnResult(3, True, (DeleteRangeResult(3),))),
        (op.Compact(2), CompactResult(3)),
        (deactivate(op.AlarmType.NOSPACE), AlarmResult(0 if version == "3.4.23" else 3, (NOSPACE_ALARM,))),
        (op.Put(b"a"), PutResult(4)),
    )
    slips = version in ("3.4.23", "3.5.1", "3.5.16", "3.5.30")
    assert isinstance(said(state, nested), TxnResult) == slips


def test_nested_puts_count_since_3_5_33_and_3_6_14() -> None:
    nested = op.Txn(success=(op.Txn(failure=(op.Put(b"a"),)),))
    for version, counts in (("3.5.32", False), ("3.5.33", True), ("3.6.13", False), ("3.6.14", True), ("3.7.0", False)):
        assert (said(after(store(version), activate(op.AlarmType.NOSPACE)), nested) == NO_SPACE) == counts


@pytest.mark.parametrize("version", VERSIONS)
def test_corruption_refuses_all_that_goes_through_raft_but_not_reads(version: str) -> None:
    play(
        after(store(version), op.LeaseGrant(10, id=7), activate(op.AlarmType.CORRUPT)),
        (op.DeleteRange(b""), EMPTY_KEY),
        (op.Put(b"a"), CORRUPT),
        (op.DeleteRange(b"a"), CORRUPT),
        (op.Txn(success=(op.DeleteRange(b"a"),)), CORRUPT),
        (op.Txn(success=(op.Txn(),)), CORRUPT),
        (op.Compact(99), CORRUPT),
        (op.LeaseGrant(10, id=8), CORRUPT),
        (op.LeaseRevoke(404), CORRUPT),
        (op.Range(b"a"), RangeResult(1)),
        (op.Txn(success=(op.Range(b"a"),)), TxnResult(1, True, (RangeResult(1),))),
        (op.Txn(), TxnResult(1, True)),
    )


@pytest.mark.parametrize("version", IN_LAYERS)
def test_alarms_refuse_together_since_3_6(version: str) -> None:
    state = after(store(version), activate(op.AlarmType.CORRUPT), activate(op.AlarmType.NOSPACE))
    play(state, (op.Put(b"a"), CORRUPT))
    state = after(state, deactivate(op.AlarmType.CORRUPT))
    play(state, (op.Put(b"a"), NO_SPACE), (op.DeleteRange(b"a"), DeleteRangeResult(1)))


@pytest.mark.parametrize("version", ONE_AT_A_TIME)
def test_only_the_last_alarm_refused_before_and_the_first_that_went_ended_it(version: str) -> None:
    state = after(store(version), activate(op.AlarmType.CORRUPT), activate(op.AlarmType.NOSPACE))
    play(state, (op.Put(b"a"), NO_SPACE), (op.DeleteRange(b"a"), DeleteRangeResult(1)))
    state = after(state, deactivate(op.AlarmType.CORRUPT))
    assert state.alarms == {NOSPACE_ALARM}
    play(state, (op.Put(b"a"), PutResult(2)))


@pytest.mark.parametrize("version", ["3.5.33", "3.6.0"])
def test_an_alarm_lasts_until_the_last_member_gives_it_up(version: str) -> None:
    state = after(store(version), activate(op.AlarmType.NOSPACE, 1), activate(op.AlarmType.NOSPACE, 2))
    state = play(after(state, deactivate(op.AlarmType.NOSPACE, 1)), (op.Put(b"a"), NO_SPACE))
    play(after(state, deactivate(op.AlarmType.NOSPACE, 2)), (op.Put(b"a"), PutResult(2)))


def test_a_lease_that_is_due_while_the_cluster_is_corrupt_is_left_open() -> None:
    state = after(store(), op.LeaseGrant(10, id=7), activate(op.AlarmType.CORRUPT))
    assert nondeterminism(op.Advance(9), state) is None
    assert nondeterminism(op.Advance(10), state) is not None
    assert nondeterminism(op.Advance(10), after(state, deactivate(op.AlarmType.CORRUPT))) is None


# Auth.


def guarded(version: str) -> State:
    """Auth is on; token-1 is root's and token-2 a user's."""
    return after(
        store(version),
        op.UserAdd("root", "p"),
        op.UserGrantRole("root", "root"),
        op.UserAdd("u", "p"),
        op.Put(b"a"),
        op.AuthEnable(),
        op.Authenticate("root", "p"),
        op.Authenticate("u", "p"),
    )


def refusals(version: str, operation: Operation) -> list[Error | None]:
    """What no token, a bad one, the user's and root's are refused with."""
    state = guarded(version)
    refused: list[Error | None] = []
    for token in ("", "bad", "token-2", "token-1"):
        result = said(state, op.As(token, operation))
        refused.append(result if isinstance(result, Error) else None)
    return refused


ANYBODY: list[Error | None] = [None, None, None, None]
BAD_TOKEN = [None, INVALID_AUTH_TOKEN, None, None]
ANY_USER = [USER_EMPTY, INVALID_AUTH_TOKEN, None, None]
ROOT_ONLY = [USER_EMPTY, INVALID_AUTH_TOKEN, PERMISSION_DENIED, None]
UNMAPPED = [
    Error(Code.UNKNOWN, "auth: user name is empty"),
    Error(Code.UNKNOWN, "auth: invalid auth token"),
    Error(Code.UNKNOWN, "auth: permission denied"),
    None,
]

BAD_TOKEN_UNMAPPED = [None, UNMAPPED[1], None, None]

GUARDS: list[tuple[Operation, dict[str, list[Error | None]]]] = [
    (
        op.Status(),
        {
            "3.4.41": ANYBODY,
            "3.4.45": ROOT_ONLY,
            "3.5.27": ANYBODY,
            "3.5.31": ROOT_ONLY,
            "3.5.32": ANY_USER,
            "3.6.11": ROOT_ONLY,
            "3.6.12": ANY_USER,
            "3.7.3": ANY_USER,
        },
    ),
    (op.MoveLeader(op.MEMBER_ID), {"3.4.41": ANYBODY, "3.4.42": ROOT_ONLY, "3.5.28": ROOT_ONLY, "3.6.0": ROOT_ONLY}),
    (op.Downgrade(op.DowngradeAction.VALIDATE, "3.4.0"), {"3.5.27": ANYBODY, "3.5.28": ROOT_ONLY}),
    (
        op.Alarm(),
        {
            "3.4.41": BAD_TOKEN_UNMAPPED,
            "3.4.42": ROOT_ONLY,
            "3.5.28": ROOT_ONLY,
            "3.5.29": ANY_USER,
            "3.6.8": BAD_TOKEN,
            "3.6.9": ROOT_ONLY,
            "3.6.10": ANY_USER,
        },
    ),
    (activate(op.AlarmType.NOSPACE), {"3.5.27": BAD_TOKEN, "3.5.33": ROOT_ONLY, "3.6.16": ROOT_ONLY}),
    (
        op.MemberList(),
        {
            "3.4.42": ANYBODY,
            "3.4.43": ANY_USER,
            "3.5.28": ANYBODY,
            "3.5.29": ANY_USER,
            "3.6.9": ANYBODY,
            "3.6.10": ANY_USER,
        },
    ),
    (op.Hash(), {"3.4.45": UNMAPPED, "3.5.33": UNMAPPED, "3.6.0": ROOT_ONLY}),
    (op.HashKV(), {"3.4.45": UNMAPPED, "3.6.0": ROOT_ONLY}),
    (op.Defragment(), {"3.5.33": UNMAPPED, "3.6.0": ROOT_ONLY}),
    (op.Snapshot(), {"3.5.33": UNMAPPED, "3.6.0": ROOT_ONLY}),
]


@pytest.mark.parametrize(("operation", "by_version"), GUARDS, ids=[type(operation).__name__ for operation, _ in GUARDS])
def test_each_call_is_for_somebody_by_version(operation: Operation, by_version: dict[str, list[Error | None]]) -> None:
    for version, expected in by_version.items():
        assert refusals(version, operation) == expected, version


@pytest.mark.parametrize("operation", [op.MemberRemove(9), op.MemberUpdate(9), op.MemberPromote(9)], ids=str)
def test_changes_of_members_are_roots(operation: Operation) -> None:
    assert refusals("3.4.23", operation) == [*ROOT_ONLY[:3], MEMBER_NOT_FOUND]
    assert said(guarded("3.4.23"), op.MemberAdd(("x",))) == MEMBER_BAD_URLS
    assert said(guarded("3.4.23"), op.MemberAdd(("http://a:1",))) == USER_EMPTY


@pytest.mark.parametrize("version", ONE_AT_A_TIME)
def test_an_alarm_let_everybody_do_everything_before_3_6(version: str) -> None:
    state = after(guarded(version), op.As("token-1", activate(op.AlarmType.NOSPACE)))
    play(
        state,
        (op.DeleteRange(b"a"), DeleteRangeResult(3, 1)),
        (op.UserAdd("mallory", "p"), AuthResult(3)),
        (op.UserGrantRole("mallory", "root"), AuthResult(3)),
        (op.As("bad", op.DeleteRange(b"a")), INVALID_AUTH_TOKEN),
        (op.Put(b"a"), NO_SPACE),
        (op.Range(b"a"), USER_EMPTY),
    )


@pytest.mark.parametrize("version", IN_LAYERS)
def test_an_alarm_leaves_permissions_alone_since_3_6_and_outranks_them(version: str) -> None:
    state = after(guarded(version), op.As("token-1", activate(op.AlarmType.NOSPACE)))
    play(state, (op.DeleteRange(b"a"), USER_EMPTY), (op.UserList(), USER_EMPTY), (op.Put(b"a"), NO_SPACE))


# The rest of the Maintenance service.


@pytest.mark.parametrize(
    ("version", "storage"), [("3.5.33", ""), ("3.6.0", "3.6.0"), ("3.6.16", "3.6.0"), ("3.7.3", "3.7.0")]
)
def test_the_status_reports_the_version_and_since_3_6_that_of_the_storage(version: str, storage: str) -> None:
    assert said(store(version), op.Status()) == StatusResult(1, version, storage_version=storage)


def test_what_can_be_notified_of_the_rest() -> None:
    play(
        after(store(), op.Put(b"a")),
        (op.Defragment(), MaintenanceResult()),
        (op.Hash(), MaintenanceResult(2)),
        (op.Snapshot(), SnapshotResult()),
        (op.MoveLeader(op.MEMBER_ID), MaintenanceResult()),
        (op.MoveLeader(99), BAD_LEADER_TRANSFEREE),
        (op.MoveLeader(0), BAD_LEADER_TRANSFEREE),
    )


@pytest.mark.parametrize(
    ("version", "down", "reported"), [("3.5.16", "3.4", "3.5.0"), ("3.6.16", "3.5", "3.6"), ("3.7.3", "3.6", "3.7")]
)
def test_one_minor_version_down_is_valid(version: str, down: str, reported: str) -> None:
    answer = DowngradeResult(1, reported)
    for valid in (down, f"{down}.0", f"{down}.7", f"{down}.0-rc1"):
        assert said(store(version), op.Downgrade(op.DowngradeAction.VALIDATE, valid)) == answer
    for other in (version, "3.8.0", "3.1.0", "1.2.3"):
        assert said(store(version), op.Downgrade(op.DowngradeAction.ENABLE, other)) == INVALID_DOWNGRADE_TARGET_VERSION
    for none in ("", "3", "x", "v3.5.0", " 3.5.0", "1.2.3.4", "3.x.0"):
        assert said(store(version), op.Downgrade(op.DowngradeAction.VALIDATE, none)) == WRONG_DOWNGRADE_VERSION_FORMAT
    assert said(store(version), op.Downgrade(7)) == UNKNOWN_METHOD


def test_there_is_nothing_to_cancel_but_new_versions_do() -> None:
    assert said(store("3.5.33"), op.Downgrade(op.DowngradeAction.CANCEL)) == NO_INFLIGHT_DOWNGRADE
    assert said(store("3.6.0"), op.Downgrade(op.DowngradeAction.CANCEL)) == DowngradeResult(1, "3.6")


def test_there_is_no_downgrade_in_3_4() -> None:
    unknown = Error(Code.UNIMPLEMENTED, "unknown method Downgrade for service etcdserverpb.Maintenance")
    assert said(store("3.4.45"), op.Downgrade(op.DowngradeAction.VALIDATE)) == unknown
    assert said(guarded("3.4.45"), op.As("bad", op.Downgrade(op.DowngradeAction.ENABLE, "3.3.0"))) == unknown


# The Cluster service.


@pytest.mark.parametrize("version", VERSIONS)
def test_the_one_member_can_be_neither_removed_nor_promoted(version: str) -> None:
    play(
        store(version),
        (op.MemberList(linearizable=True), MemberListResult(0, (Member(op.MEMBER_ID),))),
        (op.MemberRemove(op.MEMBER_ID), NOT_ENOUGH_STARTED),
        (op.MemberPromote(op.MEMBER_ID), MEMBER_NOT_LEARNER),
        (op.MemberRemove(99), MEMBER_NOT_FOUND),
        (op.MemberPromote(0), MEMBER_NOT_FOUND),
        (op.MemberUpdate(99, ("http://a:1",)), MEMBER_NOT_FOUND),
    )


@pytest.mark.parametrize(
    "urls",
    [
        (),
        ("",),
        ("x",),
        ("http://",),
        ("http://a",),
        ("http://a:x",),
        ("http://a:1/p",),
        ("ftp://a:1",),
        ("http://a:1", "x"),
    ],
)
def test_peer_urls_need_a_scheme_a_host_a_port_and_no_path(urls: tuple[str, ...]) -> None:
    assert said(store(), op.MemberAdd(urls)) == MEMBER_BAD_URLS
    assert crash_reason(op.MemberAdd(urls), store()) is None


# What is never sent.


@pytest.mark.parametrize(
    "operation",
    [
        op.MemberAdd(("http://a:1",)),
        op.MemberAdd(("http://a:1?x", "https://b:"), is_learner=True),
        op.MemberUpdate(op.MEMBER_ID),
        op.MemberUpdate(op.MEMBER_ID, ("x",)),
        op.Downgrade(op.DowngradeAction.ENABLE, "3.4.0"),
    ],
    ids=str,
)
def test_what_would_change_the_cluster_for_good_is_crashing_if_nothing_refuses_it(operation: Operation) -> None:
    assert crash_reason(operation, store("3.5.33")) is not None
    state = guarded("3.5.33")
    assert crash_reason(operation, state) is None
    assert crash_reason(op.As("token-2", operation), state) is None
    assert crash_reason(op.As("token-1", operation), state) is not None


@pytest.mark.parametrize(
    "operation",
    [
        op.Downgrade(op.DowngradeAction.VALIDATE, "3.4.0"),
        op.Downgrade(op.DowngradeAction.ENABLE, "3.5.0"),
        op.MemberUpdate(9),
    ],
    ids=str,
)
def test_what_is_refused_or_only_asked_is_not(operation: Operation) -> None:
    assert crash_reason(operation, store()) is None


@pytest.mark.parametrize(
    ("operation", "kills"),
    [
        (op.Alarm(7, 0, 1), ["3.4.23", "3.5.16", "3.6.16"]),
        (activate(9, 0), ["3.5.16"]),
        (activate(op.AlarmType.NONE, 0), ["3.4.23"]),
        (activate(op.AlarmType.NONE, 5), []),
        (deactivate(9, 0), []),
        (op.Alarm(alarm=9), []),
        (activate(op.AlarmType.CORRUPT), []),
    ],
    ids=str,
)
def test_some_alarms_kill(operation: Operation, kills: list[str]) -> None:
    for version in ("3.4.23", "3.5.16", "3.6.16"):
        assert (crash_reason(operation, store(version)) is not None) == (version in kills), version


def test_a_lease_id_is_not_given_out_where_there_is_no_space() -> None:
    state = after(store(), activate(op.AlarmType.NOSPACE))
    refused, _ = step(state, op.LeaseGrant(10))
    assert refused is state
    first = said(after(state, deactivate(op.AlarmType.NOSPACE)), op.LeaseGrant(10))
    assert first == LeaseGrantResult(1, State().next_lease_id, 10)
