"""`python -m etcd_lockstep.proving`: search for the lie of every specimen, and write docs/lies.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from etcd_lockstep.proving.measuring import Measured, measure
from etcd_lockstep.proving.page import Results, page, plot
from etcd_lockstep.specimens import SPECIMENS

Task = tuple[str, int]
"""A specimen and a seed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 1 where a lie was not found, or in a longer trace only; 2 usage."""
    options = _parsed(arguments)
    console = Console(highlight=False, markup=False, emoji=False, stderr=True)
    names = options.only or list(SPECIMENS)
    tasks = [(name, seed) for seed in range(options.seeds) for name in names]
    known = {} if options.anew else dict(_measured_before(options.state, options.seconds))
    missing = [task for task in tasks if task not in known]
    if len(missing) < len(tasks):
        console.print(
            f"{len(tasks) - len(missing)} of {len(tasks)} searches are in {options.state} already", soft_wrap=True
        )
    try:
        _measure(missing, known, options, console)
    except KeyboardInterrupt:
        console.print(f"interrupted: the same command goes on where this one ended ({options.state})", soft_wrap=True)
        return 130
    results = {name: [known[name, seed] for seed in range(options.seeds)] for name in names}
    _write(results, options)
    wrong = [one for several in results.values() for one in several if not one.is_short]
    for one in wrong:
        what = f"found in {one.length} steps, which is too long" if one.found else "not found"
        console.print(f"{one.specimen}, seed {one.seed}: {what}", soft_wrap=True)
    return 1 if wrong else 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m etcd_lockstep.proving",
        description="Search for the lie of every specimen, with the model and the fake as judges, and write a page.",
        epilog="exit codes: 0 all were found; 1 one was not, or in a longer trace only; 2 usage; 130 interrupted",
    )
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="searches for each specimen (default 5)")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="for each search (default 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="searches at the same time")
    parser.add_argument("--page", type=Path, default=Path("docs/lies.md"), help="with .svg and .json beside it")
    parser.add_argument("--state", type=Path, default=Path("build/lies.jsonl"), help="what was measured so far")
    parser.add_argument("--anew", action="store_true", help="measure again what was measured before")
    parser.add_argument("only", nargs="*", metavar="SPECIMEN", help="these alone")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.jobs < 1 or not options.seconds > 0:
        parser.error("--seeds and --jobs are whole numbers from 1 on, and --seconds is more than 0")
    unknown = [name for name in options.only if name not in SPECIMENS]
    if unknown:
        parser.error(f"no specimen is called {unknown[0]!r}: `etcd-lockstep targets` lists them")
    return options


def _measured_before(state: Path, limit: float) -> Iterator[tuple[Task, Measured]]:
    """What an earlier call has measured with the same limit, in a file of one JSON object a line."""
    for line in state.read_text(encoding="utf-8").splitlines() if state.exists() else ():
        try:
            held = json.loads(line)
            one = Measured(**held["measured"])
        except (ValueError, TypeError, KeyError):
            continue  # a line that was cut off, or of another version: it is measured again
        if held.get("limit") == limit:
            yield (one.specimen, one.seed), one


def _measure(tasks: Sequence[Task], known: dict[Task, Measured], options: argparse.Namespace, console: Console) -> None:
    options.state.parent.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=console) as progress,
        options.state.open("w" if options.anew else "a", encoding="utf-8") as state,
        ProcessPoolExecutor(options.jobs) as pool,
    ):
        bar = progress.add_task("searching", total=len(tasks))
        running = [pool.submit(measure, name, seed, options.seconds) for name, seed in tasks]
        try:
            for done in as_completed(running):
                one = done.result()
                known[one.specimen, one.seed] = one
                state.write(json.dumps({"limit": options.seconds, "measured": asdict(one)}) + "\n")
                state.flush()
                progress.update(bar, advance=1, description=one.specimen)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _write(results: Results, options: argparse.Namespace) -> None:
    picture, data = options.page.with_suffix(".svg"), options.page.with_suffix(".json")
    options.page.write_text(page(results, options.seconds, picture.name), encoding="utf-8")
    picture.write_text(plot(results), encoding="utf-8")
    as_data = {name: [asdict(one) for one in several] for name, several in results.items()}
    data.write_text(json.dumps({"seconds": options.seconds, "specimens": as_data}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
