"""Violations on servers: their calls are made again, made fewer, filed, and replayed."""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from google.protobuf.message import Message

from etcd_lockstep.console.cli import main
from etcd_lockstep.filing.bad_file import BadFile
from etcd_lockstep.histories import Call, Indefinite, Violated
from etcd_lockstep.servers import Access
from etcd_lockstep.stressing.files import is_stress_file, load_failing, save_failing
from etcd_lockstep.stressing.nemesis import CUT, KILL, Breaking, Planned
from etcd_lockstep.stressing.network import Network
from etcd_lockstep.stressing.recorded import script_of
from etcd_lockstep.stressing.run import StressOptions, Tally, stress
from etcd_lockstep.stressing.scripts import Fixed
from etcd_lockstep.stressing.shrinking import Failing, Reruns, Shrinking
from etcd_lockstep.trace import RevisionAt
from etcd_model.operations import Compare, CompareResult, CompareTarget, DeleteRange, Put, Range, Txn
from etcd_model.results import KeyValue, PutResult, RangeResult, TxnResult
from fake_etcd import Engine
from fake_etcd.wire import messages
from test_lockstep_stress import store_of

Capture = pytest.CaptureFixture[str]

RACY = """
import time
from concurrent.futures import ThreadPoolExecutor
import grpc
from fake_etcd import Engine, EtcdError
from fake_etcd.wire import messages
from fake_etcd.wire.methods import METHOD

class Racy(Engine):
    def call(self, path, request, token="", cancelled=None):
        if not isinstance(request, messages.TxnRequest) or not request.compare:
            return super().call(path, request, token, cancelled)
        looked = super().call(path, messages.TxnRequest(compare=request.compare), token)
        time.sleep(0.003)
        branch = request.success if looked.succeeded else request.failure
        done = super().call(path, messages.TxnRequest(success=branch), token)
        done.succeeded = looked.succeeded
        return done

engine = Racy(clock=time.monotonic)

class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        method = METHOD.get(details.method)
        if method is None or method.client_streaming or method.server_streaming:
            return None
        def answer(request, context):
            try:
                return engine.call(details.method, request)
            except EtcdError as error:
                context.abort(error.code, error.message)
        serialize = lambda said: said.SerializeToString()
        return grpc.unary_unary_rpc_method_handler(answer, method.request.FromString, serialize)

server = grpc.server(ThreadPoolExecutor(16), [Handler()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"127.0.0.1:{port}", flush=True)
time.sleep(600)
"""
"""A served store, several calls at a time, whose txns look at their compares first and act later."""


class Forgetting(Engine):
    """Acknowledges each put of "c" with the revision that would be its own, and writes nothing."""

    def call(self, path: str, request: Message, token: str = "", cancelled: Event | None = None) -> Message:
        if not isinstance(request, messages.PutRequest) or request.key != b"c":
            return super().call(path, request, token, cancelled)
        answer = super().call("/etcdserverpb.KV/Range", messages.RangeRequest(key=b"a"), token)
        assert isinstance(answer, messages.RangeResponse)
        forgotten = messages.PutResponse(header=answer.header)
        forgotten.header.revision += 1
        return forgotten


def test_one_clients_fault_becomes_one_call() -> None:
    with store_of(Forgetting(clock=time.monotonic)) as store:
        judged = stress(store, StressOptions(30, 4, 1), Tally())
        assert judged is not None
        whole = judged.scripts[-1]
        assert (whole.clients, whole.calls) == (4, len(judged.history.calls))
        assert judged.scripts[0].calls <= whole.calls
        smallest = Shrinking(Reruns(store, 10.0, judged.unsettled)).go(judged.scripts)
    assert smallest is not None
    assert [len(calls) for calls in smallest.script.traces] == [1]
    ((put,),) = smallest.script.traces
    assert isinstance(put, Put)
    assert (put.key, put.lease, put.prev_kv) == (b"c", 0, False)
    assert (smallest.failed, smallest.runs) == (20, 20)
    assert len(smallest.failure.history.calls) == 1


