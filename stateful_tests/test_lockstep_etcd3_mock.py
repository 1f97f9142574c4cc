"""Mocks of the etcd3 client as targets: what they are asked, and which can't be used."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from canned import needs_etcd3, of, returning
from etcd_lockstep import DivergenceFound, LockstepMachine, NotExpressible, assert_trace_matches
from etcd_lockstep.catalogue import UnknownTarget, find
from etcd_lockstep.targets.etcd3_mock import Etcd3Mock, UnfitClient
from etcd_lockstep.trace import LeaseOf, RevisionAt, Trace
from etcd_model import operations as op
from etcd_model.results import LeaseGrantResult, RangeResult
from fake_etcd import FakeEtcd

READ, PUT, DELETE = op.Range(b"a"), op.Put(b"a", b"1"), op.DeleteRange(b"a")
ABSENT = op.Compare(b"a", op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0)


# What is asked.


class Recorder:
    """Keeps how it was called."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def get(self, key: str) -> Any:
        self.calls.append(("get", key))
        return None, None

    def get_prefix(self, prefix: str, sort_order: Any = None, limit: int = 0) -> Any:
        self.calls.append(("get_prefix", prefix, sort_order, limit))
        return []

    def get_range(self, start: str, end: str, **options: Any) -> Any:
        self.calls.append(("get_range", start, end, options))
        return []

    def get_all(self, **options: Any) -> Any:
        self.calls.append(("get_all", options))
        return []

    def put(self, key: str, value: str, lease: Any = None) -> None:
        self.calls.append(("put", key, value, lease))

    def put_if_not_exists(self, key: str, value: str) -> bool:
        self.calls.append(("put_if_not_exists", key, value))
        return True

    def replace(self, key: str, initial_value: str, new_value: str) -> bool:
        self.calls.append(("replace", key, initial_value, new_value))
        return True

    def delete(self, key: str, return_response: bool = False) -> Any:
        self.calls.append(("delete", key, return_response))
        return of(deleted=0) if return_response else False

    def lease(self, ttl: int) -> Any:
        return of(id=41, ttl=ttl, revoke=lambda: self.calls.append(("revoke",)))


def is_put(compare: op.Compare, put: op.Put) -> op.Txn:
    return op.Txn((compare,), (put,))


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        (READ, ("get", "a")),
        (op.Range(b"a", b"b", limit=2), ("get_prefix", "a", None, 2)),
        (op.Range(b"a", b"b", sort_order=op.SortOrder.DESCEND), ("get_prefix", "a", "descend", 0)),
        (op.Range(b"a", b"b", keys_only=True), ("get_range", "a", "b", {"keys_only": True})),
        (op.Range(b"a", b"c"), ("get_range", "a", "c", {})),
        (op.Range(b"\0", b"\0"), ("get_all", {})),
        (op.Range(b"\0", b"\0", limit=1), ("get_range", "\0", "\0", {"limit": 1})),
        (PUT, ("put", "a", "1", None)),
        (op.Put(b"a", b"1", lease=5), ("put", "a", "1", 5)),
        (is_put(ABSENT, PUT), ("put_if_not_exists", "a", "1")),
        (
            is_put(op.Compare(b"a", op.CompareTarget.VALUE, op.CompareResult.EQUAL, b"0"), PUT),
            ("replace", "a", "0", "1"),
        ),
        (DELETE, ("delete", "a", False)),
    ],
    ids=str,
)
def test_the_call_is_the_most_special_one_that_says_it_all(operation: op.Operation, call: tuple[Any, ...]) -> None:
    target = Etcd3Mock(Recorder)
    target.reset()
    assert target.can_express(operation)
    target.apply(operation)
    assert target._client.calls == [call]


@pytest.mark.parametrize(
    "operation",
    [
        op.Range(b"a", serializable=True),
        op.Range(b"a\xff"),  # no text
        op.Put(b"a", prev_kv=True),
        op.Put(b"a", ignore_value=True),
        op.Put(b"a", b"\xff"),
        op.DeleteRange(b"a", b"b"),
        op.DeleteRange(b"a", prev_kv=True),
        is_put(ABSENT, op.Put(b"b")),
        is_put(ABSENT, op.Put(b"a", lease=5)),
        op.Txn(success=(PUT,)),
        op.LeaseGrant(60, id=7),
        op.LeaseRevoke(5),
        op.LeaseKeepAlive(LeaseOf(1)),
        op.LeaseTimeToLive(LeaseOf(1), keys=True),
        op.Compact(5),
        op.WatchCreate(b"a"),
    ],
    ids=str,
)
def test_what_no_signature_takes_is_not_asked(operation: op.Operation) -> None:
    assert not Etcd3Mock(Recorder).can_express(operation)


