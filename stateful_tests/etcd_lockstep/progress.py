"""Progress: sequences, steps, steps a second, lies so far, time left; in place on a terminal, as lines elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from etcd_lockstep.search import Search

_LINE_EVERY = 10.0
"""Seconds between two lines where the output is no terminal."""


class Progress:
    """A context manager that shows how a search is getting on until it is left."""

    def __init__(self, console: Console, search: Search, seconds: float | None, examples: int | None) -> None:
        self._console = console
        self._search = search
        self._seconds = seconds
        self._examples = examples
        self._started = time.monotonic()
        self._doing = ""
        self._done = threading.Event()
        self._live = Live(get_renderable=self._line, console=console, refresh_per_second=4, transient=True)

    def doing(self, what: str) -> None:
        """Say what the search is busy with besides searching; nothing where it is empty."""
        self._doing = what

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def _line(self) -> Text:
        search, elapsed = self._search, self.elapsed
        rate = search.steps / elapsed if elapsed > 0.5 else 0
        line = (
            f"{search.sequences:,} sequences  {search.steps:,} steps  {rate:,.0f} steps/s  "
            f"{len(search.lies)} {'lie' if len(search.lies) == 1 else 'lies'}"
        )
        if self._seconds is not None:
            line += f"  {max(self._seconds - elapsed, 0):.0f} s left"
        if self._examples is not None:
            line += f"  {search.examples:,} of {self._examples:,} examples"
        return Text(f"{line}  {self._doing}".rstrip(), style="cyan", overflow="ellipsis", no_wrap=True)

    def _print_lines(self) -> None:
        while not self._done.wait(_LINE_EVERY):
            self._console.print(self._line())

    def __enter__(self) -> Progress:
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
