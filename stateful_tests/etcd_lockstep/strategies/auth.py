"""The auth family: users, roles, permissions; and requests of every other family in somebody's name."""

from __future__ import annotations

from etcd_lockstep.strategies.dice import Dice
from etcd_lockstep.strategies.vocabulary import Vocabulary
from etcd_lockstep.trace import UNKNOWN_TOKEN
from etcd_model.operations import (
    MEMBER_ID,
    Alarm,
    AlarmAction,
    AlarmType,
    As,
    AuthDisable,
    AuthEnable,
    Authenticate,
    AuthStatus,
    HashKV,
    Operation,
    Permission,
    PermissionType,
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
    WatchCreate,
)

ROOT = "root"
"""Always has a password: without one nobody could ever turn auth off again."""
USERS = (ROOT, "u", "v")
ROLES = (ROOT, "r", "s")
PASSWORDS = ("p", "q", "")
LONG_PASSWORD = "p" * 73


def prelude(dice: Dice, words: Vocabulary) -> tuple[Operation, ...]:
    """What leads to a store whose users have permissions and tokens; nothing at all once in four times."""
    if dice.one_in(4):
        return ()
    granted = tuple(
        RoleGrantPermission(role, permission(dice, words)) for role in ("r", "s") for _ in range(dice.pick((1, 2, 1)))
    )
    return (
        UserAdd(ROOT, "p"),
        UserGrantRole(ROOT, ROOT),
        UserAdd("u", "p"),
        UserAdd("v", "p"),
        RoleAdd("r"),
        RoleAdd("s"),
        *granted,
        UserGrantRole("u", "r"),
        UserGrantRole(dice.pick(("v", "u")), "s"),
        AuthEnable(),
        Authenticate(ROOT, "p"),
        Authenticate("u", "p"),
        Authenticate("v", "p"),
    )


def in_a_name(dice: Dice, words: Vocabulary, operation: Operation) -> Operation:
    """The operation with a token of the sequence, if it has one; sometimes with none, or with one that nobody has.

    What changes users and roles is mostly root's to do.
    """
    if not words.tokens and not dice.one_in(8):
        return operation
    if dice.one_in(12):
        return As(UNKNOWN_TOKEN, operation) if dice.pick((True, False)) else operation
    tokens = [token for name, token in words.tokens if name == ROOT] if _is_roots(operation) else []
    if not tokens or dice.one_in(5):
        tokens = [token for _, token in words.tokens]
    return As(dice.pick(tokens), operation) if tokens else operation


def _is_roots(operation: Operation) -> bool:
    return type(operation).__module__ == AuthEnable.__module__


def permission(dice: Dice, words: Vocabulary) -> Permission:
    """Single keys, ranges that touch, from a key on; sometimes a range that holds nothing."""
    key = words.key(dice)
    kind = dice.pick((PermissionType.READWRITE, PermissionType.READ, PermissionType.WRITE))
    return Permission(kind, key, words.range_end(dice, key) if dice.pick((True, False)) else b"")


def auth_enable(_dice: Dice, _words: Vocabulary) -> AuthEnable:
    return AuthEnable()


def auth_disable(_dice: Dice, _words: Vocabulary) -> AuthDisable:
    return AuthDisable()


def auth_status(_dice: Dice, _words: Vocabulary) -> AuthStatus:
    return AuthStatus()


def authenticate(dice: Dice, words: Vocabulary) -> Authenticate:
    return Authenticate(_user(dice, words), dice.pick(("p", "p", *PASSWORDS)))


def user_add(dice: Dice, words: Vocabulary) -> UserAdd:
    name = _user(dice, words)
    return UserAdd(ROOT, "p") if name == ROOT else UserAdd(name, _password(dice, words), dice.one_in(5))


def user_get(dice: Dice, words: Vocabulary) -> UserGet:
    return UserGet(_user(dice, words))


def user_list(_dice: Dice, _words: Vocabulary) -> UserList:
    return UserList()


def user_delete(dice: Dice, words: Vocabulary) -> UserDelete:
    return UserDelete(_user(dice, words))


def user_change_password(dice: Dice, words: Vocabulary) -> UserChangePassword:
    name = _user(dice, words)
    return UserChangePassword(name, dice.pick(PASSWORDS[:2]) if name == ROOT else _password(dice, words))


def user_grant_role(dice: Dice, words: Vocabulary) -> UserGrantRole:
    return UserGrantRole(_user(dice, words), _role(dice, words))


def user_revoke_role(dice: Dice, words: Vocabulary) -> UserRevokeRole:
    return UserRevokeRole(_user(dice, words), _role(dice, words))


def role_add(dice: Dice, words: Vocabulary) -> RoleAdd:
    return RoleAdd(_role(dice, words))


def role_get(dice: Dice, words: Vocabulary) -> RoleGet:
    return RoleGet(_role(dice, words))


def role_list(_dice: Dice, _words: Vocabulary) -> RoleList:
    return RoleList()


def role_delete(dice: Dice, words: Vocabulary) -> RoleDelete:
    return RoleDelete(_role(dice, words))


def role_grant_permission(dice: Dice, words: Vocabulary) -> RoleGrantPermission:
    if words.hostile and dice.one_in(20):
        return RoleGrantPermission(_role(dice, words))
    return RoleGrantPermission(_role(dice, words), permission(dice, words))


def role_revoke_permission(dice: Dice, words: Vocabulary) -> RoleRevokePermission:
    key = words.key(dice)
    return RoleRevokePermission(
        _role(dice, words), key, words.range_end(dice, key) if dice.pick((True, False)) else b""
    )


def _user(dice: Dice, words: Vocabulary) -> str:
    if words.hostile and dice.one_in(15):
        return dice.pick(("", "nobody"))
    return dice.pick(USERS[::-1])


def _password(dice: Dice, words: Vocabulary) -> str:
    """Sometimes one that is longer than bcrypt takes."""
    return LONG_PASSWORD if words.hostile and dice.one_in(12) else dice.pick(PASSWORDS)


def _role(dice: Dice, words: Vocabulary) -> str:
    if words.hostile and dice.one_in(15):
        return dice.pick(("", "none"))
    return dice.pick(ROLES[::-1])


def watch_create(dice: Dice, words: Vocabulary) -> WatchCreate:
    """Only whether it may be created: its stream is not read."""
    key = words.key(dice)
    return WatchCreate(key, words.range_end(dice, key) if dice.pick((True, False)) else b"")


def last_look(words: Vocabulary) -> Operation:
    """Where auth is on, root's to ask."""
    tokens = [token for name, token in words.tokens if name == ROOT]
    return As(tokens[-1], HashKV()) if tokens else HashKV()


def alarm(dice: Dice, _words: Vocabulary) -> Alarm:
    """Who may look at alarms, and raise them: while one is raised, older versions forget to check permissions."""
    action = dice.pick((AlarmAction.GET, AlarmAction.ACTIVATE, AlarmAction.DEACTIVATE))
    return Alarm(action, MEMBER_ID, dice.pick((AlarmType.NOSPACE, AlarmType.CORRUPT)))
