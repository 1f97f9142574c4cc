"""The Auth service: users, roles and passwords."""

from __future__ import annotations

from etcd_lockstep.trace import TokenOf
from etcd_lockstep.transcripts.auth_fixtures import (
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
from etcd_lockstep.transcripts.transcript import Since, says
from etcd_model.errors import (
    AUTH_FAILED,
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
    USER_ALREADY_EXIST,
    USER_EMPTY,
    USER_NOT_FOUND,
)
from etcd_model.operations import (
    As,
    Authenticate,
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
    RoleGetResult,
    RoleListResult,
    UserGetResult,
    UserListResult,
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

USERS = (*_USERS, *_ROLES, *_PASSWORDS)
