"""Mutants: a changed module is judged in a process of its own, and what survives stands on the page with its reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from etcd_lockstep.mutants.__main__ import RECORDED, main
from etcd_lockstep.mutants.areas import AREAS, FAKE, HARNESS, MODEL
from etcd_lockstep.mutants.mutant import Judged, Mutant, from_json, source_path, to_json
from etcd_lockstep.mutants.page import KINDS, page, read_reasons
from etcd_lockstep.mutants.running import judge_all, read

RANGES = source_path("etcd_model.ranges").read_text(encoding="utf-8").splitlines()


def mutant_of(part: str, changed: str) -> Mutant:
    """The first line of the model's ranges that holds a text, with another in its place."""
    number, line = next((number, line) for number, line in enumerate(RANGES, 1) if part in line)
    return Mutant("etcd_model.ranges", "ByHand", number, (line,), (line.replace(part, changed),))


NOTICED = mutant_of('FROM_KEY = b"\\x00"', 'FROM_KEY = b"\\x01"')
HARMLESS = mutant_of('FROM_KEY = b"\\x00"', 'FROM_KEY = b"" + b"\\x00"')
REASONS = {HARMLESS.key: ("equivalent", "It is the same text.")}


def test_the_source_of_a_mutant_differs_in_its_lines_alone() -> None:
    source = NOTICED.source()
    assert source is not None
    assert [pair for pair in zip(RANGES, source.splitlines(), strict=True) if pair[0] != pair[1]] == [
        (NOTICED.before[0], NOTICED.after[0])
    ]


def test_a_mutant_of_a_source_that_has_changed_since_has_none() -> None:
    assert Mutant("etcd_model.ranges", "ByHand", 1, ("no such line",), ("another",)).source() is None
    with pytest.raises(ModuleNotFoundError, match="there is no module etcd_model"):
        source_path("etcd_model.nothing")


def test_a_mutant_is_found_by_the_search_and_a_harmless_one_survives(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    lines: list[str] = []
    quick = replace(MODEL, tests=())
    tasks = [(quick, NOTICED), (quick, HARMLESS)]
    found, survived = judge_all(tasks, results, seconds=0.5, seed=1, jobs=2, progress=lines.append)
    assert found.by in ("search", "crash")
    assert survived.survived
    assert {one.mutant: one.by for one in read(results)} == {NOTICED: found.by, HARMLESS: "survived"}
    judge_all(tasks, results, seconds=0.5, seed=1, jobs=2, progress=lines.append)
    assert lines[-1] == f"2 of 2 are judged already, in {results}"


def test_a_verdict_is_the_same_when_it_was_written_and_read() -> None:
    judged = Judged(NOTICED, "search", 0.5, "range: kvs missing")
    assert from_json(json.loads(json.dumps(to_json(judged)))) == judged


def test_a_file_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="is not a file of results"):
        read(tmp_path / "results.jsonl")


def test_the_page_has_scores_times_and_each_survivor_with_its_reason() -> None:
    judged = [
        (MODEL, Judged(NOTICED, "search", 0.5, "range: kvs missing")),
        (MODEL, Judged(HARMLESS, "survived", 15)),
        (FAKE, Judged(NOTICED, "tests", 4, "test_ranges")),
        (HARNESS[0], Judged(NOTICED, "survived", 4)),
    ]
    text = page(judged, REASONS, "cosmic-ray 8", 1, 15)
    assert "| model | 2 | 1 | 0 | 0 | 1 | 1 | 100% |" in text
    assert "| fake | 1 | 0 | 0 | 1 | 0 | 0 | 100% |" in text
    assert "| harness | 1 | 0 | 0 | 0 | 1 | 0 | 0% |" in text
    assert "Median 0.5 s, longest 0.5 s." in text
    assert "| equivalent | It is the same text. |" in text
    assert "| not looked into |" in text
    assert "| `test_ranges` | gap |" in text
    assert "of 3 mutants of the model and the fake that can be imported, 1\nchange" in text
    assert "Of the other 2\nit found 1, which is 50%." in text


def test_what_no_search_can_see_is_not_held_against_it() -> None:
    judged = [
        (MODEL, Judged(HARMLESS, "tests", 4, "test_time")),
        (FAKE, Judged(NOTICED, "search", 0.5, "range: kvs missing")),
    ]
    text = page(judged, {HARMLESS.key: ("out of reach", "It is about five minutes.")}, "cosmic-ray 8", 1, 15)
    assert "| `test_time` | out of reach: It is about five minutes. |" in text
    assert "it found 1, which is 100%." in text


def test_options_out_of_range_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--seconds", "0"])
    assert ended.value.code == 2
    assert "--seconds takes a number above 0" in capsys.readouterr().err


def test_every_recorded_survivor_has_a_reason_and_every_module_is_there() -> None:
    reasons = read_reasons()
    assert all(kind in KINDS for kind, _reason in reasons.values())
    assert {one.mutant.key for one in read(RECORDED) if one.survived} <= reasons.keys()
    for area in AREAS:
        assert all(source_path(module).is_file() for module in area.modules)
