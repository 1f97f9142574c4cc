"""How an etcd that a run starts is configured: its command line, and the settings that a workload changes."""

import socket
from dataclasses import dataclass

_LEAST_BCRYPT_COST = 4
"""golang.org/x/crypto/bcrypt, MinCost."""
TOKEN_KINDS = ("simple", "jwt")

PORT_TAKEN = "address already in use"
"""In the log of a server that died because another process took its port first."""
PORT_TRIES = 5
"""How many times a server is started where one does."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server that a run starts differs from the usual one. An endpoint keeps the settings that its user chose."""

    cheap_passwords: bool = False
    """Hash passwords at bcrypt's least cost, 4, where etcd's default is 10."""
    quota_bytes: int | None = None
    """The size of the store's file at which etcd answers NOSPACE; more than 0. None leaves the usual room.

    A put counts as its key, its value and 256 bytes (etcd server/storage/quota.go) on top of the file, which begins
    with 20 to 40 KiB and grows with each commit to disk. So the number of small puts that fill it varies.
    Measured on 3.4.23 to 3.7.3: a fresh store accepts no put at 24 KiB, and accepts one of 1 KiB at 64 KiB.
    """

    durable: bool = False
    """Whether the data is synced to disk, as etcd does by default. It costs time, and only matters for a server that is
    to find its data again."""

    one_core: bool = False
    """Whether the server's code runs on one core at a time, where Go's default is all. That is enough for one client
    who asks one thing at a time: two searches on two cores make 12 to 25% more steps so (3.6.16)."""

    tokens: str = ""
    """Serve by TLS, ask clients for certificates, and hand out tokens of this kind, `simple` or `jwt`
    (`identities.py`). Empty for a server without TLS, whose tokens are simple."""

    def __post_init__(self) -> None:
        if self.quota_bytes is not None and self.quota_bytes <= 0:  # to etcd, 0 is its default, and less is no quota
            raise ValueError(f"a quota is a number of bytes above 0, not {self.quota_bytes}")


USUAL = ServerSettings()
"""The settings of a run whose workload asks for no others."""


@dataclass(frozen=True, slots=True)
class Membership:
    """What a member of a cluster is started with. All members are on loopback."""

    name: str
    client_port: int
    peer_port: int
    peer_url: str = ""
    """By which the other members reach it; empty where there are none."""
    cluster: str = ""
    """All names with their URLs (etcd's `--initial-cluster`); empty where it is the only one."""


def etcd_flags(
    *,
    name: str,
    data_dir: str,
    listen: str,
    client_port: int,
    peer_port: int,
    peer_url: str = "",
    cluster: str = "",
    tls: bool = False,
) -> list[str]:
    """The command line of an etcd that a run starts, with every limit at etcd's default.

    `listen` is an IP address. `peer_url`, where the other members reach it, and `cluster`, all members with theirs, are
    for a member of several. Every etcd from 3.4 to 3.7 knows these flags. Left at their defaults, because answers
    depend on them: `--max-txn-ops`, `--max-request-bytes`, auto-compaction (off), and the heartbeat and election
    timings, from which the shortest TTL of a lease follows (2 s).
    """
    scheme = "https" if tls else "http"
    own_url = f"http://127.0.0.1:{peer_port}"
    peer_url = peer_url or own_url
    return [
        f"--name={name}",
        f"--data-dir={data_dir}",
        f"--listen-client-urls={scheme}://{listen}:{client_port}",
        f"--advertise-client-urls={scheme}://127.0.0.1:{client_port}",
        f"--listen-peer-urls={own_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster={cluster or f'{name}={peer_url}'}",
        "--logger=zap",  # the default since 3.5; 3.4's other one has no levels
        "--log-level=error",
    ]


def setting_flags(settings: ServerSettings) -> list[str]:
    """The flags that `settings` adds to `etcd_flags`. Every etcd from 3.4 to 3.7 knows them too."""
    flags: list[str] = []
    if settings.cheap_passwords:
        flags.append(f"--bcrypt-cost={_LEAST_BCRYPT_COST}")
    if settings.quota_bytes is not None:
        flags.append(f"--quota-backend-bytes={settings.quota_bytes}")
    return flags


def setting_variables(settings: ServerSettings) -> dict[str, str]:
    """The environment variables that `settings` adds to those of the server."""
    return {"GOMAXPROCS": "1"} if settings.one_core else {}


def free_ports() -> tuple[int, int]:
    """Two ports on loopback that no process listens on at this moment."""
    with socket.socket() as client, socket.socket() as peer:
        client.bind(("127.0.0.1", 0))
        peer.bind(("127.0.0.1", 0))
        return client.getsockname()[1], peer.getsockname()[1]
