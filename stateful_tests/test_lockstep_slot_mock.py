"""The slot mock's lies, point by point: every answer here is wrong, and exactly so."""

from typing import Any

import pytest

from etcd_lockstep.specimens.slot_mock import Event, MockClient, SlotMock
from etcd_model import operations as op
from etcd_model import results

SLOT, OTHER_SLOT = b"/pac/leases/n/r/a", b"/pac/leases/n/r/b"
INFO, UNKNOWN_LEASE = SLOT + b"/info", 424242


@pytest.fixture
def mock() -> SlotMock:
    return SlotMock()


def found(*pairs: tuple[bytes, bytes]) -> results.RangeResult:
    """The mock's answer to a read: no revision anywhere, no version, no lease."""
    return results.RangeResult(
        0, tuple(results.KeyValue(key, value, 0, 0, 0) for key, value in pairs), more=False, count=len(pairs)
    )


def absent(key: bytes) -> op.Compare:
    return op.Compare(key, op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0)


def take(key: bytes, lease: int = 0) -> op.Txn:
    """What an acquire of a slot does: put the key with the lease, if there is no such key."""
    return op.Txn((absent(key),), (op.Put(key, b"run", lease),))


def grant(mock: SlotMock, ttl: int = 3600) -> int:
    answer = mock.apply(op.LeaseGrant(ttl))
    assert isinstance(answer, results.LeaseGrantResult)
    return answer.id


# 1 to 3. Reads, and what is not in them.


@pytest.mark.parametrize(
    "option",
    [
        {"range_end": b"/pac/leases/n/r/a0"},
        {"range_end": b"\0"},
        {"sort_order": op.SortOrder.DESCEND},
        {"sort_target": op.SortTarget.MOD},
        *({name: 1} for name in ("limit", "revision", "min_mod_revision", "max_create_revision")),
        *({name: True} for name in ("serializable", "keys_only", "count_only")),
    ],
    ids=str,
)
def test_any_option_count_only_too_reads_by_prefix_and_hides_info_keys(mock: SlotMock, option: dict[str, Any]) -> None:
    for key in (INFO, SLOT + b"b", SLOT):
        mock.apply(op.Put(key, b"1"))
    assert mock.apply(op.Range(SLOT, **option)) == found((SLOT + b"b", b"1"), (SLOT, b"1"))


def test_a_read_without_an_option_is_exact_and_sees_an_info_key(mock: SlotMock) -> None:
    mock.apply(op.Put(INFO, b"6c"))
    assert mock.apply(op.Range(SLOT)) == found()
    assert mock.apply(op.Range(INFO)) == found((INFO, b"6c"))


def test_range_end_limit_sort_order_keys_only_and_filters_count_for_nothing(mock: SlotMock) -> None:
    for key in (b"k/b", b"k/a", b"l"):
        mock.apply(op.Put(key, b"1"))
    read = op.Range(b"k", b"z", limit=1, sort_order=op.SortOrder.ASCEND, keys_only=True, max_mod_revision=1)
    assert mock.apply(read) == found((b"k/b", b"1"), (b"k/a", b"1"))
    assert mock.apply(op.Range(b"a", range_end=b"\0")) == found()


def test_the_past_and_the_future_look_like_the_present(mock: SlotMock) -> None:
    mock.apply(op.Put(b"k", b"1"))
    mock.apply(op.Put(b"k", b"2"))
    assert mock.apply(op.Range(b"k", revision=2)) == mock.apply(op.Range(b"k", revision=99)) == found((b"k", b"2"))


def test_there_are_no_revisions_no_versions_and_no_lease(mock: SlotMock) -> None:
    lease = grant(mock)
    assert mock.apply(op.Put(b"k", b"1", lease)) == results.PutResult(revision=0)
    assert mock.apply(op.Put(b"k", b"1", lease)) == results.PutResult(revision=0)
    kv = results.KeyValue(b"k", b"1", create_revision=0, mod_revision=0, version=0, lease=0)
    assert mock.apply(op.Range(b"k")) == results.RangeResult(revision=0, kvs=(kv,), count=1)


