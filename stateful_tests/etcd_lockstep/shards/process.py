"""The process that runs a shard: what to do comes in on its standard input, and what came of it goes out.

It ends by itself when its input is closed, as it is when the process that started it has died.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import BinaryIO

from etcd_lockstep.console.ending import ended_by
from etcd_lockstep.console.interrupts import Interrupts
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
    WorkloadBegins,
    from_line,
    to_line,
)
from etcd_lockstep.shards.result import ShardTargets
from etcd_lockstep.shards.running import Listener, ShardRun

_PROGRESS_EVERY = 0.5
"""Seconds."""


class _Output:
    """What is sent to the process that started this one, by any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: FromProcess) -> None:
        """Nobody reads it where that process has died: then the end of the input ends this one."""
        with self._lock:
            try:
                self._stream.write(to_line(message))
                self._stream.flush()
            except BrokenPipeError:
                pass


def main() -> int:
    """Run the shard that the input names. The exit code is 0, however the shard ended: `Ended` says that."""
    output = _Output(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # what a target prints is no message
    with Interrupts() as interrupts:
        running: ShardRun | None = None
        code, reason = 0, ""
        try:
            running = _begun(output)
            running.search()
        except BaseException as error:
            code, reason = ended_by(error, interrupts)
        interrupts.finish()
        output.send(Ended(running.result if running is not None else None, int(code), reason))
    return 0


def _begun(output: _Output) -> ShardRun:
    """The run of the shard that the input names, with a thread that listens for more, and one that reports how far
    it is. Raises what `Shard.options` does."""
    lines = _lines_of_input()
    first = from_line(next(lines, b""))
    assert isinstance(first, Begin), first

    def on_targets(targets: ShardTargets) -> None:
        output.send(Targets(targets))

    def on_workload(name: str, drawn: list[str]) -> None:
        output.send(WorkloadBegins(name, tuple(drawn)))

    def on_finding(finding: Finding, etcd: str) -> None:
        output.send(Found(finding, etcd))

    listener = Listener(on_targets, on_workload, lambda line: output.send(Line(line)), on_finding)
    running = ShardRun(first.shard.options(), listener)
    threading.Thread(target=_listen, args=(running, lines), daemon=True).start()
    threading.Thread(target=_send_progress, args=(running, output), daemon=True).start()
    return running


def _lines_of_input() -> Iterator[bytes]:
    """Until its end. Not through `sys.stdin`, which at its end Python waits for where a thread reads from it."""
    held = b""
    while more := os.read(0, 65536):
        *whole, held = (held + more).split(b"\n")
        yield from whole


def _listen(running: ShardRun, lines: Iterator[bytes]) -> None:
    for line in lines:
        message = from_line(line)
        assert isinstance(message, Known), message
        running.run.learn(message.finding)
    signal.raise_signal(signal.SIGTERM)  # Python calls its handler in the main thread, wherever that is


def _send_progress(running: ShardRun, output: _Output) -> None:
    pause = threading.Event()
    while not pause.wait(_PROGRESS_EVERY):
        output.send(Progress(running.workloads, running.doing))
