"""What is known explains what is seen: findings, by their patterns, and by runs of a part of a trace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etcd_lockstep.searching.findings import Signature
from etcd_lockstep.searching.known import KnownFinding, KnownFindings
from etcd_lockstep.trace import LeaseOf, RevisionAt, TokenOf, Trace
from etcd_model import operations as op
from etcd_model.ranges import FROM_KEY

EQUAL = op.CompareResult.EQUAL
EXTRA_KEY = Signature("mock", "range", "kvs", "unexpected")


def always(_trace: Trace, _found: Signature) -> bool:
    return True


def never(_trace: Trace, _found: Signature) -> bool:
    return False


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


def test_a_known_lie_does_not_explain_what_is_not_wrong_on_the_way_to_it() -> None:
    """A target that counts a revision for each put of a txn, and one for a txn that does nothing."""
    too_high = Signature("mock", "txn", "revision", "too high")
    puts = [op.Txn(success=(op.Put(b"a"), op.Put(b"b"), op.Put(b"c"))[:number]) for number in range(4)]
    nothing = known((puts[0],), lambda trace, _: len(flat(trace)) != 1, too_high)
    assert nothing.explain((puts[0],), too_high)
    assert not nothing.explain((puts[2],), too_high)
    nothing.add(KnownFinding(too_high, (puts[2],)))
    assert nothing.explain((puts[3],), too_high)


def test_a_known_lie_explains_what_is_wrong_with_fewer_options_too() -> None:
    mangled = Signature("mock", "range", "kvs.value", "different")
    findings = known((op.Put(b"a"), op.Range(b"a")), always, mangled)
    many = op.Range(b"a", FROM_KEY, limit=7, sort_order=op.SortOrder.DESCEND, serializable=True)
    assert findings.explain((op.Put(b"a", b"\xff", lease=7, prev_kv=True), many), mangled)


def test_one_key_of_a_range_may_be_another_than_its_first() -> None:
    """A delete that deletes nothing, of a range whose first key is not there, leads to one of a key that is."""
    lie: Trace = (op.Put(b"b"), op.DeleteRange(b"b"), op.Range(b"b"))
    assert known(lie, lambda trace, _: trace[1] == lie[1]).explain(
        (lie[0], op.DeleteRange(b"a", b"c"), lie[2]), EXTRA_KEY
    )
    assert not known(lie, lambda trace, _: trace == lie).explain(
        (lie[0], op.DeleteRange(b"c", b"d"), lie[2]), EXTRA_KEY
    )


def test_a_lie_about_compares_of_keys_explains_one_of_a_range_if_its_key_alone_shows_it() -> None:
    """A target that takes no notice of operators may lie about ranges, too."""
    succeeds = Signature("mock", "txn", "succeeded", "unexpected")
    of_a_key, of_a_range = (
        op.Txn((op.Compare(b"a", op.CompareTarget.VERSION, op.CompareResult.GREATER, 0, range_end),))
        for range_end in (b"", b"c")
    )
    assert known((of_a_key,), lambda trace, _: trace == (of_a_key,), succeeds).explain((of_a_range,), succeeds)
    assert not known((of_a_key,), never, succeeds).explain((of_a_range,), succeeds)
    assert known((of_a_range,), never, succeeds).explain((of_a_range,), succeeds)

    login, with_token = op.Authenticate("root", "root"), op.As(TokenOf(1), of_a_key)
    findings = known((of_a_key,), lambda trace, _: trace == (login, with_token), succeeds)
    assert findings.explain((login, op.As(TokenOf(1), of_a_range)), succeeds)


@pytest.mark.parametrize(
    ("found", "all_of_it"),
    [
        (Signature("mock", "*", "header.revision", "missing"), True),
        (Signature("mock", "txn", "responses", "missing"), True),
        (Signature("mock", "put", "error", "accepted (etcdserver: requested lease not found)"), True),
        (Signature("mock", "compact", "answer", "raised NotImplementedError"), True),
        (Signature("mock", "range", "error", "accepted (etcdserver: permission denied)"), False),
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


def test_a_number_that_is_wrong_is_the_same_lie_where_it_is_zero() -> None:
    known = KnownFindings(never)
    known.add(KnownFinding(Signature("mock", "lease_grant", "ttl", "too low"), (op.LeaseGrant(-1),)))
    missing = Signature("mock", "lease_grant", "ttl", "missing")
    assert known.is_another_number(missing, (op.LeaseGrant(0),))
    assert not known.is_another_number(missing, (op.LeaseGrant(0, id=7),)), "with an option, it may be another lie"
    assert not known.is_another_number(replace(missing, kind="unexpected"), (op.LeaseGrant(0),))
    assert not known.is_another_number(replace(missing, field="revision"), (op.LeaseGrant(0),))
    assert not known.is_another_number(replace(missing, target="another"), (op.LeaseGrant(0),))


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
