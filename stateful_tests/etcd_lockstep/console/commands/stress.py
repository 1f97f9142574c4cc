"""`stress`: let clients race on a store while faults happen, and check what they saw."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from etcd_lockstep.console.commands import shrunk as smaller
from etcd_lockstep.console.commands.races import Raced, print_summary, race, race_json
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.console.interrupts import Interrupts
from etcd_lockstep.console.progress import StressProgress
from etcd_lockstep.console.verdicts import STYLES, summary, verdict_lines, verdict_to_json
from etcd_lockstep.filing.writing import write_whole
from etcd_lockstep.histories import History, Linearizable, Unknown, Verdict, Violated, check
from etcd_lockstep.histories.files import history_lines, save_history
from etcd_lockstep.interleaving.targets import InProcess
from etcd_lockstep.reporting.history_page import history_page
from etcd_lockstep.reporting.html import check_jinja2
from etcd_lockstep.servers import EtcdUnavailable
from etcd_lockstep.stressing.run import Judged, StressOptions, Tally, stress
from etcd_lockstep.stressing.stores import Store, StressTarget, check_faults, running
from etcd_lockstep.target import TargetDied

FOUND = Path("violations-found")
"""Where histories are filed that are not linearizable, unless another folder is named."""


@dataclass(frozen=True, slots=True)
class StressCommand:
    """What a command line asks for."""

    targets: Sequence[tuple[str, StressTarget]]
    """Each as the command line names it, and what that is."""
    run: StressOptions
    """For each target."""
    corpus: Path = FOUND
    json_file: Path | None = None
    html_file: Path | None = None
    """Receives a page of the first violation, made as small as it was; without one, of the first unknown history."""
    allow_destroy: bool = False


@dataclass(slots=True)
class _Stressed:
    """What became of one target."""

    store: Store
    tally: Tally = field(default_factory=Tally)
    first: Judged | None = None
    """The first violation; without one, the first unknown history."""
    file: Path | None = None
    shrunk: smaller.Shrunk | None = None
    """Of a violation."""
    failure: str = ""
    """Why the store was lost."""


def run_stress(console: Console, command: StressCommand) -> Exit:
    """Stress one target after the other. Raises what `running` does, and `NoJinja2`."""
    if command.html_file is not None:
        check_jinja2()
    for _name, target in command.targets:
        check_faults(target, command.run.faults)
    done: list[_Stressed | Raced] = []
    code = Exit.AGREED
    with Interrupts() as interrupts:
        try:
            for name, target in command.targets:
                if isinstance(target, InProcess):
                    done.append(raced := Raced(target))
                    race(console, raced, seed=command.run.seed, seconds=command.run.seconds, corpus=command.corpus)
                    continue
                with running(
                    target,
                    faults=command.run.faults,
                    allow_destroy=command.allow_destroy,
                    call_timeout=command.run.call_timeout,
                    progress=console.print,
                ) as store:
                    done.append(stressed := _Stressed(store))
                    _stress(console, command, stressed, name)
        except KeyboardInterrupt:
            interrupts.finish()
            code = Exit(interrupts.exit_code)
            if not done:
                console.print("interrupted before there was anything to stress")
            for one in done[-1:]:
                if isinstance(one, Raced):
                    print_summary(console, one)
                    continue
                if one.first is not None and one.file is None:
                    _report(console, command, one, one.first)
                if one.shrunk is not None and one.shrunk.smallest is not None and one.shrunk.file is None:
                    smaller.report(console, one.shrunk, command.corpus)
                _print_summary(console, one)
        interrupts.finish()
    if command.json_file is not None:
        write_whole(command.json_file, json.dumps([_to_json(one, command) for one in done], indent=2) + "\n")
    if command.html_file is not None:
        _write_page(console, command.html_file, done)
    return code or _exit_code(done)


def _write_page(console: Console, to: Path, done: Sequence[_Stressed | Raced]) -> None:
    """Raises `OSError`."""
    shown = [found for found in map(_shown, done) if found is not None]
    violated = [found for found in shown if isinstance(found[2], Violated)]
    for title, history, verdict in (violated or shown)[:1]:
        write_whole(to, history_page(title, history, verdict, summary(history)))
        return
    console.print(f"{to} was not written: there is no violation to be shown")


def _shown(one: _Stressed | Raced) -> tuple[str, History, Verdict] | None:
    """Of what there is a page: the smallest history of a target that shows what was found, and its title."""
    if isinstance(one, Raced):
        if one.race is None:
            return None
        history = one.race.ran.history
        return one.target.name, history, check(history)
    smallest = one.shrunk.smallest if one.shrunk is not None else None
    if smallest is not None:
        often = f"failed in {smallest.failed:,} of {smallest.runs:,} runs"
        return f"{one.store.name}: {often}", smallest.failure.history, smallest.failure.verdict
    return None if one.first is None else (one.store.name, one.first.history, one.first.verdict)


def _exit_code(done: Iterable[_Stressed | Raced]) -> Exit:
    codes = {one.exit_code if isinstance(one, Raced) else _one_exit_code(one) for one in done}
    return next((code for code in (Exit.LIES, Exit.UNREACHABLE, Exit.UNKNOWN) if code in codes), Exit.AGREED)


def _one_exit_code(one: _Stressed) -> Exit:
    if one.tally.violations:
        return Exit.LIES
    if one.failure:
        return Exit.UNREACHABLE
    return Exit.UNKNOWN if one.tally.unknown else Exit.AGREED


def _stress(console: Console, command: StressCommand, one: _Stressed, name: str) -> None:
    """Stress a store, make a violation smaller, file what is to be filed, and print how it went. `name`: of the target,
    as the command line has it."""
    options = command.run
    console.print(one.store.how, soft_wrap=True)
    faults = f", faults {','.join(options.faults)}" if options.faults else ""
    console.print(f"seed {options.seed}, {options.clients} clients{faults}", style="dim")

    def note_unknown(judged: Judged) -> None:
        one.first = one.first or judged

    try:
        with StressProgress(console, one.tally, options.seconds):
            one.first = stress(one.store, options, one.tally, note_unknown) or one.first
    except (EtcdUnavailable, TargetDied) as failed:
        one.failure = f"{one.store.name} was lost: {failed}"
        console.print(one.failure, style="bold red", soft_wrap=True)
    if one.first is not None:
        _report(console, command, one, one.first)
        if one.first.scripts:
            one.shrunk = smaller.begin(one.store, name, one.first, options.call_timeout)
            smaller.shrink(console, one.shrunk, one.first)
            smaller.report(console, one.shrunk, command.corpus)
    _print_summary(console, one)


def _report(console: Console, command: StressCommand, one: _Stressed, judged: Judged) -> None:
    one.file = _file(command.corpus, one.store.name, judged)
    _print_judged(console, judged, one.file)


def _file(folder: Path, name: str, judged: Judged) -> Path:
    """Write a history, under what it shows. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    shows = judged.verdict.first.anomaly.value if isinstance(judged.verdict, Violated) else "unknown"
    lines = "\n".join(json.dumps(line) for line in history_lines(judged.history))
    digest = hashlib.sha256(lines.encode()).hexdigest()[:6]
    path = folder / f"{re.sub(r'[^A-Za-z0-9]+', '-', f'{name} {shows}')}-{digest}.jsonl"
    save_history(judged.history, path)
    return path


