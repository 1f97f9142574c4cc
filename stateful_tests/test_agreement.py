"""The state machine that users subclass: grant, put, txn, get, revoke and the rest are its rules."""

from __future__ import annotations

import doctest
import unittest
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from etcd_lockstep import (
    DivergenceFound,
    LockstepMachine,
    TargetDied,
    api,
    assert_matches_etcd,
    find_divergences,
    replay,
)
from etcd_lockstep.filing.replaying import Outcome
from etcd_lockstep.searching.triage import TargetGone
from etcd_lockstep.servers import RunningEtcd
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.strategies.operation_table import DRAWS
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.trace import LeaseOf, RevisionAt
from etcd_model import Operation, Result
from etcd_model import operations as op

FEW = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate],
    derandomize=True,
)


class AgreementMachine(LockstepMachine):
    """Model and fake, with a rule of its own beside those for etcd's operations: a slot is taken and given back."""

    taken = 0

    @rule(lease=LockstepMachine.leases)
    def take_a_slot(self, lease: LeaseOf) -> None:
        type(self).taken += 1
        absent = op.Compare(b"slot", op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0)
        self.txn(op.Txn((absent,), (op.Put(b"slot", b"run", lease),)))
        self.get(op.Range(b"slot"))
        self.revoke(op.LeaseRevoke(lease))


TestAgreement = AgreementMachine.TestCase


def test_rules_of_a_subclass_run() -> None:
    AgreementMachine.taken = 0
    run_state_machine_as_test(AgreementMachine, settings=FEW)  # type: ignore[no-untyped-call, unused-ignore]  # on Python 3.10
    assert AgreementMachine.taken > 0


@pytest.mark.parametrize("specimen", ["delete-of-missing-bumps", "slot-mock"])
def test_a_finding_fails_the_test_with_its_report(specimen: str) -> None:
    machine = LockstepMachine.for_target(specimen)
    result = unittest.TestResult()
    unittest.TestSuite([machine.TestCase()]).run(result)
    (((_, text),)) = result.failures
    assert f"{specimen} lies: " in text
    assert "▶" in text
    assert "state.start(" in text


def test_a_test_that_failed_fails_again() -> None:
    machine = LockstepMachine.for_target("slot-mock")
    for _ in range(3):
        result = unittest.TestResult()
        unittest.TestSuite([machine.TestCase()]).run(result)
        assert len(result.failures) == 1


def test_a_run_without_a_test_case_fails_again() -> None:
    machine = LockstepMachine.for_target("delete-of-missing-bumps")
    for _ in range(3):
        with pytest.raises(DivergenceFound):
            run_state_machine_as_test(machine, settings=FEW)  # type: ignore[no-untyped-call, unused-ignore]  # on Python 3.10


def test_accepted_findings_do_not_fail_the_test() -> None:
    name = "delete-of-missing-bumps"
    accepted = find_divergences(name, etcd="none", examples=60, seed=1)
    assert accepted
    machine = LockstepMachine.for_target(name, allow=accepted)
    for number in range(2):
        run_state_machine_as_test(seed(number)(machine), settings=FEW)  # type: ignore[no-untyped-call, unused-ignore]  # on Python 3.10


class SlotKeeper(LockstepMachine):
    """Keeps symbols of its own, also where an accepted divergence began another sequence."""

    target = "delete-of-missing-bumps"
    applied = 0

    def begin(self) -> None:
        self.kept: list[LeaseOf] = getattr(self, "kept", [])
        super().begin()

    @rule()
    def keep_a_slot(self) -> None:
        lease = self.grant(op.LeaseGrant(60))
        assert lease is not None
        self.kept.append(lease)
        self.apply(op.DeleteRange(b"nothing"))
        for one in self.kept:
            self.put(op.Put(b"kept", b"", one))
        self.get(op.Range(b"kept", revision=RevisionAt(40)))
        type(self).applied += 1


def test_symbols_of_an_earlier_sequence_name_nothing_in_the_next() -> None:
    SlotKeeper.allow = find_divergences(SlotKeeper.target, etcd="none", examples=60, seed=1)
    run_state_machine_as_test(SlotKeeper, settings=FEW)  # type: ignore[no-untyped-call, unused-ignore]  # on Python 3.10
    assert SlotKeeper.applied > 0


class GoneForGood(Specimen):
    """A target that dies of its first delete, and can't be brought back."""

    name = "gone"

    def reset(self) -> int:
        if getattr(self, "dead", False):
            raise TargetDied("still dead")
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, op.DeleteRange):
            self.dead = True
            raise TargetDied("oh no")
        return super().apply(operation)


def test_a_target_that_is_gone_ends_the_test_with_what_it_died_of() -> None:
    with pytest.raises(TargetGone, match="gone dies of a delete_range"):
        run_state_machine_as_test(LockstepMachine.for_target(GoneForGood), settings=FEW)  # type: ignore[no-untyped-call, unused-ignore]  # on Python 3.10


def test_a_real_etcd_takes_part(real_etcd: RunningEtcd) -> None:
    with closing(EtcdTarget(real_etcd)) as target:
        target.reset()  # what other tests of this process have left there
    machine = LockstepMachine.for_target("delete-of-missing-bumps", etcd=f"endpoint:{real_etcd.address}")
    with pytest.raises(DivergenceFound, match=r"model, fake, etcd +delete-of-missing-bumps"):
        run_state_machine_as_test(machine, settings=FEW)  # type: ignore[no-untyped-call, unused-ignore]  # on Python 3.10


def test_a_workload_that_waits_or_is_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="no workload of LockstepMachine is called 'wait': there are store, auth"):
        LockstepMachine.for_target("slot-mock", workload="wait")


def test_leases_expire_in_the_workload_time() -> None:
    with pytest.raises(DivergenceFound, match="advance"):
        run_state_machine_as_test(LockstepMachine.for_target("lease-never-expires", workload="time"), settings=FEW)  # type: ignore[no-untyped-call, unused-ignore]  # on Python 3.10


def test_there_is_a_rule_for_every_operation() -> None:
    rules = {getattr(member, "operation", None) for member in vars(LockstepMachine).values()}
    assert rules - {None} == DRAWS.keys()


def test_corpus_files_are_replayed() -> None:
    corpus = Path(__file__).parent / "corpus"
    file = next(corpus.glob("slot-mock-range-kvs-missing-*.json"))
    assert [one.outcome for one in replay([file], etcd="none")] == [Outcome.FIXED]
    assert [one.outcome for one in replay([file], "slot-mock", etcd="none")] == [Outcome.STILL_LIES]


def test_the_report_is_the_text_of_the_assertion() -> None:
    with pytest.raises(DivergenceFound, match="delete-of-missing-bumps lies: delete_range: revision too high"):
        run_state_machine_as_test(LockstepMachine.for_target("delete-of-missing-bumps"), settings=FEW)  # type: ignore[no-untyped-call, unused-ignore]  # on Python 3.10


def test_findings_that_are_not_allowed_fail_an_assertion() -> None:
    with pytest.raises(AssertionError, match="count-only-returns-kvs lies"):
        assert_matches_etcd("count-only-returns-kvs", etcd="none", examples=40, families=["kv"], seed=1)


def test_the_examples_of_the_api() -> None:
    assert doctest.testmod(api).failed == 0
