"""The Auth service: on and off, tokens, and who may manage users and roles."""

from __future__ import annotations

from etcd_lockstep.trace import TokenOf
from etcd_lockstep.transcripts.auth_fixtures import (
    BAD,
    DONE,
    GOT_IN,
    READ,
    ROOT_ONLY,
    THE_ROOT,
    USER,
    as_root,
    as_user,
    may,
    realm,
)
from etcd_lockstep.transcripts.transcript import Since, Step, says
from etcd_model import operations as op
from etcd_model.errors import (
    AUTH_FAILED,
    AUTH_NOT_ENABLED,
    INVALID_AUTH_MGMT,
    INVALID_AUTH_TOKEN,
    PERMISSION_DENIED,
    PERMISSION_NOT_GRANTED,
    ROLE_EMPTY,
    ROLE_NOT_FOUND,
    ROLE_NOT_GRANTED,
    ROOT_ROLE_NOT_EXIST,
    ROOT_USER_NOT_EXIST,
    USER_EMPTY,
    USER_NOT_FOUND,
    unimplemented,
)
from etcd_model.results import (
    AuthStatusResult,
    PutResult,
    RangeResult,
    RoleGetResult,
    UserGetResult,
    UserListResult,
)

NO_STATUS = unimplemented("etcdserverpb.Auth", "AuthStatus")


def stands_at(auth_revision: int, *, on: bool = False, token: str = "") -> Step:
    """What AuthStatus reports, where there is one."""
    operation = op.AuthStatus()
    return (
        op.As(token, operation) if token else operation,
        Since("auth_status", NO_STATUS, AuthStatusResult(1, on, auth_revision)),
    )


