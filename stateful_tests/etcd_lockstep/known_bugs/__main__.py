"""`python -m etcd_lockstep.known_bugs [NAME]`: show a known bug of etcd, and its absence where it is mended."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone
from pathlib import Path

from etcd_lockstep import servers
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.known_bugs import BUGS, Bug, Choice, choose, quirk_as_bug, show
from etcd_lockstep.known_bugs.track_record import Tried, page
from etcd_lockstep.searching.known_quirks import quirk_traces
from etcd_lockstep.servers import EtcdUnavailable, Program

ALL = "all"


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: shown where it is, absent where it is mended; 1: not so; 2: no such bug; 3: a binary is missing."""
    parser = argparse.ArgumentParser(prog="etcd_lockstep.known_bugs", description=__doc__)
    parser.add_argument(
        "bug", nargs="?", default="", metavar="NAME", help="a bug, a quirk, or `all`; none lists the bugs"
    )
    parser.add_argument(
        "--seconds", type=float, help="for how long a bug that needs luck is looked for on each version"
    )
    parser.add_argument("--page", type=Path, help="with `all`: write the track record there")
    options = parser.parse_args(arguments)
    if options.seconds is not None and options.seconds <= 0:
        parser.error("--seconds takes a number above 0")
    if not options.bug:
        return _listed()
    programs = servers.available_versions(_progress)
    try:
        if options.bug == ALL:
            return _everything(programs, options.seconds, options.page)
        return _named(options.bug, programs, options.seconds)
    except EtcdUnavailable as lost:
        _progress(str(lost))
        return Exit.UNREACHABLE


def _named(name: str, programs: list[Program], seconds: float | None) -> int:
    bug = next((bug for bug in BUGS if bug.name == name), None) or quirk_as_bug(name)
    if bug is None:
        _progress(f"there is no bug {name!r}: `make repro` lists them")
        return Exit.REFUSED
    return _one(bug, programs, seconds)


def _listed() -> int:
    for bug in BUGS:
        print(f"{bug.name:34} {bug.about}")
    print(f"\nThe quirks of docs/quirks.md are shown in the same way: {', '.join(sorted(quirk_traces()))}")
    return Exit.AGREED


def _one(bug: Bug, programs: list[Program], seconds: float | None) -> int:
    choice = choose(bug, programs)
    print(f"{bug.name}: {bug.about}")
    if bug.upstream:
        print(f"upstream: {', '.join(bug.upstream)}")
    missing = _missing(bug, choice)
    if missing:
        _progress(missing)
        return Exit.UNREACHABLE
    expected = True
    for program in (choice.affected, choice.mended):
        if program is not None:
            expected &= _run(bug, program, seconds).as_expected
    if not bug.mended:
        print("\nNo release mends it.")
    return Exit.AGREED if expected else Exit.LIES


def _missing(bug: Bug, choice: Choice) -> str:
    """What can't be shown for want of a binary."""
    if choice.affected is None:
        which = f"before {', '.join(bug.mended)}" if bug.mended else f"from {', '.join(bug.since)} on"
        return f"{bug.name} takes an etcd {which}; no binary that shows it is available: scripts/fetch-etcd brings some"
    if choice.mended is None and bug.mended:
        return (
            f"{bug.name} is mended in {', '.join(bug.mended)}, of which no binary later than {choice.affected.version} "
            "is available: scripts/fetch-etcd brings some"
        )
    return ""


def _run(bug: Bug, program: Program, seconds: float | None, *, quiet: bool = False) -> Tried:
    tried = Tried(bug, program.version, show(bug, program, seconds=seconds, progress=_progress))
    if not quiet:
        print(f"\netcd {program.version}, which {'has it' if bug.is_in(program.version) else 'is mended'}:\n")
        print(*tried.outcome.lines, sep="\n")
    print(f"\n{tried.verdict()}" if not quiet else f"{bug.name}: {tried.verdict()}", flush=True)
    return tried


def _everything(programs: list[Program], seconds: float | None, to: Path | None) -> int:
    if not programs:
        _progress("no etcd binary is available: scripts/fetch-etcd brings some")
        return Exit.UNREACHABLE
    tried = [_run(bug, program, seconds, quiet=True) for bug in BUGS for program in programs]
    if to is not None:
        today = datetime.now(timezone.utc).date().isoformat()
        to.write_text(page(tried, today), encoding="utf-8")
    return Exit.AGREED if all(one.as_expected for one in tried) else Exit.LIES


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
