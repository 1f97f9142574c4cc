"""What every service works on: the state, the lock around it, and what all answers have in common."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock

from fake_etcd.alarms import NOSPACE, Alarms
from fake_etcd.auth import AuthStore
from fake_etcd.auth_tokens import NOBODY, Caller, Tokens
from fake_etcd.backend import Backend
from fake_etcd.errors import EtcdError, NoSpace, TooLarge
from fake_etcd.faults.active import Faults
from fake_etcd.hash_kv import CompactionHashes
from fake_etcd.journal import Journal
from fake_etcd.lease import Lease, Lessor
from fake_etcd.membership import Membership
from fake_etcd.quirks import Quirks
from fake_etcd.sizes import FRAME_OVERHEAD_BYTES
from fake_etcd.store import Store
from fake_etcd.watch_hub import WatchHub
from fake_etcd.wire import messages as pb

_ENVELOPE_BYTES = 18
"""What the raft entry adds to a request of this size: a 14-byte header (13 if the server's request ids happen to be
small: real servers differ by one byte here) and the request's own tag and length."""

CLUSTER_ID = 0xCDF818194E3A8C32
MEMBER_ID = 0x8E9E05C52164694D
RAFT_TERM = 2

_CLIENT_URLS = ("http://localhost:2379",)
"""Where a real server listens if nobody says anything else; so it is said where no server is."""

_FIRST_RAFT_INDEX = 4
"""Where a real server's first proposal by a client stands, give or take."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine is started with; a reset doesn't change it."""

    min_lease_ttl: int
    max_txn_ops: int
    clock: Callable[[], float]
    watch_progress_interval: float
    quota_bytes: int
    max_request_bytes: int
    """A write's, with the envelope of its raft entry."""
    new_tokens: Callable[[], Tokens]
    """For users to log in with; fresh ones after a reset."""
    client_urls: tuple[str, ...]
    """Where clients find the server, for MemberList; without any, it is where servers of the engine listen."""
    member_name: str
    peer_urls: tuple[str, ...]
    """What MemberList reports of the server's own member."""
    max_learners: int
    strict_reconfig_check: bool

    @property
    def max_frame_bytes(self) -> int:
        """The longest message that the server receives at all."""
        return self.max_request_bytes + FRAME_OVERHEAD_BYTES


