"""Gets a real etcd for a run: a container, a binary, a release by its number, or an endpoint that the user names."""

from etcd_lockstep.servers.access import Access, BadCredentials, Credentials, open_channel
from etcd_lockstep.servers.discovery import Program, available_versions
from etcd_lockstep.servers.endpoint import NotEmpty, refuse_unless_empty
from etcd_lockstep.servers.running import EtcdUnavailable, Progress, RunningEtcd
from etcd_lockstep.servers.settings import USUAL, ServerSettings
from etcd_lockstep.servers.sources import (
    ACCEPTED,
    KINDS,
    Auto,
    BadSource,
    Binary,
    Container,
    Endpoint,
    EtcdSource,
    NoEtcd,
    Version,
    WantedEtcd,
    parse_source,
)
from etcd_lockstep.servers.starting import start, start_cluster, start_many

__all__ = [
    "ACCEPTED",
    "KINDS",
    "USUAL",
    "Access",
    "Auto",
    "BadCredentials",
    "BadSource",
    "Binary",
    "Container",
    "Credentials",
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
    "start_cluster",
    "start_many",
]
