"""A known bug as data: who has it, who mended it, why it is there, and what shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from etcd_lockstep.servers import Program
from etcd_lockstep.trace import Trace
from etcd_model.quirks import parse_version, reached, release_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a version did with what shows a bug."""

    shown: bool
    lines: tuple[str, ...]
    """What was seen, for a reader."""


@dataclass(frozen=True, slots=True)
class ByTrace:
    """One client shows it, every time: with the bug, a server answers a step of the trace otherwise than the model
    without the bug, or dies."""

    trace: Trace
    quirk: str = ""
    """The row of the model's quirk table that is the mend. Empty where the model never has the bug."""


Run: TypeAlias = Callable[[Program, float, Callable[[str], None]], Outcome]
"""A run against a server of a version: the binary, for how many seconds at most, and what receives lines of progress.
It starts and ends the servers that it needs, and returns as soon as the bug has shown."""


@dataclass(frozen=True, slots=True)
class ByRun:
    """A run shows it, with luck: a race, or a crash at the right moment."""

    run: Run
    seconds: float
    """For how long it is run. The mended version is run as long, without the bug being seen."""
    about: str
    """What the run does, in a sentence."""
    measured: str = ""
    """How often it showed the bug, on which versions and when."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One row of the table."""

    name: str
    about: str
    """What goes wrong, in a sentence."""
    upstream: tuple[str, ...]
    """`#` and the number of an issue or pull request of etcd-io/etcd, or `GHSA-` of an advisory. Empty where none was
    found."""
    since: tuple[str, ...]
    """The first version that has it, in each line of releases that got it; empty for every one from 3.4.0 on."""
    mended: tuple[str, ...]
    """The first version without it, in each line of releases; empty where no release mends it."""
    cause: str
    """What is wrong in etcd's source, with file and function."""
    shown_by: ByTrace | ByRun
    report: str = ""
    """The page below docs/ that has the whole report, for a bug that this project found."""

    def is_in(self, version: str) -> bool:
        """Whether a version, such as `3.5.16`, has the bug. Raises ValueError for what is no version."""
        number = parse_version(release_of(version))
        return (not self.since or reached(number, self.since)) and not (self.mended and reached(number, self.mended))


def upstream_link(reference: str) -> str:
    """Where an issue, a pull request or an advisory is found, as a link in Markdown."""
    if reference.startswith("#"):
        return f"[{reference}](https://github.com/etcd-io/etcd/issues/{reference[1:]})"
    return f"[{reference}](https://github.com/etcd-io/etcd/security/advisories/{reference})"
