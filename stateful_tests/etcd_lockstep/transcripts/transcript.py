"""A transcript: operations, and what etcd says to each.

Expected answers are in the terms that all targets share (see `observation`): revisions count from
1, the revision of the empty store; `LeaseOf(1)` is the id that the server picked at step 1;
`RevisionAt(2)` in an operation is the revision that the answer to step 2 reported; `TOKEN` is any token,
and `RIGHT` the right hash.

Leases are granted by etcd's default timings, where no TTL is under 2 s.

Replaying one needs no model, but where time passes or a hash is asked for: when a real server revokes what has
expired is not for a table to report, and a hash is over the revisions as the server counts them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from etcd_lockstep.comparing.lockstep import Skipped
from etcd_lockstep.comparing.observation import Observation, View, allow_for_elapsed, observe
from etcd_lockstep.comparing.timed import TimedLockstep
from etcd_lockstep.target import Target
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import LeaseOf, MemberOf, RevisionAt, Symbol, TokenOf, bare, substitute
from etcd_model.errors import Error
from etcd_model.operations import Advance, HashKV, Put, WatchRead
from etcd_model.operations import Operation as Op
from etcd_model.quirks import Quirks
from etcd_model.results import Event, KeyValue, PutResult, Result, Watched, WatchReadResult

TOKEN = "a token"
RIGHT = 0


@dataclass(frozen=True, slots=True)
class Since:
    """An answer that changed: the quirk it changed with, and what is said without it and with it."""

    quirk: str
    without: Answer
    having: Answer

    def said_by(self, quirks: Quirks) -> Result:
        return said(self.having if getattr(quirks, self.quirk) else self.without, quirks)

    def quirks(self) -> Iterator[str]:
        """All quirks that the answer depends on."""
        yield self.quirk
        for answer in (self.without, self.having):
            if isinstance(answer, Since):
                yield from answer.quirks()


@dataclass(frozen=True, slots=True)
class ByVersion:
    """An answer that reports the version."""

    reported: Callable[[Quirks], Result]


Answer: TypeAlias = Result | Since | ByVersion


def said(answer: Answer, quirks: Quirks) -> Result:
    """The answer of a version."""
    match answer:
        case Since():
            return answer.said_by(quirks)
        case ByVersion(reported=reported):
            return reported(quirks)
        case _:
            return answer


Step: TypeAlias = tuple[Op, Answer]


@dataclass(frozen=True, slots=True)
class Transcript:
    """What etcd says, step by step. The name is a sentence that reports the behaviour."""

    name: str
    steps: tuple[Step, ...]
    needs: str = ""
    """The quirk without which one of these requests would kill a server, or has no words for what is asked, or
    leads elsewhere."""
    lacks: str = ""
    """The quirk with which it would."""

    def holds_for(self, quirks: Quirks) -> bool:
        return (not self.needs or bool(getattr(quirks, self.needs))) and not (
            self.lacks and getattr(quirks, self.lacks)
        )

    @property
    def takes_a_model(self) -> bool:
        """Whether it can be replayed in lockstep only."""
        return any(isinstance(bare(operation), Advance | HashKV) for operation, _ in self.steps)


def says(name: str, *steps: Step, needs: str = "", lacks: str = "") -> Transcript:
    """`says("etcd does this", (operation, answer), …)`."""
    return Transcript(name, steps, needs, lacks)


def written(*revisions: int, key: bytes = b"a") -> tuple[Step, ...]:
    """One key put again and again, at these revisions, each time with the number of the put for a value."""
    return tuple((Put(key, b"%d" % number), PutResult(revision)) for number, revision in enumerate(revisions, 1))


def kv(key: bytes, value: bytes, create: int, mod: int, version: int, lease: int = 0) -> KeyValue:
    """A key-value in one short line."""
    return KeyValue(key, value, create, mod, version, lease)


def was_put(
    key: bytes, value: bytes, create: int, mod: int, version: int, lease: int = 0, prev: KeyValue | None = None
) -> Event:
    """The event of a put."""
    return Event(0, kv(key, value, create, mod, version, lease), prev)


def was_deleted(key: bytes, revision: int, prev: KeyValue | None = None) -> Event:
    """The event of a delete, whose key-value has nothing else."""
    return Event(1, kv(key, b"", 0, revision, 0), prev)


def reported(revision: int, *watches: Watched, progress: tuple[int, ...] = (), stream: int = 0) -> Step:
    """All that a stream has delivered; `revision` is that of the read's own put, or second put."""
    return WatchRead(stream), WatchReadResult(revision, watches, progress)


class Departure(AssertionError):
    """A target did not say what the transcript says."""

    def __init__(self, transcript: Transcript, number: int, target: Target, expected: object, got: object) -> None:
        operation, _ = transcript.steps[number - 1]
        super().__init__(
            f"{transcript.name}\nstep {number}: {operation!r:.2000}\n  expected: {expected}\n  {target.name}: {got}"
        )
        self.step = number


def replay(transcript: Transcript, target: Target, base: int, quirks: Quirks) -> None:
    """Raises `Departure` at the first answer that is not as written. `base` is the target's revision before it."""
    view = View(base, target.auth_revision())
    revisions = [1]

    def fill_in(symbol: Symbol) -> int | str:
        match symbol:
            case LeaseOf(step=step):
                return view.lease_ids[step]
            case RevisionAt(step=step, plus=plus):
                return base - 1 + revisions[step] + plus
            case TokenOf(step=step):
                return view.tokens[step]
            case MemberOf(step=step):
                return view.member_ids[step]
            case _:
                raise AssertionError(symbol)

    started = time.monotonic()
    for number, (operation, answer) in enumerate(transcript.steps, 1):
        expected = said(answer, quirks)
        result = target.apply(substitute(operation, fill_in))
        view.learn(number, operation, result)
        got = allow_for_elapsed(observe(result, view), expected, time.monotonic() - started)
        if got != expected:
            raise Departure(transcript, number, target, expected, got)
        revisions.append(revisions[-1] if isinstance(expected, Error) else max(revisions[-1], expected.revision))


def replay_in_lockstep(transcript: Transcript, model: ModelTarget, *others: Target) -> None:
    """The same, with the model beside the target: the model says what is written, and no target anything that the
    model could not say at that time. Raises `Departure`, or `Skipped` at a step that is to be sent to nobody."""
    lockstep = TimedLockstep(model, others)
    lockstep.start()
    for number, (operation, answer) in enumerate(transcript.steps, 1):
        expected: Observation = said(answer, model.server.quirks)
        try:
            step = lockstep.step(operation)
        except Skipped as refused:
            raise Skipped(f"{transcript.name}, step {number}, {operation}: {refused}") from None
        if step.observations[model.name] != expected:
            raise Departure(transcript, number, model, expected, step.observations[model.name])
        for divergence in step.divergences:
            for target in others:
                raise Departure(transcript, number, target, expected, (step.observations[target.name], divergence))
