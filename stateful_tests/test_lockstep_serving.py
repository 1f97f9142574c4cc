"""A program that serves etcd's API, as `serve:COMMAND` starts it: found out about, restarted, and ended."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from etcd_lockstep.api import find_divergences
from etcd_lockstep.catalogue import UserTarget, find
from etcd_lockstep.console.cli import main
from etcd_lockstep.names import name_of
from etcd_lockstep.reporting.finding_text import headline
from etcd_lockstep.searching.findings import DIED
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.reset_check import UnfitTarget
from etcd_lockstep.servers import NoEtcd
from etcd_lockstep.servers.serving import ProgramFailed, ServedProgram
from etcd_lockstep.target import ALL, NotExpressible, TargetDied
from etcd_lockstep.targets.served import ServedTarget, Way, parse_served
from etcd_model import Error, Result
from etcd_model import operations as op
from etcd_model.errors import Code
from etcd_model.results import RangeResult
from waiting import eventually

SERVER = """
import os, signal, sys, time
import grpc
from fake_etcd import Engine, EtcdError, serve
from fake_etcd.wire import messages

class Odd(Engine):
    def call(self, path, request, token="", cancelled=None):
        name = path.rpartition("/")[2]
        {before}
        answer = super().call(path, request, token, cancelled)
        {after}
        return answer

LACKING = grpc.StatusCode.UNIMPLEMENTED
engine = Odd("3.5.16")
server = serve(engine, "127.0.0.1:{port}")
{start}
print("listening on http://" + server.address, flush=True)
signal.pause()
"""
"""The fake as a program, with something odd about it. What runs `before` a request knows its `name`."""

RESET = """
def reset(_request):
    engine.reset()
    return b""
server.answers("/etcdlockstep.Target/Reset", reset)
"""
"""What offers a Reset."""


def lacks(*names: str) -> str:
    return f"if name in {names}: raise EtcdError(LACKING, 'not there')"


def program(folder: Path, before: str = "pass", *, after: str = "pass", start: str = "", port: int = 0) -> str:
    """How `--against` names a server that is odd in this way."""
    script = folder / "odd.py"
    script.write_text(SERVER.format(before=before, after=after, start=start, port=port))
    return f"serve:odd={shlex.quote(sys.executable)} {shlex.quote(str(script))}"


def started(name: str) -> ServedTarget:
    target = parse_served(name).start()
    assert isinstance(target, ServedTarget)
    return target


def participants(name: str, call_timeout: float = 10.0, lines: list[str] | None = None) -> Participants:
    said = [] if lines is None else lines
    return Participants(NoEtcd(), [find(name)], call_timeout=call_timeout, progress=said.append)


def served(those: Participants) -> ServedTarget:
    target = those.others[-1]
    assert isinstance(target, ServedTarget)
    return target


# Starting and ending


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/nonexistent/mock"], "there is no command /nonexistent/mock"),
        (["no-such-command"], "there is no command no-such-command"),
        ([__file__], "test_lockstep_serving.py is not executable"),
        (
            ["sh", "-c", "echo a >&2; echo b >&2; exit 7"],
            r"it ended with exit code 7 before it printed an address: a\nb",
        ),
        (["sh", "-c", "kill -9 $$"], "it ended by signal 9 before it printed an address"),
        (["sh", "-c", "echo hello; sleep 60"], "it printed no address within 0.3 s"),
        (["yes"], "it printed no address within 0.3 s"),
        (["sh", "-c", "exec >&-; sleep 60"], "it printed no address within 0.3 s"),
        (["sh", "-c", "echo 10.0.0.1:1; sleep 60"], "which is not loopback"),
    ],
)
def test_a_program_that_does_not_serve_is_said_to(command: list[str], reason: str) -> None:
    with pytest.raises(ProgramFailed, match=reason):
        ServedProgram(command, seconds=0.3)


def test_a_command_that_is_not_there_is_one_line_and_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "--etcd", "none", "--against", "serve:/nonexistent/mock --x"]) == 3
    assert capsys.readouterr().err == "etcd-lockstep: mock: there is no command /nonexistent/mock\n"


def test_what_answers_no_grpc_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etcd_lockstep.targets.served._CONNECT_SECONDS", 0.5)
    with pytest.raises(TargetDied, match=r"sh: nothing that speaks gRPC without TLS answers at 127.0.0.1:9"):
        started("serve:sh -c 'echo 127.0.0.1:9; sleep 60'")


def test_what_serves_something_else_is_said_to() -> None:
    empty = """
