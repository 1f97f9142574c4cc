"""Auth: users, roles, and who a caller is (etcd: server/auth/store.go)."""

from bisect import bisect_left
from collections.abc import Mapping

from fake_etcd.auth_grants import Grants
from fake_etcd.auth_passwords import Password
from fake_etcd.auth_tokens import NAMELESS, NOBODY, Caller, CertificateName, Tokens
from fake_etcd.errors import (
    AuthFailed,
    AuthNotEnabled,
    AuthOldRevision,
    AuthOldRevisionUnmapped,
    EtcdError,
    InvalidAuthMgmt,
    InvalidAuthToken,
    NoPasswordUser,
    PermissionDenied,
    PermissionNotGranted,
    RoleAlreadyExist,
    RoleEmpty,
    RoleNotFound,
    RoleNotGranted,
    RootRoleNotExist,
    RootUserNotExist,
    UserAlreadyExist,
    UserEmpty,
    UserNotFound,
)
from fake_etcd.quirks import Quirks
from fake_etcd.wire.messages import Permission

ROOT = "root"
"""The name of the user without whom auth can't be on, and of the role that may do everything."""

_BEARER = "Bearer "


class User:
    """One user. Without a password, nobody can log in as it."""

    __slots__ = ("password", "roles")

    def __init__(self, password: Password | None) -> None:
        self.password = password
        self.roles: list[str] = []
        """Sorted names; the role root need not exist."""


