"""`python -m etcd_lockstep.pages quirks|fidelity`: make a page of docs/ from real runs."""

from __future__ import annotations

import argparse
import re
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from etcd_lockstep import servers
from etcd_lockstep.campaigns.state import BadState
from etcd_lockstep.pages import campaigned, fidelity, ledger, quirks
from etcd_lockstep.pages.unmet import contradictions
from etcd_lockstep.searching.known_quirks import FOLDER, quirk_traces


def main() -> int:
    """Exit code 0; 1 where a server did not answer as the model of its version; 2 where a file can't be used; 3 where
    no etcd can be had."""
    parser = argparse.ArgumentParser(prog="etcd_lockstep.pages", description=__doc__)
    pages = parser.add_subparsers(required=True, metavar="PAGE")
    one = pages.add_parser("quirks", help="what differs between the available versions")
    one.add_argument("--page", type=Path, default=Path("docs/quirks.md"))
    one.set_defaults(make=_quirks)
    other = pages.add_parser(
        "fidelity", help="how much of the API is exercised, on the newest available of each series"
    )
    other.add_argument("--page", type=Path, default=Path("docs/fidelity.md"))
    other.add_argument("--state", type=Path, metavar="DIR", help="a campaign's state, to take the figures from")
    other.add_argument("--seconds", type=float, default=120.0, help="how long to fuzz each version")
    other.add_argument("--seed", type=int, default=0)
    other.set_defaults(make=_fidelity)
    options = parser.parse_args()
    console = Console(highlight=False, markup=False, emoji=False, stderr=True)
    try:
        agreed: bool = options.make(console, options)
    except servers.EtcdUnavailable as error:
        console.print(f"etcd-lockstep: {error}", soft_wrap=True)
        return 3
    except (BadState, sqlite3.Error, OSError) as error:
        console.print(f"etcd-lockstep: {error}", soft_wrap=True)
        return 2
    return 0 if agreed else 1


def _quirks(console: Console, options: argparse.Namespace) -> bool:
    _refuse_poorer(options.page, [program.version for program in servers.available_versions(console.print)])
    versions, rows = quirks.rows(FOLDER, progress=console.print)
    options.page.write_text(quirks.page(versions, rows), encoding="utf-8")
    for row in rows:
        if row.trace is None:
            console.print(f"no trace was found that shows {row.quirk}")
        for version in row.surprises:
            console.print(f"etcd {version} does not answer the trace of {row.quirk} as the model of it does")
    return not any(row.surprises for row in rows)


def _fidelity(console: Console, options: argparse.Namespace) -> bool:
    if options.state is not None:
        searched = campaigned.searched(options.state)
        _refuse_poorer(options.page, [one.version for one in searched.measured])
        every = ledger.enter(options.page.with_suffix(".json"), searched.seed, searched.last, searched.measured)
        made = "\n".join(
            (searched.how, "", "Agreed steps of all campaigns so far, this one among them:", "", *ledger.table(every))
        )
        return _write_fidelity(console, options.page, searched.measured, made)
    programs = fidelity.newest_of_each_series(servers.available_versions(console.print))
    if not programs:
        raise servers.EtcdUnavailable("no etcd binary is available: scripts/fetch-etcd brings some")
    _refuse_poorer(options.page, [program.version for program in programs])
    measured = [fidelity.measure(program, options.seconds, options.seed, console.print) for program in programs]
    return _write_fidelity(console, options.page, measured, "Made by `make fidelity`.")


def _write_fidelity(console: Console, page: Path, measured: Sequence[fidelity.Measured], made: str) -> bool:
    """Reports whether every answer was one that its version may give."""
    page.write_text(fidelity.page(measured, quirk_traces(), made), encoding="utf-8")
    wrong = [(one.version, text) for one in measured for text in contradictions(one.version, one.coverage.answers)]
    for version, message in wrong:
        console.print(f"etcd {version} does answer {message!r}: pages/unmet.py says why it would not")
    return not wrong and not any(one.findings for one in measured)


def _refuse_poorer(page: Path, versions: Sequence[str]) -> None:
    """Raise `EtcdUnavailable` where a page has figures of a series of etcd of which no binary is available."""
    lines = page.read_text(encoding="utf-8").splitlines() if page.exists() else []
    header = next((line for line in lines if line.startswith(("| quirk |", "| field |"))), "")
    missing = set(re.findall(r"\d+\.\d+(?=\.\d+ )", header)) - {version.rpartition(".")[0] for version in versions}
    if missing:
        raise servers.EtcdUnavailable(
            f"{page} has figures of etcd {', '.join(sorted(missing))} too, of which no binary is available: "
            "scripts/fetch-etcd brings some; or name another --page"
        )


if __name__ == "__main__":
    sys.exit(main())
