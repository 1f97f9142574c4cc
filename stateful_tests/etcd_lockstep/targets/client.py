"""Operations over whatever carries etcd's messages: what the fake in this process and every wire have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

from google.protobuf.message import Message

from etcd_lockstep.codec import decode, decode_range_stream, decode_snapshot, encode
from etcd_lockstep.targets.authorization import Authorization
from etcd_lockstep.targets.watching import Duplex, StreamEnded, WatchSession
from etcd_model import operations as op
from etcd_model.errors import Error
from etcd_model.results import AdvanceResult, LeaderResult, Result, StreamResult

Speciality: TypeAlias = Callable[[Any, str], Result]
"""How an operation and its token are answered, where that is not one request and its response."""


class Client(ABC):
    """One client of one etcd."""

    no_token = ""
    """What is sent with an operation of nobody, in a token's place."""

    def __init__(self, settle: float = 0.0) -> None:
        """`settle`: see `WatchSession`."""
        self._settle = settle
        self._sessions: dict[int, WatchSession] = {}
        """The streams that are open, by their number. Each has the token of the operation that opened it: etcd knows
        no other (server/etcdserver/api/v3rpc/watch.go, isWatchPermitted)."""
        self._base = 0
        self._member_id = 0
        """That of the server's own member, learned from the first answer that reports it: mostly one to a reset."""
        self._specialities: dict[type[op.Operation], Speciality] = {
            op.As: self._as,
            op.Advance: self._advance,
            op.Lock: self.acquire,
            op.Campaign: self.acquire,
            op.Observe: self._observe,
            op.RangeStream: self._range_stream,
            op.Snapshot: self._snapshot,
            **dict.fromkeys(
                (op.WatchCreate, op.WatchCancel, op.WatchProgress, op.WatchRead, op.WatchClose), self._watch
            ),
        }

    def apply(self, operation: op.Operation) -> Result:
        """Raises `TargetDied` where the answer is unknown, `Malformed` where it is none of etcd's."""
        speciality = self._specialities.get(type(operation))
        return speciality(operation, self.no_token) if speciality else self.ask(operation, self.no_token)

    def begin_at(self, revision: int) -> None:
        """A sequence begins in a store that stands at this revision."""
        self._base = revision

    def close_streams(self) -> None:
        """Close what is open of streams, and forget what they delivered."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def ask(self, operation: op.Operation, token: str = "") -> Result:
        """One request and its response, translated with the id of the server's own member."""
        path, request = encode(operation, self._member_id)
        answer = self.exchange(path, request, token)
        if isinstance(answer, Error):
            return answer
        self._member_id = self._member_id or answer.header.member_id  # type: ignore[attr-defined]  # all have a header
        return decode(operation, answer, self._member_id)

    # What carries the messages

    @abstractmethod
    def exchange(self, path: str, request: Message, token: str) -> Message | Error:
        """One request and its response."""

    @abstractmethod
    def acquire(self, operation: op.Lock | op.Campaign, token: str) -> Result:
        """A request that waits for another owner, which is given up then."""

    @abstractmethod
    def receive_first(self, operation: op.Observe, token: str) -> Message | Error | None:
        """The first message of a stream that goes on; None where none comes at once."""

    @abstractmethod
    def receive_all(self, path: str, request: Message, token: str) -> list[Any] | Error:
        """The messages of a stream that ends."""

    @abstractmethod
    def open_watch(self, token: str) -> Duplex:
        """A call of `Watch.Watch`."""

    @abstractmethod
    def pass_time(self, seconds: int) -> None:
        """Let so many seconds go by."""

    # Specialities

    def _as(self, operation: op.As, _token: str) -> Result:
        asked = operation.operation
        return self._specialities.get(type(asked), self.ask)(asked, self.sent_token(operation))

    def ask_meanwhile(self, operation: op.Operation, token: str) -> Result:
        """What another client asks while a call waits."""
        return self._specialities.get(type(operation), self.ask)(operation, token)

    def sent_token(self, operation: op.As) -> str:
        """The token of an operation, as what carries the messages takes it."""
        return Authorization(operation.sent) if operation.authorization else operation.sent

    def _advance(self, operation: op.Advance, _token: str) -> AdvanceResult:
        self.pass_time(operation.seconds)
        return AdvanceResult()

    def _observe(self, operation: op.Observe, token: str) -> Result:
        message = self.receive_first(operation, token)
        if message is None:
            return LeaderResult(revision=0)
        return message if isinstance(message, Error) else decode(operation, message)

    def _range_stream(self, operation: op.RangeStream, token: str) -> Result:
        answer = self.receive_all(*encode(operation), token)
        return answer if isinstance(answer, Error) else decode_range_stream(answer)

    def _snapshot(self, operation: op.Snapshot, token: str) -> Result:
        answer = self.receive_all(*encode(operation), token)
        return answer if isinstance(answer, Error) else decode_snapshot(answer)

    def _watch(self, operation: op.WatchOperation, token: str) -> Result:
        stream = operation.stream
        if isinstance(operation, op.WatchClose):
            if stream in self._sessions:
                self._sessions.pop(stream).close()
            return StreamResult()
        session = self._sessions.get(stream)
        if session is None:
            session = self._sessions[stream] = WatchSession(self.open_watch(token), self._settle, self._base)
        try:
            match operation:
                case op.WatchCreate():
                    return session.create(operation)
                case op.WatchRead():
                    return session.read(lambda: self.ask(op.Put(op.SENTINEL_KEY), token))
                case op.WatchCancel() | op.WatchProgress():
                    return session.send(operation)
        except StreamEnded as ended:
            self._sessions.pop(stream).close()
            return ended.error
