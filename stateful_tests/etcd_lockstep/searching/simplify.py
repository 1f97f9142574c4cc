"""What is simpler than an operation: an option less, a smaller number, a shorter value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from etcd_lockstep.trace import RevisionAt
from etcd_model.exhaustive import assert_never
from etcd_model.operations import (
    SENTINEL_KEY,
    Advance,
    Alarm,
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
    Hash,
    HashKV,
    Leader,
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
    Proclaim,
    Put,
    Range,
    RequestOp,
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
    WatchProgress,
    WatchRead,
)
from etcd_model.ranges import FROM_KEY

PLAIN_TTL = 60
SHORTEST_TTL = 2
"""Where leases are to expire: that of a server with etcd's default timings."""
EQUAL, NOT_EQUAL = CompareResult.EQUAL, CompareResult.NOT_EQUAL


def simpler(operation: RequestOp | Operation) -> Iterator[Operation]:
    """Operations a little simpler than this one, the boldest first."""
    match operation:
        case Txn():
            yield from _simpler_txn(operation)
        case Put():
            yield from _without_options(operation, "prev_kv", "ignore_value", "ignore_lease", "lease")
            yield from (
                replace(operation, value=value)
                for value in (b"", b"1")
                if (len(value), value) < (len(operation.value), operation.value)
            )
        case Range():
            yield from _without_options(
                operation, *(field.name for field in fields(operation) if field.name not in ("key", "revision"))
            )
            yield from _simpler_revisions(operation, "revision")
            if operation.range_end == FROM_KEY and operation.key:
                yield replace(operation, range_end=operation.key + b"\xff")
        case DeleteRange():
            yield from _without_options(operation, "range_end", "prev_kv")
        case Compact():
            yield from _without_options(operation, "physical")
            yield from _simpler_revisions(operation, "revision", or_none=False)
        case LeaseGrant():
            yield from _without_options(operation, "id")
            if operation.ttl != PLAIN_TTL:
                yield replace(operation, ttl=PLAIN_TTL)
            if SHORTEST_TTL < operation.ttl < PLAIN_TTL:
                yield replace(operation, ttl=operation.ttl - 1)
        case LeaseTimeToLive():
            yield from _without_options(operation, "keys")
        case As():
            yield operation.operation
            yield from (replace(operation, operation=one) for one in simpler(operation.operation))
        case Advance():
            seconds = operation.seconds
            yield from (Advance(less) for less in sorted({1, seconds // 2, seconds - 1}) if 0 < less < seconds)
        case WatchCreate():
            yield from _without_options(
                operation, *(field.name for field in fields(operation) if field.name not in ("key", "start_revision"))
            )
            yield from _simpler_revisions(operation, "start_revision")
            if operation.range_end == FROM_KEY and operation.key < SENTINEL_KEY:
                yield replace(operation, range_end=SENTINEL_KEY)  # every key from this one on that a sequence writes
        case WatchCancel():
            yield from _without_options(operation, "stream")
            if operation.watch_id:
                yield replace(operation, watch_id=0)
        case WatchProgress() | WatchRead() | WatchClose():
            yield from _without_options(operation, "stream")
        case UserAdd():
            yield from _without_options(operation, "no_password")
        case RoleGrantPermission(perm=Permission(range_end=range_end) as perm) if range_end:
            yield replace(operation, perm=replace(perm, range_end=b""))
        case RoleRevokePermission():
            yield from _without_options(operation, "range_end")
        case Campaign():
            yield from _without_options(operation, "value")
        case Proclaim():
            yield from _without_options(operation, "value")
            yield from _of_no_term(operation)
        case Resign():
            yield from _of_no_term(operation)
        case HashKV():
            yield from _simpler_revisions(operation, "revision")
        case Alarm():
            yield from _without_options(operation, "member_id")
        case MemberList():
            yield from _without_options(operation, "linearizable")
        case MemberAdd():
            yield from _without_options(operation, "is_learner")
        case (
            LeaseRevoke()
            | LeaseKeepAlive()
            | LeaseLeases()
            | AuthEnable()
            | AuthDisable()
            | AuthStatus()
            | Authenticate()
            | UserGet()
            | UserList()
            | UserDelete()
            | UserChangePassword()
            | UserGrantRole()
            | UserRevokeRole()
            | RoleAdd()
            | RoleGet()
            | RoleList()
            | RoleDelete()
            | RoleGrantPermission()
            | Status()
            | Defragment()
            | Hash()
            | Snapshot()
            | MoveLeader()
            | Downgrade()
            | MemberRemove()
            | MemberUpdate()
            | MemberPromote()
            | Lock()
            | Unlock()
            | Leader()
            | Observe()
        ):
            return
        case _:
            assert_never(operation)


def _without_options(operation: Operation, *names: str) -> Iterator[Operation]:
    defaults = {field.name: field.default for field in fields(operation)}
    for name in names:
        if getattr(operation, name) != defaults[name]:
            yield _with(operation, name, defaults[name])


def _with(operation: Operation, name: str, value: object) -> Operation:
    changed: dict[str, Any] = {name: value}
    return replace(operation, **changed)


def _simpler_revisions(
    operation: Range | Compact | WatchCreate | HashKV, name: str, *, or_none: bool = True
) -> Iterator[Operation]:
    revision = getattr(operation, name)
    if or_none and revision:
        yield _with(operation, name, 0)
    if isinstance(revision, RevisionAt) and revision.plus not in (0, 1):
        yield _with(operation, name, RevisionAt(revision.step, 1 if revision.plus > 1 else 0))


def _of_no_term(operation: Proclaim | Resign) -> Iterator[Operation]:
    """In a term that nobody won."""
    if operation.leader is not None and operation.leader.rev != RevisionAt(0):
        yield replace(operation, leader=replace(operation.leader, rev=RevisionAt(0)))


def _simpler_txn(operation: Txn) -> Iterator[Operation]:
    """One of its operations in its place, then without its parts, then with simpler parts."""
    yield from operation.success
    yield from operation.failure
    if operation.compare:
        yield replace(operation, compare=())
        if operation.success or operation.failure:
            yield Txn(operation.compare)
    for name in ("compare", "success", "failure"):
        parts: tuple[RequestOp | Compare, ...] = getattr(operation, name)
        size = len(parts) // 2
        while size:
            for start in range(0, len(parts), size):
                yield _with(operation, name, parts[:start] + parts[start + size :])
            size //= 2
        if len(parts) == 1:
            yield _with(operation, name, ())
        for index, part in enumerate(parts):
            for one in _simpler_compare(part) if isinstance(part, Compare) else _simpler_request(part):
                yield _with(operation, name, (*parts[:index], one, *parts[index + 1 :]))
    if operation.failure and not operation.success:
        yield Txn(success=operation.failure)


def _simpler_request(request: RequestOp) -> Iterator[RequestOp]:
    for one in simpler(request):
        assert isinstance(one, Range | Put | DeleteRange | Txn)
        yield one


def _simpler_compare(compare: Compare) -> Iterator[Compare]:
    """Whether the key is there at all is the simplest thing to compare."""
    plain = (Compare(compare.key, CompareTarget.VERSION, result, 0) for result in (EQUAL, NOT_EQUAL))
    if compare.target != CompareTarget.VERSION or compare.operand or compare.result not in (EQUAL, NOT_EQUAL):
        yield from plain
    if compare.range_end:
        yield replace(compare, range_end=b"")
    if isinstance(compare.operand, int) and compare.operand:
        yield replace(compare, operand=0)
    if isinstance(compare.operand, bytes) and compare.operand:
        yield replace(compare, operand=b"")
