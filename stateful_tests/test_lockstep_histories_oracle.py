"""The checker against an oracle that tries every order. `make check-histories` does the same on a million histories."""

from __future__ import annotations

import random

import pytest

from etcd_lockstep.histories import Account, Call, History, Linearizable, Violated, check
from etcd_lockstep.histories.plain import plain_delete, plain_txn
from etcd_lockstep.histories.proving.__main__ import main
from etcd_lockstep.histories.proving.agreement import MOST_CALLS, Tally, compare, history_of, tally
from etcd_lockstep.histories.proving.drawn import draw, draw_operation
from etcd_lockstep.histories.proving.oracle import is_linearizable
from etcd_lockstep.histories.store import reported
from etcd_model import State, step
from etcd_model.operations import DeleteRange, Put, Range, Txn
from etcd_model.results import Event, KeyValue, PutResult, RangeResult

HISTORIES = 2_000


def test_what_was_drawn_is_linearizable() -> None:
    for seed in range(300):
        source = random.Random(seed)
        history = draw(source, calls=source.randint(5, 60), clients=6)
        assert check(history) == Linearizable(), seed


@pytest.fixture(scope="module")
def counted() -> Tally:
    return tally(range(HISTORIES))


def test_the_checker_agrees_with_the_oracle(counted: Tally) -> None:
    assert counted.histories == HISTORIES
    assert counted.disagreements == []
    wrong = sum(number for name, number in counted.verdicts.items() if name.endswith("says not"))
    assert 0.2 < wrong / HISTORIES < 0.8, "both sorts are among them"
    assert counted.unknown / HISTORIES < 0.005


def test_violations_of_many_sorts_are_among_them(counted: Tally) -> None:
    for name in ("lost write", "phantom write", "stale read", "future read", "wrong answer", "real-time order broken"):
        assert counted.verdicts[f"violation: {name}, the oracle says not"], name


def test_a_history_is_the_same_for_its_seed() -> None:
    assert history_of(5) == history_of(5)
    assert len(history_of(5).calls) <= MOST_CALLS


def test_the_oracle_tries_every_order() -> None:
    put = [Call(1, Put(b"a", b"%d" % number), 0, 100, PutResult(4 - number)) for number in range(3)]
    read = Call(2, Range(b"a"), 50, 60, RangeResult(3, (KeyValue(b"a", b"1", 2, 3, 2),), count=1))
    assert is_linearizable(History([*put, read]))
    late = Call(2, Range(b"a"), 150, 160, RangeResult(3, (KeyValue(b"a", b"1", 2, 3, 2),), count=1))
    assert not is_linearizable(History([*put, late]))
    assert isinstance(check(History([*put, late])), Violated)


def test_the_oracle_compares_the_account() -> None:
    history = History([Call(1, Put(b"a", b"1"), 0, 10, PutResult(2))])
    event = Event(0, KeyValue(b"a", b"1", 2, 2, 1))
    assert is_linearizable(History(history.calls, account=Account(20, 2, (event,))))
    assert not is_linearizable(History(history.calls, account=Account(20, 2, ())))
    assert not is_linearizable(History(history.calls, account=Account(20, 1, ())))


def test_many_are_compared_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--histories", "60", "--seed", "7", "--processes", "1"]) == 0
    said = capsys.readouterr().out
    assert "of 60 agree, " in said
    assert said.endswith(" unknown, 0 differ\n")


def test_a_disagreement_would_be_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etcd_lockstep.histories.proving.agreement.is_linearizable", lambda _history: False)
    verdict, _right = compare(0)
    assert isinstance(verdict, Linearizable)
    assert 0 in tally(range(1)).disagreements
    with pytest.raises(SystemExit) as ended:
        main(["--histories", "0"])
    assert ended.value.code == 2
    assert "whole numbers from 1 on" in capsys.readouterr().err


def test_what_is_plain_is_as_the_model_says() -> None:
    """The checker's short cut for plain txns and deletions, on 3,000 states and operations."""
    plain = 0
    for seed in range(3_000):
        source = random.Random(seed)
        state = State()
        for _ in range(source.randint(0, 6)):
            state, _result = step(state, draw_operation(source, state.revision))
        operation = draw_operation(source, state.revision)
        after, result = step(state, operation)
        made: object = None
        if isinstance(operation, Txn):
            made = plain_txn(operation, state.keys, state.revision + 1)
        elif isinstance(operation, DeleteRange) and not operation.range_end:
            made = plain_delete(operation, state.keys, state.revision + 1)
        if made is not None:
            plain += 1
            events = after.commits[-1].events if after.revision > state.revision else ()
            assert made == (result, tuple(map(reported, events))), seed
    assert plain > 300
