"""The Maintenance and Cluster services, as far as a cluster of one member goes.

What would change the cluster's version for good is answered here as if nothing came of it: such calls are
`crash_reason`, and sent to nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from etcd_model import membership
from etcd_model import operations as op
from etcd_model.auth.permission import Asker, caller, check_admin, check_user
from etcd_model.errors import (
    BAD_LEADER_TRANSFEREE,
    INVALID_DOWNGRADE_TARGET_VERSION,
    MEMBER_BAD_URLS,
    NO_INFLIGHT_DOWNGRADE,
    UNKNOWN_METHOD,
    WRONG_DOWNGRADE_VERSION_FORMAT,
    Error,
    unimplemented,
    unmapped,
)
from etcd_model.exhaustive import assert_never
from etcd_model.history_hash import hash_kv
from etcd_model.quirks import Quirks, parse_version
from etcd_model.results import (
    AlarmMember,
    AlarmResult,
    DowngradeResult,
    MaintenanceResult,
    Result,
    SnapshotResult,
    StatusResult,
)
from etcd_model.state import State


def step(state: State, operation: op.MaintenanceOperation) -> tuple[State, Result]:
    """Who asks, then what is asked."""
    error = _refusal(state, operation) if state.auth.enabled or state.sender.has_token else None
    match operation:
        case op.Downgrade() if not state.server.quirks.downgrade:
            return state, unimplemented("etcdserverpb.Maintenance", "Downgrade")
        case op.MemberAdd() if not membership.may_be_taken(operation.peer_urls, state.server.quirks):
            return state, MEMBER_BAD_URLS
        case _ if error:
            return state, error
        case op.Status():
            return state, _status(state)
        case op.Alarm():
            return _alarm(state, operation)
        case op.Defragment():
            return state, MaintenanceResult()
        case op.Hash():
            return state, MaintenanceResult(state.revision)
        case op.HashKV():
            return hash_kv(state, operation)
        case op.Snapshot():
            return state, SnapshotResult()
        case op.MoveLeader():
            votes = membership.votes(state, operation.target_id)
            return state, MaintenanceResult() if votes else BAD_LEADER_TRANSFEREE
        case op.Downgrade():
            return state, _downgrade(state, operation)
        case op.MemberList() | op.MemberAdd() | op.MemberRemove() | op.MemberUpdate() | op.MemberPromote():
            return membership.step(state, operation)
        case _:
            assert_never(operation)


Check = Callable[[State, Asker], Error | None]


def _refusal(state: State, operation: op.MaintenanceOperation) -> Error | None:
    """Whom each call is for (etcd server/etcdserver/api/v3rpc/maintenance.go, authMaintenanceServer; server.go,
    checkMembershipOperationPermission). Calls that are for anybody don't look at the token either, but for Alarm,
    which goes through raft."""
    check = _guard(operation, state.server.quirks)
    if check is None and not isinstance(operation, op.Alarm):
        return None
    asker = caller(state, state.sender)
    error = asker if isinstance(asker, Error) else check(state, asker) if check else None
    if error and _is_unmapped(operation, state.server.quirks):
        return unmapped(error)
    return error


def _is_unmapped(operation: op.MaintenanceOperation, quirks: Quirks) -> bool:
    """Whether a refusal goes out as it is. An Alarm that is for anybody is one that 3.4 just hands on."""
    match operation:
        case op.Hash() | op.HashKV() | op.Defragment() | op.Snapshot():
            return not quirks.maintenance_errors_mapped
        case op.Alarm():
            return not quirks.alarm_has_header and not quirks.leases_and_compaction_guarded
        case _:
            return False


def _guard(operation: op.MaintenanceOperation, quirks: Quirks) -> Check | None:
    match operation:
        case op.Status():
            if quirks.status_open_to_users:
                return check_user
            return check_admin if quirks.status_guarded else None
        case op.MoveLeader() | op.Downgrade():
            return check_admin if quirks.status_guarded else None
        case op.Alarm():
            if quirks.alarms_open_to_users and operation.action == op.AlarmAction.GET:
                return check_user
            return check_admin if quirks.leases_and_compaction_guarded else None
        case op.MemberList():
            return check_user if quirks.member_list_guarded else None
        case _:
            return check_admin


def _status(state: State) -> StatusResult:
    quirks = state.server.quirks
    return StatusResult(
        state.revision,
        quirks.version,
        errors=tuple(_text(alarm, quirks) for alarm in _in_order(state.alarms)),
        storage_version=cluster_version(quirks) if quirks.storage_version else "",
    )


def cluster_version(quirks: Quirks) -> str:
    """That of a cluster whose members are all of one version: `3.6.0`, whatever the patch."""
    major, minor, _ = parse_version(quirks.version)
    return f"{major}.{minor}.0"


def _text(alarm: AlarmMember, quirks: Quirks) -> str:
    """An alarm as protobuf's text format spells it: zeros are left out, and what is left is followed by a space, or
    separated by one."""
    fields = [f"memberID:{alarm.member_id}"] if alarm.member_id else []
    if alarm.alarm:
        fields.append(f"alarm:{_ALARM_NAMES.get(alarm.alarm, alarm.alarm)}")
    return " ".join(fields) if quirks.alarm_text_trimmed else "".join(f"{field} " for field in fields)


_ALARM_NAMES = {int(alarm): alarm.name for alarm in op.AlarmType}


def _in_order(alarms: frozenset[AlarmMember]) -> tuple[AlarmMember, ...]:
    """etcd's order is that of a Go map."""
    return tuple(sorted(alarms, key=lambda alarm: (alarm.alarm, alarm.member_id)))


