"""How a run of the command line ends before its time: by a signal, by a fault, or because a target is gone."""

from __future__ import annotations

import errno
import gc
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from etcd_lockstep.catalogue import UnknownTarget
from etcd_lockstep.console.cli import main
from etcd_lockstep.console.interrupts import Interrupts
from etcd_lockstep.filing.corpus import load
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.run import Run
from etcd_lockstep.servers import EtcdUnavailable
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.strategies.workloads import Workload
from etcd_lockstep.target import TargetDied
from etcd_model import Operation, Result

PROGRAM = (sys.executable, "-c", "import sys; from etcd_lockstep.console.cli import main; sys.exit(main())")

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
)
def test_a_signal_ends_a_run_which_prints_and_keeps_what_was_found(elsewhere: Path, number: int, code: int) -> None:
    arguments = shlex.split("fuzz --etcd none --against slot-mock --seconds 600 --corpus found --json summary.json")
    found = elsewhere / "found"
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            end = time.monotonic() + 60
            while not (found.is_dir() and any(found.iterdir())) and time.monotonic() < end:
                time.sleep(0.02)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    reported = out.decode()
    assert process.returncode == code
    assert err == b""
    assert re.search(r"^interrupted: \d+ lies?, filed in found$", reported, flags=re.MULTILINE)
    files = {file.name for file in found.iterdir()}
    assert files
    assert set(re.findall(r"found/(\S+\.json)$", reported, flags=re.MULTILINE)) == files
    assert {Path(finding["file"]).name for finding in json.loads(Path("summary.json").read_text())["lies"]} == files
    for file in found.iterdir():
        load(file)


def test_signals_do_not_cut_the_report(elsewhere: Path) -> None:
    arguments = shlex.split("fuzz --etcd none --against slot-mock --seconds 600 --corpus found --json summary.json")
    found, printed, summary = elsewhere / "found", elsewhere / "printed", elsewhere / "summary.json"
    program = [*PROGRAM, *arguments]
    with printed.open("wb") as output, subprocess.Popen(program, stdout=output, stderr=output) as process:
        try:
            end = time.monotonic() + 60
            while not (found.is_dir() and any(found.iterdir())) and time.monotonic() < end:
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            while not summary.exists() and time.monotonic() < end:  # which is written when all is printed
                process.send_signal(signal.SIGINT)
                time.sleep(0.005)
            process.wait(timeout=60)
        finally:
            process.kill()
    reported = printed.read_text()
    # Of signals that wait together, Python takes the lowest number first.
    assert process.returncode in (143, 130), reported
    assert "Traceback" not in reported
    assert re.search(r"lies?, filed in found$", reported, flags=re.MULTILINE)
    assert len(json.loads(summary.read_text())["lies"]) == len(list(found.iterdir()))


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGHUP)
        assert interrupts.signal == 0
    finally:
        signal.signal(signal.SIGHUP, before)


class InterruptedInACallback(Specimen):
    """A Ctrl-C comes while the garbage collector is at work."""

    name = "interrupted-in-a-callback"
    left: ClassVar[int]

    def apply(self, operation: Operation) -> Result:
        InterruptedInACallback.left -= 1
        if InterruptedInACallback.left == 0:
            gc.callbacks.append(self.interrupt)
            gc.collect()
            gc.callbacks.remove(self.interrupt)
        return super().apply(operation)

    def interrupt(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_while_the_garbage_collector_is_at_work_is_not_lost(elsewhere: Path) -> None:
    InterruptedInACallback.left = 100
    against = f"{__name__}:InterruptedInACallback"
    options = shlex.split("--examples 1000000 --seconds 30 --seed 1 --json summary.json")
    assert main(["fuzz", "--etcd", "none", "--against", against, *options]) == 130
    assert json.loads((elsewhere / "summary.json").read_text())["seconds"] < 30
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_of_ours_ends_a_run_with_what_was_found(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr("etcd_lockstep.searching.coverage.Coverage.agreed", broken)
    assert main(["fuzz", "--etcd", "none", "--examples", "5", "--json", "run.json"]) == 5
    said = " ".join(capsys.readouterr().out.split())
    assert f"the run failed with RuntimeError: nobody expected this at {Path(__file__).name}:" in said
    assert (elsewhere / "run.json").is_file()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (EtcdUnavailable("etcd exited with 1"), 3, "etcd exited with 1"),
        (TargetDied("it is gone"), 3, "it is gone"),
        (UnknownTarget("no such target"), 2, "no such target"),
        (OSError(errno.ENOSPC, "No space left on device", "etcd.data"), 2, "etcd.data: No space left on device"),
    ],
)
def test_what_a_later_workload_cannot_start_does_not_lose_the_report(
    error: Exception,
    code: int,
    said: str,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    started = Run._started

    def started_once(run: Run, workload: Workload) -> Participants:
        if run.searches:
            raise error
        return started(run, workload)

    monkeypatch.setattr(Run, "_started", started_once)
    assert main(["fuzz", "--etcd", "none", "--examples", "5", "--json", "run.json"]) == code
    printed = capsys.readouterr()
    assert said in " ".join(printed.out.split())
    assert "ended early" in printed.out
    assert not printed.err
    assert json.loads((elsewhere / "run.json").read_text())["sequences"] > 0


def test_a_signal_counts_for_more_than_what_it_causes(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def signalled(*_arguments: object) -> None:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        raise TargetDied("the signal ended it too")

    monkeypatch.setattr("etcd_lockstep.searching.coverage.Coverage.agreed", signalled)
    assert main(["fuzz", "--etcd", "none", "--examples", "5", "--json", "run.json"]) == 143
    assert (elsewhere / "run.json").is_file()
