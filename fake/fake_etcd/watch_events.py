"""What a watch is sent: events made of records, responses, fragments (etcd: server/etcdserver/api/v3rpc/watch.go)."""

from collections.abc import Iterator

from fake_etcd.ranges import key_value
from fake_etcd.store import Record, Store
from fake_etcd.wire import messages as pb


def event_of(record: Record, previous: Record | None) -> pb.Event:
    """One record as an event; a tombstone's kv has nothing but its key and mod_revision."""
    event = pb.Event(type=pb.Event.PUT if record.version else pb.Event.DELETE, kv=key_value(record))
    if previous is not None:
        event.prev_kv.CopyFrom(key_value(previous))
    return event


def previous_of(store: Store, record: Record) -> Record | None:
    """The key one revision earlier, which is not always the record before: a txn may write a key twice.

    None of a key's first put, and where that revision is compacted. etcd: sendLoop, IsCreateEvent.
    """
    revision = record.mod_revision - 1
    if record.version == 1 and record.create_revision == record.mod_revision:
        return None
    if revision < store.compact_revision:
        return None
    found = store.scan(record.key, b"", revision)
    return found[0] if found else None


def fragments(response: pb.WatchResponse, limit: int) -> Iterator[pb.WatchResponse]:
    """Split what is too long between its events; all but the last say `fragment`. etcd: sendFragments."""
    if response.ByteSize() < limit or len(response.events) < 2:
        yield response
        return
    events = list(response.events)
    del response.events[:]
    response.fragment = True
    empty = response.ByteSize()
    first = 0
    while first < len(events):
        end, size = first, empty
        while end < len(events):
            size += _embedded_size(events[end])
            if end > first and size >= limit:
                break
            end += 1
        fragment = pb.WatchResponse()
        fragment.CopyFrom(response)
        fragment.fragment = end < len(events)
        fragment.events.extend(events[first:end])
        yield fragment
        first = end


def _embedded_size(event: pb.Event) -> int:
    """What one event adds to a response: a tag, a length, itself."""
    size: int = event.ByteSize()
    return 1 + max(1, (size.bit_length() + 6) // 7) + size


class EventEncoder:
    """Events as bytes: however many watchers are sent the same ones, they are encoded once."""

    __slots__ = ("_made", "_store", "revision")

    def __init__(self, store: Store, revision: int) -> None:
        self._store = store
        self._made: dict[tuple[bool, tuple[Record, ...]], bytes] = {}
        self.revision = revision
        """As of which the events are sent."""

    def encode(self, records: tuple[Record, ...], prev_kv: bool) -> bytes:
        """The events of a response, as a part of its encoding: parts of a message put together make the message.

        https://protobuf.dev/programming-guides/encoding/#last-one-wins
        """
        body = self._made.get((prev_kv, records))
        if body is None:
            store = self._store
            events = [event_of(record, previous_of(store, record) if prev_kv else None) for record in records]
            body = self._made[prev_kv, records] = pb.WatchResponse(events=events).SerializeToString()
        return body
