"""The flags of `fake-etcd`, under etcd's own names and with its defaults (etcd: server/embed/config.go)."""

import argparse
import math
import re
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from fake_etcd.etcd_flags import anything, boolean
from fake_etcd.etcd_urls import parsed
from fake_etcd.go_duration import go_duration
from fake_etcd.http.access import Access
from fake_etcd.quirks import Quirks
from fake_etcd.sizes import MAX_REQUEST_BYTES
from fake_etcd.tls import Tls

ANY = "*"
"""Of hosts or origins."""

_MOST_ELECTION_MS = 50_000
"""etcd: server/embed/config.go maxElectionMs."""

_LEAST_HEARTBEATS = 5
"""That an election timeout lasts. etcd: server/embed/config.go Validate."""


def add_listening(parser: argparse.ArgumentParser) -> None:
    """Where the server is found."""
    parser.add_argument(
        "--listen-client-urls",
        metavar="URLS",
        default="http://127.0.0.1:2379",
        help="where to listen, separated by commas; port 0 picks a free one, unix://PATH is a socket "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--advertise-client-urls",
        metavar="URLS",
        type=_urls,
        default=(),
        help="what MemberList says that clients find the server at (default: where it listens)",
    )
    parser.add_argument(
        "--listen-metrics-urls",
        metavar="URLS",
        default="",
        help="where /metrics, /health, /livez and /readyz are answered besides, separated by commas",
    )
    parser.add_argument(
        "--host-whitelist",
        metavar="HOSTS",
        default=ANY,
        help="the names by which HTTP without TLS may call the server, separated by commas (default: any)",
    )
    parser.add_argument(
        "--cors",
        metavar="URLS",
        default=ANY,
        help="the origins of pages whose scripts may read what is answered over HTTP, separated by commas "
        "(default: any)",
    )
    parser.add_argument("--name", default="default", help="what MemberList calls the member (default: %(default)s)")
    parser.add_argument(
        "--initial-advertise-peer-urls",
        metavar="URLS",
        type=_urls,
        default=("http://localhost:2380",),
        help="what MemberList says that other members would find it at (default: http://localhost:2380)",
    )
    parser.add_argument(
        "--initial-cluster",
        metavar="NAME=URL",
        default="",
        help="accepted if the one member is all of it",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """What the server allows, and when it acts."""
    add = parser.add_argument
    add("--max-txn-ops", metavar="N", type=_whole(0), default=128, help="operations in a txn (default: %(default)s)")
    add(
        "--max-request-bytes",
        metavar="N",
        type=_whole(0),
        default=MAX_REQUEST_BYTES,
        help="bytes in a request that writes (default: %(default)s)",
    )
    add("--max-learners", metavar="N", type=_whole(None), default=1, help="learners that MemberAdd takes (default: 1)")
    add(
        "--strict-reconfig-check",
        metavar="",
        type=boolean,
        default=True,
        help="refuse changes of the members that cost a quorum (default: true)",
    )
    add(
        "--quota-backend-bytes",
        metavar="N",
        type=_whole(None),
        default=0,
        help="bytes that the database may have; 0 is etcd's default, 2 GiB, and a negative number is no quota",
    )
    add(
        "--auto-compaction-mode",
        metavar="MODE",
        default="periodic",
        help="periodic or revision: what the retention counts (default: %(default)s)",
    )
    add(
        "--auto-compaction-retention",
        metavar="N",
        default="0",
        help="hours, a duration, or a number of revisions, of which the history is kept; 0 keeps it whole "
        "(default: %(default)s)",
    )
    add(
        "--watch-progress-notify-interval",
        "--experimental-watch-progress-notify-interval",
        metavar="DURATION",
        type=duration,
        default="10m",
        help="after which a watch without events reports progress, if asked to (default: %(default)s)",
    )
    add(
        "--auth-token",
        metavar="OPTIONS",
        default="simple",
        help="simple, or jwt,sign-method=METHOD,priv-key=FILE,pub-key=FILE,ttl=DURATION: what tokens are "
        "(default: %(default)s)",
    )
    add(
        "--auth-token-ttl",
        metavar="SECONDS",
        type=_whole(1),
        default=300,
        help="from a simple token's last use to its end (default: %(default)s)",
    )
    add(
        "--heartbeat-interval",
        metavar="MS",
        type=_whole(1),
        default=100,
        help="with the election timeout, what the least TTL of a lease depends on (default: %(default)s)",
    )
    add(
        "--election-timeout",
        metavar="MS",
        type=_whole(1),
        default=1000,
        help="one and a half of it, in whole seconds, is the least TTL of a lease (default: %(default)s)",
    )
    add(
        "--grpc-keepalive-min-time",
        metavar="DURATION",
        type=duration,
        default="5s",
        help="clients that ping more often are cut off (default: %(default)s)",
    )


def min_lease_ttl(heartbeat_ms: int, election_ms: int) -> int:
    """The least TTL of a lease, in seconds; a ValueError says which timings etcd refuses.

    etcd: server/etcdserver/server.go NewServer, minTTL; server/lease/lessor.go newLessor.
    """
    if election_ms < _LEAST_HEARTBEATS * heartbeat_ms:
        raise ValueError(
            f"--election-timeout[{election_ms}ms] should be at least as {_LEAST_HEARTBEATS} times "
            f"as --heartbeat-interval[{heartbeat_ms}ms]"
        )
    if election_ms > _MOST_ELECTION_MS:
        raise ValueError(
            f"--election-timeout[{election_ms}ms] is too long, and should be set less than {_MOST_ELECTION_MS}ms"
        )
    ticks = election_ms // heartbeat_ms
    return math.ceil(3 * ticks // 2 * heartbeat_ms / 1000)


def add_tls(parser: argparse.ArgumentParser) -> None:
    """Certificates."""
    add = parser.add_argument
    add("--cert-file", metavar="FILE", default="", help="the server's certificate, for https:// URLs")
    add("--key-file", metavar="FILE", default="", help="and its key")
    add("--trusted-ca-file", metavar="FILE", default="", help="clients must have a certificate that this CA signed")
    add(
        "--client-cert-auth",
        metavar="",
        type=boolean,
        default=False,
        help="the common name of a client's certificate is the user of calls without a token",
    )
    add(
        "--auto-tls",
        metavar="",
        type=boolean,
        default=False,
        help="make throw-away certificates for https:// URLs, as --cert-file is not given",
    )
    add(
        "--dev-tls",
        metavar="DIR",
        default="",
        help="make throw-away certificates in a folder and use them: ca.pem, cert.pem and key.pem, "
        "and root.pem and root-key.pem for a client who is root",
    )


def add_control(parser: argparse.ArgumentParser) -> None:
    """What a real etcd can't be asked for."""
    parser.add_argument(
        "--control",
        metavar="",
        type=boolean,
        default=False,
        help="serve the control service too, by which tests advance the clock, save and restore the state, and have "
        "faults; over HTTP, it is below /control/",
    )
    parser.add_argument(
        "--journal",
        metavar="N",
        type=_whole(0),
        default=0,
        help="keep the last so many requests and answers, to be read with --control (default: none)",
    )


def of_etcd(parser: argparse.ArgumentParser) -> list[str]:
    """The names of the parser's flags that are etcd's too, but for those that say something and exit."""
    ours = ("as-etcd", "control", "dev-tls", "etcd-version", "from-snapshot", "help", "journal", "version")
    return [name for action in parser._actions for name in _names(action) if name not in ours]


def switches(parser: argparse.ArgumentParser) -> list[str]:
    """The names of the flags that are true or false."""
    return [name for action in parser._actions if action.type in (boolean, anything) for name in _names(action)]


def _names(action: argparse.Action) -> list[str]:
    return [option.removeprefix("--") for option in action.option_strings if option.startswith("--")]


def access(hosts: str, origins: str, quirks: Quirks) -> Access:
    """Who may ask over HTTP. ValueError where an origin is no URL of a host and a port.

    etcd: server/embed/config.go, pkg/flags/unique_strings.go and unique_urls.go.
    """
    among = frozenset(hosts.split(","))
    urls = None if origins == ANY else parsed(origins.split(","), quirks)
    if origins != ANY and urls is None:
        raise ValueError(f"--cors is not * or URLs like http://page.test:80, without a path: {origins}")
    return Access(None if urls is None else frozenset(urls), None if ANY in among else among)


def metrics_at(urls: str, tls: Tls) -> list[tuple[str, Tls | None]]:
    """The addresses of --listen-metrics-urls; ValueError. etcd: server/embed/etcd.go createMetricsListener."""
    if not urls:
        return []
    each = [url.strip() for url in urls.split(",")]
    for url in each:
        parts = _split(url)
        if parts is None or parts.path:
            raise ValueError(f"--listen-metrics-urls is not a URL like http://127.0.0.1:2381, without a path: {url}")
        if not _is_bindable(parts.hostname or ""):
            raise ValueError(f"expected IP in URL for binding ({url})")
    return [_listening_at(url, tls, "--listen-metrics-urls", "metrics") for url in each]


def _is_bindable(host: str) -> bool:
    """etcd: server/embed/config.go checkBindURLs."""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def listening_at(urls: str, tls: Tls) -> list[tuple[str, Tls | None]]:
    """The addresses that URLs name, as `GrpcServer` takes them, each with its TLS, if any.

    A ValueError says what is wrong with a URL. etcd: server/embed/etcd.go configureClientListeners.
    """
    return [_listening_at(url.strip(), tls, "--listen-client-urls", "client") for url in urls.split(",")]


def _listening_at(url: str, tls: Tls, flag: str, whose: str) -> tuple[str, Tls | None]:
    if url.startswith("unix://") and len(url) > len("unix://"):
        return f"unix:{url.removeprefix('unix://')}", None
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https"):
        raise ValueError(f"{flag} is not a URL like http://127.0.0.1:2379: {url}")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    if parts.scheme == "https" and not (tls.cert_file and tls.key_file):
        raise ValueError(
            f"TLS key/cert (--cert-file, --key-file) must be provided for {whose} url {url} with HTTPS scheme"
        )
    return f"{host}:{parts.port}", tls if parts.scheme == "https" else None


def _split(url: str) -> SplitResult | None:
    """A URL of a scheme, a host and a port, and no more; None is any other text."""
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port is not None and parts.path in ("", "/")
    except ValueError:
        return None
    return parts if whole else None


def _urls(text: str) -> tuple[str, ...]:
    urls = tuple(text.split(","))
    for url in urls:
        parts = _split(url)
        if parts is None or parts.scheme not in ("http", "https"):
            raise argparse.ArgumentTypeError(f"not a URL like http://127.0.0.1:2379: {url}")
    return urls


def _whole(least: int | None) -> Callable[[str], int]:
    """A whole number, of at least so much."""

    def parse(text: str) -> int:
        if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) is None:
            raise argparse.ArgumentTypeError(f"not a whole number: {text}")
        number = int(text)
        if least is not None and number < least:
            raise argparse.ArgumentTypeError(f"less than {least}: {text}")
        return number

    return parse


def duration(text: str) -> float:
    """Seconds of a duration as Go writes it, such as 10m or 1m30s; it must be more than nothing."""
    try:
        seconds = go_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"not a duration like 10m or 1m30s: {text}")
    return seconds
