"""Who may read and write what, and where in each request's order that is looked at."""

from __future__ import annotations

import pytest

from etcd_model import Error, Operation, Result, Server, State, nondeterminism, quirks_of, step
from etcd_model import operations as op
from etcd_model.auth import Sender, check_watch
from etcd_model.auth.permission import covers
from etcd_model.errors import (
    COMPACTED,
    EMPTY_KEY,
    FUTURE_REVISION,
    INVALID_AUTH_TOKEN,
    KEY_NOT_FOUND,
    LEASE_NOT_FOUND,
    LEASE_TTL_TOO_LARGE,
    PERMISSION_DENIED,
    TOO_LARGE,
    USER_EMPTY,
)
from etcd_model.results import AuthenticateResult

READ, WRITE, BOTH = op.PermissionType.READ, op.PermissionType.WRITE, op.PermissionType.READWRITE
FROM_KEY = b"\x00"
ROOT, USER, BAD = "token-1", "token-2", "bad"

GRANTS = (
    op.Permission(BOTH, b"rw", b"rx"),
    op.Permission(READ, b"r", b"rw"),
    op.Permission(WRITE, b"w", b"x"),
)


def guarded(version: str = "3.5.16", *grants: op.Permission) -> State:
    """Auth is on. Lease 7 has a key that the user may write, lease 8 has one that it may not, lease 9 has none."""
    state = State(server=Server(quirks_of(version)))
    setup: list[Operation] = [
        *(op.LeaseGrant(100, id=lease) for lease in (7, 8, 9)),
        op.Put(b"rw", b"1", lease=7),
        op.Put(b"z", b"1", lease=8),
        op.UserAdd("root", "p"),
        op.UserGrantRole("root", "root"),
        op.RoleAdd("role"),
        *(op.RoleGrantPermission("role", grant) for grant in grants or GRANTS),
        op.UserAdd("user", "p"),
        op.UserGrantRole("user", "role"),
        op.AuthEnable(),
        op.Authenticate("root", "p"),
        op.Authenticate("user", "p"),
    ]
    for operation in setup:
        state, result = step(state, operation)
        assert not isinstance(result, Error), operation
    return state


def refusal(state: State, operation: Operation, token: str = USER) -> Result | None:
    result = step(state, op.As(token, operation) if token else operation)[1]
    return result if isinstance(result, Error) else None


def exists(key: bytes, range_end: bytes = b"") -> tuple[op.Compare, ...]:
    return (op.Compare(key, op.CompareTarget.VERSION, op.CompareResult.GREATER, 0, range_end),)


# What a set of grants covers.


@pytest.mark.parametrize(
    ("granted", "key", "range_end", "covered"),
    [
        ([(b"a", b"")], b"a", b"", True),
        ([(b"a", b"")], b"b", b"", False),
        ([(b"a", b"")], b"a", b"a\0", True),
        ([(b"a", b"")], b"a", b"b", False),
        ([(b"a", b"c")], b"b", b"", True),
        ([(b"a", b"c")], b"c", b"", False),
        ([(b"a", b"c")], b"a", b"c", True),
        ([(b"a", b"c"), (b"c", b"e")], b"b", b"d", True),
        ([(b"a", b"c"), (b"b", b"e")], b"a", b"e", True),
        ([(b"a", b"c"), (b"d", b"e")], b"a", b"e", False),
        ([(b"a", b""), (b"a\0", b"")], b"a", b"a\0\0", True),
        ([(b"a", b"c")], b"a", FROM_KEY, False),
        ([(b"a", b"c"), (b"c", FROM_KEY)], b"b", FROM_KEY, True),
        ([(b"b", FROM_KEY)], b"a", FROM_KEY, False),
        ([(FROM_KEY, FROM_KEY)], b"\xff", FROM_KEY, True),
        ([(b"a", b"c")], b"a", b"\0\0", True),
        ([(b"a", b"c")], b"b", b"a", True),
        ([(b"a", b"c")], b"d", b"a", False),
        ([(b"", b"")], b"a", b"", False),
        ([(b"c", b"a")], b"b", b"", False),
        ([], b"a", b"", False),
    ],
)
def test_a_range_needs_the_union_of_grants(
    granted: list[tuple[bytes, bytes]], key: bytes, range_end: bytes, covered: bool
) -> None:
    assert covers([op.Permission(READ, *grant) for grant in granted], key, range_end) == covered


