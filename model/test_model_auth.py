"""Users, roles, tokens, and who may manage them. Transcripts: a line an operation, with what etcd says to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etcd_model import Error, Operation, Result, Server, State, crash_reason, quirks_of, step
from etcd_model import operations as op
from etcd_model.auth import Sender
from etcd_model.auth.store import TOKEN_TTL, bcrypt_key
from etcd_model.errors import (
    AUTH_FAILED,
    AUTH_NOT_ENABLED,
    INVALID_AUTH_MGMT,
    INVALID_AUTH_TOKEN,
    NO_PASSWORD_USER,
    PASSWORD_TOO_LONG,
    PERMISSION_DENIED,
    PERMISSION_NOT_GIVEN,
    PERMISSION_NOT_GRANTED,
    ROLE_ALREADY_EXIST,
    ROLE_EMPTY,
    ROLE_NOT_FOUND,
    ROLE_NOT_GRANTED,
    ROOT_ROLE_NOT_EXIST,
    ROOT_USER_NOT_EXIST,
    USER_ALREADY_EXIST,
    USER_EMPTY,
    USER_NOT_FOUND,
    Code,
)
from etcd_model.results import (
    AuthenticateResult,
    AuthResult,
    AuthStatusResult,
    PutResult,
    RoleGetResult,
    RoleListResult,
    UserGetResult,
    UserListResult,
)

OLD, MIDDLE, NEW = "3.4.23", "3.5.16", "3.6.16"
VERSIONS = ["3.4.23", "3.4.45", "3.5.1", "3.5.16", "3.5.30", "3.6.16", "3.7.3"]
OK = AuthResult(1)

ROOT = (op.UserAdd("root", "secret"), op.UserGrantRole("root", "root"), op.AuthEnable())
"""All that auth needs to be on."""


def store(version: str = MIDDLE) -> State:
    return State(server=Server(quirks_of(version)))


def play(state: State, *transcript: tuple[Operation, Result]) -> State:
    """Each line says what it must."""
    for operation, expected in transcript:
        state, result = step(state, operation)
        assert result == expected, operation
    return state


def after(state: State, *operations: Operation) -> State:
    for operation in operations:
        state, result = step(state, operation)
        assert not isinstance(result, Error), operation
    return state


def logged_in(state: State, name: str = "root", password: str = "secret") -> tuple[State, str]:
    state, result = step(state, op.Authenticate(name, password))
    assert isinstance(result, AuthenticateResult)
    return state, result.token


def said(state: State, operation: Operation) -> Result:
    return step(state, operation)[1]


# What auth needs to be on, and what being on means.


@pytest.mark.parametrize("version", VERSIONS)
def test_auth_needs_a_root_user_that_has_the_root_role_and_no_such_role(version: str) -> None:
    play(
        store(version),
        (op.AuthEnable(), ROOT_USER_NOT_EXIST),
        (op.UserAdd("root", "secret"), OK),
        (op.AuthEnable(), ROOT_ROLE_NOT_EXIST),
        (op.UserGrantRole("root", "root"), OK),
        (op.Authenticate("root", "secret"), AUTH_NOT_ENABLED),
        (op.AuthEnable(), OK),
        (op.Put(b"a"), USER_EMPTY),
        (op.AuthEnable(), USER_EMPTY),
        (op.Authenticate("root", "secret"), AuthenticateResult(1, "token-1")),
        (op.As("token-1", op.Put(b"a")), PutResult(2)),
        (op.As("token-1", op.AuthEnable()), AuthResult(2)),
        (op.As("token-2", op.Put(b"a")), INVALID_AUTH_TOKEN),
    )


def test_enabling_leaves_the_auth_revision_and_disabling_does_not() -> None:
    state = after(store(), *ROOT)
    assert state.auth.revision == 3
    state, token = logged_in(state)
    state = play(state, (op.As(token, op.AuthStatus()), AuthStatusResult(1, enabled=True, auth_revision=3)))
    state = play(
        state,
        (op.As(token, op.AuthDisable()), OK),
        (op.AuthStatus(), AuthStatusResult(1, enabled=False, auth_revision=4)),
        (op.AuthDisable(), OK),
        (op.AuthStatus(), AuthStatusResult(1, enabled=False, auth_revision=4)),
    )
    assert not state.auth.tokens


def test_a_token_from_before_auth_was_disabled_is_none_after_it_is_enabled_again() -> None:
    state, token = logged_in(after(store(), *ROOT))
    state = after(state, op.As(token, op.AuthDisable()), op.AuthEnable())
    assert said(state, op.As(token, op.UserList())) == INVALID_AUTH_TOKEN


@pytest.mark.parametrize(("version", "says"), [("3.5.9", INVALID_AUTH_TOKEN), ("3.5.10", PutResult(2))])
def test_a_token_sent_while_auth_is_off_is_looked_at_by_old_versions(version: str, says: Result) -> None:
    assert said(store(version), op.As("stale", op.Put(b"a"))) == says
    assert not isinstance(said(store(version), op.As("stale", op.LeaseLeases())), Error)


def test_auth_status_came_with_3_5_and_is_for_anybody_from_3_7_on() -> None:
    unknown = Error(Code.UNIMPLEMENTED, "unknown method AuthStatus for service etcdserverpb.Auth")
    assert said(after(store("3.4.45"), *ROOT), op.AuthStatus()) == unknown
    assert said(after(store("3.6.16"), *ROOT), op.AuthStatus()) == USER_EMPTY
    assert said(after(store("3.7.0"), *ROOT), op.AuthStatus()) == AuthStatusResult(1, True, 3)


# Tokens.


@pytest.mark.parametrize("drop", [op.UserChangePassword("u", "p"), op.UserDelete("u")], ids=str)
def test_tokens_go_with_their_users_password_and_with_their_user(drop: Operation) -> None:
    state = after(store(), op.UserAdd("u", "p"), *ROOT)
    state, root = logged_in(state)
    state, first = logged_in(state, "u", "p")
    state, second = logged_in(state, "u", "p")
    assert len({root, first, second}) == 3
    state = after(state, op.As(first, op.UserGet("u")), op.As(root, drop))
    assert said(state, op.As(first, op.UserGet("u"))) == INVALID_AUTH_TOKEN
    assert said(state, op.As(second, op.UserGet("u"))) == INVALID_AUTH_TOKEN
    assert said(state, op.As(root, op.UserList())) != INVALID_AUTH_TOKEN


def test_tokens_outlive_changes_of_roles() -> None:
    state, token = logged_in(after(store(), op.UserAdd("u", "p"), op.RoleAdd("r"), *ROOT))
    state = after(state, op.As(token, op.UserGrantRole("u", "r")), op.As(token, op.RoleDelete("r")))
    assert said(state, op.As(token, op.UserGet("u"))) == UserGetResult(1)


def test_a_token_lives_until_it_was_not_used_for_its_time() -> None:
    state, token = logged_in(after(store(), *ROOT))
    state = after(
        state, op.Advance(TOKEN_TTL), op.As(token, op.UserList()), op.Advance(TOKEN_TTL), op.As(token, op.UserList())
    )
    assert said(after(state, op.Advance(TOKEN_TTL + 1)), op.As(token, op.UserList())) == INVALID_AUTH_TOKEN


@pytest.mark.parametrize(
    ("version", "taken"), [("3.5.31", False), ("3.5.32", True), ("3.6.12", False), ("3.7.3", True)]
)
def test_bearer_may_precede_a_token_in_new_versions(version: str, taken: bool) -> None:
    state, token = logged_in(after(store(version), *ROOT))
    assert isinstance(said(state, op.As(f"Bearer {token}", op.UserList())), Error) != taken


@pytest.mark.parametrize(
    ("version", "says"), [("3.4.27", INVALID_AUTH_TOKEN), ("3.4.28", AuthenticateResult(1, "token-1"))]
)
def test_who_authenticates_with_a_bad_token_is_refused_by_old_versions(version: str, says: Result) -> None:
    state = after(store(version), *ROOT)
    assert said(state, op.As("bad", op.Authenticate("root", "secret"))) == says
    assert said(state, op.As("bad", op.Authenticate("root", "wrong"))) == AUTH_FAILED


def test_the_state_forgets_the_sender_of_an_answered_request() -> None:
    state, token = logged_in(after(store(), *ROOT))
    state, _ = step(state, op.As(token, op.Put(b"a")))
    assert state.sender == Sender()
    refused, _ = step(state, op.As("bad", op.Put(b"a")))
    assert refused is state


# Passwords.


def test_names_and_passwords_are_checked_before_anything_is_given_out() -> None:
    play(
        after(store(), op.UserAdd("u", ""), op.UserAdd("n", "given", no_password=True), *ROOT),
        (op.Authenticate("nobody", ""), AUTH_FAILED),
        (op.Authenticate("root", ""), AUTH_FAILED),
        (op.Authenticate("n", "given"), NO_PASSWORD_USER),
        (op.Authenticate("u", ""), AuthenticateResult(1, "token-1")),
    )


@pytest.mark.parametrize(
    ("version", "says"), [("3.4.45", AuthenticateResult(1, "token-1")), ("3.5.1", AUTH_FAILED), ("3.7.3", AUTH_FAILED)]
)
def test_a_password_changed_to_an_empty_one_matches_nothing_since_3_5(version: str, says: Result) -> None:
    state = after(store(version), op.UserAdd("u", "p"), op.UserChangePassword("u", ""), *ROOT)
    assert said(state, op.Authenticate("u", "")) == says
    assert said(state, op.Authenticate("u", "p")) == AUTH_FAILED


@pytest.mark.parametrize(
    ("version", "unnamed"), [("3.4.45", USER_EMPTY), ("3.5.16", PASSWORD_TOO_LONG), ("3.6.16", PASSWORD_TOO_LONG)]
)
def test_a_long_password_is_refused_and_since_3_5_before_all_else(version: str, unnamed: Result) -> None:
    state = after(store(version), op.UserAdd("u", "p" * 72))
    assert said(state, op.UserAdd("", "p" * 73)) == unnamed
    assert said(state, op.UserAdd("u", "p" * 73)) == PASSWORD_TOO_LONG
    assert said(state, op.UserChangePassword("nobody", "p" * 73)) == PASSWORD_TOO_LONG
    assert said(state, op.UserAdd("n", "p" * 73, no_password=True)) == OK
    hidden = after(state, *ROOT)
    assert said(hidden, op.As("bad", op.UserAdd("x", "p" * 73))) == (
        PASSWORD_TOO_LONG if version != "3.4.45" else INVALID_AUTH_TOKEN
    )


def test_a_long_password_is_cut_by_old_versions() -> None:
    state = after(store("3.4.23"), op.UserAdd("u", "p" * 80), *ROOT)
    assert said(state, op.Authenticate("u", "p" * 73)) == AuthenticateResult(1, "token-1")
    assert said(state, op.Authenticate("u", "p" * 71)) == AUTH_FAILED


def test_bcrypt_takes_a_password_over_and_over() -> None:
    assert bcrypt_key("a") == bcrypt_key("a\0a") != bcrypt_key("aa")
    assert len(bcrypt_key("")) == len(bcrypt_key("x" * 100)) == 72


# Users and roles: the checks of each call, in their order.


@pytest.mark.parametrize("version", VERSIONS)
def test_users_come_get_roles_and_go(version: str) -> None:
    state = play(
        store(version),
        (op.UserAdd("", "p"), USER_EMPTY),
        (op.UserAdd("u", "p"), OK),
        (op.UserAdd("u", "q"), USER_ALREADY_EXIST),
        (op.UserGrantRole("nobody", "none"), USER_NOT_FOUND),
        (op.UserGrantRole("u", "none"), ROLE_NOT_FOUND),
        (op.RoleAdd("z"), OK),
        (op.RoleAdd("a"), OK),
        (op.UserGrantRole("u", "z"), OK),
        (op.UserGrantRole("u", "a"), OK),
        (op.UserGet("u"), UserGetResult(1, ("a", "z"))),
        (op.UserAdd("b"), OK),
        (op.UserList(), UserListResult(1, ("b", "u"))),
        (op.UserRevokeRole("nobody", "none"), USER_NOT_FOUND),
        (op.UserRevokeRole("u", "none"), ROLE_NOT_GRANTED),
        (op.UserRevokeRole("u", "a"), OK),
        (op.RoleDelete("z"), OK),
        (op.UserGet("u"), UserGetResult(1)),
        (op.UserGet("nobody"), USER_NOT_FOUND),
        (op.UserChangePassword("nobody", "p"), USER_NOT_FOUND),
        (op.UserDelete("nobody"), USER_NOT_FOUND),
        (op.UserDelete("u"), OK),
        (op.UserList(), UserListResult(1, ("b",))),
    )
    assert state.auth.revision == 10


def test_a_role_that_a_user_has_already_is_not_granted_again() -> None:
    state = after(store(), op.UserAdd("u"), op.RoleAdd("r"), op.UserGrantRole("u", "r"))
    assert step(state, op.UserGrantRole("u", "r")) == (state, OK)


@pytest.mark.parametrize("version", VERSIONS)
def test_root_stays_root_while_auth_is_on(version: str) -> None:
    state, token = logged_in(after(store(version), op.RoleAdd("root"), *ROOT))
    for operation in (op.UserDelete("root"), op.UserRevokeRole("root", "root"), op.RoleDelete("root")):
        assert said(state, op.As(token, operation)) == INVALID_AUTH_MGMT
        assert said(after(state, op.As(token, op.AuthDisable())), operation) == OK


# Permissions of a role.

READ, WRITE, BOTH = 0, 1, 2


@pytest.mark.parametrize("version", VERSIONS)
def test_permissions_are_kept_by_key_and_only_the_first_of_a_key_is_looked_at(version: str) -> None:
    state = play(
        store(version),
        (op.RoleAdd(""), ROLE_EMPTY),
        (op.RoleAdd("r"), OK),
        (op.RoleAdd("r"), ROLE_ALREADY_EXIST),
        (op.RoleGrantPermission("none", op.Permission(READ, b"a")), ROLE_NOT_FOUND),
        (op.RoleGrantPermission("r", op.Permission(READ, b"b")), OK),
        (op.RoleGrantPermission("r", op.Permission(READ, b"a")), OK),
        (op.RoleGrantPermission("r", op.Permission(WRITE, b"a")), OK),
        (op.RoleGrantPermission("r", op.Permission(READ, b"a", b"z")), OK),
        (op.RoleGrantPermission("r", op.Permission(BOTH, b"a", b"z")), OK),
        (
            op.RoleGet("r"),
            RoleGetResult(
                1,
                (
                    op.Permission(WRITE, b"a"),
                    op.Permission(READ, b"a", b"z"),
                    op.Permission(BOTH, b"a", b"z"),
                    op.Permission(READ, b"b"),
                ),
            ),
        ),
        (op.RoleRevokePermission("none", b"a"), ROLE_NOT_FOUND),
        (op.RoleRevokePermission("r", b"a", b"y"), PERMISSION_NOT_GRANTED),
        (op.RoleRevokePermission("r", b"a", b"z"), OK),
        (op.RoleGet("r"), RoleGetResult(1, (op.Permission(WRITE, b"a"), op.Permission(READ, b"b")))),
        (op.RoleGet("none"), ROLE_NOT_FOUND),
        (op.RoleDelete("none"), ROLE_NOT_FOUND),
        (op.RoleList(), RoleListResult(1, ("r",))),
    )
    assert state.auth.revision == 8


@pytest.mark.parametrize(("key", "end"), [(b"", b""), (b"", b"\0"), (b"b", b"a"), (b"b", b"b")])
def test_a_permission_for_no_range_is_refused_since_3_4_25_and_3_5_8(key: bytes, end: bytes) -> None:
    grant = op.RoleGrantPermission("none", op.Permission(READ, key, end))
    assert said(store("3.5.7"), grant) == ROLE_NOT_FOUND
    assert said(store("3.5.8"), grant) == INVALID_AUTH_MGMT
    assert said(store("3.4.25"), replace(grant, perm=op.Permission(READ, b"b", b"\0"))) == ROLE_NOT_FOUND


def test_a_missing_permission_is_refused_where_it_does_not_kill() -> None:
    grant = op.RoleGrantPermission("r")
    for version in ("3.4.25", "3.5.0", "3.7.3"):
        assert said(store(version), grant) == PERMISSION_NOT_GIVEN
        assert crash_reason(grant, after(store(version), op.RoleAdd("r"))) is None
    assert said(store("3.4.24"), grant) == ROLE_NOT_FOUND
    assert crash_reason(grant, store("3.4.24")) is None
    assert "kills" in (crash_reason(op.As("t", grant), after(store("3.4.24"), op.RoleAdd("r"))) or "")


def test_the_role_root_shows_what_it_may_since_3_6() -> None:
    grant = op.RoleGrantPermission("root", op.Permission(READ, b"a"))
    for version, shown in ((MIDDLE, op.Permission(READ, b"a")), (NEW, op.Permission(BOTH, b"", b"\0"))):
        assert said(after(store(version), op.RoleAdd("root"), grant), op.RoleGet("root")) == RoleGetResult(1, (shown,))


# Who may manage.

MANAGEMENT: list[Operation] = [
    op.AuthEnable(),
    op.AuthDisable(),
    op.UserAdd("x"),
    op.UserDelete("u"),
    op.UserChangePassword("u", "x"),
    op.UserGrantRole("u", "r"),
    op.UserRevokeRole("u", "r"),
    op.UserList(),
    op.RoleAdd("x"),
    op.RoleDelete("r"),
    op.RoleGrantPermission("r", op.Permission(READ, b"a")),
    op.RoleRevokePermission("r", b"a"),
    op.RoleList(),
    op.UserGet("root"),
    op.RoleGet("s"),
]


@pytest.mark.parametrize("operation", MANAGEMENT, ids=str)
def test_management_is_roots(operation: Operation) -> None:
    state = after(store(), op.UserAdd("u", "p"), op.RoleAdd("r"), op.RoleAdd("s"), op.UserGrantRole("u", "r"), *ROOT)
    state, user = logged_in(state, "u", "p")
    state, root = logged_in(state)
    assert said(state, operation) == USER_EMPTY
    assert said(state, op.As("bad", operation)) == INVALID_AUTH_TOKEN
    assert said(state, op.As(user, operation)) == PERMISSION_DENIED
    assert said(state, op.As(root, operation)) not in (USER_EMPTY, PERMISSION_DENIED)


def test_a_user_may_ask_for_its_own_roles_and_for_what_these_permit() -> None:
    state = after(store(), op.UserAdd("u", "p"), op.RoleAdd("r"), op.UserGrantRole("u", "r"), *ROOT)
    state, user = logged_in(state, "u", "p")
    assert said(state, op.As(user, op.UserGet("u"))) == UserGetResult(1, ("r",))
    assert said(state, op.As(user, op.RoleGet("r"))) == RoleGetResult(1)


def test_who_has_no_token_may_ask_for_the_user_without_a_name() -> None:
    state = after(store(), *ROOT)
    assert said(state, op.UserGet("")) == USER_NOT_FOUND
    assert said(state, op.RoleGet("")) == USER_EMPTY


def test_being_looked_at_changes_nothing_but_the_life_of_the_token() -> None:
    state, token = logged_in(after(store(), *ROOT))
    assert step(state, op.As(token, op.Range(b"a")))[0] is state
    later = after(state, op.Advance(5))
    used, _ = step(later, op.As(token, op.Range(b"a")))
    assert used == replace(later, auth=later.auth.used(token, later.now))
    assert used.auth.tokens[token].expiry == TOKEN_TTL + 5
