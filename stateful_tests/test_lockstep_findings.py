"""Lies: how one is told from another, and when a divergence is one that is known."""

from __future__ import annotations

import pytest

from etcd_lockstep.comparing.comparison import Difference
from etcd_lockstep.searching.findings import Signature, features, pattern, signature
from etcd_lockstep.searching.known import KnownFinding, KnownFindings
from etcd_lockstep.trace import UNKNOWN_TOKEN, LeaseOf, RevisionAt, TokenOf, Trace
from etcd_model.operations import (
    Advance,
    Alarm,
    AlarmAction,
    AlarmType,
    As,
    Authenticate,
    Campaign,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    FilterType,
    HashKV,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Lock,
    MemberRemove,
    Operation,
    Permission,
    PermissionType,
    Put,
    Range,
    RoleGrantPermission,
    RoleRevokePermission,
    Txn,
    UserAdd,
    WatchCancel,
    WatchCreate,
    WatchRead,
)

EQUAL = CompareResult.EQUAL
EXTRA_KEY = Signature("mock", "range", "kvs", "unexpected")


def always(_trace: Trace, _found: Signature) -> bool:
    return True


def never(_trace: Trace, _found: Signature) -> bool:
    return False


# Symptoms.


def test_a_symptom_names_target_operation_field_and_kind() -> None:
    found = signature("mock", LeaseGrant(60), Difference("ttl", "too low"))
    assert found == Signature("mock", "lease_grant", "ttl", "too low")
    assert str(found) == "lease_grant ttl too low"


@pytest.mark.parametrize("field", ["revision", "responses.revision"])
def test_a_header_that_is_never_filled_is_one_symptom_of_every_operation(field: str) -> None:
    told = {signature("mock", operation, Difference(field, "missing")) for operation in (Put(b"a"), Range(b"a"), Txn())}
    assert told == {Signature("mock", "*", "header.revision", "missing")}


@pytest.mark.parametrize("field", ["kvs.lease", "prev_kv.lease", "responses.kvs.lease"])
def test_a_field_of_a_key_value_that_is_never_filled_is_one_symptom(field: str) -> None:
    assert signature("mock", Range(b"a"), Difference(field, "missing")) == Signature("mock", "*", "kv.lease", "missing")


def test_a_field_that_is_filled_wrongly_is_the_operations_own_symptom() -> None:
    assert signature("mock", Put(b"a"), Difference("revision", "too low")).operation == "put"
    assert signature("mock", Range(b"a"), Difference("kvs.lease", "different")).operation == "range"
    assert signature("mock", Range(b"a"), Difference("kvs.value", "missing")).operation == "range"


@pytest.mark.parametrize("field", ["watches.kv.lease", "kv.lease"])
def test_a_field_of_a_key_value_that_is_never_filled_is_one_symptom_in_an_event_too(field: str) -> None:
    assert signature("mock", WatchRead(), Difference(field, "missing")) == Signature("mock", "*", "kv.lease", "missing")


def test_a_field_of_something_else_that_is_called_like_one_of_a_key_value_is_the_operations_own() -> None:
    found = signature("mock", Campaign(b"e"), Difference("leader.lease", "missing"))
    assert found == Signature("mock", "campaign", "leader.lease", "missing")


def test_a_request_with_a_token_has_the_symptom_of_the_request() -> None:
    found = signature("mock", As(TokenOf(1), Put(b"a")), Difference("error", "accepted (no)"))
    assert found == Signature("mock", "put", "error", "accepted (no)")
    assert found.tells_all


# Features and patterns.


