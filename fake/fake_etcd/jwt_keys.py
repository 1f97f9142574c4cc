"""The keys of JSON Web Tokens, from files as the options of --auth-token name them (etcd: server/auth/options.go)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from jwt.algorithms import HMACAlgorithm

_KINDS: dict[str, tuple[str, type, type]] = {
    "RS": ("RSA", RSAPrivateKey, RSAPublicKey),
    "PS": ("RSA", RSAPrivateKey, RSAPublicKey),
    "ES": ("EC", EllipticCurvePrivateKey, EllipticCurvePublicKey),
    "Ed": ("Ed25519", Ed25519PrivateKey, Ed25519PublicKey),
}
"""By how the name of a method begins: what its keys are called, and what they are."""

METHODS = (
    *(f"{family}{bits}" for family in ("RS", "PS", "ES", "HS") for bits in (256, 384, 512)),
    "EdDSA",
)


class BadKeyError(ValueError):
    """What makes a key unfit, in etcd's words where etcd has any."""


class _AnyHmac(HMACAlgorithm):
    """With any bytes for a key, as Go has it: PyJWT warns of short ones, and takes no PEM."""

    def prepare_key(self, key: str | bytes) -> bytes:
        return key.encode() if isinstance(key, str) else key

    def check_key_length(self, key: bytes) -> None:
        """Every length will do."""


@dataclass(frozen=True, slots=True)
class JwtKeys:
    """What signs tokens with a method, and what checks them."""

    method: str
    private: Any
    """None where tokens can only be checked."""
    public: Any
    jws: jwt.PyJWS

    def __deepcopy__(self, memo: object) -> JwtKeys:
        """They never change, and not every release of cryptography can copy a key."""
        return self


def jwt_keys(method: str, private: bytes, public: bytes, they_must_match: bool) -> JwtKeys:
    """The keys for a method, out of what the files hold, of which one may be empty; BadKeyError where they don't fit.

    etcd: Key. A private key checks as well, whatever the public one is.
    """
    jws = jwt.PyJWS()
    if method.startswith("HS"):
        if not private:
            raise BadKeyError("auth: missing key data")
        jws.unregister_algorithm(method)
        jws.register_algorithm(method, _AnyHmac(getattr(HMACAlgorithm, f"SHA{method[2:]}")))
        return JwtKeys(method, private, private, jws)
    name, private_type, public_type = _KINDS[method[:2]]
    signs = _load(private, "priv-key", name, private_type, lambda pem: load_pem_private_key(pem, None))
    checks = _load(public, "pub-key", name, public_type, _public)
    if signs is not None:
        if checks is not None and they_must_match and checks != signs.public_key():
            raise BadKeyError("auth: public and private keys don't match")
        checks = signs.public_key()
    elif checks is None:
        raise BadKeyError("auth: missing key data")
    return JwtKeys(method, signs, checks, jws)


def _load(data: bytes, option: str, name: str, wanted: type, load: Callable[[bytes], Any]) -> Any:
    if not data:
        return None
    try:
        key = load(data)
    except (ValueError, TypeError):  # a TypeError where it needs a password
        key = None
    if not isinstance(key, wanted):
        raise BadKeyError(f"the file of {option} holds no {name} key that can be read, in PEM")
    return key


def _public(pem: bytes) -> Any:
    """A certificate's will do as well."""
    try:
        return load_pem_public_key(pem)
    except ValueError:
        return load_pem_x509_certificate(pem).public_key()