class Core:
    """The state and its lock. Every handler of a service runs with the lock held."""

    __slots__ = (
        "abandoned",
        "alarms",
        "auth",
        "backend",
        "downgrade_target",
        "faults",
        "hashes",
        "header",
        "hub",
        "journal",
        "lessor",
        "listening",
        "lock",
        "members",
        "quirks",
        "raft_index",
        "settings",
        "store",
        "streams_opened",
        "timed",
    )

    def __init__(self, quirks: Quirks, settings: EngineSettings, journal: Journal | None = None) -> None:
        self.quirks = quirks
        self.settings = settings
        self.lock = Lock()
        self.header = pb.ResponseHeader(cluster_id=CLUSTER_ID, member_id=MEMBER_ID, raft_term=RAFT_TERM)
        """Every reply's header but for its revision, which whoever needs it sets."""
        self.hub = WatchHub()
        self.abandoned: deque[Callable[[], None]] = deque()
        """What is to be done about calls that nobody asks for any more, the next time that somebody has the lock."""
        self.listening: list[str] = []
        """The URLs at which servers of this engine listen, also after a reset."""
        self.timed = False
        """Whether time can go by at all."""
        self.faults = Faults()
        """The rules, also after a reset."""
        self.journal = journal
        self.streams_opened = 0
        """How many streams of watchers there have been."""
        with self.lock:
            self.reset()

    def reset(self) -> None:
        """An empty store at revision 1, no leases, no users. What waits or watches is over. With the lock held."""
        self.hub.close()
        self.lessor = Lessor(self.settings.min_lease_ttl, self.settings.clock)
        self.store = Store(self.lessor)
        self.hashes = CompactionHashes()
        self.auth = AuthStore(self.quirks, self.settings.new_tokens())
        self.alarms = Alarms(self.quirks)
        own = pb.Member(ID=MEMBER_ID, name=self.settings.member_name, peerURLs=self.settings.peer_urls)
        self.members = Membership(own, self.settings.max_learners, self.settings.strict_reconfig_check, self.quirks)
        self.downgrade_target = ""
        self.backend = Backend(self.store, self.settings.quota_bytes)
        self.raft_index = _FIRST_RAFT_INDEX

    @property
    def is_observed(self) -> bool:
        """Whether somebody keeps a journal of requests, or has rules about them."""
        return self.faults.any_active or self.journal is not None

    @property
    def client_urls(self) -> tuple[str, ...]:
        """Where clients find the server's own member, as MemberList reports it."""
        return self.settings.client_urls or tuple(self.listening) or _CLIENT_URLS

    @property
    def storage_version(self) -> str:
        """The release without its patch, which the cluster and its database have too."""
        return self.quirks.version.rpartition(".")[0] + ".0"

    def fill(self, header: pb.ResponseHeader) -> None:
        """What every unary answer's header reports: the ids, and the store's revision."""
        self.header.revision = self.store.revision
        header.CopyFrom(self.header)

    def propose(self, size: int = 0, token: str = "") -> Caller:
        """Put a write of this many bytes to raft. Reports whom the token stands for.

        etcd: server/etcdserver/v3_server.go processInternalRaftRequestOnce.
        """
        caller = self.auth.caller_of(token) if token else NOBODY
        if size + _ENVELOPE_BYTES > self.settings.max_request_bytes:
            raise TooLarge()
        self.raft_index += 1
        return caller

    def require_root(self, token: str) -> None:
        """While auth is on, root must ask. etcd: api/v3rpc/auth.go isPermitted."""
        if token or self.auth.enabled:
            self.auth.require_root(self.auth.caller_of(token))

    def check_room(self, cost: int, token: str) -> None:
        """Refuse what the database has no room for, before anything else is looked at, and raise the alarm.

        Raising it takes a proposal, so it needs a token that isn't invalid (etcd: api/v3rpc/quota.go check).
        """
        if self.backend.has_room(cost):
            return
        with suppress(EtcdError):
            self.propose(token=token)
            self.alarms.activate(MEMBER_ID, NOSPACE)
        raise NoSpace()

    def revoke(self, lease: Lease) -> None:
        """All the lease's keys go in byte order, in one revision. etcd: server/lease/lessor.go Revoke."""
        store = self.store
        for key in sorted(lease.keys):
            for record in store.scan(key, b""):
                store.delete(record)
        self.lessor.forget(lease.id)
        store.commit()

    def compact(self, revision: int) -> None:
        """Forget the history before a revision, which is there and not compacted yet."""
        self.backend.settle()
        if self.quirks.compactions_hashed:
            self.hashes.compacting(self.store, revision, self.quirks)
        self.store.compact(revision)

    def expire(self, lease_id: int) -> bool:
        """End a lease as if its time were over; False where there is none of that id."""
        lease = self.lessor.get(lease_id)
        if lease is not None:
            self.raft_index += 1
            self.revoke(lease)
        return lease is not None

    def tick(self) -> None:
        """Revoke the leases whose time is over, each in a revision of its own; send watchers about progress."""
        while self.abandoned:
            self.abandoned.popleft()()
        now = self.settings.clock()
        while (lease := self._due(now)) is not None:
            self.raft_index += 1
            self.revoke(lease)
        self.hub.tick(now)

    def _due(self, now: float) -> Lease | None:
        """The next lease to revoke. While auth is on, etcd revokes in root's name, and so not where it can't sign a
        token: there a lease with keys never ends. etcd: server/etcdserver/server.go revokeExpiredLeases, WithRoot.
        """
        if self.alarms.corrupt:
            return None
        if self.auth.signs_tokens or not self.auth.enabled:
            return self.lessor.due(now)
        if self.quirks.lease_calls_need_a_user:
            return None
        return next((lease for lease in self.lessor.by_expiry() if lease.expiry <= now and not lease.keys), None)

    def listen(self) -> None:
        """Have every commit sent to watchers and to calls that wait: somebody is there, from now until a reset."""
        self.store.on_commit = partial(self.hub.deliver, self.store)