import grpc, signal
from concurrent.futures import ThreadPoolExecutor
server = grpc.server(ThreadPoolExecutor())
print("127.0.0.1:%d" % server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
signal.pause()
"""
    with pytest.raises(TargetDied, match=r"odd: it implements none of etcd's methods at 127\.0\.0\.1:\d+"):
        started(f"serve:odd={shlex.join([sys.executable, '-c', empty])}")


def alive(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def with_child(folder: Path, then: str = "") -> tuple[list[str], Path]:
    """A program whose child has the address, as with `go run`; the child's pid is in the file."""
    pid_file = folder / "pid"
    return ["sh", "-c", f"sleep 600 & echo $! > '{pid_file}'; echo 127.0.0.1:9; {then} wait"], pid_file


def test_a_program_ends_with_its_children(tmp_path: Path) -> None:
    command, child = with_child(tmp_path)
    running = ServedProgram(command)
    assert alive(child)
    running.stop()
    running.stop()
    assert eventually(lambda: not alive(child))


def test_a_program_that_ignores_sigterm_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etcd_lockstep.servers.serving._TERM_SECONDS", 0.1)
    command, child = with_child(tmp_path, then="trap : TERM; while :; do sleep 0.1; done;")
    ServedProgram(command).stop()
    assert eventually(lambda: not alive(child))


def test_a_program_is_asked_to_end_before_it_is_killed(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    ServedProgram(["sh", "-c", f"trap 'echo > \"{asked}\"; exit' TERM; echo 127.0.0.1:9; sleep 600 & wait"]).stop()
    assert asked.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=str)
def test_a_program_ends_when_the_run_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    command, child = with_child(tmp_path)
    run = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from etcd_lockstep.servers.serving import ServedProgram;"
            "held = ServedProgram(sys.argv[1:]); time.sleep(600)",
            *command,
        ]
    )
    assert eventually(lambda: child.exists() and child.read_text().endswith("\n"))
    assert alive(child)
    run.send_signal(number)
    run.wait()
    assert eventually(lambda: not alive(child))


def test_what_a_program_prints_later_holds_nobody_up(tmp_path: Path) -> None:
    chatty = "print('x' * 10_000, flush=True); print('y' * 10_000, file=sys.stderr, flush=True)"
    assert find_divergences(program(tmp_path, chatty), etcd="none", families=["kv"], examples=3, seed=1) == []


# As a target


def test_the_fake_as_a_program_agrees(tmp_path: Path) -> None:
    families = ["kv", "txn", "lease", "watch", "compact"]
    assert find_divergences(program(tmp_path), etcd="none", families=families, examples=6, seed=1) == []


def test_a_lie_is_found_and_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = program(tmp_path, "if name == 'Range': request.limit = 0")
    corpus = tmp_path / "corpus"
    options = ["--etcd", "none", "--families", "kv", "--examples", "40", "--seed", "1", "--corpus", str(corpus)]
    assert main(["fuzz", *options, "--against", name]) == 1
    report = capsys.readouterr().out
    assert "odd: at 127.0.0.1:" in report
    assert "reset by deleting everything" in report
    file = min(map(str, corpus.glob("*-range-kvs-unexpected-*")))
    assert main(["replay", "--etcd", "none", "--against", name, file]) == 1
    assert main(["replay", "--etcd", "none", "--against", program(tmp_path), file]) == 0


def test_a_program_that_dies_is_a_finding_and_is_started_again(tmp_path: Path) -> None:
    dies = "if name == 'DeleteRange' and request.prev_kv: print('panic: no prev_kv', file=sys.stderr); os._exit(3)"
    found = find_divergences(program(tmp_path, dies), etcd="none", families=["kv"], examples=6, seed=1)
    (died,) = (finding for finding in found if finding.signature.kind == DIED.kind)
    assert isinstance(died.trace[-1], op.DeleteRange)
    assert died.trace[-1].prev_kv
    assert died.note.splitlines()[-1] == "panic: no prev_kv"


