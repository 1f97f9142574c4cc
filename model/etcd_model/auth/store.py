"""What the auth store holds (etcd server/auth/store.go)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from etcd_model.operations.auth import Permission

ROOT = "root"
"""The name of the user that auth can't be enabled without, and of the role that may do everything."""

TOKEN_TTL = 300
"""Seconds for which a token lives after its last use (etcd's --auth-token-ttl); one that is signed, after its making
(the `ttl` of --auth-token)."""

PASSWORD_BYTES = 72
"""What bcrypt looks at of a password."""


@dataclass(frozen=True, slots=True)
class User:
    """A user. `password` is None where none matches."""

    password: bytes | None = None
    no_password: bool = False
    roles: tuple[str, ...] = ()
    """Ascending."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the simple kind: it stands for its user until it was not used for `TOKEN_TTL`."""

    user: str
    expiry: int


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A JSON Web Token that the server has made. Nothing ends it but its time."""

    user: str
    revision: int
    """Of the auth store, when it was made."""
    expiry: int


@dataclass(frozen=True, slots=True)
class AuthStore:
    """Users, roles and tokens."""

    enabled: bool = False
    revision: int = 1
    """It goes up with every change of users, roles and permissions, and when auth is disabled."""
    users: Mapping[str, User] = field(default_factory=dict)
    roles: Mapping[str, tuple[Permission, ...]] = field(default_factory=dict)
    """The permissions of each role, in ascending order of key."""
    written: tuple[tuple[str, User | None], ...] = ()
    """Every addition, change and deletion of a user, in order: its name, and what it was from then on."""
    tokens: Mapping[str, Token] = field(default_factory=dict)
    signed: Mapping[str, SignedToken] = field(default_factory=dict)
    tokens_assigned: int = 0
    """No token is given out twice."""

    def with_user(self, name: str, user: User) -> AuthStore:
        """One revision on, a user added or changed."""
        written = (*self.written, (name, user))
        return replace(self, revision=self.revision + 1, users={**self.users, name: user}, written=written)

    def with_role(self, name: str, permissions: tuple[Permission, ...]) -> AuthStore:
        """One revision on, a role added or changed."""
        return replace(self, revision=self.revision + 1, roles={**self.roles, name: permissions})

    def without_tokens_of(self, name: str) -> AuthStore:
        """A user's tokens dropped (etcd server/auth/simple_token.go, invalidateUser)."""
        return replace(self, tokens={token: held for token, held in self.tokens.items() if held.user != name})

    def assign(self, name: str, now: int, *, signed: bool = False) -> tuple[AuthStore, str]:
        """A new token for a user (etcd server/auth/simple_token.go and jwt.go, assign)."""
        store, expiry = replace(self, tokens_assigned=self.tokens_assigned + 1), now + TOKEN_TTL
        token = f"token-{store.tokens_assigned}"
        if signed:
            return replace(store, signed={**self.signed, token: SignedToken(name, self.revision, expiry)}), token
        return replace(store, tokens={**self.tokens, token: Token(name, expiry)}), token

    def used(self, token: str, now: int) -> AuthStore:
        """A token's life begins anew when it is used (etcd server/auth/simple_token.go, info)."""
        held = self.tokens.get(token)
        if held is None or held.expiry == now + TOKEN_TTL or now > held.expiry:
            return self
        return replace(self, tokens={**self.tokens, token: Token(held.user, now + TOKEN_TTL)})


def bcrypt_key(password: str) -> bytes:
    """What bcrypt makes a hash of: the password and a zero byte, over and over, up to 72 bytes. So nothing that comes
    after the 72nd byte matters (golang.org/x/crypto/bcrypt, bcrypt; blowfish, ExpandKey)."""
    key = password.encode() + b"\x00"
    return (key * (PASSWORD_BYTES // len(key) + 1))[:PASSWORD_BYTES]
