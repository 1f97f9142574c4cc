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
from etcd_model import operations as op
from etcd_model.auth.hashed import KNOWN_HASHES, encoded
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
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    RoleGetResult,
    RoleListResult,
    UserGetResult,
    UserListResult,
)

HASH_OF_P = encoded(next(hashed for hashed, password in KNOWN_HASHES.items() if password == "p"))
REFUSED_HASH = Since("passwords_hashed_first", DONE, NO_PASSWORD_USER)

_USERS = (
    says(
        "users have names, each once, and are listed in order",
        (op.UserAdd("", "p"), USER_EMPTY),
        (op.UserAdd("", no_password=True), USER_EMPTY),
        (op.UserAdd("u", "p"), DONE),
        (op.UserAdd("u", "other"), USER_ALREADY_EXIST),
        (op.UserAdd("a", "p"), DONE),
        (op.UserAdd("U", "p"), DONE),
        (op.UserList(), UserListResult(1, ("U", "a", "u"))),
        (op.UserGet("u"), UserGetResult(1)),
        (op.UserDelete("a"), DONE),
        (op.UserDelete("a"), USER_NOT_FOUND),
        (op.UserGet("a"), USER_NOT_FOUND),
        (op.UserList(), UserListResult(1, ("U", "u"))),
    ),
    says(
        "a user who is not there, or has no name, is not found",
        *(
            (operation, USER_NOT_FOUND)
            for name in ("none", "")
            for operation in (
                op.UserGet(name),
                op.UserDelete(name),
                op.UserChangePassword(name, "p"),
                op.UserGrantRole(name, "r"),
                op.UserRevokeRole(name, "r"),
            )
        ),
    ),
    says(
        "a role is granted once, revoked once, and reported in order; the user is looked for before the role",
        (op.UserAdd("u", "p"), DONE),
        (op.UserGrantRole("u", "none"), ROLE_NOT_FOUND),
        (op.UserGrantRole("u", ""), ROLE_NOT_FOUND),
        (op.RoleAdd("s"), DONE),
        (op.RoleAdd("r"), DONE),
        (op.UserGrantRole("u", "s"), DONE),
        (op.UserGrantRole("u", "r"), DONE),
        (op.UserGrantRole("u", "r"), DONE),
        (op.UserGet("u"), UserGetResult(1, ("r", "s"))),
        (op.UserRevokeRole("u", "r"), DONE),
        (op.UserRevokeRole("u", "r"), ROLE_NOT_GRANTED),
        (op.UserRevokeRole("u", "none"), ROLE_NOT_GRANTED),
        (op.UserGet("u"), UserGetResult(1, ("s",))),
        (op.UserGrantRole("none", "none"), USER_NOT_FOUND),
    ),
    says(
        "a role that is deleted is taken from all users",
        (op.UserAdd("u", "p"), DONE),
        (op.RoleAdd("r"), DONE),
        (op.RoleAdd("s"), DONE),
        (op.UserGrantRole("u", "r"), DONE),
        (op.UserGrantRole("u", "s"), DONE),
        (op.RoleDelete("r"), DONE),
        (op.UserGet("u"), UserGetResult(1, ("s",))),
        (op.RoleAdd("r"), DONE),
        (op.UserGet("u"), UserGetResult(1, ("s",))),
        (op.RoleList(), RoleListResult(1, ("r", "s"))),
    ),
)

