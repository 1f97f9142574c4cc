"""The vote: who is alone, and what becomes of a target that raises, dies or is inconclusive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from etcd_lockstep.comparing.comparison import Difference
from etcd_lockstep.comparing.lockstep import UNDECIDED, Died, Inconclusive, Lockstep, Skipped, Step
from etcd_lockstep.comparing.observation import Raised
from etcd_lockstep.target import Target, TargetDied
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import LeaseOf, RevisionAt
from etcd_model import Error, Operation, Result, Server, quirks_of
from etcd_model.operations import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    LeaseLeases,
    LeaseTimeToLive,
    Put,
    Range,
    Txn,
)
from etcd_model.results import LeaseGrantResult, LeaseTimeToLiveResult, PutResult, RangeResult
from etcd_model.sizes import MAX_MESSAGE_BYTES, size_of

SERVER = Server(quirks=quirks_of("3.5.16"))

Finding = Callable[[Operation, Result], Result]


def truth(_operation: Operation, result: Result) -> Result:
    return result


def forgets_values(_operation: Operation, result: Result) -> Result:
    if isinstance(result, RangeResult):
        return replace(result, kvs=tuple(replace(kv, value=b"") for kv in result.kvs))
    return result


def counts_more(_operation: Operation, result: Result) -> Result:
    return replace(result, count=result.count + 1) if isinstance(result, RangeResult) else result


def dies(operation: Operation, result: Result) -> Result:
    if isinstance(operation, Range) and operation.key == b"a":
        raise TargetDied("UNAVAILABLE: connection reset")
    return result


def raises(operation: Operation, result: Result) -> Result:
    if isinstance(operation, Range) and operation.key == b"a":
        raise KeyError("a")
    return result


class Scripted(Target):
    """Answers as the model does, but for one lie; its revisions and lease ids are its own."""

    def __init__(self, name: str, finding: Finding = truth) -> None:
        self.name = name
        self.applied: list[Operation] = []
        self._lie = finding
        self._model = ModelTarget(SERVER)

    def reset(self) -> int | None:
        return self._model.reset()

    def apply(self, operation: Operation) -> Result:
        self.applied.append(operation)
        return self._lie(operation, self._model.apply(operation))


class LyingModel(ModelTarget):
    """A model that is wrong."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(SERVER)
        self._lie = finding

    def apply(self, operation: Operation) -> Result:
        return self._lie(operation, super().apply(operation))


def run(lockstep: Lockstep, *operations: Operation) -> Step:
    """The last step, all before which agree."""
    lockstep.start()
    *before, last = operations
    for operation in before:
        assert lockstep.step(operation).divergences == ()
    return lockstep.step(last)


def vote(model: ModelTarget, others: Sequence[Target], *operations: Operation) -> list[tuple[str, list[str]]]:
    step = run(Lockstep(model, others), *operations)
    return [(d.odd_one_out, [difference.field for difference in d.differences]) for d in step.divergences]


READ = (Put(b"a", b"1"), Range(b"a"))


# Who is alone.


def test_where_all_agree_nobody_is_alone() -> None:
    others = [Scripted("fake"), Scripted("etcd"), Scripted("mock")]
    step = run(Lockstep(ModelTarget(SERVER), others), *READ)
    assert step.divergences == ()
    assert step.observations.keys() == {"model", "fake", "etcd", "mock"}


def test_a_fake_that_is_alone_is_named() -> None:
    others = [Scripted("fake", forgets_values), Scripted("etcd")]
    assert vote(ModelTarget(SERVER), others, *READ) == [("fake", ["kvs.value"])]


def test_a_model_that_is_alone_is_named() -> None:
    others = [Scripted("fake"), Scripted("etcd")]
    assert vote(LyingModel(forgets_values), others, *READ) == [("model", ["kvs.value"])]


