"""Who a certificate or a JSON Web Token says that sends a request: tables of cases."""

from __future__ import annotations

import pytest

from etcd_model import Error, Operation, Result, Server, State, nondeterminism, quirks_of, step
from etcd_model import operations as op
from etcd_model.errors import (
    AUTH_OLD_REVISION,
    AUTH_OLD_REVISION_UNMAPPED,
    INVALID_AUTH_TOKEN,
    PERMISSION_DENIED,
    USER_EMPTY,
    USER_NOT_FOUND,
)
from etcd_model.operations import Claims
from etcd_model.results import AuthenticateResult

REVISION = 7
"""Of the auth store, after these:"""
USERS = (
    op.UserAdd("root", "root"),
    op.UserGrantRole("root", "root"),
    op.UserAdd("u", "u"),
    op.RoleAdd("reads"),
    op.RoleGrantPermission("reads", op.Permission(op.PermissionType.READ, b"a")),
    op.UserGrantRole("u", "reads"),
    op.AuthEnable(),
)
OK = "ok"
GET, PUT, USER_LIST, GRANT = op.Range(b"a"), op.Put(b"a"), op.UserList(), op.LeaseGrant(60)


def store(version: str = "3.6.16", *, signed: bool = True, certificates: bool = True) -> State:
    state = State(Server(quirks_of(version), client_cert_auth=certificates, signed_tokens=signed))
    for operation in USERS:
        state, result = step(state, operation)
        assert not isinstance(result, Error)
    assert state.auth.revision == REVISION
    return state


def said(state: State, operation: Operation) -> Result | str:
    """`ok`, or the refusal."""
    _, result = step(state, operation)
    return result if isinstance(result, Error) else OK


def answers(state: State, token: str = "", certificate: str = "", claims: Claims | None = None) -> list[Result | str]:
    return [said(state, op.As(token, one, certificate, claims)) for one in (GET, PUT, USER_LIST, GRANT)]


INVALID = [INVALID_AUTH_TOKEN] * 4
READER = [OK, PERMISSION_DENIED, PERMISSION_DENIED, OK]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        (Claims("u", REVISION), READER),
        (Claims("root", REVISION), [OK] * 4),
        (Claims("x", REVISION), [PERMISSION_DENIED, PERMISSION_DENIED, USER_NOT_FOUND, OK]),
        (Claims("", REVISION), [PERMISSION_DENIED, PERMISSION_DENIED, USER_EMPTY, OK]),
        (Claims("u", REVISION, expired=True), INVALID),
        (Claims("root", REVISION, forged=True), INVALID),
        (Claims("u", REVISION - 1), [AUTH_OLD_REVISION, AUTH_OLD_REVISION, PERMISSION_DENIED, OK]),
        (Claims("u", REVISION + 1), [AUTH_OLD_REVISION, PERMISSION_DENIED, PERMISSION_DENIED, OK]),
        (Claims("u", 0), [USER_EMPTY, USER_EMPTY, PERMISSION_DENIED, OK]),
        (Claims("root", REVISION - 1), [AUTH_OLD_REVISION, AUTH_OLD_REVISION, OK, OK]),
    ],
    ids=str,
)
def test_a_signed_token_is_good_for_what_it_claims(claims: Claims, expected: list[Result | str]) -> None:
    assert answers(store(), claims=claims) == expected


def test_what_is_only_read_needs_a_token_of_just_now_even_where_auth_is_off() -> None:
    state, _ = step(store("3.5.1"), op.As("", op.AuthDisable(), "root"))
    old = Claims("root", REVISION)
    assert answers(state, claims=old) == [AUTH_OLD_REVISION_UNMAPPED, OK, OK, OK]
    assert answers(state, claims=Claims("root", REVISION + 1)) == [OK] * 4
    state, _ = step(store("3.6.16"), op.As("", op.AuthDisable(), "root"))
    assert answers(state, claims=old) == [OK] * 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("root", [OK] * 4),
        ("u", READER),
        ("x", [PERMISSION_DENIED, PERMISSION_DENIED, USER_NOT_FOUND, OK]),
        ("", [PERMISSION_DENIED, PERMISSION_DENIED, USER_EMPTY, OK]),
    ],
)
def test_without_a_token_the_certificate_names_the_user(name: str, expected: list[Result | str]) -> None:
    assert answers(store(), certificate=name) == expected


def test_elsewhere_a_certificate_names_nobody() -> None:
    assert answers(store(certificates=False), certificate="root") == [USER_EMPTY] * 4


