"""The Auth service."""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from google.protobuf.message import Message

from fake_etcd.auth import ROOT, AuthStore
from fake_etcd.auth_passwords import BCRYPT_BYTES, Password, Text, hashed_password
from fake_etcd.auth_tokens import Caller
from fake_etcd.errors import (
    InvalidAuthMgmt,
    PasswordTooLong,
    PermissionNotGiven,
    unknown_method,
    would_crash,
)
from fake_etcd.services.service import Handler, Service
from fake_etcd.sizes import frame_size
from fake_etcd.store import FROM_KEY
from fake_etcd.wire import messages as pb

Answer = TypeVar("Answer", bound=Message)

_EVERYTHING = pb.Permission(permType="READWRITE", range_end=FROM_KEY)


class Auth(Service):
    """etcd: server/etcdserver/v3_server.go, server/etcdserver/apply/apply_auth.go, server/auth/store.go.

    Every call but Authenticate is a proposal to raft, and needs root while auth is on.
    """

    def handlers(self) -> Mapping[str, Handler]:
        handlers: dict[str, Handler] = {
            "AuthEnable": self.auth_enable,
            "AuthDisable": self.auth_disable,
            "AuthStatus": self.auth_status,
            "Authenticate": self.authenticate,
            "UserAdd": self.user_add,
            "UserGet": self.user_get,
            "UserList": self.user_list,
            "UserDelete": self.user_delete,
            "UserChangePassword": self.user_change_password,
            "UserGrantRole": self.user_grant_role,
            "UserRevokeRole": self.user_revoke_role,
            "RoleAdd": self.role_add,
            "RoleGet": self.role_get,
            "RoleList": self.role_list,
            "RoleDelete": self.role_delete,
            "RoleGrantPermission": self.role_grant_permission,
            "RoleRevokePermission": self.role_revoke_permission,
        }
        return {f"/etcdserverpb.Auth/{name}": handler for name, handler in handlers.items()}

    def auth_enable(self, request: pb.AuthEnableRequest, token: str) -> pb.AuthEnableResponse:
        self._manage(request, token).enable()
        return self._filled(pb.AuthEnableResponse())

    def auth_disable(self, request: pb.AuthDisableRequest, token: str) -> pb.AuthDisableResponse:
        self._manage(request, token).disable()
        return self._filled(pb.AuthDisableResponse())

    def auth_status(self, request: pb.AuthStatusRequest, token: str) -> pb.AuthStatusResponse:
        if not self.core.quirks.auth_status_and_downgrade_exist:
            raise unknown_method("/etcdserverpb.Auth/AuthStatus")
        if self.core.quirks.auth_status_open:
            self._propose(request, token)
            auth = self.core.auth
        else:
            auth = self._manage(request, token)
        return self._filled(pb.AuthStatusResponse(enabled=auth.enabled, authRevision=auth.revision))

    def authenticate(self, request: pb.AuthenticateRequest, token: str) -> pb.AuthenticateResponse:
        core = self.core
        core.auth.check_password(request.name, request.password)
        core.propose(token="" if core.quirks.authenticate_ignores_tokens else token)
        return self._filled(pb.AuthenticateResponse(token=core.auth.assign_token(request.name, core.raft_index)))

    # Users

    def user_add(self, request: pb.AuthUserAddRequest, token: str) -> pb.AuthUserAddResponse:
        """A hashedPassword is overwritten: with the hash of the password, even of an empty one."""
        no_password = request.options.no_password
        hashes_first = self.core.quirks.passwords_hashed_first
        if hashes_first and not no_password:
            self._check_length(request.password)
        auth = self._manage(request, token)
        if not hashes_first and not no_password and request.name:
            self._check_length(request.password)
        auth.add_user(request.name, None if no_password else Text(request.password))
        return self._filled(pb.AuthUserAddResponse())

    def user_get(self, request: pb.AuthUserGetRequest, token: str) -> pb.AuthUserGetResponse:
        """Users may look at themselves; nobody may look at the user without a name."""
        caller = self._propose(request, token)
        if request.name != caller.name and self.core.alarms.checks_permissions:
            self.core.auth.require_root(caller)
        return self._filled(pb.AuthUserGetResponse(roles=self.core.auth.user_roles(request.name)))

    def user_list(self, request: pb.AuthUserListRequest, token: str) -> pb.AuthUserListResponse:
        return self._filled(pb.AuthUserListResponse(users=self._manage(request, token).users()))

    def user_delete(self, request: pb.AuthUserDeleteRequest, token: str) -> pb.AuthUserDeleteResponse:
        self._manage(request, token).delete_user(request.name)
        return self._filled(pb.AuthUserDeleteResponse())

    def user_change_password(
        self, request: pb.AuthUserChangePasswordRequest, token: str
    ) -> pb.AuthUserChangePasswordResponse:
        hashes_first = self.core.quirks.passwords_hashed_first
        if hashes_first:
            self._check_length(request.password)
        auth = self._manage(request, token)
        if not hashes_first:
            self._check_length(request.password)
        auth.change_password(request.name, self._new_password(auth, request))
        return self._filled(pb.AuthUserChangePasswordResponse())

    def _new_password(self, auth: AuthStore, request: pb.AuthUserChangePasswordRequest) -> Password:
        if request.password or not self.core.quirks.passwords_hashed_first or not auth.has_password(request.name):
            return Text(request.password)
        return hashed_password(request.hashedPassword)

    def _check_length(self, password: str) -> None:
        """etcd: golang.org/x/crypto/bcrypt GenerateFromPassword."""
        if self.core.quirks.long_passwords_refused and len(password.encode()) > BCRYPT_BYTES:
            raise PasswordTooLong()

    def user_grant_role(self, request: pb.AuthUserGrantRoleRequest, token: str) -> pb.AuthUserGrantRoleResponse:
        self._manage(request, token).grant_role(request.user, request.role)
        return self._filled(pb.AuthUserGrantRoleResponse())

    def user_revoke_role(self, request: pb.AuthUserRevokeRoleRequest, token: str) -> pb.AuthUserRevokeRoleResponse:
        self._manage(request, token).revoke_role(request.name, request.role)
        return self._filled(pb.AuthUserRevokeRoleResponse())

    # Roles

    def role_add(self, request: pb.AuthRoleAddRequest, token: str) -> pb.AuthRoleAddResponse:
        self._manage(request, token).add_role(request.name)
        return self._filled(pb.AuthRoleAddResponse())

    def role_get(self, request: pb.AuthRoleGetRequest, token: str) -> pb.AuthRoleGetResponse:
        """Users may look at their own roles."""
        caller = self._propose(request, token)
        auth = self.core.auth
        if not auth.has_role(caller.name, request.role) and self.core.alarms.checks_permissions:
            auth.require_root(caller)
        permissions = auth.role_permissions(request.role)
        if request.role == ROOT and self.core.quirks.root_role_shown:
            permissions = [_EVERYTHING]
        return self._filled(pb.AuthRoleGetResponse(perm=permissions))

    def role_list(self, request: pb.AuthRoleListRequest, token: str) -> pb.AuthRoleListResponse:
        return self._filled(pb.AuthRoleListResponse(roles=self._manage(request, token).roles()))

    def role_delete(self, request: pb.AuthRoleDeleteRequest, token: str) -> pb.AuthRoleDeleteResponse:
        self._manage(request, token).delete_role(request.role)
        return self._filled(pb.AuthRoleDeleteResponse())

    def role_grant_permission(
        self, request: pb.AuthRoleGrantPermissionRequest, token: str
    ) -> pb.AuthRoleGrantPermissionResponse:
        auth = self._manage(request, token)
        quirks = self.core.quirks
        if not request.HasField("perm"):
            if quirks.missing_permission_refused:
                raise PermissionNotGiven()
            auth.role_permissions(request.name)
            raise would_crash(quirks.version, "RoleGrantPermission without a permission")
        if quirks.permission_range_validated and not _is_range(request.perm):
            raise InvalidAuthMgmt()
        auth.grant_permission(request.name, request.perm)
        return self._filled(pb.AuthRoleGrantPermissionResponse())

    def role_revoke_permission(
        self, request: pb.AuthRoleRevokePermissionRequest, token: str
    ) -> pb.AuthRoleRevokePermissionResponse:
        self._manage(request, token).revoke_permission(request.role, request.key, request.range_end)
        return self._filled(pb.AuthRoleRevokePermissionResponse())

    # What all of them share

    def _manage(self, request: Message, token: str) -> AuthStore:
        """etcd: needAdminPermission."""
        caller = self._propose(request, token)
        if self.core.alarms.checks_permissions:
            self.core.auth.require_root(caller)
        return self.core.auth

    def _propose(self, request: Message, token: str) -> Caller:
        return self.core.propose(frame_size(request, self.core.settings.max_frame_bytes), token)

    def _filled(self, response: Answer) -> Answer:
        self.core.fill(cast(Any, response).header)
        return response


def _is_range(permission: pb.Permission) -> bool:
    """etcd: server/auth/range_perm_cache.go isValidPermissionRange."""
    if not permission.key:
        return False
    end = permission.range_end
    return not end or end == FROM_KEY or permission.key < end
