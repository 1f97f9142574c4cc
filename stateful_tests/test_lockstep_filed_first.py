"""What earlier runs have filed is tried before a search, unless that has a seed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from etcd_lockstep.console.cli import main

PROGRAM = (sys.executable, "-c", "import sys; from etcd_lockstep.console.cli import main; sys.exit(main())")

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("elsewhere")


RARE_MOCK = """
from etcd_lockstep.specimens.specimen import Specimen
from etcd_model.operations import Range
from etcd_model.results import RangeResult

class Rare(Specimen):
    name = "rare"

    def apply(self, operation):
        result = super().apply(operation)
        match operation, result:
            case Range(key=b"a" | b"b", limit=0x7FFFFFFFFFFFFFFF), RangeResult():
                return RangeResult(result.revision, result.kvs, not result.more, result.count)
        return result
"""
"""It lies about reads with one limit, and of two keys: few examples show it, a few hundred all but surely."""


def in_a_process(folder: Path, *arguments: str) -> dict[str, Any]:
    command = [*PROGRAM, "fuzz", "--etcd", "none", "--against", "rare_mock:Rare", "--families", "kv"]
    (folder / "rare_mock.py").write_text(RARE_MOCK)
    ended = subprocess.run(
        [*command, "--json", "summary.json", *arguments], cwd=folder, capture_output=True, timeout=120, check=False
    )
    assert ended.stderr == b""
    reported: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    assert ended.returncode == (1 if reported["lies"] else 0)
    return reported


@pytest.fixture(scope="module")
def found_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run has found and filed the lie, in `lies-found`."""
    folder = tmp_path_factory.mktemp("found")
    assert in_a_process(folder, "--seed", "1", "--examples", "400")["lies"]
    return folder


def test_a_lie_found_before_is_found_first(elsewhere: Path, found_in: Path) -> None:
    shutil.copytree(found_in, elsewhere, dirs_exist_ok=True)
    (first,) = json.loads((elsewhere / "summary.json").read_text())["lies"]
    (again,) = in_a_process(elsewhere, "--examples", "1", "--steps", "1")["lies"]
    assert again["fingerprint"] == first["fingerprint"]


def test_a_lie_filed_in_the_corpus_of_the_run_is_found_first(elsewhere: Path) -> None:
    assert in_a_process(elsewhere, "--seed", "1", "--examples", "400", "--corpus", "ours")["lies"]
    assert in_a_process(elsewhere, "--examples", "1", "--steps", "1", "--corpus", "theirs")["lies"] == []
    assert in_a_process(elsewhere, "--examples", "1", "--steps", "1", "--corpus", "ours")["lies"]


def test_a_file_that_can_not_be_read_is_named_and_the_run_goes_on(elsewhere: Path, capsys: Capture) -> None:
    (elsewhere / "lies-found").mkdir()
    (elsewhere / "lies-found" / "cut.json").write_text("{")
    assert main(["fuzz", "--etcd", "none", "--examples", "1", "--families", "kv"]) == 0
    assert "not tried: lies-found/cut.json:1: not JSON" in capsys.readouterr().out


def test_with_a_seed_what_is_filed_is_not_tried(elsewhere: Path, found_in: Path) -> None:
    def reported(folder: Path) -> dict[str, Any]:
        folder.mkdir(exist_ok=True)
        whole = in_a_process(folder, "--seed", "1", "--examples", "1", "--steps", "10")
        return {name: value for name, value in whole.items() if name not in ("seconds", "steps_per_second")}

    shutil.copytree(found_in, elsewhere / "old")
    assert reported(elsewhere / "old") == reported(elsewhere / "new")
