"""History files: what is written is read again, and what can't be read is refused in one line that says where."""

from __future__ import annotations

import json
import os
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from etcd_lockstep import check_history
from etcd_lockstep.filing.corpus import BadFile
from etcd_lockstep.histories import (
    Account,
    Anomaly,
    BadHistory,
    Beginning,
    Call,
    Fault,
    History,
    Indefinite,
    Linearizable,
    Violated,
    Watch,
    WatchResponse,
)
from etcd_lockstep.histories.files import FORMAT, NAME, load_history, save_history
from etcd_lockstep.histories.proving.drawn import draw
from etcd_model.errors import LEASE_NOT_FOUND
from etcd_model.operations import LeaseTimeToLive, Put, Range, SortOrder, SortTarget, Status, Txn, WatchCreate
from etcd_model.results import (
    Event,
    KeyValue,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
    StatusResult,
    TxnResult,
)


def header(**more: Any) -> dict[str, Any]:
    return {"format": NAME, "version": FORMAT, **more}


def put_line(**more: Any) -> dict[str, Any]:
    return {
        "client": 1,
        "invoked": 0,
        "returned": 10,
        "call": {"op": "put", "key": "a", "value": "1"},
        "answer": {"answer": "put", "revision": 2},
        **more,
    }


def without(line: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != name}


def written(folder: Path, *lines: object) -> Path:
    path = folder / "history.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    strange = KeyValue(b"\xff\x00", b"x" * 5000, 2, 2, 1, lease=-7)
    history = History(
        [
            Call(1, Put(b"\xff\x00", b"x" * 5000, lease=-7), 5, 9, PutResult(2, strange)),
            Call(2, Range(b"a", b"b", sort_order=SortOrder.DESCEND, sort_target=SortTarget.MOD), 5, 6, RangeResult(1)),
            Call(2, Txn((), (Range(b"a"), Txn())), 7, 8, TxnResult(2, True, (RangeResult(2), TxnResult(0, True)))),
            Call(3, Put(b"a", lease=9), 5, 6, LEASE_NOT_FOUND),
            Call(3, Put(b"a"), 7, None, Indefinite("UNAVAILABLE: “gone”")),
            Call(3, LeaseTimeToLive(9, keys=True), 7, 9, LeaseTimeToLiveResult(2, 9, 5, 60, (b"\xff", b"a"))),
            Call(4, Status(), 7, 9, StatusResult(2, "3.5.16")),
        ],
        (
            Watch(5, WatchCreate(b"a", prev_kv=True), 0, None),
            Watch(
                6,
                WatchCreate(b"a", b"\0", start_revision=1, filters=(1,)),
                0,
                1,
                (
                    WatchResponse(9, 2, (Event(0, strange), Event(1, strange, strange)), fragment=True),
                    WatchResponse(10, 2, canceled=True, compact_revision=2),
                ),
            ),
        ),
        Account(20, 2, (Event(0, strange),)),
        Beginning(1, (KeyValue(b"k", b"v", 1, 1, 1),), {9: 60}, compact_revision=0),
        "3.6.16",
        min_lease_ttl=5,
        faults=(Fault("pause", 6, 8, "member 2"), Fault("cut", 9)),
    )
    save_history(history, tmp_path / "history.jsonl")
    assert load_history(tmp_path / "history.jsonl") == history


def test_drawn_histories_are_read_again(tmp_path: Path) -> None:
    for seed in range(30):
        history = draw(random.Random(seed), calls=20)
        save_history(history, tmp_path / "history.jsonl")
        assert load_history(tmp_path / "history.jsonl") == history


def test_only_the_first_line_is_needed(tmp_path: Path) -> None:
    assert load_history(written(tmp_path, header())) == History([])
    assert load_history(written(tmp_path, header(), "", put_line(), " ")).calls[0].outcome == PutResult(2)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    save_history(History([]), path)
    before = path.read_text()
    with pytest.raises(KeyError):
        save_history(History([Call(1, Put(b"a"), 0, 1, _Unwritable())]), path)  # type: ignore[arg-type]  # on purpose
    assert path.read_text() == before
    assert os.listdir(tmp_path) == ["history.jsonl"]
    with pytest.raises(OSError, match="No such file") as raised:
        save_history(History([]), tmp_path / "nowhere" / "history.jsonl")
    assert raised.value.filename == str(tmp_path / "nowhere" / "history.jsonl")


class _Unwritable:
    revision = 3