def test_a_real_etcd_that_is_alone_is_named() -> None:
    others = [Scripted("fake"), Scripted("etcd", forgets_values)]
    assert vote(ModelTarget(SERVER), others, *READ) == [("etcd", ["kvs.value"])]


def test_with_nobody_to_judge_it_is_the_model_or_the_fake() -> None:
    assert vote(ModelTarget(SERVER), [Scripted("fake", forgets_values)], *READ) == [(UNDECIDED, ["kvs.value"])]
    assert vote(LyingModel(forgets_values), [Scripted("fake")], *READ) == [(UNDECIDED, ["kvs.value"])]


def test_with_only_a_real_etcd_beside_it_the_model_is_wrong() -> None:
    assert vote(LyingModel(counts_more), [Scripted("etcd")], *READ) == [("model", ["count"])]
    assert vote(ModelTarget(SERVER), [Scripted("etcd", counts_more)], *READ) == [("model", ["count"])]


def test_where_all_three_differ_the_real_etcd_is_taken_at_its_word() -> None:
    others = [Scripted("fake", counts_more), Scripted("etcd")]
    assert vote(LyingModel(forgets_values), others, *READ) == [("model", ["kvs.value"])]


# Those who have no vote.


def test_a_target_without_a_vote_is_held_against_the_others() -> None:
    others = [Scripted("fake"), Scripted("etcd"), Scripted("mock", forgets_values)]
    assert vote(ModelTarget(SERVER), others, *READ) == [("mock", ["kvs.value"])]


def test_many_targets_without_a_vote_outvote_nobody() -> None:
    others = [Scripted(name, forgets_values) for name in ("one", "two", "three")]
    assert vote(ModelTarget(SERVER), others, *READ) == [(name, ["kvs.value"]) for name in ("one", "two", "three")]


def test_a_target_is_held_against_the_majority_and_not_against_a_model_that_is_wrong() -> None:
    others = [Scripted("fake"), Scripted("etcd"), Scripted("mock"), Scripted("liar", counts_more)]
    assert vote(LyingModel(forgets_values), others, *READ) == [("model", ["kvs.value"]), ("liar", ["count"])]


def test_what_each_said_is_reported() -> None:
    lockstep = Lockstep(ModelTarget(SERVER), [Scripted("mock", counts_more)])
    step = run(lockstep, *READ)
    reported = [step.observations[name] for name in ("model", "mock")]
    assert [answer.count for answer in reported if isinstance(answer, RangeResult)] == [1, 2]
    assert step.divergences[0].differences == (Difference("count", "too high"),)


# Targets that raise or die.


def test_what_a_target_raises_is_its_answer() -> None:
    lockstep = Lockstep(ModelTarget(SERVER), [Scripted("mock", raises)])
    step = run(lockstep, *READ)
    assert step.observations["mock"] == Raised("KeyError", "'a'")
    assert step.divergences[0].differences == (Difference("answer", "raised KeyError"),)
    assert lockstep.step(Range(b"b")).divergences == ()  # and it goes on


def test_a_target_that_dies_ends_the_sequence_and_is_named() -> None:
    lockstep = Lockstep(ModelTarget(SERVER), [Scripted("fake"), Scripted("mock", dies)])
    with pytest.raises(Died, match="mock: UNAVAILABLE: connection reset") as died:
        run(lockstep, *READ)
    assert died.value.target.name == "mock"


def test_a_target_that_cannot_be_reset_has_died() -> None:
    class Dead(Scripted):
        def reset(self) -> int | None:
            raise TargetDied("UNAVAILABLE")

    with pytest.raises(Died, match="mock: UNAVAILABLE"):
        Lockstep(ModelTarget(SERVER), [Dead("mock")]).start()


# Symbols, revisions and leases of each target's own.


