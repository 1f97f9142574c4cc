"""`python -m etcd_lockstep.proving`: search for the lie of every specimen, and write docs/lies.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from etcd_lockstep.proving.attacking import Attacked, attack
from etcd_lockstep.proving.measuring import Measured, measure
from etcd_lockstep.proving.page import Results, page, plot
from etcd_lockstep.proving.pairs import EXAMPLES, SearchedPair, pairs, sample, search
from etcd_lockstep.proving.running import run_all
from etcd_lockstep.specimens import SPECIMENS


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 1 where a lie was not found, or in a longer trace only; 2 usage."""
    options = _parsed(arguments)
    console = Console(highlight=False, markup=False, emoji=False, stderr=True)
    try:
        if options.pairs is not None:
            return _search_pairs(options, console)
        if options.attack:
            return _attack(options, console)
        return _search(options, console)
    except KeyboardInterrupt:
        console.print(f"interrupted: the same command goes on where this one ended ({options.state})", soft_wrap=True)
        return 130


def _search(options: argparse.Namespace, console: Console) -> int:
    """How soon the lie of each specimen is found."""
    names = options.only or list(SPECIMENS)
    tasks = [(name, seed) for seed in options.numbers for name in names]
    work, under = partial(measure, seconds=options.seconds), {"seconds": options.seconds}
    measured = run_all(tasks, work, Measured, under, **_running(options, console))
    results = {name: [measured[name, seed] for seed in options.numbers] for name in names}
    _write(results, options)
    wrong = [one for several in results.values() for one in several if not one.is_short]
    for one in wrong:
        what = f"found in {one.length} steps, which is too long" if one.found else "not found"
        console.print(f"{one.specimen}, seed {one.seed}: {what}", soft_wrap=True)
    return 1 if wrong else 0


def _running(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """The arguments of `run_all` that are the same for all searches."""
    return {"state": options.state, "anew": options.anew, "jobs": options.jobs, "console": console}


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m etcd_lockstep.proving",
        description="Search for the lie of every specimen, with the model and the fake as judges, and write a page.",
        epilog="exit codes: 0 all were found; 1 one was not, or in a longer trace only; 2 usage; 130 interrupted",
    )
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="searches for each specimen (default 5)")
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="the first of the seeds (default 0); of pairs, which of them are searched, and how (default 1)",
    )
    parser.add_argument(
        "--pairs",
        type=int,
        metavar="N",
        help="search for both lies of so many pairs of specimens instead, with one seed",
    )
    parser.add_argument(
        "--attack", action="store_true", help="try to make the shrunk traces simpler instead, and list what comes off"
    )
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="for each search (default 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="searches at the same time")
    parser.add_argument("--page", type=Path, default=Path("docs/lies.md"), help="with .svg and .json beside it")
    parser.add_argument(
        "--state",
        type=Path,
        help="what was measured so far (default build/lies.jsonl, pairs.jsonl or attacked.jsonl)",
    )
    parser.add_argument("--anew", action="store_true", help="measure again what was measured before")
    parser.add_argument("only", nargs="*", metavar="SPECIMEN", help="these alone")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.jobs < 1 or not options.seconds > 0:
        parser.error("--seeds and --jobs are whole numbers from 1 on, and --seconds is more than 0")
    if options.pairs is not None and options.pairs < 1:
        parser.error("--pairs is a whole number from 1 on")
    first = options.seed or 0
    options.numbers = range(first, first + options.seeds)
    kind = "attacked" if options.attack else "lies" if options.pairs is None else "pairs"
    options.state = options.state or Path(f"build/{kind}.jsonl")
    unknown = [name for name in options.only if name not in SPECIMENS]
    if unknown:
        parser.error(f"no specimen is called {unknown[0]!r}: `etcd-lockstep targets` lists them")
    return options


def _search_pairs(options: argparse.Namespace, console: Console) -> int:
    """The pairs of specimens that show in the answer to the same operation, or a sample of them."""
    seed = 1 if options.seed is None else options.seed
    tasks = sample(options.pairs, seed)
    if options.only:
        tasks = [pair for pair in tasks if set(pair) & set(options.only)]
    work, under = partial(search, seed=seed), {"seed": seed, "examples": EXAMPLES}
    searched = run_all(tasks, work, SearchedPair, under, **_running(options, console)).values()
    for one in searched:
        for lie, reason in one.covered.items():
            console.print(f"{' and '.join(one.pair)}: {lie} is not reported: {reason}", soft_wrap=True)
    hidden = [one for one in searched if one.hidden]
    for one in hidden:
        console.print(f"{' and '.join(one.pair)}: not found: {' and '.join(one.hidden)}", soft_wrap=True)
    covered = sum(bool(one.covered) for one in searched)
    console.print(
        f"{len(searched)} of {len(pairs())} pairs: both lies found in {len(searched) - covered - len(hidden)}, "
        f"one can't be reported beside the other in {covered}, one is hidden in {len(hidden)}",
        soft_wrap=True,
    )
    return 1 if hidden else 0


def _attack(options: argparse.Namespace, console: Console) -> int:
    """Whether anything comes off the shrunk traces of the specimens."""
    tasks = [(name, seed) for seed in options.numbers for name in options.only or SPECIMENS]
    work, under = partial(attack, seconds=options.seconds), {"seconds": options.seconds}
    attacked = run_all(tasks, work, Attacked, under, **_running(options, console)).values()
    for one in attacked:
        for report in one.off if one.findings else ("not found",):
            console.print(f"{one.specimen}, seed {one.seed}: {report}", soft_wrap=True)
    off = sum(len(one.off) for one in attacked)
    console.print(
        f"{sum(one.tried for one in attacked):,} simpler traces of {sum(one.findings for one in attacked):,} findings "
        f"in {len(attacked)} searches: {off} show the same",
        soft_wrap=True,
    )
    return 1 if off else 0


def _write(results: Results, options: argparse.Namespace) -> None:
    picture, data = options.page.with_suffix(".svg"), options.page.with_suffix(".json")
    options.page.write_text(page(results, options.seconds, picture.name), encoding="utf-8")
    picture.write_text(plot(results), encoding="utf-8")
    as_data = {name: [asdict(one) for one in several] for name, several in results.items()}
    data.write_text(json.dumps({"seconds": options.seconds, "specimens": as_data}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