_ON_AND_OFF = (
    says(
        "auth can be turned on when there is a user root who has the role root, which need not exist",
        (op.AuthEnable(), ROOT_USER_NOT_EXIST),
        (op.UserAdd("root", "r"), DONE),
        (op.AuthEnable(), ROOT_ROLE_NOT_EXIST),
        (op.RoleAdd("root"), DONE),
        (op.AuthEnable(), ROOT_ROLE_NOT_EXIST),
        (op.RoleDelete("root"), DONE),
        (op.UserGrantRole("root", "root"), DONE),
        (op.AuthEnable(), DONE),
        (op.Authenticate("root", "r"), GOT_IN),
        (op.As(TokenOf(9), op.AuthEnable()), DONE),
        (op.As(TokenOf(9), op.RoleGet("root")), ROLE_NOT_FOUND),
        (op.As(TokenOf(9), op.UserGet("root")), UserGetResult(1, ("root",))),
    ),
    says(
        "auth can be turned off when it is off, and turned off it has forgotten all tokens",
        (op.AuthDisable(), DONE),
        (op.UserAdd("root", "r"), DONE),
        (op.UserGrantRole("root", "root"), DONE),
        (op.AuthEnable(), DONE),
        (op.Authenticate("root", "r"), GOT_IN),
        (op.As(TokenOf(5), op.Range(b"a")), RangeResult(1)),
        (op.As(TokenOf(5), op.AuthDisable()), DONE),
        (op.Range(b"a"), RangeResult(1)),
        (op.AuthEnable(), DONE),
        (op.As(TokenOf(5), op.Range(b"a")), INVALID_AUTH_TOKEN),
        (op.Range(b"a"), USER_EMPTY),
        (op.Authenticate("root", "r"), GOT_IN),
        (op.As(TokenOf(12), op.Range(b"a")), RangeResult(1)),
    ),
    says(
        "Bearer may stand before a token since 3.5.32 and 3.6.13, once, spelled like that and with one blank",
        *realm(),
        (
            op.As(USER, op.UserGet("u"), scheme="Bearer "),
            Since("bearer_tokens", INVALID_AUTH_TOKEN, UserGetResult(1, ("r",))),
        ),
        (op.As(USER, op.UserGet("u"), scheme="Bearer"), INVALID_AUTH_TOKEN),
        (op.As(USER, op.UserGet("u"), scheme="bearer "), INVALID_AUTH_TOKEN),
        (op.As(USER, op.UserGet("u"), scheme="Bearer Bearer "), INVALID_AUTH_TOKEN),
        (op.As(BAD, op.UserGet("u"), scheme="Bearer "), INVALID_AUTH_TOKEN),
    ),
    says(
        "a token may go in the metadata authorization, as etcd's gateway sends it",
        *realm(),
        (op.As(USER, op.UserGet("u"), authorization=True), UserGetResult(1, ("r",))),
        (
            op.As(USER, op.UserGet("u"), scheme="Bearer ", authorization=True),
            Since("bearer_tokens", INVALID_AUTH_TOKEN, UserGetResult(1, ("r",))),
        ),
        (op.As(BAD, op.UserGet("u"), authorization=True), INVALID_AUTH_TOKEN),
    ),
    says(
        "a token that comes while auth is off was refused, until it was looked at no more",
        (op.As(BAD, op.Range(b"a")), Since("auth_off_ignores_tokens", INVALID_AUTH_TOKEN, RangeResult(1))),
        (op.As(BAD, op.Put(b"a", b"1")), Since("auth_off_ignores_tokens", INVALID_AUTH_TOKEN, PutResult(2))),
        (op.As(BAD, op.Authenticate("u", "p")), AUTH_NOT_ENABLED),
        (op.As(BAD, op.UserList()), Since("auth_off_ignores_tokens", INVALID_AUTH_TOKEN, UserListResult(2))),
    ),
    says(
        "while auth is off nobody gets a token, whoever it is for",
        (op.UserAdd("u", "p"), DONE),
        (op.Authenticate("u", "p"), AUTH_NOT_ENABLED),
        (op.Authenticate("u", "wrong"), AUTH_NOT_ENABLED),
        (op.Authenticate("", ""), AUTH_NOT_ENABLED),
    ),
    says(
        "the auth store counts its changes, and what changes nothing is none",
        stands_at(1),
        (op.AuthDisable(), DONE),
        (op.UserAdd("", "p"), USER_EMPTY),
        stands_at(1),
        (op.UserAdd("root", "r"), DONE),
        stands_at(2),
        (op.UserGrantRole("root", "root"), DONE),
        stands_at(3),
        (op.UserGrantRole("root", "root"), DONE),
        stands_at(3),
        (op.AuthEnable(), DONE),
        (op.Authenticate("root", "r"), GOT_IN),
        stands_at(3, on=True, token=TokenOf(12)),
        (op.As(TokenOf(12), op.RoleAdd("r")), DONE),
        *((op.As(TokenOf(12), op.RoleGrantPermission("r", may(READ, b"a"))), DONE) for _ in range(2)),
        stands_at(6, on=True, token=TokenOf(12)),
        (op.As(TokenOf(12), op.RoleRevokePermission("r", b"a")), DONE),
        (op.As(TokenOf(12), op.RoleRevokePermission("r", b"a")), PERMISSION_NOT_GRANTED),
        (op.As(TokenOf(12), op.RoleDelete("r")), DONE),
        stands_at(8, on=True, token=TokenOf(12)),
        (op.As(TokenOf(12), op.AuthDisable()), DONE),
        stands_at(9),
    ),
    says(
        "what auth is at only root was reported, and then anybody",
        *realm(),
        (op.AuthStatus(), Since("auth_status_open", USER_EMPTY, AuthStatusResult(1, True, 6))),
        as_user(op.AuthStatus(), Since("auth_status_open", PERMISSION_DENIED, AuthStatusResult(1, True, 6))),
        as_root(op.AuthStatus(), AuthStatusResult(1, True, 6)),
        (op.As(BAD, op.AuthStatus()), INVALID_AUTH_TOKEN),
        needs="auth_status",
    ),
)

