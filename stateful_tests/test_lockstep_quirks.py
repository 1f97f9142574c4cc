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
    "watch_refusal_has_reason": "watch_refusal_has_no_id",
    "watch_negative_start_refused": "watch_refuses_negative_start",
    "progress_only_if_synced": "watch_progress_waits_for_sync",
    "progress_awaits_start": "watch_progress_waits_for_start",
    "hash_of_compact_revision": "hash_at_compacted_revision",
    "hash_kv_reports_revision": "hash_reports_revision",
    "compactions_hashed": "compaction_stores_its_hash",
    "auth_off_ignores_tokens": "tokens_ignored_while_auth_is_off",
    "authenticate_ignores_tokens": "authenticate_ignores_token",
    "bearer_tokens": "bearer_tokens_understood",
    "passwords_hashed_first": "password_hashed_before_raft",
    "long_passwords_refused": "long_password_refused",
    "permission_range_validated": "permission_range_validated",
    "missing_permission_refused": "permission_required_in_grant",
    "root_role_shown": "root_role_shows_its_permission",
    "auth_status": "auth_status_and_downgrade_exist",
    "downgrade": "auth_status_and_downgrade_exist",
    "auth_status_open": "auth_status_for_everybody",
    "nested_txns_guarded": "nested_txns_need_permission",
    "txn_puts_guarded": "txn_puts_need_permission_like_puts",
    "lease_keys_guarded": "lease_keys_need_permission",
    "leases_and_compaction_guarded": "lease_calls_need_a_user",
    "watch_from_key_guarded": "watch_from_key_needs_its_permission",
    "maintenance_errors_mapped": "maintenance_auth_errors_mapped",
    "status_guarded": "status_needs_root",
    "status_open_to_users": "status_needs_only_a_user",
    "alarms_open_to_users": "alarm_get_needs_only_a_user",
    "member_list_guarded": "member_list_needs_a_user",
    "alarm_has_header": "alarm_reports_header",
    "alarm_none_ignored": "alarm_needs_a_type",
    "alarms_in_layers": "alarms_keep_permissions",
    "nested_puts_cost": "nested_puts_count_for_quota",
    "put_free_txns_pass": "put_free_txn_passes_over_quota",
    "storage_version": "status_reports_storage",
    "downgrade_reports_minor": "downgrade_is_answered",
    "alarm_text_trimmed": "alarm_texts_are_trimmed",
}
"""The model's name of a quirk, and the fake's."""

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
    "lock_looks_for_its_key",
    "move_leader_and_downgrade_need_root",
    "range_streams",
}
"""What the model says by another row of the same versions, or has no operation for."""

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


def test_the_versions_tried_report_every_shared_quirk_apart() -> None:
    for name in SHARED:
        assert {getattr(models.quirks_of(version), name) for version in VERSIONS} == {True, False}