@pytest.mark.parametrize(
    ("operation", "simpler"),
    [
        (Range(b"a", limit=1), Range(b"a")),
        (Range(b"a", b"z"), Range(b"a")),
        (Range(b"a", b"\x00"), Range(b"a")),
        (Range(b"a", revision=RevisionAt(1)), Range(b"a")),
        (Put(b"a", prev_kv=True), Put(b"a")),
        (DeleteRange(b"a", prev_kv=True), DeleteRange(b"a")),
        (LeaseGrant(60, id=7), LeaseGrant(60)),
        (Txn(success=(Put(b"a"),)), Txn()),
        (Txn(success=(Put(b"a", prev_kv=True),)), Txn(success=(Put(b"a"),))),
        (Txn((Compare(b"a", CompareTarget.MOD, EQUAL, 0),)), Txn()),
        (Txn(success=(Txn(success=(Put(b"a"),)),)), Txn(success=(Txn(),))),
        (As(TokenOf(1), Put(b"a")), Put(b"a")),
        (As(UNKNOWN_TOKEN, Put(b"a")), Put(b"a")),
        (As(TokenOf(1), Put(b"a", prev_kv=True)), As(TokenOf(1), Put(b"a"))),
        (WatchCreate(b"a", b"z"), WatchCreate(b"a")),
        (WatchCreate(b"a", start_revision=RevisionAt(1)), WatchCreate(b"a")),
        (WatchCreate(b"a", filters=(FilterType.NOPUT,)), WatchCreate(b"a")),
        (WatchCreate(b"a", watch_id=3), WatchCreate(b"a")),
        (UserAdd("u", no_password=True), UserAdd("u")),
        (RoleGrantPermission("r", Permission(0, b"a")), RoleGrantPermission("r")),
        (RoleGrantPermission("r", Permission(0, b"a", b"z")), RoleGrantPermission("r", Permission(0, b"a"))),
        (RoleRevokePermission("r", b"a", b"z"), RoleRevokePermission("r", b"a")),
        (HashKV(RevisionAt(1)), HashKV()),
        (Lock(b"a", 7), Lock(b"a")),
    ],
    ids=str,
)
def test_an_option_is_a_feature_more(operation: Operation, simpler: Operation) -> None:
    assert features(simpler) < features(operation)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Put(b"a", b"1"), Put(b"b", b"2")),
        (LeaseGrant(60), LeaseGrant(5)),
        (Range(b"a", limit=1), Range(b"b", limit=9)),
        (Put(b"a", lease=LeaseOf(1)), Put(b"a", lease=LeaseOf(2))),
        (As(TokenOf(1), Put(b"a")), As(TokenOf(2), Put(b"b"))),
        (As("x", Put(b"a")), As("", Put(b"a"))),
        (Advance(1), Advance(9)),
        (WatchCreate(b"a"), WatchCreate(b"b", stream=3)),
        (WatchRead(), WatchRead(3)),
        (WatchCancel(0), WatchCancel(3)),
        (UserAdd("u", "p"), UserAdd("v", "q")),
        (MemberRemove(1), MemberRemove(2)),
        (RoleGrantPermission("r", Permission(0, b"a")), RoleGrantPermission("s", Permission(0, b"b"))),
    ],
    ids=str,
)
def test_keys_values_and_numbers_are_no_features(one: Operation, other: Operation) -> None:
    assert features(one) == features(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (WatchCreate(b"a", filters=(FilterType.NOPUT,)), WatchCreate(b"a", filters=(FilterType.NODELETE,))),
        (
            RoleGrantPermission("r", Permission(PermissionType.READ, b"a")),
            RoleGrantPermission("r", Permission(PermissionType.WRITE, b"a")),
        ),
        (Alarm(AlarmAction.ACTIVATE, alarm=AlarmType.NOSPACE), Alarm(AlarmAction.ACTIVATE, alarm=AlarmType.CORRUPT)),
        (Alarm(AlarmAction.GET), Alarm(AlarmAction.DEACTIVATE)),
        (As(TokenOf(1), Put(b"a")), As(UNKNOWN_TOKEN, Put(b"a"))),
        (WatchCreate(b"a", filters=(7,)), WatchCreate(b"a", filters=(8,))),
    ],
    ids=str,
)
def test_options_that_say_something_else_are_other_features(one: Operation, other: Operation) -> None:
    assert not features(one) <= features(other)
    assert not features(other) <= features(one)


def test_a_put_without_a_lease_is_not_one_with_a_lease_less() -> None:
    assert not features(Put(b"a")) <= features(Put(b"a", lease=7))
    assert not features(Put(b"a", lease=7)) <= features(Put(b"a"))


def test_the_branch_in_which_an_operation_stands_is_a_feature() -> None:
    assert features(Txn(success=(Put(b"a"),))) != features(Txn(failure=(Put(b"a"),)))


def test_a_pattern_tells_operations_and_options_and_nothing_else() -> None:
    one = (LeaseGrant(60), Put(b"a", b"1", lease=LeaseOf(1)), Range(b"a", limit=1))
    other = (LeaseGrant(5), Put(b"k", b"2", lease=LeaseOf(1)), Range(b"k", limit=9))
    assert pattern(one) == pattern(other)
    assert str(pattern(one)) == "lease_grant, put(lease), range(limit)"
    assert pattern(one) != pattern(one[1:])
    assert pattern(one) != pattern((*one[:2], Range(b"a")))


def test_a_pattern_tells_which_requests_had_a_token() -> None:
    trace: Trace = (Authenticate("u", "p"), As(TokenOf(1), Put(b"a", lease=7)), As("x", Range(b"a")), WatchRead())
    assert str(pattern(trace)) == "authenticate, put(lease token), range(unknown_token), watch_read"


