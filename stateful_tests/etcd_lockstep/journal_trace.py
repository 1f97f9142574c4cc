"""A session on the fake, as its journal has it, becomes a trace that can be replayed on any target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Protocol

from etcd_lockstep.codec import Inexpressible, decode_request, decode_watch_request
from etcd_lockstep.trace import MemberOf, RevisionAt, TokenOf, Trace, bare, may_hold
from etcd_model import operations as op

_WATCH = "/etcdserverpb.Watch/Watch"
_FIRST_REVISION = 1
_LONGEST_PAUSE = 3600
"""Seconds of one Advance in a file."""


class Entry(Protocol):
    """What is needed of a `fake_etcd.JournalEntry`, whose documentation says what each of these is."""

    @property
    def number(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def path(self) -> str: ...
    @property
    def request(self) -> Any: ...
    @property
    def answer(self) -> Any: ...
    @property
    def token(self) -> str: ...
    @property
    def stream(self) -> int: ...
    @property
    def fault(self) -> object | None: ...
    @property
    def silent(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """The trace of a session, and a line for each thing that it lacks."""

    trace: Trace
    left_out: tuple[str, ...]


def trace_of(journal: Iterable[Entry]) -> RecordedSession:
    """The session that a journal holds (`FakeEtcd(journal=1000).journal`), as a trace.

    Requests stand in the order in which they were answered. Revisions, tokens and the ids of members become symbols; a
    lease is granted with the id that the fake picked, so that the keys of locks hold. Once there is a lease, whole
    seconds between two requests become an `Advance`. At the end, each stream of watchers is read.
    """
    return _Recorder().record(journal)


class _Recorder:
    def __init__(self) -> None:
        self._steps: list[op.Operation] = []
        self._left_out: list[str] = []
        self._revisions = [(_FIRST_REVISION, 0)]
        """Those reported, each with the first step after which the store had it, ascending."""
        self._tokens: dict[str, int] = {}
        self._members: dict[int, int] = {}
        self._streams: dict[int, None] = {}
        self._begun: set[tuple[str, bytes]] = set()
        self._clock: float | None = None
        """Up to where the trace has time go by; None before there is a lease."""

    def record(self, journal: Iterable[Entry]) -> RecordedSession:
        for index, entry in enumerate(journal):
            if not index and entry.number > 1:
                self._left_out.append(f"entries 1 to {entry.number - 1}: the journal had no room for them any more")
            if entry.request is not None:
                self._note(entry)
        self._steps += [op.WatchRead(stream) for stream in self._streams]
        return RecordedSession(tuple(self._steps), tuple(self._left_out))

    def _note(self, entry: Entry) -> None:
        name = f"entry {entry.number}, {entry.path.rpartition('/')[2]}"
        if entry.fault is not None:
            self._left_out.append(f"{name}: a rule of faults struck it")
            return
        call = entry.path, entry.request.SerializeToString()
        if entry.silent:  # the beginning of a stream of answers, whose end has an entry too
            self._begun.add(call)
        elif call in self._begun:
            self._begun.remove(call)
            return
        header = getattr(entry.answer, "header", None)
        try:
            operation = self._operation(entry, header.member_id if header is not None else 0)
        except Inexpressible as reason:
            self._left_out.append(f"{name}: {reason}")
            return
        self._let_time_pass(entry.seconds)
        if isinstance(operation, op.LeaseGrant) and entry.answer is not None:
            operation = replace(operation, id=entry.answer.ID)
            self._clock = entry.seconds if self._clock is None else self._clock
        operation = self._with_symbols(operation)
        if entry.token:
            token = self._tokens.get(entry.token)
            operation = op.As(entry.token if token is None else TokenOf(token), operation)
        self._steps.append(operation)
        if entry.path.endswith("/Authenticate") and entry.answer is not None:
            self._tokens[entry.answer.token] = len(self._steps)
        if isinstance(bare(operation), op.MemberAdd) and entry.answer is not None:
            self._members[entry.answer.member.ID] = len(self._steps)
        if header is not None and header.revision > self._revisions[-1][0]:
            self._revisions.append((header.revision, len(self._steps)))

    def _operation(self, entry: Entry, member_id: int) -> op.Operation:
        if entry.path != _WATCH:
            return decode_request(entry.path, entry.request, member_id)
        operation = decode_watch_request(entry.request, entry.stream)
        self._streams[entry.stream] = None
        return operation

    def _let_time_pass(self, now: float) -> None:
        while self._clock is not None and now - self._clock >= 1:
            seconds = min(int(now - self._clock), _LONGEST_PAUSE)
            self._steps.append(op.Advance(seconds))
            self._clock += seconds

    def _with_symbols(self, value: Any) -> Any:
        """The operation, or a part of one, with its revisions relative to those reported before, and its members named
        by the steps that added them."""
        changed: dict[str, Any] = {}
        for field in fields(value):
            held = getattr(value, field.name)
            if isinstance(held, tuple):
                changed[field.name] = tuple(self._with_symbols(one) if is_dataclass(one) else one for one in held)
            elif is_dataclass(held):
                changed[field.name] = self._with_symbols(held)
            elif RevisionAt in may_hold(type(value), field.name) and self._is_revision(value, held):
                revision, step = max(one for one in self._revisions if one[0] <= held)
                changed[field.name] = RevisionAt(step, held - revision)
            elif MemberOf in may_hold(type(value), field.name) and held in self._members:
                changed[field.name] = MemberOf(self._members[held])
        return replace(value, **changed)

    @staticmethod
    def _is_revision(holder: Any, held: Any) -> bool:
        """Zero is none, and stands for the current one or for a key that isn't there."""
        if isinstance(holder, op.Compare) and holder.target not in (op.CompareTarget.CREATE, op.CompareTarget.MOD):
            return False
        return isinstance(held, int) and held >= _FIRST_REVISION
