"""What etcd-lockstep says of the stand-in."""

from __future__ import annotations

import pytest

from etcd_lockstep import assert_trace_matches, find_divergences
from etcd_lockstep.searching.findings import DivergenceFound
from etcd_lockstep.trace import LeaseOf, Trace
from etcd_model import operations as op

MOCK = "etcd3:slot_client.slot_client:SlotClient"

ABSENT = op.Compare(b"a", op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0)
PUT, GRANT, PUT_WITH_LEASE = op.Put(b"a", b"1"), op.LeaseGrant(60), op.Put(b"a", lease=LeaseOf(1))


def test_the_search_finds_that_leases_go_to_keys_in_the_order_of_their_grants() -> None:
    findings = find_divergences(MOCK, etcd="none", examples=60, families=["kv", "txn", "lease"], seed=3)
    assert "range kvs missing after lease_grant, txn(success.put), lease_revoke(id), range" in {
        finding.fingerprint for finding in findings
    }


@pytest.mark.parametrize(
    ("trace", "signature"),
    [
        ((PUT, op.Range(b"a", b"b", sort_target=op.SortTarget.VERSION)), "range kvs.value different"),
        ((op.Put(b"ab"), PUT, op.Range(b"a", b"b")), "range kvs out of order"),
        ((GRANT, PUT_WITH_LEASE, op.LeaseRevoke(LeaseOf(1)), op.Range(b"a")), "range kvs unexpected"),
        ((GRANT, op.Txn((), (PUT,)), op.LeaseRevoke(LeaseOf(1)), op.Range(b"a")), "range kvs missing"),
        ((GRANT, op.LeaseRevoke(LeaseOf(1)), op.LeaseRevoke(LeaseOf(1))), "lease_revoke error accepted"),
        ((PUT, op.Txn((ABSENT,), (), (op.Put(b"b"),))), "txn responses missing"),
        ((op.Txn((), (PUT, PUT)),), "txn error accepted"),
        ((op.LeaseGrant(1),), "lease_grant ttl too low"),
    ],
    ids=[
        "any option leaves the values out",
        "a prefix is read in the order of the puts",
        "a put drops its lease",
        "a transaction gives its key to the lease that has waited longest",
        "a lease is revoked twice",
        "the other branch of a transaction is dropped",
        "a key is put twice in a transaction",
        "a ttl below etcd's least is granted",
    ],
)
def test_a_lie_shows_in_its_shortest_trace(trace: Trace, signature: str) -> None:
    assert_trace_matches(trace[:-1], MOCK)
    with pytest.raises(DivergenceFound) as found:
        assert_trace_matches(trace, MOCK)
    assert str(found.value.finding.fingerprint).startswith(signature)


def test_what_it_does_not_hand_on_is_not_compared() -> None:
    assert_trace_matches((PUT, op.Range(b"a"), op.Range(b"a", b"b"), op.DeleteRange(b"a"), op.Range(b"a")), MOCK)
