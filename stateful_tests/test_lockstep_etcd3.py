"""The etcd3 client on our messages, and what its users see of a real etcd: what it reports, and where it lies."""

import importlib.util
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.etcd3 import Etcd3Target
from etcd_lockstep.targets.wire import WireTarget
from etcd_model import operations as op
from etcd_model.errors import EMPTY_KEY, LEASE_NOT_FOUND, Code, Error
from etcd_model.results import (
    CompactResult,
    DeleteRangeResult,
    KeyValue,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
    TxnResult,
)
from fake_etcd.compat.etcd3 import import_etcd3

if importlib.util.find_spec("etcd3") is None:
    pytest.skip("needs the etcd3 client: pip install 'etcd-lockstep[etcd3]'", allow_module_level=True)

ALL = b"\0"

# The messages.


def test_etcd3_imports_without_a_warning_and_without_its_own_messages() -> None:
    program = (
        "from fake_etcd.compat.etcd3 import import_etcd3\n"
        "etcd3 = import_etcd3()\n"
        "assert import_etcd3() is etcd3\n"
        "from fake_etcd.wire import messages\n"
        "from etcd3.etcdrpc import rpc_pb2, rpc_pb2_grpc, kv_pb2, auth_pb2\n"
        "import etcd3.etcdrpc.rpc_pb2\n"
        "assert etcd3.etcdrpc.PutRequest is rpc_pb2.PutRequest is messages.PutRequest\n"
        "assert kv_pb2.KeyValue is messages.KeyValue and auth_pb2.Role is messages.Role\n"
        "assert etcd3.etcdrpc.KVStub is rpc_pb2_grpc.KVStub\n"
        "assert etcd3.etcdrpc.Compare.NOT_EQUAL == 3 and etcd3.etcdrpc.NOSPACE == 1\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_an_etcdrpc_that_is_there_already_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    etcd3, theirs = import_etcd3(), ModuleType("etcd3.etcdrpc")
    monkeypatch.setitem(sys.modules, "etcd3.etcdrpc", theirs)
    assert import_etcd3() is etcd3
    assert sys.modules["etcd3.etcdrpc"] is theirs


def test_without_etcd3_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "etcd3.etcdrpc", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ImportError, match=r"pip install 'etcd-lockstep\[etcd3\]'"):
        import_etcd3()


def test_etcd3s_events_are_made_from_our_messages() -> None:
    import_etcd3()
    from etcd3.etcdrpc.kv_pb2 import Event
    from etcd3.events import DeleteEvent, new_event

    event = new_event(Event(type=Event.DELETE, kv={"key": b"k", "mod_revision": 7}))
    assert isinstance(event, DeleteEvent)
    assert (event.key, event.mod_revision) == (b"k", 7)


# The target on a real etcd, whose own answers the wire reports.


@pytest.fixture
def client(etcd_address: str) -> Iterator[Etcd3Target]:
    target = Etcd3Target(etcd_address)
    target.reset()
    yield target
    target.close()


@pytest.fixture
def etcd(etcd_address: str, client: Etcd3Target) -> Iterator[WireTarget]:
    """The same store, which `client` has emptied."""
    del client
    target = WireTarget("etcd", etcd_address)
    yield target
    target.close()


@pytest.fixture
def base(etcd: WireTarget) -> int:
    """The revision of the empty store."""
    answer = etcd.apply(op.Range(b"k"))
    assert isinstance(answer, RangeResult)
    assert answer == RangeResult(answer.revision)
    return answer.revision


def applied(target: Etcd3Target, operation: op.Operation) -> object:
    """The answer, to an operation that the client has words for."""
    assert target.can_express(operation)
    return target.apply(operation)


def test_keys_are_written_read_and_deleted(client: Etcd3Target, base: int) -> None:
    assert applied(client, op.Put(b"a", b"1")) == PutResult(base + 1)
    old, new = KeyValue(b"a", b"1", base + 1, base + 1, 1), KeyValue(b"a", b"2", base + 1, base + 2, 2)
    assert applied(client, op.Put(b"a", b"2", prev_kv=True)) == PutResult(base + 2, old)
    assert applied(client, op.Range(b"a")) == RangeResult(base + 2, (new,), count=1)
    assert applied(client, op.DeleteRange(b"a", prev_kv=True)) == DeleteRangeResult(base + 3, 1, (new,))
    assert applied(client, op.DeleteRange(b"a", b"b")) == DeleteRangeResult(base + 3)


