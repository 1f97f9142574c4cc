"""What was recorded of a store while several clients used it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from etcd_model import operations as op
from etcd_model import results
from etcd_model.errors import Error
from etcd_model.operations import Operation, WatchCreate
from etcd_model.quirks import DEFAULT_VERSION
from etcd_model.results import Event, KeyValue, Result

FOREVER = 2**63
"""Later than any time that a history holds."""


@dataclass(frozen=True, slots=True)
class Indefinite:
    """What a client was left with that lost its connection or its patience: the call may have been carried out, also
    after the client gave up, or never."""

    reason: str = ""


Outcome: TypeAlias = "Result | Indefinite"
"""What became of a call. An `Error` is a refusal, of which it is certain that it had no effect."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of one client. Times are nanoseconds of one monotonic clock, the same for all clients."""

    client: int
    operation: Operation
    """Concrete: lease ids and revisions are numbers, as they were sent."""
    invoked: int
    returned: int | None
    """None where the client never heard anything, which leaves the outcome indefinite."""
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class WatchResponse:
    """One `WatchResponse` after the reply to the creation. Without events and not canceled it is one to a progress
    request, or a progress notification: everything up to its revision has been delivered."""

    received: int
    revision: int
    """Of its header."""
    events: tuple[Event, ...] = ()
    fragment: bool = False
    """Whether the next response goes on with the same revision."""
    canceled: bool = False
    compact_revision: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """One watcher, from its creation to the last response that was read."""

    client: int
    request: WatchCreate
    invoked: int
    created: int | None
    """The revision in the header of the reply to the creation; None where there was no such reply."""
    responses: tuple[WatchResponse, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """The store's own account of what was written: all events of all keys, as a watch from the beginning or reads of
    each past revision report them."""

    asked: int
    """When the account was asked for: it covers all that had been acknowledged before."""
    until: int
    """The last revision that it covers."""
    events: tuple[Event, ...]
    """In the order of their revisions, and within one in the order of execution."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The store just before the first call."""

    revision: int = 1
    kvs: tuple[KeyValue, ...] = ()
    leases: Mapping[int, int] = field(default_factory=dict)
    """The granted TTL of each, in seconds."""
    compact_revision: int = -1


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was done to the store or to the network while clients used it. No verdict depends on it."""

    kind: str
    """Such as `kill`."""
    began: int
    ended: int | None = None
    """None where it lasted longer than the recording."""
    of: str = ""
    """What it was done to, such as `member 2`; empty where there is but one."""

    def __str__(self) -> str:
        return f"{self.kind} {self.of}".rstrip()


@dataclass(frozen=True, slots=True)
class History:
    """Everything that was recorded, in any order."""

    calls: Sequence[Call]
    watches: Sequence[Watch] = ()
    account: Account | None = None
    beginning: Beginning = field(default_factory=Beginning)
    version: str = DEFAULT_VERSION
    """The release of etcd whose behaviour is expected."""
    min_lease_ttl: int | None = None
    """The least TTL that the server grants, in seconds. Where it is not known, any one value will do that was granted
    where less was asked for."""
    members: int = 1
    """Of the cluster. In one of several, LeaseTimeToLive is answered by the leader, and its header is made by the
    member that was asked, which may be behind (etcd server/etcdserver/v3_server.go, LeaseTimeToLive)."""
    faults: Sequence[Fault] = ()
    """What was done meanwhile, as far as it was recorded."""


class BadHistory(ValueError):
    """This can't have been recorded, and why, in one line."""


_ANSWERS: dict[type, type] = {
    op.Range: results.RangeResult,
    op.Put: results.PutResult,
    op.DeleteRange: results.DeleteRangeResult,
    op.Txn: results.TxnResult,
    op.Compact: results.CompactResult,
    op.LeaseGrant: results.LeaseGrantResult,
    op.LeaseRevoke: results.LeaseRevokeResult,
    op.LeaseKeepAlive: results.LeaseKeepAliveResult,
    op.LeaseTimeToLive: results.LeaseTimeToLiveResult,
    op.LeaseLeases: results.LeaseLeasesResult,
    op.Status: results.StatusResult,
}


def check_form(history: History) -> None:
    """Raises `BadHistory` where a call returns before it was invoked, was answered at no time or before the first
    revision, or has the answer of another operation; and where a fault ends before it began."""
    for number, call in enumerate(history.calls, 1):
        kind = type(call.outcome)
        if kind is not Indefinite and kind is not Error:
            expected = _ANSWERS.get(type(call.operation))
            if expected is not None and kind is not expected:
                raise BadHistory(f"call {number} is a {type(call.operation).__name__}, answered by a {kind.__name__}")
            if call.outcome.revision < 0:  # type: ignore[union-attr]  # an answer
                raise BadHistory(f"call {number} was answered at a negative revision")
        if call.returned is None:
            if not isinstance(call.outcome, Indefinite):
                raise BadHistory(f"call {number} has an answer, and no time at which it returned")
        elif call.returned < call.invoked:
            raise BadHistory(f"call {number} returned before it was invoked")
    for fault in history.faults:
        if fault.ended is not None and fault.ended < fault.began:
            raise BadHistory(f"the fault {str(fault)!r} ended before it began")
    account = history.account
    if account is not None:
        last = history.beginning.revision
        for event in account.events:
            if event.kv.mod_revision < last or event.kv.mod_revision == history.beginning.revision:
                raise BadHistory(f"the account's events are not in order at revision {event.kv.mod_revision}")
            last = event.kv.mod_revision
        if last > account.until:
            raise BadHistory(f"the account has an event at revision {last}, beyond the {account.until} that it covers")
