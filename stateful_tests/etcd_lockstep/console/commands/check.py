"""`check`: say whether recorded histories are linearizable."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from etcd_lockstep.console.commands.exits import Exit
from etcd_lockstep.console.verdicts import summary, verdict_lines
from etcd_lockstep.filing.bad_file import BadFile
from etcd_lockstep.filing.writing import write_whole
from etcd_lockstep.histories import BadHistory, History, Linearizable, Unknown, Verdict, Violated, check
from etcd_lockstep.histories.files import load_history

_STYLES = {Linearizable: "bold green", Violated: "bold red", Unknown: "bold yellow"}


def run_check(console: Console, paths: Sequence[Path], json_file: Path | None) -> Exit:
    """Check history files, one after the other."""
    verdicts: list[Verdict] = []
    reports: list[dict[str, Any]] = []
    broken = 0
    for path in paths:
        try:
            history = load_history(path)
            verdict = check(history)
        except (BadFile, BadHistory) as error:
            console.print(str(error), style="bold red", soft_wrap=True)
            broken += 1
            continue
        _print(console, path, history, verdict)
        verdicts.append(verdict)
        reports.append({"file": str(path), **_to_json(verdict)})
    if json_file is not None:
        write_whole(json_file, json.dumps(reports, indent=2) + "\n")
    if broken:
        return Exit.REFUSED
    if any(isinstance(verdict, Violated) for verdict in verdicts):
        return Exit.LIES
    return Exit.UNKNOWN if any(isinstance(verdict, Unknown) for verdict in verdicts) else Exit.AGREED


def _print(console: Console, path: Path, history: History, verdict: Verdict) -> None:
    console.print(Text.assemble(f"{path}: ", (str(verdict), _STYLES[type(verdict)])), soft_wrap=True)
    for line in verdict_lines(history, verdict):
        console.print(Padding(Text(line), (0, 0, 0, 3), expand=False))
    console.print(Padding(Text(summary(history), style="dim"), (0, 0, 0, 3), expand=False))


def _to_json(verdict: Verdict) -> dict[str, Any]:
    match verdict:
        case Linearizable(unchecked=unchecked):
            return {"verdict": "linearizable", "refusals_not_checked": unchecked}
        case Violated(violations=violations):
            return {
                "verdict": "violation",
                "violations": [
                    {
                        "name": violation.anomaly.value,
                        "what": violation.what,
                        "calls": [index + 1 for index in violation.calls],
                        "watch": None if violation.watch is None else violation.watch + 1,
                        "revision": violation.revision,
                    }
                    for violation in violations
                ],
            }
        case Unknown(where=where, why=why, calls=calls):
            return {"verdict": "unknown", "where": where, "why": why, "calls": [index + 1 for index in calls]}
