"""Throw-away certificates for tests with TLS, from the package trustme (`pip install 'etcd-lockstep[tls]'`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fake_etcd.tls import Tls

if TYPE_CHECKING:
    import trustme

_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Certificates:
    """A CA and a server's certificate, as files in a folder, and what it takes to make clients'."""

    folder: Path
    ca: trustme.CA

    @property
    def ca_file(self) -> str:
        """What clients trust."""
        return str(self.folder / "ca.pem")

    def tls(self, *, client_cert_auth: bool = False) -> Tls:
        """For `serve`: with `client_cert_auth`, clients must have a certificate, whose common name is the user."""
        cert_file, key_file = str(self.folder / "cert.pem"), str(self.folder / "key.pem")
        return Tls(cert_file, key_file, self.ca_file if client_cert_auth else "", client_cert_auth)

    def client(self, common_name: str) -> tuple[str, str]:
        """The files of a client's certificate and its key, in the same folder.

        It is for localhost too, as Go refuses certificates that are for no host.
        """
        cert_file, key_file = self.folder / f"{common_name}.pem", self.folder / f"{common_name}-key.pem"
        _write(self.ca.issue_cert("localhost", common_name=common_name), cert_file, key_file)
        return str(cert_file), str(key_file)


def certificates(folder: str | Path, *hosts: str) -> Certificates:
    """A new CA, and a server's certificate for localhost, its addresses, and other hosts; the folder is made.

    Files of the same names are overwritten. ModuleNotFoundError where trustme is not installed.
    """
    import trustme

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ca = trustme.CA()
    made = Certificates(folder, ca)
    ca.cert_pem.write_to_path(made.ca_file)
    _write(ca.issue_cert(*dict.fromkeys((*_HOSTS, *hosts))), folder / "cert.pem", folder / "key.pem")
    return made


def _write(certificate: trustme.LeafCert, cert_file: Path, key_file: Path) -> None:
    certificate.private_key_pem.write_to_path(str(key_file))
    key_file.chmod(0o600)
    certificate.cert_chain_pems[0].write_to_path(str(cert_file))
