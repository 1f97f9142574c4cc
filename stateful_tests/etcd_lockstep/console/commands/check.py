"""`check`: say whether recorded histories are linearizable."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from etcd_lockstep.console.exits import Exit
from etcd_lockstep.console.verdicts import STYLES, summary, verdict_lines, verdict_to_json
from etcd_lockstep.filing.bad_file import BadFile
from etcd_lockstep.filing.writing import write_each
from etcd_lockstep.histories import BadHistory, History, Linearizable, Unknown, Verdict, Violated, check
from etcd_lockstep.histories.files import load_history
from etcd_lockstep.reporting.history_page import history_page
from etcd_lockstep.reporting.html import check_jinja2


def run_check(
    console: Console, paths: Sequence[Path], json_file: Path | None = None, html_file: Path | None = None
) -> Exit:
    """Check history files, one after the other.

    The page is of the first that is not linearizable, or else of the first. Raises `NoJinja2` and `OSError`.
    """
    if html_file is not None:
        check_jinja2()
    shown: tuple[Path, History, Verdict] | None = None
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
        if shown is None or (isinstance(shown[2], Linearizable) and not isinstance(verdict, Linearizable)):
            shown = path, history, verdict
        verdicts.append(verdict)
        reports.append({"file": str(path), **verdict_to_json(verdict)})
    written = [] if json_file is None else [(json_file, json.dumps(reports, indent=2) + "\n")]
    if html_file is not None and shown is not None:
        path, history, verdict = shown
        written.append((html_file, history_page(str(path), history, verdict, summary(history))))
    write_each(written)
    if broken:
        return Exit.REFUSED
    if any(isinstance(verdict, Violated) for verdict in verdicts):
        return Exit.LIES
    return Exit.UNKNOWN if any(isinstance(verdict, Unknown) for verdict in verdicts) else Exit.AGREED


def _print(console: Console, path: Path, history: History, verdict: Verdict) -> None:
    console.print(Text.assemble(f"{path}: ", (str(verdict), STYLES[type(verdict)])), soft_wrap=True)
    for line in verdict_lines(history, verdict):
        console.print(Padding(Text(line), (0, 0, 0, 3), expand=False))
    console.print(Padding(Text(summary(history), style="dim"), (0, 0, 0, 3), expand=False))
