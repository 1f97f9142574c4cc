"""The fake does what etcd does: an in-memory etcd that speaks the wire's own messages, in-process or as a server."""

from fake_etcd.aio_channel import AioInProcessChannel
from fake_etcd.channel import InProcessChannel
from fake_etcd.clock import RunningClock, VirtualClock
from fake_etcd.engine import Engine
from fake_etcd.errors import EtcdError
from fake_etcd.fake import FakeEtcd
from fake_etcd.faults import (
    ActiveFault,
    CancelWatch,
    Delay,
    Disconnect,
    Effect,
    ExpireLease,
    Fault,
    Faults,
    NoAnswer,
    NoSpace,
    Refuse,
    StallWatch,
)
from fake_etcd.journal import Journal, JournalEntry
from fake_etcd.restoring import BadSnapshotError
from fake_etcd.server import GrpcServer, serve
from fake_etcd.state import SavedState
from fake_etcd.stubs import Stubs, stubs
from fake_etcd.tls import BadCertificateError, Tls
from fake_etcd.watch import StreamClosed, WatchStream

__all__ = [
    "ActiveFault",
    "AioInProcessChannel",
    "BadCertificateError",
    "BadSnapshotError",
    "CancelWatch",
    "Delay",
    "Disconnect",
    "Effect",
    "Engine",
    "EtcdError",
    "ExpireLease",
    "FakeEtcd",
    "Fault",
    "Faults",
    "GrpcServer",
    "InProcessChannel",
    "Journal",
    "JournalEntry",
    "NoAnswer",
    "NoSpace",
    "Refuse",
    "RunningClock",
    "SavedState",
    "StallWatch",
    "StreamClosed",
    "Stubs",
    "Tls",
    "VirtualClock",
    "WatchStream",
    "serve",
    "stubs",
]