def test_what_does_not_happen_again_is_not_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etcd_lockstep.stressing.shrinking._FIRST_RUNS", 3)
    with store_of(Engine(clock=time.monotonic)) as store:
        reruns = Reruns(store, 10.0)
        shrinking = Shrinking(reruns)
        assert shrinking.go([Fixed(((Put(b"a", b"1"),),)), Fixed(((Put(b"a", b"1"), Range(b"a")),))]) is None
        assert shrinking.smallest is None
        assert reruns.runs == 6
        assert reruns.measured(Fixed(((Range(b"a"),),)), 5) == (5, None)


def test_a_fault_is_done_again_and_left_out_where_it_is_not_needed() -> None:
    script = Fixed(((Put(b"a", b"1"), Put(b"c", b"2")), (Range(b"a"),)), Planned(CUT, 0.05), 1)
    with store_of(Forgetting(clock=time.monotonic)) as direct, closing(Network()) as network:
        link = network.link(direct.access().address)
        breaking = Breaking(network=network, links=(link,))
        reruns = Reruns(replace(direct, breaking=breaking, clients=lambda: [Access(link.address)]), 5.0)
        failure = reruns.run(script)
        assert failure is not None
        assert [str(fault) for fault in failure.history.faults] == ["cut"]
        smallest = Shrinking(reruns).go([script])
    assert smallest is not None
    assert smallest.script == Fixed(((Put(b"c", b"2"),),))


def test_a_script_refers_to_what_its_client_was_answered() -> None:
    seen = RangeResult(7, (KeyValue(b"a", b"1", 3, 5, 2),), count=1)
    unchanged = Compare(b"a", CompareTarget.MOD, CompareResult.EQUAL, 5)
    missing = Compare(b"b", CompareTarget.CREATE, CompareResult.EQUAL, 0)
    put = Put(b"a", b"2")
    calls = [
        Call(2, put, 50, 60, PutResult(9)),
        Call(1, Range(b"a"), 10, 20, seen),
        Call(1, Txn((unchanged, missing), (put,)), 30, 40, TxnResult(8, True)),
        Call(1, Range(b"a", revision=7), 41, 45, seen),
        Call(2, Put(b"b", b"3"), 61, 70, Indefinite("gone")),
        Call(2, DeleteRange(b"a"), 71, None, Indefinite("gone")),
    ]
    script = script_of(calls, 4, Planned(KILL, 0.1), 59)
    guarded = Txn((Compare(b"a", CompareTarget.MOD, CompareResult.LESS, RevisionAt(1, 1)), missing), (put,))
    assert script.traces == (
        (Range(b"a"), guarded, Range(b"a", revision=RevisionAt(1))),
        (put, Put(b"b", b"3"), DeleteRange(b"a")),
    )
    assert (script.fault, script.after) == (Planned(KILL, 0.1), 3)
    assert script_of(calls, 4, Planned(KILL, 0.1), 59, until=50) == Fixed((script.traces[0], (put,)))


def test_symbols_become_what_the_client_is_answered_now() -> None:
    script = Fixed(((Put(b"a", b"1"), Range(b"a", revision=RevisionAt(1, -1)), Range(b"a", revision=RevisionAt(0))),))
    (program,) = script.programs(1, 10)
    assert next(program) == Put(b"a", b"1")
    assert program.send(PutResult(13)) == Range(b"a", revision=12)
    assert program.send(Indefinite("gone")) == Range(b"a", revision=10)
    with pytest.raises(StopIteration):
        program.send(RangeResult(13))


def served(tmp_path: Path) -> str:
    (tmp_path / "racy.py").write_text(RACY)
    return f"serve:racy={shlex.join((sys.executable, str(tmp_path / 'racy.py')))}"


