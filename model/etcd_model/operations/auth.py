"""The Auth service, and requests made in the name of a user."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etcd_model.operations import Operation


class PermissionType(IntEnum):
    """`authpb.Permission.Type`."""

    READ = 0
    WRITE = 1
    READWRITE = 2


@dataclass(frozen=True, slots=True)
class Permission:
    """`authpb.Permission`. Range ends are those of a `Range`."""

    perm_type: int
    key: bytes
    range_end: bytes = b""


@dataclass(frozen=True, slots=True)
class As:
    """Another operation, sent with a token (the metadata `token`). The result is that operation's."""

    token: str
    operation: Operation


@dataclass(frozen=True, slots=True)
class AuthEnable:
    """`Auth.AuthEnable`."""


@dataclass(frozen=True, slots=True)
class AuthDisable:
    """`Auth.AuthDisable`."""


@dataclass(frozen=True, slots=True)
class AuthStatus:
    """`Auth.AuthStatus` (3.5 and newer)."""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """`Auth.Authenticate`: a token for a name and a password."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class UserAdd:
    """`Auth.UserAdd`. A user with `no_password` can't authenticate."""

    name: str
    password: str = ""
    no_password: bool = False


@dataclass(frozen=True, slots=True)
class UserGet:
    """`Auth.UserGet`."""

    name: str


@dataclass(frozen=True, slots=True)
class UserList:
    """`Auth.UserList`."""


@dataclass(frozen=True, slots=True)
class UserDelete:
    """`Auth.UserDelete`."""

    name: str


@dataclass(frozen=True, slots=True)
class UserChangePassword:
    """`Auth.UserChangePassword`."""

    name: str
    password: str = ""


@dataclass(frozen=True, slots=True)
class UserGrantRole:
    """`Auth.UserGrantRole`."""

    user: str
    role: str


@dataclass(frozen=True, slots=True)
class UserRevokeRole:
    """`Auth.UserRevokeRole`."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class RoleAdd:
    """`Auth.RoleAdd`."""

    name: str


@dataclass(frozen=True, slots=True)
class RoleGet:
    """`Auth.RoleGet`."""

    role: str


@dataclass(frozen=True, slots=True)
class RoleList:
    """`Auth.RoleList`."""


@dataclass(frozen=True, slots=True)
class RoleDelete:
    """`Auth.RoleDelete`."""

    role: str


@dataclass(frozen=True, slots=True)
class RoleGrantPermission:
    """`Auth.RoleGrantPermission`."""

    name: str
    perm: Permission | None = None


@dataclass(frozen=True, slots=True)
class RoleRevokePermission:
    """`Auth.RoleRevokePermission`."""

    role: str
    key: bytes = b""
    range_end: bytes = b""
