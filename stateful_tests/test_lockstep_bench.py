"""The bench: that it runs and shows every ratio. How fast anything is, no test asserts."""

from __future__ import annotations

import pytest

from etcd_lockstep.bench import Figure, main, moved, table
from etcd_lockstep.targets.wire import WireTarget
from etcd_model.operations import (
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    LeaseLeases,
    Operation,
    Put,
    Range,
    Txn,
)
from etcd_model.ranges import FROM_KEY
from etcd_model.results import LeaseLeasesResult, RangeResult


def compare(target: CompareTarget, operand: int | bytes) -> Compare:
    return Compare(b"a", target, CompareResult.EQUAL, operand)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_the_table_has_every_ratio_and_the_etcd_is_left_empty(
    real: WireTarget, etcd_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--etcd", f"endpoint:{etcd_address}", "--quick"]) == 0

    reported = capsys.readouterr().out
    for row in (
        "lockstep: model and etcd ÷ bare stubs on etcd",
        "driver: model and fake ÷ bare loop of the two",
        "machine ÷ driver: model and fake",
        "machine ÷ driver: model, fake and etcd",
        "fake: in this process ÷ etcd on loopback",
        "fake: memory a key, 2,000 keys",
        "fake: 2,000 keys ÷ 1,000 keys",
    ):
        assert reported.count(row) == 1
    everything = real.apply(Range(b"\0", FROM_KEY))
    assert isinstance(everything, RangeResult)
    assert everything.count == 0
    leases = real.apply(LeaseLeases())
    assert isinstance(leases, LeaseLeasesResult)
    assert leases.leases == ()


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--etcd", "none"], 2, "needs a real etcd"),
        (["--etcd", "etcd"], 2, "can't read the etcd 'etcd'"),
        (["--seconds", "0"], 2, "no time"),
        (["--seconds", "nan"], 2, "no time"),
        (["--etcd", "binary:/nowhere/etcd"], 3, "/nowhere/etcd"),
        (["--etcd", "endpoint:127.0.0.1:1"], 3, "127.0.0.1:1"),
    ],
)
def test_what_goes_wrong_is_one_line(
    arguments: list[str], code: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("bench: ")
    assert reason in line


@pytest.mark.parametrize(
    ("values", "aim", "unit", "met"),
    [
        ([0.2, 0.5, 0.9], 0.5, "×", True),
        ([0.2, 0.4, 0.9], 0.5, "×", False),
        ([1.5], 1.5, "KB", True),
        ([2], 1.5, "KB", False),
    ],
)
def test_an_aim_is_met_by_the_median(values: list[float], aim: float, unit: str, met: bool) -> None:
    figure = Figure("this ÷ that", values, aim, unit, "1 ÷ 2 steps/s")
    assert figure.met is met
    assert table([figure]).row_count == 1


@pytest.mark.parametrize(
    ("operation", "later"),
    [
        (Put(b"a", lease=3), Put(b"a", lease=3)),
        (Compact(3), Compact(13)),
        (Compact(-1), Compact(-1)),
        (Range(b"a", revision=3, limit=3), Range(b"a", revision=13, limit=3)),
        (
            Range(b"a", min_mod_revision=3, max_create_revision=4),
            Range(b"a", min_mod_revision=13, max_create_revision=14),
        ),
        (
            Txn((compare(CompareTarget.MOD, 3), compare(CompareTarget.VERSION, 3), compare(CompareTarget.CREATE, 0))),
            Txn((compare(CompareTarget.MOD, 13), compare(CompareTarget.VERSION, 3), compare(CompareTarget.CREATE, 0))),
        ),
        (
            Txn(success=(Range(b"a", revision=3),), failure=(Txn(success=(Range(b"b", revision=4),)),)),
            Txn(success=(Range(b"a", revision=13),), failure=(Txn(success=(Range(b"b", revision=14),)),)),
        ),
    ],
)
def test_a_replay_counts_revisions_from_where_the_store_is_now(operation: Operation, later: Operation) -> None:
    assert moved(operation, 10) == later
