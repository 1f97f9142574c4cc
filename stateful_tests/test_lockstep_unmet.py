"""The reasons why a run of a version meets no step with some error: none of them is out of date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from etcd_lockstep.pages.unmet import (
    NOT_GIVEN,
    OF_JSON_WEB_TOKENS,
    RARE,
    contradictions,
    given,
    reason_not_given,
    unmet,
)
from etcd_lockstep.searching.coverage import ERRORS, Coverage
from etcd_model.errors import INVALID_SORT_OPTION, KEY_NOT_FOUND
from etcd_model.operations import Put, Range

PAGE = Path(__file__).parents[1] / "docs" / "fidelity.md"
VERSIONS = ("3.4.23", "3.4.34", "3.5.1", "3.5.16", "3.5.30", "3.5.33", "3.6.16", "3.7.3")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_answers_just_those_errors_of_which_the_table_does_not_say_that_it_does_not(version: str) -> None:
    answered = {message for _operation, message in given(version)}
    not_given = {message for message in ERRORS if reason_not_given(message, version)}
    assert not_given == ERRORS - answered - (OF_JSON_WEB_TOKENS - not_given)


def test_every_row_of_the_table_is_about_some_version_and_not_about_every_one() -> None:
    for row in NOT_GIVEN:
        held = {version for version in VERSIONS if row.holds_for(version)}
        assert held, row
        assert held != set(VERSIONS) or row.error.message in {
            other.error.message for other in NOT_GIVEN if other is not row
        }, row


def test_what_was_met_is_listed_no_more() -> None:
    coverage = Coverage()
    before = dict(unmet("3.5.16", coverage.answers))
    assert before["put: etcdserver: key not found"] == RARE
    assert before["etcdserver: invalid sort option"] == "it sorts by key instead"
    coverage.agreed(Put(b"a", ignore_value=True), KEY_NOT_FOUND)
    assert "put: etcdserver: key not found" not in dict(unmet("3.5.16", coverage.answers))
    assert contradictions("3.5.16", coverage.answers) == []


def test_a_reason_that_a_run_contradicts_is_reported() -> None:
    coverage = Coverage()
    coverage.agreed(Range(b"a", sort_order=3), INVALID_SORT_OPTION)
    assert contradictions("3.5.16", coverage.answers) == ["etcdserver: invalid sort option"]
    assert contradictions("3.6.16", coverage.answers) == []


def test_the_page_has_a_reason_of_the_table_for_each_error_that_a_version_does_not_answer() -> None:
    text = PAGE.read_text(encoding="utf-8")
    measured = re.findall(r"^- etcd (\S+): [0-9,]+ steps", text, re.MULTILINE)
    rows = re.findall(
        r"^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+?) \|$", text.split("## Errors that were not met")[1], re.MULTILINE
    )
    assert measured
    for version in measured:
        listed = {error: reason for of, error, reason in rows if of == version}
        assert listed
        always = ERRORS - OF_JSON_WEB_TOKENS
        assert {error: reason for error, reason in listed.items() if error in always} == {
            message: reason for message in always if (reason := reason_not_given(message, version))
        }
