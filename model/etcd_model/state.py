"""The state of the store: its history, its compaction, its leases.

History is a run of commits, one a revision, each holding all the keys as they were after it.
That is a lot of memory for a server and none for a model, and it makes the rest short: reading
the past is a look-up, compaction drops commits, the events of a revision are what a watcher is
owed, and the keys of a lease are those whose `lease` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from etcd_model.auth.sender import NOBODY, Sender
from etcd_model.auth.store import AuthStore
from etcd_model.quirks import DEFAULT_VERSION, Quirks, quirks_of
from etcd_model.records import Past
from etcd_model.results import AlarmMember, KeyValue, Member
from etcd_model.streams import Stream

Keys = Mapping[bytes, KeyValue]
"""The live keys at one revision."""


@dataclass(frozen=True, slots=True)
class PutEvent:
    """A key was written."""

    kv: KeyValue


@dataclass(frozen=True, slots=True)
class DeleteEvent:
    """A key was deleted, at `mod_revision`."""

    key: bytes
    mod_revision: int


Event = PutEvent | DeleteEvent


@dataclass(frozen=True, slots=True)
class Commit:
    """One revision: what happened in it, in order of execution, and the keys after it."""

    revision: int
    events: tuple[Event, ...]
    keys: Keys


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease. `ttl` is the granted one and `expiry` a reading of the virtual clock, both in seconds."""

    ttl: int
    expiry: int


@dataclass(frozen=True, slots=True)
class Server:
    """What is set when a server starts, and never changes while it runs."""

    quirks: Quirks = field(default_factory=lambda: quirks_of(DEFAULT_VERSION))
    min_lease_ttl: int = 2
    """Seconds. ceil(floor(3 * ticks / 2) * heartbeat), ticks = election timeout / heartbeat interval:
    2 with etcd's default timings (etcd server/etcdserver/server.go, NewServer: minTTL)."""
    max_txn_ops: int = 128
    """etcd's --max-txn-ops."""
    over_quota: bool = False
    """Whether not even an empty store is within etcd's --quota-backend-bytes."""
    client_cert_auth: bool = False
    """Whether it is reached by TLS, and who has no token is the user that their certificate names
    (etcd's --client-cert-auth)."""
    signed_tokens: bool = False
    """Whether its tokens are JSON Web Tokens (etcd's --auth-token)."""


@dataclass(frozen=True, slots=True)
class State:
    """A whole store. `commits` are the revisions not yet compacted away, the newest last."""

    server: Server = field(default_factory=Server)
    commits: tuple[Commit, ...] = (Commit(1, (), {}),)
    compact_revision: int = -1
    leases: Mapping[int, Lease] = field(default_factory=dict)
    next_lease_id: int = 7_000_000_000_000_000_000
    """The next id to pick for a lease, far from those that callers pick. No id is picked twice."""
    now: int = 0
    """The virtual clock, in seconds."""
    auth: AuthStore = field(default_factory=AuthStore)
    sender: Sender = NOBODY
    """Who sends the request that is being answered."""
    alarms: frozenset[AlarmMember] = frozenset()
    refusing: frozenset[int] = frozenset()
    """The types of alarm for whose sake requests are refused: not always those of `alarms`
    (`Quirks.alarms_in_layers`)."""
    members: tuple[Member, ...] = ()
    """Those that were added to the server's own, in the order of adding. None of them was ever started."""
    next_member_id: int = 8_000_000_000_000_000_000
    """The next id for a member that is added. No id is picked twice."""
    streams: Mapping[int, Stream] = field(default_factory=dict)
    """The open watch streams, by their number."""
    past: Past = field(default_factory=Past)
    """What is known of the compacted history."""

    @property
    def guarded(self) -> bool:
        """Whether anything but its size could stand in a well-formed request's way."""
        return self.auth.enabled or self.sender.has_token or bool(self.refusing)

    @property
    def revision(self) -> int:
        """The current revision; 1 in an empty store."""
        return self.commits[-1].revision

    @property
    def keys(self) -> Keys:
        """The live keys now."""
        return self.commits[-1].keys

    def keys_at(self, revision: int) -> Keys:
        """The live keys at a revision that is neither compacted nor in the future."""
        return self.commits[revision - self.commits[0].revision].keys


class Draft:
    """The commit that one request is making: every write of the request lands in it, in order."""

    __slots__ = ("events", "keys", "revision")

    def __init__(self, state: State) -> None:
        self.revision = state.revision + 1
        self.keys: dict[bytes, KeyValue] = dict(state.keys)
        self.events: list[Event] = []

    @property
    def header_revision(self) -> int:
        """What the header of an operation inside a txn says after it."""
        return self.revision if self.events else self.revision - 1

    def put(self, key: bytes, value: bytes, lease: int) -> None:
        old = self.keys.get(key)
        kv = KeyValue(
            key,
            value,
            create_revision=self.revision if old is None else old.create_revision,
            mod_revision=self.revision,
            version=1 if old is None else old.version + 1,
            lease=lease,
        )
        self.keys[key] = kv
        self.events.append(PutEvent(kv))

    def delete(self, key: bytes) -> None:
        del self.keys[key]
        self.events.append(DeleteEvent(key, self.revision))

    def commit(self, state: State) -> State:
        """The state after it. A request that changed nothing makes no revision."""
        if not self.events:
            return state
        return replace(state, commits=(*state.commits, Commit(self.revision, tuple(self.events), self.keys)))


def emptied(server: Server, key: bytes) -> State:
    """A store that was emptied, as a real one can be: all leases revoked and all keys deleted, then `key` put and
    deleted once more, and a physical compaction at that. Revision 1 is the one of that last deletion.

    There is no emptier one: every revision has an event, so that some tombstone is left at the compact revision
    (`Quirks.compaction_keeps_tombstones`), for watchers from there to see.
    """
    return State(server, commits=(Commit(1, (DeleteEvent(key, 1),), {}),), compact_revision=1)
