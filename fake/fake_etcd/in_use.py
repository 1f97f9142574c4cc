"""What clients hold of an engine at a moment: leases, watches, and calls that wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fake_etcd.core import Core
from fake_etcd.store import FROM_KEY
from fake_etcd.waiting import Task
from fake_etcd.watch import WatchStream


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease that was granted, and neither revoked nor expired."""

    id: int
    ttl: int
    keys: tuple[bytes, ...]

    def __str__(self) -> str:
        of_keys = f" of {', '.join(map(repr, self.keys))}" if self.keys else ""
        return f"lease {self.id:x} (TTL {self.ttl} s){of_keys}"


@dataclass(frozen=True, slots=True)
class OpenWatch:
    """A watcher that was created, and not cancelled."""

    key: bytes
    range_end: bytes

    def __str__(self) -> str:
        return f"watch of {_keys(self.key, self.range_end)}"


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A call that isn't over: it waits for a lock or to be leader, observes, or its answers aren't read."""

    path: str
    waits_for: bytes
    """The key whose deletion lets it go on; empty where it waits for something else."""

    def __str__(self) -> str:
        name = self.path.rpartition("/")[2] or "call"
        return f"{name} that waits for {self.waits_for!r}" if self.waits_for else f"{name} that isn't over"


InUse = HeldLease | OpenWatch | WaitingCall


def in_use(core: Core) -> Iterator[InUse]:
    """All of it, with the lock held: leases by their id, then what is open, in the order of its opening."""
    for lease in sorted(core.lessor.by_expiry(), key=lambda lease: lease.id):
        yield HeldLease(lease.id, lease.ttl, tuple(sorted(lease.keys)))
    for stream in core.hub.streams:
        match stream:
            case WatchStream():
                for key, range_end in stream.watched():
                    yield OpenWatch(key, range_end)
            case Task():
                yield WaitingCall(stream.path, stream.waits_for)
            case _:
                pass


def _keys(key: bytes, range_end: bytes) -> str:
    if not range_end:
        return repr(key)
    if range_end == FROM_KEY:
        return f"all keys from {key!r} on"
    if range_end == _next_prefix(key):
        return f"prefix {key!r}"
    return f"keys from {key!r} to {range_end!r}"


def _next_prefix(prefix: bytes) -> bytes:
    """The end of the range of keys that begin with it. etcd: client/v3/op.go GetPrefixRangeEnd."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else FROM_KEY
