"""The state machine that users subclass: grant, put, txn, get, revoke and the rest are its rules."""

from __future__ import annotations

import doctest
import unittest

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from etcd_lockstep import DivergenceFound, LockstepMachine, api, assert_matches_etcd
from etcd_lockstep.trace import LeaseOf
from etcd_model import operations as op

FEW = settings(
    max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None, phases=[Phase.generate]
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


def test_the_report_is_the_text_of_the_assertion() -> None:
    with pytest.raises(DivergenceFound, match="delete-of-missing-bumps lies: delete_range: revision too high"):
        run_state_machine_as_test(LockstepMachine.for_target("delete-of-missing-bumps"), settings=FEW)  # type: ignore[no-untyped-call, unused-ignore]  # on Python 3.10


def test_findings_that_are_not_allowed_fail_an_assertion() -> None:
    with pytest.raises(AssertionError, match="count-only-returns-kvs lies"):
        assert_matches_etcd("count-only-returns-kvs", etcd="none", examples=40, families=["kv"], seed=1)


def test_the_examples_of_the_api() -> None:
    assert doctest.testmod(api).failed == 0
