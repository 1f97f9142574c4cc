"""Lies about who may do what."""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep.specimens.specimen import Specimen, map_requests
from etcd_lockstep.target import ALL
from etcd_lockstep.trace import bare
from etcd_model import Error, Operation, Result, State, step
from etcd_model.auth.store import bcrypt_key
from etcd_model.errors import PERMISSION_DENIED
from etcd_model.operations import (
    As,
    Authenticate,
    DeleteRange,
    Permission,
    Put,
    Range,
    RequestOp,
    RoleAdd,
    RoleDelete,
    Txn,
    UserAdd,
    UserChangePassword,
    UserDelete,
    UserGrantRole,
    UserRevokeRole,
)
from etcd_model.results import RangeResult


class AuthSpecimen(Specimen):
    """Carries out some of the reads and writes that it should refuse for want of permission."""

    capabilities = ALL

    def apply(self, operation: Operation) -> Result:
        before, request = self.state, bare(operation)
        result = super().apply(operation)
        if not (
            result == PERMISSION_DENIED
            and isinstance(operation, As)
            and isinstance(request, Range | Put | DeleteRange | Txn)
            and self.permits(before, operation.sent, request)
        ):
            return result
        self.state = replace(before, auth=replace(before.auth, enabled=False))
        result = super().apply(request)
        self.state = replace(self.state, auth=before.auth)
        return result

    def permits(self, state: State, token: str, request: RequestOp) -> bool:  # noqa: ARG002
        """Whether a request that is to be refused is carried out all the same."""
        return False


class TxnsNotChecked(AuthSpecimen):
    """Whoever has a token may do anything in a txn."""

    name = "permissions-not-checked-in-txns"

    def permits(self, state: State, token: str, request: RequestOp) -> bool:  # noqa: ARG002
        return isinstance(request, Txn)


class PermissionRangeEndIgnored(AuthSpecimen):
    """Who may read or write a key may read or write any range that begins there."""

    name = "permission-range-end-ignored"

    def permits(self, state: State, token: str, request: RequestOp) -> bool:
        _, result = step(state, As(token, map_requests(request, _of_one_key)))
        return not isinstance(result, Error)


def _of_one_key(request: RequestOp) -> RequestOp:
    return replace(request, range_end=b"") if isinstance(request, Range | DeleteRange) else request


class RevokedRoleStillCounts(AuthSpecimen):
    """A role that was revoked is not shown any more, but what it permits is still permitted."""

    name = "revoked-role-still-counts"

    def __init__(self) -> None:
        super().__init__()
        self._revoked: set[tuple[str, str]] = set()

    def reset(self) -> int:
        self._revoked = set()
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if not isinstance(result, Error):
            match bare(operation):
                case UserRevokeRole(name, role):
                    self._revoked.add((name, role))
                case UserGrantRole(user, role):
                    self._revoked.discard((user, role))
                case UserDelete(name) | RoleDelete(name):
                    self._revoked = {pair for pair in self._revoked if name not in pair}
        return result

    def permits(self, state: State, token: str, request: RequestOp) -> bool:
        users = dict(state.auth.users)
        for name, role in self._revoked:
            users[name] = replace(users[name], roles=tuple(sorted({*users[name].roles, role})))
        _, result = step(replace(state, auth=replace(state.auth, users=users)), As(token, request))
        return result != PERMISSION_DENIED


class DeletedUserKeepsRoles(Specimen):
    """A user who is added again has the roles of the one who was deleted."""

    name = "deleted-user-keeps-roles"
    capabilities = ALL

    def reset(self) -> int:
        self._roles: dict[str, tuple[str, ...]] = {}
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        before, request = self.state.auth.users, bare(operation)
        result = super().apply(operation)
        auth = self.state.auth
        match request:
            case UserDelete(name=name) if name in before and name not in auth.users:
                self._roles[name] = before[name].roles
            case UserAdd(name=name) if name in auth.users and name not in before:
                roles = tuple(role for role in self._roles.get(name, ()) if role in auth.roles)
                users = {**auth.users, name: replace(auth.users[name], roles=roles)}
                self.state = replace(self.state, auth=replace(auth, users=users))
        return result


