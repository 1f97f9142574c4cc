"""Searches that take turns on all cores, with progress, and go on where an earlier call was interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Searched(Protocol):
    """What a search came to: a dataclass whose fields are JSON values, or tuples of them."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def task(self) -> tuple[Hashable, ...]:
        """What was to be searched."""


Done = TypeVar("Done", bound=Searched)
Task = TypeVar("Task", bound=tuple[Hashable, ...])


def run_all(
    tasks: Sequence[Task],
    work: Callable[[Task], Done],
    kind: Callable[..., Done],
    under: Mapping[str, Any],
    *,
    state: Path,
    anew: bool,
    jobs: int,
    console: Console,
) -> dict[Task, Done]:
    """Do `work` for each task, in so many processes, but for what `state` holds already.

    Args:
        tasks: What is to be searched.
        work: The search for one task.
        kind: The class of what it comes to.
        under: The conditions of the search. What was done under others is done again.
        state: A file that is appended to: a JSON value a line.
        anew: Forget what is there.
        jobs: How many processes.
        console: Where progress is shown.
    """
    state.parent.mkdir(parents=True, exist_ok=True)
    known: dict[Any, Done] = {} if anew else {one.task: one for one in _read(state, kind, under)}
    missing = [task for task in tasks if task not in known]
    if len(missing) < len(tasks):
        there = len(tasks) - len(missing)
        console.print(f"{there} of {len(tasks)} searches are in {state} already", soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=console) as progress,
        state.open("w" if anew else "a", encoding="utf-8") as kept,
        ProcessPoolExecutor(jobs) as pool,
    ):
        bar = progress.add_task("searching", total=len(missing))
        running = [pool.submit(work, task) for task in missing]
        try:
            for done in as_completed(running):
                one = done.result()
                known[one.task] = one
                kept.write(json.dumps({"under": under, "done": asdict(one)}) + "\n")
                kept.flush()
                progress.update(bar, advance=1, description=", ".join(map(str, one.task)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {task: known[task] for task in tasks}


def _read(state: Path, kind: Callable[..., Done], under: Mapping[str, Any]) -> Iterator[Done]:
    """What earlier calls have come to under the same conditions, without lines that were cut off, or that another
    version wrote."""
    for line in state.read_text(encoding="utf-8").splitlines() if state.exists() else ():
        with suppress(ValueError, TypeError, KeyError):
            held = json.loads(line)
            values = {name: tuple(one) if isinstance(one, list) else one for name, one in held["done"].items()}
            if held["under"] == under:
                yield kind(**values)
