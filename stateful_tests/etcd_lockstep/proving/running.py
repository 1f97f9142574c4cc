"""Measurements that take turns on all cores, with progress, and go on where an earlier call was interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Task = TypeVar("Task")
Done = TypeVar("Done")


def lines_of(state: Path) -> Iterator[Any]:
    """What earlier calls have written, a JSON value a line; a line that was cut off is left out."""
    for line in state.read_text(encoding="utf-8").splitlines() if state.exists() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def run_all(
    tasks: Sequence[Task],
    work: Callable[[Task], Done],
    on_done: Callable[[Done], tuple[str, Any]],
    *,
    state: Path,
    anew: bool,
    jobs: int,
    console: Console,
) -> None:
    """Do `work` for each task, in so many processes. `on_done` is called with what comes of each, and returns what the
    progress bar says of it and the JSON value that is written to `state`. `anew`: forget what is there."""
    state.parent.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=console) as progress,
        state.open("w" if anew else "a", encoding="utf-8") as kept,
        ProcessPoolExecutor(jobs) as pool,
    ):
        bar = progress.add_task("searching", total=len(tasks))
        running = [pool.submit(work, task) for task in tasks]
        try:
            for done in as_completed(running):
                said, as_json = on_done(done.result())
                kept.write(json.dumps(as_json) + "\n")
                kept.flush()
                progress.update(bar, advance=1, description=said)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
