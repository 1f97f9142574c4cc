"""Running a shard in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.run import Run, RunOptions, Stage
from etcd_lockstep.shards.result import ShardResult, ShardTargets, WorkloadSummary, result_of, targets_of, workloads_of
from etcd_lockstep.shards.shard import Shard


@dataclass(frozen=True, slots=True)
class Listener:
    """What is called while a search goes on, in its own thread."""

    on_targets: Callable[[ShardTargets], None] = lambda _targets: None
    """The targets have been started."""
    on_workload: Callable[[str, list[str]], None] = lambda _name, _drawn: None
    """A workload begins, and what it draws."""
    on_line: Callable[[str], None] = lambda _line: None
    """There is something to say."""
    on_finding: Callable[[Finding, str], None] = lambda _finding, _etcd: None
    """A finding was made, and with which etcd."""


class ShardRun:
    """A run that tells how it is getting on."""

    def __init__(self, options: RunOptions, listener: Listener) -> None:
        self._doing = ""
        self.run = Run(options, progress=listener.on_line, on_busy=self._on_busy, on_finding=self._on_finding)
        self._listener = listener
        self._stages: list[Stage] = []
        self._started = 0.0

    def search(self) -> None:
        """Run to the end. Raises what `Run.stages` and `Run.fuzz` do; what was found until then stays."""
        for stage in self.run.stages():
            if not self._stages:
                self._listener.on_targets(targets_of(stage.participants))
                self._started = time.monotonic()
            if stage.turns == 1:
                self._stages.append(stage)
                self._listener.on_workload(stage.workload.name, stage.drawn)
            self.run.fuzz(stage)

    @property
    def workloads(self) -> tuple[WorkloadSummary, ...]:
        """How far each is."""
        return workloads_of(self._stages)

    @property
    def doing(self) -> str:
        """What it does besides searching."""
        return self._doing

    @property
    def findings(self) -> int:
        """How many there are so far."""
        return len(self.run.findings)

    @property
    def result(self) -> ShardResult | None:
        """What it has come to so far; None before its targets were started."""
        return result_of(self.run, self._stages, time.monotonic() - self._started) if self._stages else None

    def _on_busy(self, what: str) -> None:
        self._doing = what

    def _on_finding(self, finding: Finding, participants: Participants) -> None:
        self._listener.on_finding(finding, participants.etcd.how if participants.etcd else "none")


def run_shard(shard: Shard) -> ShardResult:
    """Run a shard to its end. Raises what `Shard.options`, `Run.stages` and `Run.fuzz` do."""
    running = ShardRun(shard.options(), Listener())
    running.search()
    result = running.result
    assert result is not None, "a run without stages raises"
    return result
