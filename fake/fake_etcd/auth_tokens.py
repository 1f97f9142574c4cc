"""Simple tokens (etcd: server/auth/simple_token.go)."""

from collections.abc import Callable
from secrets import choice
from string import ascii_letters

_LETTERS = 16
_BEARER = "Bearer "


NAMELESS = "\0"
"""Whom a certificate without a common name stands for: somebody, whom nobody can have made a user."""


class CertificateName(str):
    """In a token's place: the common name of the client's certificate, or NAMELESS. etcd: AuthInfoFromTLS."""


class SimpleTokens:
    """Which token stands for which user, until when. The clock is only read."""

    __slots__ = ("_clock", "_ends", "_lifetime", "_takes_bearer", "_users")

    def __init__(self, clock: Callable[[], float], takes_bearer: bool, lifetime: float) -> None:
        """`lifetime` is the seconds from a token's last use to its end."""
        self._clock = clock
        self._takes_bearer = takes_bearer
        self._lifetime = lifetime
        self._users: dict[str, str] = {}
        self._ends: dict[str, float] = {}

    def assign(self, user: str, index: int) -> str:
        """A new token for a user, with the raft index of the call that asked for it."""
        token = "".join(choice(ascii_letters) for _ in range(_LETTERS)) + f".{index}"
        self._users[token] = user
        self._ends[token] = self._clock() + self._lifetime
        return token

    def user_of(self, token: str) -> str | None:
        """The user that a token stands for, whose life starts anew; None if it is over or never was.

        etcd waits with a token that claims a raft index yet to come; here it is one that never was.
        """
        if self._takes_bearer:
            token = token.removeprefix(_BEARER)
        user = self._users.get(token)
        if user is None:
            return None
        now = self._clock()
        if now > self._ends[token]:
            self._drop(token)
            return None
        self._ends[token] = now + self._lifetime
        return user

    def postpone(self, seconds: float) -> None:
        """Let every token's life end so much later."""
        for token in self._ends:
            self._ends[token] += seconds

    def drop_of(self, user: str) -> None:
        """A user's tokens are over. etcd: invalidateUser."""
        for token in [token for token, owner in self._users.items() if owner == user]:
            self._drop(token)

    def drop_all(self) -> None:
        """No token is valid any more. etcd: disable."""
        self._users.clear()
        self._ends.clear()

    def _drop(self, token: str) -> None:
        del self._users[token], self._ends[token]