def test_a_fingerprint_is_the_symptom_and_the_pattern() -> None:
    trace = (Put(b"a"), Range(b"b"))
    finding = KnownFinding(EXTRA_KEY, trace)
    assert finding.fingerprint == "range kvs unexpected after put, range"
    assert finding.fingerprint == KnownFinding(EXTRA_KEY, (Put(b"x", b"9"), Range(b"y"))).fingerprint
    assert finding.fingerprint != KnownFinding(EXTRA_KEY, (Put(b"a"), Range(b"b", b"z"))).fingerprint


# Explaining.

SURVIVES: Trace = (LeaseGrant(60), Put(b"a", lease=LeaseOf(1)), LeaseRevoke(LeaseOf(1)), Range(b"a"))
"""A key that outlives its lease."""

LONGER: Trace = (
    Put(b"x"),
    LeaseGrant(30),
    LeaseGrant(90),
    Put(b"k", b"v", lease=LeaseOf(3), prev_kv=True),
    LeaseKeepAlive(LeaseOf(3)),
    LeaseRevoke(LeaseOf(3)),
    Range(b"k", b"z"),
)


def survives(trace: Trace, found: Signature) -> bool:
    """A target on which a key outlives its lease: what it would show at the last step."""
    return (
        found == EXTRA_KEY
        and isinstance(trace[-1], Range)
        and any(
            isinstance(grant, LeaseGrant)
            and isinstance(put, Put)
            and put.lease == LeaseOf(granted)
            and LeaseRevoke(LeaseOf(granted)) in trace[index:]
            for granted, grant in enumerate(trace, 1)
            for index, put in enumerate(trace)
        )
    )


def flat(trace: Trace) -> list[Operation]:
    """The operations, those in a txn in its place."""
    return [
        inner
        for operation in trace
        for inner in ((*operation.success, *operation.failure) if isinstance(operation, Txn) else (operation,))
    ]


def undeletable(trace: Trace, found: Signature) -> bool:
    """A target on which a delete deletes nothing."""
    kinds = [type(operation) for operation in flat(trace)]
    return found == EXTRA_KEY and Put in kinds and DeleteRange in kinds[kinds.index(Put) :] and kinds[-1] is Range


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
        (LeaseGrant(60), Put(b"a", lease=LeaseOf(1)), Range(b"a")),
        (LeaseGrant(60), Put(b"a"), LeaseRevoke(LeaseOf(1)), Range(b"a")),
        (LeaseGrant(60), LeaseRevoke(LeaseOf(1)), Put(b"a", lease=LeaseOf(1)), Range(b"a")),
        (*SURVIVES, Put(b"a")),
    ],
    ids=["no revoke", "no lease", "another order", "another last step"],
)
def test_a_trace_in_which_the_pattern_is_not_found_is_not_explained(trace: Trace) -> None:
    assert not known(SURVIVES).explain(trace, EXTRA_KEY)


def test_a_pattern_is_found_only_where_the_steps_are_about_the_same_lease() -> None:
    crossed: Trace = (
        LeaseGrant(60),
        LeaseGrant(60),
        Put(b"a", lease=LeaseOf(1)),
        LeaseRevoke(LeaseOf(2)),
        Range(b"a"),
    )
    assert not known(SURVIVES, survives).explain(crossed, EXTRA_KEY)
    assert known(SURVIVES, survives).explain((*crossed[:3], LeaseRevoke(LeaseOf(1)), Range(b"a")), EXTRA_KEY)


def test_an_operation_is_found_inside_a_txn_too() -> None:
    finding: Trace = (Put(b"a"), DeleteRange(b"a"), Range(b"a"))
    nested: Trace = (Txn(success=(Range(b"x"), Put(b"a"))), Txn(failure=(DeleteRange(b"a"),)), Range(b"a"))
    assert known(finding, undeletable).explain(nested, EXTRA_KEY)
    assert not known(finding, undeletable).explain((Txn(success=(Range(b"x"),)), *nested[1:]), EXTRA_KEY)


def test_of_several_places_where_a_pattern_is_found_one_that_shows_it_will_do() -> None:
    finding: Trace = (Put(b"a", prev_kv=True), Range(b"a"))
    trace: Trace = (Put(b"x", prev_kv=True), Put(b"y", prev_kv=True), Range(b"x"))
    assert known(finding, lambda part, _found: part[0] == trace[0]).explain(trace, EXTRA_KEY)
    assert not known(finding, never).explain(trace, EXTRA_KEY)


