"""What clients do in a round: what is drawn until the time is over, or the calls that a file or a shrinker names."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event
from typing import Protocol, TypeAlias

from etcd_lockstep.histories import Indefinite, Outcome
from etcd_lockstep.stressing.nemesis import Nemesis, Planned
from etcd_lockstep.stressing.programs import Draw, Program
from etcd_lockstep.trace import RevisionAt, Symbol, Trace, substitute
from etcd_model.errors import Error

_LOOK_SECONDS = 0.001
"""After which the nemesis looks again how many calls were made."""

Made: TypeAlias = Callable[[], int]
"""How many calls have returned."""


class Script(Protocol):
    """What the clients of one round do, who count from 1, and the nemesis."""

    @property
    def ends(self) -> bool:
        """Whether a round is over when its clients are through, and not after a time."""

    @property
    def clients(self) -> int:
        """How many there are."""

    def programs(self, client: int, revision: int) -> Iterator[Program]:
        """What a client does, one after the other. `revision`: of the store, before anybody's first call."""

    def disturb(self, nemesis: Nemesis, made: Made, ended: Event) -> Planned | None:
        """Have a fault done, and return it. Raises what `Nemesis.do` does."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Drawn from a seed."""

    clients: int
    seed: int
    number: int
    """Of the round."""
    capabilities: frozenset[str]
    """What the store can be asked."""
    value_bytes: int = 0
    """The size of big values; 0 for none."""

    ends = False

    def programs(self, client: int, revision: int) -> Iterator[Program]:
        del revision
        big = self.value_bytes + client if self.value_bytes else 0
        draw = Draw(self._source(client), f"{self.number}.{client}", self.capabilities, big)
        while (program := draw.program()) is not None:
            yield program

    def disturb(self, nemesis: Nemesis, made: Made, ended: Event) -> Planned:
        del made
        return nemesis.disturb(self._source("nemesis"), ended)

    def _source(self, who: object) -> random.Random:
        return random.Random(f"{self.seed}/{self.number}/{who}")


@dataclass(frozen=True, slots=True)
class Fixed:
    """So many calls of each client, and at most one fault."""

    traces: tuple[Trace, ...]
    """The calls of each client. A symbol in them is about the client's own earlier calls: `RevisionAt(2)` is the
    revision at which its second one was answered, or the last one before it that was, and `RevisionAt(0)` the store's
    before the first call of all."""
    fault: Planned | None = None
    after: int = 0
    """How many calls have returned when the fault begins."""

    ends = True

    @property
    def clients(self) -> int:
        return len(self.traces)

    @property
    def calls(self) -> int:
        """Of all clients."""
        return sum(map(len, self.traces))

    def programs(self, client: int, revision: int) -> Iterator[Program]:
        yield _one_after_the_other(self.traces[client - 1], revision)

    def disturb(self, nemesis: Nemesis, made: Made, ended: Event) -> Planned | None:
        if self.fault is None:
            return None
        while made() < self.after and not ended.wait(_LOOK_SECONDS):
            pass
        nemesis.do(self.fault, ended)
        return self.fault


def _one_after_the_other(trace: Trace, revision: int) -> Program:
    revisions = [revision]

    def concrete(symbol: Symbol) -> int:
        if not isinstance(symbol, RevisionAt):
            raise AssertionError(symbol)
        return max(0, revisions[symbol.step] + symbol.plus)

    for operation in trace:
        outcome = yield substitute(operation, concrete)
        revisions.append(revision_after(outcome, revisions[-1]))


def revision_after(outcome: Outcome, before: int) -> int:
    """The revision at which a call was answered, or else that of the answer before."""
    answered = 0 if isinstance(outcome, Error | Indefinite) else outcome.revision
    return answered if answered > 0 else before
