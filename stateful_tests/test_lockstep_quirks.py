"""The model's table of what differs between versions, and the fake's: two readings that must agree where they meet."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest

import etcd_model.quirks as models
import fake_etcd.quirks as fakes

SHARED = {
    "sort_options_validated": "sort_options_validated",
    "txn_checked_in_order": "txn_checked_in_op_order",
    "txn_put_checks_lease_first": "txn_put_checks_lease_first",
    "keys_only_leaves_out_lease": "keys_only_omits_lease",
    "compaction_keeps_tombstones": "compaction_keeps_its_tombstones",
}
"""The model's name of a quirk, and the fake's."""

ONLY_THE_FAKES = {"version", "status_tells_storage"}
"""What the model has no use for: it answers no Maintenance call."""

VERSIONS = (
    *(f"3.4.{patch}" for patch in (0, 23, 33, 34, 45)),
    *(f"3.5.{patch}" for patch in (0, 1, 15, 16, 30, 33)),
    *(f"3.6.{patch}" for patch in (0, 14, 16)),
    *(f"3.7.{patch}" for patch in (0, 3)),
    "3.99.0",
)


def test_every_row_of_either_table_is_shared_or_known_to_be_the_fakes_own() -> None:
    assert {field.name for field in fields(models.Quirks)} == SHARED.keys()
    assert {field.name for field in fields(fakes.Quirks)} == {*SHARED.values(), *ONLY_THE_FAKES}


@pytest.mark.parametrize("version", VERSIONS)
def test_both_tables_say_the_same_of_a_version(version: str) -> None:
    model, fake = asdict(models.quirks_of(version)), asdict(fakes.quirks_of(version))
    assert {name: model[name] for name in SHARED} == {name: fake[other] for name, other in SHARED.items()}


def test_the_versions_tried_tell_every_shared_quirk_apart() -> None:
    for name in SHARED:
        assert {getattr(models.quirks_of(version), name) for version in VERSIONS} == {True, False}