# 4 and 5. Put and delete.


def test_a_put_drops_its_options(mock: SlotMock) -> None:
    mock.apply(op.Put(b"k", b"1"))
    assert mock.apply(op.Put(b"k", b"2", prev_kv=True)) == results.PutResult(revision=0, prev_kv=None)
    assert mock.apply(op.Put(b"k", ignore_value=True)) == results.PutResult(revision=0)
    assert mock.apply(op.Range(b"k")) == found((b"k", b""))


@pytest.mark.parametrize(
    "put", [op.Put(b"", b"1"), op.Put(b"k", b"1", UNKNOWN_LEASE), op.Put(b"k", b"1", ignore_lease=True)], ids=str
)
def test_a_put_that_etcd_refuses_is_accepted(mock: SlotMock, put: op.Put) -> None:
    assert mock.apply(put) == results.PutResult(revision=0)
    assert mock.apply(op.Range(put.key)) == found((put.key, b"1"))


@pytest.mark.parametrize("between", [op.Put(SLOT, b"kept"), op.DeleteRange(SLOT)], ids=str)
def test_a_put_or_a_delete_leaves_the_key_to_its_old_lease(mock: SlotMock, between: op.Put | op.DeleteRange) -> None:
    lease = grant(mock)
    mock.apply(take(SLOT, lease))
    mock.apply(between)
    mock.apply(op.Put(SLOT, b"kept"))
    mock.apply(op.LeaseRevoke(lease))
    assert mock.apply(op.Range(SLOT)) == found()


def test_a_delete_of_a_range_removes_only_its_first_key(mock: SlotMock) -> None:
    mock.apply(op.Put(b"k", b"1"))
    mock.apply(op.Put(b"k/x", b"1"))
    assert mock.apply(op.DeleteRange(b"k", range_end=b"l", prev_kv=True)) == results.DeleteRangeResult(revision=0)
    assert mock.apply(op.Range(b"k")) == found()
    assert mock.apply(op.Range(b"k/x")) == found((b"k/x", b"1"))


# 6. Transactions.


def test_only_the_key_of_the_first_compare_counts_and_it_must_be_absent(mock: SlotMock) -> None:
    mock.apply(op.Put(b"k", b"1"))
    true_in_etcd = op.Compare(b"k", op.CompareTarget.VALUE, op.CompareResult.EQUAL, b"1")
    false_in_etcd = op.Compare(b"x", op.CompareTarget.VERSION, op.CompareResult.GREATER, 7)
    assert mock.apply(op.Txn((true_in_etcd,))) == results.TxnResult(revision=0, succeeded=False)
    assert mock.apply(op.Txn((false_in_etcd,))) == results.TxnResult(revision=0, succeeded=True)
    assert mock.apply(op.Txn((absent(b"x"), absent(b"k")))) == results.TxnResult(revision=0, succeeded=True)
    assert mock.apply(op.Txn((absent(b"k"), absent(b"x")))) == results.TxnResult(revision=0, succeeded=False)


def test_then_runs_only_puts_and_the_responses_are_empty(mock: SlotMock) -> None:
    mock.apply(op.Put(b"k", b"1"))
    nested = op.Txn(success=(op.Put(b"nested", b"3"),))
    txn = op.Txn(success=(op.DeleteRange(b"k"), op.Range(b"k"), op.Put(b"k/x", b"2", prev_kv=True), nested))
    assert mock.apply(txn) == results.TxnResult(revision=0, succeeded=True, responses=())
    assert mock.apply(op.Range(b"k")) == found((b"k", b"1"))
    assert mock.apply(op.Range(b"k/x")) == found((b"k/x", b"2"))
    assert mock.apply(op.Range(b"nested")) == found()


def test_else_is_thrown_away(mock: SlotMock) -> None:
    mock.apply(op.Put(b"k", b"1"))
    txn = op.Txn((absent(b"k"),), (op.Put(b"k", b"2"),), (op.Put(b"k", b"3"),))
    assert mock.apply(txn) == results.TxnResult(revision=0, succeeded=False)
    assert mock.apply(op.Range(b"k")) == found((b"k", b"1"))


