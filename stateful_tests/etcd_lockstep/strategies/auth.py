"""The auth family: users, roles, permissions; and requests of every other family in somebody's name."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

from etcd_lockstep.strategies import kv
from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.trace import UNKNOWN_TOKEN
from etcd_model import operations as op
from etcd_model.auth.hashed import KNOWN_HASHES, encoded
from etcd_model.ranges import FROM_KEY

ROOT = "root"
"""Always has a password: without one nobody could ever turn auth off again."""
USERS = (ROOT, "u", "v")
ROLES = (ROOT, "r", "s")
PASSWORDS = ("p", "q", "")
LONG_PASSWORD = "p" * 73
NO_BASE64 = ("!", "cA", "cA=", "é")
"""What is refused for a hashed password."""
HASHED = (*map(encoded, KNOWN_HASHES), encoded(b"no hash"), "cA\n==", *NO_BASE64) if find_spec("bcrypt") else NO_BASE64
"""What a client may say to be a hashed password: hashes of the passwords drawn, then what is none, is base64 to Go
alone, or is none. Without the package bcrypt, the fake takes no base64."""
SCHEMES = ("Bearer ", "Bearer ", "", "bearer ", "Bearer Bearer ", "Bearer")
"""What may stand before a token. Newer releases take the first of these off, once."""


def prelude(choices: ChoiceDecoder, state: GeneratorState) -> tuple[op.Operation, ...]:
    """What leads to a store whose users have permissions and tokens; nothing at all once in four times."""
    if choices.one_in(4):
        return ()
    first, second, *more = (permission(choices, state) for _ in range(choices.pick((2, 3, 2))))
    holder: tuple[str, ...] = ("v", "u")
    if choices.pick((False, True)):  # they touch
        holder = ("u", "u", "v")
        key, end = sorted((first.key, state.key(choices)))
        first = op.Permission(first.perm_type, key, end)
        second = op.Permission(first.perm_type, end, choices.pick((FROM_KEY, b"")))
    return (
        op.UserAdd(ROOT, "p"),
        op.UserGrantRole(ROOT, ROOT),
        op.UserAdd("u", "p"),
        op.UserAdd("v", "p", choices.one_in(5)),
        op.RoleAdd("r"),
        op.RoleAdd("s"),
        op.RoleGrantPermission("r", first),
        op.RoleGrantPermission(choices.pick(("s", "s", "r")), second),
        *(op.RoleGrantPermission("r", one) for one in more),
        op.UserGrantRole("u", "r"),
        op.UserGrantRole(choices.pick(holder), "s"),
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
    if choices.one_in(8):
        return op.As(UNKNOWN_TOKEN, operation) if choices.pick((True, False, False)) else operation
    tokens = [token for name, token in state.tokens if name == ROOT] if is_roots(operation) else []
    if not tokens or choices.one_in(5):
        tokens = [token for _, token in state.tokens]
    if not tokens:
        return operation
    sent = op.As(choices.pick(tokens), operation)
    return _otherwise(choices, sent) if choices.one_in(10) else sent


def _otherwise(choices: ChoiceDecoder, operation: op.As) -> op.As:
    """The same token with something before it, or in the other field of the metadata."""
    return replace(operation, scheme=choices.pick(SCHEMES), authorization=choices.pick((False, True)))


def is_roots(operation: op.Operation) -> bool:
    """Whether it is one about users and roles."""
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
    name = state.gone_again(choices, USERS, _user(choices, state))
    if name == ROOT:
        return op.UserAdd(ROOT, "p")
    password, no_password = _password(choices, state), choices.one_in(5)
    return op.UserAdd(name, password, no_password, choices.pick(HASHED) if choices.one_in(8) else "")


def user_get(choices: ChoiceDecoder, state: GeneratorState) -> op.UserGet:
    return op.UserGet(state.gone_again(choices, USERS, _user(choices, state)))


def user_list(_choices: ChoiceDecoder, _state: GeneratorState) -> op.UserList:
    return op.UserList()


def user_delete(choices: ChoiceDecoder, state: GeneratorState) -> op.UserDelete:
    return op.UserDelete(_user(choices, state))


def user_change_password(choices: ChoiceDecoder, state: GeneratorState) -> op.UserChangePassword:
    name = _user(choices, state)
    if name == ROOT:
        return op.UserChangePassword(name, choices.pick(PASSWORDS[:2]))
    if choices.one_in(3):
        return op.UserChangePassword(name, "q" if choices.one_in(6) else "", choices.pick(HASHED))
    if state.invalid_inputs and choices.one_in(4):
        return op.UserChangePassword(name, LONG_PASSWORD)
    return op.UserChangePassword(name, _password(choices, state))


def user_grant_role(choices: ChoiceDecoder, state: GeneratorState) -> op.UserGrantRole:
    return op.UserGrantRole(_user(choices, state), _role(choices, state))


def user_revoke_role(choices: ChoiceDecoder, state: GeneratorState) -> op.UserRevokeRole:
    return op.UserRevokeRole(_user(choices, state), _role(choices, state))


def role_add(choices: ChoiceDecoder, state: GeneratorState) -> op.RoleAdd:
    if state.invalid_inputs and choices.one_in(10):
        return op.RoleAdd("")
    return op.RoleAdd(state.gone_again(choices, ROLES, _role(choices, state)))


def role_get(choices: ChoiceDecoder, state: GeneratorState) -> op.RoleGet:
    return op.RoleGet(state.gone_again(choices, ROLES, _role(choices, state)))


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


def range_(choices: ChoiceDecoder, state: GeneratorState) -> op.Range:
    """Often what two permissions allow together, and neither does."""
    across = state.across_permissions()
    return op.Range(*choices.pick(across)) if across and choices.one_in(2) else kv.range_(choices, state)


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
