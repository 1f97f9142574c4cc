"""Progress: sequences, steps, steps a second, lies so far, time left; in place on a terminal, as lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from etcd_lockstep.searching.search import Search
from etcd_lockstep.targets.deadline import waiting_for

_LINE_EVERY = 10.0
"""Seconds between two lines where the output is no terminal."""


class Progress:
    """A context manager that shows how searches are getting on until it is left; it may be entered again."""

    def __init__(self, console: Console, searches: Sequence[Search], seconds: float | None) -> None:
        """`searches` may grow meanwhile. `seconds`: how long they are to take together."""
        self._console = console
        self._searches = searches
        self._seconds = seconds
        self._started = time.monotonic()
        self._doing = ""
        self._done = threading.Event()
        self._next_line = self._started + _LINE_EVERY
        """When the next is printed: it may be entered and left many times meanwhile."""
        self._live = Live(get_renderable=self._line, console=console, refresh_per_second=4, transient=True)

    def doing(self, what: str) -> None:
        """Say what the search is busy with besides searching; nothing where it is empty."""
        self._doing = what

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def _line(self) -> Text:
        elapsed = self.elapsed
        sequences = sum(search.sequences for search in self._searches)
        steps = sum(search.steps for search in self._searches)
        findings = sum(len(search.findings) for search in self._searches)
        rate = steps / elapsed if elapsed > 0.5 else 0
        number = f"{findings} {'lie' if findings == 1 else 'lies'}"
        line = f"{sequences:,} sequences  {steps:,} steps  {rate:,.0f} steps/s  {number}"
        if self._seconds is not None:
            line += f"  {max(self._seconds - elapsed, 0):.0f} s left"
        doing = "  ".join(filter(None, (self._doing, waiting_for())))
        return Text(f"{line}  {doing}".rstrip(), style="cyan", overflow="ellipsis", no_wrap=True)

    def _print_lines(self) -> None:
        while not self._done.wait(max(self._next_line - time.monotonic(), 0)):
            self._next_line = time.monotonic() + _LINE_EVERY
            self._console.print(self._line())

    def __enter__(self) -> Progress:
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