_ROLES = (
    says(
        "roles have names, each once, and are listed in order",
        (op.RoleAdd(""), ROLE_EMPTY),
        (op.RoleAdd("r"), DONE),
        (op.RoleAdd("r"), ROLE_ALREADY_EXIST),
        (op.RoleAdd("a"), DONE),
        (op.RoleAdd("root"), DONE),
        (op.RoleList(), RoleListResult(1, ("a", "r", "root"))),
        (op.RoleDelete("a"), DONE),
        (op.RoleDelete("a"), ROLE_NOT_FOUND),
        (op.RoleGet("a"), ROLE_NOT_FOUND),
        (op.RoleGet(""), ROLE_NOT_FOUND),
        (op.RoleGrantPermission("a", may(READ, b"a")), ROLE_NOT_FOUND),
        (op.RoleRevokePermission("a", b"a"), ROLE_NOT_FOUND),
        (op.RoleList(), RoleListResult(1, ("r", "root"))),
    ),
    says(
        "permissions are reported in order of key, and a key and its end have one, the newest",
        (op.RoleAdd("r"), DONE),
        (op.RoleGrantPermission("r", may(READ, b"b")), DONE),
        (op.RoleGrantPermission("r", may(WRITE, b"a", b"c")), DONE),
        (op.RoleGrantPermission("r", may(READWRITE, b"c", FROM_KEY)), DONE),
        (op.RoleGrantPermission("r", may(WRITE, b"b")), DONE),
        (
            op.RoleGet("r"),
            RoleGetResult(1, (may(WRITE, b"a", b"c"), may(WRITE, b"b"), may(READWRITE, b"c", FROM_KEY))),
        ),
    ),
    says(
        "a grant with the key of another but not its end replaces none, be there one like it further on or not",
        (op.RoleAdd("r"), DONE),
        (op.RoleGrantPermission("r", may(READ, b"k")), DONE),
        (op.RoleGrantPermission("r", may(READWRITE, b"k", b"m")), DONE),
        (op.RoleGrantPermission("r", may(READ, b"k", b"m")), DONE),
        (op.RoleGet("r"), RoleGetResult(1, (may(READ, b"k"), may(READ, b"k", b"m"), may(READWRITE, b"k", b"m")))),
        (op.RoleRevokePermission("r", b"k", b"m"), DONE),
        (op.RoleGet("r"), RoleGetResult(1, (may(READ, b"k"),))),
        (op.RoleRevokePermission("r", b"k", b"m"), PERMISSION_NOT_GRANTED),
        (op.RoleRevokePermission("r", b"k"), DONE),
        (op.RoleGet("r"), RoleGetResult(1)),
    ),
    says(
        "only the very range that was granted can be revoked",
        (op.RoleAdd("r"), DONE),
        (op.RoleGrantPermission("r", may(READ, b"a", b"c")), DONE),
        *(
            (op.RoleRevokePermission("r", key, end), PERMISSION_NOT_GRANTED)
            for key, end in ((b"a", b""), (b"a", b"b"), (b"b", b"c"), (b"a", FROM_KEY), (b"", b""))
        ),
        (op.RoleRevokePermission("r", b"a", b"c"), DONE),
    ),
    says(
        "a permission for no key, or for a range in which there can be none, was taken, and then was not",
        (op.RoleAdd("r"), DONE),
        *(
            (
                op.RoleGrantPermission("r", may(READ, key, end)),
                Since("permission_range_validated", DONE, INVALID_AUTH_MGMT),
            )
            for key, end in ((b"", b""), (b"", FROM_KEY), (b"b", b"b"), (b"b", b"a"), (b"b", b"\x00\x00"))
        ),
        (
            op.RoleGrantPermission("none", may(READ, b"")),
            Since("permission_range_validated", ROLE_NOT_FOUND, INVALID_AUTH_MGMT),
        ),
        (op.RoleGrantPermission("r", may(READ, b"\x00", FROM_KEY)), DONE),
        (op.RoleGrantPermission("r", may(READ, b"b", FROM_KEY)), DONE),
    ),
    says(
        "a grant of nothing is refused before the role is looked for",
        (op.RoleGrantPermission("none"), PERMISSION_NOT_GIVEN),
        (op.RoleAdd("r"), DONE),
        (op.RoleGrantPermission("r"), PERMISSION_NOT_GIVEN),
        needs="missing_permission_refused",
    ),
    says(
        "a permission of a type that there is not is taken and reported, and permits nothing",
        *realm(op.Permission(7, b"a"), op.Permission(-1, b"b")),
        as_root(op.RoleGet("r"), RoleGetResult(1, (op.Permission(7, b"a"), op.Permission(-1, b"b")))),
        as_user(op.Range(b"a"), PERMISSION_DENIED),
        as_user(op.Put(b"b"), PERMISSION_DENIED),
    ),
    says(
        "the role root says what it was granted, and since 3.6 that it may do everything",
        (op.RoleAdd("root"), DONE),
        (
            op.RoleGet("root"),
            Since("root_role_shown", RoleGetResult(1), RoleGetResult(1, (may(READWRITE, b"", FROM_KEY),))),
        ),
        (op.RoleGrantPermission("root", may(READ, b"a")), DONE),
        (
            op.RoleGet("root"),
            Since(
                "root_role_shown",
                RoleGetResult(1, (may(READ, b"a"),)),
                RoleGetResult(1, (may(READWRITE, b"", FROM_KEY),)),
            ),
        ),
        (op.RoleRevokePermission("root", b"", FROM_KEY), PERMISSION_NOT_GRANTED),
        (op.RoleRevokePermission("root", b"a"), DONE),
    ),
)

TOO_LONG_FIRST = Since(
    "passwords_hashed_first", USER_EMPTY, Since("long_passwords_refused", USER_EMPTY, PASSWORD_TOO_LONG)
)