def test_a_stream_that_ends_without_an_answer_is_a_finding_and_the_program_goes_on(tmp_path: Path) -> None:
    ends = """
import grpc, signal
from concurrent.futures import ThreadPoolExecutor
class Ends(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == "/etcdserverpb.Lease/LeaseKeepAlive":
            return grpc.stream_stream_rpc_method_handler(lambda requests, context: iter(()))
server = grpc.server(ThreadPoolExecutor(), handlers=[Ends()])
print("127.0.0.1:%d" % server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
signal.pause()
"""
    script = tmp_path / "ends.py"
    script.write_text(ends)
    (found,) = find_divergences(
        f"serve:odd={shlex.join([sys.executable, str(script)])}", etcd="none", families=["lease"], examples=2, seed=1
    )
    assert [name_of(step) for step in found.trace] == ["lease_keep_alive"]
    assert headline(found) == "odd lies: it ends the stream of a lease_keep_alive without an answer"


def test_a_call_that_hangs_is_given_up(tmp_path: Path) -> None:
    name = program(tmp_path, "if name == 'Put' and request.value == b'hang': time.sleep(600)")
    with participants(name, call_timeout=0.5) as those:
        target = served(those)
        target.reset()
        with pytest.raises(TargetDied, match="DEADLINE_EXCEEDED"):
            target.apply(op.Put(b"k", b"hang"))
        target.revive()
        target.reset()
        assert read(target) == ()


def read(target: ServedTarget) -> tuple[bytes, ...]:
    answer = target.apply(op.Range(b"\0", b"\0"))
    assert isinstance(answer, RangeResult)
    return tuple(kv.key for kv in answer.kvs)


def test_only_what_is_implemented_is_asked(tmp_path: Path) -> None:
    target = started(program(tmp_path, lacks("Txn", "LeaseGrant", "Authenticate", "Hash")))
    try:
        of_its_release = {"range_stream"}  # from 3.7 on
        assert (
            target.capabilities
            == ALL - {"txn", "lease_grant", "advance", "authenticate", "as", "hash"} - of_its_release
        )
    finally:
        target.close()


def test_an_option_that_is_not_implemented_is_not_asked_again(tmp_path: Path) -> None:
    name = program(tmp_path, "if name == 'LeaseGrant' and request.ID: raise EtcdError(LACKING, 'no ids')")
    with participants(name) as those:
        target = served(those)
        target.reset()
        assert target.can_express(op.LeaseGrant(60, 7))
        with pytest.raises(NotExpressible, match="no ids"):
            target.apply(op.LeaseGrant(60, 7))
        assert not target.can_express(op.LeaseGrant(3600, 8))
        assert target.can_express(op.LeaseGrant(60))
        second = those.second_instances["odd"]
        assert not second.can_express(op.LeaseGrant(60, 7))
    assert find_divergences(name, etcd="none", families=["lease"], examples=30, seed=1) == []


# Resets


def test_a_program_with_a_reset_is_reset_by_it(tmp_path: Path) -> None:
    with participants(program(tmp_path, lacks("DeleteRange"), start=RESET)) as those:
        target = served(those)
        assert target.way is Way.OWN
        refuses_what_is_compacted(target)


@pytest.mark.parametrize("missing", ["DeleteRange", "LeaseLeases", "LeaseRevoke"])
def test_a_program_that_cannot_be_emptied_is_started_again(tmp_path: Path, missing: str) -> None:
    with participants(program(tmp_path, lacks(missing))) as those:
        target = served(those)
        assert target.way is Way.RESTARTING
        refuses_what_is_compacted(target)


def refuses_what_is_compacted(target: ServedTarget) -> None:
    """As the other targets do after their resets."""
    first = target.reset()
    target.apply(op.Put(b"k", b"1"))
    assert target.reset() == first
    assert read(target) == ()
    answer: Result = target.apply(op.Compact(first))
    assert isinstance(answer, Error)
    assert answer.code is Code.OUT_OF_RANGE


