"""Whether the checker agrees with the oracle on drawn histories, most of them changed a little."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from etcd_lockstep.histories.checking import check
from etcd_lockstep.histories.history import History
from etcd_lockstep.histories.proving.drawn import draw
from etcd_lockstep.histories.proving.mutations import mutated
from etcd_lockstep.histories.proving.oracle import is_linearizable
from etcd_lockstep.histories.verdicts import Linearizable, Unknown, Verdict

MOST_CALLS = 7
"""With more, there are too many orders to try them all."""

_BATCH = 2_000


@dataclass(slots=True)
class Tally:
    """What came of many histories."""

    verdicts: Counter[str] = field(default_factory=Counter)
    """By verdict, and by what the oracle says."""
    disagreements: list[int] = field(default_factory=list)
    """The seeds of histories on which the two differ. Where the checker can't decide, it does not differ."""

    def add(self, other: Tally) -> None:
        self.verdicts += other.verdicts
        self.disagreements += other.disagreements

    @property
    def histories(self) -> int:
        return sum(self.verdicts.values())

    @property
    def unknown(self) -> int:
        return sum(number for name, number in self.verdicts.items() if name.startswith("unknown"))


def history_of(seed: int) -> History:
    """The history of a seed: as it was drawn, or with one or two changes."""
    source = random.Random(seed)
    history = draw(source, calls=source.randint(2, MOST_CALLS))
    for _ in range(source.choice((0, 1, 1, 2))):
        history = mutated(source, history) or history
    return history


def compare(seed: int) -> tuple[Verdict, bool]:
    """What the checker says of the history of a seed, and what the oracle does."""
    history = history_of(seed)
    return check(history), is_linearizable(history)


def tally(seeds: range) -> Tally:
    """Compare many."""
    counted = Tally()
    for seed in seeds:
        verdict, right = compare(seed)
        counted.verdicts[f"{verdict}, the oracle says {'linearizable' if right else 'not'}"] += 1
        if not isinstance(verdict, Unknown) and isinstance(verdict, Linearizable) != right:
            counted.disagreements.append(seed)
    return counted


def tallies(first: int, number: int, processes: int) -> Iterator[Tally]:
    """Compare many in several processes, a batch after the other."""
    batches = [range(start, min(start + _BATCH, first + number)) for start in range(first, first + number, _BATCH)]
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(tally, batches)
