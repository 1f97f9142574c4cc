"""Lies: how one is distinguished from another, and when a divergence is one that is known."""

from __future__ import annotations

import pytest

from etcd_lockstep.comparing.comparison import Difference
from etcd_lockstep.searching.findings import Finding, Signature, features, pattern, signature
from etcd_lockstep.searching.known import KnownFinding, KnownFindings
from etcd_lockstep.trace import UNKNOWN_TOKEN, LeaseOf, RevisionAt, TokenOf, Trace
from etcd_model import operations as op

EQUAL = op.CompareResult.EQUAL
EXTRA_KEY = Signature("mock", "range", "kvs", "unexpected")


def always(_trace: Trace, _found: Signature) -> bool:
    return True


def never(_trace: Trace, _found: Signature) -> bool:
    return False


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
def test_keys_values_and_numbers_are_no_features(one: op.Operation, other: op.Operation) -> None:
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


# Explaining.

SURVIVES: Trace = (op.LeaseGrant(60), op.Put(b"a", lease=LeaseOf(1)), op.LeaseRevoke(LeaseOf(1)), op.Range(b"a"))
"""A key that outlives its lease."""

LONGER: Trace = (
    op.Put(b"x"),
    op.LeaseGrant(30),
    op.LeaseGrant(90),
    op.Put(b"k", b"v", lease=LeaseOf(3), prev_kv=True),
    op.LeaseKeepAlive(LeaseOf(3)),
    op.LeaseRevoke(LeaseOf(3)),
    op.Range(b"k", b"z"),
)


def survives(trace: Trace, found: Signature) -> bool:
    """A target on which a key outlives its lease: what it would show at the last step."""
    return (
        found == EXTRA_KEY
        and isinstance(trace[-1], op.Range)
        and any(
            isinstance(grant, op.LeaseGrant)
            and isinstance(put, op.Put)
            and put.lease == LeaseOf(granted)
            and op.LeaseRevoke(LeaseOf(granted)) in trace[index:]
            for granted, grant in enumerate(trace, 1)
            for index, put in enumerate(trace)
        )
    )


def flat(trace: Trace) -> list[op.Operation]:
    """The operations, those in a txn in its place."""
    return [
        inner
        for operation in trace
        for inner in ((*operation.success, *operation.failure) if isinstance(operation, op.Txn) else (operation,))
    ]


def undeletable(trace: Trace, found: Signature) -> bool:
    """A target on which a delete deletes nothing."""
    kinds = [type(operation) for operation in flat(trace)]
    return (
        found == EXTRA_KEY
        and op.Put in kinds
        and op.DeleteRange in kinds[kinds.index(op.Put) :]
        and kinds[-1] is op.Range
    )


def known(finding: Trace, shows: object = always, found: Signature = EXTRA_KEY) -> KnownFindings:
    findings = KnownFindings(shows)  # type: ignore[arg-type]  # functions of this shape
    findings.add(KnownFinding(found, finding))
    return findings


def test_nothing_is_explained_before_a_lie_is_known() -> None:
    assert not KnownFindings(always).explain(SURVIVES, EXTRA_KEY)


def test_a_lie_explains_its_own_trace_without_a_run() -> None:
    assert known(SURVIVES, never).explain(SURVIVES, EXTRA_KEY)


def test_a_lie_explains_a_longer_trace_that_holds_it_if_the_part_alone_shows_it() -> None:
    assert known(SURVIVES, survives).explain(LONGER, EXTRA_KEY)
    assert not known(SURVIVES, never).explain(LONGER, EXTRA_KEY)


@pytest.mark.parametrize(
    "found",
    [
        Signature("other", "range", "kvs", "unexpected"),
        Signature("mock", "range", "kvs", "missing"),
        Signature("mock", "range", "kvs.value", "unexpected"),
        Signature("mock", "put", "kvs", "unexpected"),
    ],
)
def test_another_symptom_is_never_explained(found: Signature) -> None:
    assert not known(SURVIVES).explain(SURVIVES, found)


