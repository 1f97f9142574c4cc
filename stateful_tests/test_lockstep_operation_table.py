"""The table of operations that generators and shrinker read."""

from __future__ import annotations

import pytest

from etcd_lockstep.names import OPERATION_NAMED, operation_name
from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.strategies.operation_table import DRAWS, FAMILIES, TABLE, Row, place, reads_only, simpler
from etcd_lockstep.targets.model import ModelTarget
from etcd_model import operations as op


def test_the_table_has_one_row_for_every_operation_but_a_token() -> None:
    assert sorted(operation_name(row.operation) for row in TABLE) == sorted(OPERATION_NAMED.keys() - {"as"})
    assert DRAWS.keys() == OPERATION_NAMED.keys() - {"as"}


def test_every_family_of_a_row_has_a_name_that_options_take() -> None:
    assert {row.family for row in TABLE} == FAMILIES.keys()
    assert sum(len(names) for names in FAMILIES.values()) == len(TABLE)


def test_an_operation_with_a_token_is_what_it_is_without() -> None:
    for operation in (op.Put(b"k", b"v", prev_kv=True), op.Range(b"k")):
        sent = op.As("token", operation)
        assert place(sent) == place(operation)
        assert reads_only(sent) == reads_only(operation)
        assert list(simpler(sent)) == [operation, *(op.As("token", one) for one in simpler(operation))]


@pytest.mark.parametrize("row", [row for row in TABLE if row.reads_only], ids=lambda row: operation_name(row.operation))
def test_what_only_reads_leaves_the_store_as_it_was(row: Row[op.Operation], model: ModelTarget) -> None:
    somebody_leads = GeneratorState()
    somebody_leads.follow(op.LeaseGrant(60, 7))
    somebody_leads.follow(op.Campaign(b"a", 7))
    drawn = row.draw(ChoiceDecoder(b""), somebody_leads)
    assert isinstance(drawn, row.operation)
    model.apply(op.Put(b"a", b"1"))
    before = model.state
    model.apply(drawn)
    assert model.state == before