class Elsewhere(Scripted):
    """Its store was used before: its counter stands at 1000, and its lease ids are others."""

    def __init__(self, reports: bool = True) -> None:
        def shifted(_operation: Operation, result: Result) -> Result:
            match result:
                case PutResult():
                    return PutResult(result.revision + 999)
                case RangeResult():
                    kvs = tuple(
                        replace(
                            kv,
                            create_revision=kv.create_revision + 999,
                            mod_revision=kv.mod_revision + 999,
                            lease=kv.lease and 42,
                        )
                        for kv in result.kvs
                    )
                    return replace(result, revision=result.revision + 999, kvs=kvs)
                case LeaseGrantResult():
                    return LeaseGrantResult(result.revision + 999, 42, result.ttl)
                case _:
                    return result

        super().__init__("mock", shifted)
        self._reports = reports
        self._lease = 0

    def reset(self) -> int | None:
        super().reset()
        return 1000 if self._reports else None

    def apply(self, operation: Operation) -> Result:
        self.applied.append(operation)
        result = self._model.apply(self._as_the_models(operation))
        if isinstance(result, LeaseGrantResult):
            self._lease = result.id
        return self._lie(operation, result)

    def _as_the_models(self, operation: Operation) -> Operation:
        if isinstance(operation, Range) and operation.revision:
            return replace(operation, revision=operation.revision - 999)
        if isinstance(operation, Put) and operation.lease == 42:
            return replace(operation, lease=self._lease)
        return operation


@pytest.mark.parametrize("reports", [True, False], ids=["reset reports the revision", "it is read"])
def test_symbols_are_filled_in_for_each_target_in_its_own_terms(reports: bool) -> None:
    mock = Elsewhere(reports)
    lockstep = Lockstep(ModelTarget(SERVER), [mock])
    step = run(
        lockstep,
        LeaseGrant(60),
        Put(b"a", b"1", lease=LeaseOf(1)),
        Put(b"a", b"2"),
        Range(b"a", revision=RevisionAt(2)),
    )
    assert step.divergences == ()
    assert mock.applied[-3:] == [Put(b"a", b"1", lease=42), Put(b"a", b"2"), Range(b"a", revision=1001)]


# What is not applied.


def test_what_would_kill_a_real_server_is_applied_to_nobody() -> None:
    mock = Scripted("mock")
    lockstep = Lockstep(ModelTarget(SERVER), [mock])
    lockstep.start()
    crashing = Txn(success=(DeleteRange(b"a", b"\x00"), Put(b"a", ignore_value=True)))
    with pytest.raises(Skipped, match="kill etcd for good"):
        lockstep.step(crashing)
    assert crashing not in mock.applied
    assert lockstep.steps == 0
    assert lockstep.step(Put(b"a")).divergences == ()


def test_what_one_target_has_no_words_for_is_applied_to_nobody() -> None:
    class Terse(Scripted):
        def can_express(self, operation: Operation) -> bool:
            return not isinstance(operation, LeaseLeases)

    terse, other = Terse("terse"), Scripted("other")
    lockstep = Lockstep(ModelTarget(SERVER), [other, terse])
    lockstep.start()
    with pytest.raises(Skipped, match="terse has no words for it"):
        lockstep.step(LeaseLeases())
    assert LeaseLeases() not in other.applied
    assert lockstep.step(Put(b"a")).divergences == ()
    assert lockstep.steps == 1


