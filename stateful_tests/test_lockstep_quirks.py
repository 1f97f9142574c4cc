"""The model's table of what differs between versions, and the fake's: two readings that must agree where they meet."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest

import etcd_model.quirks as models
import fake_etcd.quirks as fakes

OTHERWISE_CUT = {
    "auth_status": "auth_status_and_downgrade_exist",
    "downgrade": "auth_status_and_downgrade_exist",
    "leases_and_compaction_guarded": "lease_calls_need_a_user",
}
"""By the model's key: the fake's, where one table has one row for what the other has several for."""

ONLY_THE_MODELS = {
    "version",
    "progress_not_deferred",
    "compaction_hashed_after_finished_one",
    "users_read_from_buffer",
    "read_buffer_has_end",
}
"""What the model needs to say that an outcome is open; the fake has one outcome."""

ONLY_THE_FAKES = {
    "version",
    "alarm_needs_root",
    "compact_needs_root",
    "decoded_by_protobuf",
    # of HTTP
    "health_has_reason",
    "health_excludes_alarms",
    "livez_exists",
    "readyz_refuses_learners",
    "gateway_v2",
    "hash_kv_has_its_own_path",
    # of JSON Web Tokens that the lockstep run draws none of
    "jwt_claims_checked",
    "jwt_issue_ignored",
    "jwt_keys_must_match",
    "jwt_knows_eddsa",
    "jwt_times_are_numbers",
    "move_leader_and_downgrade_need_root",
    "stream_decode_error_has_colon",
}
"""What the model says by another row of the same versions, or has no operation for."""

SAME = {field.name for field in fields(models.Quirks)} - OTHERWISE_CUT.keys() - ONLY_THE_MODELS
"""What has one key in both tables, as every change of etcd's must have that is no exception above."""
SHARED = {**{name: name for name in SAME}, **OTHERWISE_CUT}
"""By the model's key: the fake's."""

VERSIONS = (
    *(f"3.4.{patch}" for patch in range(46)),
    *(f"3.5.{patch}" for patch in range(35)),
    *(f"3.6.{patch}" for patch in range(17)),
    *(f"3.7.{patch}" for patch in range(4)),
    "3.99.0",
)


def test_every_row_of_either_table_is_shared_or_known_to_be_the_fakes_own() -> None:
    assert {field.name for field in fields(models.Quirks)} == {*SHARED.keys(), *ONLY_THE_MODELS}
    assert {field.name for field in fields(fakes.Quirks)} == {*SHARED.values(), *ONLY_THE_FAKES}


@pytest.mark.parametrize("version", VERSIONS)
def test_both_tables_say_the_same_of_a_version(version: str) -> None:
    model, fake = asdict(models.quirks_of(version)), asdict(fakes.quirks_of(version))
    assert {name: model[name] for name in SHARED} == {name: fake[other] for name, other in SHARED.items()}


def test_the_versions_tried_distinguish_every_shared_quirk() -> None:
    for name in SHARED:
        assert {getattr(models.quirks_of(version), name) for version in VERSIONS} == {True, False}
