"""Operations in words: etcd's nouns, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from etcd_lockstep.console.wording.values import (
    keys,
    leader_in_words,
    lease_in_words,
    number_in_words,
    permission_in_words,
    quoted,
    quoted_text,
)
from etcd_lockstep.names import operation_name, spelled
from etcd_lockstep.trace import LeaseOf, RevisionAt, TokenOf
from etcd_model.exhaustive import assert_never
from etcd_model.operations import (
    Advance,
    Alarm,
    As,
    AuthDisable,
    AuthEnable,
    Authenticate,
    AuthOperation,
    AuthStatus,
    Campaign,
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    Defragment,
    DeleteRange,
    Downgrade,
    Hash,
    HashKV,
    Leader,
    LeaderKey,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseOperation,
    LeaseRevoke,
    LeaseTimeToLive,
    Lock,
    LockOperation,
    MaintenanceOperation,
    MemberAdd,
    MemberList,
    MemberPromote,
    MemberRemove,
    MemberUpdate,
    MoveLeader,
    Observe,
    Operation,
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
    WatchOperation,
    WatchProgress,
    WatchRead,
)
from etcd_model.ranges import FROM_KEY

_COMPARISONS = {
    CompareResult.EQUAL: "=",
    CompareResult.GREATER: ">",
    CompareResult.LESS: "<",
    CompareResult.NOT_EQUAL: "≠",
}


def operation_in_words(operation: Operation) -> str:
    """The operation's name and what it asks for, in one line: `put "a" = "1", lease of step 2`."""
    name = operation_name(type(operation))
    match operation:
        case Put():
            value = "" if operation.ignore_value and not operation.value else f" = {quoted(operation.value)}"
            return _join(f"put {quoted(operation.key)}{value}", _options(operation, "key", "value"))
        case Range() | DeleteRange():
            subject = f"{name} {keys(operation.key, operation.range_end)}"
            return _join(subject, _options(operation, "key", "range_end"))
        case Txn():
            return f"txn {_txn(operation)}"
        case Compact():
            return _join(f"compact {number_in_words(operation.revision)}", _options(operation, "revision"))
        case As():
            return f"{_sender(operation.token)}: {operation_in_words(operation.operation)}"
        case LeaseGrant() | LeaseRevoke() | LeaseKeepAlive() | LeaseTimeToLive() | LeaseLeases() | Advance():
            return _lease_operation(operation)
        case WatchCreate() | WatchCancel() | WatchProgress() | WatchRead() | WatchClose():
            return _watch_operation(operation)
        case Lock() | Unlock() | Campaign() | Proclaim() | Leader() | Observe() | Resign():
            return _lock_operation(operation)
        case (
            Status()
            | Alarm()
            | Defragment()
            | Hash()
            | HashKV()
            | Snapshot()
            | MoveLeader()
            | Downgrade()
            | MemberList()
            | MemberAdd()
            | MemberRemove()
            | MemberUpdate()
            | MemberPromote()
        ):
            return _maintenance_operation(operation)
        case _:
            return _auth_operation(operation)


def _sender(token: str) -> str:
    if isinstance(token, TokenOf):
        return f"as the user of step {token.step}"
    return f"with the token {quoted_text(token)}"


def _lease_operation(operation: LeaseOperation) -> str:
    name = operation_name(type(operation))
    match operation:
        case LeaseGrant():
            return _join(f"{name} ttl {operation.ttl}", _options(operation, "ttl"))
        case LeaseTimeToLive():
            return _join(f"{name} {lease_in_words(operation.id)}", _options(operation, "id"))
        case LeaseRevoke() | LeaseKeepAlive():
            return f"{name} {lease_in_words(operation.id)}"
        case LeaseLeases():
            return name
        case Advance():
            return f"{name} {operation.seconds} s"
        case _:
            assert_never(operation)


def _watch_operation(operation: WatchOperation) -> str:
    name, stream = operation_name(type(operation)), f"stream {operation.stream}"
    match operation:
        case WatchCreate(start_revision=start):
            since = f" from {start if isinstance(start, RevisionAt) else f'revision {start}'}" if start else ""
            watched = keys(operation.key, operation.range_end).removesuffix(" on")
            onwards = "onwards " if operation.range_end == FROM_KEY else ""
            subject = f"watch {watched} {onwards}on {stream}{since}"
            return _join(subject, _options(operation, "key", "range_end", "start_revision", "stream"))
        case WatchCancel():
            return f"{name} of watcher {operation.watch_id} on {stream}"
        case WatchProgress():
            return f"{name} on {stream}"
        case WatchRead() | WatchClose():
            return f"{name} {stream}"
        case _:
            assert_never(operation)


