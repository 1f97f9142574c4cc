"""Shards are plain data, and several processes that run them are one search."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from etcd_lockstep.comparing.comparison import Difference
from etcd_lockstep.console.cli import main
from etcd_lockstep.searching.findings import Finding, Signature
from etcd_lockstep.shards import plain
from etcd_lockstep.shards.messages import Begin, Ended, Found, from_line, to_line
from etcd_lockstep.shards.plain import BadPlainData, from_plain, to_plain
from etcd_lockstep.shards.result import AcceptedByShard, ShardResult, ShardTargets, WorkloadSummary, merged
from etcd_lockstep.shards.running import run_shard
from etcd_lockstep.shards.shard import Shard, seed_of
from etcd_lockstep.trace import AuthRevision, LeaseOf, RevisionAt, Symbol, TokenOf
from etcd_model import operations as op
from etcd_model import results
from etcd_model.errors import Code, Error

PROGRAM = (sys.executable, "-c", "import sys; from etcd_lockstep.console.cli import main; sys.exit(main())")
Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("elsewhere")


def finding(field: str, *trace: op.Operation, target: str = "mock") -> Finding:
    return Finding(Signature(target, "range", field, "missing"), trace, {}, ())


def result(seed: int, steps: int, *findings: Finding, accepted: AcceptedByShard | None = None) -> ShardResult:
    return ShardResult(
        (seed,),
        ShardTargets(None, "3.6.0", ("model", "fake", "mock"), (), False),
        workloads=(WorkloadSummary("store", 1, steps),),
        findings=findings,
        drawn={"put": steps},
        accepted=accepted or AcceptedByShard(),
    )


@pytest.mark.parametrize(
    "value",
    [
        op.Txn((op.Compare(b"\xff", 3, 0, b"\x00"),), (op.Put(b"a", b"\x00\xff", LeaseOf(2)),), (op.Range(b"b"),)),
        op.As(TokenOf(3), op.Range(b"", revision=RevisionAt(1, -1))),
        op.RoleGrantPermission("r", op.Permission(op.PermissionType.READ, b"a", b"\x00")),
        results.TxnResult(2, True, (results.RangeResult(2, (results.KeyValue(b"\xc3", b"", 1, 2, 3, LeaseOf(1)),)),)),
        Error(Code.NOT_FOUND, "etcdserver: ☃"),
        Shard("none", ("slot-mock",), seconds=0.5, traces=((op.Put(b"a"), op.Range(b"a")),)),
        {(frozenset({"put.lease"}), "put", ""): 3},
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain_data_is_json_and_becomes_the_same_value_again(value: object) -> None:
    assert from_plain(json.loads(json.dumps(to_plain(value)))) == value


@pytest.mark.parametrize(
    "data",
    [
        {"is": "Popen", "args": ["true"]},
        {"is": "Put", "key": {"hex": "61"}},
        {"hex": "6"},
        {"is": "Code", "number": 99},
    ],
)
def test_what_is_no_plain_data_of_ours_is_refused(data: object) -> None:
    with pytest.raises(BadPlainData):
        from_plain(data)


def dataclasses_in(annotation: object) -> Iterator[type]:
    """The data classes that a value with this annotation may hold."""
    if isinstance(annotation, type) and is_dataclass(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from dataclasses_in(part)


def dataclasses_below(*kinds: type) -> set[type]:
    """These, and all that their fields may hold."""
    found: set[type] = set()
    left = [*kinds]
    while left:
        kind = left.pop()
        if kind not in found:
            found.add(kind)
            left += [one for hint in get_type_hints(kind, localns=vars(op)).values() for one in dataclasses_in(hint)]
    return found


def subclasses(kind: type) -> set[type]:
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


def test_all_that_a_finding_holds_has_a_form_as_plain_data() -> None:
    symbols = {kind for kind in subclasses(Symbol) if is_dataclass(kind)}
    held = dataclasses_below(*op.OPERATIONS, *get_args(results.Answer), Finding, ShardResult, *symbols)
    assert {op.Claims, AuthRevision} <= held
    assert sorted(kind.__name__ for kind in held - set(plain._HELD)) == []


def test_messages_are_a_line_each() -> None:
    for message in (
        Begin(Shard("none")),
        Found(finding("kvs", op.Put(b"\n", b"\n")), "none"),
        Ended(result(1, 5, finding("kvs", op.Put(b"a"))), 3, "it is gone"),
    ):
        line = to_line(message)
        assert line.count(b"\n") == 1
        assert from_line(line) == message
    for line in (b"", b"nonsense\n", b'{"message": "Found"}\n'):
        with pytest.raises(BadPlainData):
            from_line(line)


def test_a_shard_is_split_by_seeds_examples_and_traces() -> None:
    traces = tuple((op.Put(b"%d" % number),) for number in range(5))
    first, second = Shard(seed=9, examples=7, traces=traces, most_servers=5).split(2)
    assert (first.seed, second.seed) == (9, seed_of(9, 1))
    assert (first.examples, second.examples) == (4, 3)
    assert (first.traces, second.traces) == (traces[::2], traces[1::2])
    assert (first.most_servers, second.most_servers) == (2, 2)
    assert len(Shard(examples=2).split(5)) == 2, "no shard is without an example"
    assert len({seed_of(seed, place) for seed in range(50) for place in range(8)}) == 50 * 8


def test_results_are_merged_by_fingerprint() -> None:
    once, twice, other = finding("kvs", op.Put(b"a")), finding("kvs", op.Put(b"b")), finding("more", op.Put(b"a"))
    elsewhere = finding("kvs", op.Put(b"a"), target="another")
    together = merged([result(1, 5, once), result(2, 6, twice, other, elsewhere)])
    assert together.findings == (once, other, elsewhere)
    assert together.seeds == (1, 2)
    assert together.workloads == (WorkloadSummary("store", 2, 11),)
    assert together.drawn == {"put": 11}


def test_an_accepted_finding_shows_if_any_shard_shows_it() -> None:
    one, two, three = (finding(field, op.Put(b"a")) for field in ("kvs", "more", "count"))
    together = merged(
        [
            result(1, 1, accepted=AcceptedByShard((one,), (two,), (three,))),
            result(2, 1, accepted=AcceptedByShard((two,), (one,), (three,))),
        ]
    )
    assert together.accepted == AcceptedByShard((one, two), (), (three,))


def test_a_shard_returns_findings_and_coverage_as_plain_data() -> None:
    came_to = run_shard(Shard("none", ("count-only-returns-kvs",), workloads=("store",), examples=12, seed=1))
    again = from_plain(json.loads(json.dumps(to_plain(came_to))))
    assert again == came_to
    assert came_to.findings
    assert came_to.coverage
    assert [str(one) for one in again.findings] == [str(one) for one in came_to.findings], "reports read the same"
    assert any(isinstance(difference, Difference) for one in again.findings for difference in one.differences)


def summary(*arguments: str, code: int) -> dict[str, Any]:
    assert main(["fuzz", "--etcd", "none", *arguments, "--json", "summary.json"]) == code
    read: dict[str, Any] = json.loads(Path("summary.json").read_text())
    return read


def test_two_jobs_report_each_lie_once(capfd: Capture) -> None:
    found = summary("--against", "slot-mock", "--examples", "24", "--seed", "3", "--jobs", "2", code=1)
    lies = found["lies"]
    assert len({lie["fingerprint"] for lie in lies}) == len(lies)
    assert found["seed"] == 3
    assert found["seeds"] == [3, seed_of(3, 1)]
    assert {Path(lie["file"]).name for lie in lies} == {file.name for file in Path("lies-found").iterdir()}
    out, err = capfd.readouterr()
    assert err == ""
    assert "seed 3, 2 jobs" in out
    assert out.count("store: ") == 1, "each workload is named once"


def test_jobs_that_agree_count_their_steps_together() -> None:
    alone = summary("--families", "kv", "--examples", "6", "--seed", "1", code=0)
    together = summary("--families", "kv", "--examples", "6", "--seed", "1", "--jobs", "3", code=0)
    assert together["steps"] > 0.5 * alone["steps"]
    assert sum(together["coverage"]["fields"].values()) > 0
    assert len(together["seeds"]) == 3


def test_jobs_that_are_refused_say_why(capsys: Capture) -> None:
    arguments = "fuzz --etcd none --against slot-mock --families auth --examples 2 --jobs 2"
    assert main(shlex.split(arguments)) == 2
    assert capsys.readouterr().err == "etcd-lockstep: no target of this run knows an operation of auth\n"


def test_jobs_and_an_endpoint_are_refused(capsys: Capture) -> None:
    assert main(["fuzz", "--etcd", "endpoint:127.0.0.1:1", "--jobs", "2", "--seconds", "1"]) == 2
    assert "each job needs an etcd of its own" in capsys.readouterr().err


def test_a_target_that_is_there_once_is_refused(elsewhere: Path) -> None:
    (elsewhere / "once.py").write_text(
        "from etcd_lockstep.specimens import SPECIMENS\n"
        "class Once(SPECIMENS['slot-mock']):\n"
        "    name = 'once'\n    shared_store = True\n"
    )
    arguments = shlex.split("fuzz --etcd none --against once:Once --seconds 60 --jobs 2")
    ran = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2
    assert "can't be searched by several jobs" in ran.stderr


def processes_of(pid: int) -> list[int]:
    """The children of a process that run shards."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def run_until_found(elsewhere: Path, do: Callable[[subprocess.Popen[str]], None], seconds: float) -> tuple[int, str]:
    """The exit code and the output of a run with two jobs, to which something is done once it has found a lie; and no
    process of it is left."""
    arguments = shlex.split(f"fuzz --etcd none --against slot-mock --seconds {seconds} --jobs 2 --corpus found")
    found = elsewhere / "found"
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            end = time.monotonic() + 60
            while not (found.is_dir() and any(found.iterdir())) and time.monotonic() < end:
                time.sleep(0.02)
            children = processes_of(process.pid)
            assert len(children) == 2
            do(process)
            out, _ = process.communicate(timeout=90)
        finally:
            process.kill()
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < end + 60:
        time.sleep(0.02)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    return process.returncode, out


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the children are read from Linux's /proc")


@needs_proc
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
def test_a_signal_ends_all_jobs_as_one_run(elsewhere: Path, number: int, code: int) -> None:
    ended, out = run_until_found(elsewhere, lambda process: process.send_signal(number), 600)
    assert ended == code
    assert "interrupted: " in out
    assert "died" not in out


@needs_proc
def test_a_job_that_dies_is_reported_and_the_others_go_on(elsewhere: Path) -> None:
    ended, out = run_until_found(elsewhere, lambda process: os.kill(processes_of(process.pid)[1], signal.SIGKILL), 6)
    assert ended == 5
    assert "process 2 of 2 died (SIGKILL): the others go on" in out
    assert "lies, filed in found" in out


@needs_proc
def test_the_jobs_of_a_run_that_is_killed_end_by_themselves(elsewhere: Path) -> None:
    ended, _out = run_until_found(elsewhere, lambda process: process.kill(), 600)
    assert ended == -signal.SIGKILL
