"""One search for a specimen's lie, as `fuzz --etcd none --against SPECIMEN --seed N` does it, measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from etcd_lockstep.catalogue import find
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.run import Run, RunOptions
from etcd_lockstep.servers import NoEtcd
from etcd_lockstep.specimens.shortest import SHORTEST
from etcd_model import Server

Task = tuple[str, int]
"""A specimen and a seed."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one search came to."""

    specimen: str
    seed: int
    found: bool
    sequences: int
    """That were run until the lie was found in its shortest trace; where it was not, all of them."""
    steps: int
    """Of these sequences."""
    seconds: float
    """From the start of the run until then, on the clock."""
    shrinking: float
    """Seconds of these in which traces were shrunk."""
    length: int
    """Steps of the shortest trace found; 0 where there is none."""

    @property
    def task(self) -> Task:
        return self.specimen, self.seed

    @property
    def is_short(self) -> bool:
        """Whether the trace is no longer than the one written down; of a whole mock, whether there is one."""
        return self.found and is_short(self.specimen, self.length)


def is_short(specimen: str, length: int) -> bool:
    """Whether a trace of so many steps is no longer than the one written down, if one is."""
    return specimen not in SHORTEST or length <= len(SHORTEST[specimen])


def measure(task: Task, seconds: float) -> Measured:
    """Search for a specimen's lie, as `search` does, and measure that."""
    specimen, seed = task
    shrinking = Stopwatch()
    begun = time.monotonic()
    run, found = search(specimen, seed, seconds, on_busy=lambda what: shrinking.switch(on=what.startswith("shrinking")))
    return Measured(
        specimen,
        seed,
        bool(found),
        sum(search.sequences for search in run.searches),
        sum(search.steps for search in run.searches),
        time.monotonic() - begun,
        shrinking.seconds,
        min((len(one.finding.trace) for one in found), default=0),
    )


class Found(NamedTuple):
    """A finding, and the settings of the server that it was found on."""

    finding: Finding
    server: Server


def search(
    specimen: str, seed: int, seconds: float, on_busy: Callable[[str], None] = lambda _what: None
) -> tuple[Run, list[Found]]:
    """Search for a specimen's lie, with the model and the fake as judges, until it is found in a trace no longer than
    the one written down, or so many seconds are over. Of a whole mock, the first lie is enough."""
    findings: list[Found] = []

    def found(finding: Finding, participants: Participants) -> None:
        assert finding.odd_one_out == specimen, finding  # the references agree, whatever a specimen does
        findings.append(Found(finding, participants.model.server))
        if is_over():
            for search in run.searches:
                search.deadline = 0.0  # the time is up

    def is_over() -> bool:
        return any(is_short(specimen, len(one.finding.trace)) for one in findings)

    options = RunOptions(NoEtcd(), [find(specimen)], seconds=seconds, seed=seed)
    run = Run(options, on_busy=on_busy, on_finding=found)
    with closing(run.stages()) as stages:
        for stage in stages:
            run.fuzz(stage)
            if is_over():
                break
    return run, findings


class Stopwatch:
    """Counts the seconds while it is on."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since: float | None = None

    def switch(self, *, on: bool) -> None:
        """Turn it on or off."""
        now = time.monotonic()
        if self._since is not None:
            self.seconds += now - self._since
        self._since = now if on else None
