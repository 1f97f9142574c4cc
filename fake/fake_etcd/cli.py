"""The console script `fake-etcd`: an engine as a server, with etcd's own flags."""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from typing import NoReturn

from fake_etcd import flags
from fake_etcd.engine import Engine
from fake_etcd.server import CannotListenError, GrpcServer
from fake_etcd.testing import certificates
from fake_etcd.tls import Tls

USAGE_ERROR = 2
CANNOT_LISTEN = 3


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, without the usage."""
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(USAGE_ERROR)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Exit code 0 then, 2 for a wrong command line, 3 where it can't listen."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        tls = _tls(options)
        address, tls_in_use = flags.listening_at(options.listen_client_urls, tls)
        if tls_in_use is not None:
            tls_in_use.credentials()
        engine = Engine(
            options.etcd_version,
            min_lease_ttl=flags.min_lease_ttl(options.heartbeat_interval, options.election_timeout),
            max_txn_ops=options.max_txn_ops,
            clock=time.monotonic,
            watch_progress_interval=options.watch_progress_notify_interval,
            quota_bytes=options.quota_backend_bytes,
            max_request_bytes=options.max_request_bytes,
            auth_token_ttl=options.auth_token_ttl,
            client_urls=options.advertise_client_urls,
        )
    except ValueError as error:
        parser.error(str(error))
    if tls_in_use is None and tls != Tls("", ""):
        print("fake-etcd: the URL's scheme is http, so the flags of TLS are ignored", file=sys.stderr)
    scheme = "http" if tls_in_use is None else "https"
    stopped = threading.Event()
    previous = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with GrpcServer(engine, address, tls=tls_in_use, keepalive_min_time=options.grpc_keepalive_min_time) as server:
            print(f"fake-etcd serves etcd {options.etcd_version} at {scheme}://{server.address}", flush=True)
            stopped.wait()
    except CannotListenError as error:
        print(f"fake-etcd: {error}", file=sys.stderr)
        return CANNOT_LISTEN
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0


def _tls(options: argparse.Namespace) -> Tls:
    if not options.dev_tls:
        return Tls(options.cert_file, options.key_file, options.trusted_ca_file, options.client_cert_auth)
    if options.cert_file or options.key_file or options.trusted_ca_file:
        raise ValueError(
            "--dev-tls makes certificates, so --cert-file, --key-file and --trusted-ca-file don't go with it"
        )
    try:
        made = certificates(options.dev_tls)
        made.client("root")
    except ModuleNotFoundError as error:
        raise ValueError("--dev-tls needs the package trustme: pip install 'etcd-lockstep[tls]'") from error
    except OSError as error:
        raise ValueError(f"can't write to {options.dev_tls}: {error.strerror}") from error
    return made.tls(client_cert_auth=options.client_cert_auth)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="fake-etcd", description="An in-memory etcd for tests, behind etcd's own gRPC API.")
    parser.add_argument("--version", action="version", version=f"fake-etcd {installed_version('etcd-lockstep')}")
    flags.add_listening(parser)
    parser.add_argument(
        "--etcd-version",
        metavar="X.Y.Z",
        default="3.5.16",
        help="the etcd release to behave like (default: %(default)s)",
    )
    flags.add_tls(parser)
    flags.add_settings(parser)
    return parser
