"""The console script `fake-etcd`: an engine as a server, with etcd's own flag for where it listens."""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from typing import NoReturn
from urllib.parse import urlsplit

from fake_etcd.engine import Engine
from fake_etcd.server import CannotListenError, GrpcServer

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
        address = _address(options.listen_client_urls)
        engine = Engine(options.etcd_version, clock=time.monotonic)
    except ValueError as error:
        parser.error(str(error))
    stopped = threading.Event()
    previous = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with GrpcServer(engine, address) as server:
            print(f"fake-etcd serves etcd {options.etcd_version} at http://{server.address}", flush=True)
            stopped.wait()
    except CannotListenError as error:
        print(f"fake-etcd: {error}", file=sys.stderr)
        return CANNOT_LISTEN
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="fake-etcd", description="An in-memory etcd for tests, behind etcd's own gRPC API.")
    parser.add_argument("--version", action="version", version=f"fake-etcd {installed_version('etcd-lockstep')}")
    parser.add_argument(
        "--listen-client-urls",
        metavar="URL",
        default="http://127.0.0.1:2379",
        help="where to listen; port 0 picks a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--etcd-version",
        metavar="X.Y.Z",
        default="3.5.16",
        help="the etcd release to behave like (default: %(default)s)",
    )
    return parser


def _address(url: str) -> str:
    """`host:port` of a URL; a ValueError says what is wrong with it."""
    if "," in url:
        raise ValueError(f"--listen-client-urls takes one URL so far, not several: {url}")
    parts = urlsplit(url)
    if parts.scheme == "https":
        raise ValueError(f"TLS is not there yet: --listen-client-urls takes http:// URLs, not {url}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "http" or not parts.hostname or port is None or parts.path not in ("", "/"):
        raise ValueError(f"--listen-client-urls is not a URL like http://127.0.0.1:2379: {url}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}"
