"""What is simpler than an operation: an option less, a smaller number, a shorter value. One function an operation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import chain
from typing import Any, TypeVar

from etcd_lockstep.trace import AuthRevision, RevisionAt, Symbol
from etcd_model import operations as op
from etcd_model.exhaustive import assert_never
from etcd_model.lock import key_of
from etcd_model.ranges import FROM_KEY

PLAIN_TTL = 60
SHORTEST_TTL = 2
"""Where leases are to expire: that of a server with etcd's default timings."""
Ended = TypeVar("Ended", op.Range, op.DeleteRange, op.Compare, op.WatchCreate, op.Permission, op.RoleRevokePermission)
EQUAL, NOT_EQUAL = op.CompareResult.EQUAL, op.CompareResult.NOT_EQUAL


def nothing(_operation: op.Operation) -> Iterator[op.Operation]:
    """Of an operation without options there is none simpler."""
    return iter(())


def sender(operation: op.As) -> Iterator[op.As]:
    """Who sends an operation: with a certificate or a token alone, and a token with nothing wrong about it."""
    if operation.claims is not None:
        if operation.certificate:
            yield replace(operation, claims=None)
        yield from (replace(operation, claims=claims) for claims in _simpler_claims(operation.claims))
    elif operation.token and operation.certificate:
        yield replace(operation, token="", scheme="", authorization=False)
    if operation.certificate and (operation.token or operation.claims is not None):
        yield replace(operation, certificate="")


def _simpler_claims(claims: op.Claims) -> Iterator[op.Claims]:
    if claims.expired:
        yield replace(claims, expired=False)
    if claims.forged:
        yield replace(claims, forged=False)
    if claims.revision != AuthRevision():
        yield replace(claims, revision=AuthRevision())


def put(operation: op.Put) -> Iterator[op.Operation]:
    yield from without_options(operation, "prev_kv", "ignore_value", "ignore_lease", "lease")
    for value in simpler_values(operation.value):
        yield replace(operation, value=value)
    if operation.ignore_value:  # what the key holds may be needed, but not who put it
        yield replace(operation, ignore_value=False, value=b"1")


_SIMPLEST_VALUES = (b"", b"1", b"2")

_SHORT = 32
"""Bytes up to which a value is made shorter byte by byte. A longer one is halved, which says enough of where a limit
is; what it consists of doesn't matter then."""

_LONG = 64
"""Bytes. A value that need not be long is one character when its trace is shrunk."""


def nature(value: bytes) -> Iterator[str]:
    """What a store may do to a value that it does to no plain one; a shrunk trace has it where the lie needs it."""
    if len(value) > _LONG:
        yield "long value"
    if len(value) > 1 and value.isdigit():
        yield "number as value"
    if value != value.strip():
        yield "blanks around the value"
    try:
        value.decode()
    except UnicodeDecodeError:
        yield "value that is not UTF-8"


def simpler_values(value: bytes) -> Iterator[bytes]:
    """Values that are simpler, the simplest first; none of another nature, of which something else may be wrong."""
    held = set(nature(value))
    return (simpler for simpler in _simpler_values(value) if held.issuperset(nature(simpler)))


def _simpler_values(value: bytes) -> Iterator[bytes]:
    if value in _SIMPLEST_VALUES:
        yield from _SIMPLEST_VALUES[: _SIMPLEST_VALUES.index(value)]
        return
    yield from _SIMPLEST_VALUES
    if len(value) > _SHORT and value != b"a" * len(value):
        yield b"a" * len(value)
    half = (len(value) + 1) // 2
    if len(value) > 2:
        yield from (value[:half], value[half:])
    if 2 <= len(value) <= _SHORT:
        yield from (value[:-1], value[1:])


def _plain_end(operation: Ended) -> Iterator[Ended]:
    """The end of all keys that begin with the first one, rather than another."""
    if operation.range_end and operation.key and operation.key[-1] < 0xFF:
        end = operation.key[:-1] + bytes([operation.key[-1] + 1])
        if operation.range_end != end:
            yield replace(operation, range_end=end)


_REVISIONS = ("revision", "min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision")


def range_(operation: op.Range) -> Iterator[op.Operation]:
    yield from without_options(
        operation, *(field.name for field in fields(operation) if field.name not in ("key", *_REVISIONS))
    )
    if operation.limit > 1:
        yield replace(operation, limit=1)
    if operation.sort_order > 1:
        yield replace(operation, sort_order=op.SortOrder.ASCEND)
    if operation.sort_target > 1:
        yield replace(operation, sort_target=op.SortTarget.VERSION)
    for name in _REVISIONS:
        yield from _simpler_revisions(operation, name)
    yield from _plain_end(operation)


def delete_range(operation: op.DeleteRange) -> Iterator[op.Operation]:
    yield from without_options(operation, "range_end", "prev_kv")
    yield from _plain_end(operation)


