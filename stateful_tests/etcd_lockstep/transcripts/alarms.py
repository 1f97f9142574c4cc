"""Alarms: how they are raised and taken back, and what they refuse."""

from __future__ import annotations

from etcd_lockstep.trace import RevisionAt
from etcd_lockstep.transcripts.maintenance import alarms, status
from etcd_lockstep.transcripts.transcript import Since, Step, kv, says
from etcd_model import operations as op
from etcd_model.errors import (
    CORRUPT,
    DUPLICATE_KEY,
    EMPTY_KEY,
    LEASE_NOT_FOUND,
    NO_SPACE,
    Code,
    Error,
)
from etcd_model.results import (
    AuthResult,
    CompactResult,
    DeleteRangeResult,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    MaintenanceResult,
    Member,
    MemberListResult,
    PutResult,
    RangeResult,
    TxnResult,
)

SPACE, ROT = op.AlarmType.NOSPACE, op.AlarmType.CORRUPT
THE_MEMBER, NOBODY = op.MEMBER_ID, 5
A1 = kv(b"a", b"1", 2, 2, 1)


def activate(alarm: int, revision: int, member: int = THE_MEMBER) -> Step:
    return op.Alarm(op.AlarmAction.ACTIVATE, member, alarm), alarms(revision, (member, alarm))


def deactivate(alarm: int, revision: int, member: int = THE_MEMBER) -> Step:
    return op.Alarm(op.AlarmAction.DEACTIVATE, member, alarm), alarms(revision, (member, alarm))


def untold(error: Error) -> Error:
    return Error(Code.UNKNOWN, error.message)


TAKEN = op.Compare(b"a", op.CompareTarget.VERSION, op.CompareResult.GREATER, 0)

_RAISING = (
    says(
        "an alarm is raised once, reported as often as it is asked for, and taken back once",
        (op.Alarm(), alarms(1)),
        (op.Status(), status(1)),
        activate(SPACE, 1),
        activate(SPACE, 1),
        (op.Alarm(), alarms(1, (THE_MEMBER, SPACE))),
        (op.Status(), status(1, "memberID:1 alarm:NOSPACE")),
        deactivate(SPACE, 1),
        (op.Alarm(op.AlarmAction.DEACTIVATE, THE_MEMBER, SPACE), alarms(1)),
        (op.Alarm(), alarms(1)),
        (op.Status(), status(1)),
    ),
    says(
        "alarms are asked for by their type, and for all members",
        activate(SPACE, 1),
        activate(ROT, 1, NOBODY),
        (op.Alarm(), alarms(1, (THE_MEMBER, SPACE), (NOBODY, ROT))),
        (op.Alarm(alarm=ROT), alarms(1, (NOBODY, ROT))),
        (op.Alarm(member_id=404, alarm=SPACE), alarms(1, (THE_MEMBER, SPACE))),
        (op.Alarm(alarm=9), alarms(1)),
        (op.Status(), status(1, "memberID:1 alarm:NOSPACE", "memberID:5 alarm:CORRUPT")),
    ),
    says(
        "an alarm may be that of a member that there is not, or of none, and refuses the same",
        activate(SPACE, 1, NOBODY),
        (op.Put(b"a"), NO_SPACE),
        activate(SPACE, 1, 0),
        (op.Status(), status(1, "alarm:NOSPACE", "memberID:5 alarm:NOSPACE")),
        deactivate(SPACE, 1, NOBODY),
        (op.Put(b"a"), NO_SPACE),
        (op.Alarm(op.AlarmAction.DEACTIVATE, THE_MEMBER, SPACE), alarms(1)),
        (op.Put(b"a"), NO_SPACE),
        deactivate(SPACE, 1, 0),
        (op.Put(b"a"), PutResult(2)),
    ),
    says(
        "an alarm of no type could be raised in 3.4, and refuses nothing",
        (
            op.Alarm(op.AlarmAction.ACTIVATE, THE_MEMBER, op.AlarmType.NONE),
            Since("alarm_none_ignored", alarms(1, (THE_MEMBER, 0)), alarms(1)),
        ),
        (op.Alarm(), Since("alarm_none_ignored", alarms(1, (THE_MEMBER, 0)), alarms(1))),
        (op.Status(), Since("alarm_none_ignored", status(1, "memberID:1"), status(1))),
        (op.Put(b"a"), PutResult(2)),
    ),
    says(
        "an alarm of a type that there is not can be raised in 3.6, and refuses nothing",
        activate(9, 1),
        (op.Alarm(alarm=9), alarms(1, (THE_MEMBER, 9))),
        (op.Status(), status(1, "memberID:1 alarm:9")),
        (op.Put(b"a"), PutResult(2)),
        deactivate(9, 2),
        needs="alarms_in_layers",
    ),
)

