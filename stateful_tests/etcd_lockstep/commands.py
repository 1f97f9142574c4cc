"""What the commands do. Each returns its exit code."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from etcd_lockstep.catalogue import OTHERS, REFERENCES, Own
from etcd_lockstep.corpus import BadFile, CorpusFile, answers, file_name, load, save
from etcd_lockstep.fuzzing import fuzz
from etcd_lockstep.interrupts import Interrupts
from etcd_lockstep.notation import to_json
from etcd_lockstep.progress import Progress
from etcd_lockstep.replaying import Outcome, replay
from etcd_lockstep.report import print_lies
from etcd_lockstep.run import Run
from etcd_lockstep.search import Lie, Search, TargetGone
from etcd_lockstep.servers import EtcdSource
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.strategies.union import operations_of


class Exit(IntEnum):
    """The exit codes of every command."""

    AGREED = 0
    LIES = 1
    REFUSED = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


class NothingToDo(ValueError):
    """The options leave nothing to run."""


@dataclass(frozen=True, slots=True)
class FuzzOptions:
    """The options of `fuzz`, checked."""

    source: EtcdSource
    against: Sequence[str | Own]
    seconds: float | None
    examples: int | None
    steps: int
    seed: int
    seeded: bool
    """Whether the seed was asked for: then the database of earlier runs is left alone."""
    families: Sequence[str]
    json_file: Path | None
    corpus: Path | None
    allow_destroy: bool


SCRATCH = Path("lies-found")
"""Where lies are filed unless a corpus is named."""


def run_fuzz(console: Console, options: FuzzOptions) -> Exit:
    """Search for lies, report and file them."""
    if options.corpus is not None:
        options.corpus.mkdir(parents=True, exist_ok=True)
    with Run(options.source, options.against, allow_destroy=options.allow_destroy, progress=console.print) as run:
        folder = options.corpus or SCRATCH
        operations = operations_of(options.families, run.capabilities)
        if not operations:
            raise NothingToDo(f"no target of this run knows an operation of {', '.join(options.families)}")
        print_participants(console, run)
        console.print(f"seed {options.seed}, operations {', '.join(operations)}", style="dim")
        how = run.etcd.how if run.etcd else "none"
        files: dict[str, Path] = {}

        def file(lie: Lie) -> None:
            with suppress(OSError):  # it is tried again at the end, and then said
                files[file_name(lie)] = save(lie, folder, how)

        started = time.monotonic()
        search = Search(
            run.model, run.others, twins=run.twins, on_lie=file, on_shrinking=lambda what: progress.doing(_busy(what))
        )
        progress = Progress(console, search, options.seconds, options.examples)
        code = None
        interrupts = Interrupts()
        try:
            with interrupts, progress:
                fuzz(
                    search,
                    operations,
                    run.keys,
                    seconds=options.seconds,
                    examples=options.examples,
                    seed=options.seed,
                    steps=options.steps,
                    remember=not options.seeded,
                )
        except TargetGone as gone:
            console.print(str(gone), style="bold red")
            code = Exit.UNREACHABLE
        except BaseException:
            if not interrupts.came:
                raise
            code = Exit.INTERRUPTED  # of which Hypothesis, where it was just beginning, makes an AssertionError
        seconds = time.monotonic() - started
        unfiled = _file_the_rest(search.lies, files, folder, how)
        print_lies(console, search.lies, files)
        for reason in unfiled:
            console.print(reason, style="bold red", soft_wrap=True)
        _print_summary(console, search, seconds, folder if files else None, code)
        if options.json_file:
            summary = _summary(run, search, options.seed, seconds, files)
            options.json_file.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        if code is None and not search.steps:
            return Exit.REFUSED
        return code if code is not None else Exit.LIES if search.lies else Exit.AGREED


def _busy(what: str) -> str:
    return f"shrinking: {what}" if what else ""


def _file_the_rest(lies: Sequence[Lie], files: dict[str, Path], folder: Path, how: str) -> list[str]:
    """File what couldn't be filed when it was found, or was interrupted there. Why not, for each that still can't."""
    unfiled = []
    for lie in lies:
        if file_name(lie) not in files:
            try:
                files[file_name(lie)] = save(lie, folder, how)
            except OSError as error:
                unfiled.append(f"{folder / file_name(lie)} can't be written: {error.strerror}")
    return unfiled


def print_participants(console: Console, run: Run) -> None:
    """The first line of a run: which etcd, and who takes part."""
    console.print(run.etcd.how if run.etcd else f"no real etcd; the model and the fake take after etcd {run.version}")
    console.print(f"targets {', '.join((run.model.name, *(target.name for target in run.others)))}", style="dim")


def _print_summary(console: Console, search: Search, seconds: float, folder: Path | None, code: Exit | None) -> None:
    """`code`: of a run that was cut short."""
    rate = search.steps / seconds
    done = f"{search.sequences:,} sequences, {search.steps:,} steps in {seconds:.0f} s ({rate:,.0f} steps/s)"
    if search.overtaken:
        done += f"; {search.overtaken} sequences given up because they took so long that a lease may have expired"
    number = len(search.lies)
    if number:
        verdict = f"{number} {'lie' if number == 1 else 'lies'}" + (f", filed in {folder}" if folder else "")
    elif not search.steps:
        verdict = "not one operation was run"
    else:
        verdict = "every answer agreed" + (" until then" if code else "")
    if code is Exit.INTERRUPTED:
        verdict = f"interrupted: {verdict}"
    agreed = code is None and search.steps and not number
    console.print(verdict, style="bold green" if agreed else "bold red", soft_wrap=True)
    console.print(done)


def _summary(run: Run, search: Search, seed: int, seconds: float, files: dict[str, Path]) -> dict[str, Any]:
    return {
        "etcd": {"version": run.etcd.version, "how": run.etcd.how} if run.etcd else None,
        "targets": [run.model.name, *(target.name for target in run.others)],
        "seed": seed,
        "sequences": search.sequences,
        "steps": search.steps,
        "seconds": round(seconds, 3),
        "steps_per_second": round(search.steps / seconds, 1),
        "lies": [
            {
                "fingerprint": lie.fingerprint,
                "odd_one_out": lie.odd_one_out,
                "step": len(lie.trace),
                "field": lie.symptom.field,
                "difference": lie.symptom.kind,
                "trace": [to_json(operation) for operation in lie.trace],
                "answers": answers(lie),
                "file": str(files[file_name(lie)]) if file_name(lie) in files else None,
                **({"note": lie.note} if lie.note else {}),
            }
            for lie in search.lies
        ],
    }


_STYLES = {Outcome.FIXED: "green", Outcome.STILL_LIES: "red", Outcome.NOT_REPLAYED: "yellow"}


def run_replay(
    console: Console, paths: Sequence[Path], source: EtcdSource, against: Sequence[str | Own], *, allow_destroy: bool
) -> Exit:
    """Replay corpus files, and folders of them."""
    files: list[CorpusFile] = []
    broken: list[BadFile] = []
    for path in _json_files(paths):
        try:
            files.append(load(path))
        except BadFile as error:
            broken.append(error)
    lying = False
    if files:
        with Run(source, against, allow_destroy=allow_destroy, progress=console.print) as run:
            print_participants(console, run)
            for file in files:
                result = replay(file, run.model, run.others)
                lying |= result.outcome is Outcome.STILL_LIES
                verdict = Text(f"{result.outcome.value:<12}", style=_STYLES[result.outcome])
                console.print(Text.assemble(verdict, f" {file.path}"), soft_wrap=True)
                if result.remark:
                    console.print(Padding(Text(result.remark, style="dim"), (0, 0, 0, 13), expand=False))
    for reason in broken:
        console.print(str(reason), style="bold red", soft_wrap=True)
    if broken:
        return Exit.REFUSED
    return Exit.LIES if lying else Exit.AGREED


def _json_files(paths: Sequence[Path]) -> list[Path]:
    """The files named, and those in the folders named. Raises `NothingToDo` where there are none."""
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise NothingToDo(f"no corpus file in {', '.join(map(str, paths))}")
    return files


def run_targets(console: Console) -> Exit:
    """List what can be asked for by name."""
    table = Table.grid(padding=(0, 3))
    for name, what in (*REFERENCES.items(), *OTHERS.items()):
        table.add_row(name, what)
    for name, make in SPECIMENS.items():
        table.add_row(name, f"specimen: {(make.__doc__ or '').strip().splitlines()[0]}")
    table.add_row("package.module:Class", "a target of your own; see docs/targets.md")
    console.print(table)
    return Exit.AGREED
