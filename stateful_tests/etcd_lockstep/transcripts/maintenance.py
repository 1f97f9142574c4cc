"""The Maintenance and Cluster services of a cluster of one, but for alarms."""

from __future__ import annotations

from etcd_lockstep.transcripts.transcript import Answer, ByVersion, Since, kv, says
from etcd_model import operations as op
from etcd_model.errors import (
    BAD_LEADER_TRANSFEREE,
    INVALID_DOWNGRADE_TARGET_VERSION,
    MEMBER_BAD_URLS,
    MEMBER_NOT_FOUND,
    MEMBER_NOT_LEARNER,
    NO_INFLIGHT_DOWNGRADE,
    NOT_ENOUGH_STARTED,
    UNKNOWN_METHOD,
    WRONG_DOWNGRADE_VERSION_FORMAT,
    unimplemented,
)
from etcd_model.quirks import Quirks, parse_version
from etcd_model.results import (
    AlarmMember,
    AlarmResult,
    DowngradeResult,
    MaintenanceResult,
    Member,
    MemberListResult,
    PutResult,
    RangeResult,
    Result,
    SnapshotResult,
    StatusResult,
)

INTACT = SnapshotResult()
MEMBERS = MemberListResult(0, (Member(op.MEMBER_ID),))
NO_DOWNGRADE = unimplemented("etcdserverpb.Maintenance", "Downgrade")


def series(quirks: Quirks) -> str:
    """`3.6` of 3.6.16."""
    major, minor, _ = parse_version(quirks.version)
    return f"{major}.{minor}"


def status(revision: int, *errors: str) -> ByVersion:
    def reported(quirks: Quirks) -> StatusResult:
        storage = f"{series(quirks)}.0" if quirks.storage_version else ""
        return StatusResult(revision, quirks.version, errors=errors, storage_version=storage)

    return ByVersion(reported)


def alarms(revision: int, *raised: tuple[int, int]) -> Since:
    """The answer to an Alarm, whose header came later than the call."""
    members = tuple(AlarmMember(member_id, alarm) for member_id, alarm in raised)
    return Since("alarm_has_header", AlarmResult(0, members), AlarmResult(revision, members))


def downgraded(lower: str) -> Answer:
    """The answer to who asks whether this version can go down to that one."""

    def reported(quirks: Quirks) -> Result:
        major, minor, _ = parse_version(quirks.version)
        if lower != f"{major}.{minor - 1}":
            return INVALID_DOWNGRADE_TARGET_VERSION
        return DowngradeResult(1, series(quirks) if quirks.downgrade_reports_minor else f"{series(quirks)}.0")

    return Since("downgrade", NO_DOWNGRADE, ByVersion(reported))


VALIDATE, CANCEL = op.DowngradeAction.VALIDATE, op.DowngradeAction.CANCEL

MAINTENANCE = (
    says(
        "the status reports the version, whether the member leads, and since 3.6 the version of the storage",
        (op.Status(), status(1)),
        (op.Put(b"a", b"1"), PutResult(2)),
        (op.Status(), status(2)),
    ),
    says(
        "hashing, defragmenting and copying a store changes nothing in it",
        (op.Put(b"a", b"1"), PutResult(2)),
        (op.Hash(), MaintenanceResult(2)),
        (op.Defragment(), MaintenanceResult(0)),
        (op.Snapshot(), INTACT),
        (op.Hash(), MaintenanceResult(2)),
        (op.Range(b"a"), RangeResult(2, (kv(b"a", b"1", 2, 2, 1),), count=1)),
        (op.Put(b"a", b"2"), PutResult(3)),
    ),
    says(
        "there is one member, which leads, and can't be removed or promoted",
        *((op.MemberList(linearizable), MEMBERS) for linearizable in (False, True)),
        (op.MoveLeader(op.MEMBER_ID), MaintenanceResult(0)),
        *((op.MoveLeader(member), BAD_LEADER_TRANSFEREE) for member in (0, 404)),
        (op.MemberRemove(op.MEMBER_ID), NOT_ENOUGH_STARTED),
        (op.MemberPromote(op.MEMBER_ID), MEMBER_NOT_LEARNER),
        *(
            (operation(member), MEMBER_NOT_FOUND)
            for operation in (op.MemberRemove, op.MemberPromote, op.MemberUpdate)
            for member in (0, 404)
        ),
        (op.MemberUpdate(404, ("x",)), MEMBER_NOT_FOUND),
        (op.MemberList(), MEMBERS),
    ),
    says(
        "a member without a proper URL is not added",
        *(
            (op.MemberAdd(urls, is_learner), MEMBER_BAD_URLS)
            for urls in (
                (),
                ("",),
                ("x",),
                ("http://127.0.0.1",),
                ("http://127.0.0.1:1/a",),
                ("ftp://127.0.0.1:1",),
                ("http://127.0.0.1:1", "x"),
            )
            for is_learner in (False, True)
        ),
        (op.MemberList(), MEMBERS),
    ),
    says(
        "a cluster can go down to the minor version before its own, and to no other",
        *(
            (op.Downgrade(VALIDATE, version), Since("downgrade", NO_DOWNGRADE, WRONG_DOWNGRADE_VERSION_FORMAT))
            for version in ("", "x", "3")
        ),
        *((op.Downgrade(VALIDATE, f"3.{minor}.0"), downgraded(f"3.{minor}")) for minor in (0, 3, 4, 5, 6, 7, 8)),
        *((op.Downgrade(VALIDATE, f"3.{minor}"), downgraded(f"3.{minor}")) for minor in (4, 5, 6)),
        (op.Downgrade(VALIDATE, "2.4.0"), downgraded("2.4")),
    ),
    says(
        "where no downgrade is on there is none to cancel, which since 3.6 is no error",
        (
            op.Downgrade(CANCEL),
            Since(
                "downgrade",
                NO_DOWNGRADE,
                Since(
                    "downgrade_reports_minor",
                    NO_INFLIGHT_DOWNGRADE,
                    ByVersion(lambda quirks: DowngradeResult(1, series(quirks))),
                ),
            ),
        ),
        (op.Downgrade(9), Since("downgrade", NO_DOWNGRADE, UNKNOWN_METHOD)),
    ),
)
