"""The Auth service."""

from __future__ import annotations

from dataclasses import dataclass

from etcd_model.operations.auth import Permission


@dataclass(frozen=True, slots=True)
class AuthResult:
    """The response to any change of users, roles or of auth itself: nothing but a header."""

    revision: int


@dataclass(frozen=True, slots=True)
class AuthStatusResult:
    """`AuthStatusResponse`."""

    revision: int
    enabled: bool
    auth_revision: int


@dataclass(frozen=True, slots=True)
class AuthenticateResult:
    """`AuthenticateResponse`."""

    revision: int
    token: str


@dataclass(frozen=True, slots=True)
class UserGetResult:
    """`AuthUserGetResponse`."""

    revision: int
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserListResult:
    """`AuthUserListResponse`."""

    revision: int
    users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleGetResult:
    """`AuthRoleGetResponse`."""

    revision: int
    perm: tuple[Permission, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleListResult:
    """`AuthRoleListResponse`."""

    revision: int
    roles: tuple[str, ...] = ()
