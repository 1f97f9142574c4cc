"""The traces of lies about who may do what."""

from __future__ import annotations

from etcd_lockstep.trace import UNKNOWN_TOKEN, TokenOf, Trace
from etcd_model import operations as op

PUT = op.Put(b"a", b"1")
ROOT, USER = op.UserAdd("root", "p"), op.UserAdd("u", "p")
ROOT_IS_ROOT, ENABLE = op.UserGrantRole("root", "root"), op.AuthEnable()
AUTH_ON = (ROOT_IS_ROOT, ENABLE)
LOGIN = op.Authenticate("u", "p")


def _user_may(kind: op.PermissionType) -> Trace:
    permission = op.Permission(kind, b"a")
    return op.RoleAdd("r"), op.RoleGrantPermission("r", permission), op.UserGrantRole("u", "r")


USER_MAY_A = _user_may(op.PermissionType.READWRITE)
ROOT_LOGIN = (ROOT, *AUTH_ON, op.Authenticate("root", "p"))

AUTH: dict[str, Trace] = {
    "permissions-not-checked-in-txns": (ROOT, USER, *AUTH_ON, LOGIN, op.As(TokenOf(5), op.Txn(success=(PUT,)))),
    "permission-range-end-ignored": (
        *(ROOT, USER, *USER_MAY_A, *AUTH_ON, LOGIN),
        op.As(TokenOf(8), op.Range(b"a", b"b")),
    ),
    "revoked-role-still-counts": (
        *(ROOT, USER, *USER_MAY_A, ROOT_IS_ROOT, op.UserRevokeRole("u", "r"), ENABLE, LOGIN),
        op.As(TokenOf(9), op.Range(b"a")),
    ),
    "deleted-user-keeps-roles": (
        *(USER, op.RoleAdd("r"), op.UserGrantRole("u", "r"), op.UserDelete("u"), USER),
        op.UserGet("u"),
    ),
    "deleted-role-keeps-permissions": (
        op.RoleAdd("r"),
        op.RoleGrantPermission("r", op.Permission(op.PermissionType.READ, b"a")),
        *(op.RoleDelete("r"), op.RoleAdd("r"), op.RoleGet("r")),
    ),
    "token-survives-password-change": (
        *ROOT_LOGIN,
        op.As(TokenOf(4), op.UserChangePassword("root", "q")),
        op.As(TokenOf(4), op.Range(b"a")),
    ),
    "wrong-password-accepted": (ROOT, *AUTH_ON, op.Authenticate("root", "q")),
    "nameless-may-read": (ROOT, *AUTH_ON, op.Range(b"a")),
    "any-permission-is-both": (
        *(ROOT, USER, *_user_may(op.PermissionType.READ), *AUTH_ON, LOGIN),
        op.As(TokenOf(8), op.Put(b"a")),
    ),
    "roles-not-merged": (
        *(ROOT, USER, op.RoleAdd("r"), op.RoleAdd("s")),
        op.RoleGrantPermission("r", op.Permission(op.PermissionType.READ, b"a", b"b")),
        op.RoleGrantPermission("s", op.Permission(op.PermissionType.READ, b"b", b"c")),
        *(ROOT_IS_ROOT, op.UserGrantRole("u", "r"), op.UserGrantRole("u", "s"), ENABLE, LOGIN),
        op.As(TokenOf(11), op.Range(b"a", b"c")),
    ),
    "any-token-scheme-taken": (*ROOT_LOGIN, op.As(TokenOf(4), op.Range(b"a"), scheme="bearer ")),
    "hashed-password-ignored": (USER, op.UserChangePassword("u", hashed_password="!")),
    "authorization-ignored": (ROOT, *AUTH_ON, op.As(UNKNOWN_TOKEN, op.Range(b"a"), authorization=True)),
}
