"""The console script `fake-etcd`: an engine as a server, with etcd's own flags; or in the place of etcd's command."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib.metadata import version as installed_version
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from typing import NoReturn

from fake_etcd import etcd_flags, flags
from fake_etcd.auto_compaction import AutoCompaction, auto_compaction
from fake_etcd.clock import RunningClock
from fake_etcd.control import add_control
from fake_etcd.etcd_log import EtcdLog
from fake_etcd.fake import FakeEtcd
from fake_etcd.grpc_handover import HTTP_IS_POSSIBLE
from fake_etcd.http.access import Access
from fake_etcd.http.metrics_server import MetricsServer
from fake_etcd.server import CannotListenError, GrpcServer
from fake_etcd.testing import certificates
from fake_etcd.tls import Tls
from fake_etcd.token_options import unknown_options

USAGE_ERROR = 2
CANNOT_LISTEN = 3

VERSION_VARIABLE = "FAKE_ETCD_VERSION"
"""The environment variable that stands for `--etcd-version`, for whoever starts the program as `etcd`."""

_LONGEST_WAIT = 0.5
"""Seconds after which the main thread looks for signals by itself."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, without the usage."""
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(USAGE_ERROR)


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Exit code 0 then, 2 for a wrong command line, 3 where it can't listen."""
    parser = _parser()
    options, warnings = _read(
        parser,
        sys.argv[1:] if arguments is None else arguments,
        os.environ if environment is None else environment,
    )
    as_etcd = options.as_etcd or Path(sys.argv[0]).stem == "etcd"
    if options.version:
        _print_version(options.etcd_version if as_etcd else "")
        return 0
    with ExitStack() as resources:
        try:
            fake = _fake(options)
            if options.from_snapshot:
                fake.engine.load(options.from_snapshot)
            log = EtcdLog(options.etcd_version) if as_etcd else None
            warnings += etcd_flags.warnings(options) + _unknown_token_options(options.auth_token)
            etcd_flags.check_cluster(options.initial_cluster, options.name)
            tls = _tls(options, resources)
            addresses = flags.listening_at(options.listen_client_urls, tls)
            of_metrics = flags.metrics_at(options.listen_metrics_urls, tls)
            if of_metrics and not HTTP_IS_POSSIBLE:
                raise ValueError("--listen-metrics-urls: fake-etcd can't do that: it has no HTTP on this system")
            access = flags.access(options.host_whitelist, options.cors, fake.engine.quirks)
            for _, tls_in_use in (*addresses, *of_metrics):
                if tls_in_use is not None:
                    tls_in_use.credentials()
        except ValueError as error:
            parser.error(str(error))
        if all(tls_in_use is None for _, tls_in_use in (*addresses, *of_metrics)) and tls != Tls("", ""):
            warnings.append("the URL's scheme is http, so the flags of TLS are ignored")
        for warning in warnings:
            _warn(log, warning)
        try:
            return _serve(fake, addresses, of_metrics, access, options, log)
        except CannotListenError as error:
            print(f"{parser.prog}: {error}", file=sys.stderr)
            return CANNOT_LISTEN


