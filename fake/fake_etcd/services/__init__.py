"""etcd's services: a module each, and the list of them that an engine has."""

from fake_etcd.services.auth import Auth
from fake_etcd.services.cluster import Cluster
from fake_etcd.services.downgrade import Downgrade
from fake_etcd.services.election import Elections
from fake_etcd.services.hash_kv import HashKV
from fake_etcd.services.health import Health
from fake_etcd.services.kv import KV
from fake_etcd.services.lease import Leases
from fake_etcd.services.lock import Locks
from fake_etcd.services.maintenance import Maintenance
from fake_etcd.services.range_stream import RangeStream
from fake_etcd.services.service import Service

SERVICES: tuple[type[Service], ...] = (
    Auth,
    KV,
    RangeStream,
    Leases,
    HashKV,
    Maintenance,
    Downgrade,
    Cluster,
    Locks,
    Elections,
    Health,
)

__all__ = ["SERVICES", "Service"]
