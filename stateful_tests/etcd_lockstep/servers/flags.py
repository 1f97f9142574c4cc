"""The command line of an etcd that a run starts: one member, nothing kept, every limit etcd's own.

Left at etcd's defaults on purpose, because answers depend on them: `--max-txn-ops`, `--max-request-bytes`,
auto-compaction (off), and the heartbeat and election timings, from which the shortest TTL of a lease
follows (2 s).
"""

from etcd_lockstep.servers.settings import ServerSettings

_LEAST_BCRYPT_COST = 4
"""golang.org/x/crypto/bcrypt, MinCost."""


def etcd_flags(*, name: str, data_dir: str, listen: str, client_port: int, peer_port: int) -> list[str]:
    """Flags that every etcd from 3.4 to 3.7 knows. `listen` is an IP address."""
    peer_url = f"http://127.0.0.1:{peer_port}"  # nobody ever calls it: there is one member
    return [
        f"--name={name}",
        f"--data-dir={data_dir}",
        f"--listen-client-urls=http://{listen}:{client_port}",
        f"--advertise-client-urls=http://127.0.0.1:{client_port}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster={name}={peer_url}",
        "--logger=zap",  # the default since 3.5; 3.4's other one has no levels
        "--log-level=error",
    ]


def setting_flags(settings: ServerSettings) -> list[str]:
    """The flags that `settings` adds to these; each etcd from 3.4 to 3.7 knows them too."""
    flags: list[str] = []
    if settings.cheap_passwords:
        flags.append(f"--bcrypt-cost={_LEAST_BCRYPT_COST}")
    if settings.quota_bytes is not None:
        flags.append(f"--quota-backend-bytes={settings.quota_bytes}")
    return flags
