"""Certificates and signed tokens: what a server that asks for them is started with, and what its clients send.

They are made once, at the first server that needs them, and are kept in memory: files are written for each server.
They take the packages trustme, PyJWT and cryptography (`pip install 'etcd-lockstep[tls,jwt]'`).
"""

from __future__ import annotations

import functools
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from etcd_model.operations import As, Claims

if TYPE_CHECKING:
    import trustme
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_METHOD = "ES256"
_LONG_AGO = 1
"""A second after the epoch."""
_HOSTS = ("localhost", "127.0.0.1")
_FILES = ("ca.pem", "cert.pem", "key.pem", "jwt.pem", "jwt-key.pem")


def missing_packages() -> str:
    """What has to be installed first; empty where all is there."""
    for name in ("trustme", "jwt", "cryptography"):
        if find_spec(name) is None:
            return f"it takes the extras tls and jwt (there is no module {name}): pip install 'etcd-lockstep[tls,jwt]'"
    return ""


@functools.cache
def identities() -> Identities:
    """Those of this process."""
    return Identities()


class Identities:
    """One CA with its server's certificate, and one pair of keys for tokens."""

    def __init__(self) -> None:
        import trustme
        from cryptography.hazmat.primitives.asymmetric import ec

        self._ca = trustme.CA()
        self._server = self._ca.issue_cert(*_HOSTS)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._other_key = ec.generate_private_key(ec.SECP256R1())
        self._clients: dict[str, trustme.LeafCert] = {}

    def write(self, folder: Path) -> None:
        """The files that a server reads."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

        contents = (
            self._ca.cert_pem.bytes(),
            self._server.cert_chain_pems[0].bytes(),
            self._server.private_key_pem.bytes(),
            self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            self._key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        )
        for name, content in zip(_FILES, contents, strict=True):
            (folder / name).write_bytes(content)

    def credentials(self, common_name: str) -> grpc.ChannelCredentials:
        """Those of a client whose certificate has this name; an empty one is none."""
        if common_name not in self._clients:
            # Go refuses certificates that are for no host.
            self._clients[common_name] = self._ca.issue_cert("localhost", common_name=common_name or None)
        client = self._clients[common_name]
        chain, key = client.cert_chain_pems[0].bytes(), client.private_key_pem.bytes()
        return grpc.ssl_channel_credentials(self._ca.cert_pem.bytes(), key, chain)

    def signed(self, operation: As) -> As:
        """The operation, its claims as a token that says so."""
        if operation.claims is None:
            return operation
        return replace(operation, token=self.token(operation.claims), claims=None)

    @functools.lru_cache(maxsize=1024)  # noqa: B019  # there is one object a process
    def token(self, claims: Claims) -> str:
        """A JSON Web Token that says so."""
        import jwt

        said = {"username": claims.username, "revision": claims.revision}
        key: EllipticCurvePrivateKey = self._other_key if claims.forged else self._key
        return jwt.encode({**said, "exp": _LONG_AGO} if claims.expired else said, key, _METHOD)


def auth_token(kind: str, folder: Path) -> str:
    """The value of etcd's --auth-token for a kind of tokens, with the files that were written there."""
    if kind == "simple":
        return kind
    return f"{kind},sign-method={_METHOD},pub-key={folder / 'jwt.pem'},priv-key={folder / 'jwt-key.pem'}"


def identity_flags(kind: str, folder: Path) -> list[str]:
    """What makes an etcd ask for certificates and tokens. Every etcd from 3.4 to 3.7 knows these flags."""
    return [
        f"--cert-file={folder / 'cert.pem'}",
        f"--key-file={folder / 'key.pem'}",
        f"--trusted-ca-file={folder / 'ca.pem'}",
        "--client-cert-auth",
        f"--auth-token={auth_token(kind, folder)}",
    ]