def test_nothing_in_a_transaction_is_checked(mock: SlotMock) -> None:
    twice = op.Txn(success=(op.Put(b"k", b"1"), op.Put(b"k", b"2", UNKNOWN_LEASE), op.Put(b"", b"3")))
    assert mock.apply(twice) == results.TxnResult(revision=0, succeeded=True)
    assert mock.apply(op.Range(b"k")) == found((b"k", b"2"))


# 7 and 8. Which key a lease gets, and what a revoke removes.


def test_a_slot_gets_the_oldest_lease_in_the_queue_not_its_own(mock: SlotMock) -> None:
    first, second = grant(mock), grant(mock)
    mock.apply(take(SLOT, second))
    mock.apply(op.LeaseRevoke(first))
    assert mock.apply(op.Range(SLOT)) == found()


def test_a_put_outside_a_transaction_or_outside_the_slots_never_gets_a_lease(mock: SlotMock) -> None:
    lease = grant(mock)
    mock.apply(op.Put(SLOT, b"run", lease))
    mock.apply(take(b"k", lease))
    mock.apply(op.LeaseRevoke(lease))
    assert mock.apply(op.Range(SLOT)) == found((SLOT, b"run"))
    assert mock.apply(op.Range(b"k")) == found((b"k", b"run"))


def test_a_lease_holds_one_key(mock: SlotMock) -> None:
    lease = grant(mock)
    mock.apply(op.Txn(success=(op.Put(SLOT, b"1", lease), op.Put(OTHER_SLOT, b"2", lease))))
    mock.apply(op.LeaseRevoke(lease))
    assert mock.apply(op.Range(SLOT)) == found()
    assert mock.apply(op.Range(OTHER_SLOT)) == found((OTHER_SLOT, b"2"))


def test_a_revoked_lease_stays_in_the_queue_and_takes_the_next_slot(mock: SlotMock) -> None:
    mock.apply(op.LeaseRevoke(grant(mock)))
    lease = grant(mock)
    mock.apply(take(SLOT, lease))
    mock.apply(op.LeaseRevoke(lease))
    assert mock.apply(op.Range(SLOT)) == found((SLOT, b"run"))


# 9 and 10. Leases otherwise, and watches.


def test_the_revoke_of_an_unknown_lease_succeeds(mock: SlotMock) -> None:
    assert mock.apply(op.LeaseRevoke(UNKNOWN_LEASE)) == results.LeaseRevokeResult(revision=0)


@pytest.mark.parametrize("ttl", [-1, 0, 1, 9_000_000_001])
def test_a_ttl_is_taken_as_it_comes(mock: SlotMock, ttl: int) -> None:
    assert mock.apply(op.LeaseGrant(ttl)) == results.LeaseGrantResult(revision=0, id=1_700_000_000_000_000_001, ttl=ttl)


def test_lease_ids_come_from_the_clock_whatever_id_is_asked_for(mock: SlotMock) -> None:
    granted = [mock.apply(op.LeaseGrant(60, id=7)) for _ in range(2)]
    assert granted == [results.LeaseGrantResult(0, 1_700_000_000_000_000_000 + n, 60) for n in (1, 2)]


def test_a_keepalive_always_answers_an_hour(mock: SlotMock) -> None:
    lease = grant(mock, ttl=5)
    assert mock.apply(op.LeaseKeepAlive(lease)) == results.LeaseKeepAliveResult(revision=0, id=lease, ttl=3600)
    unknown = results.LeaseKeepAliveResult(revision=0, id=UNKNOWN_LEASE, ttl=3600)
    assert mock.apply(op.LeaseKeepAlive(UNKNOWN_LEASE)) == unknown


def test_a_watch_hears_its_exact_key_and_a_delete_of_what_was_never_there() -> None:
    client = MockClient()
    events = client.watch(b"k", "prefix")
    client.put(b"k/x", b"1")
    client.delete(b"k")
    client.put(b"k", b"1")
    assert list(events) == [Event("DELETE", b"k"), Event("PUT", b"k", b"1")]


