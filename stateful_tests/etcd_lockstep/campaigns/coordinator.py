"""The coordinator of a campaign: plans, hands shards out, and takes in what came of them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from etcd_lockstep.campaigns.definition import Cell
from etcd_lockstep.campaigns.planning import round_of
from etcd_lockstep.campaigns.state import CampaignState
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.shards.result import ShardResult
from etcd_lockstep.shards.shard import Shard

ATTEMPTS = 3
"""So many failures one after the other end the search of a cell, until the campaign is resumed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a shard: its result, or why there is none."""

    number: int
    worker: str
    result: ShardResult | None
    code: int = 0
    """The exit code for what ended it early."""
    reason: str = ""


class Executor(Protocol):
    """What runs shards."""

    @property
    def capacity(self) -> int:
        """How many it can run at the same time, now."""

    def submit(self, number: int, shard: Shard) -> None:
        """Begin a shard."""

    def wait(self) -> Outcome | None:
        """The next that has ended; None where none has for a while. Raises `ClusterGone`."""


class ClusterGone(Exception):
    """The cluster has no scheduler any more, or never had one."""


@dataclass(frozen=True, slots=True)
class CampaignListener:
    """What is called while a campaign runs, in its own thread."""

    on_begin: Callable[[int, Cell], None] = lambda _number, _cell: None
    on_outcome: Callable[[Outcome, Cell], None] = lambda _outcome, _cell: None
    on_finding: Callable[[Finding], None] = lambda _finding: None
    """One that is new in the state."""
    on_line: Callable[[str], None] = lambda _line: None


class Coordinator:
    """Runs the campaign of a state to its end, on an executor."""

    def __init__(self, state: CampaignState, executor: Executor, listener: CampaignListener) -> None:
        self.code = Exit.AGREED
        """Of what kept a cell from being searched; that of cells which are left out is REFUSED."""
        self._state = state
        self._campaign = state.campaign
        self._executor = executor
        self._listener = listener
        self._waiting = deque(state.to_run())
        self._running: dict[int, tuple[int, Cell]] = {}
        self._failures = Counter[Cell]()
        self._closed: dict[Cell, Outcome] = {}
        """Those that are left out, and for what."""
        self._steps = state.steps_of_pairs()

    def run(self) -> None:
        """Until every shard is done or can't be. Raises what the executor does."""
        while True:
            capacity = self._executor.capacity
            while len(self._running) < capacity and (shard := self._next()) is not None:
                self._begin(*shard)
            if capacity and not self._running:
                return
            outcome = self._executor.wait()
            if outcome is not None:
                self._take_in(outcome)

    def _begin(self, number: int, round_number: int, cell: Cell) -> None:
        self._state.begin(number)
        self._running[number] = round_number, cell
        self._executor.submit(number, self._campaign.shard(number, cell))
        self._listener.on_begin(number, cell)

    def _next(self) -> tuple[int, int, Cell] | None:
        """The next shard that can be begun now."""
        while True:
            while self._waiting:
                number, round_number, cell = self._waiting.popleft()
                if (closed := self._closed.get(cell)) is None:
                    return number, round_number, cell
                self._state.failed(number, closed.code, closed.reason)
            if not self._plan():
                return None

    def _plan(self) -> bool:
        """Plan a round, if there is one to plan and what it depends on is known. Whether it was."""
        number, planned, total = self._state.next_round, self._state.shards_planned, self._campaign.total
        known = number - (2 if self._campaign.steps is None else 1)  # how many steps there are, all rounds say
        if any(round_number <= known for round_number, _ in self._running.values()):
            return False
        refused = self._state.refused(known)
        cells = [cell for cell in self._state.cells if cell not in refused and self._is_wanted(cell)]
        if not cells or (total is not None and planned >= total):
            return False
        thin = {} if self._state.uniform else self._state.thin_areas()
        chosen = round_of(cells, self._state.turns, thin)
        self._state.plan(number, chosen[: None if total is None else total - planned])
        self._waiting.extend(self._state.to_run())
        return True

    def _is_wanted(self, cell: Cell) -> bool:
        """Whether it hasn't been searched enough, and can be. One that was refused is asked for by its round."""
        closed = self._closed.get(cell)
        if closed is not None and closed.code != Exit.REFUSED:
            return False
        return not 0 < (self._campaign.steps or 0) <= self._steps[cell.pair]

    def _take_in(self, outcome: Outcome) -> None:
        _, cell = self._running.pop(outcome.number)
        self._listener.on_outcome(outcome, cell)
        if outcome.result is not None and not outcome.code:
            self._failures.pop(cell, None)
            self._steps[cell.pair] += outcome.result.steps
            for finding in self._state.done(outcome.number, outcome.result):
                self._listener.on_finding(finding)
            return
        self._state.failed(outcome.number, outcome.code, outcome.reason)
        self._failures[cell] += 1
        if outcome.code == Exit.REFUSED or self._failures[cell] == ATTEMPTS:
            self._closed[cell] = outcome
            self._listener.on_line(f"{cell}: left out from now on: {outcome.reason}")
        if outcome.code != Exit.REFUSED or self.code == Exit.AGREED:
            self.code = Exit(outcome.code)
