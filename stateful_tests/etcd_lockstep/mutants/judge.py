"""Judge one mutant, in a process of its own: `python -m etcd_lockstep.mutants.judge MODULE FILE search|tests …`.

Nothing of ours is imported before the changed module stands in place of the real one. The verdict is one line of JSON,
the last of standard output.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import json
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from itertools import zip_longest
from types import ModuleType

RELEASES = ("3.4.23", "3.5.30", "3.6.16", "3.7.3")
"""Those that are searched: what only one of them does, none of the others shows."""


class _InPlaceOf(importlib.abc.MetaPathFinder):
    """Loads a module from another file."""

    def __init__(self, module: str, file: str) -> None:
        self._module = module
        self._file = file

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        return importlib.util.spec_from_file_location(fullname, self._file) if fullname == self._module else None


class _Found(BaseException):
    """Ends a run at its first finding, which nothing of a run may take for an answer."""


def search(seconds: float, seed: int) -> tuple[str, float, str]:
    """What noticed it, after how many seconds, and what was seen; `survived` where the time is over. The releases take
    turns."""
    from etcd_lockstep.searching.run import Run, RunOptions
    from etcd_lockstep.servers import NoEtcd

    started = time.monotonic()
    found = ""

    def on_busy(what: str) -> None:
        nonlocal found
        if what.startswith("shrinking: "):
            found = what.removeprefix("shrinking: ")
            raise _Found

    share = seconds / len(RELEASES)
    runs = [Run(RunOptions(NoEtcd(release), seconds=share, seed=seed), on_busy=on_busy) for release in RELEASES]
    try:
        for stages in zip_longest(*(run.stages() for run in runs)):
            for run, stage in zip(runs, stages, strict=True):
                if stage is not None:
                    run.fuzz(stage)
    except _Found:
        return "search", time.monotonic() - started, found
    except Exception as error:  # the run itself failed over it, which nobody misses
        return "crash", time.monotonic() - started, f"{type(error).__name__}: {error}"
    return "survived", time.monotonic() - started, ""


class _FirstFailure:
    """A pytest plugin that remembers which test failed first."""

    name = ""

    def pytest_runtest_logreport(self, report: object) -> None:
        if getattr(report, "failed", False) and not self.name:
            self.name = str(getattr(report, "nodeid", ""))

    def pytest_collectreport(self, report: object) -> None:
        self.pytest_runtest_logreport(report)


def tests(arguments: Sequence[str]) -> tuple[str, float, str]:
    """As `search`, by pytest."""
    import pytest

    started = time.monotonic()
    first = _FirstFailure()
    imported = "ignore::pytest.PytestAssertRewriteWarning"  # the module under test is, before pytest begins
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-W", imported, *arguments], plugins=[first])
    return "survived" if code == 0 else "tests", time.monotonic() - started, first.name or f"pytest: {code}"


def main(module: str, file: str, judge: str, *arguments: str) -> int:
    """Always exit code 0, with a verdict, unless the process itself is ended."""
    sys.meta_path.insert(0, _InPlaceOf(module, file))
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever a mutant raises when it is loaded
        verdict = "import", 0.0, f"{type(error).__name__}: {error}"
    else:
        verdict = search(float(arguments[0]), int(arguments[1])) if judge == "search" else tests(arguments)
    print(json.dumps(verdict))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
