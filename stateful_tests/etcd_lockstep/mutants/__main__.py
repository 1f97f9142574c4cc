"""`python -m etcd_lockstep.mutants`: draw mutants, judge each, write docs/mutants.md; or judge recorded ones again."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from etcd_lockstep.console.exits import Exit
from etcd_lockstep.mutants.areas import AREAS, Area
from etcd_lockstep.mutants.mutant import Judged
from etcd_lockstep.mutants.page import page, read_reasons
from etcd_lockstep.mutants.running import Task, judge_all, read

RECORDED = Path(__file__).parent / "recorded.jsonl"
"""The verdicts that docs/mutants.md reports."""
QUICK = 1.0
"""Mutants that a search found within so many seconds are judged again by `--again`, in one twenty times as long."""


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 1 where a mutant survives without a reason, or one that was found no longer is; 2: bad options."""
    parser = argparse.ArgumentParser(prog="etcd_lockstep.mutants", description=__doc__)
    parser.add_argument(
        "--number", type=int, default=108, help="how many mutants, as many of each area as of the others"
    )
    parser.add_argument("--areas", default="model,fake,harness", help="what is mutated (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long a mutant is searched for")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RECORDED, help="where the verdicts are, and are added")
    parser.add_argument("--page", type=Path, help="write the page there")
    parser.add_argument(
        "--again", type=int, metavar="N", help="judge N recorded mutants again, which a search found quickly"
    )
    options = parser.parse_args(arguments)
    for name in ("number", "seconds", "jobs"):
        if getattr(options, name) <= 0:
            parser.error(f"--{name} takes a number above 0")
    unknown = set(options.areas.split(",")) - {area.name for area in AREAS}
    if unknown:
        parser.error(f"--areas knows no {', '.join(sorted(unknown))}: model, fake and harness")
    if options.again is not None:
        return _again(options)
    return _sampled(options)


def _sampled(options: argparse.Namespace) -> int:
    tasks = _tasks(options.number, options.seed, options.areas.split(","))
    judged = judge_all(
        tasks, options.results, seconds=options.seconds, seed=options.seed, jobs=options.jobs, progress=_progress
    )
    reasons = read_reasons()
    if options.page is not None:
        tool = f"cosmic-ray {version('cosmic-ray')}"
        text = page(
            [(area, one) for (area, _), one in zip(tasks, judged, strict=True)],
            reasons,
            tool,
            options.seed,
            options.seconds,
            earlier=_of_other_areas(options.areas.split(",")),
        )
        options.page.write_text(text, encoding="utf-8")
    unexplained = [one for one in judged if one.survived and one.mutant.key not in reasons]
    for one in unexplained:
        _progress(f"survived, for no reason that is known: {one.mutant.key}")
    return Exit.LIES if unexplained else Exit.AGREED


def _of_other_areas(areas: Sequence[str]) -> list[tuple[Area, Judged]]:
    """What is recorded of the areas that this run leaves out."""
    by_module = {module: area for area in AREAS for module in area.modules if area.name not in areas}
    return [(by_module[one.mutant.module], one) for one in read(RECORDED) if one.mutant.module in by_module]


def _tasks(number: int, seed: int, names: Sequence[str]) -> list[Task]:
    from etcd_lockstep.mutants.drawing import sample  # cosmic-ray is needed for nothing else

    areas: dict[str, list[Area]] = {}
    for area in AREAS:
        if area.name in names:
            areas.setdefault(area.name, []).append(area)
    tasks: list[Task] = []
    for same in areas.values():
        by_module = {module: area for area in same for module in area.modules}
        drawn = sample(tuple(by_module), number // len(areas), seed)
        tasks += [(by_module[mutant.module], mutant) for mutant in drawn]
    return tasks


def _again(options: argparse.Namespace) -> int:
    by_module = {module: area for area in AREAS for module in area.modules}
    quick = [one for one in read(options.results) if one.by == "search" and one.seconds <= QUICK]
    same = [one for one in quick if one.mutant.source() is not None]
    chosen = random.Random(options.seed).sample(same, min(options.again, len(same)))
    if len(chosen) < options.again:
        _progress(f"only {len(chosen)} of the recorded mutants can be judged again: the sources of others have changed")
    tasks = [(replace(by_module[one.mutant.module], tests=()), one.mutant) for one in chosen]
    with tempfile.TemporaryDirectory() as folder:
        judged = judge_all(
            tasks,
            Path(folder) / "again.jsonl",
            seconds=20 * QUICK,
            seed=options.seed,
            jobs=options.jobs,
            progress=_progress,
        )
    missed = [one for one in judged if one.survived]
    for one in missed:
        _progress(f"no longer found by the search: {one.mutant.key}")
    _progress(f"{len(judged) - len(missed)} of {len(judged)} found")
    return Exit.LIES if missed else Exit.AGREED


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
