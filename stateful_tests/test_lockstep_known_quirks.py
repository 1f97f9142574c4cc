"""Between two etcds, known quirks are looked for first, and reported by their names, each once."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from etcd_lockstep.console.cli import main
from etcd_lockstep.console.progress import SearchProgress
from etcd_lockstep.searching.known_quirks import quirk_traces, shows
from etcd_lockstep.trace import bare
from etcd_model import quirks_of
from etcd_model.operations import MemberAdd
from etcd_model.quirks import SINCE
from fake_etcd import Engine
from fake_etcd.server import serve

FAMILIES = "kv,txn,lease,watch,compact,auth,maintenance,lock,range_stream"
"""All but `time`, which has to wait."""


def compared(one: str, other: str, folder: Path, *options: str) -> dict[str, Any]:
    """The summary of a diff between fakes of two releases, each behind an address."""
    with serve(Engine(one), "127.0.0.1:0") as first, serve(Engine(other), "127.0.0.1:0") as second:
        arguments = [
            "diff",
            f"endpoint:{first.address}",
            f"endpoint:{second.address}",
            "--seed",
            "1",
            "--examples",
            "1",
        ]
        files = ["--json", str(folder / "run.json"), "--corpus", str(folder / "found")]
        code = main([*arguments, *files, *(options or ["--families", FAMILIES])])
    summary: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert code == (1 if summary["lies"] else 0)
    return summary


def expected(one: str, other: str) -> set[str]:
    """The quirks that one of these releases has and the other has not, and that a trace shows between them. Endpoints
    are given no members."""
    judge, judged = quirks_of(one), quirks_of(other)
    return {
        quirk
        for quirk in SINCE
        if getattr(judge, quirk) != getattr(judged, quirk)
        and quirk in quirk_traces()
        and not any(isinstance(bare(operation), MemberAdd) for operation in quirk_traces()[quirk])
        and shows(quirk_traces()[quirk], quirk, judge)
        and shows(quirk_traces()[quirk], quirk, judged)
    }


@pytest.mark.parametrize(
    ("one", "other"), [("3.4.23", "3.5.30"), ("3.5.30", "3.6.16"), ("3.6.16", "3.7.3"), ("3.7.3", "3.5.16")]
)
def test_a_diff_names_every_quirk_that_a_trace_shows(one: str, other: str, tmp_path: Path) -> None:
    named = [finding["quirk"] for finding in compared(one, other, tmp_path)["lies"] if "quirk" in finding]
    assert expected(one, other) <= set(named)
    assert len(named) == len(set(named))
    assert set(named) <= {
        quirk for quirk in SINCE if getattr(quirks_of(one), quirk) != getattr(quirks_of(other), quirk)
    }


def test_between_two_of_the_same_release_there_is_none(tmp_path: Path) -> None:
    assert compared("3.6.16", "3.6.16", tmp_path)["lies"] == []


def test_only_the_families_that_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = compared("3.6.16", "3.7.3", tmp_path, "--families", "kv")
    assert [finding["quirk"] for finding in summary["lies"]] == ["keys_only_omits_lease"] or summary["lies"] == []
    assert " lies" not in capsys.readouterr().out


def test_neither_of_two_etcds_lies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared("3.5.30", "3.6.16", tmp_path, "--families", "kv,maintenance")
    text = capsys.readouterr().out
    assert "differs (sort_options_validated): it refuses a range that etcd 3.5.30 accepts" in " ".join(text.split())
    assert "etcd 3.5.30   etcd 3.6.16 (" in text
    assert "lies:" not in text
    assert "model" not in text.partition("seed")[2]


def test_progress_counts_what_differs_by_the_noun_of_the_report() -> None:
    class Search:
        workloads = ()
        findings = 1
        doing = ""

    search = Search()
    line = SearchProgress(Console(file=StringIO()), search, None, ("difference", "differences"))
    assert line.line() == "0 sequences  0 steps  0 steps/s  1 difference"
    search.findings = 2
    assert line.line().endswith("2 differences")
    assert SearchProgress(Console(file=StringIO()), search, None).line().endswith("2 lies")
