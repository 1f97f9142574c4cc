"""`etcd-lockstep check`: verdicts in words and as JSON, and exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from etcd_lockstep.console.cli import main
from etcd_lockstep.histories import Account, Call, Fault, History, Indefinite, Watch, WatchResponse
from etcd_lockstep.histories.files import save_history
from etcd_model.errors import Code, Error
from etcd_model.operations import AuthStatus, Put, Range, WatchCreate
from etcd_model.results import Event, KeyValue, PutResult, RangeResult

Capture = pytest.CaptureFixture[str]

MS = 1_000_000
PUTS = (Call(1, Put(b"a", b"1"), 0, 2 * MS, PutResult(2)), Call(1, Put(b"a", b"2"), 3 * MS, 4 * MS, PutResult(3)))
FIRST, SECOND = KeyValue(b"a", b"1", 2, 2, 1), KeyValue(b"a", b"2", 2, 3, 2)
RIGHT = History(PUTS, account=Account(9 * MS, 3, (Event(0, FIRST), Event(0, SECOND))))
STALE = History([*PUTS, Call(2, Range(b"a"), 5 * MS, 6 * MS, RangeResult(2, (FIRST,), count=1))])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def check(*arguments: str) -> int:
    return main(("check", *arguments))


def saved(**histories: History) -> None:
    for name, history in histories.items():
        save_history(history, Path(name))


def lines(capsys: Capture) -> Sequence[str]:
    return capsys.readouterr().out.splitlines()


def test_a_linearizable_history(capsys: Capture) -> None:
    saved(right=RIGHT)
    assert check("right") == 0
    assert lines(capsys) == [
        "right: linearizable",
        "   2 calls of 1 client, 0 indefinite; the store's account up to revision 3",
    ]


def test_a_violation_is_shown_with_its_calls(capsys: Capture) -> None:
    saved(stale=STALE)
    assert check("stale") == 1
    assert lines(capsys) == [
        "stale: violation: stale read",
        "   it was answered at revision 2, after a write had returned at 3",
        '   ▶ call 3, client 2, 5.000 ms to 6.000 ms: range "a"',
        "        revision: 2",
        '        kvs: "a" = "1", create 2, mod 2, version 1',
        "        count: 1",
        '     call 2, client 1, 3.000 ms to 4.000 ms: put "a" = "2"',
        "        revision: 3",
        "   3 calls of 2 clients, 0 indefinite",
    ]


def test_a_watch_is_shown_with_its_events(capsys: Capture) -> None:
    responses = (WatchResponse(5 * MS, 3, (Event(0, SECOND),)),)
    saved(watch=History(PUTS, (Watch(7, WatchCreate(b"a", start_revision=2), 0, 1, responses),)))
    assert check("watch") == 1
    assert lines(capsys) == [
        "watch: violation: watch lost",
        '   it was sent the put of "a" at revision 3, and not the put of "a" at revision 2 before',
        '   ▶ client 7, from 0.000 ms: watch "a" on stream 0 from revision 2',
        '        PUT "a" = "2", create 2, mod 3, version 2',
        "   2 calls of 1 client, 0 indefinite; 1 watch",
    ]


def test_what_is_unknown_has_an_exit_code_of_its_own(capsys: Capture) -> None:
    open_calls = [Call(1, AuthStatus(), 0, None, Indefinite("UNAVAILABLE: connection reset"))]
    saved(unknown=History(open_calls), right=RIGHT, stale=STALE)
    assert check("unknown", "right") == 4
    assert lines(capsys)[:4] == [
        "unknown: unknown",
        "   1 of 1 calls: the answers of auth_status are not checked",
        "   ▶ call 1, client 1, 0.000 ms never returned: auth_status",
        "        indefinite: UNAVAILABLE: connection reset",
    ]
    assert check("unknown", "stale", "right") == 1


def test_refusals_that_are_not_checked_are_counted(capsys: Capture) -> None:
    crowded = Error(Code.RESOURCE_EXHAUSTED, "etcdserver: too many requests")
    saved(crowded=History([Call(1, Put(b"a"), 0, 1, crowded)]))
    assert check("crowded") == 0
    assert "1 refusal had another reason than the keys and leases" in lines(capsys)[1]


def test_what_can_not_be_read_is_refused_and_the_rest_is_checked(capsys: Capture) -> None:
    saved(stale=STALE)
    Path("broken").write_text("{}\n")
    assert check("missing", "broken", "stale") == 2
    assert [line.strip() for line in lines(capsys)[:3]] == [
        "missing: can't be read: No such file or directory",
        "broken:1: not a history: the first line is an object with 'format', which is 'etcd-lockstep history'",
        "stale: violation: stale read",
    ]


def test_verdicts_as_json() -> None:
    crowded = History([Call(1, AuthStatus(), 0, None, Indefinite(""))])
    saved(right=RIGHT, stale=STALE, unknown=crowded)
    assert check("right", "stale", "unknown", "--json", "verdicts.json") == 1
    assert json.loads(Path("verdicts.json").read_text()) == [
        {"file": "right", "verdict": "linearizable", "refusals_not_checked": 0},
        {
            "file": "stale",
            "verdict": "violation",
            "violations": [
                {
                    "name": "stale read",
                    "what": "it was answered at revision 2, after a write had returned at 3",
                    "calls": [3, 2],
                    "watch": None,
                    "revision": 2,
                }
            ],
        },
        {
            "file": "unknown",
            "verdict": "unknown",
            "where": "1 of 1 calls",
            "why": "the answers of auth_status are not checked",
            "calls": [1],
        },
    ]


def test_usage_is_refused_in_one_line(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        check()
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    saved(right=RIGHT)
    assert check("right", "--json", "nowhere/verdicts.json") == 2
    assert capsys.readouterr().err == "etcd-lockstep: --json nowhere/verdicts.json: there is no folder nowhere\n"


def test_the_exit_codes_are_in_the_help(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        check("--help")
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "0 every history is linearizable; 1 one has a violation; 2 usage, or a file can't be read; 4" in said


def test_the_page_has_the_calls_and_marks_those_that_show_the_violation() -> None:
    late = Call(1, Put(b"a", b"3"), 7 * MS, 8 * MS, PutResult(4))
    lost = Call(3, Put(b"b", b"</script>"), MS, None, Indefinite("UNAVAILABLE"))
    saved(right=RIGHT, stale=History([*STALE.calls, late, lost]))
    assert check("right", "stale", "--html", "page.html") == 1
    text = Path("page.html").read_text(encoding="utf-8")
    assert "http" not in text
    assert "<h1>stale</h1>" in text
    data = json.loads(re.findall(r'<script id="data" type="application/json">(.*)</script>', text)[0])
    assert data["clients"] == ["client 1", "client 2", "client 3"]
    assert [(call["from"], call["to"]) for call in data["calls"]] == [
        (0, 2000), (3000, 4000), (5000, 6000), (7000, 8000), (1000, None)
    ]  # fmt: skip
    assert [call["kind"] for call in data["calls"]] == [*["answered"] * 4, "indefinite"]
    assert 'data-calls="2 1"' in text
    assert data["consistent"] == 6000


def test_the_page_has_the_faults_along_the_same_time() -> None:
    faults = (Fault("partition", 2 * MS, 4 * MS, "member <2>"), Fault("cut", 6 * MS))
    saved(faulty=replace(STALE, faults=faults))
    assert check("faulty", "--html", "page.html") == 1
    text = Path("page.html").read_text(encoding="utf-8")
    data = json.loads(re.findall(r'<script id="data" type="application/json">(.*)</script>', text)[0])
    assert [(one["asked"], one["from"], one["to"]) for one in data["faults"]] == [
        ("partition member <2>", 2000, 4000),
        ("cut", 6000, None),
    ]
    assert "a fault, from its beginning to its end" in text
    saved(calm=STALE)
    assert check("calm", "--html", "page.html") == 1
    assert "a fault, from its beginning to its end" not in Path("page.html").read_text(encoding="utf-8")


def test_the_page_of_what_is_right_marks_nothing() -> None:
    saved(right=RIGHT, watch=History(PUTS, (Watch(7, WatchCreate(b"b"), 0, 1, (WatchResponse(5 * MS, 2),)),)))
    assert check("right", "watch", "--html", "page.html") == 0
    text = Path("page.html").read_text(encoding="utf-8")
    assert "data-calls=" not in text
    assert '"consistent": null' in text


def test_a_page_that_cannot_be_written_is_refused_first(capsys: Capture) -> None:
    saved(right=RIGHT)
    assert check("right", "--html", "no/such/folder/page.html") == 2
    assert "no/such/folder" in capsys.readouterr().err
