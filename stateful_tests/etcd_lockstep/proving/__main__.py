"""`python -m etcd_lockstep.proving`: search for the lie of every specimen, and write docs/lies.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from etcd_lockstep.proving.attacking import Attacked, Task, attack
from etcd_lockstep.proving.measuring import Measured, measure
from etcd_lockstep.proving.page import Results, page, plot
from etcd_lockstep.proving.pairs import Pair, SearchedPair, pairs, sample, search
from etcd_lockstep.proving.running import lines_of, run_all
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
    known = {} if options.anew else dict(_measured_before(options.state, options.seconds))
    missing = [task for task in tasks if task not in known]
    if len(missing) < len(tasks):
        console.print(
            f"{len(tasks) - len(missing)} of {len(tasks)} searches are in {options.state} already", soft_wrap=True
        )
    _measure(missing, known, options, console)
    results = {name: [known[name, seed] for seed in options.numbers] for name in names}
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


def _measured_before(state: Path, limit: float) -> Iterator[tuple[Task, Measured]]:
    """What an earlier call has measured with the same limit."""
    for held in lines_of(state):
        try:
            one = Measured(**held["measured"])
        except (TypeError, KeyError):
            continue  # of another version: it is measured again
        if held.get("limit") == limit:
            yield (one.specimen, one.seed), one


def _measure(tasks: Sequence[Task], known: dict[Task, Measured], options: argparse.Namespace, console: Console) -> None:
    def on_done(one: Measured) -> tuple[str, Any]:
        known[one.specimen, one.seed] = one
        return one.specimen, {"limit": options.seconds, "measured": asdict(one)}

    work = partial(_measured, seconds=options.seconds)
    run_all(tasks, work, on_done, state=options.state, anew=options.anew, jobs=options.jobs, console=console)


def _measured(task: Task, seconds: float) -> Measured:
    return measure(*task, seconds)


def _search_pairs(options: argparse.Namespace, console: Console) -> int:
    """The pairs of specimens that show in the answer to the same operation, or a sample of them."""
    seed = 1 if options.seed is None else options.seed
    tasks = sample(options.pairs, seed)
    if options.only:
        tasks = [pair for pair in tasks if set(pair) & set(options.only)]
    known: dict[Pair, SearchedPair] = {}
    for held in () if options.anew else lines_of(options.state):
        with suppress(TypeError, KeyError):  # of another version: it is searched again
            one = SearchedPair(tuple(held["pair"]), tuple(held["found"]), held["examples"], tuple(held["findings"]))
            if held["seed"] == seed:
                known[one.pair] = one

    def on_done(one: SearchedPair) -> tuple[str, Any]:
        known[one.pair] = one
        return " and ".join(one.pair), {"seed": seed, **asdict(one)}

    missing = [pair for pair in tasks if pair not in known]
    work = partial(search, seed=seed)
    run_all(missing, work, on_done, state=options.state, anew=options.anew, jobs=options.jobs, console=console)
    searched = [known[pair] for pair in tasks]
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
    known: dict[Task, Attacked] = {}
    for held in () if options.anew else lines_of(options.state):
        with suppress(TypeError, KeyError):  # of another version: it is attacked again
            known[held["specimen"], held["seed"]] = Attacked(**{**held, "off": tuple(held["off"])})

    def on_done(one: Attacked) -> tuple[str, Any]:
        known[one.specimen, one.seed] = one
        return one.specimen, asdict(one)

    missing = [task for task in tasks if task not in known]
    work = partial(attack, seconds=options.seconds)
    run_all(missing, work, on_done, state=options.state, anew=options.anew, jobs=options.jobs, console=console)
    attacked = [known[task] for task in tasks]
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