@pytest.mark.parametrize(
    "read",
    [
        op.Range(b"a", serializable=True),
        op.Range(b"a", b"c"),
        op.Range(b"a", b"b", keys_only=True),
        op.Range(ALL, ALL, sort_order=op.SortOrder.DESCEND, sort_target=op.SortTarget.MOD),
        op.Range(ALL, ALL, serializable=True),
        op.Range(b"b", ALL, sort_order=op.SortOrder.ASCEND, sort_target=op.SortTarget.VALUE),
        op.Range(b"\xff", ALL),
        op.Range(b"", b"a"),
    ],
    ids=str,
)
def test_a_read_by_any_method_is_what_etcd_says(client: Etcd3Target, etcd: WireTarget, read: op.Range) -> None:
    for key, value in ((b"a", b"2"), (b"b", b"3"), (b"aa", b"1")):
        client.apply(op.Put(key, value))
    assert applied(client, read) == etcd.apply(read)


@pytest.mark.parametrize(
    "option",
    ["limit", "revision", "count_only", "min_mod_revision", "max_mod_revision", "min_create_revision"],
)
def test_options_of_a_read_are_swallowed(client: Etcd3Target, etcd: WireTarget, base: int, option: str) -> None:
    for key in (b"a", b"a1"):
        client.apply(op.Put(key, b"1"))
    values: dict[str, Any] = {"limit": 1, "revision": base + 1, "count_only": True, "max_mod_revision": base + 1}
    plain = op.Range(b"a", b"b")
    read = replace(plain, **{option: values.get(option, base + 2)})
    assert applied(client, read) == etcd.apply(plain) != etcd.apply(read)


def test_a_future_revision_reads_as_the_present(client: Etcd3Target, base: int) -> None:
    assert applied(client, op.Range(b"a", b"b", revision=base + 9)) == RangeResult(base)


@pytest.mark.parametrize("operation", [op.Range(b"a\xff", b"b"), op.DeleteRange(b"a\xff", b"b")], ids=str)
def test_a_prefix_that_ends_in_the_last_byte_raises(client: Etcd3Target, operation: op.Operation) -> None:
    with pytest.raises(ValueError, match="byte must be in range"):
        applied(client, operation)


def test_a_transaction_says_whether_it_succeeded_and_what_was_written(client: Etcd3Target, base: int) -> None:
    client.apply(op.Put(b"a", b"1"))
    txn = op.Txn(
        (
            op.Compare(b"a", op.CompareTarget.VALUE, op.CompareResult.EQUAL, b"1"),
            op.Compare(b"a", op.CompareTarget.MOD, op.CompareResult.GREATER, base),
            op.Compare(b"a", op.CompareTarget.VERSION, op.CompareResult.LESS, 2, range_end=b"c"),
            op.Compare(b"x", op.CompareTarget.CREATE, op.CompareResult.NOT_EQUAL, 1),
        ),
        success=(
            op.Put(b"b", b"2", prev_kv=True),
            op.DeleteRange(b"a", b"b", prev_kv=True),
            op.Txn((), (op.Range(b"b"),), ()),
        ),
    )
    deleted = KeyValue(b"a", b"1", base + 1, base + 1, 1)
    nested = RangeResult(base + 2, (KeyValue(b"b", b"2", base + 2, base + 2, 1),), count=1)
    assert applied(client, txn) == TxnResult(
        revision=0,  # not handed on
        succeeded=True,
        responses=(PutResult(base + 2), DeleteRangeResult(base + 2, 1, (deleted,)), TxnResult(0, True, (nested,))),
    )
    over_a_range = op.Compare(b"a", op.CompareTarget.VERSION, op.CompareResult.EQUAL, 0, range_end=b"c")
    failing = op.Txn((over_a_range,), failure=(op.Put(b"c", b"3"),))
    assert applied(client, failing) == TxnResult(0, False, (PutResult(base + 3),))


