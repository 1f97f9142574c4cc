"""What a stream of watchers has not sent yet: bounded, so that a reader who never reads costs no memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from fake_etcd.wire import messages as pb

_MOST_RESPONSES = 1_000
"""etcd's is 128 (server/storage/mvcc/watcher.go chanBufLen), and what gRPC holds of a stream comes on top."""

_MOST_BYTES = 16 * 1024 * 1024
"""Events are held once for all the streams that they are sent to, so this much is not each stream's own."""

_MOST_MERGED_BYTES = 512 * 1024
"""How long a response may get by merging: clients refuse messages of 4 MiB by default."""


@dataclass(frozen=True, slots=True)
class Events:
    """Events for one watcher, encoded."""

    watch_id: int
    revision: int
    """The header's."""
    body: bytes

    def encode(self, header: pb.ResponseHeader) -> bytes:
        """The whole response."""
        header.revision = self.revision
        return pb.WatchResponse(header=header, watch_id=self.watch_id).SerializeToString() + self.body


Pending = Events | pb.WatchResponse


class Outbox:
    """Responses in the order in which they are sent. With the engine's lock held."""

    __slots__ = ("_bytes", "_pending")

    def __init__(self) -> None:
        self._pending: deque[Pending] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._pending)

    @property
    def full(self) -> bool:
        """Whether watchers must wait until some of it was sent. What isn't events is taken nevertheless."""
        return len(self._pending) >= _MOST_RESPONSES or self._bytes >= _MOST_BYTES

    def put(self, response: Pending) -> None:
        """Send this last."""
        self._pending.append(response)
        self._bytes += _size(response)

    def take(self) -> Pending:
        """The next to be sent."""
        response = self._pending.popleft()
        self._bytes -= _size(response)
        return response

    def take_merged(self) -> Pending:
        """The next to be sent, with what follows of the same watcher's events, for a reader who is late.

        etcd sends the events of several revisions in one response to watchers that catch up (syncWatchers).
        """
        first = self.take()
        if not isinstance(first, Events):
            return first
        last, bodies, size = first, [first.body], len(first.body)
        while self._pending:
            following = self._pending[0]
            if not isinstance(following, Events) or following.watch_id != first.watch_id:
                break
            size += len(following.body)
            if size > _MOST_MERGED_BYTES:
                break
            self.take()
            bodies.append(following.body)
            last = following
        return first if last is first else Events(first.watch_id, last.revision, b"".join(bodies))


def _size(response: Pending) -> int:
    if isinstance(response, Events):
        return len(response.body)
    size: int = response.ByteSize()
    return size
