"""Tokens that whoever has the key can make and check: JSON Web Tokens (etcd: server/auth/jwt.go).

They need the packages PyJWT and cryptography: `pip install 'etcd-lockstep[jwt]'`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any, TypeGuard

import jwt
from grpc import StatusCode

from fake_etcd.auth_tokens import Caller
from fake_etcd.errors import EtcdError, VerifyOnly, would_crash
from fake_etcd.jwt_keys import JwtKeys
from fake_etcd.quirks import Quirks

_REVISIONS = 2**64
"""A negative one is Go's conversion to an unsigned number: a large one."""


class JwtTokens:
    """Nothing ends such a token but its time. Whether its revision still counts is the auth store's to say."""

    def __init__(self, keys: JwtKeys, lifetime: float, clock: Callable[[], float], quirks: Quirks) -> None:
        """`lifetime` is the seconds from a token's making to its end. The time of day goes by as the clock does."""
        self._keys = keys
        self._lifetime = lifetime
        self._clock = clock
        self._quirks = quirks
        self._clock_began = time.time() - clock()
        """The time of day, in seconds since the epoch, at which the clock read 0."""

    @property
    def signs(self) -> bool:
        return self._keys.private is not None

    def assign(self, user: str, revision: int, index: int) -> str:
        del index
        if not self.signs:
            raise VerifyOnly()
        claims = {"exp": int(self._now() + self._lifetime), "revision": revision, "username": user}
        payload = json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode()
        try:
            return self._keys.jws.encode(payload, self._keys.private, self._keys.method)
        except jwt.InvalidKeyError:  # of another curve than the method's
            raise EtcdError(StatusCode.UNKNOWN, "key is invalid") from None

    def caller_of(self, token: str, revision: int) -> Caller | None:
        """The revision that a token vouches for is that at which it was made."""
        del revision
        claims = self._claims(token)
        if claims is None or not self._is_timely(claims):
            return None
        user, made_at = claims.get("username"), claims.get("revision")
        if isinstance(user, str) and _is_number(made_at):
            return Caller(user, int(made_at) % _REVISIONS)
        if not self._quirks.jwt_claims_checked:
            raise would_crash(self._quirks.version, "its JSON Web Token has no username or no revision")
        return None

    def postpone(self, seconds: float) -> None:
        """The end is signed, so the time of day goes back."""
        self._clock_began -= seconds

    def drop_of(self, user: str) -> None:
        """What was signed stays signed."""

    def drop_all(self) -> None:
        """What was signed stays signed."""

    def _claims(self, token: str) -> dict[str, Any] | None:
        try:
            claims = json.loads(self._keys.jws.decode(token, self._keys.public, algorithms=[self._keys.method]))
        except (jwt.PyJWTError, ValueError):
            return None
        return claims if isinstance(claims, dict) else None

    def _is_timely(self, claims: dict[str, Any]) -> bool:
        """exp, nbf and, as the JWT packages for Go before version 5 did, iat; 0 is none. etcd 3.6.0 has version 5."""
        looked_at = ("exp", "nbf") if self._quirks.jwt_issue_ignored else ("exp", "nbf", "iat")
        times = {name: claims[name] for name in looked_at if name in claims}
        numbers = {name: value for name, value in times.items() if _is_number(value)}
        if len(numbers) < len(times) and self._quirks.jwt_times_are_numbers:
            return False
        now = self._now()
        if now >= (numbers.get("exp") or math.inf):
            return False
        return now >= max(numbers.get("nbf", 0), numbers.get("iat", 0))

    def _now(self) -> float:
        return self._clock_began + self._clock()


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