# Time.


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that lockstep reads, in its only element."""
    now = [100.0]
    monkeypatch.setattr("etcd_lockstep.comparing.lockstep.time.monotonic", lambda: now[0])
    return now


def test_once_a_lease_may_have_expired_the_sequence_proves_nothing(clock: list[float]) -> None:
    lockstep = Lockstep(ModelTarget(SERVER), [Scripted("mock")])
    run(lockstep, LeaseGrant(60), LeaseGrant(5, id=7), Put(b"a", lease=7))
    clock[0] += 4.9
    assert lockstep.step(Range(b"b")).divergences == ()
    clock[0] += 0.2
    with pytest.raises(Inconclusive):
        lockstep.step(Range(b"b"))


def test_without_leases_no_sequence_is_overtaken(clock: list[float]) -> None:
    lockstep = Lockstep(ModelTarget(SERVER), [Scripted("mock")])
    run(lockstep, Put(b"a"))
    clock[0] += 10_000
    assert lockstep.step(Range(b"b")).divergences == ()


def test_the_leases_of_the_sequence_before_are_forgotten(clock: list[float]) -> None:
    lockstep = Lockstep(ModelTarget(SERVER), [Scripted("mock")])
    run(lockstep, LeaseGrant(5))
    clock[0] += 60
    run(lockstep, Put(b"a"))
    assert lockstep.step(Range(b"b")).divergences == ()


def a_ttl_of(ttl: int) -> Finding:
    def finding(_operation: Operation, result: Result) -> Result:
        return replace(result, ttl=ttl) if isinstance(result, LeaseTimeToLiveResult) else result

    return finding


def test_a_ttl_that_the_time_explains_is_no_divergence_and_one_that_it_does_not_is(clock: list[float]) -> None:
    for ttl, alone in ((59, []), (57, []), (56, ["mock"]), (60, ["mock"])):
        lockstep = Lockstep(ModelTarget(SERVER), [Scripted("mock", a_ttl_of(ttl))])
        run(lockstep, LeaseGrant(60, id=7))
        clock[0] += 2.5
        step = lockstep.step(LeaseTimeToLive(7))
        assert [divergence.odd_one_out for divergence in step.divergences] == alone, ttl


@pytest.mark.parametrize(("release", "models"), [("3.5.16", ["model"]), ("3.4.23", ["model", "model of 3.4.23"])])
def test_a_second_model_runs_only_where_a_target_s_release_behaves_otherwise(
    release: str, models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    apply = ModelTarget.apply

    def noted(model: ModelTarget, operation: Operation) -> Result:
        asked.append(model.name)
        return apply(model, operation)

    etcd = Scripted("etcd")
    etcd.release = release
    lockstep = Lockstep(ModelTarget(SERVER), [etcd])
    lockstep.start()
    monkeypatch.setattr(ModelTarget, "apply", noted)
    lockstep.step(Put(b"a"))
    asked.remove("model")  # Scripted has one of its own
    assert asked == models


def test_the_length_of_a_message_that_is_too_long_is_each_target_s_own() -> None:
    """Its numbers are longer where there were more revisions before."""

    class FarAlong(Scripted):
        def reset(self) -> int | None:
            super().reset()
            for _ in range(200):
                self._model.apply(Put(b"x"))
            self._model.apply(DeleteRange(b"x"))
            return 202

    lockstep = Lockstep(ModelTarget(SERVER), [FarAlong("far along")])
    lockstep.start()
    lockstep.step(Put(b"a"))
    compare = Compare(b"a", CompareTarget.MOD, CompareResult.EQUAL, RevisionAt(1))
    too_long = lockstep.step(Txn((compare,), (Put(b"a", b"1" * MAX_MESSAGE_BYTES),)))
    assert too_long.divergences == ()
    assert "(its length vs. 2097152)" in str(too_long.observations["far along"])
    room = MAX_MESSAGE_BYTES - size_of(Txn((compare,), (Put(b"a", b"1" * 2_000_000),))) + 2_000_000
    with pytest.raises(Skipped, match="too long there"):
        lockstep.step(Txn((compare,), (Put(b"a", b"1" * room),)))


def test_another_length_is_a_lie() -> None:
    def counts_one_more(_operation: Operation, result: Result) -> Result:
        if isinstance(result, Error):
            return replace(result, message=result.message.replace("2097160", "2097161"))
        return result

    lockstep = Lockstep(ModelTarget(SERVER), [Scripted("honest"), Scripted("liar", counts_one_more)])
    lockstep.start()
    (found,) = lockstep.step(Put(b"a", b"1" * MAX_MESSAGE_BYTES)).divergences
    assert found.odd_one_out == "liar"
    assert found.differences == (Difference("error.message", "different"),)
