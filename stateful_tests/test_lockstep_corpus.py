"""The corpus: a lie's file says again what the lie says, and a broken one is named with its line and the reason."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_lockstep.comparing.observation import Raised
from etcd_lockstep.console.cli import main
from etcd_lockstep.filing.corpus import BadFile, file_name, load, save
from etcd_lockstep.searching.findings import Finding, Signature
from etcd_lockstep.strategies.choices import BYTES, ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.strategies.workloads import WORKLOADS, Swarm, Workload
from etcd_lockstep.trace import LeaseOf, RevisionAt, Trace, symbols
from etcd_model.operations import Compact, LeaseGrant, LeaseRevoke, Put, Range
from etcd_model.results import KeyValue, RangeResult

Capture = pytest.CaptureFixture[str]

ONE_PUT: Trace = (Put(b"a"),)
COUNT_ONLY = Finding(
    Signature("count-only-returns-kvs", "range", "kvs", "unexpected"),
    (Put(b"a"), Range(b"a", count_only=True)),
    {
        "model": RangeResult(2, count=1),
        "fake": RangeResult(2, count=1),
        "count-only-returns-kvs": RangeResult(2, (KeyValue(b"a", b"", 2, 2, 1),), count=1),
    },
    (),
)


def finding(
    target: str = "mock", trace: Trace = ONE_PUT, signature: tuple[str, str, str] = ("put", "x", "y")
) -> Finding:
    return Finding(Signature(target, *signature), trace, {target: Raised("ValueError", "\ud800 ☃")}, ())


# There and back


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_a_trace_comes_back(workload: Workload) -> None:
    @given(st.lists(st.binary(min_size=BYTES, max_size=BYTES), min_size=2, max_size=20))
    def comes_back(drawn: list[bytes]) -> None:
        state = GeneratorState()
        swarm = Swarm(ChoiceDecoder(drawn[0]), workload, tuple(workload.weights))
        operations = []
        for number in drawn[1:]:
            operations.append(swarm.draw(ChoiceDecoder(number), state))
            state.follow(operations[-1])
        trace = tuple(operations)
        with tempfile.TemporaryDirectory() as folder:
            back = load(save(finding(trace=trace), Path(folder), "none"))
        assert back.trace == trace
        assert list(map(symbols, back.trace)) == list(map(symbols, trace))

    comes_back()


def test_a_file_says_what_the_lie_says(tmp_path: Path) -> None:
    path = save(COUNT_ONLY, tmp_path / "made" / "for it", "etcd 3.5.1, binary")
    file = load(path)
    assert (file.path, file.name) == (path, COUNT_ONLY.fingerprint)
    assert (file.signature, file.trace) == (COUNT_ONLY.signature, COUNT_ONLY.trace)
    assert json.loads(path.read_text())["found_with"] == "etcd 3.5.1, binary"


def test_a_lie_of_a_server_that_is_over_its_quota_says_so_and_is_replayed_on_such_a_one(
    tmp_path: Path, capsys: Capture
) -> None:
    path = save(replace(finding(), over_quota=True), tmp_path, "none")
    assert load(path).over_quota
    assert not load(save(finding("other"), tmp_path, "none")).over_quota
    assert main(["replay", str(path), "--etcd", "none"]) == 0
    reported = capsys.readouterr().out
    assert "FIXED" in reported
    path.write_text(path.read_text().replace('"over_quota": true', '"over_quota": "yes"'))
    with pytest.raises(BadFile, match="'over_quota' is not true or false"):
        load(path)


def test_a_file_can_be_read_by_people_and_by_diff(tmp_path: Path) -> None:
    assert (
        save(COUNT_ONLY, tmp_path, "none").read_text()
        == """\
{
  "format": 1,
  "name": "range kvs unexpected after put, range(count_only)",
  "odd_one_out": "count-only-returns-kvs",
  "found_with": "none",
  "step": 2,
  "operation": "range",
  "field": "kvs",
  "difference": "unexpected",
  "trace": [
    {"op": "put", "key": "a"},
    {"op": "range", "key": "a", "count_only": true}
  ],
  "answers": {
    "model": {"answer": "range", "revision": 2, "count": 1},
    "fake": {"answer": "range", "revision": 2, "count": 1},
    "count-only-returns-kvs": {"answer": "range", "revision": 2, "kvs": [{"key": "a", "value": "", \
"create_revision": 2, "mod_revision": 2, "version": 1}], "count": 1}
  }
}
"""
    )


def test_a_note_is_kept(tmp_path: Path) -> None:
    noted = Finding(COUNT_ONLY.signature, COUNT_ONLY.trace, {}, (), "seen once, and not again")
    path = save(noted, tmp_path, "none")
    assert json.loads(path.read_text())["note"] == "seen once, and not again"
    assert load(path).trace == COUNT_ONLY.trace


# Names


def test_a_file_s_name_is_the_same_in_every_run() -> None:
    assert file_name(COUNT_ONLY) == "count-only-returns-kvs-range-kvs-unexpected-b667f3.json"


@pytest.mark.parametrize(
    "wild",
    [
        finding("../../etc/passwd"),
        finding('a/b\\c:d*e?"<>|\x00\n '),
        finding("мок"),
        finding("-rf"),
        finding("x" * 300),
        finding(signature=("put", "error", "accepted (etcdserver: " + "long " * 99 + ")")),
    ],
    ids=lambda wild: wild.odd_one_out[:12],
)
def test_a_file_s_name_is_safe(wild: Finding, tmp_path: Path) -> None:
    name = file_name(wild)
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*\.json", name)
    assert len(name) < 120
    assert save(wild, tmp_path, "none").parent == tmp_path
    assert load(tmp_path / name).signature == wild.signature


def test_what_differs_has_a_file_of_its_own() -> None:
    findings = [
        finding(),
        finding("other"),
        finding(signature=("put", "x", "z")),
        finding(trace=(Put(b"b", lease=7), Put(b"a"))),
        finding(trace=(LeaseGrant(60), Put(b"a"))),
        finding("мок"),
        finding("кот"),
    ]
    assert len({file_name(one) for one in findings}) == len(findings)


# Broken files


def content(**changes: object) -> bytes:
    """A file, broken by what is changed in it; None takes a field out."""
    whole: dict[str, Any] = {
        "format": 1,
        "name": "n",
        "odd_one_out": "mock",
        "operation": "range",
        "field": "kvs",
        "difference": "missing",
        "trace": [{"op": "put", "key": "a"}, {"op": "range", "key": "a"}],
    }
    whole.update(changes)
    return json.dumps({key: value for key, value in whole.items() if value is not None}, indent=0).encode()


def with_step(step: object) -> bytes:
    return content(trace=[{"op": "put", "key": "a"}, step])


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", ":1: not JSON: Expecting value"),
    "no-json": (b'{\n"format": 1,\n"name" "x"}', ":3: not JSON: Expecting ':' delimiter"),
    "cut-off": (content()[:-20], ": not JSON: "),
    "list": (b"[1]", ":1: not a corpus file: it holds no object"),
    "number": (b"7", ":1: not a corpus file: it holds no object"),
    "another-object": (b'{"name": "package"}', ":1: not a corpus file: it has no format version"),
    "text-as-format": (content(format="1"), ":2: not a corpus file: it has no format version"),
    "true-as-format": (content(format=True), ":2: not a corpus file: it has no format version"),
    "newer": (content(format=2), ":2: format 2 is newer than this etcd-lockstep, which reads up to 1: upgrade it"),
    "no-name": (content(name=None), ":1: 'name' is missing, or not a str"),
    "name-is-number": (content(name=3), ":3: 'name' is missing, or not a str"),
    "no-trace": (content(trace=None), ":1: 'trace' is missing, or not a list"),
    "trace-is-object": (content(trace={}), ":8: 'trace' is missing, or not a list"),
    "empty-trace": (content(trace=[]), ":8: the trace is empty"),
    "step-is-text": (with_step("put"), ":13: step 2: an operation is an object with 'op', not \"put\""),
    "unknown-op": (with_step({"op": "watch"}), ":13: step 2: no operation is called 'watch'"),
    "unknown-field": (with_step({"op": "put", "key": "a", "ttl": 1}), ":13: step 2: a put has no 'ttl'"),
    "two-tokens": (
        with_step({"op": "as", "token": "x", "operation": {"op": "as", "token": "y", "operation": {"op": "status"}}}),
        ":13: step 2: an operation is sent with one token, not with two",
    ),
    "token-to-come": (
        with_step({"op": "as", "token": {"token_of": 2}, "operation": {"op": "status"}}),
        ":13: step 2: token can't be",
    ),
    "wrong-type": (with_step({"op": "put", "key": 3}), ":13: step 2: key can't be 3"),
    "forward": (with_step({"op": "lease_revoke", "id": {"lease_of": 2}}), ":13: step 2: id can't be"),
    "half-a-character": (with_step({"op": "put", "key": "\ud800"}), ":13: step 2: key can't be"),
    "not-utf-8": (b'{\n"format": 1,\n"name": "\xff"}', ":3: not UTF-8"),
    "nested-too-deep": (b"[" * 200_000, ":1: nested too deep to be read"),
    "long-number": (b'{"format": ' + b"1" * 10_000 + b"}", ":1: can't be read: "),
}


def deep_txn(levels: int) -> bytes:
    step = '{"op": "txn", "success": [' * levels + '{"op": "txn"}' + "]}" * levels
    return content(trace=["x"]).replace(b'"x"', step.encode())


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_named_with_the_line_and_the_reason(kind: str, tmp_path: Path) -> None:
    held, reason = BROKEN[kind]
    path = tmp_path / "broken.json"
    path.write_bytes(held)
    with pytest.raises(BadFile) as refused:
        load(path)
    assert str(refused.value).startswith(str(path))
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("make", "reason"), [(Path.mkdir, "Is a directory"), (lambda _: None, "No such file")])
def test_what_can_t_be_opened(make: Callable[[Path], object], reason: str, tmp_path: Path) -> None:
    make(tmp_path / "x.json")
    with pytest.raises(BadFile, match=rf"x\.json: can't be read: {reason}"):
        load(tmp_path / "x.json")


@pytest.mark.parametrize("levels", [100, 400, 20_000])
def test_a_txn_in_a_txn_in_a_txn_and_so_on_never_ends_in_a_traceback(
    levels: int, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "deep.json"
    path.write_bytes(deep_txn(levels))
    assert main(["replay", "--etcd", "none", "--against", "fake-server", str(path)]) == 2
    reported = capsys.readouterr()
    assert "nested too deep" in reported.out
    assert reported.err == ""


def test_broken_files_do_not_keep_the_others_from_being_replayed(tmp_path: Path, capsys: Capture) -> None:
    for name, (held, _reason) in BROKEN.items():
        (tmp_path / f"{name}.json").write_bytes(held)
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "notes.txt").write_text("not looked at")
    good = save(COUNT_ONLY, tmp_path, "none")
    assert main(["replay", "--etcd", "none", str(tmp_path)]) == 2
    reported = capsys.readouterr()
    assert f"FIXED        {good}\n" in reported.out
    for name, (_held, reason) in BROKEN.items():
        assert f"{tmp_path / name}.json{reason}" in reported.out or (name == "cut-off" and reason in reported.out)
    assert f"{tmp_path / 'folder.json'}: can't be read: Is a directory\n" in reported.out
    assert "notes.txt" not in reported.out
    assert reported.err == ""


def test_a_file_of_every_symbol_replays(tmp_path: Path, capsys: Capture) -> None:
    trace: Trace = (
        LeaseGrant(60),
        Put(b"a", lease=LeaseOf(1)),
        Range(b"a", revision=RevisionAt(2), min_mod_revision=RevisionAt(0, 1)),
        Compact(RevisionAt(2)),
        LeaseRevoke(LeaseOf(1)),
    )
    path = save(finding(trace=trace), tmp_path, "none")
    assert main(["replay", "--etcd", "none", str(path)]) == 0
    assert f"FIXED        {path}\n" in capsys.readouterr().out


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for path in (tmp_path / "pipe.json", Path("/dev/zero")):
        with pytest.raises(BadFile, match="not a regular file"):
            load(path)
