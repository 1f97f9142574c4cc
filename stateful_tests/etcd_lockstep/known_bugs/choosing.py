"""Which of the available versions a bug is shown on, and which of them shows its absence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etcd_lockstep.known_bugs.bug import Bug, ByTrace
from etcd_lockstep.searching.known_quirks import quirk_docstrings, quirk_traces, shows
from etcd_lockstep.servers import Program
from etcd_model import quirks_of
from etcd_model.quirks import SINCE, UPSTREAM, release_of


@dataclass(frozen=True, slots=True)
class Choice:
    """The newest available version that has a bug, and the oldest later one that is mended, where there are such."""

    affected: Program | None
    mended: Program | None


def choose(bug: Bug, programs: Sequence[Program]) -> Choice:
    """`programs`: the available versions, the newest last."""
    affected = [program for program in programs if bug.is_in(program.version) and _distinguishes(bug, program)]
    later = programs[programs.index(affected[-1]) :] if affected else programs
    return Choice(
        affected[-1] if affected else None,
        next((program for program in later if not bug.is_in(program.version)), None),
    )


def _distinguishes(bug: Bug, program: Program) -> bool:
    """Whether the trace of a quirk distinguishes this version with the quirk from it without."""
    match bug.shown_by:
        case ByTrace(trace=trace, quirk=quirk) if bug.name == quirk:
            return shows(trace, quirk, quirks_of(release_of(program.version)), guarded=False)
        case _:
            return True


def quirk_as_bug(quirk: str) -> Bug | None:
    """A row of the quirk table as what can be shown like a bug: a version without it differs from one with it. None
    where there is no such row, or no trace that shows it."""
    if quirk not in quirk_traces():
        return None
    return Bug(
        name=quirk,
        about=quirk_docstrings()[quirk],
        upstream=UPSTREAM.get(quirk, ()),
        since=(),
        mended=SINCE[quirk],
        cause="",
        shown_by=ByTrace(quirk_traces()[quirk], quirk),
    )