def test_a_program_whose_deletes_leave_something_is_started_again(tmp_path: Path) -> None:
    forgetful = "if name == 'DeleteRange': request.ClearField('range_end')"
    with participants(program(tmp_path, forgetful)) as those:
        assert served(those).way is Way.RESTARTING


def test_without_leases_and_compactions_deleting_is_enough(tmp_path: Path) -> None:
    name = program(tmp_path, lacks("LeaseGrant", "LeaseLeases", "LeaseRevoke", "Compact"))
    with participants(name) as those:
        assert served(those).way is Way.DELETING
    assert find_divergences(name, etcd="none", families=["kv", "txn"], examples=10, seed=1) == []


def test_a_program_that_keeps_its_data_is_refused(tmp_path: Path) -> None:
    """Its reset does nothing, and neither does a restart."""
    keeps = "if name == 'Range': request.key, request.range_end = b'~', b''"
    kept = "if name == 'Range' and not request.count_only: answer.kvs.add(key=b'kept')"
    with pytest.raises(UnfitTarget, match=r"odd: its reset\(\) leaves keys \(b'kept'\)"):
        participants(program(tmp_path, keeps, after=kept))


def test_a_reset_that_fails_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failing = RESET.replace("engine.reset()", "raise ValueError('no more')")
    name = program(tmp_path, start=failing)
    assert main(["fuzz", "--etcd", "none", "--against", name]) == 3
    assert "odd: its Reset failed: UNKNOWN: Exception calling application: no more" in capsys.readouterr().err


@pytest.mark.parametrize(
    "before", ["pass", "if name == 'Range' and request.range_end: raise EtcdError(LACKING, 'none')"]
)
def test_a_store_that_counts_from_0_is_noticed(tmp_path: Path, before: str) -> None:
    less = "answer.header.revision -= 1"
    with participants(program(tmp_path, before, start=RESET, after=less)) as those:
        assert served(those).reset() == 0


def test_a_store_that_counts_from_0_is_noticed_where_all_keys_can_not_be_read(tmp_path: Path) -> None:
    limited = "if name == 'Range' and request.range_end: raise EtcdError(LACKING, 'no ranges')"
    with participants(program(tmp_path, limited, start=RESET, after="answer.header.revision -= 1")) as those:
        assert served(those).reset() == 0


def test_a_store_without_headers_stands_at_1(tmp_path: Path) -> None:
    with participants(program(tmp_path, start=RESET, after="answer.ClearField('header')")) as those:
        assert served(those).reset() == 1


# Instances


def test_two_instances_run_where_each_has_a_port_of_its_own(tmp_path: Path) -> None:
    with participants(program(tmp_path)) as those:
        second = those.second_instances["odd"]
        assert isinstance(second, ServedTarget)
        assert second.address != served(those).address


def test_one_instance_runs_where_the_port_is_always_the_same(tmp_path: Path) -> None:
    lines: list[str] = []
    with participants(program(tmp_path), lines=lines) as those:
        port = int(served(those).address.rpartition(":")[2])
    name = program(tmp_path, port=port)
    with participants(name, lines=lines) as those:
        assert not those.second_instances
        assert served(those).shared_store
    assert "it can't be started twice at the same time (odd: it ended with exit code 1" in lines[-1]


def test_keys_that_a_program_prints_are_drawn(tmp_path: Path) -> None:
    keys = "print('etcd-lockstep: key /a b'); print('etcd-lockstep: key /c')"
    with participants(program(tmp_path, start=keys)) as those:
        assert those.keys == (b"/a b", b"/c")


def test_it_is_listed_for_diff_too() -> None:
    wanted = find("serve:my-mock=./mock")
    assert isinstance(wanted, UserTarget)
    assert wanted.name == "my-mock"


def test_no_operation_is_unknown_to_the_probes() -> None:
    from etcd_lockstep.names import OPERATION_NAMED
    from etcd_lockstep.targets.probing import CALLS

    probed: set[str] = set().union(*CALLS.values())
    assert set(OPERATION_NAMED) - probed == {"advance", "as", "observe"}
