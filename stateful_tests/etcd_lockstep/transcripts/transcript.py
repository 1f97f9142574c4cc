"""A transcript: operations, and what etcd says to each. Replaying one needs no model.

Expected answers are in the terms that all targets share (see `observation`): revisions count from
1, the revision of the empty store; `LeaseOf(1)` is the id that the server picked at step 1;
`RevisionAt(2)` in an operation is the revision that the answer to step 2 told.

Leases are granted by etcd's default timings, where no TTL is under 2 s.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from etcd_lockstep.observation import View, allow_for_elapsed, observe
from etcd_lockstep.target import Target
from etcd_lockstep.trace import LeaseOf, RevisionAt, Symbol, substitute
from etcd_model.errors import Error
from etcd_model.operations import LeaseGrant
from etcd_model.operations import Operation as Op
from etcd_model.quirks import Quirks
from etcd_model.results import KeyValue, LeaseGrantResult, Result


@dataclass(frozen=True, slots=True)
class Since:
    """An answer that changed: the quirk it changed with, and what is said without it and with it."""

    quirk: str
    without: Result
    having: Result

    def said_by(self, quirks: Quirks) -> Result:
        return self.having if getattr(quirks, self.quirk) else self.without


@dataclass(frozen=True, slots=True)
class Transcript:
    """What etcd says, step by step. The name is a sentence that tells the behaviour."""

    name: str
    steps: tuple[tuple[Op, Result | Since], ...]
    needs: str = ""
    """The quirk without which one of these requests would kill a server, or has no words for what is asked."""

    def holds_for(self, quirks: Quirks) -> bool:
        return not self.needs or bool(getattr(quirks, self.needs))


def says(name: str, *steps: tuple[Op, Result | Since], needs: str = "") -> Transcript:
    """`says("etcd does this", (operation, answer), …)`."""
    return Transcript(name, steps, needs)


def kv(key: bytes, value: bytes, create: int, mod: int, version: int, lease: int = 0) -> KeyValue:
    """A key-value in one short line."""
    return KeyValue(key, value, create, mod, version, lease)


class Departure(AssertionError):
    """A target did not say what the transcript says."""

    def __init__(self, transcript: Transcript, number: int, target: Target, expected: object, got: object) -> None:
        operation, _ = transcript.steps[number - 1]
        super().__init__(
            f"{transcript.name}\nstep {number}: {operation}\n  expected: {expected}\n  {target.name}: {got}"
        )
        self.step = number


def replay(transcript: Transcript, target: Target, base: int, quirks: Quirks) -> None:
    """Raises `Departure` at the first answer that is not as written. `base` is the target's revision before it."""
    view = View(base)
    revisions = [1]

    def fill_in(symbol: Symbol) -> int:
        match symbol:
            case LeaseOf(step=step):
                return view.lease_ids[step]
            case RevisionAt(step=step, plus=plus):
                return base - 1 + revisions[step] + plus
            case _:
                raise AssertionError(symbol)

    started = time.monotonic()
    for number, (operation, answer) in enumerate(transcript.steps, 1):
        expected = answer.said_by(quirks) if isinstance(answer, Since) else answer
        result = target.apply(substitute(operation, fill_in))
        if isinstance(result, LeaseGrantResult) and isinstance(operation, LeaseGrant):
            view.name_lease(number, result.id, picked_by_server=operation.id == 0)
        got = allow_for_elapsed(observe(result, view), expected, time.monotonic() - started)
        if got != expected:
            raise Departure(transcript, number, target, expected, got)
        revisions.append(revisions[-1] if isinstance(expected, Error) else expected.revision)
