"""Baselines: findings that a user accepts."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from etcd_lockstep import AcceptedFindingGone, DivergenceFound, LockstepMachine, assert_matches_etcd, find_divergences
from etcd_lockstep.console.cli import main
from etcd_lockstep.filing.baseline import AcceptedFinding, load_baseline, save_baseline
from etcd_lockstep.filing.corpus import BadFile
from etcd_lockstep.filing.writing import write_whole
from etcd_lockstep.searching.findings import Finding, Signature
from etcd_model import operations as op

Capture = pytest.CaptureFixture[str]

COUNT_ONLY = "count-only-returns-kvs"
OPTIONS = ("--etcd", "none", "--seed", "1", "--families", "kv,lease", "--examples")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fuzz(target: str, *arguments: str, examples: int = 40) -> int:
    return main(["fuzz", "--against", target, *OPTIONS, str(examples), *arguments])


def entries(path: str = "baseline.json") -> list[dict[str, Any]]:
    content = json.loads(Path(path).read_text())
    assert content["format"] == 1
    accepted: list[dict[str, Any]] = content["accepted"]
    return accepted


def rewrite(accepted: Sequence[dict[str, Any]], path: str = "baseline.json") -> None:
    Path(path).write_text(json.dumps({"format": 1, "accepted": accepted}))


def test_what_is_accepted_is_not_reported_again(capsys: Capture) -> None:
    assert fuzz(COUNT_ONLY, "--write-baseline", "baseline.json") == 0
    out = capsys.readouterr().out
    assert "baseline.json: accepts 1, of which 1 is new" in out
    assert "1 lie, filed in lies-found" in out
    assert [one["finding"] for one in entries()] == [f"{COUNT_ONLY} lies: range: kvs unexpected"]

    assert fuzz(COUNT_ONLY, "--baseline", "baseline.json", "--json", "summary.json") == 0
    out = capsys.readouterr().out
    assert f"1 of baseline.json: accepted, and not reported again\n   {COUNT_ONLY} lies: range: kvs unexpected\n" in out
    assert "no new lie; 1 is accepted" in out
    summary = json.loads(Path("summary.json").read_text())
    assert summary["lies"] == []
    assert [(one["status"], one["reason"]) for one in summary["accepted"]] == [("shows", "")]


def test_a_new_finding_counts_beside_accepted_ones(capsys: Capture) -> None:
    assert fuzz("slot-mock", "--write-baseline", "baseline.json") == 0
    accepted = entries()
    rewrite([one for one in accepted if one["difference"] != "too high"])
    capsys.readouterr()
    assert fuzz("slot-mock", "--baseline", "baseline.json") == 1
    out = capsys.readouterr().out
    assert ". slot-mock lies: lease_keep_alive: ttl too high" in out
    assert f"{len(accepted) - 1} of baseline.json: accepted" in out
    assert " new lies, filed in lies-found" in out


def test_what_no_longer_shows_is_listed_and_explains_nothing(capsys: Capture) -> None:
    assert fuzz(COUNT_ONLY, "--write-baseline", "baseline.json") == 0
    [entry] = entries()
    rewrite([{**entry, "odd_one_out": "fake-server", "reason": "it was so once"}])
    capsys.readouterr()
    assert fuzz("fake-server", "--baseline", "baseline.json", examples=3) == 0
    out = capsys.readouterr().out
    assert "1 of baseline.json: no longer shown by the target" in out
    assert "fake-server lies: range: kvs unexpected (it was so once)" in out
    assert "every answer agreed" in out


def test_writing_keeps_reasons_and_leaves_out_what_no_longer_shows(capsys: Capture) -> None:
    assert fuzz(COUNT_ONLY, "--write-baseline", "baseline.json") == 0
    [entry] = entries()
    elsewhere = {**entry, "odd_one_out": "my-store", "reason": "of another target"}
    gone = {**entry, "trace": [{"op": "put", "key": "a"}, {"op": "range", "key": "a"}]}
    rewrite([{**entry, "reason": "nobody counts"}, elsewhere, gone])
    capsys.readouterr()
    assert fuzz(COUNT_ONLY, "--write-baseline", "baseline.json") == 0
    assert [(one["odd_one_out"], one["reason"]) for one in entries()] == [
        (COUNT_ONLY, "nobody counts"),
        ("my-store", "of another target"),
    ]
    assert "1 of baseline.json: not checked" in capsys.readouterr().out


def test_a_finding_that_takes_time_is_replayed_where_time_passes(capsys: Capture) -> None:
    options = ("--etcd", "none", "--families", "lease,time,kv", "--seed", "1", "--examples", "60")
    arguments = ["fuzz", "--against", "lease-never-expires", *options]
    assert main([*arguments, "--write-baseline", "baseline.json"]) == 0
    assert any(step["op"] == "advance" for one in entries() for step in one["trace"])
    number = len(entries())
    capsys.readouterr()
    main([*arguments, "--baseline", "baseline.json"])
    assert f"{number} of baseline.json: accepted" in capsys.readouterr().out


def test_a_finding_over_quota_comes_back_as_it_was() -> None:
    seen = Signature("my-mock", "put", "error", "accepted (etcdserver: mvcc: database space exceeded)")
    finding = Finding(seen, (op.Put(b"a"),), {}, (), over_quota=True)
    accepted = [AcceptedFinding(finding, "it has no quota")]
    save_baseline(Path("baseline.json"), accepted)
    assert load_baseline(Path("baseline.json")) == accepted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "baseline.json:1: not JSON"),
        ("[]", "baseline.json:1: not a baseline: it holds no object"),
        ("{}", "baseline.json: not a baseline: it has no format version"),
        ('{"format": 9}', "baseline.json: format 9 is newer"),
        ('{"format": 1}', "baseline.json: not a baseline: 'accepted' is missing, or not a list"),
        ('{"format": 1, "accepted": [7]}', "baseline.json: accepted finding 1: not an object"),
        ('{"format": 1, "accepted": [{}]}', "accepted finding 1: 'reason' is missing, or not a str"),
        ('{"format": 1, "accepted": [{"reason": ""}]}', "accepted finding 1: 'odd_one_out' is missing"),
    ],
)
@pytest.mark.parametrize("option", ["--baseline", "--write-baseline"])
def test_a_file_that_is_no_baseline_is_refused_and_kept(text: str, reason: str, option: str, capsys: Capture) -> None:
    Path("baseline.json").write_text(text)
    assert fuzz(COUNT_ONLY, option, "baseline.json") == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert Path("baseline.json").read_text() == text


def test_a_baseline_that_is_not_there_is_refused(capsys: Capture) -> None:
    assert fuzz(COUNT_ONLY, "--baseline", "nowhere.json") == 2
    assert capsys.readouterr().err == "etcd-lockstep: nowhere.json: can't be read: No such file or directory\n"
    assert fuzz(COUNT_ONLY, "--write-baseline", "nowhere/baseline.json") == 2
    assert "--write-baseline nowhere/baseline.json: there is no folder nowhere" in capsys.readouterr().err


# From Python


def test_assert_matches_etcd_takes_a_baseline() -> None:
    options: dict[str, Any] = {"etcd": "none", "examples": 40, "families": ["kv"], "seed": 1}
    found = find_divergences(COUNT_ONLY, **options)
    save_baseline(Path("baseline.json"), [AcceptedFinding(one, "") for one in found])
    assert_matches_etcd(COUNT_ONLY, allow=["baseline.json"], **options)
    assert_matches_etcd(COUNT_ONLY, allow=found, **options)
    assert_matches_etcd(COUNT_ONLY, allow=[one.fingerprint for one in found], **options)
    rewrite([{**entry, "odd_one_out": "fake-server"} for entry in entries()])
    with pytest.warns(AcceptedFindingGone, match="range kvs unexpected after put, range"):
        assert_matches_etcd("fake-server", allow=[Path("baseline.json")], **{**options, "examples": 2})
    with pytest.raises(BadFile, match="nowhere"):
        assert_matches_etcd(COUNT_ONLY, allow=["nowhere.json"], **options)


def test_a_machine_takes_a_baseline() -> None:
    found = find_divergences("delete-of-missing-bumps", etcd="none", examples=40, families=["kv"], seed=1)
    save_baseline(Path("baseline.json"), [AcceptedFinding(one, "") for one in found])
    options: dict[str, Any] = {"families": ("kv",)}
    accepting = LockstepMachine.for_target("delete-of-missing-bumps", allow=("baseline.json",), **options)
    accepting.TestCase("runTest").debug()
    with pytest.raises(DivergenceFound):
        LockstepMachine.for_target("delete-of-missing-bumps", **options).TestCase("runTest").debug()


# Writing


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.json"
    path.write_text("old")

    def fail(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"No space left on device.*kept\.json"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["kept.json"]


def test_a_file_keeps_its_permissions_and_a_link_its_place(tmp_path: Path) -> None:
    path, link = tmp_path / "file.json", tmp_path / "link.json"
    write_whole(path, "one")
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    path.chmod(0o600)
    link.symlink_to(path)
    write_whole(link, "two")
    assert (link.is_symlink(), path.read_text(), path.stat().st_mode & 0o777) == (True, "two", 0o600)


def test_a_link_to_a_device_is_replaced_or_followed_as_is_asked(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to("/dev/null")
    write_whole(link, "to the device")
    assert (link.is_symlink(), link.read_text()) == (True, "")
    write_whole(link, ["in its ", "place"], follow_links=False)
    assert (link.is_symlink(), link.read_text()) == (False, "in its place")


def test_a_pipe_that_nobody_reads_is_an_error_and_one_that_is_read_is_written(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match=r"nobody reads this pipe.*pipe"):
        write_whole(path, "text")
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(path, "text")
    assert os.read(reader, 9) == b"text"
    os.close(reader)


def test_a_pipe_without_a_name_is_written_by_its_descriptor() -> None:
    """As `--json /dev/stdout` in a pipeline, or `--json >(jq .)`."""
    reader, writer = os.pipe()
    write_whole(Path(f"/dev/fd/{writer}"), "text")
    assert os.read(reader, 9) == b"text"
    os.close(reader)
    os.close(writer)


def test_a_device_that_is_full_is_named() -> None:
    with pytest.raises(OSError, match=r"No space left on device.*/dev/full"):
        write_whole(Path("/dev/full"), "text")


def test_a_file_that_can_not_be_written_keeps_no_other_from_being_written(tmp_path: Path, capsys: Capture) -> None:
    assert fuzz(COUNT_ONLY, "--json", "/dev/full", "--junit", "/dev/full", "--markdown", "it.md", examples=5) == 2
    assert capsys.readouterr().err == (
        "etcd-lockstep: /dev/full: No space left on device; /dev/full: No space left on device\n"
    )
    assert COUNT_ONLY in (tmp_path / "it.md").read_text()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