def test_a_token_counts_more_than_a_certificate_even_a_bad_one() -> None:
    assert answers(store(), certificate="root", claims=Claims("u", REVISION)) == READER
    assert answers(store(), certificate="u", claims=Claims("root", REVISION)) == [OK] * 4
    assert answers(store(), certificate="root", claims=Claims("u", REVISION, expired=True)) == INVALID
    assert answers(store(), certificate="root", token="x") == INVALID


def test_claims_mean_nothing_where_tokens_are_simple() -> None:
    assert answers(store(signed=False), certificate="root", claims=Claims("root", REVISION)) == INVALID


def logged_in(state: State) -> tuple[State, str]:
    state, result = step(state, op.Authenticate("u", "u"))
    assert isinstance(result, AuthenticateResult)
    return state, result.token


def test_a_token_that_the_server_signs_is_of_its_revision_and_no_change_ends_it() -> None:
    state, token = logged_in(store())
    assert answers(state, token) == READER
    for change in (op.UserChangePassword("u", "v"), op.UserDelete("u")):
        state, _ = step(state, op.As("", change, "root"))
        assert answers(state, token)[0] == AUTH_OLD_REVISION
    simple, token = logged_in(store(signed=False))
    simple, _ = step(simple, op.As("", op.UserChangePassword("u", "v"), "root"))
    assert answers(simple, token) == INVALID


def test_a_token_that_the_server_signs_ends_some_time_after_its_making_used_or_not() -> None:
    state, token = logged_in(store())
    for seconds, expected in ((299, READER), (1, INVALID)):
        state, _ = step(state, op.Advance(seconds))
        assert answers(state, token) == expected
        state, _ = step(state, op.As(token, GET))


@pytest.mark.parametrize(
    ("version", "revoke", "reads"),
    [
        ("3.4.23", AUTH_OLD_REVISION, OK),
        ("3.5.9", AUTH_OLD_REVISION, AUTH_OLD_REVISION),
        ("3.5.16", OK, AUTH_OLD_REVISION),
        ("3.5.30", OK, OK),
        ("3.7.3", OK, OK),
    ],
)
def test_root_needs_no_token_of_now_for_leases(version: str, revoke: Result | str, reads: Result | str) -> None:
    """Measured on all but 3.5.9."""
    state = store(version)
    for operation in (op.LeaseGrant(60, 7), op.Put(b"a", lease=7)):
        state, _ = step(state, op.As("", operation, "root"))
    old = Claims("root", REVISION - 1)
    assert said(state, op.As("", op.LeaseRevoke(7), claims=old)) == revoke
    assert said(state, op.As("", op.LeaseTimeToLive(7, keys=True), claims=old)) == reads


WAITING = (op.LeaseGrant(60, id=7), op.LeaseGrant(60, id=8), op.Lock(b"n", 8))


@pytest.mark.parametrize(
    ("operation", "left"), [(op.Lock(b"n", 7), {b"n/8"}), (op.Campaign(b"n", 7), {b"n/7", b"n/8"})]
)
def test_while_auth_is_off_an_old_token_may_write_and_not_look_who_came_before(
    operation: Operation, left: set[bytes]
) -> None:
    """Who locks cleans up without a token then; a candidate leaves its key. Played to etcd 3.5.1."""
    state = State(Server(quirks_of("3.5.1"), client_cert_auth=True, signed_tokens=True))
    for one in (op.RoleAdd("r"), *WAITING):
        state, result = step(state, one)
        assert not isinstance(result, Error)
    old = Claims("u", state.auth.revision - 1)
    state, result = step(state, op.As("", operation, claims=old))
    assert result == Error(AUTH_OLD_REVISION_UNMAPPED.code, AUTH_OLD_REVISION_UNMAPPED.message)
    assert set(state.keys) == left


def test_a_candidate_that_is_refused_leaves_a_key_of_a_lease_whose_id_no_answer_has() -> None:
    state, _ = step(State(Server(quirks_of("3.5.1"), signed_tokens=True)), op.RoleAdd("r"))
    old = Claims("u", state.auth.revision - 1)
    assert nondeterminism(op.As("", op.Campaign(b"n"), claims=old), state) is not None
    assert nondeterminism(op.As("", op.Campaign(b"n", 7), claims=old), state) is None
    assert nondeterminism(op.As("", op.Lock(b"n"), claims=old), state) is None