def _print_judged(console: Console, judged: Judged, file: Path) -> None:
    verdict = judged.verdict
    console.print(Text.assemble(f"round {judged.round}: ", (str(verdict), STYLES[type(verdict)])), soft_wrap=True)
    lines: list[str | Text] = [*verdict_lines(judged.history, verdict), _dim(judged.history), f"filed as {file}"]
    for line in lines:
        console.print(Padding(line if isinstance(line, Text) else Text(line), (0, 0, 0, 3), expand=False))


def _dim(history: History) -> Text:
    return Text(summary(history), style="dim")


def _print_summary(console: Console, one: _Stressed) -> None:
    tally = one.tally
    rate = tally.calls / tally.seconds if tally.seconds else 0
    console.print(
        f"{_number(tally.rounds, 'round')}, {_number(tally.calls, 'call')} in {tally.seconds:.0f} s "
        f"({rate:,.0f} calls/s), {tally.indefinite:,} indefinite; faults: {_faults(tally)}",
        soft_wrap=True,
    )
    if tally.without_account:
        rounds = _number(tally.without_account, "round")
        console.print(f"without the store's own account, for it gave none: {rounds}", style="yellow")
    if tally.unchecked:
        refusals = "1 refusal" if tally.unchecked == 1 else f"{tally.unchecked:,} refusals"
        console.print(f"{refusals} had another reason than the keys and leases: whether that was due is not checked")
    verdicts: list[tuple[int, str, str]] = [
        (tally.linearizable, "linearizable", STYLES[Linearizable]),
        (tally.violations, "violation", STYLES[Violated]),
        (tally.unknown, "unknown", STYLES[Unknown]),
    ]
    said = [Text(f"{number:,} {word}", style) for number, word, style in verdicts if number]
    console.print(Text("; ").join(said) if said else "no round was finished")


def _faults(tally: Tally) -> str:
    return ", ".join(_number(number, kind) for kind, number in sorted(tally.faults.items())) or "none"


def _number(number: int, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"


def _to_json(one: _Stressed | Raced, command: StressCommand) -> dict[str, Any]:
    if isinstance(one, Raced):
        return race_json(one, command.run.seed)
    tally, first = one.tally, one.first
    return {
        "target": one.store.name,
        "how": one.store.how,
        "etcd": one.store.version,
        "seed": command.run.seed,
        "clients": command.run.clients,
        "seconds": round(tally.seconds, 3),
        "rounds": tally.rounds,
        "calls": tally.calls,
        "indefinite": tally.indefinite,
        "rounds_without_account": tally.without_account,
        "refusals_not_checked": tally.unchecked,
        "faults": {kind: tally.faults[kind] for kind in command.run.faults},
        "verdicts": {
            "linearizable": tally.linearizable,
            "violation": tally.violations,
            "unknown": tally.unknown,
        },
        "failure": one.failure or None,
        "first": None
        if first is None
        else {"round": first.round, "file": str(one.file) if one.file else None, **verdict_to_json(first.verdict)},
        "smallest": smaller.shrunk_json(one.shrunk),
    }