@pytest.mark.parametrize(
    "trace",
    [
        (op.LeaseGrant(60), op.Put(b"a", lease=LeaseOf(1)), op.Range(b"a")),
        (op.LeaseGrant(60), op.Put(b"a"), op.LeaseRevoke(LeaseOf(1)), op.Range(b"a")),
        (op.LeaseGrant(60), op.LeaseRevoke(LeaseOf(1)), op.Put(b"a", lease=LeaseOf(1)), op.Range(b"a")),
        (*SURVIVES, op.Put(b"a")),
    ],
    ids=["no revoke", "no lease", "another order", "another last step"],
)
def test_a_trace_in_which_the_pattern_is_not_found_is_not_explained(trace: Trace) -> None:
    assert not known(SURVIVES).explain(trace, EXTRA_KEY)


def test_a_pattern_is_found_only_where_the_steps_are_about_the_same_lease() -> None:
    crossed: Trace = (
        op.LeaseGrant(60),
        op.LeaseGrant(60),
        op.Put(b"a", lease=LeaseOf(1)),
        op.LeaseRevoke(LeaseOf(2)),
        op.Range(b"a"),
    )
    assert not known(SURVIVES, survives).explain(crossed, EXTRA_KEY)
    assert known(SURVIVES, survives).explain((*crossed[:3], op.LeaseRevoke(LeaseOf(1)), op.Range(b"a")), EXTRA_KEY)


def test_an_operation_is_found_inside_a_txn_too() -> None:
    finding: Trace = (op.Put(b"a"), op.DeleteRange(b"a"), op.Range(b"a"))
    nested: Trace = (
        op.Txn(success=(op.Range(b"x"), op.Put(b"a"))),
        op.Txn(failure=(op.DeleteRange(b"a"),)),
        op.Range(b"a"),
    )
    assert known(finding, undeletable).explain(nested, EXTRA_KEY)
    assert not known(finding, undeletable).explain((op.Txn(success=(op.Range(b"x"),)), *nested[1:]), EXTRA_KEY)


def test_of_several_places_where_a_pattern_is_found_one_that_shows_it_will_do() -> None:
    finding: Trace = (op.Put(b"a", prev_kv=True), op.Range(b"a"))
    trace: Trace = (op.Put(b"x", prev_kv=True), op.Put(b"y", prev_kv=True), op.Range(b"x"))
    assert known(finding, lambda part, _found: part[0] == trace[0]).explain(trace, EXTRA_KEY)
    assert not known(finding, never).explain(trace, EXTRA_KEY)


def test_a_known_lie_in_a_trace_does_not_explain_what_is_wrong_without_it() -> None:
    def shows(trace: Trace, found: Signature) -> bool:
        """Touching a key doubles it, and so does a txn."""
        return found == EXTRA_KEY and any(
            isinstance(operation, op.Txn) or (isinstance(operation, op.Put) and operation.prev_kv)
            for operation in trace
        )

    findings = known((op.Put(b"a", prev_kv=True), op.Range(b"a")), shows)
    assert findings.explain((op.Put(b"b", prev_kv=True), op.Put(b"a", prev_kv=True), op.Range(b"a")), EXTRA_KEY)
    assert not findings.explain((op.Txn(), op.Put(b"a", prev_kv=True), op.Range(b"a")), EXTRA_KEY)


@pytest.mark.parametrize(
    ("found", "all_of_it"),
    [
        (Signature("mock", "*", "header.revision", "missing"), True),
        (Signature("mock", "txn", "responses", "missing"), True),
        (Signature("mock", "put", "error", "accepted (etcdserver: requested lease not found)"), True),
        (Signature("mock", "compact", "answer", "raised NotImplementedError"), True),
        (Signature("mock", "range", "kvs", "missing"), False),
        (Signature("mock", "range", "kvs.version", "too low"), False),
    ],
    ids=str,
)
def test_some_symptoms_are_the_whole_lie_whatever_the_trace(found: Signature, all_of_it: bool) -> None:
    assert found.stands_alone is all_of_it
    findings = known((op.LeaseRevoke(7),), never, found)
    assert bool(findings.explain((op.LeaseGrant(60), op.Put(b"a")), found)) is all_of_it


# Another field of an answer that is known to be wrong


def test_another_field_of_the_same_answer_is_the_same_lie_but_not_of_another_target() -> None:
    limited: Trace = (op.Put(b"a"), op.Range(b"a", limit=1))
    known = KnownFindings(lambda _trace, _found: True)
    known.add(KnownFinding(Signature("mock", "range", "kvs", "missing"), limited))
    longer: Trace = (op.Put(b"a"), *limited)
    assert known.is_another_field(Signature("mock", "range", "kvs.value", "different"), longer)
    assert not known.is_another_field(Signature("fake", "range", "kvs.value", "different"), longer)
    assert not known.is_another_field(Signature("mock", "range", "count", "too low"), longer)
    assert not known.is_another_field(
        Signature("mock", "range", "kvs.value", "different"), (op.Put(b"a"), op.Range(b"a"))
    )


