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
class Claims(Shown):
    """What a JSON Web Token says that the client has signed, and whether there is something wrong with it."""

    username: str
    revision: int
    """Of the auth store, when the token was made."""
    expired: bool = False
    """Whether its `exp` is in the past. Otherwise it has none."""
    forged: bool = False
    """Whether it is signed with another key than the server's."""


@dataclass(frozen=True, slots=True)
class As(Shown):
    """Another operation, sent with a token, as the metadata `token`. The result is that operation's."""

    token: str
    """Empty where there is none, or `claims`."""
    operation: Operation
    certificate: str = ""
    """The common name of the client's certificate, to a server that asks for one: there, without a name, nothing is
    sent but a certificate that has none either."""
    claims: Claims | None = None
    """The token is a JSON Web Token that says this."""
    scheme: str = ""
    """What stands before the token, such as `Bearer ` with its blank."""
    authorization: bool = False
    """Whether it goes as the metadata `authorization` instead, which etcd reads where there is no `token`
    (etcd server/auth/store.go, AuthInfoFromCtx)."""

    @property
    def sent(self) -> str:
        """What the metadata holds."""
        return self.scheme + self.token


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
    hashed_password: str = ""
    """Base64 of a bcrypt hash. No release looks at it here."""


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
    hashed_password: str = ""
    """Base64 of a bcrypt hash, which the client has made; looked at since 3.5 where the password is empty."""


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