def txn(operation: op.Txn) -> Iterator[op.Operation]:
    """One of its operations in its place, then without its parts, then with simpler parts."""
    yield from operation.success
    yield from operation.failure
    if operation.compare:
        yield replace(operation, compare=())
        if operation.success or operation.failure:
            yield op.Txn(operation.compare)
    for name in ("compare", "success", "failure"):
        parts: tuple[op.RequestOp | op.Compare, ...] = getattr(operation, name)
        size = len(parts) // 2
        while size:
            for start in range(0, len(parts), size):
                yield _with(operation, name, parts[:start] + parts[start + size :])
            size //= 2
        if len(parts) == 1:
            yield _with(operation, name, ())
        for index, part in enumerate(parts):
            for one in _compare(part) if isinstance(part, op.Compare) else _request(part):
                yield _with(operation, name, (*parts[:index], one, *parts[index + 1 :]))
    if operation.failure and not operation.success:
        yield op.Txn(success=operation.failure)
    if operation.success and not operation.failure and operation.compare:  # where a branch matters that is not taken
        yield op.Txn(failure=operation.success)


def _request(request: op.RequestOp) -> Iterator[op.Operation]:
    match request:
        case op.Range():
            return range_(request)
        case op.Put():
            return put(request)
        case op.DeleteRange():
            return chain((op.Put(request.key),), delete_range(request))
        case op.Txn():
            return txn(request)
        case _:
            assert_never(request)


def _compare(compare: op.Compare) -> Iterator[op.Compare]:
    """Whether the key is there at all is the simplest thing to compare."""
    plain = (op.Compare(compare.key, op.CompareTarget.VERSION, result, 0) for result in (EQUAL, NOT_EQUAL))
    if compare.target != op.CompareTarget.VERSION or compare.operand or compare.result not in (EQUAL, NOT_EQUAL):
        yield from plain
    if compare.range_end:
        yield replace(compare, range_end=b"")
        yield from _plain_end(compare)
    if isinstance(compare.operand, int) and compare.operand:
        yield replace(compare, operand=0)
        if not isinstance(compare.operand, Symbol) and compare.operand > 1:
            yield replace(compare, operand=1)
    if isinstance(compare.operand, RevisionAt) and compare.operand.plus:
        yield replace(compare, operand=RevisionAt(compare.operand.step))
    if isinstance(compare.operand, RevisionAt) and compare.operand.step:
        yield replace(compare, operand=RevisionAt(compare.operand.step - 1, max(compare.operand.plus, 0)))
    if isinstance(compare.operand, bytes):
        yield from (replace(compare, operand=value) for value in simpler_values(compare.operand))


def lease_grant(operation: op.LeaseGrant) -> Iterator[op.Operation]:
    yield from without_options(operation, "id")
    if operation.ttl != PLAIN_TTL:
        yield replace(operation, ttl=PLAIN_TTL)
    if SHORTEST_TTL < operation.ttl < PLAIN_TTL:
        yield replace(operation, ttl=operation.ttl - 1)


def lease_time_to_live(operation: op.LeaseTimeToLive) -> Iterator[op.Operation]:
    yield from without_options(operation, "keys")