def _alarm(state: State, operation: op.Alarm) -> tuple[State, AlarmResult]:
    """An alarm is activated or deactivated for any member, be there one of that id or not
    (etcd server/etcdserver/apply/apply.go, Alarm; api/v3alarm/alarms.go)."""
    quirks = state.server.quirks
    revision = state.revision if quirks.alarm_has_header else 0
    named = AlarmMember(operation.member_id, operation.alarm)
    match operation.action:
        case op.AlarmAction.GET:
            of_type = {alarm for alarm in state.alarms if operation.alarm in (op.AlarmType.NONE, alarm.alarm)}
            return state, AlarmResult(revision, _in_order(frozenset(of_type)))
        case op.AlarmAction.ACTIVATE if operation.alarm != op.AlarmType.NONE or not quirks.alarm_none_ignored:
            return raised(state, named), AlarmResult(revision, (named,))
        case op.AlarmAction.DEACTIVATE if named in state.alarms:
            return _with_alarms(state, named.alarm, state.alarms - {named}), AlarmResult(revision, (named,))
        case _:
            return state, AlarmResult(revision)


def raised(state: State, alarm: AlarmMember) -> State:
    """An alarm that is raised already stays as it is."""
    return state if alarm in state.alarms else _with_alarms(state, alarm.alarm, state.alarms | {alarm})


def _with_alarms(state: State, changed: int, after: frozenset[AlarmMember]) -> State:
    return replace(state, alarms=after, refusing=_refusing(state, changed, after))


def _refusing(state: State, changed: int, after: frozenset[AlarmMember]) -> frozenset[int]:
    """`Quirks.alarms_in_layers`; before, only the first alarm of a type and the last one that goes mattered."""
    kinds = {alarm.alarm for alarm in after} & _REFUSING
    if state.server.quirks.alarms_in_layers:
        return frozenset(kinds)
    were = {alarm.alarm for alarm in state.alarms} & _REFUSING
    if (changed in kinds) == (changed in were):
        return state.refusing
    return frozenset({changed}) if changed in kinds else frozenset()


_REFUSING = frozenset({op.AlarmType.NOSPACE, op.AlarmType.CORRUPT})


def _downgrade(state: State, operation: op.Downgrade) -> DowngradeResult | Error:
    """One minor version down is possible (etcd server/etcdserver/v3_server.go, Downgrade; version/version.go)."""
    quirks = state.server.quirks
    major, minor, _ = parse_version(quirks.version)
    reported = f"{major}.{minor}" if quirks.downgrade_reports_minor else cluster_version(quirks)
    match operation.action:
        case op.DowngradeAction.VALIDATE | op.DowngradeAction.ENABLE:
            target = re.fullmatch(r"(\d+)\.(\d+)(\.\d+([-+].*)?)?", operation.version, re.ASCII)
            if target is None:
                return WRONG_DOWNGRADE_VERSION_FORMAT
            if (int(target[1]), int(target[2])) != (major, minor - 1):
                return INVALID_DOWNGRADE_TARGET_VERSION
            return DowngradeResult(state.revision, reported)
        case op.DowngradeAction.CANCEL:
            return (
                DowngradeResult(state.revision, reported) if quirks.downgrade_reports_minor else NO_INFLIGHT_DOWNGRADE
            )
        case _:
            return UNKNOWN_METHOD


def changes_cluster(state: State, operation: op.MaintenanceOperation) -> str | None:
    """Why a call would be the end of the cluster, or leave it another one, if it would."""
    match operation:
        case op.MemberAdd() | op.MemberUpdate() | op.MoveLeader():
            why = membership.changes_for_good(state, operation)
        case op.Downgrade(action=op.DowngradeAction.ENABLE):
            why = "a cluster that is being downgraded refuses the version it runs"
        case _:
            return None
    return why if why and not isinstance(step(state, operation)[1], Error) else None
