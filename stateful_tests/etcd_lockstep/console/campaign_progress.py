"""How a campaign is getting on: a line for each worker, and one for all."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from etcd_lockstep.campaigns.coordinator import Outcome
from etcd_lockstep.campaigns.definition import Cell
from etcd_lockstep.campaigns.state import CampaignState
from etcd_lockstep.console.progress import ProgressLine

_MOST_WORKERS = 16
"""So many have a line each; of more, the number."""
_SILENT_FOR = 30.0
"""Seconds without news of a worker after which it has no line."""


@dataclass(slots=True)
class _AtWork:
    """What a worker does, as it last reported."""

    number: int
    steps: int
    heard: float


class CampaignBoard:
    """What is known of a campaign while it runs. Any thread may report to it, and read it."""

    def __init__(self, state: CampaignState) -> None:
        by_status = state.by_status()
        self.total = state.campaign.total
        """How many shards there are; None where the steps decide."""
        self.done = by_status.get("done", 0)
        self.failed = by_status.get("failed", 0)
        self.steps = sum(state.steps_of_pairs().values())
        """Of the shards that are done."""
        self.findings = len(state.rows("SELECT 1 FROM findings"))
        self.workers: dict[str, _AtWork] = {}
        self._cells: dict[int, Cell] = {}
        self._lock = threading.Lock()

    def began(self, number: int, cell: Cell) -> None:
        with self._lock:
            self._cells[number] = cell

    def on_progress(self, how_far: dict[str, Any]) -> None:
        """As `cluster.OnProgress` has it."""
        with self._lock:
            if how_far["number"] in self._cells:
                self.workers[how_far["worker"]] = _AtWork(how_far["number"], how_far["steps"], time.monotonic())

    def ended(self, outcome: Outcome) -> None:
        with self._lock:
            self._cells.pop(outcome.number, None)
            self.workers.pop(outcome.worker, None)
            if outcome.result is not None:
                self.done += 1
                self.steps += outcome.result.steps
            else:
                self.failed += 1

    @property
    def under_way(self) -> int:
        """How many shards are."""
        with self._lock:
            return len(self._cells)

    @property
    def steps_so_far(self) -> int:
        """Those of the shards that are under way, too."""
        with self._lock:
            return self.steps + sum(one.steps for one in self.workers.values())

    def lines(self) -> list[str]:
        """One for each worker that has reported lately."""
        with self._lock:
            at_work = [
                f"{name.removeprefix('tcp://')}: shard {one.number}, {self._cells[one.number]}: {one.steps:,} steps"
                for name, one in sorted(self.workers.items())
                if one.number in self._cells and time.monotonic() - one.heard < _SILENT_FOR
            ]
        more = len(at_work) - _MOST_WORKERS
        return [*at_work[:_MOST_WORKERS], *([f"and {more} more workers"] if more > 0 else [])]


class CampaignProgress(ProgressLine):
    """The lines of the workers on a terminal, and below them, or alone elsewhere, the one for all."""

    def __init__(self, console: Console, board: CampaignBoard) -> None:
        self._board = board
        self._before = board.steps
        super().__init__(console)

    def line(self) -> str:
        board = self._board
        steps = board.steps_so_far
        rate = (steps - self._before) / self.elapsed if self.elapsed > 0.5 else 0
        total = "" if board.total is None else f" of {board.total:,}"
        parts = [
            f"{board.done:,}{total} {'shard' if board.total is None and board.done == 1 else 'shards'}",
            f"{board.under_way} under way",
            f"{steps:,} steps",
            f"{max(rate, 0):,.0f} steps/s",
            f"{board.findings} {'lie' if board.findings == 1 else 'lies'}",
            *([f"{board.failed} failed"] if board.failed else []),
        ]
        workers = board.lines() if self._console.is_terminal else []
        return "\n".join([*workers, "  ".join(parts)])