class DeletedRoleKeepsPermissions(Specimen):
    """A role that is added again has the permissions of the one that was deleted."""

    name = "deleted-role-keeps-permissions"
    capabilities = ALL

    def reset(self) -> int:
        self._permissions: dict[str, tuple[Permission, ...]] = {}
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        before, request = self.state.auth.roles, bare(operation)
        result = super().apply(operation)
        auth = self.state.auth
        match request:
            case RoleDelete(role=name) if name in before and name not in auth.roles:
                self._permissions[name] = before[name]
            case RoleAdd(name=name) if name in auth.roles and name not in before:
                roles = {**auth.roles, name: self._permissions.get(name, ())}
                self.state = replace(self.state, auth=replace(auth, roles=roles))
        return result


class TokenSurvivesPasswordChange(Specimen):
    """A token is good for as long as its user is there, whatever becomes of the password."""

    name = "token-survives-password-change"
    capabilities = ALL

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)
        if isinstance(bare(operation), UserChangePassword):
            auth = self.state.auth
            self.state = replace(self.state, auth=replace(auth, tokens={**before.auth.tokens, **auth.tokens}))
        return result


class WrongPasswordAccepted(Specimen):
    """A user gets a token for any password."""

    name = "wrong-password-accepted"
    capabilities = ALL

    def apply(self, operation: Operation) -> Result:
        request, before = bare(operation), self.state
        if not (isinstance(request, Authenticate) and request.name in before.auth.users):
            return super().apply(operation)
        user = replace(before.auth.users[request.name], password=bcrypt_key(request.password))
        self.state = replace(before, auth=replace(before.auth, users={**before.auth.users, request.name: user}))
        result = super().apply(operation)
        self.state = replace(self.state, auth=replace(self.state.auth, users=before.auth.users))
        return result


class NamelessMayRead(Specimen):
    """What is asked without a token is answered, if it is a read."""

    name = "nameless-may-read"
    capabilities = ALL

    def apply(self, operation: Operation) -> Result:
        if not (isinstance(operation, Range) and self.state.auth.enabled):
            return super().apply(operation)
        _, result = step(replace(self.state, auth=replace(self.state.auth, enabled=False)), operation)
        return result


class AnyPermissionIsBoth(AuthSpecimen):
    """Who may read a key may write it."""

    name = "any-permission-is-both"

    def permits(self, state: State, token: str, request: RequestOp) -> bool:
        if not isinstance(request, Put):
            return False
        _, result = step(state, As(token, Range(request.key)))
        return not isinstance(result, Error)


class RolesNotMerged(Specimen):
    """A range may be read if one role of the user permits all of it: two roles whose ranges touch permit no more."""

    name = "roles-not-merged"
    capabilities = ALL

    def apply(self, operation: Operation) -> Result:
        before = self.state
        result = super().apply(operation)
        if not (isinstance(operation, As) and isinstance(bare(operation), Range) and isinstance(result, RangeResult)):
            return result
        token = before.auth.tokens.get(operation.sent)
        user = before.auth.users.get(token.user) if token else None
        if token is None or user is None or len(user.roles) < 2 or not before.auth.enabled:
            return result
        for role in user.roles:
            users = {**before.auth.users, token.user: replace(user, roles=(role,))}
            _, alone = step(replace(before, auth=replace(before.auth, users=users)), operation)
            if isinstance(alone, RangeResult):
                return result
        return PERMISSION_DENIED


class AnySchemeTaken(Specimen):
    """A token is what stands behind the last blank, whatever stands before it."""

    name = "any-token-scheme-taken"
    capabilities = ALL

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, As) and operation.scheme:
            operation = replace(operation, token=operation.sent.rpartition(" ")[2], scheme="")
        return super().apply(operation)


class AuthorizationIgnored(Specimen):
    """A token is looked for in one of the two fields of the metadata in which it may be."""

    name = "authorization-ignored"
    capabilities = ALL

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, As) and operation.authorization:
            operation = operation.operation
        return super().apply(operation)


class HashedPasswordIgnored(Specimen):
    """A hash that a client has made of a new password is not looked at: nothing matches that password."""

    name = "hashed-password-ignored"
    capabilities = ALL

    def apply(self, operation: Operation) -> Result:
        request = bare(operation)
        if isinstance(request, UserChangePassword) and request.hashed_password:
            request = replace(request, hashed_password="")
            operation = replace(operation, operation=request) if isinstance(operation, As) else request
        return super().apply(operation)
