"""The Auth service: users, roles, passwords and tokens, and who may manage them."""

from __future__ import annotations

from etcd_lockstep.trace import TokenOf
from etcd_lockstep.transcripts.people import (
    BAD,
    DONE,
    GOT_IN,
    READ,
    READWRITE,
    ROOT_ONLY,
    THE_ROOT,
    WRITE,
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
    unimplemented,
)
from etcd_model.operations import (
    As,
    AuthDisable,
    AuthEnable,
    Authenticate,
    AuthOperation,
    AuthStatus,
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
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    AuthStatusResult,
    PutResult,
    RangeResult,
    RoleGetResult,
    RoleListResult,
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

_USERS = (
    says(
        "users have names, each once, and are listed in order",
        (UserAdd("", "p"), USER_EMPTY),
        (UserAdd("", no_password=True), USER_EMPTY),
        (UserAdd("u", "p"), DONE),
        (UserAdd("u", "other"), USER_ALREADY_EXIST),
        (UserAdd("a", "p"), DONE),
        (UserAdd("U", "p"), DONE),
        (UserList(), UserListResult(1, ("U", "a", "u"))),
        (UserGet("u"), UserGetResult(1)),
        (UserDelete("a"), DONE),
        (UserDelete("a"), USER_NOT_FOUND),
        (UserGet("a"), USER_NOT_FOUND),
        (UserList(), UserListResult(1, ("U", "u"))),
    ),
    says(
        "a user who is not there, or has no name, is not found",
        *(
            (operation, USER_NOT_FOUND)
            for name in ("none", "")
            for operation in (
                UserGet(name),
                UserDelete(name),
                UserChangePassword(name, "p"),
                UserGrantRole(name, "r"),
                UserRevokeRole(name, "r"),
            )
        ),
    ),
    says(
        "a role is granted once, revoked once, and told in order; the user is looked for before the role",
        (UserAdd("u", "p"), DONE),
        (UserGrantRole("u", "none"), ROLE_NOT_FOUND),
        (UserGrantRole("u", ""), ROLE_NOT_FOUND),
        (RoleAdd("s"), DONE),
        (RoleAdd("r"), DONE),
        (UserGrantRole("u", "s"), DONE),
        (UserGrantRole("u", "r"), DONE),
        (UserGrantRole("u", "r"), DONE),
        (UserGet("u"), UserGetResult(1, ("r", "s"))),
        (UserRevokeRole("u", "r"), DONE),
        (UserRevokeRole("u", "r"), ROLE_NOT_GRANTED),
        (UserRevokeRole("u", "none"), ROLE_NOT_GRANTED),
        (UserGet("u"), UserGetResult(1, ("s",))),
        (UserGrantRole("none", "none"), USER_NOT_FOUND),
    ),
    says(
        "a role that is deleted is taken from all users",
        (UserAdd("u", "p"), DONE),
        (RoleAdd("r"), DONE),
        (RoleAdd("s"), DONE),
        (UserGrantRole("u", "r"), DONE),
        (UserGrantRole("u", "s"), DONE),
        (RoleDelete("r"), DONE),
        (UserGet("u"), UserGetResult(1, ("s",))),
        (RoleAdd("r"), DONE),
        (UserGet("u"), UserGetResult(1, ("s",))),
        (RoleList(), RoleListResult(1, ("r", "s"))),
    ),
)

_ROLES = (
    says(
        "roles have names, each once, and are listed in order",
        (RoleAdd(""), ROLE_EMPTY),
        (RoleAdd("r"), DONE),
        (RoleAdd("r"), ROLE_ALREADY_EXIST),
        (RoleAdd("a"), DONE),
        (RoleAdd("root"), DONE),
        (RoleList(), RoleListResult(1, ("a", "r", "root"))),
        (RoleDelete("a"), DONE),
        (RoleDelete("a"), ROLE_NOT_FOUND),
        (RoleGet("a"), ROLE_NOT_FOUND),
        (RoleGet(""), ROLE_NOT_FOUND),
        (RoleGrantPermission("a", may(READ, b"a")), ROLE_NOT_FOUND),
        (RoleRevokePermission("a", b"a"), ROLE_NOT_FOUND),
        (RoleList(), RoleListResult(1, ("r", "root"))),
    ),
    says(
        "permissions are told in order of key, and a key and its end have one, the newest",
        (RoleAdd("r"), DONE),
        (RoleGrantPermission("r", may(READ, b"b")), DONE),
        (RoleGrantPermission("r", may(WRITE, b"a", b"c")), DONE),
        (RoleGrantPermission("r", may(READWRITE, b"c", FROM_KEY)), DONE),
        (RoleGrantPermission("r", may(WRITE, b"b")), DONE),
        (
            RoleGet("r"),
            RoleGetResult(1, (may(WRITE, b"a", b"c"), may(WRITE, b"b"), may(READWRITE, b"c", FROM_KEY))),
        ),
    ),
    says(
        "a grant with the key of another but not its end replaces none, be there one like it further on or not",
        (RoleAdd("r"), DONE),
        (RoleGrantPermission("r", may(READ, b"k")), DONE),
        (RoleGrantPermission("r", may(READWRITE, b"k", b"m")), DONE),
        (RoleGrantPermission("r", may(READ, b"k", b"m")), DONE),
        (RoleGet("r"), RoleGetResult(1, (may(READ, b"k"), may(READ, b"k", b"m"), may(READWRITE, b"k", b"m")))),
        (RoleRevokePermission("r", b"k", b"m"), DONE),
        (RoleGet("r"), RoleGetResult(1, (may(READ, b"k"),))),
        (RoleRevokePermission("r", b"k", b"m"), PERMISSION_NOT_GRANTED),
        (RoleRevokePermission("r", b"k"), DONE),
        (RoleGet("r"), RoleGetResult(1)),
    ),
    says(
        "only the very range that was granted can be revoked",
        (RoleAdd("r"), DONE),
        (RoleGrantPermission("r", may(READ, b"a", b"c")), DONE),
        *(
            (RoleRevokePermission("r", key, end), PERMISSION_NOT_GRANTED)
            for key, end in ((b"a", b""), (b"a", b"b"), (b"b", b"c"), (b"a", FROM_KEY), (b"", b""))
        ),
        (RoleRevokePermission("r", b"a", b"c"), DONE),
    ),
    says(
        "a permission for no key, or for a range in which there can be none, was taken, and then was not",
        (RoleAdd("r"), DONE),
        *(
            (
                RoleGrantPermission("r", may(READ, key, end)),
                Since("permission_range_validated", DONE, INVALID_AUTH_MGMT),
            )
            for key, end in ((b"", b""), (b"", FROM_KEY), (b"b", b"b"), (b"b", b"a"), (b"b", b"\x00\x00"))
        ),
        (
            RoleGrantPermission("none", may(READ, b"")),
            Since("permission_range_validated", ROLE_NOT_FOUND, INVALID_AUTH_MGMT),
        ),
        (RoleGrantPermission("r", may(READ, b"\x00", FROM_KEY)), DONE),
        (RoleGrantPermission("r", may(READ, b"b", FROM_KEY)), DONE),
    ),
    says(
        "a grant of nothing is refused before the role is looked for",
        (RoleGrantPermission("none"), PERMISSION_NOT_GIVEN),
        (RoleAdd("r"), DONE),
        (RoleGrantPermission("r"), PERMISSION_NOT_GIVEN),
        needs="missing_permission_refused",
    ),
    says(
        "a permission of a type that there is not is taken and told, and permits nothing",
        *realm(Permission(7, b"a"), Permission(-1, b"b")),
        as_root(RoleGet("r"), RoleGetResult(1, (Permission(7, b"a"), Permission(-1, b"b")))),
        as_user(Range(b"a"), PERMISSION_DENIED),
        as_user(Put(b"b"), PERMISSION_DENIED),
    ),
    says(
        "the role root tells what it was granted, and since 3.6 that it may do everything",
        (RoleAdd("root"), DONE),
        (
            RoleGet("root"),
            Since("root_role_shown", RoleGetResult(1), RoleGetResult(1, (may(READWRITE, b"", FROM_KEY),))),
        ),
        (RoleGrantPermission("root", may(READ, b"a")), DONE),
        (
            RoleGet("root"),
            Since(
                "root_role_shown",
                RoleGetResult(1, (may(READ, b"a"),)),
                RoleGetResult(1, (may(READWRITE, b"", FROM_KEY),)),
            ),
        ),
        (RoleRevokePermission("root", b"", FROM_KEY), PERMISSION_NOT_GRANTED),
        (RoleRevokePermission("root", b"a"), DONE),
    ),
)

TOO_LONG_FIRST = Since(
    "passwords_hashed_first", USER_EMPTY, Since("long_passwords_refused", USER_EMPTY, PASSWORD_TOO_LONG)
)

_PASSWORDS = (
    says(
        "a wrong password and an unknown user are one and the same refusal",
        *realm(),
        (Authenticate("u", "wrong"), AUTH_FAILED),
        (Authenticate("u", ""), AUTH_FAILED),
        (Authenticate("none", "p"), AUTH_FAILED),
        (Authenticate("", ""), AUTH_FAILED),
        (Authenticate("u", "p"), GOT_IN),
        (As(TokenOf(13), UserGet("u")), UserGetResult(1, ("r",))),
    ),
    says(
        "an empty password is one that gets in; a user without a password never does, not with one given later either",
        *ROOT_ONLY,
        (As(THE_ROOT, UserAdd("empty")), DONE),
        (As(THE_ROOT, UserAdd("none", "p", no_password=True)), DONE),
        (Authenticate("empty", ""), GOT_IN),
        (Authenticate("empty", "p"), AUTH_FAILED),
        *((Authenticate("none", password), NO_PASSWORD_USER) for password in ("", "p")),
        (As(THE_ROOT, UserChangePassword("none", "p")), DONE),
        (Authenticate("none", "p"), NO_PASSWORD_USER),
    ),
    says(
        "a changed password is the only one, and the tokens of the old one are gone, but nobody else's",
        *realm(),
        as_root(UserAdd("other", "o"), DONE),
        (Authenticate("other", "o"), GOT_IN),
        as_root(UserChangePassword("u", "new"), DONE),
        (Authenticate("u", "p"), AUTH_FAILED),
        as_user(UserGet("u"), INVALID_AUTH_TOKEN),
        (As(TokenOf(10), UserGet("other")), UserGetResult(1)),
        (Authenticate("u", "new"), GOT_IN),
        (As(TokenOf(15), UserGet("u")), UserGetResult(1, ("r",))),
        as_root(UserChangePassword("root", "new"), DONE),
        as_root(UserList(), INVALID_AUTH_TOKEN),
    ),
    says(
        "a password that is changed to an empty one gets in, and since 3.5 nothing does",
        *realm(),
        as_root(UserChangePassword("u", ""), DONE),
        (Authenticate("u", "p"), AUTH_FAILED),
        (Authenticate("u", ""), Since("passwords_hashed_first", GOT_IN, AUTH_FAILED)),
    ),
    says(
        "72 bytes of a password count; longer ones were cut, and then were refused before anything else is looked at",
        *realm(),
        as_root(UserAdd("long", "x" * 72), DONE),
        (Authenticate("long", "x" * 72), GOT_IN),
        (Authenticate("long", "x" * 73), GOT_IN),
        (Authenticate("long", "x" * 71), AUTH_FAILED),
        as_root(UserAdd("longer", "x" * 73), Since("long_passwords_refused", DONE, PASSWORD_TOO_LONG)),
        as_root(UserChangePassword("u", "x" * 73), Since("long_passwords_refused", DONE, PASSWORD_TOO_LONG)),
        (Authenticate("u", "x" * 72), Since("long_passwords_refused", GOT_IN, AUTH_FAILED)),
        as_root(UserAdd("", "x" * 73), TOO_LONG_FIRST),
        (UserAdd("v", "x" * 73), TOO_LONG_FIRST),
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

AUTH = (*_ON_AND_OFF, *_USERS, *_ROLES, *_PASSWORDS, *_TOKENS, *_MANAGEMENT)