def test_a_lease_is_given_back_as_the_object_that_it_came_as() -> None:
    target = Etcd3Mock(Recorder)
    assert target.apply(op.LeaseGrant(60)) == LeaseGrantResult(0, 41, 60)
    target.apply(op.Put(b"a", b"1", lease=41))
    assert target._client.calls[-1][-1].ttl == 60
    assert target.can_express(op.LeaseRevoke(LeaseOf(1)))
    target.apply(op.LeaseRevoke(41))
    assert target._client.calls[-1] == ("revoke",)


def test_a_mock_that_takes_no_id_of_a_lease_is_given_none() -> None:
    class OfObjects(Recorder):
        def put(self, key: str, value: str, lease: Any = None) -> None:
            super().put(key, value, lease and lease.id)

    target = Etcd3Mock(OfObjects)
    assert target.can_express(op.Put(b"a", lease=LeaseOf(1)))
    assert not target.can_express(op.Put(b"a", lease=404))
    assert not Etcd3Mock(OfObjects).can_express(op.Txn(success=(op.Put(b"a", lease=404),)))
    target.reset()
    target.apply(op.LeaseGrant(60))
    target.apply(op.Put(b"a", b"1", lease=41))
    assert target._client.calls == [("put", "a", "1", 41)]


def test_the_operations_are_those_that_there_are_methods_for() -> None:
    known = {"range", "put", "delete_range", "txn", "lease_grant", "lease_revoke", "advance"}
    assert Etcd3Mock(Recorder).capabilities == known
    assert Etcd3Mock(Recorder).real_time
    assert returning(put=None).capabilities == {"put"}


def test_a_mock_that_takes_no_text_is_given_bytes() -> None:
    class OfBytes(Recorder):
        def put(self, key: Any, value: Any, lease: Any = None) -> None:
            super().put(key.decode(), value.decode(), lease)

    target = Etcd3Mock(OfBytes)
    assert b"a\xff" in target.keys
    assert target.can_express(op.Range(b"a\xff"))
    target.reset()
    target.apply(READ)
    assert target._client.calls == [("get", b"a")]


def test_what_is_refused_as_not_implemented_is_not_asked_again() -> None:
    class Forwards(Recorder):
        def get_range(self, start: str, end: str, **options: Any) -> Any:
            return self.get_prefix(f"{start}{end}", **options)

        def delete(self, key: str, return_response: bool = False) -> Any:
            raise NotImplementedError

    target = Etcd3Mock(Forwards)
    for operation in (op.Range(b"a", b"c", serializable=True), DELETE):
        assert target.can_express(operation)
        with pytest.raises(NotExpressible):
            target.apply(operation)
        assert not target.can_express(operation)
    assert target.can_express(op.Range(b"a", b"c", limit=1))


def test_what_a_mock_object_makes_up_is_not_asked() -> None:
    def make() -> MagicMock:
        client = MagicMock()
        client.put.side_effect = {}.__setitem__
        return client

    target = Etcd3Mock(make)
    assert target.capabilities == {"put"}
    assert not target.can_express(op.Put(b"a", lease=5))
    assert target.name == "make"


# Revisions, time and sequences.


class Counting:
    """Puts that count revisions, from one that is not etcd's."""

    def __init__(self) -> None:
        self.now, self.kept, self.closed = 10, dict[str, int](), False

    def put(self, key: str, value: str) -> None:
        del value
        self.now += 1
        self.kept[key] = self.now

    def get(self, key: str) -> Any:
        return ("", of(mod_revision=self.kept[key])) if key in self.kept else (None, None)

    def close(self) -> None:
        self.closed = True


def test_revisions_count_from_that_of_an_empty_store() -> None:
    assert Etcd3Mock(Counting).reset() == 10
    assert Etcd3Mock(Recorder).reset() is None


def test_each_sequence_has_a_client_of_its_own() -> None:
    target = Etcd3Mock(Counting)
    first = target._client
    target.apply(PUT)
    target.reset()
    assert first.closed
    assert target.apply(READ) == RangeResult(0)
    target.close()
    assert target._client.closed


def test_a_shared_store_is_reset() -> None:
    client = Counting()
    client.close = lambda: None  # type: ignore[method-assign]  # it is always the same
    with pytest.raises(UnfitClient, match="clients that are not empty"):
        Etcd3Mock(lambda: client)
    client.reset = client.kept.clear  # type: ignore[attr-defined]  # it has one now
    assert Etcd3Mock(lambda: client).capabilities == {"put", "range"}


