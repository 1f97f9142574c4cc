"""The Auth service, and requests made in the name of a user."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from etcd_model.operations.shown import Shown

if TYPE_CHECKING:
    from etcd_model.operations import Operation


class PermissionType(IntEnum):
    """`authpb.Permission.Type`."""

    READ = 0
    WRITE = 1
    READWRITE = 2


@dataclass(frozen=True, slots=True)
class Permission(Shown):
    """`authpb.Permission`. Range ends are those of a `Range`."""

    perm_type: int
    key: bytes
    range_end: bytes = b""


@dataclass(frozen=True, slots=True)
class As(Shown):
    """Another operation, sent with a token (the metadata `token`). The result is that operation's."""

    token: str
    operation: Operation


@dataclass(frozen=True, slots=True)
class AuthEnable(Shown):
    """`Auth.AuthEnable`."""


@dataclass(frozen=True, slots=True)
class AuthDisable(Shown):
    """`Auth.AuthDisable`."""


@dataclass(frozen=True, slots=True)
class AuthStatus(Shown):
    """`Auth.AuthStatus` (3.5 and newer)."""


@dataclass(frozen=True, slots=True)
class Authenticate(Shown):
    """`Auth.Authenticate`: a token for a name and a password."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class UserAdd(Shown):
    """`Auth.UserAdd`. A user with `no_password` can't authenticate."""

    name: str
    password: str = ""
    no_password: bool = False


@dataclass(frozen=True, slots=True)
class UserGet(Shown):
    """`Auth.UserGet`."""

    name: str


@dataclass(frozen=True, slots=True)
class UserList(Shown):
    """`Auth.UserList`."""


@dataclass(frozen=True, slots=True)
class UserDelete(Shown):
    """`Auth.UserDelete`."""

    name: str


@dataclass(frozen=True, slots=True)
class UserChangePassword(Shown):
    """`Auth.UserChangePassword`."""

    name: str
    password: str = ""


@dataclass(frozen=True, slots=True)
class UserGrantRole(Shown):
    """`Auth.UserGrantRole`."""

    user: str
    role: str


@dataclass(frozen=True, slots=True)
class UserRevokeRole(Shown):
    """`Auth.UserRevokeRole`."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class RoleAdd(Shown):
    """`Auth.RoleAdd`."""

    name: str


@dataclass(frozen=True, slots=True)
class RoleGet(Shown):
    """`Auth.RoleGet`."""

    role: str


@dataclass(frozen=True, slots=True)
class RoleList(Shown):
    """`Auth.RoleList`."""


@dataclass(frozen=True, slots=True)
class RoleDelete(Shown):
    """`Auth.RoleDelete`."""

    role: str


@dataclass(frozen=True, slots=True)
class RoleGrantPermission(Shown):
    """`Auth.RoleGrantPermission`."""

    name: str
    perm: Permission | None = None


@dataclass(frozen=True, slots=True)
class RoleRevokePermission(Shown):
    """`Auth.RoleRevokePermission`."""

    role: str
    key: bytes = b""
    range_end: bytes = b""
