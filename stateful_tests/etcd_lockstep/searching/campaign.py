"""A fuzz run: arena by arena, each for its share of the time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from etcd_lockstep.catalogue import Own
from etcd_lockstep.searching.fuzzing import STEPS, fuzz
from etcd_lockstep.searching.lanes import LanedSearch
from etcd_lockstep.searching.run import Run
from etcd_lockstep.searching.search import Lie, Search
from etcd_lockstep.servers import Endpoint, EtcdSource
from etcd_lockstep.strategies.arenas import ARENAS, Arena
from etcd_lockstep.strategies.families import FAMILIES
from etcd_lockstep.target import ALL


def _silent(line: str) -> None:
    del line


class NothingToDo(ValueError):
    """The options leave nothing to run."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is searched, on what, and for how long."""

    source: EtcdSource
    against: Sequence[str | Own | EtcdSource] = ()
    families: Collection[str] = tuple(FAMILIES)
    seconds: float | None = None
    """Of all arenas together."""
    examples: int | None = None
    """Of each arena."""
    steps: int = STEPS
    seed: int = 0
    remember: bool = True
    """Whether Hypothesis's database of earlier runs is read and written."""
    allow_destroy: bool = False

    @property
    def starts_all(self) -> bool:
        """Whether every store of the run is one that we start, as our settings will have it. A client that is held
        against them has one too, but leaves the alarms in it when it is emptied."""
        ours = (held for held in (self.source, *self.against) if held != "fake-server")
        return not any(isinstance(held, Own | Endpoint | str) for held in ours)


@dataclass(frozen=True, slots=True)
class Stage:
    """One arena of a run, its targets started."""

    arena: Arena
    run: Run
    search: Search
    operations: tuple[str, ...]
    seconds: float | None

    @property
    def drawn(self) -> list[str]:
        """The families that are drawn whole, and the operations of those that are not."""
        told = []
        for family in FAMILIES:
            drawn = [name for name in FAMILIES[family] if name in self.operations]
            told += [family] if len(drawn) == len(FAMILIES[family]) else drawn
        return told


class Campaign:
    """The stages of a run, one after the other, and what they have found so far."""

    def __init__(
        self,
        plan: Plan,
        *,
        progress: Callable[[str], None] = lambda _line: None,
        on_shrinking: Callable[[str], None] = lambda _what: None,
        on_lie: Callable[[Lie, Run], None] = lambda _lie, _run: None,
    ) -> None:
        """`progress` is told what a long wait is for; `on_shrinking` and `on_lie` as in `Search`."""
        self.plan = plan
        self.searches: list[Search] = []
        """One a stage, in their order."""
        self._seconds_left = plan.seconds
        self._progress = progress
        self._on_shrinking = on_shrinking
        self._on_lie = on_lie

    @property
    def lies(self) -> list[Lie]:
        """All that were found."""
        return [lie for search in self.searches for lie in search.lies]

    def stages(self) -> Iterator[Stage]:
        """Each stage, to be run before the next is asked for. Raises `NothingToDo`, and what `Run` does."""
        families = self.plan.families
        wanted = [arena for arena in ARENAS if set(arena.families) & set(families)]
        asked = [arena for arena in wanted if self.plan.starts_all or not arena.settled]
        known: frozenset[str] = ALL
        for number, arena in enumerate(asked):
            if not arena.operations(families, known):
                continue
            with self._started(arena) as run:
                known = run.capabilities  # the targets are the same everywhere, and so is what they know
                operations = arena.operations(families, known)
                if operations:
                    left = [one for one in asked[number:] if one.operations(families, known)]
                    yield self._stage(arena, run, operations, left)
        for arena in wanted:
            if arena not in asked and arena.operations(families, known):
                self._progress(f"{arena.name}: left out, for not every store of this run is one that it starts")
        if not self.searches:
            raise NothingToDo(f"no target of this run knows an operation of {', '.join(families)}")

    def _stage(self, arena: Arena, run: Run, operations: tuple[str, ...], left: Sequence[Arena]) -> Stage:
        """The first of the arenas that are left."""
        seconds = None
        if self._seconds_left is not None:
            seconds = self._seconds_left * arena.share / sum(one.share for one in left)
            self._seconds_left -= seconds
        return Stage(arena, run, self._search(run, timed="advance" in operations), operations, seconds)

    def fuzz(self, stage: Stage) -> None:
        """Run one stage. Raises `TargetGone`."""
        fuzz(
            stage.search,
            stage.arena,
            stage.operations,
            stage.run.keys,
            last_look="hash_kv" in stage.run.capabilities,
            seconds=stage.seconds,
            examples=self.plan.examples,
            seed=self.plan.seed,
            steps=self.plan.steps,
            remember=self.plan.remember,
        )

    def _started(self, arena: Arena) -> Run:
        return Run(
            self.plan.source,
            self.plan.against,
            settings=arena.settings,
            lanes=arena.lanes,
            allow_destroy=self.plan.allow_destroy,
            progress=_silent if self.searches else self._progress,  # where the etcd comes from is said once
        )

    def _search(self, run: Run, *, timed: bool) -> Search:
        options: dict[str, Any] = {
            "twins": run.twins,
            "known": self.lies,
            "on_lie": lambda lie: self._on_lie(lie, run),
            "on_shrinking": self._on_shrinking,
        }
        search = LanedSearch(run.lanes, **options) if timed else Search(run.model, run.others, **options)
        self.searches.append(search)
        return search