# Tokens, time and watches

LIMITED = op.Range(b"a", limit=1)
"""With an option: what it shows need not be the store's fault."""


def test_a_lie_without_a_token_explains_the_same_with_one() -> None:
    touch = op.Put(b"a", prev_kv=True)
    findings = known((touch, LIMITED))
    assert findings.explain(
        (op.Authenticate("u", "p"), op.As(TokenOf(1), touch), op.As(TokenOf(1), LIMITED)), EXTRA_KEY
    )
    assert findings.explain((op.As("x", op.Txn(success=(touch,))), LIMITED), EXTRA_KEY)
    assert not findings.explain((op.As("x", op.Put(b"a")), LIMITED), EXTRA_KEY)


def test_a_lie_with_a_token_explains_nothing_without_one_or_with_that_of_another() -> None:
    findings = known((op.Authenticate("u", "p"), op.As(TokenOf(1), op.Put(b"a")), op.As(TokenOf(1), LIMITED)))
    before: Trace = (
        op.Authenticate("v", "p"),
        op.Authenticate("u", "p"),
        op.As(TokenOf(2), op.Put(b"k")),
        op.Put(b"k"),
    )
    assert findings.explain((*before, op.As(TokenOf(2), LIMITED)), EXTRA_KEY)
    assert not findings.explain((*before[:2], *before[3:], op.As(TokenOf(2), LIMITED)), EXTRA_KEY)
    assert not findings.explain((*before, op.As(TokenOf(1), LIMITED)), EXTRA_KEY)
    assert not findings.explain((*before, LIMITED), EXTRA_KEY)


def test_the_step_that_made_a_token_comes_along_with_what_uses_it() -> None:
    parts: list[Trace] = []

    def shows(part: Trace, _found: Signature) -> bool:
        parts.append(part)
        return True

    trace: Trace = (op.Put(b"x"), op.Authenticate("u", "p"), op.As(TokenOf(2), op.Put(b"a")), LIMITED)
    assert known((op.Put(b"a"), LIMITED), shows).explain(trace, EXTRA_KEY)
    assert parts == [(op.Authenticate("u", "p"), op.As(TokenOf(1), op.Put(b"a")), LIMITED)]


def test_where_time_passes_a_put_without_a_lease_is_not_one_with_a_lease() -> None:
    leased: Trace = (op.LeaseGrant(2), op.Put(b"a", lease=LeaseOf(1)), op.Advance(3), LIMITED)
    assert not known((op.Put(b"a"), op.Advance(3), LIMITED)).explain(leased, EXTRA_KEY)
    assert known((op.Put(b"a"), LIMITED)).explain(leased, EXTRA_KEY)


def test_a_lie_about_a_watch_is_reported_by_how_it_was_created() -> None:
    lost = Signature("mock", "watch_read", "watches.events", "lost events")
    trace: Trace = (op.Put(b"k"), op.WatchCreate(b"k", b"z", RevisionAt(1), stream=2), op.Put(b"k"), op.WatchRead(2))

    def shows(part: Trace, found: Signature) -> bool:
        """A target that forgets history."""
        watches = [
            operation for operation in part if isinstance(operation, op.WatchCreate) and operation.start_revision
        ]
        return found == lost and bool(watches)

    findings = known((op.WatchCreate(b"a", start_revision=RevisionAt(0)), op.WatchRead()), shows, lost)
    assert findings.explain(trace, lost)
    assert not findings.explain((op.Put(b"k"), op.WatchCreate(b"k", b"z"), op.WatchRead()), lost)


@pytest.mark.parametrize(
    ("target", "etcd", "about"),
    [("etcd 3.6.16", "3.5.30", True), ("fake", "3.5.30", False), ("etcd 3.6.16", "", False), ("mock", "", False)],
)
def test_a_finding_is_about_an_etcd_where_one_is_compared_with_another(target: str, etcd: str, about: bool) -> None:
    finding = Finding(Signature(target, "range", "kvs", "missing"), (op.Range(b"a"),), {}, (), etcd=etcd)
    assert finding.is_about_an_etcd is about
