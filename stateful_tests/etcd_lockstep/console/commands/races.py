"""`stress` on a Python target in this process: the schedule of its threads is drawn, and replayed exactly."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from etcd_lockstep.catalogue import UnknownTarget
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.console.progress import RacesProgress
from etcd_lockstep.console.verdicts import verdict_lines
from etcd_lockstep.histories import Violated, check
from etcd_lockstep.interleaving.files import load_race, race_to_json, save_race
from etcd_lockstep.interleaving.program import Program, Schedule
from etcd_lockstep.interleaving.running import Ran, Running, Unschedulable
from etcd_lockstep.interleaving.searching import Race, Races, Search
from etcd_lockstep.interleaving.targets import InProcess
from etcd_lockstep.reporting.wording import operation_in_words
from etcd_lockstep.stressing.stores import find_stress_target
from etcd_lockstep.target import TargetDied


@dataclass(slots=True)
class Raced:
    """What became of one target."""

    target: InProcess
    tally: Races = field(default_factory=Races)
    race: Race | None = None
    file: Path | None = None
    failure: str = ""
    """Why the search was given up."""

    @property
    def exit_code(self) -> Exit:
        if self.race is not None:
            return Exit.LIES
        return Exit.UNREACHABLE if self.failure else Exit.AGREED


def race(console: Console, raced: Raced, *, seed: int, seconds: float, corpus: Path) -> None:
    """Search for a race, file it, and print it. Raises `OSError`, and what making the target does."""
    console.print(f"{raced.target.name}, in this process; seed {seed}", soft_wrap=True)
    search = Search(raced.target.make, raced.target.own_code(), random.Random(seed), seconds, raced.tally)
    try:
        with RacesProgress(console, raced.tally, seconds):
            raced.race = search.go()
    except (Unschedulable, TargetDied) as failed:
        raced.failure = str(failed)
        console.print(f"{raced.target.name}: {failed}", style="bold red", soft_wrap=True, markup=False)
    if raced.race is not None:
        raced.file = save_race(raced.race, raced.target.name, corpus)
        _print_lines(console, raced.race.ran.shows, [*race_lines(raced.race), f"filed as {raced.file}"])
    print_summary(console, raced)


def print_summary(console: Console, raced: Raced) -> None:
    tally = raced.tally
    console.print(
        f"programs: {tally.programs:,}, run under {tally.runs:,} schedules, {tally.calls:,} calls; "
        f"searched for {tally.seconds:.0f} s",
        soft_wrap=True,
    )
    if tally.wrong_without:
        console.print(
            f"of the programs, {tally.wrong_without:,} went wrong with one client after the other, "
            "so that they show no race: `fuzz` finds that"
        )
    if raced.race is None and not raced.failure:
        console.print(Text("no race was found", "bold green"))


def replay_race(console: Console, file: Path, name: str | None) -> Exit:
    """Run a file again, on the target that it names or on another one. Raises `BadFile`, `UnknownTarget`."""
    filed, shows, program, schedule = load_race(file)
    target = find_stress_target(name or filed)
    if not isinstance(target, InProcess):
        raise UnknownTarget(f"{name or filed} does not run in this process, so no schedule can be replayed on it")
    try:
        ran = Running(target.make, target.own_code(), program, schedule).go()
    except (Unschedulable, TargetDied) as failed:
        console.print(f"{target.name}: {failed}", style="bold red", soft_wrap=True, markup=False)
        return Exit.UNREACHABLE
    if not ran.shows:
        console.print(f"0 of 1 runs: {target.name} does not show {shows} any more", soft_wrap=True)
        if _moved(ran, schedule):
            console.print("the code has changed where threads were interrupted: stress it again", style="yellow")
        return Exit.AGREED
    lines = [*race_lines(Race(program, schedule, ran, 1, 1))]
    console.print(f"1 of 1 runs: {target.name}", soft_wrap=True)
    _print_lines(console, ran.shows, lines)
    return Exit.LIES


def _moved(ran: Ran, schedule: Schedule) -> bool:
    return [one.where for one in ran.taken] != [one.where for one in schedule.preemptions]


def _print_lines(console: Console, shows: str, lines: list[str]) -> None:
    console.print(Text.assemble("violation: ", (shows, "bold red")))
    for line in lines:
        console.print(Padding(Text(line), (0, 0, 0, 3), expand=False))


def race_lines(found: Race) -> Iterator[str]:
    """A race for a reader: the calls of each client, who is interrupted where, and what came of it."""
    yield from _program_lines(found.program)
    yield from _schedule_lines(found.program, found.schedule)
    verdict = check(found.ran.history)
    if isinstance(verdict, Violated) and verdict.first.anomaly.value == found.ran.shows:
        yield from verdict_lines(found.ran.history, Violated(verdict.violations[:1]))
    else:
        yield found.ran.what
    yield f"so in {found.again} of {found.replays} further runs" if found.replays > 1 else "the same schedule"


def _program_lines(program: Program) -> Iterator[str]:
    for operation in program.before:
        yield f"before: {operation_in_words(operation)}"
    for number, calls in enumerate(program.clients, 1):
        yield f"client {number}: {'; '.join(map(operation_in_words, calls))}"


def _schedule_lines(program: Program, schedule: Schedule) -> Iterator[str]:
    if not schedule.preemptions:
        order = [schedule.first, *(n for n in range(1, len(program.clients) + 1) if n != schedule.first)]
        yield f"no thread is interrupted: {', then '.join(f'client {number}' for number in order)}"
        return
    for number, one in enumerate(schedule.preemptions):
        runs = "runs first" if number == 0 else "runs"
        yield f"client {one.client} {runs}, until it stands {one.where}; then client {one.to}"


def race_json(raced: Raced, seed: int) -> dict[str, Any]:
    """As `--json` has it."""
    tally = raced.tally
    return {
        "target": raced.target.name,
        "how": "in this process",
        "seed": seed,
        "seconds": round(tally.seconds, 3),
        "programs": tally.programs,
        "runs": tally.runs,
        "calls": tally.calls,
        "programs_wrong_without_race": tally.wrong_without,
        "failure": raced.failure or None,
        "first": None
        if raced.race is None
        else {"file": str(raced.file) if raced.file else None, **race_to_json(raced.race, raced.target.name)},
    }
