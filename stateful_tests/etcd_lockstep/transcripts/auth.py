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
    as_root,
    as_user,
    may,
    realm,
)
from etcd_lockstep.transcripts.transcript import Since, Step, says
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
from etcd_model.operations import (
    As,
    AuthDisable,
    AuthEnable,
    Authenticate,
    AuthOperation,
    AuthStatus,
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
    AuthStatusResult,
    PutResult,
    RangeResult,
    RoleGetResult,
    UserGetResult,
    UserListResult,
)

NO_STATUS = unimplemented("etcdserverpb.Auth", "AuthStatus")


def stands_at(auth_revision: int, *, on: bool = False, token: str = "") -> Step:
    """What AuthStatus tells, where there is one."""
    operation = AuthStatus()
    return (
        As(token, operation) if token else operation,
        Since("auth_status", NO_STATUS, AuthStatusResult(1, on, auth_revision)),
    )


_ON_AND_OFF = (
    says(
        "auth can be turned on when there is a user root who has the role root, which need not exist",
        (AuthEnable(), ROOT_USER_NOT_EXIST),
        (UserAdd("root", "r"), DONE),
        (AuthEnable(), ROOT_ROLE_NOT_EXIST),
        (RoleAdd("root"), DONE),
        (AuthEnable(), ROOT_ROLE_NOT_EXIST),
        (RoleDelete("root"), DONE),
        (UserGrantRole("root", "root"), DONE),
        (AuthEnable(), DONE),
        (Authenticate("root", "r"), GOT_IN),
        (As(TokenOf(9), AuthEnable()), DONE),
        (As(TokenOf(9), RoleGet("root")), ROLE_NOT_FOUND),
        (As(TokenOf(9), UserGet("root")), UserGetResult(1, ("root",))),
    ),
    says(
        "auth can be turned off when it is off, and turned off it has forgotten all tokens",
        (AuthDisable(), DONE),
        (UserAdd("root", "r"), DONE),
        (UserGrantRole("root", "root"), DONE),
        (AuthEnable(), DONE),
        (Authenticate("root", "r"), GOT_IN),
        (As(TokenOf(5), Range(b"a")), RangeResult(1)),
        (As(TokenOf(5), AuthDisable()), DONE),
        (Range(b"a"), RangeResult(1)),
        (AuthEnable(), DONE),
        (As(TokenOf(5), Range(b"a")), INVALID_AUTH_TOKEN),
        (Range(b"a"), USER_EMPTY),
        (Authenticate("root", "r"), GOT_IN),
        (As(TokenOf(12), Range(b"a")), RangeResult(1)),
    ),
    says(
        "a token that comes while auth is off was refused, until it was looked at no more",
        (As(BAD, Range(b"a")), Since("auth_off_ignores_tokens", INVALID_AUTH_TOKEN, RangeResult(1))),
        (As(BAD, Put(b"a", b"1")), Since("auth_off_ignores_tokens", INVALID_AUTH_TOKEN, PutResult(2))),
        (As(BAD, Authenticate("u", "p")), AUTH_NOT_ENABLED),
        (As(BAD, UserList()), Since("auth_off_ignores_tokens", INVALID_AUTH_TOKEN, UserListResult(2))),
    ),
    says(
        "while auth is off nobody gets a token, whoever it is for",
        (UserAdd("u", "p"), DONE),
        (Authenticate("u", "p"), AUTH_NOT_ENABLED),
        (Authenticate("u", "wrong"), AUTH_NOT_ENABLED),
        (Authenticate("", ""), AUTH_NOT_ENABLED),
    ),
    says(
        "the auth store counts its changes, and what changes nothing is none",
        stands_at(1),
        (AuthDisable(), DONE),
        (UserAdd("", "p"), USER_EMPTY),
        stands_at(1),
        (UserAdd("root", "r"), DONE),
        stands_at(2),
        (UserGrantRole("root", "root"), DONE),
        stands_at(3),
        (UserGrantRole("root", "root"), DONE),
        stands_at(3),
        (AuthEnable(), DONE),
        (Authenticate("root", "r"), GOT_IN),
        stands_at(3, on=True, token=TokenOf(12)),
        (As(TokenOf(12), RoleAdd("r")), DONE),
        *((As(TokenOf(12), RoleGrantPermission("r", may(READ, b"a"))), DONE) for _ in range(2)),
        stands_at(6, on=True, token=TokenOf(12)),
        (As(TokenOf(12), RoleRevokePermission("r", b"a")), DONE),
        (As(TokenOf(12), RoleRevokePermission("r", b"a")), PERMISSION_NOT_GRANTED),
        (As(TokenOf(12), RoleDelete("r")), DONE),
        stands_at(8, on=True, token=TokenOf(12)),
        (As(TokenOf(12), AuthDisable()), DONE),
        stands_at(9),
    ),
    says(
        "what auth is at only root was told, and then anybody",
        *realm(),
        (AuthStatus(), Since("auth_status_open", USER_EMPTY, AuthStatusResult(1, True, 6))),
        as_user(AuthStatus(), Since("auth_status_open", PERMISSION_DENIED, AuthStatusResult(1, True, 6))),
        as_root(AuthStatus(), AuthStatusResult(1, True, 6)),
        (As(BAD, AuthStatus()), INVALID_AUTH_TOKEN),
        needs="auth_status",
    ),
)