def test_a_race_on_a_server_is_made_small_filed_and_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    target = served(tmp_path)
    assert main(("stress", target, "--seconds", "60", "--seed", "3")) == 1
    said = capsys.readouterr().out
    (file,) = Path("violations-found").glob("*.json")
    shown = re.search(
        r"^made smaller, by \d+ runs: (\d+) clients, (\d+) calls, which failed in (\d+) of 20 runs$", said, re.M
    )
    assert shown is not None, said
    assert shown[1] == "2"
    assert f"filed as {file}, for stress --replay" in said
    filed = load_failing(file)
    assert (filed.target, filed.script.clients, filed.script.calls) == (target, 2, int(shown[2]))
    assert (filed.failed, filed.runs) == (int(shown[3]), 20)
    assert any(isinstance(call, Txn) for calls in filed.script.traces for call in calls)

    assert main(("stress", "--replay", str(file))) == 1
    said = capsys.readouterr().out
    again = re.search(r"^failed in (\d+) of (\d+) runs; when it was filed, in (\d+) of 20", said, re.M)
    assert again is not None, said
    assert 1 <= int(again[1]) <= int(again[2]) >= 20
    assert again[3] == shown[3]
    assert "   client 1: " in said

    assert main(("stress", "fake-server", "--replay", str(file))) == 0
    assert re.search(r"^failed in 0 of \d+ runs; when it was filed, in ", capsys.readouterr().out, re.M)


def failing_put(fault: Planned | None = None) -> Failing:
    with store_of(Forgetting(clock=time.monotonic)) as store:
        script = Fixed(((Put(b"c", b"1"), Range(b"c", revision=RevisionAt(1))), (Put(b"c", b"x" * 5000),)), fault, 2)
        failing = Reruns(store, 10.0).until_failed(Fixed(script.traces), 1)
    assert failing is not None
    assert isinstance(failing.failure.verdict, Violated)
    return Failing(script, 3, 20, failing.failure)


@pytest.mark.parametrize("fault", [None, Planned(KILL, 0.1, 1), Planned("delay", 0.25, None, 0.125)])
def test_a_file_holds_all_of_it(fault: Planned | None, tmp_path: Path) -> None:
    failing = failing_put(fault)
    path = save_failing(failing, "serve:./mock", "mock", 2.5, tmp_path / "found")
    assert path.name.startswith("mock-")
    assert is_stress_file(path)
    filed = load_failing(path)
    assert (filed.target, filed.failed, filed.runs, filed.call_timeout) == ("serve:./mock", 3, 20, 2.5)
    assert filed.shows == failing.failure.verdict.first.anomaly.value
    assert filed.script == (failing.script if fault else Fixed(failing.script.traces))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "other"}, "no 'format'"),
        ({"version": 2}, "reads version 1 of the format, not 2"),
        ({"target": 1}, "'target' and 'shows'"),
        ({"clients": []}, "a list of 1 to 200"),
        ({"clients": [1]}, "a client is a list"),
        ({"clients": [[{"op": "lease_revoke", "id": {"lease_of": 1}}]]}, "at step 1"),
        (
            {"clients": [[{"op": "lease_grant", "ttl": 60}, {"op": "lease_revoke", "id": {"lease_of": 1}}]]},
            "nothing but revisions",
        ),
        ({"failed": 0}, "'failed' is a whole number from 1 on"),
        ({"failed": 21}, "no more than 'runs'"),
        ({"call_timeout": "1"}, "a number of seconds"),
        ({"call_timeout": float("nan")}, "a number of seconds"),
        ({"fault": {"kind": "flood"}}, "no fault is called 'flood'"),
        ({"fault": {"kind": "kill", "where": 1}}, "'fault' has"),
        ({"fault": {"kind": "kill", "seconds": 1, "after_calls": -1}}, "'after_calls' is a whole number"),
        ({"fault": {"kind": "kill", "seconds": 1, "after_calls": 0, "place": 0}}, "'place' is a whole number"),
    ],
)
def test_a_file_that_is_none_is_refused(change: dict[str, object], said: str, tmp_path: Path) -> None:
    path = save_failing(failing_put(), "serve:./mock", "mock", 2.5, tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadFile, match=said):
        load_failing(path)


def test_a_file_of_calls_to_a_server_is_not_replayed_in_this_process(tmp_path: Path, capsys: Capture) -> None:
    path = save_failing(failing_put(), "serve:./mock", "mock", 2.5, tmp_path)
    assert main(("stress", "fake", "--replay", str(path))) == 2
    assert "fake runs in this process, and the file is of calls to a server" in capsys.readouterr().err
