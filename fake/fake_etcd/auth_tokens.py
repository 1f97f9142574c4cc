"""Who a call comes from, and the tokens that name them (etcd: server/auth/store.go TokenProvider, simple_token.go)."""

from collections.abc import Callable
from secrets import choice
from string import ascii_letters
from typing import NamedTuple, Protocol

from fake_etcd.errors import AuthFailed

_LETTERS = 16

NAMELESS = "\0"
"""In place of the common name of a certificate that has none."""


class Caller(NamedTuple):
    """Who makes a call. etcd: server/auth/store.go AuthInfo."""

    name: str
    """The user's; "" for nobody, and for a certificate without a common name."""
    revision: int
    """Of the auth store, for which the name is vouched; 0 for nobody."""


NOBODY = Caller("", 0)


class CertificateName(str):
    """In a token's place: the common name of the client's certificate, or NAMELESS. etcd: AuthInfoFromTLS."""


class Tokens(Protocol):
    """Makes tokens, and knows whom they stand for."""

    @property
    def signs(self) -> bool:
        """Whether it makes any: not where it can only check them."""

    def assign(self, user: str, revision: int, index: int) -> str:
        """A new token for a user who has logged in, at a revision of the auth store and an index of the raft log.

        EtcdError where there is none to be had.
        """

    def caller_of(self, token: str, revision: int) -> Caller | None:
        """Whom a token stands for, at a revision of the auth store; None if it is over or never was."""

    def postpone(self, seconds: float) -> None:
        """Let every token's life end so much later."""

    def drop_of(self, user: str) -> None:
        """A user's password has changed, or the user is gone. etcd: invalidateUser."""

    def drop_all(self) -> None:
        """Auth is turned off. etcd: disable."""


class SimpleTokens:
    """Tokens that only this server knows. The clock is only read. etcd: server/auth/simple_token.go."""

    __slots__ = ("_clock", "_ends", "_lifetime", "_users")

    signs = True

    def __init__(self, clock: Callable[[], float], lifetime: float) -> None:
        """`lifetime` is the seconds from a token's last use to its end."""
        self._clock = clock
        self._lifetime = lifetime
        self._users: dict[str, str] = {}
        self._ends: dict[str, float] = {}

    def assign(self, user: str, revision: int, index: int) -> str:
        del revision
        token = "".join(choice(ascii_letters) for _ in range(_LETTERS)) + f".{index}"
        self._users[token] = user
        self._ends[token] = self._clock() + self._lifetime
        return token

    def caller_of(self, token: str, revision: int) -> Caller | None:
        """The life of a token that is used starts anew, and it vouches for the revision of now.

        etcd waits with a token that claims a raft index yet to come; here it is one that never was.
        """
        user = self._users.get(token)
        if user is None:
            return None
        now = self._clock()
        if now > self._ends[token]:
            self._drop(token)
            return None
        self._ends[token] = now + self._lifetime
        return Caller(user, revision)

    def postpone(self, seconds: float) -> None:
        for token in self._ends:
            self._ends[token] += seconds

    def drop_of(self, user: str) -> None:
        for token in [token for token, owner in self._users.items() if owner == user]:
            self._drop(token)

    def drop_all(self) -> None:
        self._users.clear()
        self._ends.clear()

    def _drop(self, token: str) -> None:
        del self._users[token], self._ends[token]


class NoTokens:
    """Nobody can log in. etcd: server/auth/nop.go."""

    __slots__ = ()

    signs = False

    def assign(self, user: str, revision: int, index: int) -> str:
        del user, revision, index
        raise AuthFailed()

    def caller_of(self, token: str, revision: int) -> Caller | None:
        del token, revision
        return None

    def postpone(self, seconds: float) -> None:
        """There is none."""

    def drop_of(self, user: str) -> None:
        """There is none."""

    def drop_all(self) -> None:
        """There is none."""
