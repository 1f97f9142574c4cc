"""The value of --auth-token: which tokens a server takes (etcd: server/auth/store.go NewTokenProvider)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fake_etcd.auth_tokens import NoTokens, SimpleTokens, Tokens
from fake_etcd.go_duration import go_duration
from fake_etcd.quirks import Quirks

_DEFAULT_TTL = "5m"
_KNOWN = ("sign-method", "pub-key", "priv-key", "ttl")


class BadTokenOptionsError(ValueError):
    """What --auth-token asks for can't be had; the message is etcd's, and then the reason."""

    def __init__(self, options: str, error: str) -> None:
        super().__init__(f"--auth-token {options}: {error}")


def tokens_of(options: str, quirks: Quirks, clock: Callable[[], float], simple_ttl: float) -> Callable[[], Tokens]:
    """What makes fresh tokens of the kind that the options say.

    The files of keys are read once. BadTokenOptionsError says in one line what is wrong.
    """
    kind, given = _parsed(options)
    match kind:
        case "simple":
            return lambda: SimpleTokens(clock, simple_ttl)
        case "":
            return NoTokens
        case "jwt":
            tokens = _jwt(options, given, quirks, clock)
            return lambda: tokens
        case _:
            raise BadTokenOptionsError(options, f"auth: invalid auth options: {kind} is neither simple nor jwt")


def unknown_options(options: str) -> list[str]:
    """The names of those that nobody knows, which change nothing."""
    kind, given = _parsed(options)
    return sorted(given.keys() - set(_KNOWN)) if kind == "jwt" else []


def _parsed(options: str) -> tuple[str, dict[str, str]]:
    """The kind of tokens, and its options by name. etcd: decomposeOpts."""
    kind, *rest = options.split(",")
    given: dict[str, str] = {}
    for option in rest:
        name, *value = option.split("=")
        if len(value) != 1:
            raise BadTokenOptionsError(options, f"auth: invalid auth options: {option} is not NAME=VALUE")
        if name in given:
            raise BadTokenOptionsError(options, f"auth: invalid auth options: {name} is given twice")
        given[name] = value[0]
    return kind, given


def _jwt(options: str, given: dict[str, str], quirks: Quirks, clock: Callable[[], float]) -> Tokens:
    try:
        from fake_etcd.jwt_keys import METHODS, BadKeyError, jwt_keys
        from fake_etcd.jwt_tokens import JwtTokens
    except ModuleNotFoundError as error:
        raise BadTokenOptionsError(
            options, f"it needs the packages PyJWT and cryptography ({error}): pip install 'etcd-lockstep[jwt]'"
        ) from error
    try:
        ttl = go_duration(given.get("ttl") or _DEFAULT_TTL)
        public, private = (_read(given.get(name, "")) for name in ("pub-key", "priv-key"))
    except ValueError as error:
        raise BadTokenOptionsError(options, f"auth: invalid auth options: {error}") from error
    method = given.get("sign-method", "")
    methods = [known for known in METHODS if known != "EdDSA" or quirks.jwt_knows_eddsa]
    if method not in methods:
        raise BadTokenOptionsError(
            options, f"auth: invalid auth options: the sign-method must be one of {', '.join(methods)}"
        )
    try:
        keys = jwt_keys(method, private, public, quirks.jwt_keys_must_match)
    except BadKeyError as error:
        raise BadTokenOptionsError(options, str(error)) from error
    return JwtTokens(keys, ttl, clock, quirks)


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes() if file else b""
    except OSError as error:
        raise ValueError(f"can't read {file}: {error.strerror}") from error
