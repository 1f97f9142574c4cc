"""What changes the auth store: each function makes a new store of one, or says why not (etcd server/auth/store.go).

The checks of each stand in etcd's order. A change that is none leaves the store, and its revision, as they are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from etcd_model.auth.hashed import decoded, key_of_hash
from etcd_model.auth.store import PASSWORD_BYTES, ROOT, AuthStore, User, bcrypt_key
from etcd_model.errors import (
    INVALID_AUTH_MGMT,
    NO_PASSWORD_USER,
    PASSWORD_TOO_LONG,
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
    Error,
)
from etcd_model.operations.auth import (
    AuthDisable,
    AuthEnable,
    Permission,
    RoleAdd,
    RoleDelete,
    RoleGrantPermission,
    RoleRevokePermission,
    UserAdd,
    UserChangePassword,
    UserDelete,
    UserGrantRole,
    UserRevokeRole,
)
from etcd_model.quirks import Quirks

Change = Callable[[AuthStore, Any, Quirks], AuthStore | Error]


def enable(store: AuthStore, _operation: AuthEnable, _quirks: Quirks) -> AuthStore | Error:
    """It is the user root with the role root that must be there: not the role itself. The revision stays."""
    if store.enabled:
        return store
    root = store.users.get(ROOT)
    if root is None:
        return ROOT_USER_NOT_EXIST
    if ROOT not in root.roles:
        return ROOT_ROLE_NOT_EXIST
    return replace(store, enabled=True)


def disable(store: AuthStore, _operation: AuthDisable, _quirks: Quirks) -> AuthStore | Error:
    """Every token is forgotten."""
    return replace(store, enabled=False, revision=store.revision + 1, tokens={}) if store.enabled else store


def user_add(store: AuthStore, operation: UserAdd, quirks: Quirks) -> AuthStore | Error:
    """An empty password is one like any other."""
    if not operation.name:
        return USER_EMPTY
    if not operation.no_password and _too_long(operation.password, quirks):
        return PASSWORD_TOO_LONG
    if operation.name in store.users:
        return USER_ALREADY_EXIST
    password = None if operation.no_password else bcrypt_key(operation.password)
    return store.with_user(operation.name, User(password, operation.no_password))


def _too_long(password: str, quirks: Quirks) -> bool:
    """Where passwords are hashed first, this was found out before."""
    return quirks.long_passwords_refused and len(password.encode()) > PASSWORD_BYTES


def user_delete(store: AuthStore, operation: UserDelete, _quirks: Quirks) -> AuthStore | Error:
    """Tokens go with their user."""
    if store.enabled and operation.name == ROOT:
        return INVALID_AUTH_MGMT
    if operation.name not in store.users:
        return USER_NOT_FOUND
    users = {name: user for name, user in store.users.items() if name != operation.name}
    written = (*store.written, (operation.name, None))
    return replace(store, revision=store.revision + 1, users=users, written=written).without_tokens_of(operation.name)


def user_change_password(store: AuthStore, operation: UserChangePassword, quirks: Quirks) -> AuthStore | Error:
    """Tokens go with their password. A user without a password stays one. Where passwords are hashed first, an empty
    one is not, and what the client says to be a hash stands for it (selectPassword)."""
    if not quirks.passwords_hashed_first and _too_long(operation.password, quirks):
        return PASSWORD_TOO_LONG
    user = store.users.get(operation.name)
    if user is None:
        return USER_NOT_FOUND
    password: bytes | None = bcrypt_key(operation.password)
    if quirks.passwords_hashed_first and not operation.password and not user.no_password:
        hashed = decoded(operation.hashed_password)
        if hashed is None:
            return NO_PASSWORD_USER
        password = key_of_hash(hashed)
    return store.with_user(operation.name, replace(user, password=password)).without_tokens_of(operation.name)


def user_grant_role(store: AuthStore, operation: UserGrantRole, _quirks: Quirks) -> AuthStore | Error:
    """The role root can be granted before there is one. What the user has already is not granted again."""
    user = store.users.get(operation.user)
    if user is None:
        return USER_NOT_FOUND
    if operation.role != ROOT and operation.role not in store.roles:
        return ROLE_NOT_FOUND
    if operation.role in user.roles:
        return store
    roles = tuple(sorted((*user.roles, operation.role)))
    return store.with_user(operation.user, replace(user, roles=roles))


def user_revoke_role(store: AuthStore, operation: UserRevokeRole, _quirks: Quirks) -> AuthStore | Error:
    """Root stays root while auth is on."""
    if store.enabled and operation.name == ROOT and operation.role == ROOT:
        return INVALID_AUTH_MGMT
    user = store.users.get(operation.name)
    if user is None:
        return USER_NOT_FOUND
    if operation.role not in user.roles:
        return ROLE_NOT_GRANTED
    return store.with_user(operation.name, _without_role(user, operation.role))


def _without_role(user: User, role: str) -> User:
    return replace(user, roles=tuple(held for held in user.roles if held != role))


def role_add(store: AuthStore, operation: RoleAdd, _quirks: Quirks) -> AuthStore | Error:
    if not operation.name:
        return ROLE_EMPTY
    if operation.name in store.roles:
        return ROLE_ALREADY_EXIST
    return store.with_role(operation.name, ())


def role_delete(store: AuthStore, operation: RoleDelete, _quirks: Quirks) -> AuthStore | Error:
    """The role is taken from every user that has it; all in one revision."""
    if store.enabled and operation.role == ROOT:
        return INVALID_AUTH_MGMT
    if operation.role not in store.roles:
        return ROLE_NOT_FOUND
    users = {name: _without_role(user, operation.role) for name, user in store.users.items()}
    stripped = sorted(name for name, user in store.users.items() if operation.role in user.roles)
    return replace(
        store,
        revision=store.revision + 1,
        users=users,
        written=(*store.written, *((name, users[name]) for name in stripped)),
        roles={name: permissions for name, permissions in store.roles.items() if name != operation.role},
    )


def role_grant_permission(store: AuthStore, operation: RoleGrantPermission, quirks: Quirks) -> AuthStore | Error:
    """Only the first permission with the same key is looked at: if it has the same end too it gets the new type,
    otherwise the permission is added, be it there already or not."""
    granted = operation.perm
    if granted is None and quirks.missing_permission_refused:
        return PERMISSION_NOT_GIVEN
    if granted is not None and quirks.permission_range_validated and not _is_range(granted):
        return INVALID_AUTH_MGMT
    permissions = store.roles.get(operation.name)
    if permissions is None:
        return ROLE_NOT_FOUND
    if granted is None:
        raise ValueError("a RoleGrantPermission without a permission kills this version: it is crash_reason")
    at = bisect_left(permissions, granted.key, key=lambda permission: permission.key)
    first = permissions[at] if at < len(permissions) else None
    if first is not None and (first.key, first.range_end) == (granted.key, granted.range_end):
        return store.with_role(operation.name, (*permissions[:at], granted, *permissions[at + 1 :]))
    permissions = tuple(sorted((*permissions, granted), key=lambda permission: permission.key))
    return store.with_role(operation.name, permissions)


def _is_range(permission: Permission) -> bool:
    """etcd server/auth/range_perm_cache.go, isValidPermissionRange."""
    if not permission.key:
        return False
    return permission.range_end in (b"", b"\x00") or permission.key < permission.range_end


def role_revoke_permission(store: AuthStore, operation: RoleRevokePermission, _quirks: Quirks) -> AuthStore | Error:
    """Every permission with that key and that end."""
    permissions = store.roles.get(operation.role)
    if permissions is None:
        return ROLE_NOT_FOUND
    left = tuple(held for held in permissions if (held.key, held.range_end) != (operation.key, operation.range_end))
    return PERMISSION_NOT_GRANTED if len(left) == len(permissions) else store.with_role(operation.role, left)
