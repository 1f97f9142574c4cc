"""The auth family: users, roles, permissions; and requests of every other family in somebody's name."""

from __future__ import annotations

from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
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


def prelude(choices: ChoiceDecoder, state: GeneratorState) -> tuple[Operation, ...]:
    """What leads to a store whose users have permissions and tokens; nothing at all once in four times."""
    if choices.one_in(4):
        return ()
    granted = tuple(
        RoleGrantPermission(role, permission(choices, state))
        for role in ("r", "s")
        for _ in range(choices.pick((1, 2, 1)))
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
        UserGrantRole(choices.pick(("v", "u")), "s"),
        AuthEnable(),
        Authenticate(ROOT, "p"),
        Authenticate("u", "p"),
        Authenticate("v", "p"),
    )


def in_a_name(choices: ChoiceDecoder, state: GeneratorState, operation: Operation) -> Operation:
    """The operation with a token of the sequence, if it has one; sometimes with none, or with one that nobody has.

    What changes users and roles is mostly root's to do.
    """
    if not state.tokens and not choices.one_in(8):
        return operation
    if choices.one_in(12):
        return As(UNKNOWN_TOKEN, operation) if choices.pick((True, False)) else operation
    tokens = [token for name, token in state.tokens if name == ROOT] if _is_roots(operation) else []
    if not tokens or choices.one_in(5):
        tokens = [token for _, token in state.tokens]
    return As(choices.pick(tokens), operation) if tokens else operation


def _is_roots(operation: Operation) -> bool:
    return type(operation).__module__ == AuthEnable.__module__


def permission(choices: ChoiceDecoder, state: GeneratorState) -> Permission:
    """Single keys, ranges that touch, from a key on; sometimes a range that holds nothing."""
    key = state.key(choices)
    kind = choices.pick((PermissionType.READWRITE, PermissionType.READ, PermissionType.WRITE))
    return Permission(kind, key, state.range_end(choices, key) if choices.pick((True, False)) else b"")


def auth_enable(_choices: ChoiceDecoder, _state: GeneratorState) -> AuthEnable:
    return AuthEnable()


def auth_disable(_choices: ChoiceDecoder, _state: GeneratorState) -> AuthDisable:
    return AuthDisable()


def auth_status(_choices: ChoiceDecoder, _state: GeneratorState) -> AuthStatus:
    return AuthStatus()


def authenticate(choices: ChoiceDecoder, state: GeneratorState) -> Authenticate:
    return Authenticate(_user(choices, state), choices.pick(("p", "p", *PASSWORDS)))


def user_add(choices: ChoiceDecoder, state: GeneratorState) -> UserAdd:
    name = _user(choices, state)
    return UserAdd(ROOT, "p") if name == ROOT else UserAdd(name, _password(choices, state), choices.one_in(5))


def user_get(choices: ChoiceDecoder, state: GeneratorState) -> UserGet:
    return UserGet(_user(choices, state))


def user_list(_choices: ChoiceDecoder, _state: GeneratorState) -> UserList:
    return UserList()


def user_delete(choices: ChoiceDecoder, state: GeneratorState) -> UserDelete:
    return UserDelete(_user(choices, state))


def user_change_password(choices: ChoiceDecoder, state: GeneratorState) -> UserChangePassword:
    name = _user(choices, state)
    return UserChangePassword(name, choices.pick(PASSWORDS[:2]) if name == ROOT else _password(choices, state))


def user_grant_role(choices: ChoiceDecoder, state: GeneratorState) -> UserGrantRole:
    return UserGrantRole(_user(choices, state), _role(choices, state))


def user_revoke_role(choices: ChoiceDecoder, state: GeneratorState) -> UserRevokeRole:
    return UserRevokeRole(_user(choices, state), _role(choices, state))


def role_add(choices: ChoiceDecoder, state: GeneratorState) -> RoleAdd:
    return RoleAdd(_role(choices, state))


def role_get(choices: ChoiceDecoder, state: GeneratorState) -> RoleGet:
    return RoleGet(_role(choices, state))


def role_list(_choices: ChoiceDecoder, _state: GeneratorState) -> RoleList:
    return RoleList()


def role_delete(choices: ChoiceDecoder, state: GeneratorState) -> RoleDelete:
    return RoleDelete(_role(choices, state))


def role_grant_permission(choices: ChoiceDecoder, state: GeneratorState) -> RoleGrantPermission:
    if state.invalid_inputs and choices.one_in(20):
        return RoleGrantPermission(_role(choices, state))
    return RoleGrantPermission(_role(choices, state), permission(choices, state))


def role_revoke_permission(choices: ChoiceDecoder, state: GeneratorState) -> RoleRevokePermission:
    key = state.key(choices)
    return RoleRevokePermission(
        _role(choices, state), key, state.range_end(choices, key) if choices.pick((True, False)) else b""
    )


def _user(choices: ChoiceDecoder, state: GeneratorState) -> str:
    if state.invalid_inputs and choices.one_in(15):
        return choices.pick(("", "nobody"))
    return choices.pick(USERS[::-1])


def _password(choices: ChoiceDecoder, state: GeneratorState) -> str:
    """Sometimes one that is longer than bcrypt takes."""
    return LONG_PASSWORD if state.invalid_inputs and choices.one_in(12) else choices.pick(PASSWORDS)


def _role(choices: ChoiceDecoder, state: GeneratorState) -> str:
    if state.invalid_inputs and choices.one_in(15):
        return choices.pick(("", "none"))
    return choices.pick(ROLES[::-1])


def watch_create(choices: ChoiceDecoder, state: GeneratorState) -> WatchCreate:
    """Only whether it may be created: its stream is not read."""
    key = state.key(choices)
    return WatchCreate(key, state.range_end(choices, key) if choices.pick((True, False)) else b"")


def final_check(state: GeneratorState) -> Operation:
    """Where auth is on, root's to ask."""
    tokens = [token for name, token in state.tokens if name == ROOT]
    return As(tokens[-1], HashKV()) if tokens else HashKV()


def alarm(choices: ChoiceDecoder, _state: GeneratorState) -> Alarm:
    """Who may look at alarms, and raise them: while one is raised, older versions forget to check permissions."""
    action = choices.pick((AlarmAction.GET, AlarmAction.ACTIVATE, AlarmAction.DEACTIVATE))
    return Alarm(action, MEMBER_ID, choices.pick((AlarmType.NOSPACE, AlarmType.CORRUPT)))
