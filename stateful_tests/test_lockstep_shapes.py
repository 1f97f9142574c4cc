"""Transactions in the shapes of real clients: stores that take no others are searched too."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from etcd_lockstep import find_divergences
from etcd_lockstep.catalogue import UnknownTarget
from etcd_lockstep.comparing.lockstep import Lockstep, Skipped
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.strategies import kv
from etcd_lockstep.strategies.choices import BYTES, ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.strategies.operation_table import Draw
from etcd_lockstep.strategies.shapes import CLIENT_TXNS, client_txn, like
from etcd_lockstep.targets.model import ModelTarget
from etcd_model import Server
from etcd_model import operations as op
from etcd_model.results import DeleteRangeResult, Result, TxnResult


def form(operation: op.Operation) -> object:
    """A txn without what is filled in."""
    if isinstance(operation, op.Txn):
        compares = [(compare.target, compare.result, bool(compare.operand)) for compare in operation.compare]
        return compares, [form(one) for one in operation.success], [form(one) for one in operation.failure]
    if isinstance(operation, op.Put):
        return replace(operation, key=b"", value=b"", lease=0)
    assert isinstance(operation, op.Range | op.DeleteRange)
    return replace(operation, key=b"", range_end=b"")


@pytest.mark.parametrize("shape", CLIENT_TXNS, ids=range(len(CLIENT_TXNS)))
def test_what_is_drawn_has_the_form_of_the_example(shape: op.Txn) -> None:
    dice = random.Random(1)
    for _ in range(50):
        state = GeneratorState(invalid_inputs=False)
        state.follow(op.LeaseGrant(60))
        state.follow(op.Put(b"a", b"1"))
        drawn = like(shape, ChoiceDecoder(dice.randbytes(BYTES)), state)
        assert isinstance(drawn, op.Txn)
        assert form(drawn)[1:] == form(shape)[1:]  # type: ignore[index]  # that of a txn is a tuple
        keys = [compare.key for compare in drawn.compare] + [one.key for one in (*drawn.success, *drawn.failure)]  # type: ignore[union-attr]  # none is nested
        examples = [compare.key for compare in shape.compare] + [one.key for one in (*shape.success, *shape.failure)]  # type: ignore[union-attr]  # as above
        assert len(set(zip(keys, examples, strict=True))) == len(set(examples))


def test_guards_hold_often_and_fail_often() -> None:
    dice, outcomes = random.Random(1), Counter[str]()
    for _ in range(150):
        state, lockstep = GeneratorState(invalid_inputs=False), Lockstep(ModelTarget(Server()), [])
        lockstep.start()
        for _ in range(12):
            choices = ChoiceDecoder(dice.randbytes(BYTES))
            draws: tuple[Draw, ...] = (client_txn, client_txn, kv.put_value)
            operation = choices.pick(draws)(choices, state)
            try:
                result = lockstep.step(operation).observations["model"]
            except Skipped:
                continue
            state.follow(operation)
            if isinstance(result, TxnResult) and isinstance(operation, op.Txn):
                outcomes["held" if result.succeeded else "failed"] += 1
                if any(isinstance(one, DeleteRangeResult) and one.deleted for one in result.responses):
                    outcomes["deleted"] += 1
    assert min(outcomes["held"], outcomes["failed"]) > 0.25 * outcomes.total()
    assert outcomes["deleted"] > 0.05 * outcomes.total()


class OnlyKubernetes(Specimen):
    """Takes the transactions of Kubernetes' storage alone, and forgets to delete what is there."""

    name = "only-kubernetes"
    capabilities = frozenset({"range", "txn"})

    def can_express(self, operation: op.Operation) -> bool:
        if isinstance(operation, op.Range):
            return operation == op.Range(operation.key)
        return any(form(operation) == form(shape) for shape in CLIENT_TXNS[:4])

    def apply(self, operation: op.Operation) -> Result:
        if isinstance(operation, op.Txn) and any(isinstance(one, op.DeleteRange) for one in operation.success):
            read = super().apply(op.Txn(operation.compare, (), operation.failure))
            if isinstance(read, TxnResult) and read.succeeded:
                return replace(read, responses=(DeleteRangeResult(read.revision, 1),))
            return read
        return super().apply(operation)


def test_a_store_that_takes_a_few_shapes_only_is_searched() -> None:
    findings = find_divergences(OnlyKubernetes, etcd="none", examples=300, seed=1, families=["kv", "txn"])
    assert findings
    for finding in findings:
        create, delete = finding.trace[:2]
        assert isinstance(create, op.Txn)
        assert isinstance(delete, op.Txn)
        assert [type(one) for one in (*create.success, *delete.success)] == [op.Put, op.DeleteRange]


SWAP = op.Txn(
    (op.Compare(b"k", op.CompareTarget.VALUE, op.CompareResult.EQUAL, b"v"),), (op.Put(b"k", b"w"),), (op.Range(b"k"),)
)


class OnlySwaps(Specimen):
    """Takes puts, reads, and one form of txn, in which it forgets the value."""

    name = "only-swaps"
    capabilities = frozenset({"range", "put", "txn"})
    txns = (SWAP,)

    def can_express(self, operation: op.Operation) -> bool:
        return not isinstance(operation, op.Txn) or form(operation) == form(SWAP)

    def apply(self, operation: op.Operation) -> Result:
        if isinstance(operation, op.Txn):
            (put,) = operation.success
            assert isinstance(put, op.Put)
            operation = replace(operation, success=(replace(put, value=b""),))
        return super().apply(operation)


def test_a_target_gives_examples_of_the_txns_that_it_takes() -> None:
    findings = find_divergences(OnlySwaps, etcd="none", examples=30, seed=1, families=["kv", "txn"])
    assert [finding.signature.field for finding in findings] == ["kvs.value"]


def test_examples_that_are_no_txns_are_refused() -> None:
    class Odd(OnlySwaps):
        txns = (op.Put(b"a"),)  # type: ignore[assignment]  # which is the point

    with pytest.raises(UnknownTarget, match="should be operations of the class Txn"):
        find_divergences(Odd, etcd="none", examples=1)
