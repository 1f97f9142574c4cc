"""The slot mock: a whole client stand-in of the kind that tests get written on, with all of its lies.

It was made for the tests of a limiter that counts slots: keys `/pac/leases/{namespace}/{name}/{run}`,
each with a lease, and beside each an `/info` key that remembers the lease's id. It knows as much of
etcd as those tests needed: enough to make them pass, and to hide what a real etcd does to the limiter.

`MockClient` is the mock, lies and all; `SlotMock` turns our operations into its calls, and its
answers into our results. What the mock can't answer (revisions, versions, the lease of a key) is 0.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

from etcd_lockstep.names import operation_name
from etcd_lockstep.target import Target
from etcd_model.operations import (
    Compare,
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Operation,
    Put,
    Range,
    RequestOp,
    Txn,
)
from etcd_model.results import (
    DeleteRangeResult,
    KeyValue,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseRevokeResult,
    PutResult,
    RangeResult,
    Result,
    TxnResult,
)

_SLOTS = b"/pac/leases/"
_INFO = b"/info"
_WATCH_BUFFER = 10
_KEEP_ALIVE_TTL = 3600
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Event:
    """What a watch channel of the mock carries: no revisions, and no key-value but these two."""

    type: Literal["PUT", "DELETE"]
    key: bytes
    value: bytes = b""


class MockClient:
    """The mock. An option is given by its name: that there is one is all that the mock ever looks at."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}  # read in its own order, which is that of first insertion
        self.leases: dict[int, int] = {}  # lease id to expiry: written, never read
        self.lease_keys: dict[int, bytes] = {}  # lease id to its one key
        self.lease_queue: deque[int] = deque()  # granted, and not yet handed to a key
        self.watches: dict[bytes, deque[Event]] = {}
        self._clock = 1_700_000_000 * _NANOSECONDS

    def get(self, key: bytes, *options: str) -> list[tuple[bytes, bytes]]:
        """The key; or with any option, whichever it is, all that starts with it but the `/info` keys."""
        if options:
            return [(k, v) for k, v in self.data.items() if k.startswith(key) and not k.endswith(_INFO)]
        return [(key, self.data[key])] if key in self.data else []

    def put(self, key: bytes, value: bytes, *_options: str) -> None:
        self.data[key] = value
        self._emit(Event("PUT", key, value))

    def delete(self, key: bytes, *_options: str) -> None:
        """The one key, even where the options ask for a range."""
        self.data.pop(key, None)
        self._emit(Event("DELETE", key))

    def txn(self) -> MockTxn:
        return MockTxn(self)

    def grant(self, ttl: int) -> tuple[int, int]:
        """The id is the time in nanoseconds, by a clock that only grants advance: every run sees the same ids."""
        self._clock += 1
        lease_id = self._clock
        self.leases[lease_id] = lease_id + ttl * _NANOSECONDS
        self.lease_queue.append(lease_id)
        return lease_id, ttl

    def revoke(self, lease_id: int) -> None:
        """The lease's one key goes; its id stays in the queue, for a later slot to get."""
        self.leases.pop(lease_id, None)
        key = self.lease_keys.pop(lease_id, None)
        if key is not None:
            self.data.pop(key, None)

    def keep_alive(self, lease_id: int) -> tuple[int, int]:
        """The one answer that the mock's stream ever carries."""
        return lease_id, _KEEP_ALIVE_TTL

    def watch(self, key: bytes, *_options: str) -> deque[Event]:
        """The channel of exactly this key, in place of any that it had."""
        channel: deque[Event] = deque()
        self.watches[key] = channel
        return channel

    def close(self) -> None:
        """Everything stays as it was, and usable."""

    def _emit(self, event: Event) -> None:
        channel = self.watches.get(event.key)
        if channel is not None and len(channel) < _WATCH_BUFFER:
            channel.append(event)


class MockTxn:
    """The mock's transaction, in the builder's style: `If(…).Then(…).Else(…).Commit()`."""

    def __init__(self, client: MockClient) -> None:
        self._client = client
        self._absent = b""
        self._then: tuple[RequestOp, ...] = ()

    def If(self, *compares: Compare) -> MockTxn:
        """Whatever the compares say, "the first one's key is absent" is what the mock makes of them."""
        if compares and compares[0].key:
            self._absent = compares[0].key
        return self

    def Then(self, *operations: RequestOp) -> MockTxn:
        self._then = operations
        return self

    def Else(self, *_operations: RequestOp) -> MockTxn:
        return self

    def Commit(self) -> bool:
        """Runs the puts, and nothing but the puts. Whether the condition held is all there is to the answer."""
        client = self._client
        if self._absent and self._absent in client.data:
            return False
        for operation in self._then:
            if isinstance(operation, Put):
                client.data[operation.key] = operation.value
                if _SLOTS in operation.key and client.lease_queue:
                    client.lease_keys[client.lease_queue.popleft()] = operation.key
        return True


class SlotMock(Target):
    """A mock of a lock client, with eleven lies; most of all, leases go to keys in the order of their grants."""

    name = "slot-mock"
    capabilities = frozenset(
        map(operation_name, (Range, Put, DeleteRange, Txn, LeaseGrant, LeaseRevoke, LeaseKeepAlive))
    )
    keys: ClassVar[tuple[bytes, ...]] = (
        b"/pac/leases/n/r/a",
        b"/pac/leases/n/r/a/info",
        b"/pac/leases/n/r/b",
        b"/pac/concurrency/n/r/state",
        b"k",
        b"k/x",
    )
    """Two slots, an info key, and keys that the mock treats like any other; some are prefixes of others."""

    def __init__(self) -> None:
        self._client = MockClient()

    def reset(self) -> None:
        self._client = MockClient()

    def apply(self, operation: Operation) -> Result:
        client = self._client
        match operation:
            case Range():
                found = client.get(operation.key, *_options(operation))
                kvs = tuple(KeyValue(k, v, create_revision=0, mod_revision=0, version=0) for k, v in found)
                return RangeResult(revision=0, kvs=kvs, count=len(kvs))
            case Put():
                client.put(operation.key, operation.value, *_options(operation))
                return PutResult(revision=0)
            case DeleteRange():
                client.delete(operation.key, *_options(operation))
                return DeleteRangeResult(revision=0)
            case Txn():
                txn = client.txn().If(*operation.compare).Then(*operation.success).Else(*operation.failure)
                return TxnResult(revision=0, succeeded=txn.Commit())
            case LeaseGrant():  # the mock's Grant takes no id: one that is asked for is lost on the way
                lease_id, ttl = client.grant(operation.ttl)
                return LeaseGrantResult(revision=0, id=lease_id, ttl=ttl)
            case LeaseRevoke():
                client.revoke(operation.id)
                return LeaseRevokeResult(revision=0)
            case LeaseKeepAlive():
                lease_id, ttl = client.keep_alive(operation.id)
                return LeaseKeepAliveResult(revision=0, id=lease_id, ttl=ttl)
            case _:
                raise NotImplementedError(f"the slot mock has nothing to answer this with: {operation}")


def _options(operation: Range | Put | DeleteRange) -> list[str]:
    """What an operation asks for beyond a key and a value: each is an option of the call."""
    return [
        field.name
        for field in fields(operation)
        if field.name not in ("key", "value") and getattr(operation, field.name) != field.default
    ]