def _auth_operation(operation: AuthOperation) -> str:
    name = operation_name(type(operation))
    match operation:
        case AuthEnable() | AuthDisable() | AuthStatus() | UserList() | RoleList():
            return name
        case Authenticate() | UserChangePassword():
            return f"{name} {quoted_text(operation.name)} with the password {quoted_text(operation.password)}"
        case UserAdd():
            password = f" with the password {quoted_text(operation.password)}"
            subject = f"{name} {quoted_text(operation.name)}"
            told = operation.password or not operation.no_password
            return _join(subject + password if told else subject, _options(operation, "name", "password"))
        case UserGet() | UserDelete() | RoleAdd():
            return f"{name} {quoted_text(operation.name)}"
        case RoleGet() | RoleDelete():
            return f"{name} {quoted_text(operation.role)}"
        case UserGrantRole():
            return f"{name} {quoted_text(operation.role)} to {quoted_text(operation.user)}"
        case UserRevokeRole():
            return f"{name} {quoted_text(operation.role)} of {quoted_text(operation.name)}"
        case RoleGrantPermission(perm=perm):
            what = permission_in_words(perm) if perm is not None else "without one"
            return f"{name} {what} to {quoted_text(operation.name)}"
        case RoleRevokePermission():
            return f"{name} {keys(operation.key, operation.range_end)} of {quoted_text(operation.role)}"
        case _:
            assert_never(operation)


def _maintenance_operation(operation: MaintenanceOperation) -> str:
    name = operation_name(type(operation))
    match operation:
        case Status() | Defragment() | Hash() | Snapshot():
            return name
        case HashKV() | MemberList():
            return _join(name, _options(operation))
        case Alarm():
            (action,) = spelled(Alarm, "action", operation.action)
            return _join(f"{name} {action}", _options(operation, "action"))
        case Downgrade():
            (action,) = spelled(Downgrade, "action", operation.action)
            return f"{name} {action} {quoted_text(operation.version)}"
        case MoveLeader():
            return f"{name} to member {operation.target_id}"
        case MemberAdd():
            urls = " ".join(map(quoted_text, operation.peer_urls)) or "without a URL"
            return _join(f"{name} {urls}", _options(operation, "peer_urls"))
        case MemberUpdate():
            urls = " ".join(map(quoted_text, operation.peer_urls)) or "no URL"
            return f"{name} member {operation.id} to {urls}"
        case MemberRemove() | MemberPromote():
            return f"{name} member {operation.id}"
        case _:
            assert_never(operation)


def _lock_operation(operation: LockOperation) -> str:
    name = operation_name(type(operation))
    match operation:
        case Lock():
            return _join(f"{name} {quoted(operation.name)}", _options(operation, "name"))
        case Campaign():
            subject = f"{name} {quoted(operation.name)} = {quoted(operation.value)}"
            return _join(subject, _options(operation, "name", "value"))
        case Unlock():
            return f"{name} {quoted(operation.key)}"
        case Leader() | Observe():
            return f"{name} {quoted(operation.name)}"
        case Proclaim():
            return f"{name} {quoted(operation.value)} {_as_leader(operation.leader)}"
        case Resign():
            return f"{name} {_as_leader(operation.leader)}"
        case _:
            assert_never(operation)


def _as_leader(leader: LeaderKey | None) -> str:
    return "as nobody" if leader is None else f"as {leader_in_words(leader)}"


def _join(subject: str, options: Iterator[str]) -> str:
    return ", ".join((subject, *options))


def _options(operation: Operation, *said: str) -> Iterator[str]:
    """The fields that are set, other than those said already."""
    for field in fields(operation):
        value = getattr(operation, field.name)
        if field.name in said or value == field.default:
            continue
        match field.name, value:
            case _, True:
                yield field.name
            case "sort_order" | "sort_target" | "alarm" | "filters" as name, numbers:
                yield f"{name} {' '.join(spelled(type(operation), name, numbers))}"
            case "lease", lease:
                yield lease_in_words(lease)
            case name, number:
                yield f"{name} {number_in_words(number)}"


def _txn(operation: Txn) -> str:
    condition = " and ".join(map(_compare, operation.compare))
    parts = [f"if {condition}" if condition else ""]
    for word, branch in (("then", operation.success), ("else", operation.failure)):
        if branch:
            parts.append(f"{word} {{{'; '.join(_counted(branch))}}}")
    return " ".join(part for part in parts if part) or "with nothing in it"


def _counted(branch: tuple[Operation, ...]) -> Iterator[str]:
    """Equal neighbours once, with their number."""
    number = 0
    for index, operation in enumerate(branch):
        number += 1
        if index + 1 == len(branch) or branch[index + 1] != operation:
            yield operation_in_words(operation) + (f" × {number}" if number > 1 else "")
            number = 0


def _compare(compare: Compare) -> str:
    known = compare.target in list(CompareTarget) and compare.result in list(CompareResult)
    target = CompareTarget(compare.target).name.lower() if known else f"target {compare.target:d}"
    sign = _COMPARISONS[CompareResult(compare.result)] if known else f"result {compare.result:d}"
    operand = compare.operand
    if isinstance(operand, bytes):
        said = quoted(operand)
    elif compare.target == CompareTarget.LEASE and isinstance(operand, LeaseOf):
        said = f"({operand})"
    else:
        said = number_in_words(operand)
    return f"{target} of {keys(compare.key, compare.range_end)} {sign} {said}"