_PASSWORDS = (
    says(
        "a wrong password and an unknown user are one and the same refusal",
        *realm(),
        (op.Authenticate("u", "wrong"), AUTH_FAILED),
        (op.Authenticate("u", ""), AUTH_FAILED),
        (op.Authenticate("none", "p"), AUTH_FAILED),
        (op.Authenticate("", ""), AUTH_FAILED),
        (op.Authenticate("u", "p"), GOT_IN),
        (op.As(TokenOf(13), op.UserGet("u")), UserGetResult(1, ("r",))),
    ),
    says(
        "an empty password is one that gets in; a user without a password never does, not with one given later either",
        *ROOT_ONLY,
        (op.As(THE_ROOT, op.UserAdd("empty")), DONE),
        (op.As(THE_ROOT, op.UserAdd("none", "p", no_password=True)), DONE),
        (op.Authenticate("empty", ""), GOT_IN),
        (op.Authenticate("empty", "p"), AUTH_FAILED),
        *((op.Authenticate("none", password), NO_PASSWORD_USER) for password in ("", "p")),
        (op.As(THE_ROOT, op.UserChangePassword("none", "p")), DONE),
        (op.Authenticate("none", "p"), NO_PASSWORD_USER),
    ),
    says(
        "a changed password is the only one, and the tokens of the old one are gone, but nobody else's",
        *realm(),
        as_root(op.UserAdd("other", "o"), DONE),
        (op.Authenticate("other", "o"), GOT_IN),
        as_root(op.UserChangePassword("u", "new"), DONE),
        (op.Authenticate("u", "p"), AUTH_FAILED),
        as_user(op.UserGet("u"), INVALID_AUTH_TOKEN),
        (op.As(TokenOf(10), op.UserGet("other")), UserGetResult(1)),
        (op.Authenticate("u", "new"), GOT_IN),
        (op.As(TokenOf(15), op.UserGet("u")), UserGetResult(1, ("r",))),
        as_root(op.UserChangePassword("root", "new"), DONE),
        as_root(op.UserList(), INVALID_AUTH_TOKEN),
    ),
    says(
        "a password that is changed to an empty one gets in, and since 3.5 nothing does",
        *realm(),
        as_root(op.UserChangePassword("u", ""), DONE),
        (op.Authenticate("u", "p"), AUTH_FAILED),
        (op.Authenticate("u", ""), Since("passwords_hashed_first", GOT_IN, AUTH_FAILED)),
    ),
    says(
        "a client may hash a new password itself since 3.5, and where it sends the password too, that counts",
        *realm(),
        as_root(op.UserChangePassword("u", hashed_password=HASH_OF_P), DONE),
        (op.Authenticate("u", "p"), Since("passwords_hashed_first", AUTH_FAILED, GOT_IN)),
        (op.Authenticate("u", ""), Since("passwords_hashed_first", GOT_IN, AUTH_FAILED)),
        as_root(op.UserChangePassword("u", "q", HASH_OF_P), DONE),
        (op.Authenticate("u", "p"), AUTH_FAILED),
        (op.Authenticate("u", "q"), GOT_IN),
        as_root(op.UserChangePassword("u", hashed_password=encoded(b"no hash")), DONE),
        (op.Authenticate("u", ""), Since("passwords_hashed_first", GOT_IN, AUTH_FAILED)),
        as_root(op.UserAdd("v", "q", hashed_password=HASH_OF_P), DONE),
        (op.Authenticate("v", "p"), AUTH_FAILED),
        (op.Authenticate("v", "q"), GOT_IN),
    ),
    says(
        "what is no base64 is no hashed password since 3.5; ends of lines in it don't matter",
        *realm(),
        *(as_root(op.UserChangePassword("u", hashed_password=text), REFUSED_HASH) for text in ("!", "cA", "cA=", "é")),
        as_root(op.UserChangePassword("nobody", hashed_password="!"), USER_NOT_FOUND),
        (op.Authenticate("u", "p"), Since("passwords_hashed_first", AUTH_FAILED, GOT_IN)),
        as_root(op.UserChangePassword("u", hashed_password=f"{HASH_OF_P[:7]}\r\n{HASH_OF_P[7:]}"), DONE),
        (op.Authenticate("u", "p"), Since("passwords_hashed_first", AUTH_FAILED, GOT_IN)),
        as_root(op.UserAdd("none", no_password=True, hashed_password="!"), DONE),
        as_root(op.UserChangePassword("none", hashed_password="!"), DONE),
    ),
    says(
        "72 bytes of a password count; longer ones were cut, and then were refused before anything else is looked at",
        *realm(),
        as_root(op.UserAdd("long", "x" * 72), DONE),
        (op.Authenticate("long", "x" * 72), GOT_IN),
        (op.Authenticate("long", "x" * 73), GOT_IN),
        (op.Authenticate("long", "x" * 71), AUTH_FAILED),
        as_root(op.UserAdd("longer", "x" * 73), Since("long_passwords_refused", DONE, PASSWORD_TOO_LONG)),
        as_root(op.UserChangePassword("u", "x" * 73), Since("long_passwords_refused", DONE, PASSWORD_TOO_LONG)),
        (op.Authenticate("u", "x" * 72), Since("long_passwords_refused", GOT_IN, AUTH_FAILED)),
        as_root(op.UserAdd("", "x" * 73), TOO_LONG_FIRST),
        (op.UserAdd("v", "x" * 73), TOO_LONG_FIRST),
    ),
)

USERS = (*_USERS, *_ROLES, *_PASSWORDS)
