"""A field that is wrong in every answer is one finding; and fields that a user doesn't want compared."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from etcd_lockstep import LockstepMachine, find_divergences
from etcd_lockstep.comparing.comparison import Difference
from etcd_lockstep.comparing.ignoring import UnknownField, check_fields, without_ignored
from etcd_lockstep.console.cli import main
from etcd_lockstep.specimens.specimen import Specimen
from etcd_model import operations as op
from etcd_model.results import RangeResult, Result


class CountsOtherwise(Specimen):
    """Counts create_revision in another way, and ignores limit and count_only."""

    name = "counts-otherwise"
    capabilities = frozenset({"put", "range", "delete_range"})

    def apply(self, operation: op.Operation) -> Result:
        if isinstance(operation, op.Range):
            operation = replace(operation, limit=0, count_only=False)
        result = super().apply(operation)
        if isinstance(result, RangeResult):
            kvs = tuple(replace(kv, create_revision=kv.create_revision * 10) for kv in result.kvs)
            result = replace(result, kvs=kvs)
        return result


def found(*ignored: str) -> set[str]:
    """What is found of it, without the targets' names."""
    findings = find_divergences(CountsOtherwise, etcd="none", examples=150, seed=1, ignore=ignored)
    return {finding.fingerprint for finding in findings}


def test_a_number_that_is_wrong_in_every_read_hides_nothing() -> None:
    fingerprints = found()
    assert "range kvs.create_revision too high after put, range" in fingerprints
    assert "range kvs unexpected after put, range(count_only)" in fingerprints
    assert sum("create_revision too" in fingerprint for fingerprint in fingerprints) == 1


def test_a_number_that_is_accepted_hides_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target = f"{__name__}:{CountsOtherwise.__name__}"
    search = shlex.split(f"fuzz --etcd none --against {target} --seed 1 --examples 150 --families kv")
    assert main([*search, "--write-baseline", "baseline.json"]) == 0
    baseline = json.loads(Path("baseline.json").read_text())
    [number] = [one for one in baseline["accepted"] if one["field"] == "kvs.create_revision"]
    again = {**number, "trace": [{"op": "put", "key": "b"}, *number["trace"]]}
    Path("baseline.json").write_text(json.dumps({**baseline, "accepted": [number, again]}))
    assert main([*search, "--baseline", "baseline.json", "--json", "run.json"]) == 1
    run = json.loads(Path("run.json").read_text())
    assert [one["status"] for one in run["accepted"]] == ["shows", "shows"]
    fields = [lie["field"] for lie in run["lies"]]
    assert "kvs" in fields
    assert not any("create_revision" in field for field in fields)


def test_an_ignored_field_is_not_compared() -> None:
    fingerprints = found("create_revision")
    assert "range kvs unexpected after put, range(count_only)" in fingerprints
    assert not any("create_revision too" in fingerprint for fingerprint in fingerprints)


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("lease", {"kvs.version", "error.message", "message"}),
        ("kvs.lease", {"prev_kv.lease", "kvs.version", "error.message", "message"}),
        ("kvs", {"prev_kv.lease", "error.message", "message"}),
        ("message", {"kvs.lease", "prev_kv.lease", "kvs.version"}),
        ("error.message", {"kvs.lease", "prev_kv.lease", "kvs.version", "message"}),
    ],
)
def test_a_name_stands_for_the_field_of_every_answer(name: str, left: set[str]) -> None:
    paths = ("kvs.lease", "prev_kv.lease", "kvs.version", "error.message", "message")
    differences = [Difference(path, "different") for path in paths]
    assert {one.field for one in without_ignored(differences, [name])} == left


def test_references_are_compared_in_every_field() -> None:
    assert find_divergences("fake-server", etcd="none", examples=3, seed=1, ignore=["value"], families=["kv"]) == []


def test_no_answer_has_such_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownField, match="no answer has a field 'creation'"):
        check_fields(["kvs.creation"])
    assert main(["fuzz", "--etcd", "none", "--ignore", "creation", "--seconds", "1"]) == 2
    assert "no answer has a field 'creation'" in capsys.readouterr().err


def test_the_summary_names_what_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    search = ["fuzz", "--etcd", "none", "--examples", "3", "--families", "kv"]
    assert main([*search, "--ignore", "kvs.lease", "--ignore", "error.message", "--json", "run.json"]) == 0
    assert "ignored: kvs.lease, error.message\n" in capsys.readouterr().out
    assert json.loads(Path("run.json").read_text(encoding="utf-8"))["ignored"] == ["kvs.lease", "error.message"]


def test_a_machine_ignores_fields_too() -> None:
    class Machine(LockstepMachine):
        target = CountsOtherwise
        ignore = ("kvs", "count", "more")
        families = ("kv",)

    Machine.TestCase("runTest").runTest()
