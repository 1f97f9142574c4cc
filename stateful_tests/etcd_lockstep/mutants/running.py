"""Judge mutants on several cores, and keep what was found, so that a run that is interrupted goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from etcd_lockstep.mutants.areas import Area
from etcd_lockstep.mutants.mutant import SURVIVED, Judged, Mutant, from_json, to_json

_GRACE = 60.0
"""Seconds that a search may take beyond its own, for the start of its process and a machine that is busy."""
_TESTS_SECONDS = 600.0
"""The most that tests may take. They take 5 to 60 s."""

Task = tuple[Area, Mutant]


def judge_all(
    tasks: Sequence[Task],
    results: Path,
    *,
    seconds: float,
    seed: int,
    jobs: int,
    progress: Callable[[str], None],
) -> list[Judged]:
    """The verdicts on all mutants, in their order. Those that stand in the file of results are not judged again; the
    others are added to it, each as soon as it is known."""
    known = {judged.mutant: judged for judged in read(results)}
    left = [task for task in tasks if task[1] not in known]
    if len(left) < len(tasks):
        progress(f"{len(tasks) - len(left)} of {len(tasks)} are judged already, in {results}")
    results.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as workers:
        running = [workers.submit(judge, area, mutant, seconds, seed) for area, mutant in left]
        for number, future in enumerate(as_completed(running), 1):
            judged = future.result()
            known[judged.mutant] = judged
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(to_json(judged)) + "\n")
            progress(f"{number} of {len(left)}: {judged.by} in {judged.seconds:.1f} s: {judged.mutant.key}")
    return [known[mutant] for _area, mutant in tasks]


def read(results: Path) -> list[Judged]:
    """The verdicts in a file of results; none where there is no file. Raises ValueError for what is no such file."""
    if not results.exists():
        return []
    try:
        return [from_json(json.loads(line)) for line in results.read_text(encoding="utf-8").splitlines()]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{results} is not a file of results: {error}") from error


def judge(area: Area, mutant: Mutant, seconds: float, seed: int) -> Judged:
    """One mutant, by each judge of its area in turn. Raises ValueError where its source has changed since."""
    source = mutant.source()
    if source is None:
        raise ValueError(f"the source of {mutant.module} is no longer what was mutated: {mutant.key}")
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        changed = Path(folder) / f"{mutant.module.rpartition('.')[2]}.py"
        changed.write_text(source, encoding="utf-8")
        verdict = (SURVIVED, 0.0, "")
        for arguments, limit in _judges(area, seconds, seed):
            verdict = _verdict([mutant.module, str(changed), *arguments], limit)
            if verdict[0] != SURVIVED:
                break
    return Judged(mutant, *verdict)


def _judges(area: Area, seconds: float, seed: int) -> Iterator[tuple[list[str], float]]:
    if area.searched:
        yield ["search", str(seconds), str(seed)], seconds + _GRACE
    if area.tests:
        yield ["tests", *area.tests], _TESTS_SECONDS


def _verdict(arguments: Sequence[str], limit: float) -> tuple[str, float, str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "etcd_lockstep.mutants.judge", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            out, error = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            return "hang", limit, f"no verdict within {limit:g} s"
    if process.returncode:
        return "crash", 0.0, (error.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
    by, took, what = json.loads(out.splitlines()[-1])
    return by, took, what
