"""Several shards at the same time, each in a process of its own, as one search."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from queue import Empty, Queue
from types import TracebackType

from etcd_lockstep.console.exits import Exit
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.shards.messages import (
    Begin,
    Ended,
    Found,
    FromProcess,
    Known,
    Line,
    Progress,
    Targets,
    ToProcess,
    WorkloadBegins,
    from_line,
    to_line,
)
from etcd_lockstep.shards.result import ShardResult, ShardTargets, WorkloadSummary, added, distinct, merged
from etcd_lockstep.shards.running import Listener
from etcd_lockstep.shards.shard import Shard
from etcd_model.exhaustive import assert_never

PATIENCE = 30.0
"""Seconds that the processes have to end after they were asked to, before they are killed."""

_PROGRAM = (
    "import sys; '' in sys.path and sys.path.remove(''); "  # no file of this folder stands for a module
    "from etcd_lockstep.grpc_import import import_grpc; import_grpc(); "
    "from etcd_lockstep.shards.process import main; sys.exit(main())"
)


class ShardEnded(Exception):
    """A shard can't begin or go on, and neither do the others."""

    def __init__(self, code: Exit, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        """The exit code for that."""


class _Process:
    """A process that runs a shard, as far as it has reported."""

    def __init__(self, place: int, shard: Shard, messages: Queue[tuple[_Process, FromProcess | None]]) -> None:
        self.place = place
        self.shard = shard
        self.targets: ShardTargets | None = None
        self.workloads: tuple[WorkloadSummary, ...] = ()
        self.doing = ""
        self.found: list[Finding] = []
        self.ended: Ended | None = None
        self.is_over = False
        """Whether nothing more comes from it."""
        self._messages = messages
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for the one that started it, which then ends it
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                message = from_line(line)
                assert not isinstance(message, ToProcess)
                self._messages.put((self, message))
        except ValueError:  # the last line of a process that was killed, or what is no message: nothing can follow
            self._process.kill()
        finally:
            self._messages.put((self, None))

    def send(self, message: ToProcess) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError, ValueError):  # it has ended
            self._process.stdin.write(to_line(message))
            self._process.stdin.flush()

    def stop(self) -> None:
        """Have it end, with what it has found so far."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def close(self) -> None:
        """Kill it if it has not ended."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()

    @property
    def way_it_died(self) -> str:
        """`SIGKILL`, or `exit code 1`."""
        code = self._process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    @property
    def result(self) -> ShardResult | None:
        """What it came to; of one that died, as far as it had reported. None where its targets weren't started."""
        if self.ended is not None and self.ended.result is not None:
            return self.ended.result
        if self.targets is None:
            return None
        return ShardResult((self.shard.seed,), self.targets, workloads=self.workloads, findings=tuple(self.found))