# The KV service.

ALLOWED: list[Operation] = [
    op.Range(b"r"),
    op.Range(b"r", b"rx"),
    op.Range(b"r", b"rx", count_only=True),
    op.Put(b"rw", prev_kv=True),
    op.Put(b"w"),
    op.Put(b"w", lease=7),
    op.Put(b"w", lease=9),
    op.DeleteRange(b"w", b"x"),
    op.DeleteRange(b"rw", b"rx", prev_kv=True),
    op.Txn(),
    op.Txn(exists(b"r"), (op.Put(b"w"),), (op.DeleteRange(b"w"), op.Range(b"rv"))),
]
DENIED: list[Operation] = [
    op.Range(b"w"),
    op.Range(b"r", b"s"),
    op.Range(b"r", FROM_KEY),
    op.Put(b"r"),
    op.Put(b"w", prev_kv=True),
    op.Put(b"w", lease=8),
    op.DeleteRange(b"r"),
    op.DeleteRange(b"w", b"y"),
    op.DeleteRange(b"w", b"x", prev_kv=True),
    op.Txn(exists(b"w")),
    op.Txn(exists(b"r", b"s")),
    op.Txn(success=(op.Range(b"w"),)),
    op.Txn(failure=(op.Put(b"r"),)),
    op.Txn(failure=(op.DeleteRange(b"w", prev_kv=True),)),
]
VERSIONS = ["3.4.23", "3.4.45", "3.5.1", "3.5.16", "3.5.30", "3.6.16", "3.7.3"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("operation", ALLOWED, ids=str)
def test_what_is_granted_is_done(version: str, operation: Operation) -> None:
    assert refusal(guarded(version), operation) is None
    assert refusal(guarded(version), operation, ROOT) is None
    assert refusal(guarded(version), operation, BAD) == INVALID_AUTH_TOKEN
    assert refusal(guarded(version), operation, "") == (None if operation == op.Txn() else USER_EMPTY)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("operation", DENIED, ids=str)
def test_what_is_not_granted_is_denied(version: str, operation: Operation) -> None:
    assert refusal(guarded(version), operation) == PERMISSION_DENIED
    assert refusal(guarded(version), operation, ROOT) is None
    assert refusal(guarded(version), operation, "") == USER_EMPTY


def test_a_nested_txn_slips_through_in_old_versions() -> None:
    nested = op.Txn(success=(op.Txn(success=(op.Put(b"z", b"unauthorised"),)),))
    assert refusal(guarded("3.5.27"), nested) is None
    assert refusal(guarded("3.5.27"), nested, "") is None
    assert refusal(guarded("3.5.28"), nested) == PERMISSION_DENIED
    assert refusal(guarded("3.5.28"), nested, "") == USER_EMPTY


@pytest.mark.parametrize("put", [op.Put(b"w", prev_kv=True), op.Put(b"w", lease=8)], ids=str)
def test_a_put_in_a_txn_needs_less_in_old_versions(put: op.Put) -> None:
    assert refusal(guarded("3.5.29"), op.Txn(success=(put,))) is None
    assert refusal(guarded("3.5.30"), op.Txn(success=(put,))) == PERMISSION_DENIED


@pytest.mark.parametrize(
    ("operation", "for_anybody", "for_user", "for_root"),
    [
        (op.Put(b""), EMPTY_KEY, EMPTY_KEY, EMPTY_KEY),
        (op.Txn(success=(op.Put(b""),)), EMPTY_KEY, EMPTY_KEY, EMPTY_KEY),
        (op.Put(b"r", b"v" * 1_600_000), TOO_LARGE, TOO_LARGE, TOO_LARGE),
        (op.Put(b"r", lease=404), USER_EMPTY, PERMISSION_DENIED, LEASE_NOT_FOUND),
        (op.Put(b"w", lease=404), USER_EMPTY, LEASE_NOT_FOUND, LEASE_NOT_FOUND),
        (op.Put(b"r", ignore_value=True), USER_EMPTY, PERMISSION_DENIED, KEY_NOT_FOUND),
        (op.Range(b"w", revision=99), USER_EMPTY, PERMISSION_DENIED, FUTURE_REVISION),
        (op.Txn(success=(op.Range(b"w", revision=99),)), USER_EMPTY, PERMISSION_DENIED, FUTURE_REVISION),
        (op.LeaseRevoke(404), LEASE_NOT_FOUND, LEASE_NOT_FOUND, LEASE_NOT_FOUND),
        (op.LeaseGrant(2**40), LEASE_TTL_TOO_LARGE, LEASE_TTL_TOO_LARGE, LEASE_TTL_TOO_LARGE),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_permission_is_looked_at_after_the_request_and_before_the_store(
    operation: Operation, for_anybody: Error, for_user: Error, for_root: Error
) -> None:
    said = [refusal(guarded(), operation, token) for token in ("", USER, ROOT)]
    assert said == [for_anybody, for_user, for_root]


def test_a_bad_token_is_found_out_after_the_request_and_before_its_size() -> None:
    assert refusal(guarded(), op.Put(b""), BAD) == EMPTY_KEY
    assert refusal(guarded(), op.Put(b"a", b"v" * 1_600_000), BAD) == INVALID_AUTH_TOKEN
    assert refusal(guarded(), op.Range(b"a", revision=99), BAD) == INVALID_AUTH_TOKEN


# Leases and compaction: the checks came late.

LATE: list[tuple[Operation, Error | None, Error | None]] = [
    (op.LeaseGrant(10, id=5), USER_EMPTY, None),
    (op.LeaseKeepAlive(7), USER_EMPTY, None),
    (op.LeaseKeepAlive(8), USER_EMPTY, PERMISSION_DENIED),
    (op.LeaseKeepAlive(404), USER_EMPTY, None),
    (op.LeaseTimeToLive(8), USER_EMPTY, None),
    (op.LeaseLeases(), USER_EMPTY, PERMISSION_DENIED),
    (op.LeaseRevoke(9), USER_EMPTY, None),
    (op.Compact(1), USER_EMPTY, PERMISSION_DENIED),
    (op.Compact(0), USER_EMPTY, PERMISSION_DENIED),
]
"""What new versions say to no token, and to the user's."""


@pytest.mark.parametrize(("operation", "without", "with_token"), LATE, ids=str)
@pytest.mark.parametrize(("old", "new"), [("3.4.41", "3.4.42"), ("3.5.27", "3.5.28"), ("3.6.8", "3.6.9")])
def test_leases_and_compaction_were_for_everybody(
    old: str, new: str, operation: Operation, without: Error | None, with_token: Error | None
) -> None:
    assert refusal(guarded(old), operation, "") is None
    assert refusal(guarded(old), operation) is None
    assert refusal(guarded(new), operation, "") == without
    assert refusal(guarded(new), operation) == with_token
    assert refusal(guarded(new), operation, ROOT) is None
    assert refusal(guarded(new), operation, BAD) == INVALID_AUTH_TOKEN


@pytest.mark.parametrize("version", VERSIONS)
def test_who_revokes_a_lease_must_be_allowed_to_write_its_keys(version: str) -> None:
    assert refusal(guarded(version), op.LeaseRevoke(7)) is None
    assert refusal(guarded(version), op.LeaseRevoke(8)) == PERMISSION_DENIED
    assert refusal(guarded(version), op.LeaseRevoke(8), "") == USER_EMPTY
    assert refusal(guarded(version), op.LeaseRevoke(8), ROOT) is None


def test_who_asks_for_the_keys_of_a_lease_must_be_allowed_to_read_them_since_3_5_9() -> None:
    asks = op.LeaseTimeToLive(8, keys=True)
    assert refusal(guarded("3.5.8"), asks, "") is None
    assert refusal(guarded("3.5.9"), asks, "") == USER_EMPTY
    assert refusal(guarded("3.5.9"), asks) == PERMISSION_DENIED
    assert refusal(guarded("3.5.9"), asks, BAD) == INVALID_AUTH_TOKEN
    assert refusal(guarded("3.5.9"), op.LeaseTimeToLive(404, keys=True)) is None
    assert refusal(guarded("3.5.9"), op.LeaseTimeToLive(404, keys=True), "") == USER_EMPTY
    assert refusal(guarded("3.5.9"), op.LeaseTimeToLive(7, keys=True)) is None


def test_roots_compaction_is_refused_for_what_it_is() -> None:
    assert refusal(guarded("3.6.16"), op.Compact(-1), ROOT) == COMPACTED
    assert refusal(guarded("3.6.16"), op.Compact(-1)) == PERMISSION_DENIED


# Watches.

DENIED_TEXT = "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
EMPTY_TEXT = "rpc error: code = InvalidArgument desc = etcdserver: user name is empty"
INVALID_TEXT = "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token"


def test_a_watch_is_refused_with_a_reason() -> None:
    state = guarded("3.5.16")
    assert check_watch(state, Sender(USER), b"r", b"rx") is None
    assert check_watch(state, Sender(ROOT), b"", FROM_KEY) is None
    assert check_watch(state, Sender(USER), b"w", b"") == DENIED_TEXT
    assert check_watch(state, Sender(""), b"r", b"") == EMPTY_TEXT
    assert check_watch(state, Sender(BAD), b"r", b"") == INVALID_TEXT
    assert check_watch(State(), Sender(""), b"r", b"") is None


def test_the_reason_is_always_the_same_in_the_first_releases_of_3_5() -> None:
    for token in ("", BAD, USER):
        assert check_watch(guarded("3.5.5"), Sender(token), b"w", b"") == DENIED_TEXT


@pytest.mark.parametrize(
    ("version", "says"), [("3.6.13", None), ("3.6.14", DENIED_TEXT), ("3.7.0", None), ("3.7.3", DENIED_TEXT)]
)
def test_a_watch_of_all_keys_needed_the_right_to_one(version: str, says: str | None) -> None:
    state = guarded(version, op.Permission(READ, b"a"))
    assert check_watch(state, Sender(USER), b"a", FROM_KEY) == says


def test_a_watch_of_the_empty_key_is_one_of_the_smallest() -> None:
    assert check_watch(guarded("3.5.16", op.Permission(READ, FROM_KEY)), Sender(USER), b"", b"") is None


# What is nondeterministic.


def test_an_inverted_range_is_left_open_for_who_has_several_grants() -> None:
    inverted = op.Range(b"s", b"r")
    for operation in (inverted, op.Txn(success=(op.Txn(failure=(inverted,)),)), op.DeleteRange(b"s", b"s")):
        assert nondeterminism(op.As(USER, operation), guarded()) is not None
        assert nondeterminism(op.As(ROOT, operation), guarded()) is None
        assert nondeterminism(operation, guarded()) is None
        assert nondeterminism(op.As(USER, operation), guarded("3.5.16", op.Permission(READ, b"a"))) is None
    for operation in (op.Range(b"r", b"s"), op.Range(b"r"), op.Range(b"r", FROM_KEY)):
        assert nondeterminism(op.As(USER, operation), guarded()) is None


def test_a_token_that_names_a_raft_index_is_waited_for() -> None:
    assert nondeterminism(op.As("abc.99999", op.Range(b"r")), guarded()) is not None
    assert nondeterminism(op.As("abc.99999", op.Range(b"r")), State(server=Server(quirks_of("3.5.9")))) is not None
    assert nondeterminism(op.As("abc.99999", op.Range(b"r")), State(server=Server(quirks_of("3.5.10")))) is None
    for token in ("abc", "abc.x", "a.b.99999", "abc.1", USER):
        assert nondeterminism(op.As(token, op.Range(b"r")), guarded()) is None


# A user who is read as it was before.


def run(version: str, *operations: Operation) -> State:
    state = State(Server(quirks_of(version)))
    for operation in operations:
        state, result = step(state, operation)
        assert not isinstance(result, Error), (operation, result)
    return state


TWO_ROOTS: tuple[Operation, ...] = (
    op.UserAdd("root", "p"),
    op.UserAdd("v", "p"),
    op.UserGrantRole("root", "root"),
    op.AuthEnable(),
    op.Authenticate("root", "p"),
    op.As("token-1", op.UserGrantRole("v", "root")),
    op.Authenticate("v", "p"),
)


@pytest.mark.parametrize(
    ("version", "is_open"), [("3.4.23", False), ("3.5.1", False), ("3.5.16", True), ("3.6.0", False)]
)
def test_what_a_user_may_do_is_open_once_a_smaller_one_was_changed(version: str, is_open: bool) -> None:
    state = run(version, *TWO_ROOTS)
    assert nondeterminism(op.As("token-2", op.Range(b"a")), state) is None
    state = run(version, *TWO_ROOTS, op.As("token-1", op.UserChangePassword("root", "q")))
    assert (nondeterminism(op.As("token-2", op.Range(b"a")), state) is not None) is is_open


def test_a_change_of_its_own_or_of_a_larger_user_leaves_nothing_open() -> None:
    larger = op.As("token-1", op.UserAdd("w", "p"))
    own = (op.As("token-1", op.UserChangePassword("root", "q")), op.Authenticate("root", "q"))
    again = op.As("token-3", op.UserRevokeRole("v", "root"))
    assert nondeterminism(op.As("token-2", op.Range(b"a")), run("3.5.16", *TWO_ROOTS, larger)) is None
    assert nondeterminism(op.As("token-2", op.Range(b"a")), run("3.5.16", *TWO_ROOTS, *own, again)) is None
    assert nondeterminism(op.Range(b"a"), run("3.5.16", *TWO_ROOTS, *own)) is None
    plain = (
        op.As("token-1", op.UserAdd("w", "p")),
        op.Authenticate("w", "p"),
        op.As("token-1", op.UserChangePassword("v", "q")),
    )
    assert nondeterminism(op.As("token-3", op.Range(b"a")), run("3.5.16", *TWO_ROOTS, *plain)) is None


@pytest.mark.parametrize(("version", "open_there"), [("3.5.1", False), ("3.5.30", True), ("3.6.16", False)])
def test_a_user_may_be_read_as_it_was_where_smaller_ones_were_written_since(version: str, open_there: bool) -> None:
    state = State(server=Server(quirks_of(version)))
    setup: tuple[op.Operation, ...] = (
        op.UserAdd("root", "r"),
        op.UserGrantRole("root", "root"),
        op.UserAdd("v", "old"),
        op.UserAdd("w", "same"),
        op.AuthEnable(),
    )
    for operation in setup:
        state = step(state, operation)[0]
    state, answer = step(state, op.Authenticate("root", "r"))
    assert isinstance(answer, AuthenticateResult)
    root = answer.token
    logs_in = op.Authenticate("v", "new")
    for change in (op.UserChangePassword("v", "new"), op.UserGrantRole("v", "root"), op.UserGrantRole("w", "root")):
        state = step(state, op.As(root, change))[0]
    state, answer = step(state, logs_in)
    assert isinstance(answer, AuthenticateResult)
    assert nondeterminism(logs_in, state) is None
    assert nondeterminism(op.As(answer.token, op.Put(b"a")), state) is None
    state = step(state, op.As(root, op.UserChangePassword("root", "q")))[0]
    assert (nondeterminism(logs_in, state) is not None) == open_there
    assert (nondeterminism(op.As(answer.token, op.Put(b"a")), state) is not None) == open_there
    assert nondeterminism(op.Authenticate("w", "same"), state) is None


def test_a_user_who_was_deleted_may_be_read_as_it_was_where_no_smaller_one_was_written_meanwhile() -> None:
    """With the deletion the backend commits, and what stood first in the buffer of its writes is still there."""
    deletion, login = op.As("token-1", op.UserDelete("v")), op.Authenticate("v", "p")
    assert nondeterminism(login, run("3.5.30", *TWO_ROOTS, deletion)) is not None
    assert nondeterminism(login, run("3.5.1", *TWO_ROOTS, deletion)) is None
    smaller = (op.As("token-1", op.UserAdd("a", "p")), deletion)
    assert nondeterminism(login, run("3.5.30", *TWO_ROOTS, *smaller)) is None
    larger = (deletion, op.As("token-1", op.UserAdd("w", "p")))
    assert nondeterminism(login, run("3.5.30", *TWO_ROOTS, *larger)) is None
