"""The beginning of transcripts under auth: root, and a user with one role."""

from __future__ import annotations

from etcd_lockstep.trace import TokenOf
from etcd_lockstep.transcripts.transcript import TOKEN, Answer, Step
from etcd_model.operations import (
    As,
    AuthEnable,
    Authenticate,
    Operation,
    Permission,
    PermissionType,
    RoleAdd,
    RoleGrantPermission,
    UserAdd,
    UserGrantRole,
)
from etcd_model.results import AuthenticateResult, AuthResult

READ, WRITE, READWRITE = PermissionType.READ, PermissionType.WRITE, PermissionType.READWRITE
BAD = "no.such.token"
"""A token that nobody was given."""

DONE = AuthResult(1)
GOT_IN = AuthenticateResult(1, TOKEN)

ROOT_ONLY: tuple[Step, ...] = (
    (UserAdd("root", "r"), DONE),
    (UserGrantRole("root", "root"), DONE),
    (AuthEnable(), DONE),
    (Authenticate("root", "r"), GOT_IN),
)
"""Auth is on, and root is there: four steps."""

THE_ROOT = TokenOf(4)
"""Root's token after `ROOT_ONLY`."""


def realm(*granted: Permission) -> tuple[Step, ...]:
    """Auth is on, and there is the user u with the role r, which may do what was granted: eight steps and those."""
    return (
        (UserAdd("root", "r"), DONE),
        (UserGrantRole("root", "root"), DONE),
        (UserAdd("u", "p"), DONE),
        (RoleAdd("r"), DONE),
        (UserGrantRole("u", "r"), DONE),
        (AuthEnable(), DONE),
        (Authenticate("root", "r"), GOT_IN),
        (Authenticate("u", "p"), GOT_IN),
        *((As(ROOT, RoleGrantPermission("r", permission)), DONE) for permission in granted),
    )


ROOT, USER = TokenOf(7), TokenOf(8)
"""Their tokens after `realm`."""


def as_root(operation: Operation, answer: Answer) -> Step:
    return As(ROOT, operation), answer


def as_user(operation: Operation, answer: Answer) -> Step:
    return As(USER, operation), answer


def may(perm_type: PermissionType, key: bytes, range_end: bytes = b"") -> Permission:
    return Permission(perm_type, key, range_end)


def asked(operation: Operation, *answers: Answer) -> tuple[Step, ...]:
    """One operation without a token, with one that nobody has, with a user's and with root's; the answers in that
    order."""
    nobody, bad, user, root = answers
    return (operation, nobody), (As(BAD, operation), bad), as_user(operation, user), as_root(operation, root)
