"""How a run gets a real etcd: a container, a binary, a release by its number, or an endpoint that somebody names."""

from etcd_lockstep.servers.at_hand import versions_at_hand
from etcd_lockstep.servers.calls import open_channel
from etcd_lockstep.servers.emptiness import refuse_unless_empty
from etcd_lockstep.servers.errors import BadSource, EtcdUnavailable, NotEmpty
from etcd_lockstep.servers.programs import Program
from etcd_lockstep.servers.running import Progress, RunningEtcd
from etcd_lockstep.servers.settings import USUAL, Settings
from etcd_lockstep.servers.sources import (
    ACCEPTED,
    KINDS,
    Auto,
    Binary,
    Container,
    Endpoint,
    EtcdSource,
    NoEtcd,
    Version,
    WantedEtcd,
    parse_source,
)
from etcd_lockstep.servers.starting import start, start_many

__all__ = [
    "ACCEPTED",
    "KINDS",
    "USUAL",
    "Auto",
    "BadSource",
    "Binary",
    "Container",
    "Endpoint",
    "EtcdSource",
    "EtcdUnavailable",
    "NoEtcd",
    "NotEmpty",
    "Program",
    "Progress",
    "RunningEtcd",
    "Settings",
    "Version",
    "WantedEtcd",
    "open_channel",
    "parse_source",
    "refuse_unless_empty",
    "start",
    "start_many",
    "versions_at_hand",
]
