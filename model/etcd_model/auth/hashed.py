"""Passwords that a client has hashed by itself.

The model computes no bcrypt: it knows some hashes, and the passwords they are of. What another hash is of is
`nondeterminism`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64

from etcd_model.auth.store import bcrypt_key

KNOWN_HASHES = {
    b"$2b$04$gKYh7N3qpkGG32LkXVRUHOv0N9QvPYuUntqd4ha7BLXKhonVIpJ1q": "p",
    b"$2a$04$O7XkLZxky4hlpP3hkUbfQuhWEiewO/v4Y1x39I0hkuq1M6mzt.Kb6": "q",
    b"$2b$04$mpMTjWaBo59u1NzFiTS7EOLbFwpQ2o8vOuRIOzYAir8eMs.zcwwwu": "",
}
"""Hashes, and the passwords that they were made of."""

UNKNOWN = "the model does not know the password of this bcrypt hash"


def encoded(hashed: bytes) -> str:
    """A hash as a request has it."""
    return b64encode(hashed).decode()


def decoded(hashed_password: str) -> bytes | None:
    """The bytes in the field; None where they are no base64 (Go encoding/base64, StdEncoding, which passes over the
    ends of lines)."""
    text = hashed_password.replace("\r", "").replace("\n", "")
    if len(text) % 4 or not text.isascii():
        return None
    try:
        return b64decode(text, validate=True)
    except NotBase64:
        return None


def key_of_hash(hashed: bytes) -> bytes | None:
    """What a password must have as its `bcrypt_key` to match a hash; None where none does, as of what is no hash."""
    password = KNOWN_HASHES.get(hashed)
    return None if password is None else bcrypt_key(password)


def unknown_hash(hashed_password: str) -> str | None:
    """Why the model doesn't know what matches the field, if it does not."""
    hashed = decoded(hashed_password)
    return UNKNOWN if hashed and hashed.startswith(b"$") and hashed not in KNOWN_HASHES else None
