"""Errors that no step of a run met, and why: what a release can't answer at all, and what it answers too rarely.

What a release can answer is what the transcripts say of it, which every release is asked. A test holds the table
against them, so that a reason that is none any more fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from etcd_lockstep.names import name_of
from etcd_lockstep.searching.coverage import ERRORS
from etcd_lockstep.transcripts import FRESH, TRANSCRIPTS, said
from etcd_model import errors, quirks_of
from etcd_model.errors import Error


@dataclass(frozen=True, slots=True)
class NotGiven:
    """Why some releases don't answer an error: those without one quirk, or those with another."""

    error: Error
    reason: str
    without: str = ""
    having: str = ""

    def holds_for(self, version: str) -> bool:
        quirks = quirks_of(version)
        lacks = bool(self.without) and not getattr(quirks, self.without)
        return lacks or (bool(self.having) and bool(getattr(quirks, self.having)))


_NO_STREAMS = "it has no RangeStream"
_NO_DOWNGRADE = "it has no Downgrade"

NOT_GIVEN = (
    NotGiven(errors.CUSTOM_SORT_STREAMED, _NO_STREAMS, without="range_streams"),
    NotGiven(errors.REVISION_FILTERS_STREAMED, _NO_STREAMS, without="range_streams"),
    NotGiven(errors.WRONG_DOWNGRADE_VERSION_FORMAT, _NO_DOWNGRADE, without="downgrade"),
    NotGiven(errors.INVALID_DOWNGRADE_TARGET_VERSION, _NO_DOWNGRADE, without="downgrade"),
    NotGiven(errors.UNKNOWN_METHOD, _NO_DOWNGRADE, without="downgrade"),
    NotGiven(errors.NO_INFLIGHT_DOWNGRADE, _NO_DOWNGRADE, without="downgrade"),
    NotGiven(errors.NO_INFLIGHT_DOWNGRADE, "it cancels a downgrade that is none", having="downgrade_reports_minor"),
    NotGiven(errors.PASSWORD_TOO_LONG, "it cuts long passwords", without="long_passwords_refused"),
    NotGiven(errors.INVALID_SORT_OPTION, "it sorts by key instead", without="sort_options_validated"),
    NotGiven(errors.PERMISSION_NOT_GIVEN, "such a request kills it", without="missing_permission_refused"),
    NotGiven(
        errors.UNHEALTHY,
        "it takes a second voting member, which only an updated learner of older releases becomes",
        having="updated_learners_stay_learners",
    ),
    NotGiven(errors.AUTH_OLD_REVISION, "it says so with another code", without="old_auth_revision_mapped"),
    NotGiven(errors.AUTH_OLD_REVISION_UNMAPPED, "it has a code for that", having="old_auth_revision_mapped"),
    NotGiven(errors.SESSION_EXPIRED, "it doesn't look whether the key is there", without="lock_looks_for_its_key"),
)
"""Of the errors that the model has by name, those that not every release answers."""

OF_JSON_WEB_TOKENS = frozenset({errors.AUTH_OLD_REVISION.message, errors.AUTH_OLD_REVISION_UNMAPPED.message})
"""Only a server with such tokens answers these: the workload `jwt` has one, and the transcripts have none."""

RARE = "drawn too rarely for a run of this length"
NOT_DRAWN = {
    "grpc: received message larger than max": "the text has the length of the request, which is drawn: another was met",
    "unknown method": "another method that this version lacks was met",
}
"""By how a message begins: why a run need not meet it, other than that it is drawn rarely."""


def reason_not_given(message: str, version: str) -> str:
    """Why a version doesn't answer with this error; empty where it may."""
    return next((one.reason for one in NOT_GIVEN if one.error.message == message and one.holds_for(version)), "")


def given(version: str) -> set[tuple[str, str]]:
    """The pairs of operation and error that the transcripts have of a version."""
    quirks = quirks_of(version)
    return {
        (name_of(operation), answered.message)
        for transcript in (*TRANSCRIPTS, *FRESH)
        if transcript.holds_for(quirks)
        for operation, answer in transcript.steps
        if isinstance(answered := said(answer, quirks), Error)
    }


def unmet(version: str, answers: Mapping[tuple[str, str], int]) -> Iterator[tuple[str, str]]:
    """What no step met, and the reason: errors that the version doesn't answer, then pairs of an operation and an error
    that it does."""
    for message in sorted(ERRORS):
        reason = reason_not_given(message, version)
        if reason:
            yield message, reason
        elif message in OF_JSON_WEB_TOKENS and not any(message == met for _operation, met in answers):
            yield message, "it takes a server with JSON Web Tokens"
    for operation, message in sorted(given(version) - answers.keys()):
        yield f"{operation}: {message}", _why_rare(message)


def _why_rare(message: str) -> str:
    return next((reason for begins, reason in NOT_DRAWN.items() if message.startswith(begins)), RARE)


def contradictions(version: str, answers: Mapping[tuple[str, str], int]) -> list[str]:
    """The errors that a run has met on a version of which the table says that it doesn't answer them."""
    met = {message for _operation, message in answers}
    return sorted(message for message in met if reason_not_given(message, version))
