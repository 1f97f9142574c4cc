"""Which keys a range names, at its edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from etcd_model import State, nondeterminism, step
from etcd_model.errors import EMPTY_KEY, INVALID_SORT_OPTION
from etcd_model.operations import Put, Range, RangeStream, SortOrder, SortTarget, Txn
from etcd_model.quirks import quirks_of
from etcd_model.ranges import check, read, select
from etcd_model.results import KeyValue, RangeResult

KEYS = {
    key: KeyValue(key, b"", 2, 2, 1) for key in (b"b", b"\xff\xff", b"a", b"\x00", b"a\x00", b"aa", b"\xff", b"a\xff")
}


@pytest.mark.parametrize(
    ("key", "range_end", "named"),
    [
        (b"a", b"", [b"a"]),
        (b"c", b"", []),
        (b"a", b"b", [b"a", b"a\x00", b"aa", b"a\xff"]),
        (b"a", b"a\x00", [b"a"]),
        (b"a\x00", b"aa", [b"a\x00"]),
        (b"a", b"a", []),
        (b"b", b"a", []),
        (b"b", b"\x00", [b"b", b"\xff", b"\xff\xff"]),
        (b"\x00", b"\x00", [b"\x00", b"a", b"a\x00", b"aa", b"a\xff", b"b", b"\xff", b"\xff\xff"]),
        (b"\x00", b"\x00\x00", [b"\x00"]),
        (b"a", b"\x00\x00", []),
        (b"\xff", b"\x00", [b"\xff", b"\xff\xff"]),
        (b"\xff", b"\xff\xff", [b"\xff"]),
        (b"\xff\xff\xff", b"\x00", []),
    ],
)
def test_a_range_names_these_keys(key: bytes, range_end: bytes, named: list[bytes]) -> None:
    assert [kv.key for kv in select(KEYS, key, range_end)] == named


@pytest.mark.parametrize("version", ["3.5.30", "3.6.0"])
def test_a_known_sort_is_accepted_by_every_version(version: str) -> None:
    for order in SortOrder:
        for target in SortTarget:
            assert check(Range(b"a", sort_order=order, sort_target=target), quirks_of(version)) is None


@pytest.mark.parametrize("field", ["sort_order", "sort_target"])
@pytest.mark.parametrize("value", [-1, 5, 99])
def test_an_unknown_sort_is_refused_since_3_6(field: str, value: int) -> None:
    operation = Range(b"a", **{field: value})  # type: ignore[arg-type]  # both fields are ints
    assert check(operation, quirks_of("3.5.30")) is None
    assert check(operation, quirks_of("3.6.0")) == INVALID_SORT_OPTION
    assert check(Range(b"", sort_order=value), quirks_of("3.6.0")) == EMPTY_KEY


@pytest.mark.parametrize("order", [SortOrder.ASCEND, SortOrder.DESCEND])
@pytest.mark.parametrize("target", [SortTarget.VERSION, SortTarget.CREATE, SortTarget.MOD, SortTarget.VALUE])
def test_a_sort_of_nothing_but_ties_is_in_order_of_key(order: SortOrder, target: SortTarget) -> None:
    operation = Range(b"\x00", b"\x00", sort_order=order, sort_target=target)
    result = read(operation, KEYS, 2, quirks_of("3.5.16"))
    assert [kv.key for kv in result.kvs] == sorted(KEYS)


SEVEN = tuple(b"%d" % number for number in range(7))
BY_VALUE = Range(b"0", b"8", sort_target=SortTarget.VALUE)


def holding(keys: Sequence[bytes], values: Sequence[bytes]) -> State:
    state = State()
    for key, value in zip(keys, values, strict=True):
        state, _ = step(state, Put(key, value))
    return state


@pytest.mark.parametrize(
    ("keys", "values", "operation", "is_open"),
    [
        (SEVEN, [b"v"] * 7, BY_VALUE, True),
        (SEVEN, SEVEN, BY_VALUE, False),
        (SEVEN, [b"v"] * 7, replace(BY_VALUE, sort_target=SortTarget.CREATE), False),
        (SEVEN, [b"v"] * 7, replace(BY_VALUE, sort_target=SortTarget.KEY), False),
        (SEVEN, [b"v"] * 7, replace(BY_VALUE, sort_target=SortTarget.VERSION), True),
        (SEVEN, [b"v"] * 7, replace(BY_VALUE, range_end=b"6"), False),
        (SEVEN, [b"v"] * 7, replace(BY_VALUE, revision=7), False),
        (SEVEN, [b"v"] * 7, RangeStream(b"0", b"8", sort_target=SortTarget.VALUE), True),
        (SEVEN, [b"v"] * 7, Txn(success=(BY_VALUE,)), True),
        (SEVEN, [b"v"] * 7, Txn(failure=(Txn(success=(BY_VALUE,)),)), True),
        (SEVEN[:6], [b"v"] * 6, Txn(success=(Put(b"6", b"v"), BY_VALUE)), True),
        (SEVEN[:6], [b"v"] * 6, Txn(success=(BY_VALUE,)), False),
        (SEVEN, [b"v"] * 7, Txn(success=(replace(BY_VALUE, sort_target=SortTarget.KEY),)), False),
    ],
)
def test_the_order_of_ties_is_open_from_seven_keys_on(
    keys: Sequence[bytes], values: Sequence[bytes], operation: Range | Txn, is_open: bool
) -> None:
    assert (nondeterminism(operation, holding(keys, values)) is not None) is is_open


def test_the_revision_reported_is_that_of_the_header_not_that_of_the_keys() -> None:
    assert read(Range(b"a"), KEYS, 99, quirks_of("3.5.16")).revision == 99


def test_a_range_at_each_revision_is_what_a_range_said_then() -> None:
    state, said = State(), []
    for value in (b"1", b"2", b"3"):
        state, _ = step(state, Put(b"a", value))
        said.append(step(state, Range(b"a"))[1])
    for revision, then in enumerate(said, 2):
        now = step(state, Range(b"a", revision=revision))[1]
        assert isinstance(now, RangeResult)
        assert isinstance(then, RangeResult)
        assert (now.kvs, now.revision) == (then.kvs, 4)
