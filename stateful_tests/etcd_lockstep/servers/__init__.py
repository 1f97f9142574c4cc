"""How a run gets a real etcd: a container, a binary, a release by its number, or an endpoint that somebody names."""

from etcd_lockstep.servers.available import available_versions
from etcd_lockstep.servers.calls import open_channel
from etcd_lockstep.servers.emptiness import refuse_unless_empty
from etcd_lockstep.servers.errors import BadSource, EtcdUnavailable, NotEmpty
from etcd_lockstep.servers.programs import Program
from etcd_lockstep.servers.running import Progress, RunningEtcd
from etcd_lockstep.servers.settings import USUAL, ServerSettings
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
    "ServerSettings",
    "Version",
    "WantedEtcd",
    "available_versions",
    "open_channel",
    "parse_source",
    "refuse_unless_empty",
    "start",
    "start_many",
]
