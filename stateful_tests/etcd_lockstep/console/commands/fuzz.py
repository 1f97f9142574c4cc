"""`fuzz`: search for lies, report and file them. `diff` is the same search, between two targets."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from etcd_lockstep.console.commands.exits import Exit
from etcd_lockstep.console.interrupts import Interrupts
from etcd_lockstep.console.progress import Progress
from etcd_lockstep.console.report import print_findings
from etcd_lockstep.filing.corpus import answers, file_name, save
from etcd_lockstep.filing.notation import to_json
from etcd_lockstep.searching.coverage import Coverage
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.run import Run, RunOptions, Stage
from etcd_lockstep.searching.triage import TargetGone

SCRATCH = Path("lies-found")
"""Where lies are filed unless a corpus is named."""


@dataclass(frozen=True, slots=True)
class FuzzOptions:
    """The options of `fuzz`, checked."""

    plan: RunOptions
    json_file: Path | None = None
    corpus: Path | None = None


class _Filed:
    """The corpus files of the lies found."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, Path] = {}
        self._found_with: dict[str, str] = {}

    def file(self, finding: Finding, participants: Participants) -> None:
        """Write a lie's file as soon as it is found."""
        self._found_with[file_name(finding)] = participants.etcd.how if participants.etcd else "none"
        with suppress(OSError):  # it is tried again at the end, and then said
            self._save(finding)

    def file_the_rest(self, findings: Sequence[Finding]) -> list[str]:
        """File what couldn't be filed when it was found, or was interrupted there. Why not, for each that still
        can't."""
        unfiled = []
        for finding in findings:
            if file_name(finding) not in self.files:
                try:
                    self._save(finding)
                except OSError as error:
                    unfiled.append(f"{self.folder / file_name(finding)} can't be written: {error.strerror}")
        return unfiled

    def _save(self, finding: Finding) -> None:
        self.files[file_name(finding)] = save(finding, self.folder, self._found_with.get(file_name(finding), "none"))


def run_fuzz(console: Console, options: FuzzOptions) -> Exit:
    """Search for lies, report and file them."""
    plan = options.plan
    if options.corpus is not None:
        options.corpus.mkdir(parents=True, exist_ok=True)
    filed = _Filed(options.corpus or SCRATCH)
    run = Run(
        plan,
        progress=console.print,
        on_finding=filed.file,
        on_shrinking=lambda what: progress.doing(f"shrinking: {what}" if what else ""),
    )
    progress = Progress(console, run.searches, plan.seconds)
    stages: list[Stage] = []
    started = time.monotonic()
    interrupts = Interrupts()
    code = None
    try:
        with interrupts:
            for stage in run.stages():
                if not stages:
                    print_participants(console, stage.participants)
                    console.print(f"seed {plan.seed}", style="dim")
                    started = time.monotonic()
                stages.append(stage)
                console.print(f"{stage.workload.name}: {', '.join(stage.drawn)}", style="dim")
                with progress:
                    run.fuzz(stage)
    except TargetGone as gone:
        console.print(str(gone), style="bold red")
        code = Exit.UNREACHABLE
    except BaseException:
        if not interrupts.came or not stages:
            raise
        code = Exit.INTERRUPTED  # of which Hypothesis, where it was just beginning, makes an AssertionError
    seconds = time.monotonic() - started
    unfiled = filed.file_the_rest(run.findings)
    print_findings(console, run.findings, filed.files)
    for reason in unfiled:
        console.print(reason, style="bold red", soft_wrap=True)
    _print_summary(console, run, seconds, filed.folder if filed.files else None, code)
    if options.json_file:
        summary = _summary(stages, run, seconds, filed.files)
        options.json_file.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    if code is None and not any(search.steps for search in run.searches):
        return Exit.REFUSED
    return code if code is not None else Exit.LIES if run.findings else Exit.AGREED


def print_participants(console: Console, participants: Participants) -> None:
    """The first line of a run: which etcd, and who takes part."""
    console.print(
        participants.etcd.how
        if participants.etcd
        else f"no real etcd; the model and the fake emulate etcd {participants.version}"
    )
    console.print(
        f"targets {', '.join((participants.model.name, *(target.name for target in participants.others)))}", style="dim"
    )


def _print_summary(console: Console, run: Run, seconds: float, folder: Path | None, code: Exit | None) -> None:
    """`code`: of a run that was cut short."""
    sequences = sum(search.sequences for search in run.searches)
    steps = sum(search.steps for search in run.searches)
    inconclusive = sum(search.inconclusive for search in run.searches)
    done = f"{sequences:,} sequences, {steps:,} steps in {seconds:.0f} s ({steps / seconds:,.0f} steps/s)"
    if inconclusive:
        done += f"; {inconclusive} sequences given up because too much may have expired meanwhile to tell"
    number = len(run.findings)
    if number:
        verdict = f"{number} {'lie' if number == 1 else 'lies'}" + (f", filed in {folder}" if folder else "")
    elif not steps:
        verdict = "not one operation was run"
    else:
        verdict = "every answer agreed" + (" until then" if code else "")
    if code is Exit.INTERRUPTED:
        verdict = f"interrupted: {verdict}"
    agreed = code is None and steps and not number
    console.print(verdict, style="bold green" if agreed else "bold red", soft_wrap=True)
    console.print(done)


def _summary(stages: Sequence[Stage], run: Run, seconds: float, files: dict[str, Path]) -> dict[str, Any]:
    first = stages[0].participants
    coverage = Coverage()
    for search in run.searches:
        coverage.add(search.coverage)
    steps = sum(search.steps for search in run.searches)
    return {
        "etcd": {"version": first.etcd.version, "how": first.etcd.how} if first.etcd else None,
        "targets": [first.model.name, *(target.name for target in first.others)],
        "seed": run.plan.seed,
        "sequences": sum(search.sequences for search in run.searches),
        "steps": steps,
        "seconds": round(seconds, 3),
        "steps_per_second": round(steps / seconds, 1),
        "arenas": {
            stage.workload.name: {
                "sequences": stage.search.sequences,
                "steps": stage.search.steps,
                "given_up": stage.search.inconclusive,
            }
            for stage in stages
        },
        "lies": [
            {
                "fingerprint": finding.fingerprint,
                "odd_one_out": finding.odd_one_out,
                "step": len(finding.trace),
                "field": finding.signature.field,
                "difference": finding.signature.kind,
                "trace": [to_json(operation) for operation in finding.trace],
                "answers": answers(finding),
                "file": str(files[file_name(finding)]) if file_name(finding) in files else None,
                **({"note": finding.note} if finding.note else {}),
            }
            for finding in run.findings
        ],
        "coverage": coverage.to_json(),
    }
