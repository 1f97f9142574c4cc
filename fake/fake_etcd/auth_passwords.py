"""Passwords. etcd keeps a bcrypt hash of each; here it is a cheap one, for a fake guards nothing."""

import base64
import binascii
import hashlib
from importlib import import_module
from secrets import token_bytes
from typing import Protocol

from grpc import StatusCode

from fake_etcd.errors import EtcdError, NoPasswordUser

BCRYPT_BYTES = 72
"""bcrypt looks no further."""


class Password(Protocol):
    """What a text must match for a login."""

    def matches(self, text: str) -> bool: ...


class Text:
    """A password that was given as a text: a salted hash of it."""

    __slots__ = ("_digest", "_salt")

    def __init__(self, text: str) -> None:
        self._salt = token_bytes(8)
        self._digest = self._digest_of(text)

    def matches(self, text: str) -> bool:
        return self._digest_of(text) == self._digest

    def _digest_of(self, text: str) -> bytes:
        return hashlib.sha256(self._salt + text.encode()[:BCRYPT_BYTES]).digest()


class Nothing:
    """What etcd 3.5 makes of an empty new password: a hash that no text has."""

    __slots__ = ()

    def matches(self, text: str) -> bool:
        del text
        return False


class Bcrypt:
    """A hash that the client has made by itself."""

    __slots__ = ("_hash",)

    def __init__(self, hashed: bytes) -> None:
        self._hash = hashed

    def matches(self, text: str) -> bool:
        try:
            return bool(import_module("bcrypt").checkpw(text.encode()[:BCRYPT_BYTES], self._hash))
        except ValueError:  # not a bcrypt hash at all
            return False


def hashed_password(encoded: str) -> Password:
    """The field hashedPassword: base64 of a bcrypt hash. etcd: server/auth/store.go selectPassword."""
    try:
        hashed = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise NoPasswordUser() from None
    if not hashed:
        return Nothing()
    try:
        import_module("bcrypt")
    except ImportError:
        raise EtcdError(
            StatusCode.UNIMPLEMENTED, "fake-etcd: a hashedPassword needs the package bcrypt, which isn't installed"
        ) from None
    return Bcrypt(hashed)
