"""How a run gets a real etcd: a container, a binary, or an endpoint that somebody names."""

from etcd_lockstep.servers.calls import open_channel
from etcd_lockstep.servers.emptiness import refuse_unless_empty
from etcd_lockstep.servers.errors import BadSource, EtcdUnavailable, NotEmpty
from etcd_lockstep.servers.running import Progress, RunningEtcd
from etcd_lockstep.servers.sources import (
    ACCEPTED,
    Auto,
    Binary,
    Container,
    Endpoint,
    EtcdSource,
    NoEtcd,
    WantedEtcd,
    parse_source,
)
from etcd_lockstep.servers.starting import start

__all__ = [
    "ACCEPTED",
    "Auto",
    "BadSource",
    "Binary",
    "Container",
    "Endpoint",
    "EtcdSource",
    "EtcdUnavailable",
    "NoEtcd",
    "NotEmpty",
    "Progress",
    "RunningEtcd",
    "WantedEtcd",
    "open_channel",
    "parse_source",
    "refuse_unless_empty",
    "start",
]
