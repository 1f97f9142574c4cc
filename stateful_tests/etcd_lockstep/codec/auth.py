"""The Auth service. The token of an `As` goes as metadata: that is the target's to send."""

from __future__ import annotations

from etcd_lockstep.codec.coding import Decoders, Encoders
from etcd_model import results
from etcd_model.operations import (
    AuthDisable,
    AuthEnable,
    Authenticate,
    AuthStatus,
    Permission,
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
)
from fake_etcd.wire import messages as wire

_AUTH = "/etcdserverpb.Auth/"


def _user_add(op: UserAdd) -> wire.AuthUserAddRequest:
    options = wire.UserAddOptions(no_password=True) if op.no_password else None
    return wire.AuthUserAddRequest(
        name=op.name, password=op.password, options=options, hashedPassword=op.hashed_password
    )


def _permission(permission: Permission) -> wire.Permission:
    return wire.Permission(
        permType=permission.perm_type,  # type: ignore[arg-type]  # any int goes over the wire
        key=permission.key,
        range_end=permission.range_end,
    )


def _role_grant_permission(op: RoleGrantPermission) -> wire.AuthRoleGrantPermissionRequest:
    perm = _permission(op.perm) if op.perm is not None else None
    return wire.AuthRoleGrantPermissionRequest(name=op.name, perm=perm)


ENCODERS: Encoders = {
    AuthEnable: (_AUTH + "AuthEnable", lambda _op: wire.AuthEnableRequest()),
    AuthDisable: (_AUTH + "AuthDisable", lambda _op: wire.AuthDisableRequest()),
    AuthStatus: (_AUTH + "AuthStatus", lambda _op: wire.AuthStatusRequest()),
    Authenticate: (_AUTH + "Authenticate", lambda op: wire.AuthenticateRequest(name=op.name, password=op.password)),
    UserAdd: (_AUTH + "UserAdd", _user_add),
    UserGet: (_AUTH + "UserGet", lambda op: wire.AuthUserGetRequest(name=op.name)),
    UserList: (_AUTH + "UserList", lambda _op: wire.AuthUserListRequest()),
    UserDelete: (_AUTH + "UserDelete", lambda op: wire.AuthUserDeleteRequest(name=op.name)),
    UserChangePassword: (
        _AUTH + "UserChangePassword",
        lambda op: wire.AuthUserChangePasswordRequest(
            name=op.name, password=op.password, hashedPassword=op.hashed_password
        ),
    ),
    UserGrantRole: (_AUTH + "UserGrantRole", lambda op: wire.AuthUserGrantRoleRequest(user=op.user, role=op.role)),
    UserRevokeRole: (
        _AUTH + "UserRevokeRole",
        lambda op: wire.AuthUserRevokeRoleRequest(name=op.name, role=op.role),
    ),
    RoleAdd: (_AUTH + "RoleAdd", lambda op: wire.AuthRoleAddRequest(name=op.name)),
    RoleGet: (_AUTH + "RoleGet", lambda op: wire.AuthRoleGetRequest(role=op.role)),
    RoleList: (_AUTH + "RoleList", lambda _op: wire.AuthRoleListRequest()),
    RoleDelete: (_AUTH + "RoleDelete", lambda op: wire.AuthRoleDeleteRequest(role=op.role)),
    RoleGrantPermission: (_AUTH + "RoleGrantPermission", _role_grant_permission),
    RoleRevokePermission: (
        _AUTH + "RoleRevokePermission",
        lambda op: wire.AuthRoleRevokePermissionRequest(role=op.role, key=op.key, range_end=op.range_end),
    ),
}


def _role_get_result(answer: wire.AuthRoleGetResponse) -> results.RoleGetResult:
    return results.RoleGetResult(
        answer.header.revision, tuple(Permission(int(one.permType), one.key, one.range_end) for one in answer.perm)
    )


DECODERS: Decoders = {
    **dict.fromkeys(
        (
            AuthEnable,
            AuthDisable,
            UserAdd,
            UserDelete,
            UserChangePassword,
            UserGrantRole,
            UserRevokeRole,
            RoleAdd,
            RoleDelete,
            RoleGrantPermission,
            RoleRevokePermission,
        ),
        lambda answer: results.AuthResult(answer.header.revision),
    ),
    AuthStatus: lambda answer: results.AuthStatusResult(answer.header.revision, answer.enabled, answer.authRevision),
    Authenticate: lambda answer: results.AuthenticateResult(answer.header.revision, answer.token),
    UserGet: lambda answer: results.UserGetResult(answer.header.revision, tuple(answer.roles)),
    UserList: lambda answer: results.UserListResult(answer.header.revision, tuple(answer.users)),
    RoleGet: _role_get_result,
    RoleList: lambda answer: results.RoleListResult(answer.header.revision, tuple(answer.roles)),
}