def refusal(path: Path) -> str:
    with pytest.raises(BadFile) as refused:
        load_history(path)
    said = str(refused.value)
    assert "\n" not in said
    assert said.startswith(str(path))
    return said.removeprefix(str(path))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], ":1: not JSON"),
        (["{"], ":1: not JSON"),
        (["[]"], ":1: it holds no object"),
        ([{}], ":1: not a history"),
        ([{"format": NAME}], ":1: not a history: it has no format version"),
        ([header(version=FORMAT + 1)], f":1: version {FORMAT + 1} of the format is newer"),
        ([header(version=True)], ":1: not a history: it has no format version"),
        ([header(colour="red")], ":1: the first line has no 'colour'"),
        ([header(etcd=3)], ":1: 'etcd' is the release, as text"),
        ([header(etcd="next")], ":1: "),
        ([header(min_lease_ttl="2")], ":1: min_lease_ttl is a whole number"),
        ([header(beginning=[])], ":1: 'beginning' is an object"),
        ([header(beginning={"leases": [1]})], ":1: a lease of the beginning"),
        ([header(beginning={"kvs": [{"key": "a"}]})], ":1: a key-value needs 'value'"),
        ([header(), "["], ":2: not JSON"),
        ([header(), "[" * 100_000], ":2: "),
        ([header(), "\ud800"], ":2: not UTF-8"),
        ([header(), '{"client": ' + "9" * 5000 + "}"], ":2: "),
        ([header(), {}], ":2: a line has 'call'"),
        ([header(), {"account": {"asked": 1}}], ":2: an account has 'asked' and 'until'"),
        ([header(), {"account": {"asked": 1, "until": 1}}, {"account": {"asked": 1, "until": 1}}], ":3: a line has"),
        ([header(), {"account_events": []}, {"account_events": [{"type": "MOVE"}]}], ":3: the type of an event"),
        ([header(), {"account_events": [{"type": "PUT", "kv": 3}]}], ":2: kv is an object"),
        ([header(), put_line(), without(put_line(), "answer")], ":3: a call has one of"),
        ([header(), put_line(indefinite="")], ":2: a call has one of"),
        ([header(), put_line(colour="red")], ":2: a call has no 'colour'"),
        ([header(), without(put_line(), "client")], ":2: 'client' is missing"),
        ([header(), put_line(client="one")], ":2: client is a whole number"),
        ([header(), put_line(invoked=1.5)], ":2: invoked is a whole number"),
        ([header(), put_line(returned=2**70)], ":2: returned is a whole number"),
        ([header(), put_line(call={"op": "putt"})], ":2: no operation is called 'putt'"),
        ([header(), put_line(call={"op": "put", "key": "a", "lease": {"lease_of": 1}})], ":2: lease can't be"),
        ([header(), put_line(answer={"answer": "hash"})], ":2: no answer is called 'hash'"),
        ([header(), put_line(answer=[])], ":2: an answer is an object"),
        ([header(), put_line(answer={"answer": "put"})], ":2: the answer put needs 'revision'"),
        (
            [header(), put_line(answer={"answer": "put", "revision": 2, "more": True})],
            ":2: the answer put has no 'more'",
        ),
        ([header(), put_line(answer={"answer": "put", "revision": True})], ":2: revision is a whole number"),
        ([header(), {**without(put_line(), "answer"), "error": {"code": "BAD"}}], ":2: the code of an error"),
        ([header(), {**without(put_line(), "answer"), "indefinite": 3}], ":2: indefinite is text"),
        ([header(), put_line(returned=-1)], ": call 1 returned before it was invoked"),
        ([header(), without(put_line(), "returned")], ": call 1 has an answer, and no time"),
        ([header(), {"client": 1, "invoked": 0, "watch": {"op": "put", "key": "a"}}], ":2: a watch is begun by"),
        (
            [header(), {"client": 1, "invoked": 0, "watch": {"op": "watch_create", "key": "a"}, "responses": [{}]}],
            ":2: ",
        ),
        ([header(), {"account_events": [{"type": "PUT", "kv": {"key": {"hex": "zz"}}}]}], ":2: "),
        ([header(), {"fault": "kill"}], ":2: 'began' is missing"),
        ([header(), {"fault": 9, "began": 1}], ":2: fault is text"),
        ([header(), {"fault": "kill", "began": 1, "member": 2}], ":2: a fault has no 'member'"),
        ([header(), {"fault": "kill", "began": 1, "of": 2}], ":2: of is text"),
        ([header(), {"fault": "kill", "began": 1, "ended": "2"}], ":2: ended is a whole number"),
        ([header(), {"fault": "kill", "of": "member 2", "began": 2, "ended": 1}], ": the fault 'kill member 2' ended"),
    ],
)
def test_what_can_not_be_read_is_refused(tmp_path: Path, lines: list[object], said: str) -> None:
    path = tmp_path / "history.jsonl"
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    path.write_bytes(text.encode(errors="surrogatepass"))
    assert refusal(path).startswith(said)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing") == ": can't be read: No such file or directory"
    assert refusal(tmp_path) == ": can't be read: Is a directory"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == ": can't be read: not a regular file"


