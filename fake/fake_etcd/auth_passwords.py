"""Passwords. etcd keeps a bcrypt hash of each; a fake, which guards nothing, does not need one."""

import base64
from importlib import import_module
from typing import Protocol

from grpc import StatusCode

from fake_etcd.errors import EtcdError, NoPasswordUser

BCRYPT_BYTES = 72
"""bcrypt looks no further."""

_NO_LINE_ENDS = {ord("\r"): None, ord("\n"): None}

_BCRYPT_COST = 4
"""The least: a fake guards nothing."""


class Password(Protocol):
    """What a text must match for a login."""

    def matches(self, text: str) -> bool: ...

    def stored(self) -> bytes:
        """The bcrypt hash that a database has of it; empty, which no text matches, where there is none."""


class Text:
    """A password that was given as a text. It is kept as it is: a snapshot needs a hash of it as etcd makes them."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text.encode()[:BCRYPT_BYTES]

    def matches(self, text: str) -> bool:
        return text.encode()[:BCRYPT_BYTES] == self._text

    def stored(self) -> bytes:
        try:
            bcrypt = import_module("bcrypt")
        except ImportError:
            return b""
        return bytes(bcrypt.hashpw(self._text, bcrypt.gensalt(_BCRYPT_COST)))


class Nothing:
    """What etcd 3.5 makes of an empty new password: a hash that no text has."""

    __slots__ = ()

    def matches(self, text: str) -> bool:
        del text
        return False

    def stored(self) -> bytes:
        return b""


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

    def stored(self) -> bytes:
        return self._hash


def hashed_password(encoded: str) -> Password:
    """The field hashedPassword: base64 of a bcrypt hash. etcd: server/auth/store.go selectPassword.

    Go's decoder skips ends of lines, and takes padding for wrong that Python's puts up with.
    """
    unfolded = encoded.translate(_NO_LINE_ENDS)
    try:
        hashed = base64.b64decode(unfolded, validate=True)
    except ValueError:  # of text that isn't ASCII, too
        raise NoPasswordUser() from None
    if len(unfolded) % 4:
        raise NoPasswordUser()
    if not hashed:
        return Nothing()
    try:
        import_module("bcrypt")
    except ImportError:
        raise EtcdError(
            StatusCode.UNIMPLEMENTED, "fake-etcd: a hashedPassword needs the package bcrypt, which isn't installed"
        ) from None
    return Bcrypt(hashed)