class AuthStore:
    """Whether auth is on, and who may do what. It never acts by itself."""

    __slots__ = ("_grants", "_quirks", "_roles", "_tokens", "_users", "enabled", "revision")

    def __init__(self, quirks: Quirks, tokens: Tokens) -> None:
        self.enabled = False
        self.revision = 1
        self._quirks = quirks
        self._users: dict[str, User] = {}
        self._roles: dict[str, list[Permission]] = {}
        """Every role's permissions, in order of their keys."""
        self._tokens = tokens
        self._grants: dict[str, Grants] = {}
        """The users' grants, as far as somebody asked for them since the last change."""

    # Who asks, and what for

    def caller_of(self, token: str) -> Caller:
        """Whom a token stands for: NOBODY without one, and while auth is off. etcd: AuthInfoFromCtx."""
        if isinstance(token, CertificateName):
            return Caller("" if token == NAMELESS else str(token), self.revision) if self.enabled else NOBODY
        if not token or (not self.enabled and self._quirks.auth_off_ignores_tokens):
            return NOBODY
        if self._quirks.bearer_tokens:
            token = token.removeprefix(_BEARER)
        caller = self._tokens.caller_of(token, self.revision)
        if caller is None:
            raise InvalidAuthToken()
        return caller

    def postpone(self, seconds: float) -> None:
        """Let every token's life end so much later."""
        self._tokens.postpone(seconds)

    def require_user(self, token: str) -> Caller:
        """While auth is on, somebody must ask. etcd: requireAuthInfo."""
        if not self.enabled:
            return NOBODY
        caller = self.caller_of(token)
        if caller == NOBODY:
            raise UserEmpty()
        return caller

    def require_root(self, caller: Caller) -> None:
        """While auth is on, a user with the role root must ask, at whatever revision. etcd: IsAdminPermitted."""
        if not self.enabled:
            return
        if not caller.name:
            raise UserEmpty()
        if caller.name not in self._users:  # a certificate may name anybody
            raise UserNotFound()
        if not self.is_root(caller.name):
            raise PermissionDenied()

    def is_root(self, user: str) -> bool:
        """Whether a user has the role root."""
        return self.has_role(user, ROOT)

    def has_role(self, user: str, role: str) -> bool:
        """Whether a role is granted to a user, who need not exist."""
        found = self._users.get(user)
        return found is not None and role in found.roles

    def require(self, caller: Caller, key: bytes, range_end: bytes, kind: int) -> None:
        """While auth is on, the caller must be granted the key or range. etcd: isOpPermitted."""
        if not self.enabled:
            return
        if caller.revision == 0:
            raise UserEmpty()
        if caller.revision < self.revision:
            raise self._old_revision()
        if caller.name not in self._users:  # a certificate may name anybody
            raise PermissionDenied()
        if not self.is_root(caller.name) and not self._grants_of(caller.name).cover(key, range_end, kind):
            raise PermissionDenied()

    def require_current(self, caller: Caller) -> None:
        """What is only read is refused to a caller of another revision, a later one too. etcd: doSerialize."""
        if caller.revision not in (0, self.revision):
            raise self._old_revision()

    def _old_revision(self) -> EtcdError:
        return AuthOldRevision() if self._quirks.old_auth_revision_mapped else AuthOldRevisionUnmapped()

    def _grants_of(self, name: str) -> Grants:
        grants = self._grants.get(name)
        if grants is None:
            roles = self._user(name).roles
            permissions = (permission for role in roles for permission in self._roles.get(role, ()))
            grants = self._grants[name] = Grants(permissions)
        return grants

    # On and off, and logging in

    def enable(self) -> None:
        """Turn auth on; it may be already. The revision stays."""
        if self.enabled:
            return
        root = self._users.get(ROOT)
        if root is None:
            raise RootUserNotExist()
        if ROOT not in root.roles:
            raise RootRoleNotExist()
        self.enabled = True

    def disable(self) -> None:
        """Turn auth off, which ends every token; users and roles stay."""
        if self.enabled:
            self.enabled = False
            self._tokens.drop_all()
            self._changed()

    def check_password(self, name: str, password: str) -> None:
        """Refuse a login. etcd: CheckPassword."""
        if not self.enabled:
            raise AuthNotEnabled()
        user = self._users.get(name)
        if user is None:
            raise AuthFailed()
        if user.password is None:
            raise NoPasswordUser()
        if not user.password.matches(password):
            raise AuthFailed()

    @property
    def signs_tokens(self) -> bool:
        """Whether anybody can log in."""
        return self._tokens.signs

    def assign_token(self, name: str, index: int) -> str:
        """A token for a user who has logged in."""
        return self._tokens.assign(name, self.revision, index)

    # Users

    def users(self) -> list[str]:
        """All users' names, sorted."""
        return sorted(self._users, key=str.encode)

    def user_roles(self, name: str) -> list[str]:
        """A user's roles, sorted."""
        return self._user(name).roles

    def password_of(self, name: str) -> Password | None:
        """A user's password, if there is one."""
        return self._user(name).password

    def has_password(self, name: str) -> bool:
        """Whether a user can log in at all."""
        return self._user(name).password is not None

    def add_user(self, name: str, password: Password | None) -> None:
        if not name:
            raise UserEmpty()
        if name in self._users:
            raise UserAlreadyExist()
        self._users[name] = User(password)
        self._changed()

    def delete_user(self, name: str) -> None:
        if self.enabled and name == ROOT:
            raise InvalidAuthMgmt()
        self._user(name)
        del self._users[name]
        self._changed()
        self._tokens.drop_of(name)

    def change_password(self, name: str, password: Password) -> None:
        """A user without a password stays without."""
        user = self._user(name)
        if user.password is not None:
            user.password = password
        self._changed()
        self._tokens.drop_of(name)

    def grant_role(self, name: str, role: str) -> None:
        """Granting anew what is granted changes nothing, not even the revision."""
        user = self._user(name)
        if role != ROOT:
            self.role_permissions(role)
        if role not in user.roles:
            user.roles.append(role)
            user.roles.sort(key=str.encode)
            self._changed()

    def revoke_role(self, name: str, role: str) -> None:
        if self.enabled and name == ROOT and role == ROOT:
            raise InvalidAuthMgmt()
        user = self._user(name)
        if role not in user.roles:
            raise RoleNotGranted()
        user.roles.remove(role)
        self._changed()

    def _user(self, name: str) -> User:
        user = self._users.get(name)
        if user is None:
            raise UserNotFound()
        return user

    # Roles

    def roles(self) -> list[str]:
        """All roles' names, sorted."""
        return sorted(self._roles, key=str.encode)

    def role_permissions(self, name: str) -> list[Permission]:
        """A role's permissions, in order of their keys."""
        permissions = self._roles.get(name)
        if permissions is None:
            raise RoleNotFound()
        return permissions

    def add_role(self, name: str) -> None:
        if not name:
            raise RoleEmpty()
        if name in self._roles:
            raise RoleAlreadyExist()
        self._roles[name] = []
        self._changed()

    def delete_role(self, name: str) -> None:
        """It is taken from all users."""
        if self.enabled and name == ROOT:
            raise InvalidAuthMgmt()
        self.role_permissions(name)
        del self._roles[name]
        for user in self._users.values():
            if name in user.roles:
                user.roles.remove(name)
        self._changed()

    def grant_permission(self, role: str, permission: Permission) -> None:
        """Of several permissions with the same key, only the first is looked at: one with the same end is replaced.

        So a grant can leave a range twice in a role, with two types. The revision grows in any case.
        """
        permissions = self.role_permissions(role)
        keys = [granted.key for granted in permissions]
        place = bisect_left(keys, permission.key)
        if place < len(keys) and _same_range(permissions[place], permission.key, permission.range_end):
            permissions[place].permType = permission.permType
        else:
            permissions.append(_copy(permission))
            permissions.sort(key=lambda granted: granted.key)
        self._changed()

    def revoke_permission(self, role: str, key: bytes, range_end: bytes) -> None:
        """All permissions of exactly this range."""
        permissions = self.role_permissions(role)
        left = [granted for granted in permissions if not _same_range(granted, key, range_end)]
        if len(left) == len(permissions):
            raise PermissionNotGranted()
        self._roles[role] = left
        self._changed()

    def load(
        self,
        enabled: bool,
        revision: int,
        users: Mapping[str, tuple[Password | None, list[str]]],
        roles: Mapping[str, list[Permission]],
    ) -> None:
        """Take over all there is in a database: users with their passwords and roles, roles with their permissions."""
        for name, (password, granted) in users.items():
            self._users[name] = User(password)
            self._users[name].roles = sorted(granted, key=str.encode)
        for name, permissions in roles.items():
            self._roles[name] = sorted(permissions, key=lambda permission: permission.key)
        self.enabled = enabled
        self.revision = revision
        self._grants.clear()

    def _changed(self) -> None:
        self.revision += 1
        self._grants.clear()


def _same_range(permission: Permission, key: bytes, range_end: bytes) -> bool:
    return permission.key == key and permission.range_end == range_end


def _copy(permission: Permission) -> Permission:
    copy = Permission()
    copy.CopyFrom(permission)
    return copy
