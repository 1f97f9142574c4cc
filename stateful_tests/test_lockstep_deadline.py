"""Targets of the user's that do not return."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from etcd_lockstep import find_divergences
from etcd_lockstep.console.cli import main
from etcd_lockstep.searching.findings import features
from etcd_lockstep.target import Target, TargetDied
from etcd_lockstep.targets import deadline
from etcd_lockstep.targets.deadline import DeadlineTarget
from etcd_model import Operation, Result
from etcd_model import operations as op
from etcd_model.results import PutResult


class Counts(Target):
    """Puts alone, answered rightly."""

    name = "counts"
    capabilities = frozenset({"put"})

    def reset(self) -> int | None:
        self.revision = 1
        return 1

    def can_express(self, operation: Operation) -> bool:
        return isinstance(operation, op.Put) and bool(operation.key) and not features(operation) - {"no lease"}

    def apply(self, operation: Operation) -> Result:
        assert isinstance(operation, op.Put)
        self.revision += 1
        return PutResult(self.revision)


def sleeps(_self: Target, *_arguments: object) -> Any:
    while True:
        time.sleep(60)


def waits(_self: Target, *_arguments: object) -> Any:
    threading.Event().wait()


def computes(_self: Target, *_arguments: object) -> Any:
    while True:
        pass


def swallows(_self: Target, *_arguments: object) -> Any:
    while True:
        try:
            time.sleep(60)
        except Exception:
            continue


@pytest.mark.parametrize("hang", [sleeps, waits, computes, swallows])
def test_a_call_that_never_returns_is_given_up(hang: Callable[..., Any]) -> None:
    target = DeadlineTarget(type("Hangs", (Counts,), {"apply": hang}), 0.3)
    target.reset()
    with pytest.raises(TargetDied, match=r"it hangs: apply\(\) has not returned after 0.3 s"):
        target.apply(op.Put(b"a"))
    with pytest.raises(TargetDied, match="it hangs"):
        target.reset()
    target.revive()
    assert target.reset() == 1


@pytest.mark.parametrize("method", ["reset", "can_express", "auth_revision", "__init__"])
def test_no_other_call_may_hang_either(method: str) -> None:
    def run() -> None:
        target = DeadlineTarget(type("Hangs", (Counts,), {method: sleeps}), 0.3)
        target.reset()
        target.auth_revision()
        target.can_express(op.Put(b"a"))

    with pytest.raises(TargetDied, match="it hangs: "):
        run()


def test_a_close_that_hangs_ends() -> None:
    DeadlineTarget(type("Hangs", (Counts,), {"close": sleeps}), 0.3).close()


def test_a_call_in_another_thread_is_given_up_too() -> None:
    target = DeadlineTarget(type("Hangs", (Counts,), {"apply": sleeps}), 0.3)
    raised: list[BaseException] = []

    def run() -> None:
        assert target.reset() == 1
        try:
            target.apply(op.Put(b"a"))
        except TargetDied as died:
            raised.append(died)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "it hangs" in str(raised[0])


def test_what_a_target_raises_is_passed_on_from_either_thread() -> None:
    def fails(_self: Target, _operation: Operation) -> Result:
        raise KeyError("a")

    target = DeadlineTarget(type("Fails", (Counts,), {"apply": fails}), 5)
    raised: list[BaseException] = []

    def run() -> None:
        try:
            target.apply(op.Put(b"a"))
        except KeyError as error:
            raised.append(error)

    run()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(raised) == 2


class HangsOnThird(Counts):
    name = "hangs-on-third"

    def apply(self, operation: Operation) -> Result:
        if self.revision == 3:
            time.sleep(60)
        return super().apply(operation)


def test_a_target_that_hangs_is_a_finding_and_the_run_ends(
    capsys: pytest.CaptureFixture[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["fuzz", "--etcd", "none", "--against", f"{__name__}:HangsOnThird", "--call-timeout", "0.3"]
    assert main([*options, "--seconds", "2", "--corpus", "found"]) == 1
    printed = capsys.readouterr().out
    assert "hangs-on-third hangs on a put" in printed
    assert "it hangs: apply() has not returned after 0.3 s" in printed
    assert "1 lie, filed in found" in printed


def test_a_fast_target_is_not_disturbed() -> None:
    assert find_divergences(Counts, etcd="none", examples=20, seed=1) == []


def test_what_is_waited_for_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Slow(Counts):
        name = "slow"

        def apply(self, operation: Operation) -> Result:
            monkeypatch.setattr(deadline, "_LONG", -1.0)
            asked.append(deadline.waiting_for())
            return super().apply(operation)

    target = DeadlineTarget(Slow)
    target.reset()
    target.apply(op.Put(b"a"))
    assert asked == ["waiting for apply() of slow, 0 s"]
    assert deadline.waiting_for() == ""
