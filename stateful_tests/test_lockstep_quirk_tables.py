"""The tables of quirks of the model and of the fake: two readings of etcd, which call the same change by the same key."""

from __future__ import annotations

from etcd_model import quirks as model
from fake_etcd import quirks as fake

MODEL_ALONE = {
    "auth_status": "the fake has auth_status_and_downgrade_exist for both methods, which came together",
    "compaction_hashed_after_finished_one": "it only says which hashes are nondeterministic",
    "downgrade": "see auth_status",
    "downgrade_reports_minor": "it only says what is nondeterministic; of a version that is refused the fake knows more",
    "leases_and_compaction_guarded": "the fake has a key for each of the calls that were guarded in that change",
    "progress_not_deferred": "it only says what is nondeterministic",
    "read_buffer_has_end": "it only says what is nondeterministic",
    "users_read_from_buffer": "it only says what is nondeterministic",
}
FAKE_ALONE = {
    "alarm_needs_root": "see leases_and_compaction_guarded of the model",
    "auth_status_and_downgrade_exist": "see auth_status of the model",
    "compact_needs_root": "see leases_and_compaction_guarded of the model",
    "downgrade_is_answered": "the model reads it off downgrade_reports_minor",
    "lease_calls_need_a_user": "see leases_and_compaction_guarded of the model",
    "lock_looks_for_its_key": "what it changes is seen between two requests that wait, and the model has one at a time",
    "move_leader_and_downgrade_need_root": "the model has status_guarded for them, which came in the same releases",
    "range_streams": "RangeStream is no operation of the model: it answers as Range does",
}


def test_a_change_of_etcd_has_one_key_and_the_same_releases_in_both_tables() -> None:
    model_rows, fake_rows = model.SINCE, fake._FIRST_RELEASE
    common = model_rows.keys() & fake_rows.keys()
    assert {key: model_rows[key] for key in common} == {key: fake_rows[key] for key in common}
    assert len(common) > 30


def test_what_one_table_has_alone_has_a_reason() -> None:
    assert model.SINCE.keys() - fake._FIRST_RELEASE.keys() == MODEL_ALONE.keys()
    assert fake._FIRST_RELEASE.keys() - model.SINCE.keys() == FAKE_ALONE.keys()
