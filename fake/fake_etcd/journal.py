"""A bounded journal of requests and answers, and of what rules of faults did to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import Message

from fake_etcd.errors import EtcdError
from fake_etcd.faults.rules import Fault
from fake_etcd.wire.methods import METHOD

_SHOWN = 160
"""How many characters of a message a line shows."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One call and what became of it; or of a stream of watchers, a request or a response alone."""

    number: int
    """Counted from 1, also over entries that the journal has lost since."""
    seconds: float
    """By the engine's clock."""
    path: str
    """Of the method, such as `/etcdserverpb.KV/Put`."""
    request_bytes: bytes | None
    """As it goes over the wire; None where the entry is about a response alone."""
    answer_bytes: bytes | None
    """What the server has made of the request; None where it has not, or has refused it."""
    error: EtcdError | None
    """What the caller got in place of an answer."""
    token: str
    """That the request came with."""
    stream: int
    """Which stream of watchers it is about, counted from 1; 0: none."""
    fault: Fault | None
    """The rule that struck."""
    silent: bool
    """Whether the caller got neither an answer nor an error, for the rule, or not yet."""

    @property
    def request(self) -> Any:
        """The request's message, or None."""
        return _message(METHOD[self.path].request, self.request_bytes)

    @property
    def answer(self) -> Any:
        """The answer's message, or None."""
        return _message(METHOD[self.path].response, self.answer_bytes)

    @property
    def was_applied(self) -> bool:
        """Whether the server has looked at the request, whatever the caller got."""
        return self.answer_bytes is not None or (self.error is not None and self.fault is None)

    def __str__(self) -> str:
        name = METHOD[self.path].name + (f"#{self.stream}" if self.stream else "")
        parts = [f"{self.number:>5} {self.seconds:10.3f} s  {name}"]
        if self.request_bytes is not None:
            parts.append(_line(self.request))
        if self.answer_bytes is not None:
            parts.append(f"→ {_line(self.answer) or 'OK'}")
        if self.error is not None:
            parts.append(f"→ {self.error}")
        if self.silent:
            parts.append("→ no answer")
        if self.fault is not None:
            parts.append(f"[{self.fault.then}]")
        return " ".join(part for part in parts if part)


class Journal:
    """The last so many entries, oldest first. Threads may share it."""

    def __init__(self, limit: int) -> None:
        """ValueError unless the limit is positive."""
        if limit < 1:
            raise ValueError(f"a journal has room for one entry or more, not {limit}")
        self._entries: deque[JournalEntry] = deque(maxlen=limit)
        self._numbers = count(1)

    def note(
        self,
        seconds: float,
        path: str,
        request: Message | None = None,
        answer: Message | bytes | None = None,
        error: EtcdError | None = None,
        *,
        token: str = "",
        stream: int = 0,
        fault: Fault | None = None,
        silent: bool = False,
    ) -> None:
        """Keep an entry; the oldest one goes where there is no room."""
        request_bytes = None if request is None else request.SerializeToString()
        answer_bytes = answer.SerializeToString() if isinstance(answer, Message) else answer
        self._entries.append(
            JournalEntry(
                next(self._numbers), seconds, path, request_bytes, answer_bytes, error, token, stream, fault, silent
            )
        )

    def clear(self) -> None:
        """Forget every entry; the next number is the next still."""
        self._entries.clear()

    def __iter__(self) -> Iterator[JournalEntry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __str__(self) -> str:
        return "\n".join(map(str, self))


def _message(kind: type[Message], data: bytes | None) -> Message | None:
    return None if data is None else kind.FromString(data)


def _line(message: Any) -> str:
    if "header" in message.DESCRIPTOR.fields_by_name:  # the rest of a header is the same in every answer
        revision = message.header.revision
        message.ClearField("header")
        return f"revision {revision} {_text(message)}".rstrip()
    return _text(message)


def _text(message: Message) -> str:
    text = str(text_format.MessageToString(message, as_one_line=True)).strip()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
