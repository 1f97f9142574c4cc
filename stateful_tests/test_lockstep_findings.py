"""Lies: how one is distinguished from another, and when a divergence is one that is known."""

from __future__ import annotations

import pytest

from etcd_lockstep.comparing.comparison import Difference
from etcd_lockstep.searching.findings import Finding, Signature, features, pattern, signature
from etcd_lockstep.searching.known import KnownFinding
from etcd_lockstep.trace import UNKNOWN_TOKEN, LeaseOf, RevisionAt, TokenOf, Trace
from etcd_model import operations as op

EQUAL = op.CompareResult.EQUAL
EXTRA_KEY = Signature("mock", "range", "kvs", "unexpected")


# Symptoms.


def test_a_symptom_names_target_operation_field_and_kind() -> None:
    found = signature("mock", op.LeaseGrant(60), Difference("ttl", "too low"))
    assert found == Signature("mock", "lease_grant", "ttl", "too low")
    assert str(found) == "lease_grant ttl too low"


@pytest.mark.parametrize("field", ["revision", "responses.revision"])
def test_a_header_that_is_never_filled_is_one_symptom_of_every_operation(field: str) -> None:
    reported = {
        signature("mock", operation, Difference(field, "missing"))
        for operation in (op.Put(b"a"), op.Range(b"a"), op.Txn())
    }
    assert reported == {Signature("mock", "*", "header.revision", "missing")}


@pytest.mark.parametrize("field", ["kvs.lease", "prev_kv.lease", "responses.kvs.lease"])
def test_a_field_of_a_key_value_that_is_never_filled_is_one_symptom(field: str) -> None:
    assert signature("mock", op.Range(b"a"), Difference(field, "missing")) == Signature(
        "mock", "*", "kv.lease", "missing"
    )


def test_a_field_that_is_filled_wrongly_is_the_operations_own_symptom() -> None:
    assert signature("mock", op.Put(b"a"), Difference("revision", "too low")).operation == "put"
    assert signature("mock", op.Range(b"a"), Difference("kvs.lease", "different")).operation == "range"
    assert signature("mock", op.Range(b"a"), Difference("kvs.value", "missing")).operation == "range"


@pytest.mark.parametrize("field", ["watches.kv.lease", "kv.lease"])
def test_a_field_of_a_key_value_that_is_never_filled_is_one_symptom_in_an_event_too(field: str) -> None:
    assert signature("mock", op.WatchRead(), Difference(field, "missing")) == Signature(
        "mock", "*", "kv.lease", "missing"
    )


def test_a_field_of_something_else_that_is_called_like_one_of_a_key_value_is_the_operations_own() -> None:
    found = signature("mock", op.Campaign(b"e"), Difference("leader.lease", "missing"))
    assert found == Signature("mock", "campaign", "leader.lease", "missing")


def test_a_request_with_a_token_has_the_symptom_of_the_request() -> None:
    found = signature("mock", op.As(TokenOf(1), op.Put(b"a")), Difference("error", "accepted (no)"))
    assert found == Signature("mock", "put", "error", "accepted (no)")
    assert found.stands_alone


# Features and patterns.