def _read(
    parser: argparse.ArgumentParser, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[argparse.Namespace, list[str]]:
    """The options, of which the environment's count less than the arguments; and what there is to warn of."""
    of_environment, unknown = etcd_flags.from_environment(environment, flags.of_etcd(parser))
    version = environment.get(VERSION_VARIABLE)
    options = parser.parse_args(
        [
            *([f"--etcd-version={version}"] if version else []),
            *of_environment,
            *etcd_flags.as_go_reads_them(arguments, flags.switches(parser)),
        ]
    )
    return options, [f"ignored, as etcd has no such flags: {', '.join(unknown)}"] if unknown else []


def _serve(
    fake: FakeEtcd,
    addresses: list[tuple[str, Tls | None]],
    of_metrics: list[tuple[str, Tls | None]],
    access: Access,
    options: argparse.Namespace,
    log: EtcdLog | None,
) -> int:
    signals: SimpleQueue[int] = SimpleQueue()
    # an Event's `set` would wait forever where the signal comes while its `wait` begins
    previous = {
        number: signal.signal(number, lambda received, _: signals.put(received))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with fake, ExitStack() as servers:
            listening = [
                servers.enter_context(
                    GrpcServer(
                        fake.engine,
                        address,
                        tls=tls,
                        keepalive_min_time=options.grpc_keepalive_min_time,
                        http=HTTP_IS_POSSIBLE,
                        access=access,
                    )
                )
                for address, tls in addresses
            ]
            calls = [counted for server in listening for counted in server.calls]
            metrics = [
                servers.enter_context(MetricsServer(fake.engine, address, calls, tls)) for address, tls in of_metrics
            ]
            for server in listening if options.control else ():
                add_control(server, fake)
            if log is None:
                urls = ",".join(server.url for server in listening)
                print(f"fake-etcd serves etcd {options.etcd_version} at {urls}", flush=True)
                if metrics:
                    print(f"metrics at {','.join(server.url for server in metrics)}", flush=True)
            else:
                log.serves_metrics([server.url for server in metrics])
                log.is_ready([(server.address, server.url.startswith("https")) for server in listening])
            _await(signals)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0


def _await(signals: SimpleQueue[int]) -> None:
    """Return once one has come. Python looks for signals before a wait and when one interrupts it: one that comes in
    between, or to another thread, is not seen before the wait is over. So none is long."""
    while True:
        with suppress(Empty):
            signals.get(timeout=_LONGEST_WAIT)
            return


def _fake(options: argparse.Namespace) -> FakeEtcd:
    if options.journal and not options.control:
        raise ValueError("--journal is of use with --control, over which it is read")
    return FakeEtcd(
        options.etcd_version,
        min_lease_ttl=flags.min_lease_ttl(options.heartbeat_interval, options.election_timeout),
        max_txn_ops=options.max_txn_ops,
        clock=RunningClock() if options.control else time.monotonic,
        watch_progress_interval=options.watch_progress_notify_interval,
        quota_bytes=options.quota_backend_bytes,
        max_request_bytes=options.max_request_bytes,
        auth_token=options.auth_token,
        auth_token_ttl=options.auth_token_ttl,
        client_urls=options.advertise_client_urls,
        member_name=options.name,
        peer_urls=options.initial_advertise_peer_urls,
        max_learners=options.max_learners,
        strict_reconfig_check=options.strict_reconfig_check,
        auto_compaction=_auto_compaction(options),
        journal=options.journal,
    )


def _unknown_token_options(given: str) -> list[str]:
    """etcd: server/auth/jwt.go newTokenProviderJWT."""
    names = ", ".join(unknown_options(given))
    return [f"ignored, as there are no such JWT options: {names}"] if names else []


def _auto_compaction(options: argparse.Namespace) -> AutoCompaction | None:
    try:
        return auto_compaction(options.auto_compaction_mode, options.auto_compaction_retention, flags.duration)
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"--auto-compaction-retention: {error}") from error


def _warn(log: EtcdLog | None, message: str) -> None:
    if log is None:
        print(f"fake-etcd: {message}", file=sys.stderr)
    else:
        log.warn(message)


def _print_version(etcd: str) -> None:
    """Of fake-etcd or, for who asks `etcd`, of the etcd that it stands for, as etcd says it."""
    ours = f"fake-etcd {installed_version('etcd-lockstep')}"
    print(f"etcd Version: {etcd}\nGit SHA: {ours}" if etcd else ours)


def _tls(options: argparse.Namespace, resources: ExitStack) -> Tls:
    """The certificates to use: those that are named, or new ones. ValueError where those can't be."""
    given = Tls(options.cert_file, options.key_file, options.trusted_ca_file, options.client_cert_auth)
    folder = options.dev_tls
    if folder and (given.cert_file or given.key_file or given.trusted_ca_file):
        raise ValueError(
            "--dev-tls makes certificates, so --cert-file, --key-file and --trusted-ca-file don't go with it"
        )
    if not folder and options.auto_tls and not given.cert_file:
        folder = resources.enter_context(TemporaryDirectory(prefix="fake-etcd-"))
    if not folder:
        return given
    try:
        made = certificates(folder)
        made.client("root")
    except ModuleNotFoundError as error:
        raise ValueError(
            "--dev-tls and --auto-tls need the package trustme: pip install 'etcd-lockstep[tls]'"
        ) from error
    except OSError as error:
        raise ValueError(f"can't write to {folder}: {error.strerror}") from error
    return made.tls(client_cert_auth=options.client_cert_auth)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fake-etcd",
        description="An in-memory etcd for tests, behind etcd's own API: gRPC, and HTTP on the same port.",
        epilog="All other flags of etcd are accepted: those that change nothing here are named at the start, and those "
        "whose neglect would be a lie are refused. Flags may be set in the environment as etcd's are, such as "
        f"ETCD_MAX_TXN_OPS; {VERSION_VARIABLE} sets --etcd-version.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", metavar="", type=etcd_flags.boolean, default=False, help="say the version and exit"
    )
    flags.add_listening(parser)
    parser.add_argument(
        "--etcd-version",
        metavar="X.Y.Z",
        default="3.5.16",
        help="the etcd release to behave like (default: %(default)s)",
    )
    parser.add_argument(
        "--as-etcd",
        metavar="",
        type=etcd_flags.boolean,
        default=False,
        help="print what etcd prints: nothing to stdout, and to stderr its line when it is ready; so it is for "
        "a link to this program that is called etcd",
    )
    parser.add_argument(
        "--from-snapshot",
        metavar="FILE",
        default="",
        help="begin with the state of a snapshot that etcdctl saved",
    )
    flags.add_tls(parser)
    flags.add_settings(parser)
    flags.add_control(parser)
    etcd_flags.add_ignored(parser)
    return parser
