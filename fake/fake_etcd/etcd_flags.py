"""etcd's flags that `fake-etcd` doesn't obey: those that change nothing here, and those whose neglect would be a lie.

They are those of etcd 3.4 to 3.7 (`etcd --help`; etcd: server/etcdmain/config.go). Those that are obeyed: `flags.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_NO_DISK = (
    "backend-batch-interval",
    "backend-batch-limit",
    "backend-bbolt-freelist-type",
    "bootstrap-defrag-threshold-megabytes",
    "compaction-batch-limit",
    "compaction-sleep-interval",
    "data-dir",
    "experimental-backend-bbolt-freelist-type",
    "experimental-bootstrap-defrag-threshold-megabytes",
    "experimental-compaction-batch-limit",
    "experimental-compaction-sleep-interval",
    "experimental-snapshot-catchup-entries",
    "max-snapshots",
    "max-wals",
    "snapshot-catchup-entries",
    "snapshot-count",
    "wal-dir",
)
_NO_PEERS = (
    "client-cert-file",
    "client-key-file",
    "compact-hash-check-time",
    "corrupt-check-time",
    "discovery-cacert",
    "discovery-cert",
    "discovery-dial-timeout",
    "discovery-fallback",
    "discovery-keepalive-time",
    "discovery-keepalive-timeout",
    "discovery-key",
    "discovery-password",
    "discovery-proxy",
    "discovery-request-timeout",
    "discovery-srv-name",
    "discovery-user",
    "downgrade-check-time",
    "experimental-compact-hash-check-time",
    "experimental-corrupt-check-time",
    "experimental-downgrade-check-time",
    "initial-cluster-token",
    "listen-peer-urls",
    "peer-cert-allowed-cn",
    "peer-cert-allowed-hostname",
    "peer-cert-file",
    "peer-client-cert-file",
    "peer-client-key-file",
    "peer-crl-file",
    "peer-key-file",
    "peer-trusted-ca-file",
    "proxy-dial-timeout",
    "proxy-failure-wait",
    "proxy-read-timeout",
    "proxy-refresh-interval",
    "proxy-write-timeout",
    "raft-read-timeout",
    "raft-write-timeout",
    "v2-deprecation",
)
_NO_LOG_OR_HTTP = (
    "distributed-tracing-address",
    "distributed-tracing-instance-id",
    "distributed-tracing-sampling-rate",
    "distributed-tracing-service-name",
    "experimental-distributed-tracing-address",
    "experimental-distributed-tracing-instance-id",
    "experimental-distributed-tracing-sampling-rate",
    "experimental-distributed-tracing-service-name",
    "experimental-warning-apply-duration",
    "experimental-warning-unary-request-duration",
    "log-format",
    "log-level",
    "log-output",
    "log-outputs",
    "log-package-levels",
    "log-rotation-config-json",
    "logger",
    "metrics",
    "warning-apply-duration",
    "warning-unary-request-duration",
)
_NOT_NEEDED = (
    "bcrypt-cost",
    "feature-gates",
    "grpc-keepalive-interval",
    "grpc-keepalive-timeout",
    "max-concurrent-streams",
    "self-signed-cert-validity",
)
HARMLESS = (*_NO_DISK, *_NO_PEERS, *_NO_LOG_OR_HTTP, *_NOT_NEEDED)
"""They take a value."""

HARMLESS_SWITCHES = (
    "debug",
    "discovery-insecure-skip-tls-verify",
    "discovery-insecure-transport",
    "enable-distributed-tracing",
    "enable-grpc-gateway",
    "enable-log-rotation",
    "enable-pprof",
    "experimental-compact-hash-check-enabled",
    "experimental-enable-distributed-tracing",
    "experimental-enable-lease-checkpoint",
    "experimental-enable-lease-checkpoint-persist",
    "experimental-initial-corrupt-check",
    "experimental-memory-mlock",
    "experimental-peer-skip-client-san-verification",
    "experimental-stop-grpc-service-on-defrag",
    "experimental-txn-mode-write-with-shared-buffer",
    "force-new-cluster",
    "initial-election-tick-advance",
    "memory-mlock",
    "next-cluster-version-compatible",
    "peer-auto-tls",
    "peer-client-cert-auth",
    "peer-skip-client-san-verification",
    "pre-vote",
    "socket-reuse-address",
    "socket-reuse-port",
    "unsafe-no-fsync",
)
"""They are true or false."""


OBSOLETE = (
    "cluster-active-size",
    "cluster-remove-delay",
    "cluster-sync-interval",
    "config",
    "force",
    "max-result-buffer",
    "max-retry-attempts",
    "peer-election-timeout",
    "peer-heartbeat-interval",
    "retry-interval",
    "snapshot",
)
"""etcd ignores them too, and whatever value they have (etcd: server/etcdmain/config.go ignored)."""


class _Refused(NamedTuple):
    reason: str
    allowed: tuple[str, ...] = ()
    """Values besides none at all with which etcd does what the fake does."""


_ALONE = "it is a cluster of one member"
_NO_HTTP = "it serves HTTP on the port of gRPC alone"
_NO_TLS_CHOICE = "it leaves that to gRPC"

REFUSED: Mapping[str, _Refused] = {
    "cipher-suites": _Refused(_NO_TLS_CHOICE),
    "client-cert-allowed-hostname": _Refused("it doesn't check the hosts of clients"),
    "client-crl-file": _Refused("it doesn't know revoked certificates"),
    "config-file": _Refused("it reads no file: give it flags"),
    "discovery": _Refused(_ALONE),
    "discovery-endpoints": _Refused(_ALONE),
    "discovery-srv": _Refused(_ALONE),
    "discovery-token": _Refused(_ALONE),
    "experimental-enable-v2v3": _Refused("it has no API of version 2"),
    "initial-cluster-state": _Refused(_ALONE, ("new",)),
    "listen-client-http-urls": _Refused(_NO_HTTP),
    "proxy": _Refused("it is no proxy", ("off",)),
    "tls-max-version": _Refused(_NO_TLS_CHOICE, ("TLS1.3",)),
    "tls-min-version": _Refused(_NO_TLS_CHOICE, ("TLS1.2",)),
}
"""They take a value."""

REFUSED_SWITCHES: Mapping[str, str] = {
    "enable-v2": "it has no API of version 2",
}
"""They are refused where they are true."""


def add_ignored(parser: argparse.ArgumentParser) -> None:
    """Let the parser take all of them; the help leaves them out."""
    for name in (*HARMLESS, *REFUSED):
        parser.add_argument(f"--{name}", dest=name, default=None, help=argparse.SUPPRESS)
    for name in OBSOLETE:
        parser.add_argument(f"--{name}", dest=name, default=None, type=anything, help=argparse.SUPPRESS)
    for name in (*HARMLESS_SWITCHES, *REFUSED_SWITCHES):
        parser.add_argument(f"--{name}", dest=name, default=None, type=boolean, help=argparse.SUPPRESS)


def ignored(options: argparse.Namespace) -> list[str]:
    """Those that were given and change nothing, in order of their names; ValueError at one that is refused."""
    given = {name: value for name, value in vars(options).items() if value is not None}
    for name, refused in REFUSED.items():
        value = given.get(name)
        if value and value not in refused.allowed:
            raise ValueError(f"--{name} {value}: fake-etcd can't do that: {refused.reason}")
    for name, reason in REFUSED_SWITCHES.items():
        if given.get(name):
            raise ValueError(f"--{name}: fake-etcd can't do that: {reason}")
    return sorted(name for name in (*HARMLESS, *HARMLESS_SWITCHES, *OBSOLETE) if name in given)


def warnings(options: argparse.Namespace) -> list[str]:
    """One line that names those that change nothing, if any was given; ValueError at one that is refused."""
    names = ", ".join(f"--{name}" for name in ignored(options))
    return [f"ignored, as there is neither disk nor cluster nor log: {names}"] if names else []


def check_cluster(initial_cluster: str, name: str) -> None:
    """ValueError unless the initial cluster is this member alone. etcd: server/embed/config.go PeerURLsMapAndToken."""
    if not initial_cluster:
        return
    members = {one.partition("=")[0].strip() for one in initial_cluster.split(",")}
    if name not in members:
        raise ValueError(f'couldn\'t find local name "{name}" in the initial cluster configuration')
    if len(members) > 1:
        raise ValueError(f"--initial-cluster {initial_cluster}: fake-etcd can't do that: {_ALONE}")


def boolean(text: str) -> bool:
    """As Go reads it (strconv.ParseBool)."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise argparse.ArgumentTypeError(f"neither true nor false: {text}")


def anything(text: str) -> str:
    """The value of a flag that needs none."""
    return text


def as_go_reads_them(arguments: Sequence[str], switches: Sequence[str]) -> list[str]:
    """Arguments as argparse takes them: `-name` is `--name`, and a switch alone is true, whatever follows."""
    read: list[str] = []
    for argument in arguments:
        if len(argument) > 2 and argument[0] == "-" and argument[1].isalpha():
            argument = f"-{argument}"
        read.append(f"{argument}=true" if argument.startswith("--") and argument[2:] in switches else argument)
    return read


def from_environment(environment: Mapping[str, str], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Arguments for the flags that the environment sets, and its variables that are for no flag.

    The value of `--max-txn-ops` is `ETCD_MAX_TXN_OPS`'s, unless that is empty. etcd: pkg/flags/flag.go.
    """
    variables = {f"ETCD_{name.upper().replace('-', '_')}": name for name in names}
    arguments = [
        f"--{name}={environment[variable]}" for variable, name in variables.items() if environment.get(variable)
    ]
    unknown = sorted(
        variable
        for variable in environment
        if variable.startswith("ETCD_") and not variable.startswith("ETCD_LOCKSTEP_") and variable not in variables
    )
    return arguments, unknown
