"""The timelines of simulations that failed, as pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from etcd_lockstep.filing.writing import write_whole
from etcd_lockstep.reporting.timeline_page import timeline_page
from etcd_lockstep.simulation.errors import SimulationFailed


def write_timelines(folder: Path, test: str, error: BaseException) -> Iterator[Path]:
    """Write a page for each failure of a simulation that a test raised; yields their paths. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9]+", "-", test).strip("-")
    for number, failed in enumerate(_failures(error), 1):
        timeline = failed.timeline
        if timeline is None:
            continue
        path = folder / (f"{name}.html" if number == 1 else f"{name}-{number}.html")
        rows = [(row.client, row.text) for row in timeline.rows]
        write_whole(path, timeline_page(test, failed.why, timeline.clients, rows))
        yield path


def _failures(error: BaseException) -> Iterator[SimulationFailed]:
    """Hypothesis raises several of them in a group."""
    if isinstance(error, SimulationFailed):
        yield error
    for one in getattr(error, "exceptions", ()):
        yield from _failures(one)