@pytest.mark.parametrize(
    ("operation", "simpler"),
    [
        (op.Range(b"a", limit=1), op.Range(b"a")),
        (op.Range(b"a", b"z"), op.Range(b"a")),
        (op.Range(b"a", b"\x00"), op.Range(b"a")),
        (op.Range(b"a", revision=RevisionAt(1)), op.Range(b"a")),
        (op.Put(b"a", prev_kv=True), op.Put(b"a")),
        (op.DeleteRange(b"a", prev_kv=True), op.DeleteRange(b"a")),
        (op.LeaseGrant(60, id=7), op.LeaseGrant(60)),
        (op.Txn(success=(op.Put(b"a"),)), op.Txn()),
        (op.Txn(success=(op.Put(b"a", prev_kv=True),)), op.Txn(success=(op.Put(b"a"),))),
        (op.Txn((op.Compare(b"a", op.CompareTarget.MOD, EQUAL, 0),)), op.Txn()),
        (op.Txn(success=(op.Txn(success=(op.Put(b"a"),)),)), op.Txn(success=(op.Txn(),))),
        (op.As(TokenOf(1), op.Put(b"a")), op.Put(b"a")),
        (op.As(UNKNOWN_TOKEN, op.Put(b"a")), op.Put(b"a")),
        (op.As(TokenOf(1), op.Put(b"a", prev_kv=True)), op.As(TokenOf(1), op.Put(b"a"))),
        (op.WatchCreate(b"a", b"z"), op.WatchCreate(b"a")),
        (op.WatchCreate(b"a", start_revision=RevisionAt(1)), op.WatchCreate(b"a")),
        (op.WatchCreate(b"a", filters=(op.FilterType.NOPUT,)), op.WatchCreate(b"a")),
        (op.WatchCreate(b"a", watch_id=3), op.WatchCreate(b"a")),
        (op.UserAdd("u", no_password=True), op.UserAdd("u")),
        (op.RoleGrantPermission("r", op.Permission(0, b"a")), op.RoleGrantPermission("r")),
        (
            op.RoleGrantPermission("r", op.Permission(0, b"a", b"z")),
            op.RoleGrantPermission("r", op.Permission(0, b"a")),
        ),
        (op.RoleRevokePermission("r", b"a", b"z"), op.RoleRevokePermission("r", b"a")),
        (op.HashKV(RevisionAt(1)), op.HashKV()),
        (op.Lock(b"a", 7), op.Lock(b"a")),
    ],
    ids=str,
)
def test_an_option_is_a_feature_more(operation: op.Operation, simpler: op.Operation) -> None:
    assert features(simpler) < features(operation)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (op.Put(b"a", b"1"), op.Put(b"b", b"2")),
        (op.LeaseGrant(60), op.LeaseGrant(5)),
        (op.Range(b"a", limit=1), op.Range(b"b", limit=9)),
        (op.Put(b"a", lease=LeaseOf(1)), op.Put(b"a", lease=LeaseOf(2))),
        (op.As(TokenOf(1), op.Put(b"a")), op.As(TokenOf(2), op.Put(b"b"))),
        (op.As("x", op.Put(b"a")), op.As("", op.Put(b"a"))),
        (op.Advance(1), op.Advance(9)),
        (op.WatchCreate(b"a"), op.WatchCreate(b"b", stream=3)),
        (op.WatchRead(), op.WatchRead(3)),
        (op.WatchCancel(0), op.WatchCancel(3)),
        (op.UserAdd("u", "p"), op.UserAdd("v", "q")),
        (op.MemberRemove(1), op.MemberRemove(2)),
        (op.RoleGrantPermission("r", op.Permission(0, b"a")), op.RoleGrantPermission("s", op.Permission(0, b"b"))),
    ],
    ids=str,
)
def test_keys_plain_values_and_numbers_are_no_features(one: op.Operation, other: op.Operation) -> None:
    assert features(one) == features(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (op.WatchCreate(b"a", filters=(op.FilterType.NOPUT,)), op.WatchCreate(b"a", filters=(op.FilterType.NODELETE,))),
        (
            op.RoleGrantPermission("r", op.Permission(op.PermissionType.READ, b"a")),
            op.RoleGrantPermission("r", op.Permission(op.PermissionType.WRITE, b"a")),
        ),
        (
            op.Alarm(op.AlarmAction.ACTIVATE, alarm=op.AlarmType.NOSPACE),
            op.Alarm(op.AlarmAction.ACTIVATE, alarm=op.AlarmType.CORRUPT),
        ),
        (op.Alarm(op.AlarmAction.GET), op.Alarm(op.AlarmAction.DEACTIVATE)),
        (op.As(TokenOf(1), op.Put(b"a")), op.As(UNKNOWN_TOKEN, op.Put(b"a"))),
        (op.WatchCreate(b"a", filters=(7,)), op.WatchCreate(b"a", filters=(8,))),
        (op.Put(b"a", b"1" * 65), op.Put(b"a", b"\xff")),
        (op.Put(b"a", b"10"), op.Put(b"a", b"1 ")),
        (op.Campaign(b"a", value=b"10"), op.Campaign(b"a", value=b"\xff")),
    ],
    ids=str,
)
def test_options_that_say_something_else_are_other_features(one: op.Operation, other: op.Operation) -> None:
    assert not features(one) <= features(other)
    assert not features(other) <= features(one)


def test_a_put_without_a_lease_is_not_one_with_a_lease_less() -> None:
    assert not features(op.Put(b"a")) <= features(op.Put(b"a", lease=7))
    assert not features(op.Put(b"a", lease=7)) <= features(op.Put(b"a"))


def test_the_branch_in_which_an_operation_stands_is_a_feature() -> None:
    assert features(op.Txn(success=(op.Put(b"a"),))) != features(op.Txn(failure=(op.Put(b"a"),)))


def test_a_pattern_reports_operations_and_options_and_nothing_else() -> None:
    one = (op.LeaseGrant(60), op.Put(b"a", b"1", lease=LeaseOf(1)), op.Range(b"a", limit=1))
    other = (op.LeaseGrant(5), op.Put(b"k", b"2", lease=LeaseOf(1)), op.Range(b"k", limit=9))
    assert pattern(one) == pattern(other)
    assert str(pattern(one)) == "lease_grant, put(lease), range(limit)"
    assert pattern(one) != pattern(one[1:])
    assert pattern(one) != pattern((*one[:2], op.Range(b"a")))


def test_a_pattern_reports_which_requests_had_a_token() -> None:
    trace: Trace = (
        op.Authenticate("u", "p"),
        op.As(TokenOf(1), op.Put(b"a", lease=7)),
        op.As("x", op.Range(b"a")),
        op.WatchRead(),
    )
    assert str(pattern(trace)) == "authenticate, put(lease token), range(unknown_token), watch_read"


def test_a_fingerprint_is_the_symptom_and_the_pattern() -> None:
    trace = (op.Put(b"a"), op.Range(b"b"))
    finding = KnownFinding(EXTRA_KEY, trace)
    assert finding.fingerprint == "range kvs unexpected after put, range"
    assert finding.fingerprint == KnownFinding(EXTRA_KEY, (op.Put(b"x", b"9"), op.Range(b"y"))).fingerprint
    assert finding.fingerprint != KnownFinding(EXTRA_KEY, (op.Put(b"a"), op.Range(b"b", b"z"))).fingerprint


@pytest.mark.parametrize(
    ("target", "etcd", "about"),
    [("etcd 3.6.16", "3.5.30", True), ("fake", "3.5.30", False), ("etcd 3.6.16", "", False), ("mock", "", False)],
)
def test_a_finding_is_about_an_etcd_where_one_is_compared_with_another(target: str, etcd: str, about: bool) -> None:
    finding = Finding(Signature(target, "range", "kvs", "missing"), (op.Range(b"a"),), {}, (), etcd=etcd)
    assert finding.is_about_an_etcd is about
