"""Whom the Maintenance and Cluster services are for; and what an alarm makes of permissions."""

from __future__ import annotations

from etcd_lockstep.transcripts.auth_fixtures import (
    BAD,
    as_root,
    as_user,
    asked,
    realm,
)
from etcd_lockstep.transcripts.maintenance import INTACT, alarms, status
from etcd_lockstep.transcripts.transcript import (
    RIGHT,
    Answer,
    Since,
    Step,
    says,
)
from etcd_model import operations as op
from etcd_model.errors import (
    BAD_LEADER_TRANSFEREE,
    INVALID_AUTH_TOKEN,
    MEMBER_BAD_URLS,
    MEMBER_NOT_FOUND,
    NO_SPACE,
    PERMISSION_DENIED,
    USER_EMPTY,
    WRONG_DOWNGRADE_VERSION_FORMAT,
    Error,
    unimplemented,
    unmapped,
)
from etcd_model.results import (
    DeleteRangeResult,
    HashKVResult,
    MaintenanceResult,
    Member,
    MemberListResult,
    PutResult,
    UserListResult,
)

GUARDED = "leases_and_compaction_guarded"


def mapped(error: Error) -> Since:
    """The refusal of a maintenance call, which had a text of its own and no code."""
    return Since("maintenance_errors_mapped", unmapped(error), error)


def since_guarded(answer: Answer, refused: Answer) -> Since:
    """Status and its like were for anybody."""
    return Since("status_guarded", answer, refused)


def of_root(operation: op.Operation, answer: Answer) -> tuple[Step, ...]:
    return asked(operation, mapped(USER_EMPTY), mapped(INVALID_AUTH_TOKEN), mapped(PERMISSION_DENIED), answer)


MEMBERS = MemberListResult(0, (Member(op.MEMBER_ID),))
NO_DOWNGRADE = unimplemented("etcdserverpb.Maintenance", "Downgrade")
MINE = MaintenanceResult(0)

_MAINTENANCE = (
    says(
        "hashes, snapshots and defragmentation are root's",
        *realm(),
        *of_root(op.Hash(), MaintenanceResult(1)),
        *of_root(op.Defragment(), MaintenanceResult(0)),
        *of_root(op.Snapshot(), INTACT),
    ),
    says(
        "the hash of the history is root's",
        *realm(),
        as_root(op.Put(b"a", b"1"), PutResult(2)),
        *of_root(
            op.HashKV(), Since("hash_kv_reports_revision", HashKVResult(2, RIGHT, 1), HashKVResult(2, RIGHT, 1, 2))
        ),
    ),
    says(
        "the status was for anybody, then for root, and then for users",
        *realm(),
        as_root(op.Status(), status(1)),
        *asked(
            op.Status(),
            since_guarded(status(1), USER_EMPTY),
            since_guarded(status(1), INVALID_AUTH_TOKEN),
            since_guarded(status(1), Since("status_open_to_users", PERMISSION_DENIED, status(1))),
            status(1),
        ),
    ),
    says(
        "leadership was anybody's to move, and then root's",
        *realm(),
        as_root(op.Status(), status(1)),
        *asked(
            op.MoveLeader(404),
            *(
                since_guarded(BAD_LEADER_TRANSFEREE, error)
                for error in (USER_EMPTY, INVALID_AUTH_TOKEN, PERMISSION_DENIED)
            ),
            BAD_LEADER_TRANSFEREE,
        ),
        as_root(op.MoveLeader(op.MEMBER_ID), MINE),
    ),
    says(
        "the version was anybody's to change, and then root's",
        *realm(),
        *asked(
            op.Downgrade(op.DowngradeAction.VALIDATE, "x"),
            *(
                Since("downgrade", NO_DOWNGRADE, since_guarded(WRONG_DOWNGRADE_VERSION_FORMAT, error))
                for error in (USER_EMPTY, INVALID_AUTH_TOKEN, PERMISSION_DENIED)
            ),
            Since("downgrade", NO_DOWNGRADE, WRONG_DOWNGRADE_VERSION_FORMAT),
        ),
    ),
    says(
        "the list of members was for anybody, and then for users; members are root's to change",
        *realm(),
        as_root(op.Status(), status(1)),
        *asked(
            op.MemberList(),
            Since("member_list_guarded", MEMBERS, USER_EMPTY),
            Since("member_list_guarded", MEMBERS, INVALID_AUTH_TOKEN),
            MEMBERS,
            MEMBERS,
        ),
        *(
            step
            for operation in (op.MemberRemove(404), op.MemberUpdate(404), op.MemberPromote(404))
            for step in asked(operation, USER_EMPTY, INVALID_AUTH_TOKEN, PERMISSION_DENIED, MEMBER_NOT_FOUND)
        ),
        *asked(op.MemberAdd(), *(MEMBER_BAD_URLS,) * 4),
    ),
    says(
        "alarms were anybody's, then root's, and then any user's to ask for",
        *realm(),
        as_root(op.Status(), status(1)),
        *asked(
            op.Alarm(),
            Since(GUARDED, alarms(1), USER_EMPTY),
            Since(
                "alarm_has_header", Since(GUARDED, unmapped(INVALID_AUTH_TOKEN), INVALID_AUTH_TOKEN), INVALID_AUTH_TOKEN
            ),
            Since(GUARDED, alarms(1), Since("alarms_open_to_users", PERMISSION_DENIED, alarms(1))),
            alarms(1),
        ),
        as_user(
            op.Alarm(op.AlarmAction.DEACTIVATE, op.MEMBER_ID, op.AlarmType.NOSPACE),
            Since(GUARDED, alarms(1), PERMISSION_DENIED),
        ),
        (
            op.Alarm(op.AlarmAction.DEACTIVATE, op.MEMBER_ID, op.AlarmType.NOSPACE),
            Since(GUARDED, alarms(1), USER_EMPTY),
        ),
    ),
)

RAISE = op.Alarm(op.AlarmAction.ACTIVATE, op.MEMBER_ID, op.AlarmType.NOSPACE)
RAISED = (op.MEMBER_ID, op.AlarmType.NOSPACE)

_ALARMED = (
    says(
        "while an alarm refused something permissions were not looked at, but for reads, until 3.6",
        *realm(),
        as_root(op.Put(b"a", b"1"), PutResult(2)),
        as_root(op.Put(b"b", b"1"), PutResult(3)),
        as_root(RAISE, alarms(3, RAISED)),
        as_user(op.Put(b"a", b"2"), NO_SPACE),
        as_user(op.Range(b"a"), PERMISSION_DENIED),
        as_user(op.DeleteRange(b"a"), Since("alarms_in_layers", DeleteRangeResult(4, 1), PERMISSION_DENIED)),
        (op.DeleteRange(b"b"), Since("alarms_in_layers", DeleteRangeResult(5, 1), USER_EMPTY)),
        as_user(op.UserList(), Since("alarms_in_layers", UserListResult(5, ("root", "u")), PERMISSION_DENIED)),
        (op.As(BAD, op.DeleteRange(b"b")), INVALID_AUTH_TOKEN),
        as_root(
            op.Alarm(op.AlarmAction.DEACTIVATE, op.MEMBER_ID, op.AlarmType.NOSPACE),
            Since("alarms_in_layers", alarms(5, RAISED), alarms(3, RAISED)),
        ),
        as_user(op.DeleteRange(b"a"), PERMISSION_DENIED),
        (op.DeleteRange(b"b"), USER_EMPTY),
    ),
)


MAINTENANCE_GUARDS = (*_MAINTENANCE, *_ALARMED)