def test_a_read_in_a_transaction_loses_its_count_and_takes_the_revision_of_the_whole(
    client: Etcd3Target, etcd: WireTarget, base: int
) -> None:
    client.apply(op.Put(b"a", b"1"))
    txn = op.Txn(success=(op.Range(b"a"), op.Range(b"x"), op.Put(b"b")))
    kv = KeyValue(b"a", b"1", base + 1, base + 1, 1)
    read, nothing, put = RangeResult(base + 2, (kv,)), RangeResult(0), PutResult(base + 2)
    assert applied(client, txn) == TxnResult(0, True, (read, nothing, put))
    etcd.apply(op.DeleteRange(b"b"))
    read, nothing, put = RangeResult(base + 3, (kv,), count=1), RangeResult(base + 3), PutResult(base + 4)
    assert etcd.apply(txn) == TxnResult(base + 4, True, (read, nothing, put))


def test_a_lease_is_granted_kept_alive_and_revoked(client: Etcd3Target, base: int) -> None:
    assert applied(client, op.LeaseGrant(60, id=7)) == LeaseGrantResult(0, 7, 60)
    assert applied(client, op.Put(b"a", b"1", lease=7)) == PutResult(base + 1)
    assert applied(client, op.LeaseKeepAlive(7)) == LeaseKeepAliveResult(base + 1, 7, 60)
    reported = applied(client, op.LeaseTimeToLive(7, keys=True))
    assert isinstance(reported, LeaseTimeToLiveResult)
    assert (reported.revision, reported.granted_ttl, reported.keys) == (base + 1, 60, (b"a",))
    assert 50 < reported.ttl < 60
    assert applied(client, op.LeaseRevoke(7)) == LeaseRevokeResult(0)
    assert applied(client, op.Range(b"a")) == RangeResult(base + 2)
    assert applied(client, op.LeaseKeepAlive(7)) == LeaseKeepAliveResult(base + 2, 7, 0)
    granted = applied(client, op.LeaseGrant(60))
    assert isinstance(granted, LeaseGrantResult)
    assert granted.id > 0


def test_a_compaction_has_no_answer(client: Etcd3Target, base: int) -> None:
    client.apply(op.Put(b"a"))
    assert applied(client, op.Compact(base + 1)) == CompactResult(0)


def test_an_error_is_etcds_own(client: Etcd3Target) -> None:
    assert applied(client, op.Put(b"")) == EMPTY_KEY
    assert applied(client, op.Put(b"a", lease=99)) == LEASE_NOT_FOUND
    assert applied(client, op.LeaseRevoke(99)) == LEASE_NOT_FOUND


def test_a_failed_precondition_loses_its_message(client: Etcd3Target) -> None:
    client.apply(op.LeaseGrant(60, id=7))
    assert applied(client, op.LeaseGrant(60, id=7)) == Error(Code.FAILED_PRECONDITION, "")


@pytest.mark.parametrize(
    "operation",
    [
        op.Range(b"a", limit=1),
        op.Range(b"a", b"b", sort_target=9),
        op.Put(b"a", ignore_value=True),
        op.Put(b"a", b"1", ignore_lease=True),
        op.DeleteRange(b"a", b"c"),
        op.DeleteRange(b"\xff", ALL),
        op.DeleteRange(b"a", b"b", prev_kv=True),
        op.Txn(success=(op.Range(b"a", b"b", limit=1),)),
        op.Txn(failure=(op.Txn(success=(op.Put(b"a", ignore_value=True),)),)),
        op.Txn((op.Compare(b"a", op.CompareTarget.LEASE, op.CompareResult.EQUAL, 0),)),
        op.Txn((op.Compare(b"a", op.CompareTarget.MOD, 9, 0),)),
        op.LeaseTimeToLive(7),
        op.LeaseLeases(),
    ],
    ids=str,
)
def test_what_no_method_takes_can_not_be_expressed(client: Etcd3Target, operation: op.Operation) -> None:
    assert not client.can_express(operation)


def test_a_target_that_is_not_there_has_died() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        target = Etcd3Target(f"127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(TargetDied, match="etcd connection failed"):
            target.apply(op.Range(b"a"))
        target.close()
