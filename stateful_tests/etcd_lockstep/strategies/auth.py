"""The auth family: users, roles, permissions; and requests of every other family in somebody's name."""

from __future__ import annotations

from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.trace import UNKNOWN_TOKEN
from etcd_model import operations as op
from etcd_model.ranges import FROM_KEY

ROOT = "root"
"""Always has a password: without one nobody could ever turn auth off again."""
USERS = (ROOT, "u", "v")
ROLES = (ROOT, "r", "s")
PASSWORDS = ("p", "q", "")
LONG_PASSWORD = "p" * 73


def prelude(choices: ChoiceDecoder, state: GeneratorState) -> tuple[op.Operation, ...]:
    """What leads to a store whose users have permissions and tokens; nothing at all once in four times."""
    if choices.one_in(4):
        return ()
    first, second, *more = (permission(choices, state) for _ in range(choices.pick((2, 3, 2))))
    if first.range_end > first.key and choices.pick((False, True)):  # the ranges of two roles touch
        second = op.Permission(second.perm_type, first.range_end, choices.pick((FROM_KEY, b"")))
    return (
        op.UserAdd(ROOT, "p"),
        op.UserGrantRole(ROOT, ROOT),
        op.UserAdd("u", "p"),
        op.UserAdd("v", "p"),
        op.RoleAdd("r"),
        op.RoleAdd("s"),
        op.RoleGrantPermission("r", first),
        op.RoleGrantPermission("s", second),
        *(op.RoleGrantPermission("r", one) for one in more),
        op.UserGrantRole("u", "r"),
        op.UserGrantRole(choices.pick(("v", "u")), "s"),
        op.AuthEnable(),
        op.Authenticate(ROOT, "p"),
        op.Authenticate("u", "p"),
        op.Authenticate("v", "p"),
    )


def in_a_name(choices: ChoiceDecoder, state: GeneratorState, operation: op.Operation) -> op.Operation:
    """The operation with a token of the sequence, if it has one; sometimes with none, or with one that nobody has.

    What changes users and roles is mostly root's to do.
    """
    if not state.tokens and not choices.one_in(8):
        return operation
    if choices.one_in(12):
        return op.As(UNKNOWN_TOKEN, operation) if choices.pick((True, False)) else operation
    tokens = [token for name, token in state.tokens if name == ROOT] if _is_roots(operation) else []
    if not tokens or choices.one_in(5):
        tokens = [token for _, token in state.tokens]
    return op.As(choices.pick(tokens), operation) if tokens else operation


def _is_roots(operation: op.Operation) -> bool:
    return type(operation).__module__ == op.AuthEnable.__module__


def permission(choices: ChoiceDecoder, state: GeneratorState) -> op.Permission:
    """Single keys, ranges that touch, from a key on; sometimes a range that holds nothing."""
    key = state.key(choices)
    kind = choices.pick((op.PermissionType.READWRITE, op.PermissionType.READ, op.PermissionType.WRITE))
    return op.Permission(kind, key, state.range_end(choices, key) if choices.pick((True, False)) else b"")


def auth_enable(_choices: ChoiceDecoder, _state: GeneratorState) -> op.AuthEnable:
    return op.AuthEnable()


def auth_disable(_choices: ChoiceDecoder, _state: GeneratorState) -> op.AuthDisable:
    return op.AuthDisable()


def auth_status(_choices: ChoiceDecoder, _state: GeneratorState) -> op.AuthStatus:
    return op.AuthStatus()


def authenticate(choices: ChoiceDecoder, state: GeneratorState) -> op.Authenticate:
    return op.Authenticate(_user(choices, state), choices.pick(("p", "p", *PASSWORDS)))


def user_add(choices: ChoiceDecoder, state: GeneratorState) -> op.UserAdd:
    name = _user(choices, state)
    return op.UserAdd(ROOT, "p") if name == ROOT else op.UserAdd(name, _password(choices, state), choices.one_in(5))


def user_get(choices: ChoiceDecoder, state: GeneratorState) -> op.UserGet:
    return op.UserGet(_user(choices, state))


def user_list(_choices: ChoiceDecoder, _state: GeneratorState) -> op.UserList:
    return op.UserList()


def user_delete(choices: ChoiceDecoder, state: GeneratorState) -> op.UserDelete:
    return op.UserDelete(_user(choices, state))


def user_change_password(choices: ChoiceDecoder, state: GeneratorState) -> op.UserChangePassword:
    name = _user(choices, state)
    return op.UserChangePassword(name, choices.pick(PASSWORDS[:2]) if name == ROOT else _password(choices, state))


def user_grant_role(choices: ChoiceDecoder, state: GeneratorState) -> op.UserGrantRole:
    return op.UserGrantRole(_user(choices, state), _role(choices, state))


def user_revoke_role(choices: ChoiceDecoder, state: GeneratorState) -> op.UserRevokeRole:
    return op.UserRevokeRole(_user(choices, state), _role(choices, state))


def role_add(choices: ChoiceDecoder, state: GeneratorState) -> op.RoleAdd:
    return op.RoleAdd(_role(choices, state))


def role_get(choices: ChoiceDecoder, state: GeneratorState) -> op.RoleGet:
    return op.RoleGet(_role(choices, state))


def role_list(_choices: ChoiceDecoder, _state: GeneratorState) -> op.RoleList:
    return op.RoleList()


def role_delete(choices: ChoiceDecoder, state: GeneratorState) -> op.RoleDelete:
    return op.RoleDelete(_role(choices, state))


def role_grant_permission(choices: ChoiceDecoder, state: GeneratorState) -> op.RoleGrantPermission:
    if state.invalid_inputs and choices.one_in(20):
        return op.RoleGrantPermission(_role(choices, state))
    return op.RoleGrantPermission(_role(choices, state), permission(choices, state))


def role_revoke_permission(choices: ChoiceDecoder, state: GeneratorState) -> op.RoleRevokePermission:
    key = state.key(choices)
    return op.RoleRevokePermission(
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


def watch_create(choices: ChoiceDecoder, state: GeneratorState) -> op.WatchCreate:
    """Only whether it may be created: its stream is not read."""
    key = state.key(choices)
    return op.WatchCreate(key, state.range_end(choices, key) if choices.pick((True, False)) else b"")


def final_check(state: GeneratorState) -> op.Operation:
    """Where auth is on, root's to ask."""
    tokens = [token for name, token in state.tokens if name == ROOT]
    return op.As(tokens[-1], op.HashKV()) if tokens else op.HashKV()


def alarm(choices: ChoiceDecoder, _state: GeneratorState) -> op.Alarm:
    """Who may look at alarms, and raise them: while one is raised, older versions forget to check permissions."""
    action = choices.pick((op.AlarmAction.GET, op.AlarmAction.ACTIVATE, op.AlarmAction.DEACTIVATE))
    return op.Alarm(action, op.MEMBER_ID, choices.pick((op.AlarmType.NOSPACE, op.AlarmType.CORRUPT)))
