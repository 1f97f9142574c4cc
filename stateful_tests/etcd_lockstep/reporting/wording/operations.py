"""Operations in words: etcd's nouns, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from etcd_lockstep.names import operation_name, spelled
from etcd_lockstep.reporting.wording.values import (
    keys,
    leader_in_words,
    lease_in_words,
    number_in_words,
    permission_in_words,
    quoted,
    quoted_text,
)
from etcd_lockstep.trace import AuthRevision, LeaseOf, RevisionAt, TokenOf
from etcd_model import operations as op
from etcd_model.exhaustive import assert_never
from etcd_model.ranges import FROM_KEY

_COMPARISONS = {
    op.CompareResult.EQUAL: "=",
    op.CompareResult.GREATER: ">",
    op.CompareResult.LESS: "<",
    op.CompareResult.NOT_EQUAL: "≠",
}


def operation_in_words(operation: op.Operation) -> str:
    """The operation's name and what it asks for, in one line: `put "a" = "1", lease of step 2`."""
    name = operation_name(type(operation))
    match operation:
        case op.Put():
            value = "" if operation.ignore_value and not operation.value else f" = {quoted(operation.value)}"
            return _join(f"put {quoted(operation.key)}{value}", _options(operation, "key", "value"))
        case op.Range() | op.DeleteRange():
            subject = f"{name} {keys(operation.key, operation.range_end)}"
            return _join(subject, _options(operation, "key", "range_end"))
        case op.Txn():
            return f"txn {_txn(operation)}"
        case op.Compact():
            return _join(f"compact {number_in_words(operation.revision)}", _options(operation, "revision"))
        case op.As():
            return f"{_sender(operation)}: {operation_in_words(operation.operation)}"
        case (
            op.LeaseGrant()
            | op.LeaseRevoke()
            | op.LeaseKeepAlive()
            | op.LeaseTimeToLive()
            | op.LeaseLeases()
            | op.Advance()
        ):
            return _lease_operation(operation)
        case op.WatchCreate() | op.WatchCancel() | op.WatchProgress() | op.WatchRead() | op.WatchClose():
            return _watch_operation(operation)
        case op.Lock() | op.Unlock() | op.Campaign() | op.Proclaim() | op.Leader() | op.Observe() | op.Resign():
            return _lock_operation(operation)
        case (
            op.Status()
            | op.Alarm()
            | op.Defragment()
            | op.Hash()
            | op.HashKV()
            | op.Snapshot()
            | op.MoveLeader()
            | op.Downgrade()
            | op.MemberList()
            | op.MemberAdd()
            | op.MemberRemove()
            | op.MemberUpdate()
            | op.MemberPromote()
        ):
            return _maintenance_operation(operation)
        case _:
            return _auth_operation(operation)


def _sender(operation: op.As) -> str:
    by = [f"with the certificate of {quoted_text(operation.certificate)}"] if operation.certificate else []
    scheme = f", after {quoted_text(operation.scheme)}" if operation.scheme else ""
    field = ", in the metadata authorization" if operation.authorization else ""
    if operation.claims is not None:
        by.append(_claimed(operation.claims))
    elif isinstance(operation.token, TokenOf):
        by.append(f"as the user of step {operation.token.step}{scheme}{field}")
    elif operation.token or not by:
        by.append(f"with the token {quoted_text(operation.token)}{scheme}{field}")
    return " and ".join(by)


def _claimed(claims: op.Claims) -> str:
    wrong = [flaw for flaw in ("expired", "forged") if getattr(claims, flaw)]
    token = f"with {' and '.join(['a signed', *wrong])} token for {quoted_text(claims.username)}"
    return token if claims.revision == AuthRevision() else f"{token} of {claims.revision}"


def _lease_operation(operation: op.LeaseOperation) -> str:
    name = operation_name(type(operation))
    match operation:
        case op.LeaseGrant():
            return _join(f"{name} ttl {operation.ttl}", _options(operation, "ttl"))
        case op.LeaseTimeToLive():
            return _join(f"{name} {lease_in_words(operation.id)}", _options(operation, "id"))
        case op.LeaseRevoke() | op.LeaseKeepAlive():
            return f"{name} {lease_in_words(operation.id)}"
        case op.LeaseLeases():
            return name
        case op.Advance():
            return f"{name} {operation.seconds} s"
        case _:
            assert_never(operation)


def _watch_operation(operation: op.WatchOperation) -> str:
    name, stream = operation_name(type(operation)), f"stream {operation.stream}"
    match operation:
        case op.WatchCreate(start_revision=start):
            since = f" from {start if isinstance(start, RevisionAt) else f'revision {start}'}" if start else ""
            watched = keys(operation.key, operation.range_end).removesuffix(" on")
            onwards = "onwards " if operation.range_end == FROM_KEY else ""
            subject = f"watch {watched} {onwards}on {stream}{since}"
            return _join(subject, _options(operation, "key", "range_end", "start_revision", "stream"))
        case op.WatchCancel():
            return f"{name} of watcher {operation.watch_id} on {stream}"
        case op.WatchProgress():
            return f"{name} on {stream}"
        case op.WatchRead() | op.WatchClose():
            return f"{name} {stream}"
        case _:
            assert_never(operation)