# Logs of Jepsen's

JEPSEN = """\
INFO  jepsen.core - Worker 0 starting
INFO  jepsen.util - 0	:invoke	:read	nil
INFO  jepsen.util - 1	:invoke	:write	3
INFO  jepsen.util - 0	:ok	:read	nil
INFO  jepsen.util - 1	:ok	:write	3
INFO  jepsen.util - 2	:invoke	:cas	[3 4]
INFO  jepsen.util - 3	:invoke	:cas	[9 5]
INFO  jepsen.util - 4	:invoke	:write	7
INFO  jepsen.util - 2	:ok	:cas	[3 4]
INFO  jepsen.util - 3	:fail	:cas	[9 5]
INFO  jepsen.util - 4	:info	:write	:timed-out
INFO  jepsen.util - 5	:invoke	:read	nil
INFO  jepsen.util - 5	:fail	:read	:timed-out
INFO  jepsen.util - 6	:invoke	:read	nil
INFO  jepsen.util - 6	:ok	:read	{last}
INFO  jepsen.util - 7	:invoke	:write	8
"""


@pytest.mark.parametrize(("last", "right"), [("4", True), ("7", True), ("3", False), ("8", False), ("nil", False)])
def test_a_log_of_jepsens_is_a_history_of_one_key(tmp_path: Path, last: str, right: bool) -> None:
    path = tmp_path / "etcd.log"
    path.write_text(JEPSEN.replace("{last}", last))
    history = load_history(path)
    assert len(history.calls) == 8
    assert sum(isinstance(call.outcome, Indefinite) for call in history.calls) == 3
    assert isinstance(check_history(path), Linearizable if right else Violated)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("INFO  jepsen.util - 0	:ok	:read	nil", ":2: client 0 is answered, and has invoked nothing"),
        ("INFO  jepsen.util - 9	:invoke	:write	nil", ":2: a write has no value 'nil'"),
        ("WARN something", ":2: not a line of a log of Jepsen's"),
        (
            "INFO  jepsen.util - 9	:invoke	:read	nil\nINFO  jepsen.util - 9	:invoke	:read	nil",
            ":3: client 9 invokes a call",
        ),
    ],
)
def test_a_broken_log_is_refused(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "etcd.log"
    path.write_text(f"INFO  jepsen.core - begins\n{line}\n")
    assert refusal(path).startswith(said)


# The documentation

PAGE = Path(__file__).parent.parent / "docs" / "concurrency.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not installed with the package")
def test_the_file_of_the_documentation_is_a_linearizable_history(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "example.jsonl").write_text(example)
    history = load_history(tmp_path / "example.jsonl")
    assert (len(history.calls), len(history.watches), len(history.faults)) == (4, 1, 1)
    assert check_history(history) == Linearizable()


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not installed with the package")
def test_every_violation_is_in_the_documentation() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for anomaly in Anomaly:
        assert f"\n| {anomaly.value} | " in page


def changed(source: random.Random, value: Any) -> Any:
    """A JSON value with something else somewhere in it, or something left out."""
    if isinstance(value, dict) and value:
        key = source.choice(list(value))
        if source.random() < 0.15:
            return without(value, key)
        return {**value, key: changed(source, value[key])}
    if isinstance(value, list) and value:
        at = source.randrange(len(value))
        return [*value[:at], changed(source, value[at]), *value[at + 1 :]]
    return source.choice([None, -1, 0, 2**63 - 1, 10**30, "", "x", True, [], {}, 1.5, {"hex": "00"}, [1], 7])


def test_whatever_stands_in_a_file_it_is_checked_or_refused_in_one_line(tmp_path: Path) -> None:
    source = random.Random(1)
    history = replace(draw(source, calls=40, accounted=True), faults=[Fault("kill", 5, 9)])
    save_history(history, tmp_path / "history.jsonl")
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    said: list[str] = []
    for _ in range(300):
        at = source.randrange(len(lines))
        path = written(tmp_path, *lines[:at], changed(source, json.loads(lines[at])), *lines[at + 1 :])
        try:
            check_history(path)
        except (BadFile, BadHistory) as error:
            said.append(str(error))
    assert 30 < len(said) < 300
    assert not any("\n" in reason for reason in said)
