"""Progress: what was done so far, and the time left; in place on a terminal, as lines elsewhere."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

from etcd_lockstep.interleaving.searching import Races
from etcd_lockstep.shards.result import WorkloadSummary
from etcd_lockstep.stressing.run import Tally
from etcd_lockstep.stressing.shrinking import Reruns, Shrinking
from etcd_lockstep.targets.deadline import waiting_for

_LINE_EVERY = 10.0
"""Seconds between two lines where the output is no terminal."""


Self = TypeVar("Self", bound="ProgressLine")  # Python 3.10's typing has none


class ProgressLine(ABC):
    """A context manager that shows a line until it is left; it may be entered again."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._done = threading.Event()
        self._next_line = self._started + _LINE_EVERY
        """When the next is printed: it may be entered and left many times meanwhile."""
        self._live = Live(get_renderable=self._line, console=console, refresh_per_second=4, transient=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @abstractmethod
    def line(self) -> str:
        """What there is to say now."""

    def _line(self) -> Text:
        return Text(self.line().rstrip(), style="cyan", overflow="ellipsis", no_wrap=True)

    def _print_lines(self) -> None:
        while not self._done.wait(max(self._next_line - time.monotonic(), 0)):
            self._next_line = time.monotonic() + _LINE_EVERY
            self._console.print(self._line())

    def __enter__(self: Self) -> Self:
        self._done.clear()
        if self._console.is_terminal:
            self._live.start()
        else:
            threading.Thread(target=self._print_lines, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        if self._console.is_terminal:
            self._live.stop()


class Searching(Protocol):
    """A search that goes on: a `ShardRun` or a `ShardPool`."""

    @property
    def workloads(self) -> Sequence[WorkloadSummary]: ...

    @property
    def findings(self) -> int: ...

    @property
    def doing(self) -> str: ...


class SearchProgress(ProgressLine):
    """How a search is getting on: sequences, steps, steps a second, lies so far, and what it does besides."""

    def __init__(
        self, console: Console, search: Searching, seconds: float | None, nouns: tuple[str, str] = ("lie", "lies")
    ) -> None:
        """`search` is asked anew for each line. `seconds`: how long it is to take. `nouns`: what one finding is called,
        and several."""
        self._search = search
        self._seconds = seconds
        self._nouns = nouns
        super().__init__(console)

    def line(self) -> str:
        elapsed = self.elapsed
        workloads, findings = self._search.workloads, self._search.findings
        sequences = sum(workload.sequences for workload in workloads)
        steps = sum(workload.steps for workload in workloads)
        rate = steps / elapsed if elapsed > 0.5 else 0
        number = f"{findings} {self._nouns[findings != 1]}"
        line = f"{sequences:,} sequences  {steps:,} steps  {rate:,.0f} steps/s  {number}"
        if self._seconds is not None:
            line += f"  {max(self._seconds - elapsed, 0):.0f} s left"
        return "  ".join(filter(None, (line, self._search.doing, waiting_for())))


class StressProgress(ProgressLine):
    """How a run of `stress` is getting on: rounds, calls, those of unknown outcome, faults."""

    def __init__(self, console: Console, tally: Tally, seconds: float) -> None:
        """`tally` is read anew for each line. `seconds`: how long the run is to take."""
        self._tally = tally
        self._seconds = seconds
        super().__init__(console)

    def line(self) -> str:
        tally = self._tally
        return (
            f"{tally.rounds:,} rounds  {tally.calls:,} calls  {tally.indefinite:,} indefinite  "
            f"{sum(tally.faults.values()):,} faults  {max(self._seconds - self.elapsed, 0):.0f} s left"
        )


class ShrinkingProgress(ProgressLine):
    """How often calls were made again, and how few of them are left that fail."""

    def __init__(self, console: Console, reruns: Reruns, shrinking: Shrinking | None = None) -> None:
        """Both are read anew for each line. `shrinking`: None where the calls stay as they are."""
        self._reruns = reruns
        self._shrinking = shrinking
        super().__init__(console)

    def line(self) -> str:
        line = f"{self._reruns.runs:,} runs"
        if self._shrinking is None:
            return line
        smallest = self._shrinking.smallest
        so_far = "" if smallest is None else f"{smallest.script.clients:,} clients  {smallest.script.calls:,} calls"
        return f"making it smaller: {line}  {so_far}"


class RacesProgress(ProgressLine):
    """How a search for races in this process is getting on: programs, and runs of them."""

    def __init__(self, console: Console, tally: Races, seconds: float) -> None:
        """`tally` is read anew for each line. `seconds`: how long the search is to take."""
        self._tally = tally
        self._seconds = seconds
        super().__init__(console)

    def line(self) -> str:
        left = max(self._seconds - self.elapsed, 0)
        return f"{self._tally.programs:,} programs  {self._tally.runs:,} runs  {left:.0f} s left"