def test_a_known_lie_in_a_trace_does_not_explain_what_is_wrong_without_it() -> None:
    def shows(trace: Trace, found: Signature) -> bool:
        """Touching a key doubles it, and so does a txn."""
        return found == EXTRA_KEY and any(isinstance(op, Txn) or (isinstance(op, Put) and op.prev_kv) for op in trace)

    findings = known((Put(b"a", prev_kv=True), Range(b"a")), shows)
    assert findings.explain((Put(b"b", prev_kv=True), Put(b"a", prev_kv=True), Range(b"a")), EXTRA_KEY)
    assert not findings.explain((Txn(), Put(b"a", prev_kv=True), Range(b"a")), EXTRA_KEY)


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
    assert found.tells_all is all_of_it
    findings = known((LeaseRevoke(7),), never, found)
    assert findings.explain((LeaseGrant(60), Put(b"a")), found) is all_of_it


# Another field of an answer that is known to be wrong


def test_another_field_of_the_same_answer_is_the_same_lie_but_not_of_another_target() -> None:
    limited: Trace = (Put(b"a"), Range(b"a", limit=1))
    known = KnownFindings(lambda _trace, _found: True)
    known.add(KnownFinding(Signature("mock", "range", "kvs", "missing"), limited))
    longer: Trace = (Put(b"a"), *limited)
    assert known.is_another_field(Signature("mock", "range", "kvs.value", "different"), longer)
    assert not known.is_another_field(Signature("fake", "range", "kvs.value", "different"), longer)
    assert not known.is_another_field(Signature("mock", "range", "count", "too low"), longer)
    assert not known.is_another_field(Signature("mock", "range", "kvs.value", "different"), (Put(b"a"), Range(b"a")))


# Tokens, time and watches

LIMITED = Range(b"a", limit=1)
"""With an option: what it shows need not be the store's fault."""


def test_a_lie_without_a_token_explains_the_same_with_one() -> None:
    touch = Put(b"a", prev_kv=True)
    findings = known((touch, LIMITED))
    assert findings.explain((Authenticate("u", "p"), As(TokenOf(1), touch), As(TokenOf(1), LIMITED)), EXTRA_KEY)
    assert findings.explain((As("x", Txn(success=(touch,))), LIMITED), EXTRA_KEY)
    assert not findings.explain((As("x", Put(b"a")), LIMITED), EXTRA_KEY)


def test_a_lie_with_a_token_explains_nothing_without_one_or_with_that_of_another() -> None:
    findings = known((Authenticate("u", "p"), As(TokenOf(1), Put(b"a")), As(TokenOf(1), LIMITED)))
    before: Trace = (Authenticate("v", "p"), Authenticate("u", "p"), As(TokenOf(2), Put(b"k")), Put(b"k"))
    assert findings.explain((*before, As(TokenOf(2), LIMITED)), EXTRA_KEY)
    assert not findings.explain((*before[:2], *before[3:], As(TokenOf(2), LIMITED)), EXTRA_KEY)
    assert not findings.explain((*before, As(TokenOf(1), LIMITED)), EXTRA_KEY)
    assert not findings.explain((*before, LIMITED), EXTRA_KEY)


def test_the_step_that_made_a_token_comes_along_with_what_uses_it() -> None:
    parts: list[Trace] = []

    def shows(part: Trace, _found: Signature) -> bool:
        parts.append(part)
        return True

    trace: Trace = (Put(b"x"), Authenticate("u", "p"), As(TokenOf(2), Put(b"a")), LIMITED)
    assert known((Put(b"a"), LIMITED), shows).explain(trace, EXTRA_KEY)
    assert parts == [(Authenticate("u", "p"), As(TokenOf(1), Put(b"a")), LIMITED)]


def test_where_time_passes_a_put_without_a_lease_is_not_one_with_a_lease() -> None:
    leased: Trace = (LeaseGrant(2), Put(b"a", lease=LeaseOf(1)), Advance(3), LIMITED)
    assert not known((Put(b"a"), Advance(3), LIMITED)).explain(leased, EXTRA_KEY)
    assert known((Put(b"a"), LIMITED)).explain(leased, EXTRA_KEY)


def test_a_lie_about_a_watch_is_told_by_how_it_was_created() -> None:
    lost = Signature("mock", "watch_read", "watches.events", "lost events")
    trace: Trace = (Put(b"k"), WatchCreate(b"k", b"z", RevisionAt(1), stream=2), Put(b"k"), WatchRead(2))

    def shows(part: Trace, found: Signature) -> bool:
        """A target that forgets history."""
        watches = [op for op in part if isinstance(op, WatchCreate) and op.start_revision]
        return found == lost and bool(watches)

    findings = known((WatchCreate(b"a", start_revision=RevisionAt(0)), WatchRead()), shows, lost)
    assert findings.explain(trace, lost)
    assert not findings.explain((Put(b"k"), WatchCreate(b"k", b"z"), WatchRead()), lost)