class ShardPool:
    """Runs shards side by side; what one finds, the others know. A context manager, after which no process is left.

    One that dies is named in a line, and the others go on (`died`). What ends one early ends all.
    """

    def __init__(self, shards: Sequence[Shard], listener: Listener) -> None:
        """Starts the processes: `search` sends them what to do."""
        self._listener = listener
        self._messages: Queue[tuple[_Process, FromProcess | None]] = Queue()
        self._processes: list[_Process] = []
        self._began: set[str] = set()
        self._findings: dict[tuple[str, str], Finding] = {}
        self._started = 0.0
        self._stopping = False
        self.died = 0
        """How many processes died."""
        try:
            for place, shard in enumerate(shards):
                self._processes.append(_Process(place, shard, self._messages))
        except BaseException:
            self._close()
            raise

    def search(self) -> None:
        """Run all shards to their end. Raises `ShardEnded`; what was found until then is in `result` after `stop`."""
        first = self._processes[0]
        first.send(Begin(first.shard))  # the others begin when its targets have been started
        while not all(one.is_over for one in self._processes):
            process, message = self._messages.get()
            self._receive(process, message)
            if message is None:
                self._check(process)

    def stop(self) -> None:
        """Have all end, and wait for what they have found."""
        self._stopping = True
        self.end_early()
        until = time.monotonic() + PATIENCE
        with suppress(Empty):
            while not all(one.is_over for one in self._processes):
                self._receive(*self._messages.get(timeout=max(until - time.monotonic(), 0)))

    def end_early(self) -> None:
        """Have `search`, in another thread, end: it raises `ShardEnded`."""
        for process in self._processes:
            process.stop()

    @property
    def workloads(self) -> tuple[WorkloadSummary, ...]:
        """How far each is, in all processes together."""
        return added(workload for process in self._processes for workload in process.workloads)

    @property
    def findings(self) -> int:
        """How many there are so far."""
        return len(self._findings)

    @property
    def doing(self) -> str:
        """What one of them does besides searching."""
        return next((one.doing for one in self._processes if one.doing and not one.is_over), "")

    @property
    def results(self) -> list[ShardResult]:
        """What each came to whose targets were started."""
        return [result for process in self._processes if (result := process.result) is not None]

    @property
    def result(self) -> ShardResult | None:
        """What they have come to together; None before the targets were started."""
        results = self.results
        if not results:
            return None
        together = merged(results)
        findings = distinct((*self._findings.values(), *together.findings))
        return replace(together, seconds=time.monotonic() - self._started, findings=tuple(findings))

    def _check(self, ended: _Process) -> None:
        """Whether the others go on after one has ended. Raises `ShardEnded` where they don't."""
        if ended.ended is not None and ended.ended.code:
            raise ShardEnded(Exit(ended.ended.code), ended.ended.reason)
        if ended.ended is not None:
            return
        self.died += 1
        name = f"process {ended.place + 1} of {len(self._processes)}"
        if ended.targets is None and ended is self._processes[0]:
            raise ShardEnded(Exit.FAILED, f"{name} died ({ended.way_it_died}) before its targets were started")
        if self.died == len(self._processes):
            raise ShardEnded(Exit.FAILED, f"{name} died ({ended.way_it_died}), and all others had")
        self._listener.on_line(f"{name} died ({ended.way_it_died}): the others go on")

    def _receive(self, process: _Process, message: FromProcess | None) -> None:
        match message:
            case None:
                process.is_over = True
            case Targets(targets=targets):
                if process is self._processes[0] and not self._stopping:
                    self._begin_others(targets)
                process.targets = targets
            case WorkloadBegins(name=name, drawn=drawn):
                if name not in self._began:
                    self._began.add(name)
                    self._listener.on_workload(name, list(drawn))
            case Line(text=text):
                if process is self._processes[0]:  # the others have the same to say
                    self._listener.on_line(text)
            case Found(finding=finding, etcd=etcd):
                self._found(process, finding, etcd)
            case Progress(workloads=workloads, doing=doing):
                process.workloads, process.doing = workloads, doing
            case Ended():
                process.ended = message
                if message.result is not None:
                    process.workloads = message.result.workloads
            case _:
                assert_never(message)

    def _begin_others(self, targets: ShardTargets) -> None:
        if targets.only_store and len(self._processes) > 1:
            raise ShardEnded(
                Exit.REFUSED, "a store of this run is there only once, so it can't be searched by several jobs"
            )
        self._started = time.monotonic()
        self._listener.on_targets(targets)
        for process in self._processes[1:]:
            process.send(Begin(process.shard))

    def _found(self, process: _Process, finding: Finding, etcd: str) -> None:
        process.found.append(finding)
        key = (finding.odd_one_out, finding.fingerprint)
        if key in self._findings:
            return
        self._findings[key] = finding
        self._listener.on_finding(finding, etcd)
        for other in self._processes:
            if other is not process:
                other.send(Known(finding))

    def _close(self) -> None:
        """Kill what has not ended."""
        for process in self._processes:
            process.close()

    def __enter__(self) -> ShardPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._close()