_TOKENS = (
    says(
        "a token is good for what its user may do now, whatever that was when it was made",
        *realm(),
        as_user(Range(b"a"), PERMISSION_DENIED),
        as_root(RoleGrantPermission("r", may(READ, b"a")), DONE),
        as_user(Range(b"a"), RangeResult(1)),
        as_root(UserRevokeRole("u", "r"), DONE),
        as_user(Range(b"a"), PERMISSION_DENIED),
        as_root(UserGrantRole("u", "root"), DONE),
        as_user(Range(b"b"), RangeResult(1)),
        as_user(UserList(), UserListResult(1, ("root", "u"))),
    ),
    says(
        "a user who is deleted has no token any more, not after coming back either",
        *realm(),
        as_root(UserDelete("u"), DONE),
        as_user(Range(b"a"), INVALID_AUTH_TOKEN),
        as_root(UserAdd("u", "p"), DONE),
        as_user(UserGet("u"), INVALID_AUTH_TOKEN),
        (Authenticate("u", "p"), GOT_IN),
        (As(TokenOf(13), UserGet("u")), UserGetResult(1)),
    ),
    says(
        "a user may have several tokens",
        *realm(),
        (Authenticate("u", "p"), GOT_IN),
        as_user(UserGet("u"), UserGetResult(1, ("r",))),
        (As(TokenOf(9), UserGet("u")), UserGetResult(1, ("r",))),
    ),
    says(
        "who asks for a token was turned away for another that nobody has",
        *realm(),
        (As(BAD, Authenticate("u", "wrong")), AUTH_FAILED),
        (As(BAD, Authenticate("u", "p")), Since("authenticate_ignores_tokens", INVALID_AUTH_TOKEN, GOT_IN)),
    ),
)

ROOTS_OWN: tuple[AuthOperation, ...] = (
    AuthEnable(),
    AuthDisable(),
    UserAdd("", "p"),
    UserGet("none"),
    UserList(),
    UserDelete("none"),
    UserChangePassword("u", "p"),
    UserGrantRole("none", "none"),
    UserRevokeRole("none", "none"),
    RoleAdd(""),
    RoleGet("none"),
    RoleList(),
    RoleDelete("none"),
    RoleGrantPermission("none", may(READ, b"a")),
    RoleRevokePermission("none", b"a"),
)

_MANAGEMENT = (
    says(
        "with auth on, users and roles are root's to manage: that is looked at before anything else",
        *realm(),
        *((operation, USER_EMPTY) for operation in ROOTS_OWN),
        *((As(BAD, operation), INVALID_AUTH_TOKEN) for operation in ROOTS_OWN),
        *(as_user(operation, PERMISSION_DENIED) for operation in ROOTS_OWN),
        *(as_root(operation, USER_NOT_FOUND) for operation in (UserGet("none"), UserDelete("none"))),
        as_root(RoleGet("none"), ROLE_NOT_FOUND),
        as_root(RoleAdd(""), ROLE_EMPTY),
    ),
    says(
        "a user may look at itself and at its own roles, and at no other",
        *realm(may(READ, b"a")),
        as_root(RoleAdd("other"), DONE),
        as_user(UserGet("u"), UserGetResult(1, ("r",))),
        as_user(RoleGet("r"), RoleGetResult(1, (may(READ, b"a"),))),
        as_user(UserGet("root"), PERMISSION_DENIED),
        as_user(RoleGet("other"), PERMISSION_DENIED),
        (UserGet("u"), USER_EMPTY),
        (RoleGet("r"), USER_EMPTY),
    ),
    says(
        "while auth is on, root stays root",
        *ROOT_ONLY,
        *(
            (As(THE_ROOT, operation), INVALID_AUTH_MGMT)
            for operation in (UserDelete("root"), UserRevokeRole("root", "root"), RoleDelete("root"))
        ),
        (As(THE_ROOT, UserAdd("u", "p")), DONE),
        (As(THE_ROOT, UserGrantRole("u", "root")), DONE),
        (As(THE_ROOT, UserRevokeRole("u", "root")), DONE),
        (As(THE_ROOT, UserRevokeRole("root", "none")), ROLE_NOT_GRANTED),
        (As(THE_ROOT, AuthDisable()), DONE),
        (UserRevokeRole("root", "root"), DONE),
        (AuthEnable(), ROOT_ROLE_NOT_EXIST),
        (UserDelete("root"), DONE),
        (AuthEnable(), ROOT_USER_NOT_EXIST),
    ),
)

AUTH = (*_ON_AND_OFF, *_TOKENS, *_MANAGEMENT)
