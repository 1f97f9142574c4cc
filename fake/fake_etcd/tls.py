"""TLS of the server, from files as etcd's flags name them (etcd: client/pkg/transport/listener.go)."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc


class BadCertificateError(ValueError):
    """A file that is missing, or not what it should be."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom the server shows itself to be, and whose clients it takes."""

    cert_file: str
    key_file: str
    trusted_ca_file: str = ""
    """With it, clients must have a certificate that it signed."""
    client_cert_auth: bool = False
    """Whether clients must have a certificate, whose common name is the user of a call that has no token."""

    def credentials(self) -> grpc.ServerCredentials:
        """What gRPC needs; BadCertificateError says in one line what is wrong."""
        self._check()
        return grpc.ssl_server_credentials(
            [(Path(self.key_file).read_bytes(), Path(self.cert_file).read_bytes())],
            root_certificates=Path(self.trusted_ca_file).read_bytes() if self.trusted_ca_file else None,
            require_client_auth=bool(self.trusted_ca_file),
        )

    def context(self) -> ssl.SSLContext:
        """The same for Python's own TLS, to speak HTTP/1.1; BadCertificateError as well."""
        context = self._check()
        context.set_alpn_protocols(["http/1.1"])
        if self.trusted_ca_file:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _check(self) -> ssl.SSLContext:
        """Find out with Python's own TLS what is wrong: gRPC reports the reason only to its log."""
        if self.client_cert_auth and not self.trusted_ca_file:
            raise BadCertificateError("--client-cert-auth needs --trusted-ca-file: the system's own CAs are not used")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for file in filter(None, (self.cert_file, self.key_file, self.trusted_ca_file)):
            try:
                Path(file).read_bytes()
            except OSError as error:
                raise BadCertificateError(f"can't read {file}: {error.strerror}") from error
        try:
            context.load_cert_chain(self.cert_file, self.key_file, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            raise BadCertificateError(
                f"{self.cert_file} and {self.key_file} are no certificate and its key: {_reason(error)}"
            ) from error
        if self.trusted_ca_file:
            try:
                context.load_verify_locations(self.trusted_ca_file)
            except ssl.SSLError as error:
                raise BadCertificateError(f"{self.trusted_ca_file} holds no certificates: {_reason(error)}") from error
        return context


def common_name_of(certificate: Mapping[str, Any] | None) -> str:
    """Of what Python's TLS reports of a client's certificate; "" where there is none."""
    subject = certificate.get("subject", ()) if certificate else ()
    return next((str(value) for part in subject for name, value in part if name == "commonName"), "")


def _no_password() -> str:
    """Or OpenSSL would ask the terminal for one."""
    raise ValueError("the key has a password")


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)
