"""The calls of the Auth service. Once auth is on they need root, but for Authenticate, and for a user who asks for
its own roles or for one of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from etcd_model import operations as op
from etcd_model.auth import changes
from etcd_model.auth.permission import Asker, caller, check_admin
from etcd_model.auth.store import PASSWORD_BYTES, ROOT, bcrypt_key
from etcd_model.errors import (
    AUTH_FAILED,
    AUTH_NOT_ENABLED,
    NO_PASSWORD_USER,
    PASSWORD_TOO_LONG,
    ROLE_NOT_FOUND,
    USER_NOT_FOUND,
    Error,
    unimplemented,
)
from etcd_model.results import (
    AuthenticateResult,
    AuthResult,
    AuthStatusResult,
    Result,
    RoleGetResult,
    RoleListResult,
    UserGetResult,
    UserListResult,
)

if TYPE_CHECKING:
    from etcd_model.state import State


def step(state: State, operation: op.AuthOperation) -> tuple[State, Result]:
    """The API's own checks, the token, the permission, and only then what the store says.

    Permissions are looked at where the request is applied, and not while an alarm refuses something, in versions in
    which that puts the other checks out of work (`Quirks.alarms_in_layers`).
    """
    quirks = state.server.quirks
    match operation:
        case op.Authenticate():
            return _authenticate(state, operation)
        case op.AuthStatus() if not quirks.auth_status:
            return state, unimplemented("etcdserverpb.Auth", "AuthStatus")
        case op.UserAdd() | op.UserChangePassword() if quirks.passwords_hashed_first and _too_long(state, operation):
            return state, PASSWORD_TOO_LONG
    asker = caller(state, state.sender)
    if isinstance(asker, Error):
        return state, asker
    if state.auth.enabled and (quirks.alarms_in_layers or not state.refusing):
        error = _refusal(state, asker, operation)
        if error:
            return state, error
    change = _CHANGES.get(type(operation))
    if change is None:
        return state, _ANSWERS[type(operation)](state, operation)
    changed = change(state.auth, operation, quirks)
    if isinstance(changed, Error):
        return state, changed
    if changed is not state.auth:
        state = replace(state, auth=changed)
    return state, AuthResult(state.revision)


def _refusal(state: State, asker: Asker, operation: op.AuthOperation) -> Error | None:
    """etcd server/etcdserver/apply/apply_auth.go, needAdminPermission, UserGet and RoleGet. Without a token the caller
    has the empty name, and may ask for the user of that name."""
    name = asker.name if asker else ""
    match operation:
        case op.AuthStatus() if state.server.quirks.auth_status_open:
            return None
        case op.UserGet() if operation.name == name:
            return None
        case op.RoleGet() if name in state.auth.users and operation.role in state.auth.users[name].roles:
            return None
        case _:
            return check_admin(state, asker)


def _too_long(state: State, operation: op.UserAdd | op.UserChangePassword) -> bool:
    if isinstance(operation, op.UserAdd) and operation.no_password:
        return False
    return state.server.quirks.long_passwords_refused and len(operation.password.encode()) > PASSWORD_BYTES


def _authenticate(state: State, operation: op.Authenticate) -> tuple[State, AuthenticateResult | Error]:
    """The name and the password, and then the token that the request came with, as with any other request
    (etcd server/etcdserver/v3_server.go, Authenticate; auth/store.go, CheckPassword)."""
    store = state.auth
    if not store.enabled:
        return state, AUTH_NOT_ENABLED
    user = store.users.get(operation.name)
    if user is None:
        return state, AUTH_FAILED
    if user.no_password:
        return state, NO_PASSWORD_USER
    if user.password != bcrypt_key(operation.password):
        return state, AUTH_FAILED
    if not state.server.quirks.authenticate_ignores_tokens:
        asker = caller(state, state.sender)
        if isinstance(asker, Error):
            return state, asker
    store, token = store.assign(operation.name, state.now, signed=state.server.signed_tokens)
    return replace(state, auth=store), AuthenticateResult(state.revision, token)


def _auth_status(state: State, _operation: op.AuthStatus) -> AuthStatusResult:
    return AuthStatusResult(state.revision, state.auth.enabled, state.auth.revision)


def _user_get(state: State, operation: op.UserGet) -> UserGetResult | Error:
    user = state.auth.users.get(operation.name)
    return USER_NOT_FOUND if user is None else UserGetResult(state.revision, user.roles)


def _user_list(state: State, _operation: op.UserList) -> UserListResult:
    return UserListResult(state.revision, tuple(sorted(state.auth.users)))


def _role_get(state: State, operation: op.RoleGet) -> RoleGetResult | Error:
    permissions = state.auth.roles.get(operation.role)
    if permissions is None:
        return ROLE_NOT_FOUND
    if operation.role == ROOT and state.server.quirks.root_role_shown:
        permissions = (op.Permission(op.PermissionType.READWRITE, b"", b"\x00"),)
    return RoleGetResult(state.revision, permissions)


def _role_list(state: State, _operation: op.RoleList) -> RoleListResult:
    return RoleListResult(state.revision, tuple(sorted(state.auth.roles)))


_ANSWERS: dict[type[op.AuthOperation], Callable[[State, Any], Result]] = {
    op.AuthStatus: _auth_status,
    op.UserGet: _user_get,
    op.UserList: _user_list,
    op.RoleGet: _role_get,
    op.RoleList: _role_list,
}

_CHANGES: dict[type[op.AuthOperation], changes.Change] = {
    op.AuthEnable: changes.enable,
    op.AuthDisable: changes.disable,
    op.UserAdd: changes.user_add,
    op.UserDelete: changes.user_delete,
    op.UserChangePassword: changes.user_change_password,
    op.UserGrantRole: changes.user_grant_role,
    op.UserRevokeRole: changes.user_revoke_role,
    op.RoleAdd: changes.role_add,
    op.RoleDelete: changes.role_delete,
    op.RoleGrantPermission: changes.role_grant_permission,
    op.RoleRevokePermission: changes.role_revoke_permission,
}
