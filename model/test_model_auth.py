"""Users, roles, tokens, and who may manage them. Transcripts: a line an operation, with what etcd says to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etcd_model import Error, Operation, Result, Server, State, crash_reason, quirks_of, step
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
from etcd_model.operations import (
    Advance,
    As,
    AuthDisable,
    AuthEnable,
    Authenticate,
    AuthStatus,
    LeaseLeases,
    Permission,
    Put,
    Range,
    RoleAdd,
    RoleDelete,
    RoleGet,
    RoleGrantPermission,
    RoleList,
    RoleRevokePermission,
    UserAdd,
    UserChangePassword,
    UserDelete,
    UserGet,
    UserGrantRole,
    UserList,
    UserRevokeRole,
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

ROOT = (UserAdd("root", "secret"), UserGrantRole("root", "root"), AuthEnable())
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
    state, result = step(state, Authenticate(name, password))
    assert isinstance(result, AuthenticateResult)
    return state, result.token


def said(state: State, operation: Operation) -> Result:
    return step(state, operation)[1]


# What auth needs to be on, and what being on means.


@pytest.mark.parametrize("version", VERSIONS)
def test_auth_needs_a_root_user_that_has_the_root_role_and_no_such_role(version: str) -> None:
    play(
        store(version),
        (AuthEnable(), ROOT_USER_NOT_EXIST),
        (UserAdd("root", "secret"), OK),
        (AuthEnable(), ROOT_ROLE_NOT_EXIST),
        (UserGrantRole("root", "root"), OK),
        (Authenticate("root", "secret"), AUTH_NOT_ENABLED),
        (AuthEnable(), OK),
        (Put(b"a"), USER_EMPTY),
        (AuthEnable(), USER_EMPTY),
        (Authenticate("root", "secret"), AuthenticateResult(1, "token-1")),
        (As("token-1", Put(b"a")), PutResult(2)),
        (As("token-1", AuthEnable()), AuthResult(2)),
        (As("token-2", Put(b"a")), INVALID_AUTH_TOKEN),
    )


def test_enabling_leaves_the_auth_revision_and_disabling_does_not() -> None:
    state = after(store(), *ROOT)
    assert state.auth.revision == 3
    state, token = logged_in(state)
    state = play(state, (As(token, AuthStatus()), AuthStatusResult(1, enabled=True, auth_revision=3)))
    state = play(
        state,
        (As(token, AuthDisable()), OK),
        (AuthStatus(), AuthStatusResult(1, enabled=False, auth_revision=4)),
        (AuthDisable(), OK),
        (AuthStatus(), AuthStatusResult(1, enabled=False, auth_revision=4)),
    )
    assert not state.auth.tokens


def test_a_token_from_before_auth_was_disabled_is_none_after_it_is_enabled_again() -> None:
    state, token = logged_in(after(store(), *ROOT))
    state = after(state, As(token, AuthDisable()), AuthEnable())
    assert said(state, As(token, UserList())) == INVALID_AUTH_TOKEN


@pytest.mark.parametrize(("version", "says"), [("3.5.9", INVALID_AUTH_TOKEN), ("3.5.10", PutResult(2))])
def test_a_token_sent_while_auth_is_off_is_looked_at_by_old_versions(version: str, says: Result) -> None:
    assert said(store(version), As("stale", Put(b"a"))) == says
    assert not isinstance(said(store(version), As("stale", LeaseLeases())), Error)


def test_auth_status_came_with_3_5_and_is_for_anybody_from_3_7_on() -> None:
    unknown = Error(Code.UNIMPLEMENTED, "unknown method AuthStatus for service etcdserverpb.Auth")
    assert said(after(store("3.4.45"), *ROOT), AuthStatus()) == unknown
    assert said(after(store("3.6.16"), *ROOT), AuthStatus()) == USER_EMPTY
    assert said(after(store("3.7.0"), *ROOT), AuthStatus()) == AuthStatusResult(1, True, 3)


# Tokens.


@pytest.mark.parametrize("drop", [UserChangePassword("u", "p"), UserDelete("u")], ids=str)
def test_tokens_go_with_their_users_password_and_with_their_user(drop: Operation) -> None:
    state = after(store(), UserAdd("u", "p"), *ROOT)
    state, root = logged_in(state)
    state, first = logged_in(state, "u", "p")
    state, second = logged_in(state, "u", "p")
    assert len({root, first, second}) == 3
    state = after(state, As(first, UserGet("u")), As(root, drop))
    assert said(state, As(first, UserGet("u"))) == INVALID_AUTH_TOKEN
    assert said(state, As(second, UserGet("u"))) == INVALID_AUTH_TOKEN
    assert said(state, As(root, UserList())) != INVALID_AUTH_TOKEN


def test_tokens_outlive_changes_of_roles() -> None:
    state, token = logged_in(after(store(), UserAdd("u", "p"), RoleAdd("r"), *ROOT))
    state = after(state, As(token, UserGrantRole("u", "r")), As(token, RoleDelete("r")))
    assert said(state, As(token, UserGet("u"))) == UserGetResult(1)


def test_a_token_lives_until_it_was_not_used_for_its_time() -> None:
    state, token = logged_in(after(store(), *ROOT))
    state = after(state, Advance(TOKEN_TTL), As(token, UserList()), Advance(TOKEN_TTL), As(token, UserList()))
    assert said(after(state, Advance(TOKEN_TTL + 1)), As(token, UserList())) == INVALID_AUTH_TOKEN


@pytest.mark.parametrize(
    ("version", "taken"), [("3.5.31", False), ("3.5.32", True), ("3.6.12", False), ("3.7.3", True)]
)
def test_bearer_may_precede_a_token_in_new_versions(version: str, taken: bool) -> None:
    state, token = logged_in(after(store(version), *ROOT))
    assert isinstance(said(state, As(f"Bearer {token}", UserList())), Error) != taken


@pytest.mark.parametrize(
    ("version", "says"), [("3.4.27", INVALID_AUTH_TOKEN), ("3.4.28", AuthenticateResult(1, "token-1"))]
)
def test_who_authenticates_with_a_bad_token_is_refused_by_old_versions(version: str, says: Result) -> None:
    state = after(store(version), *ROOT)
    assert said(state, As("bad", Authenticate("root", "secret"))) == says
    assert said(state, As("bad", Authenticate("root", "wrong"))) == AUTH_FAILED


def test_the_state_forgets_the_token_of_an_answered_request() -> None:
    state, token = logged_in(after(store(), *ROOT))
    state, _ = step(state, As(token, Put(b"a")))
    assert state.token == ""
    refused, _ = step(state, As("bad", Put(b"a")))
    assert refused is state


# Passwords.


def test_names_and_passwords_are_checked_before_anything_is_given_out() -> None:
    play(
        after(store(), UserAdd("u", ""), UserAdd("n", "given", no_password=True), *ROOT),
        (Authenticate("nobody", ""), AUTH_FAILED),
        (Authenticate("root", ""), AUTH_FAILED),
        (Authenticate("n", "given"), NO_PASSWORD_USER),
        (Authenticate("u", ""), AuthenticateResult(1, "token-1")),
    )


@pytest.mark.parametrize(
    ("version", "says"), [("3.4.45", AuthenticateResult(1, "token-1")), ("3.5.1", AUTH_FAILED), ("3.7.3", AUTH_FAILED)]
)
def test_a_password_changed_to_an_empty_one_matches_nothing_since_3_5(version: str, says: Result) -> None:
    state = after(store(version), UserAdd("u", "p"), UserChangePassword("u", ""), *ROOT)
    assert said(state, Authenticate("u", "")) == says
    assert said(state, Authenticate("u", "p")) == AUTH_FAILED


@pytest.mark.parametrize(
    ("version", "unnamed"), [("3.4.45", USER_EMPTY), ("3.5.16", PASSWORD_TOO_LONG), ("3.6.16", PASSWORD_TOO_LONG)]
)
def test_a_long_password_is_refused_and_since_3_5_before_all_else(version: str, unnamed: Result) -> None:
    state = after(store(version), UserAdd("u", "p" * 72))
    assert said(state, UserAdd("", "p" * 73)) == unnamed
    assert said(state, UserAdd("u", "p" * 73)) == PASSWORD_TOO_LONG
    assert said(state, UserChangePassword("nobody", "p" * 73)) == PASSWORD_TOO_LONG
    assert said(state, UserAdd("n", "p" * 73, no_password=True)) == OK
    hidden = after(state, *ROOT)
    assert said(hidden, As("bad", UserAdd("x", "p" * 73))) == (
        PASSWORD_TOO_LONG if version != "3.4.45" else INVALID_AUTH_TOKEN
    )


def test_a_long_password_is_cut_by_old_versions() -> None:
    state = after(store("3.4.23"), UserAdd("u", "p" * 80), *ROOT)
    assert said(state, Authenticate("u", "p" * 73)) == AuthenticateResult(1, "token-1")
    assert said(state, Authenticate("u", "p" * 71)) == AUTH_FAILED


def test_bcrypt_takes_a_password_over_and_over() -> None:
    assert bcrypt_key("a") == bcrypt_key("a\0a") != bcrypt_key("aa")
    assert len(bcrypt_key("")) == len(bcrypt_key("x" * 100)) == 72


# Users and roles: the checks of each call, in their order.


@pytest.mark.parametrize("version", VERSIONS)
def test_users_come_get_roles_and_go(version: str) -> None:
    state = play(
        store(version),
        (UserAdd("", "p"), USER_EMPTY),
        (UserAdd("u", "p"), OK),
        (UserAdd("u", "q"), USER_ALREADY_EXIST),
        (UserGrantRole("nobody", "none"), USER_NOT_FOUND),
        (UserGrantRole("u", "none"), ROLE_NOT_FOUND),
        (RoleAdd("z"), OK),
        (RoleAdd("a"), OK),
        (UserGrantRole("u", "z"), OK),
        (UserGrantRole("u", "a"), OK),
        (UserGet("u"), UserGetResult(1, ("a", "z"))),
        (UserAdd("b"), OK),
        (UserList(), UserListResult(1, ("b", "u"))),
        (UserRevokeRole("nobody", "none"), USER_NOT_FOUND),
        (UserRevokeRole("u", "none"), ROLE_NOT_GRANTED),
        (UserRevokeRole("u", "a"), OK),
        (RoleDelete("z"), OK),
        (UserGet("u"), UserGetResult(1)),
        (UserGet("nobody"), USER_NOT_FOUND),
        (UserChangePassword("nobody", "p"), USER_NOT_FOUND),
        (UserDelete("nobody"), USER_NOT_FOUND),
        (UserDelete("u"), OK),
        (UserList(), UserListResult(1, ("b",))),
    )
    assert state.auth.revision == 10


def test_a_role_that_a_user_has_already_is_not_granted_again() -> None:
    state = after(store(), UserAdd("u"), RoleAdd("r"), UserGrantRole("u", "r"))
    assert step(state, UserGrantRole("u", "r")) == (state, OK)


@pytest.mark.parametrize("version", VERSIONS)
def test_root_stays_root_while_auth_is_on(version: str) -> None:
    state, token = logged_in(after(store(version), RoleAdd("root"), *ROOT))
    for operation in (UserDelete("root"), UserRevokeRole("root", "root"), RoleDelete("root")):
        assert said(state, As(token, operation)) == INVALID_AUTH_MGMT
        assert said(after(state, As(token, AuthDisable())), operation) == OK


# Permissions of a role.

READ, WRITE, BOTH = 0, 1, 2


@pytest.mark.parametrize("version", VERSIONS)
def test_permissions_are_kept_by_key_and_only_the_first_of_a_key_is_looked_at(version: str) -> None:
    state = play(
        store(version),
        (RoleAdd(""), ROLE_EMPTY),
        (RoleAdd("r"), OK),
        (RoleAdd("r"), ROLE_ALREADY_EXIST),
        (RoleGrantPermission("none", Permission(READ, b"a")), ROLE_NOT_FOUND),
        (RoleGrantPermission("r", Permission(READ, b"b")), OK),
        (RoleGrantPermission("r", Permission(READ, b"a")), OK),
        (RoleGrantPermission("r", Permission(WRITE, b"a")), OK),
        (RoleGrantPermission("r", Permission(READ, b"a", b"z")), OK),
        (RoleGrantPermission("r", Permission(BOTH, b"a", b"z")), OK),
        (
            RoleGet("r"),
            RoleGetResult(
                1,
                (
                    Permission(WRITE, b"a"),
                    Permission(READ, b"a", b"z"),
                    Permission(BOTH, b"a", b"z"),
                    Permission(READ, b"b"),
                ),
            ),
        ),
        (RoleRevokePermission("none", b"a"), ROLE_NOT_FOUND),
        (RoleRevokePermission("r", b"a", b"y"), PERMISSION_NOT_GRANTED),
        (RoleRevokePermission("r", b"a", b"z"), OK),
        (RoleGet("r"), RoleGetResult(1, (Permission(WRITE, b"a"), Permission(READ, b"b")))),
        (RoleGet("none"), ROLE_NOT_FOUND),
        (RoleDelete("none"), ROLE_NOT_FOUND),
        (RoleList(), RoleListResult(1, ("r",))),
    )
    assert state.auth.revision == 8


@pytest.mark.parametrize(("key", "end"), [(b"", b""), (b"", b"\0"), (b"b", b"a"), (b"b", b"b")])
def test_a_permission_for_no_range_is_refused_since_3_4_25_and_3_5_8(key: bytes, end: bytes) -> None:
    grant = RoleGrantPermission("none", Permission(READ, key, end))
    assert said(store("3.5.7"), grant) == ROLE_NOT_FOUND
    assert said(store("3.5.8"), grant) == INVALID_AUTH_MGMT
    assert said(store("3.4.25"), replace(grant, perm=Permission(READ, b"b", b"\0"))) == ROLE_NOT_FOUND


def test_a_missing_permission_is_refused_where_it_does_not_kill() -> None:
    grant = RoleGrantPermission("r")
    for version in ("3.4.25", "3.5.0", "3.7.3"):
        assert said(store(version), grant) == PERMISSION_NOT_GIVEN
        assert crash_reason(grant, after(store(version), RoleAdd("r"))) is None
    assert said(store("3.4.24"), grant) == ROLE_NOT_FOUND
    assert crash_reason(grant, store("3.4.24")) is None
    assert "kills" in (crash_reason(As("t", grant), after(store("3.4.24"), RoleAdd("r"))) or "")


def test_the_role_root_shows_what_it_may_since_3_6() -> None:
    grant = RoleGrantPermission("root", Permission(READ, b"a"))
    for version, shown in ((MIDDLE, Permission(READ, b"a")), (NEW, Permission(BOTH, b"", b"\0"))):
        assert said(after(store(version), RoleAdd("root"), grant), RoleGet("root")) == RoleGetResult(1, (shown,))


# Who may manage.

MANAGEMENT: list[Operation] = [
    AuthEnable(),
    AuthDisable(),
    UserAdd("x"),
    UserDelete("u"),
    UserChangePassword("u", "x"),
    UserGrantRole("u", "r"),
    UserRevokeRole("u", "r"),
    UserList(),
    RoleAdd("x"),
    RoleDelete("r"),
    RoleGrantPermission("r", Permission(READ, b"a")),
    RoleRevokePermission("r", b"a"),
    RoleList(),
    UserGet("root"),
    RoleGet("s"),
]


@pytest.mark.parametrize("operation", MANAGEMENT, ids=str)
def test_management_is_roots(operation: Operation) -> None:
    state = after(store(), UserAdd("u", "p"), RoleAdd("r"), RoleAdd("s"), UserGrantRole("u", "r"), *ROOT)
    state, user = logged_in(state, "u", "p")
    state, root = logged_in(state)
    assert said(state, operation) == USER_EMPTY
    assert said(state, As("bad", operation)) == INVALID_AUTH_TOKEN
    assert said(state, As(user, operation)) == PERMISSION_DENIED
    assert said(state, As(root, operation)) not in (USER_EMPTY, PERMISSION_DENIED)


def test_a_user_may_ask_for_its_own_roles_and_for_what_these_permit() -> None:
    state = after(store(), UserAdd("u", "p"), RoleAdd("r"), UserGrantRole("u", "r"), *ROOT)
    state, user = logged_in(state, "u", "p")
    assert said(state, As(user, UserGet("u"))) == UserGetResult(1, ("r",))
    assert said(state, As(user, RoleGet("r"))) == RoleGetResult(1)


def test_who_has_no_token_may_ask_for_the_user_without_a_name() -> None:
    state = after(store(), *ROOT)
    assert said(state, UserGet("")) == USER_NOT_FOUND
    assert said(state, RoleGet("")) == USER_EMPTY


def test_being_looked_at_changes_nothing_but_the_life_of_the_token() -> None:
    state, token = logged_in(after(store(), *ROOT))
    assert step(state, As(token, Range(b"a")))[0] is state
    later = after(state, Advance(5))
    used, _ = step(later, As(token, Range(b"a")))
    assert used == replace(later, auth=later.auth.used(token, later.now))
    assert used.auth.tokens[token].expiry == TOKEN_TTL + 5