_REFUSING = (
    says(
        "where there is no space, nothing is put and no lease is granted, and all else goes on",
        (op.LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        (op.Put(b"a", b"1"), PutResult(2)),
        (op.Put(b"b", b"1", lease=7), PutResult(3)),
        (op.Put(b"c", b"1"), PutResult(4)),
        activate(SPACE, 4),
        (op.Put(b"a", b"2"), NO_SPACE),
        (op.Put(b"a", b"1"), NO_SPACE),
        (op.LeaseGrant(60), NO_SPACE),
        (op.Lock(b"n", 7), untold(NO_SPACE)),
        (op.Range(b"a"), RangeResult(4, (A1,), count=1)),
        (op.DeleteRange(b"c"), DeleteRangeResult(5, 1)),
        (op.Txn(success=(op.Range(b"a"),)), TxnResult(5, True, (RangeResult(5, (A1,), count=1),))),
        (
            op.Txn((TAKEN,), (op.DeleteRange(b"c"), op.Txn())),
            TxnResult(5, True, (DeleteRangeResult(5), TxnResult(0, True))),
        ),
        (op.Compact(RevisionAt(4)), CompactResult(5)),
        (op.LeaseKeepAlive(7), LeaseKeepAliveResult(5, 7, 60)),
        (op.LeaseRevoke(7), LeaseRevokeResult(6)),
        (op.RoleAdd("r"), AuthResult(6)),
        (op.Defragment(), MaintenanceResult(0)),
        (op.Put(b"a", b"2"), NO_SPACE),
        deactivate(SPACE, 6),
        (op.Put(b"a", b"2"), PutResult(7)),
    ),
    says(
        "a txn with a put in it has no space, whether the put would be done or not; nested ones had, until 3.6",
        (op.Put(b"a", b"1"), PutResult(2)),
        activate(SPACE, 2),
        (op.Txn((TAKEN,), (op.Put(b"a", b"2"),)), NO_SPACE),
        (op.Txn((TAKEN,), (op.Range(b"a"),), (op.Put(b"a", b"2"),)), NO_SPACE),
        (
            op.Txn(success=(op.Txn(success=(op.Put(b"b", b"1"),)),)),
            Since("nested_puts_cost", TxnResult(3, True, (TxnResult(0, True, (PutResult(3),)),)), NO_SPACE),
        ),
    ),
    says(
        "that there is no space is reported after what is wrong with the request, and before what is not there",
        (op.LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        activate(SPACE, 1),
        (op.Put(b""), EMPTY_KEY),
        (op.Txn(success=(op.Put(b"a"), op.Put(b"a"))), DUPLICATE_KEY),
        (op.Put(b"a", lease=404), NO_SPACE),
        (op.Put(b"a", ignore_value=True), NO_SPACE),
        (op.LeaseGrant(60, id=7), NO_SPACE),
        (op.LeaseGrant(9_000_000_001), NO_SPACE),
    ),
    says(
        "a corrupt cluster refuses all that writes, compacts, or touches leases, and reads and is managed",
        (op.LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        (op.Put(b"a", b"1"), PutResult(2)),
        activate(ROT, 2),
        *(
            (operation, CORRUPT)
            for operation in (
                op.Put(b"a"),
                op.Put(b"a", lease=404),
                op.DeleteRange(b"none"),
                op.Txn(success=(op.Put(b"a"),)),
                op.Txn(success=(op.DeleteRange(b"none"),)),
                op.Txn(success=(op.Txn(),)),
                op.Compact(0),
                op.LeaseGrant(60),
                op.LeaseRevoke(7),
                op.LeaseRevoke(404),
            )
        ),
        (op.Lock(b"n", 7), untold(CORRUPT)),
        (op.Unlock(b"n/7"), untold(CORRUPT)),
        (op.Put(b""), EMPTY_KEY),
        (op.Txn(success=(op.Put(b"a"), op.Put(b"a"))), DUPLICATE_KEY),
        (op.Range(b"a"), RangeResult(2, (A1,), count=1)),
        (op.Txn(), TxnResult(2, True)),
        (op.Txn(success=(op.Range(b"a"),)), TxnResult(2, True, (RangeResult(2, (A1,), count=1),))),
        (op.LeaseKeepAlive(7), LeaseKeepAliveResult(2, 7, 60)),
        (op.LeaseLeases(), LeaseLeasesResult(2, (7,))),
        (op.RoleAdd("r"), AuthResult(2)),
        (op.MemberList(), MemberListResult(0, (Member(op.MEMBER_ID),))),
        (op.Defragment(), MaintenanceResult(0)),
        (op.Status(), status(2, "memberID:1 alarm:CORRUPT")),
        deactivate(ROT, 2),
        (op.LeaseRevoke(404), LEASE_NOT_FOUND),
        (op.Put(b"a", b"2"), PutResult(3)),
    ),
    says(
        "of two alarms only the last raised refused anything, and to take it back ended that; in 3.6 each refuses",
        (op.Put(b"a", b"1"), PutResult(2)),
        activate(ROT, 2),
        activate(SPACE, 2),
        (op.Put(b"a"), Since("alarms_in_layers", NO_SPACE, CORRUPT)),
        (op.DeleteRange(b"none"), Since("alarms_in_layers", DeleteRangeResult(2), CORRUPT)),
        deactivate(SPACE, 2),
        (op.Put(b"a", b"2"), Since("alarms_in_layers", PutResult(3), CORRUPT)),
    ),
    says(
        "a corrupt cluster without space is corrupt first, and then without space where that still counts",
        (op.Put(b"a", b"1"), PutResult(2)),
        activate(SPACE, 2),
        activate(ROT, 2),
        (op.Put(b"a"), CORRUPT),
        deactivate(ROT, 2),
        (op.Put(b"a", b"2"), Since("alarms_in_layers", PutResult(3), NO_SPACE)),
        (op.Alarm(), Since("alarms_in_layers", alarms(3, (THE_MEMBER, SPACE)), alarms(2, (THE_MEMBER, SPACE)))),
    ),
)

ALARMS = (*_RAISING, *_REFUSING)