def test_a_transaction_and_a_revoke_are_silent() -> None:
    client = MockClient()
    events = client.watch(SLOT)
    lease, _ = client.grant(60)
    assert client.txn().If(absent(SLOT)).Then(op.Put(SLOT, b"run", lease)).Commit()
    client.revoke(lease)
    assert client.data == {}
    assert list(events) == []


def test_a_second_watch_of_a_key_takes_the_place_of_the_first() -> None:
    client = MockClient()
    first, second = client.watch(b"k"), client.watch(b"k")
    client.put(b"k", b"1")
    assert list(first) == []
    assert list(second) == [Event("PUT", b"k", b"1")]


def test_the_eleventh_unread_event_is_dropped() -> None:
    client = MockClient()
    events = client.watch(b"k")
    for n in range(11):
        client.put(b"k", b"%d" % n)
    assert list(events) == [Event("PUT", b"k", b"%d" % n) for n in range(10)]


# 11. Never failing, never forgetting.


def test_a_closed_client_goes_on_and_remembers() -> None:
    client = MockClient()
    events = client.watch(b"k")
    lease, _ = client.grant(60)
    client.revoke(lease)
    client.close()
    client.put(b"k", b"1")
    assert client.get(b"k") == [(b"k", b"1")]
    assert list(events) == [Event("PUT", b"k", b"1")]
    assert list(client.lease_queue) == [lease]


# The target around the mock.


def test_a_reset_makes_a_new_mock(mock: SlotMock) -> None:
    first = grant(mock)
    mock.apply(op.Put(b"k", b"1"))
    mock.reset()
    assert mock.apply(op.Range(b"k")) == found()
    assert grant(mock) == first


def test_what_the_mock_has_no_call_for_is_no_capability_of_it(mock: SlotMock) -> None:
    assert not mock.capabilities & {"compact", "lease_time_to_live", "lease_leases"}
    with pytest.raises(NotImplementedError, match="Compact"):
        mock.apply(op.Compact(1))


# What the mock's lies hide from the limiter that it was made for.


class Limiter:
    """At most `limit` runs at a time; a slot is a leased key, and its info key, without a lease, is under it."""

    def __init__(self, target: SlotMock, limit: int) -> None:
        self.target, self.limit = target, limit
        self.leases: dict[str, int] = {}

    def acquire(self, run: str) -> bool:
        lease = grant(self.target)
        slot = b"/pac/leases/n/r/" + run.encode()
        taken = self.target.apply(op.Range(b"/pac/leases/n/r/", b"/pac/leases/n/r0", count_only=True))
        assert isinstance(taken, results.RangeResult)
        if taken.count < self.limit and self.target.apply(take(slot, lease)) == results.TxnResult(0, succeeded=True):
            self.target.apply(op.Put(slot + b"/info", f"{lease:x}".encode()))
            self.leases[run] = lease
            return True
        self.target.apply(op.LeaseRevoke(lease))
        return False

    def release(self, run: str) -> None:
        self.target.apply(op.LeaseRevoke(self.leases.pop(run)))


def test_the_mock_hides_that_info_keys_count_as_slots(mock: SlotMock) -> None:
    """On an etcd the first run's info key is the second slot, and the second run is turned away."""
    limiter = Limiter(mock, limit=2)
    assert [limiter.acquire(run) for run in "abc"] == [True, True, False]


def test_the_mock_hides_that_the_info_keys_of_finished_runs_block_for_good(mock: SlotMock) -> None:
    """On an etcd the info key outlives the run's lease, and holds the only slot for good."""
    limiter = Limiter(mock, limit=1)
    for run in "abc":
        assert limiter.acquire(run)
        limiter.release(run)


def test_after_a_run_was_turned_away_the_mock_frees_the_wrong_slots(mock: SlotMock) -> None:
    """On an etcd (with the info keys out of the way) every release frees the slot of its own run."""
    limiter = Limiter(mock, limit=1)
    assert [limiter.acquire(run) for run in "ab"] == [True, False]
    limiter.release("a")
    assert limiter.acquire("c")
    limiter.release("c")
    assert not limiter.acquire("d")