def _auth_operation(operation: op.AuthOperation) -> str:
    name = operation_name(type(operation))
    match operation:
        case op.AuthEnable() | op.AuthDisable() | op.AuthStatus() | op.UserList() | op.RoleList():
            return name
        case op.Authenticate() | op.UserChangePassword():
            subject = f"{name} {quoted_text(operation.name)} with the password {quoted_text(operation.password)}"
            return _join(subject, _options(operation, "name", "password"))
        case op.UserAdd():
            password = f" with the password {quoted_text(operation.password)}"
            subject = f"{name} {quoted_text(operation.name)}"
            reported = operation.password or not operation.no_password
            return _join(subject + password if reported else subject, _options(operation, "name", "password"))
        case op.UserGet() | op.UserDelete() | op.RoleAdd():
            return f"{name} {quoted_text(operation.name)}"
        case op.RoleGet() | op.RoleDelete():
            return f"{name} {quoted_text(operation.role)}"
        case op.UserGrantRole():
            return f"{name} {quoted_text(operation.role)} to {quoted_text(operation.user)}"
        case op.UserRevokeRole():
            return f"{name} {quoted_text(operation.role)} of {quoted_text(operation.name)}"
        case op.RoleGrantPermission(perm=perm):
            what = permission_in_words(perm) if perm is not None else "without one"
            return f"{name} {what} to {quoted_text(operation.name)}"
        case op.RoleRevokePermission():
            return f"{name} {keys(operation.key, operation.range_end)} of {quoted_text(operation.role)}"
        case _:
            assert_never(operation)


def _maintenance_operation(operation: op.MaintenanceOperation) -> str:
    name = operation_name(type(operation))
    match operation:
        case op.Status() | op.Defragment() | op.Hash() | op.Snapshot():
            return name
        case op.HashKV() | op.MemberList():
            return _join(name, _options(operation))
        case op.Alarm():
            (action,) = spelled(op.Alarm, "action", operation.action)
            return _join(f"{name} {action}", _options(operation, "action"))
        case op.Downgrade():
            (action,) = spelled(op.Downgrade, "action", operation.action)
            return f"{name} {action} {quoted_text(operation.version)}"
        case op.MoveLeader():
            return f"{name} to member {operation.target_id}"
        case op.MemberAdd():
            urls = " ".join(map(quoted_text, operation.peer_urls)) or "without a URL"
            return _join(f"{name} {urls}", _options(operation, "peer_urls"))
        case op.MemberUpdate():
            urls = " ".join(map(quoted_text, operation.peer_urls)) or "no URL"
            return f"{name} member {operation.id} to {urls}"
        case op.MemberRemove() | op.MemberPromote():
            return f"{name} member {operation.id}"
        case _:
            assert_never(operation)


def _lock_operation(operation: op.LockOperation) -> str:
    name = operation_name(type(operation))
    match operation:
        case op.Lock():
            return _join(f"{name} {quoted(operation.name)}", _options(operation, "name"))
        case op.Campaign():
            subject = f"{name} {quoted(operation.name)} = {quoted(operation.value)}"
            return _join(subject, _options(operation, "name", "value"))
        case op.Unlock():
            return f"{name} {quoted(operation.key)}"
        case op.Leader() | op.Observe():
            return f"{name} {quoted(operation.name)}"
        case op.Proclaim():
            return f"{name} {quoted(operation.value)} {_as_leader(operation.leader)}"
        case op.Resign():
            return f"{name} {_as_leader(operation.leader)}"
        case _:
            assert_never(operation)


def _as_leader(leader: op.LeaderKey | None) -> str:
    return "as nobody" if leader is None else f"as {leader_in_words(leader)}"


def _join(subject: str, options: Iterator[str]) -> str:
    return ", ".join((subject, *options))


def _options(operation: op.Operation, *said: str) -> Iterator[str]:
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
            case "meanwhile", asked:
                yield f"and while it waits: {operation_in_words(asked)}"
            case "hashed_password", str() as text:
                yield f"{field.name} {quoted_text(text)}"
            case name, number:
                yield f"{name} {number_in_words(number)}"


def _txn(operation: op.Txn) -> str:
    condition = " and ".join(map(_compare, operation.compare))
    parts = [f"if {condition}" if condition else ""]
    for word, branch in (("then", operation.success), ("else", operation.failure)):
        if branch:
            parts.append(f"{word} {{{'; '.join(_counted(branch))}}}")
    return " ".join(part for part in parts if part) or "with nothing in it"


def _counted(branch: tuple[op.Operation, ...]) -> Iterator[str]:
    """Equal neighbours once, with their number."""
    number = 0
    for index, operation in enumerate(branch):
        number += 1
        if index + 1 == len(branch) or branch[index + 1] != operation:
            yield operation_in_words(operation) + (f" × {number}" if number > 1 else "")
            number = 0


def _compare(compare: op.Compare) -> str:
    known = compare.target in list(op.CompareTarget) and compare.result in list(op.CompareResult)
    target = op.CompareTarget(compare.target).name.lower() if known else f"target {compare.target:d}"
    sign = _COMPARISONS[op.CompareResult(compare.result)] if known else f"result {compare.result:d}"
    operand = compare.operand
    if isinstance(operand, bytes):
        said = quoted(operand)
    elif compare.target == op.CompareTarget.LEASE and isinstance(operand, LeaseOf):
        said = f"({operand})"
    else:
        said = number_in_words(operand)
    return f"{target} of {keys(compare.key, compare.range_end)} {sign} {said}"
