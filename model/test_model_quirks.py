"""The table of what differs between versions: how it is read, and what may stand in it."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest

from etcd_model.quirks import DEFAULT_VERSION, SINCE, Quirks, parse_version, quirks_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3.5.16", (3, 5, 16)),
        ("v3.5.16", (3, 5, 16)),
        ("3.6", (3, 6, 0)),
        ("3.6.0-rc.4", (3, 6, 0)),
        ("3.7.0-alpha.0+git", (3, 7, 0)),
        ("3.10.2", (3, 10, 2)),
    ],
)
def test_a_version_is_three_numbers_whatever_follows(text: str, number: tuple[int, int, int]) -> None:
    assert parse_version(text) == number


@pytest.mark.parametrize("text", ["", "3", "three", "3.5.x", "3.5.16.1", " 3.5.16", "3.5.16\n", "3.5.16rc1", "-3.5.1"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a version of etcd: expected one like 3\.5\.16"):
        quirks_of(text)


@pytest.mark.parametrize(
    ("quirk", "without", "having"),
    [
        ("sort_options_validated", "3.5.33", "3.6.0"),
        ("sort_options_validated", "3.4.45", "3.6.14"),
        ("txn_checked_in_order", "3.5.33", "3.6.0"),
        ("txn_put_checks_lease_first", "3.6.16", "3.7.0"),
        ("keys_only_omits_lease", "3.6.16", "3.7.0"),
        ("compaction_keeps_tombstones", "3.4.33", "3.4.34"),
        ("compaction_keeps_tombstones", "3.5.15", "3.5.16"),
        ("compaction_keeps_tombstones", "3.5.0", "3.6.0"),
        ("auth_off_ignores_tokens", "3.5.9", "3.5.10"),
        ("authenticate_ignores_tokens", "3.4.27", "3.4.28"),
        ("authenticate_ignores_tokens", "3.4.27", "3.5.0"),
        ("bearer_tokens", "3.6.12", "3.6.13"),
        ("bearer_tokens", "3.4.45", "3.5.32"),
        ("passwords_hashed_first", "3.4.45", "3.5.0"),
        ("long_passwords_refused", "3.5.9", "3.5.10"),
        ("permission_range_validated", "3.5.7", "3.5.8"),
        ("missing_permission_refused", "3.4.24", "3.5.0"),
        ("root_role_shown", "3.5.33", "3.6.0"),
        ("auth_status_open", "3.6.16", "3.7.0"),
        ("nested_txns_guarded", "3.6.8", "3.6.9"),
        ("txn_puts_guarded", "3.5.29", "3.5.30"),
        ("lease_keys_guarded", "3.5.8", "3.5.9"),
        ("leases_and_compaction_guarded", "3.6.8", "3.6.9"),
        ("watch_from_key_guarded", "3.7.0", "3.7.1"),
        ("status_guarded", "3.4.41", "3.6.0"),
        ("status_open_to_users", "3.4.45", "3.6.12"),
        ("alarms_open_to_users", "3.5.28", "3.5.29"),
        ("member_list_guarded", "3.6.9", "3.6.10"),
        ("updated_learners_stay_learners", "3.5.30", "3.5.31"),
        ("unix_peer_urls_need_no_port", "3.4.45", "3.5.13"),
        ("alarm_none_ignored", "3.4.45", "3.5.0"),
        ("alarms_in_layers", "3.5.33", "3.6.0"),
        ("nested_puts_cost", "3.7.0", "3.7.1"),
    ],
)
def test_a_quirk_begins_with_a_release(quirk: str, without: str, having: str) -> None:
    assert not getattr(quirks_of(without), quirk)
    assert getattr(quirks_of(having), quirk)


def test_a_fix_that_was_backported_is_not_in_the_early_releases_of_the_next_line() -> None:
    assert quirks_of("3.4.45").compaction_keeps_tombstones
    assert not quirks_of("3.5.1").compaction_keeps_tombstones


ROWS = [field.name for field in fields(Quirks) if field.name != "version"]


@pytest.mark.parametrize("quirk", ROWS)
def test_releases_to_come_have_every_quirk(quirk: str) -> None:
    assert asdict(quirks_of("3.99.0"))[quirk]
    assert asdict(quirks_of("4.0.0"))[quirk]


@pytest.mark.parametrize("quirk", ROWS)
def test_releases_before_the_table_have_none(quirk: str) -> None:
    assert not asdict(quirks_of("3.3.27"))[quirk]


def test_every_quirk_has_its_row_and_every_row_its_quirk() -> None:
    assert SINCE.keys() == set(ROWS)


def test_a_row_names_a_line_of_releases_once_and_in_order() -> None:
    for quirk, since in SINCE.items():
        numbers = [parse_version(version) for version in since]
        assert numbers == sorted(numbers), quirk
        assert len({number[:2] for number in numbers}) == len(numbers), quirk


def test_the_version_itself_is_reported_without_the_letter_before_it() -> None:
    assert quirks_of("v3.6.0-rc.4").version == "3.6.0-rc.4"
    assert quirks_of("3.5.16").version == "3.5.16"


def test_the_default_version_is_one() -> None:
    assert parse_version(DEFAULT_VERSION) == (3, 5, 16)