def advance(operation: op.Advance) -> Iterator[op.Operation]:
    seconds = operation.seconds
    yield from (op.Advance(less) for less in sorted({1, seconds // 2, seconds - 1}) if 0 < less < seconds)


def watch_create(operation: op.WatchCreate) -> Iterator[op.Operation]:
    yield from without_options(
        operation, *(field.name for field in fields(operation) if field.name not in ("key", "start_revision"))
    )
    if len(operation.filters) > 1:
        for at in range(len(operation.filters)):
            yield replace(operation, filters=(*operation.filters[:at], *operation.filters[at + 1 :]))
    yield from _simpler_revisions(operation, "start_revision")
    yield from _plain_end(operation)
    if operation.range_end == FROM_KEY and operation.key < op.SENTINEL_KEY:
        yield replace(operation, range_end=op.SENTINEL_KEY)  # every key from this one on that a sequence writes


def watch_cancel(operation: op.WatchCancel) -> Iterator[op.Operation]:
    yield from of_a_stream(operation)
    if operation.watch_id:
        yield replace(operation, watch_id=0)


def of_a_stream(operation: op.WatchProgress | op.WatchRead | op.WatchCancel | op.WatchClose) -> Iterator[op.Operation]:
    yield from without_options(operation, "stream")


def compact(operation: op.Compact) -> Iterator[op.Operation]:
    yield from without_options(operation, "physical")
    yield from _simpler_revisions(operation, "revision", or_none=False)


def user_add(operation: op.UserAdd) -> Iterator[op.Operation]:
    yield from without_options(operation, "no_password", "hashed_password")


def user_change_password(operation: op.UserChangePassword) -> Iterator[op.Operation]:
    yield from without_options(operation, "hashed_password")


def role_grant_permission(operation: op.RoleGrantPermission) -> Iterator[op.Operation]:
    if operation.perm is not None and operation.perm.range_end:
        yield replace(operation, perm=replace(operation.perm, range_end=b""))
        yield from (replace(operation, perm=perm) for perm in _plain_end(operation.perm))


def role_revoke_permission(operation: op.RoleRevokePermission) -> Iterator[op.Operation]:
    yield from without_options(operation, "range_end")
    yield from _plain_end(operation)


def lock(operation: op.Lock) -> Iterator[op.Operation]:
    """The put that it makes; without what is asked meanwhile, or with something simpler; with a lease of the
    server's."""
    yield op.Put(key_of(operation.name, operation.lease))
    yield from _simpler_meanwhile(operation)
    yield from without_options(operation, "lease")


def campaign(operation: op.Campaign) -> Iterator[op.Operation]:
    """As a lock."""
    yield op.Put(key_of(operation.name, operation.lease), operation.value)
    yield from (replace(operation, value=value) for value in simpler_values(operation.value))
    yield from _simpler_meanwhile(operation)
    yield from without_options(operation, "lease")


def _simpler_meanwhile(operation: op.Lock | op.Campaign) -> Iterator[op.Operation]:
    yield from without_options(operation, "meanwhile")
    if isinstance(operation.meanwhile, op.Txn):  # all that wait: which keys these are depends on their leases
        yield _with(operation, "meanwhile", op.DeleteRange(operation.name + b"/", operation.name + b"0"))
    match operation.meanwhile:
        case op.Put() | op.DeleteRange() | op.Txn() as request:
            yield from (_with(operation, "meanwhile", one) for one in _request(request))
        case op.Resign() as request:
            if request.leader is not None:
                yield _with(operation, "meanwhile", op.DeleteRange(request.leader.key))
            yield from (_with(operation, "meanwhile", one) for one in resign(request))
        case op.Unlock(key=key):
            yield _with(operation, "meanwhile", op.DeleteRange(key))
        case op.LeaseRevoke(id=lease):
            yield _with(operation, "meanwhile", op.DeleteRange(key_of(operation.name, lease)))


def proclaim(operation: op.Proclaim) -> Iterator[op.Operation]:
    yield from (replace(operation, value=value) for value in simpler_values(operation.value))
    yield from resign(operation)


def resign(operation: op.Resign | op.Proclaim) -> Iterator[op.Operation]:
    """In a term that nobody won, of an election without a name, for the key alone says which one it is; and with a
    lease of the server's."""
    if operation.leader is not None and operation.leader.rev:
        yield replace(operation, leader=replace(operation.leader, rev=0))
        rev = operation.leader.rev
        if rev != RevisionAt(0):
            yield replace(operation, leader=replace(operation.leader, rev=RevisionAt(0)))
        if isinstance(rev, RevisionAt) and rev.step:
            yield replace(operation, leader=replace(operation.leader, rev=RevisionAt(rev.step - 1, max(rev.plus, 0))))
    if operation.leader is not None and operation.leader.name:
        yield replace(operation, leader=replace(operation.leader, name=b""))
    if operation.leader is not None and operation.leader.lease:
        yield replace(operation, leader=replace(operation.leader, lease=0))


def hash_kv(operation: op.HashKV) -> Iterator[op.Operation]:
    yield from _simpler_revisions(operation, "revision")


def alarm(operation: op.Alarm) -> Iterator[op.Operation]:
    yield from without_options(operation, "member_id")


def member_list(operation: op.MemberList) -> Iterator[op.Operation]:
    yield from without_options(operation, "linearizable")


def member_add(operation: op.MemberAdd) -> Iterator[op.Operation]:
    yield from without_options(operation, "is_learner")
    yield from _fewer_urls(operation)


def member_update(operation: op.MemberUpdate) -> Iterator[op.Operation]:
    yield from _fewer_urls(operation)


def _fewer_urls(operation: op.MemberAdd | op.MemberUpdate) -> Iterator[op.Operation]:
    if len(operation.peer_urls) > 1:
        for index in range(len(operation.peer_urls)):
            yield replace(operation, peer_urls=(*operation.peer_urls[:index], *operation.peer_urls[index + 1 :]))


def without_options(operation: op.Operation, *names: str) -> Iterator[op.Operation]:
    """The operation with each of these fields as it is by default, where it is not."""
    defaults = {field.name: field.default for field in fields(operation)}
    for name in names:
        if getattr(operation, name) != defaults[name]:
            yield _with(operation, name, defaults[name])


def _with(operation: op.Operation, name: str, value: object) -> op.Operation:
    changed: dict[str, Any] = {name: value}
    return replace(operation, **changed)


def _simpler_revisions(
    operation: op.Range | op.Compact | op.WatchCreate | op.HashKV, name: str, *, or_none: bool = True
) -> Iterator[op.Operation]:
    revision = getattr(operation, name)
    if or_none and revision:
        yield _with(operation, name, 0)
    match revision:
        case RevisionAt(step=step, plus=plus):
            plainer = (less for less in (0, 1, -1, 2, -2) if abs(less) < abs(plus) and less * plus >= 0)
            yield from (_with(operation, name, RevisionAt(step, less)) for less in plainer)
            if step:  # the same where that step changes nothing, and as good in many other places
                yield _with(operation, name, RevisionAt(step - 1, max(plus, 0)))
        case int() if revision < -1:
            yield _with(operation, name, -1)