_TOKENS = (
    says(
        "a token is good for what its user may do now, whatever that was when it was made",
        *realm(),
        as_user(op.Range(b"a"), PERMISSION_DENIED),
        as_root(op.RoleGrantPermission("r", may(READ, b"a")), DONE),
        as_user(op.Range(b"a"), RangeResult(1)),
        as_root(op.UserRevokeRole("u", "r"), DONE),
        as_user(op.Range(b"a"), PERMISSION_DENIED),
        as_root(op.UserGrantRole("u", "root"), DONE),
        as_user(op.Range(b"b"), RangeResult(1)),
        as_user(op.UserList(), UserListResult(1, ("root", "u"))),
    ),
    says(
        "a user who is deleted has no token any more, not after coming back either",
        *realm(),
        as_root(op.UserDelete("u"), DONE),
        as_user(op.Range(b"a"), INVALID_AUTH_TOKEN),
        as_root(op.UserAdd("u", "p"), DONE),
        as_user(op.UserGet("u"), INVALID_AUTH_TOKEN),
        (op.Authenticate("u", "p"), GOT_IN),
        (op.As(TokenOf(13), op.UserGet("u")), UserGetResult(1)),
    ),
    says(
        "a user may have several tokens",
        *realm(),
        (op.Authenticate("u", "p"), GOT_IN),
        as_user(op.UserGet("u"), UserGetResult(1, ("r",))),
        (op.As(TokenOf(9), op.UserGet("u")), UserGetResult(1, ("r",))),
    ),
    says(
        "who asks for a token was turned away for another that nobody has",
        *realm(),
        (op.As(BAD, op.Authenticate("u", "wrong")), AUTH_FAILED),
        (op.As(BAD, op.Authenticate("u", "p")), Since("authenticate_ignores_tokens", INVALID_AUTH_TOKEN, GOT_IN)),
    ),
)

ROOTS_OWN: tuple[op.AuthOperation, ...] = (
    op.AuthEnable(),
    op.AuthDisable(),
    op.UserAdd("", "p"),
    op.UserGet("none"),
    op.UserList(),
    op.UserDelete("none"),
    op.UserChangePassword("u", "p"),
    op.UserGrantRole("none", "none"),
    op.UserRevokeRole("none", "none"),
    op.RoleAdd(""),
    op.RoleGet("none"),
    op.RoleList(),
    op.RoleDelete("none"),
    op.RoleGrantPermission("none", may(READ, b"a")),
    op.RoleRevokePermission("none", b"a"),
)

_MANAGEMENT = (
    says(
        "with auth on, users and roles are root's to manage: that is looked at before anything else",
        *realm(),
        *((operation, USER_EMPTY) for operation in ROOTS_OWN),
        *((op.As(BAD, operation), INVALID_AUTH_TOKEN) for operation in ROOTS_OWN),
        *(as_user(operation, PERMISSION_DENIED) for operation in ROOTS_OWN),
        *(as_root(operation, USER_NOT_FOUND) for operation in (op.UserGet("none"), op.UserDelete("none"))),
        as_root(op.RoleGet("none"), ROLE_NOT_FOUND),
        as_root(op.RoleAdd(""), ROLE_EMPTY),
    ),
    says(
        "a user may look at itself and at its own roles, and at no other",
        *realm(may(READ, b"a")),
        as_root(op.RoleAdd("other"), DONE),
        as_user(op.UserGet("u"), UserGetResult(1, ("r",))),
        as_user(op.RoleGet("r"), RoleGetResult(1, (may(READ, b"a"),))),
        as_user(op.UserGet("root"), PERMISSION_DENIED),
        as_user(op.RoleGet("other"), PERMISSION_DENIED),
        (op.UserGet("u"), USER_EMPTY),
        (op.RoleGet("r"), USER_EMPTY),
    ),
    says(
        "while auth is on, root stays root",
        *ROOT_ONLY,
        *(
            (op.As(THE_ROOT, operation), INVALID_AUTH_MGMT)
            for operation in (op.UserDelete("root"), op.UserRevokeRole("root", "root"), op.RoleDelete("root"))
        ),
        (op.As(THE_ROOT, op.UserAdd("u", "p")), DONE),
        (op.As(THE_ROOT, op.UserGrantRole("u", "root")), DONE),
        (op.As(THE_ROOT, op.UserRevokeRole("u", "root")), DONE),
        (op.As(THE_ROOT, op.UserRevokeRole("root", "none")), ROLE_NOT_GRANTED),
        (op.As(THE_ROOT, op.AuthDisable()), DONE),
        (op.UserRevokeRole("root", "root"), DONE),
        (op.AuthEnable(), ROOT_ROLE_NOT_EXIST),
        (op.UserDelete("root"), DONE),
        (op.AuthEnable(), ROOT_USER_NOT_EXIST),
    ),
)

AUTH = (*_ON_AND_OFF, *_TOKENS, *_MANAGEMENT)
