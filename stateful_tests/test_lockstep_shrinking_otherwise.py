"""Shrinking, where the same is done otherwise: by fewer steps, by simpler ones, or under simpler names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from etcd_lockstep.searching.acceptance import Judge
from etcd_lockstep.searching.shrinking import shrink
from etcd_lockstep.strategies.operation_table import simpler
from etcd_lockstep.trace import LeaseOf, RevisionAt, TokenOf, Trace, symbols
from etcd_model import operations as op
from test_lockstep_shrinking import holds, when


def test_two_leases_become_one() -> None:
    trace = (op.LeaseGrant(60), op.LeaseGrant(60), op.Put(b"a", b"", LeaseOf(1)), op.LeaseRevoke(LeaseOf(2)))
    judge = when(lambda trace: len([one for step in trace for one in symbols(step)]) == 2)
    assert shrink(trace, judge) == (op.LeaseGrant(60), op.Put(b"a", b"", LeaseOf(1)), op.LeaseRevoke(LeaseOf(1)))


def test_two_tokens_become_one() -> None:
    login = op.Authenticate("u", "p")
    trace = (login, login, op.As(TokenOf(1), op.Put(b"a")), op.As(TokenOf(2), op.UserGet("u")))
    judge = when(lambda trace: len([one for step in trace for one in symbols(step)]) == 2)
    assert shrink(trace, judge) == (login, op.As(TokenOf(1), op.Put(b"a")), op.As(TokenOf(1), op.UserGet("u")))


def test_a_step_that_lets_a_nameless_one_in_goes_where_a_name_does() -> None:
    login, change = op.Authenticate("root", "p"), op.UserChangePassword("root", "q")
    last = op.As(TokenOf(1), op.Range(b"a"))

    def shows(trace: Trace) -> bool:
        let_in = op.Alarm(1, 0, 2) in trace and change in trace
        return trace[0] == login and trace[-1] == last and (let_in or op.As(TokenOf(1), change) in trace)

    least = (login, op.As(TokenOf(1), change), last)
    assert shrink((login, op.Alarm(1, 0, 2), change, last), when(shows)) == least


def test_two_users_become_one() -> None:
    trace = (op.UserAdd("root", "p"), op.UserAdd("u", "p"), op.UserGrantRole("root", "root"), op.UserGet("u"))

    def shows(trace: Trace) -> bool:
        added = {one.name for one in trace if isinstance(one, op.UserAdd)}
        asked = {one.name for one in trace if isinstance(one, op.UserGet)}
        return holds(trace, op.UserGrantRole, op.UserGet) and {"root", *asked} <= added

    least = (op.UserAdd("root", "p"), op.UserGrantRole("root", "root"), op.UserGet("root"))
    assert shrink(trace, when(shows)) == least


@pytest.mark.parametrize("call", [op.Lock(b"a", 7), op.Campaign(b"a", 7)], ids=["lock", "campaign"])
def test_a_lock_becomes_the_put_that_it_makes(call: op.Operation) -> None:
    judge = when(lambda trace: holds(trace, op.Put, op.Leader) or holds(trace, type(call), op.Leader))
    assert shrink((call, op.Leader(b"a")), judge)[:-1] == (op.Put(b"a"),)


def test_what_a_txn_does_becomes_steps_of_their_own() -> None:
    both = op.Txn(success=(op.Put(b"a"), op.Put(b"b")))

    def shows(trace: Trace) -> bool:
        puts = [one for step in trace[:-1] for one in ((step,) if isinstance(step, op.Put) else _success(step))]
        return {one.key for one in puts if isinstance(one, op.Put)} >= {b"a", b"b"}

    assert shrink((both, op.Range(b"a")), when(shows)) == (op.Put(b"a"), op.Put(b"b"), op.Range(b"a"))


def _success(step: op.Operation) -> tuple[op.RequestOp, ...]:
    return step.success if isinstance(step, op.Txn) else ()


def test_a_watcher_that_is_created_later_needs_no_start() -> None:
    trace = (op.WatchCreate(b"a", start_revision=7), op.Put(b"a"), op.WatchRead())

    def shows(trace: Trace) -> bool:
        watch = next((one for one in trace if isinstance(one, op.WatchCreate)), None)
        return watch is not None and op.Put(b"a") in trace and (bool(watch.start_revision) or trace[-2] is watch)

    assert shrink(trace, when(shows)) == (op.Put(b"a"), op.WatchCreate(b"a"), op.WatchRead())


def test_what_ends_a_wait_becomes_the_end_of_all_that_wait() -> None:
    deletions = op.Txn(success=(op.DeleteRange(b"a/7"), op.DeleteRange(b"a/8")))
    lock = op.Lock(b"a", 7, deletions)
    assert op.Lock(b"a", 7, op.DeleteRange(b"a/", b"a0")) in tuple(simpler(lock))


@pytest.mark.parametrize(
    ("value", "is_kept", "least"),
    [
        (b"long " * 13_107 + b"12", lambda value: len(value) > 1024, b"a" * 1025),
        (b"long " * 13_107 + b"12", lambda value: len(value) > 1024 and value[:1] != b"a", (b"long " * 410)[:2048]),
        (b"9007199254740993", lambda value: len(value) > 1 and value[:1] != b"1", b"90"),
        (b"a\x00b", lambda value: b"\x00" in value, b"\x00"),
        (b" a", lambda value: value != value.strip(), b" "),
        (b"a " * 40 + b"a", lambda value: len(value) > 64 or value != value.strip(), b"a" * 81),
    ],
)
def test_a_value_is_as_short_as_the_lie_allows(value: bytes, is_kept: Callable[[bytes], bool], least: bytes) -> None:
    def compared(operand: bytes) -> op.Txn:
        return op.Txn((op.Compare(b"a", op.CompareTarget.VALUE, op.CompareResult.LESS, operand),))

    put: Judge = when(lambda trace: isinstance(trace[-1], op.Put) and is_kept(trace[-1].value))
    assert shrink((op.Put(b"a", value),), put) == (op.Put(b"a", least),)

    def shows_compared(trace: Trace) -> bool:
        match trace:
            case (op.Txn(compare=(op.Compare(target=op.CompareTarget.VALUE, operand=bytes() as operand),)),):
                return is_kept(operand)
        return False

    assert shrink((compared(value),), when(shows_compared)) == (compared(least),)


def test_a_read_of_what_was_compacted_needs_one_revision_before() -> None:
    trace = (
        op.Put(b"a"),
        op.DeleteRange(b"a"),
        op.Compact(RevisionAt(2)),
        op.Range(b"a", revision=RevisionAt(1)),
    )

    def shows(candidate: Trace) -> bool:
        match candidate:
            case (op.Put(), *_, op.Compact(RevisionAt() as compacted), op.Range(revision=RevisionAt() as read)):
                return read.step + read.plus < compacted.step + compacted.plus
        return False

    read = op.Range(b"a", revision=RevisionAt(0))
    assert shrink(trace, when(shows)) == (op.Put(b"a"), op.Compact(RevisionAt(1)), read)


@pytest.mark.parametrize(
    ("trace", "needs", "least"),
    [
        (
            (op.Put(b"lock/7"), op.Unlock(b"lock/7")),
            lambda put, unlock: put.key == unlock.key,
            (op.Put(b"a"), op.Unlock(b"a")),
        ),
        (
            (op.Put(b"a\xff"), op.Range(b"a", b"a\xff")),
            lambda put, read: put.key == read.range_end > read.key,
            (op.Put(b"b"), op.Range(b"a", b"b")),
        ),
        (
            (op.Put(b"a", b"long"), op.Put(b"a", b"long")),
            lambda one, other: one.value == other.value != b"",
            (op.Put(b"a", b"1"), op.Put(b"a", b"1")),
        ),
        (
            (op.UserAdd("u", "p" * 73), op.UserChangePassword("u", "q"), op.Authenticate("u", "p" * 73)),
            lambda add, change, login: add.password == login.password != change.password,
            (op.UserAdd("u", "p"), op.UserChangePassword("u", "q"), op.Authenticate("u", "p")),
        ),
        (
            (op.RoleAdd("s"), op.RoleGet("s")),
            lambda add, get: add.name == get.role,
            (op.RoleAdd("r"), op.RoleGet("r")),
        ),
        (
            (op.WatchCreate(b"a", watch_id=-7), op.WatchCreate(b"a", watch_id=-7)),
            lambda one, other: one.watch_id == other.watch_id != 0,
            (op.WatchCreate(b"a", watch_id=1), op.WatchCreate(b"a", watch_id=1)),
        ),
        (
            (op.Range(b"a", b"ac"), op.DeleteRange(b"a", b"ac")),
            lambda one, other: one.range_end == other.range_end,
            (op.Range(b"a"), op.DeleteRange(b"a")),
        ),
        (
            (op.Txn((op.Compare(b"a", 0, 3, 0),), (op.Put(b"a"), op.Put(b"a"))),),
            lambda txn: (len(txn.success) == 2 and txn.compare) or len(txn.failure) == 2,
            (op.Txn(failure=(op.Put(b"a"), op.Put(b"a"))),),
        ),
        (
            (op.LeaseGrant(60, -5), op.Campaign(b"a", -5)),
            lambda grant, campaign: grant.id == campaign.lease != 0,
            (op.LeaseGrant(60, 7), op.Campaign(b"a", 7)),
        ),
        (
            (op.Put(b"b"), op.Put(b"a"), op.Range(b"a")),
            lambda one, other, _read: {one.key, other.key} == {b"a", b"b"},
            (op.Put(b"a"), op.Put(b"b"), op.Range(b"a")),
        ),
        (
            (op.Txn(failure=(op.DeleteRange(b"a"),)),),
            lambda txn: bool(txn.failure),
            (op.Txn(failure=(op.Put(b"a"),)),),
        ),
    ],
    ids=[
        "lock's key",
        "range's end",
        "value",
        "password",
        "role",
        "watch id",
        "end",
        "branch",
        "lease id",
        "order",
        "within",
    ],
)
def test_what_must_agree_is_made_plainer_everywhere(trace: Trace, needs: Callable[..., bool], least: Trace) -> None:
    kinds = [type(operation) for operation in trace]
    assert shrink(trace, when(lambda one: [type(step) for step in one] == kinds and needs(*one))) == least


def test_a_key_that_goes_with_its_lease_is_deleted_instead() -> None:
    trace = (
        *(op.LeaseGrant(60), op.Put(b"a", b"1", LeaseOf(1)), op.LeaseRevoke(LeaseOf(1)), op.Put(b"a", b"2")),
        op.Range(b"a", revision=RevisionAt(3)),
    )

    def shows(candidate: Trace) -> bool:
        match candidate:
            case (*_, op.Put(lease=lease), op.LeaseRevoke(id=LeaseOf() as revoked), op.Put(), op.Range()):
                return lease == revoked
            case (*_, op.Put(), op.DeleteRange(), op.Put(), op.Range()):
                return True
        return False

    least = (op.Put(b"a"), op.DeleteRange(b"a"), op.Put(b"a"), op.Range(b"a"))
    assert shrink(trace, when(shows)) == least


def test_a_put_that_keeps_a_value_becomes_one_that_brings_it() -> None:
    trace = (op.Put(b"a", b"2"), op.Put(b"a", ignore_value=True), op.Range(b"a"))

    def shows(candidate: Trace) -> bool:
        match candidate:
            case (*_, op.Put(value=value, ignore_value=kept), op.Range()):
                return bool(value) or (kept and len(candidate) > 2)
        return False

    assert shrink(trace, when(shows)) == (op.Put(b"a", b"1"), op.Range(b"a"))