def test_a_mock_that_can_advance_its_time_is_told_to() -> None:
    class Advancing(Recorder):
        def advance(self, seconds: int) -> None:
            self.calls.append(("advance", seconds))

    target = Etcd3Mock(Advancing)
    assert not target.real_time
    target.apply(op.Advance(3))
    assert target._client.calls[-1] == ("advance", 3)


# What is wrong in the input.

MODULE = """
from unittest.mock import MagicMock
from etcd_lockstep import Target

class Everything:
    def __getattr__(self, name):
        return lambda *_, **__: None

class Nothing:
    pass

class Needs:
    def __init__(self, host):
        pass

class Transacting:
    def transaction(self, compare, success, failure):
        return True, []

class Own(Target):
    pass

def raising():
    raise OSError("no such host")

def nothing():
    return None

number = 5
"""


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("mocks", "etcd3:mocks: a mock of the etcd3 client is named as in etcd3:package.module:Class"),
        ("mocks:", "etcd3:mocks:: a mock of the etcd3 client is named as in etcd3:package.module:Class"),
        ("missing:Mock", "can't import missing (ModuleNotFoundError: No module named 'missing')"),
        ("mocks:Missing", "Missing in mocks is not there"),
        ("mocks:number", "number in mocks can't be called, and should make a client"),
        ("mocks:Own", "Own is a target already: --against mocks:Own"),
        ("mocks:raising", "raising() raised OSError: no such host"),
        ("mocks:nothing", "nothing() returned None, and should make a client"),
        ("mocks:Nothing", "Nothing() made Nothing, which has none of the etcd3 client's methods"),
        ("mocks:Needs", re.compile(r"Needs\(\) raised TypeError: .* missing 1 required positional argument: 'host'")),
        ("mocks:Everything", "Everything() made Everything, which has every method that one asks for"),
        ("mocks:MagicMock", "MagicMock() made MagicMock, none of whose methods has a side_effect"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(elsewhere: Path, name: str, line: str | re.Pattern[str]) -> None:
    (elsewhere / "mocks.py").write_text(MODULE)
    with pytest.raises(UnknownTarget) as refused:
        find(f"etcd3:{name}").make()  # type: ignore[union-attr]  # one of the user's
    said = str(refused.value)
    assert "\n" not in said
    assert re.search(line if isinstance(line, re.Pattern) else re.escape(line), said), said


# In the suite.


@needs_etcd3
def test_etcd3_on_the_fake_answers_as_etcd_but_for_options_that_it_drops() -> None:
    def make() -> Any:
        etcd = FakeEtcd()
        client = etcd.etcd3_client()
        client.advance = etcd.advance
        return client

    held = op.Put(b"a", b"1", lease=LeaseOf(1))
    absent = op.Txn((ABSENT,), (held, op.Range(b"a"), op.DeleteRange(b"b", prev_kv=True)), (op.Range(b"a"),))
    trace: Trace = (
        op.LeaseGrant(60),
        op.WatchCreate(b"a", b"b"),
        absent,
        absent,
        op.Range(b"a"),
        op.Range(b"a", b"c", sort_order=op.SortOrder.DESCEND, keys_only=True),
        op.Put(b"b", prev_kv=True),
        op.Put(b"c", lease=404),
        op.Compact(RevisionAt(4)),
        op.LeaseKeepAlive(LeaseOf(1)),
        op.LeaseTimeToLive(LeaseOf(1), keys=True),
        op.DeleteRange(b"b", prev_kv=True),
        op.Advance(61),
        op.Range(b"\0", b"\0"),
        op.LeaseTimeToLive(LeaseOf(1), keys=True),
        op.LeaseRevoke(LeaseOf(1)),
        op.WatchRead(),
        op.LeaseGrant(9, id=7),
        op.LeaseGrant(9, id=7),
    )
    assert_trace_matches(trace, partial(Etcd3Mock, make))
    with pytest.raises(DivergenceFound, match="limit 1"):
        assert_trace_matches((op.Put(b"a"), op.Put(b"aa"), op.Range(b"a", b"b", limit=1)), partial(Etcd3Mock, make))


class FewKeys(Etcd3Mock):
    keys = (b"/slots/a", b"/slots/b")

    def __init__(self) -> None:
        super().__init__(Counting)


@pytest.mark.parametrize("named", [FewKeys, f"etcd3:{__name__}:Counting"], ids=["a class", "a name"])
def test_a_state_machine_takes_a_mock(named: Any) -> None:
    class Machine(LockstepMachine):
        target = named
        families = ("kv",)

    with pytest.raises(DivergenceFound, match="Counting lies: "):
        run_state_machine_as_test(Machine, settings=settings(phases=[Phase.generate], database=None))


def test_a_class_of_its_own_says_which_keys_are_drawn() -> None:
    assert FewKeys().keys == FewKeys.keys
    assert FewKeys().name == "Counting"
