"""The report, word for word: each file in `golden/` is what the reader of one report sees.

A change of wording or layout is made visible there: run the tests once with the environment variable
REGENERATE_GOLDEN=1, which writes the files anew and fails for each that changed, and look at the difference
before it is committed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from etcd_lockstep.comparing.comparison import BROKEN_PROMISES, Difference
from etcd_lockstep.comparing.observation import Observation, Raised
from etcd_lockstep.console.cli import main
from etcd_lockstep.filing.corpus import file_name
from etcd_lockstep.names import operation_name
from etcd_lockstep.reporting.finding_text import headline
from etcd_lockstep.reporting.summary import reported
from etcd_lockstep.reporting.text import Detail, print_findings
from etcd_lockstep.searching.findings import DIED, Finding, Signature, signature
from etcd_lockstep.trace import LeaseOf, RevisionAt, TokenOf, Trace
from etcd_model import errors
from etcd_model import operations as op
from etcd_model.results import (
    DeleteRangeResult,
    Event,
    HashKVResult,
    KeyValue,
    LeaseKeepAliveResult,
    LeaseRevokeResult,
    LockResult,
    PutResult,
    RangeResult,
    RoleGetResult,
    TxnResult,
    Waiting,
    Watched,
    WatchReadResult,
)

GOLDEN = Path(__file__).parent / "golden"


def check(name: str, text: str) -> None:
    """Compare with the golden file; trailing blanks, with which tables are filled up, don't count."""
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("REGENERATE_GOLDEN") == "1":
        before = path.read_text(encoding="utf-8") if path.exists() else None
        path.write_text(text, encoding="utf-8")
        assert before == text, (
            f"{path.name} is written anew: look at the difference, and run again without the variable"
        )
    assert text == path.read_text(encoding="utf-8"), f"golden/{path.name}: see the top of this file"


def printed(findings: Sequence[Finding], width: int = 100, folder: Path | None = None) -> str:
    out = StringIO()
    files = {file_name(finding): folder / file_name(finding) for finding in findings} if folder else {}
    print_findings(Console(file=out, width=width, force_terminal=False), reported(findings, files), Detail.FULL)
    return out.getvalue()


def finding(
    odd: str,
    trace: Trace,
    difference: tuple[str, ...],
    expected: Observation,
    got: Observation,
    voters: str = "model fake",
) -> Finding:
    """A lie of `odd`, against what the voters said."""
    reported = {name: got if name == odd else expected for name in dict.fromkeys((*voters.split(), odd))}
    *operation, field, kind = difference
    name = operation[0] if operation else operation_name(type(trace[-1]))
    return Finding(Signature(odd, name, field, kind), trace, reported, ())


def kv(key: bytes, value: bytes = b"", create: int = 2, mod: int = 2, version: int = 1, lease: int = 0) -> KeyValue:
    return KeyValue(key, value, create, mod, version, lease)


A, B = op.Put(b"a"), op.Put(b"b", b"1", LeaseOf(2))
PUT_A, PUT_B = Event(0, kv(b"a")), Event(0, kv(b"b", b"1", 3, 3))
PUT_AGAIN = Event(0, kv(b"a", b"2", 2, 4, 2), kv(b"a"))
DELETED = Event(1, KeyValue(b"a", b"", 0, 5, 0))
ABSENT = op.Compare(b"a", op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0)

LIES: dict[str, list[Finding]] = {
    "one-field-of-many": [
        finding(
            "mock",
            (A, op.LeaseGrant(60), B, op.Range(b"a", b"\x00", limit=1)),
            ("kvs", "unexpected"),
            RangeResult(3, (kv(b"a"),), more=True, count=2),
            RangeResult(3, (kv(b"a"), kv(b"b", b"1", 3, 3, 1, LeaseOf(2))), count=2),
            "model fake etcd",
        ),
    ],
    "no-revisions": [
        finding("mock", (A,), ("revision", "missing"), PutResult(2), PutResult(0)),
        finding(
            "mock",
            (A, op.Range(b"a")),
            ("kvs.version", "missing"),
            RangeResult(2, (kv(b"a"),), count=1),
            RangeResult(0, (kv(b"a", version=0, create=0, mod=0),), count=1),
        ),
    ],
    "accepted": [
        finding(
            "mock",
            (op.Put(b"a", ignore_lease=True),),
            ("error", "accepted (etcdserver: key not found)"),
            errors.KEY_NOT_FOUND,
            PutResult(0),
        ),
        finding(
            "mock",
            (op.Range(b"a", revision=RevisionAt(0, 7)),),
            ("error", f"accepted ({errors.FUTURE_REVISION.message})"),
            errors.FUTURE_REVISION,
            RangeResult(1),
            "model fake etcd",
        ),
    ],
    "refused": [
        finding(
            "mock",
            (A, op.Txn((ABSENT,), (A,), (op.Range(b"a"), op.DeleteRange(b"a")))),
            ("error", "refused (boom)"),
            TxnResult(3, False, (RangeResult(3, (kv(b"a"),), count=1), DeleteRangeResult(3, 1))),
            errors.Error(errors.Code.UNKNOWN, "boom"),
        ),
    ],
    "another-error": [
        finding(
            "mock",
            (op.LeaseRevoke(7),),
            ("error.code", "different"),
            errors.LEASE_NOT_FOUND,
            errors.Error(errors.Code.UNKNOWN, errors.LEASE_NOT_FOUND.message),
        ),
    ],
    "raised": [
        finding(
            "mock",
            (op.LeaseGrant(60), op.LeaseRevoke(LeaseOf(1))),
            ("answer", "raised KeyError"),
            LeaseRevokeResult(1),
            Raised("KeyError", "[/red] no markup :smile: and\n\x1b[31mno colour"),
        ),
    ],
    "no-answer": [
        finding(
            "mock",
            (op.LeaseGrant(60), op.LeaseKeepAlive(LeaseOf(1))),
            ("answer", "raised NoAnswer"),
            LeaseKeepAliveResult(1, 7, 60),
            Raised("NoAnswer", "the server ended the stream without an answer"),
        ),
        finding(
            "mock",
            (op.Txn(),),
            ("answer", "raised Malformed"),
            TxnResult(1, True),
            Raised("Malformed", "a ResponseOp in a TxnResponse holds no response"),
        ),
    ],
    "died": [
        Finding(signature("mock", A, DIED), (A,), {}, (), "UNAVAILABLE: Socket closed\npanic: oh no"),
        Finding(
            signature("etcd", op.Range(b"a"), DIED),
            (op.Range(b"a", sort_target=4),),
            {},
            (),
            "UNAVAILABLE: Socket closed",
        ),
    ],
    "seen-once": [
        Finding(
            signature("mock", A, Difference("error", "refused (etcdserver: too many requests)")),
            (op.LeaseGrant(60), A),
            {},
            (),
            "seen once, and not again",
        ),
    ],
    "voters": [
        finding("mock", (A,), ("prev_kv", "unexpected"), PutResult(2), PutResult(2, kv(b"a"))),
        finding(
            "fake",
            (A, op.DeleteRange(b"a")),
            ("deleted", "missing"),
            DeleteRangeResult(3, 1),
            DeleteRangeResult(3),
            "model fake etcd",
        ),
        finding(
            "etcd",
            (A, op.DeleteRange(b"a")),
            ("deleted", "too high"),
            DeleteRangeResult(3, 1),
            DeleteRangeResult(3, 2),
            "model fake etcd",
        ),
        finding(
            "model",
            (A, op.DeleteRange(b"a")),
            ("deleted", "too low"),
            DeleteRangeResult(3, 2),
            DeleteRangeResult(3, 1),
            "model fake etcd",
        ),
        Finding(
            signature("model or fake", op.DeleteRange(b"a"), Difference("deleted", "too low")),
            (op.DeleteRange(b"a"),),
            {"model": DeleteRangeResult(3, 2), "fake": DeleteRangeResult(3, 1), "mock": DeleteRangeResult(3, 2)},
            (),
        ),
    ],
    "services": [
        finding(
            "mock",
            (
                A,
                op.WatchCreate(b"a", b"\x00", RevisionAt(1), prev_kv=True),
                op.Put(b"b", b"1"),
                op.Put(b"a", b"2"),
                op.DeleteRange(b"a"),
                op.WatchRead(),
            ),
            ("watches.events", "lost events"),
            WatchReadResult(6, (Watched(0, (PUT_A, PUT_B, PUT_AGAIN, DELETED)),)),
            WatchReadResult(6, (Watched(0, (PUT_AGAIN, DELETED), atomic=False),), (6,), 1),
        ),
        finding(
            "mock",
            (op.WatchCreate(b"a", watch_id=3, stream=1), A, op.WatchRead(1)),
            ("watches.events", "events twice"),
            WatchReadResult(3, (Watched(3, (PUT_A,)), Watched(0, (), ("",), 2))),
            WatchReadResult(3, (Watched(3, (PUT_A, PUT_A), header_behind=True), Watched(0))),
        ),
        finding(
            "mock",
            (op.WatchCreate(b"a", filters=(op.FilterType.NOPUT,)), A, op.WatchRead()),
            ("watches.events", "unexpected events"),
            WatchReadResult(3, (Watched(0),)),
            WatchReadResult(3, (Watched(0, (PUT_A,)),)),
        ),
        finding(
            "mock",
            (
                op.UserAdd("root", "p"),
                op.UserGrantRole("root", "root"),
                op.UserAdd("u", "q"),
                op.RoleAdd("r"),
                op.RoleGrantPermission("r", op.Permission(op.PermissionType.READ, b"a", b"b")),
                op.UserGrantRole("u", "r"),
                op.AuthEnable(),
                op.Authenticate("u", "q"),
                op.As(TokenOf(8), op.Put(b"a")),
            ),
            ("put", "error", "accepted (etcdserver: permission denied)"),
            errors.Error(errors.Code.PERMISSION_DENIED, "etcdserver: permission denied"),
            PutResult(2),
        ),
        finding(
            "mock",
            (
                op.RoleAdd("r"),
                op.RoleGrantPermission("r", op.Permission(op.PermissionType.WRITE, b"a")),
                op.RoleGet("r"),
            ),
            ("perm", "missing"),
            RoleGetResult(
                1, (op.Permission(op.PermissionType.WRITE, b"a"), op.Permission(op.PermissionType.READ, b"b", b"\0"))
            ),
            RoleGetResult(1, (op.Permission(op.PermissionType.READ, b"b", b"\0"),)),
        ),
        finding(
            "mock",
            (op.LeaseGrant(60), op.Lock(b"l", LeaseOf(1)), op.Lock(b"l", 7)),
            ("waiting", "missing"),
            Waiting(),
            LockResult(2, b"l/7"),
        ),
        finding(
            "mock",
            (op.LeaseGrant(2), op.Put(b"a", lease=LeaseOf(1)), op.Advance(3), op.Range(b"a")),
            ("kvs", "unexpected"),
            RangeResult(3),
            RangeResult(2, (kv(b"a", lease=LeaseOf(1)),), count=1),
        ),
        finding(
            "fake",
            (A, op.HashKV(RevisionAt(1))),
            ("hash", "different"),
            HashKVResult(2, 0, 1, 2),
            HashKVResult(2, 1234567, 1, 2),
            "model fake etcd",
        ),
    ],
    "nested-txns": [
        finding(
            "mock",
            (
                A,
                op.Txn((), (op.Txn((ABSENT,), (), (op.Put(b"a", b"1", prev_kv=True), op.Range(b"a"))), op.Range(b"a"))),
            ),
            ("range", "kvs.value", "different"),
            TxnResult(
                3,
                True,
                (
                    TxnResult(0, False, (PutResult(3, kv(b"a")), RangeResult(3, (kv(b"a", b"1", 2, 3, 2),), count=1))),
                    RangeResult(3, (kv(b"a", b"1", 2, 3, 2),), count=1),
                ),
            ),
            TxnResult(
                3,
                True,
                (
                    TxnResult(0, False, (PutResult(3, kv(b"a")), RangeResult(3, (kv(b"a"),), count=1))),
                    RangeResult(3, (kv(b"a", b"1", 2, 3, 2),), count=1),
                ),
            ),
        ),
    ],
}


@pytest.mark.parametrize("name", LIES)
def test_a_report(name: str) -> None:
    check(name, printed(LIES[name], folder=Path("lies-found")))


def test_a_narrow_report() -> None:
    check("narrow", printed([*LIES["accepted"], *LIES["nested-txns"]], width=60, folder=Path("lies-found")))


def test_every_line_but_a_path_fits() -> None:
    everything = [one for findings in LIES.values() for one in findings]
    for width in (50, 80, 120):
        for line in printed(everything, width, Path("a folder") / ("long " * 30)).splitlines():
            assert len(line) <= width or line.startswith("   a folder/long ")


def test_a_path_is_in_one_line() -> None:
    for width in (20, 80):
        (one,) = LIES["another-error"]
        path = Path("x" * 60) / "[bold]" / file_name(one)
        assert f"\n   {path}\n" in printed([one], width, path.parent)


def test_what_a_target_says_is_neither_markup_nor_orders_to_a_terminal() -> None:
    reported = printed(LIES["raised"])
    assert "[/red] no markup :smile: and" in reported
    assert "\x1b" not in reported


def test_a_report_without_files_names_none() -> None:
    assert "json" not in printed(LIES["voters"])


def test_references_come_first_and_then_the_worst() -> None:
    reported = printed([*LIES["one-field-of-many"], *LIES["no-revisions"], *LIES["voters"]])
    order = re.findall(r"^\d+\. (.*)$", reported, flags=re.MULTILINE)
    assert [line.partition(":")[0] for line in order] == [
        "the fake is not with the model, and no real etcd is there to judge",
        "etcd surprises",
        "the model is wrong",
        "fake lies",
        *["mock lies"] * 4,
    ]
    assert order[4:6] == ["mock lies: put: prev_kv unexpected", "mock lies: range: kvs unexpected"]
    assert order[6:] == ["mock lies: put: revision missing", "mock lies: range: kvs.version missing"]


def test_headlines_of_different_refusals_differ() -> None:
    headlines = {headline(one) for one in LIES["accepted"]}
    assert headlines == {
        "mock lies: it accepts a put that should be refused (key not found)",
        "mock lies: it accepts a range that should be refused (mvcc: required revision is a future revision)",
    }


@pytest.mark.parametrize(
    ("trace", "reported"),
    [
        ((op.WatchCreate(b"a", start_revision=RevisionAt(0)), op.WatchRead()), "not resumable: lost events"),
        (
            (op.As("x", op.WatchCreate(b"a", start_revision=2, stream=1)), op.As("x", op.WatchRead(1))),
            "not resumable: lost events",
        ),
        ((op.WatchCreate(b"a"), op.WatchRead()), "not reliable: lost events"),
        (
            (op.WatchCreate(b"a"), op.WatchCreate(b"a", start_revision=2, stream=1), op.WatchRead()),
            "not reliable: lost events",
        ),
    ],
    ids=str,
)
def test_history_that_a_watcher_asked_for_is_another_promise_than_an_event_that_gets_lost(
    trace: Trace, reported: str
) -> None:
    found = Finding(Signature("mock", "watch_read", "watches.events", "lost events"), trace, {}, ())
    assert headline(found) == f"mock lies: a watch is {reported}"


def test_a_call_that_waits_or_does_not_is_reported_as_that() -> None:
    reported = [
        headline(Finding(Signature("mock", "lock", "waiting", kind), (op.Lock(b"l"),), {}, ()))
        for kind in ("missing", "unexpected")
    ]
    assert reported == [
        "mock lies: it grants a lock that should wait",
        "mock lies: it lets a lock wait that should be granted",
    ]


@pytest.mark.parametrize("kind", BROKEN_PROMISES)
def test_a_broken_promise_is_named_by_etcd_s_word_for_it(kind: str) -> None:
    trace: Trace = (op.WatchCreate(b"a"), op.WatchRead())
    found = Finding(Signature("mock", "watch_read", "watches.events", kind), trace, {}, ())
    assert headline(found) == f"mock lies: a watch is not {BROKEN_PROMISES[kind]}: {kind}"


# A whole run


def test_a_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One specimen, a fixed seed. How many sequences the examples come to depends on what draws them; it is masked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    arguments = "--etcd none --against count-only-returns-kvs --families kv --seed 1 --examples 300"
    assert main(["fuzz", *arguments.split()]) == 1
    reported = capsys.readouterr().out
    masked = re.sub(
        r"[\d,]+ sequences, [\d,]+ steps in \d+ s \([\d,]+ steps/s\)", "N sequences, N steps in N s", reported
    )
    without_progress = re.sub(r"^[\d,]+ sequences  .*\n", "", masked, flags=re.MULTILINE)  # which a slow machine has
    check("whole-run", re.sub(r"met \d+ kinds of answers, in \d+", "met N kinds of answers, in N", without_progress))


def test_responses_in_a_row_that_say_the_same_are_one_line() -> None:
    answers = (RangeResult(1),) * 126 + (RangeResult(1, count=1),) * 2 + (RangeResult(1),)
    accepted = TxnResult(1, True, answers)
    trace = (op.Txn(success=(op.Range(b"a"),) * 129),)
    too_many = ("error", "accepted (etcdserver: too many operations in txn request)")
    text = printed([finding("mock", trace, too_many, errors.TOO_MANY_OPS, accepted)])
    assert "response 1 to 126 Range: revision 1\n" in _unpadded(text)
    assert all(f"response {n} Range: revision 1, count 1\n" in _unpadded(text) for n in (127, 128))
    assert text.count("response") == 4
    other = replace(accepted, responses=(*answers[:-1], RangeResult(1, count=2)))
    text = printed([finding("mock", trace, ("responses.count", "unexpected"), accepted, other)])
    assert text.count("response") == 2  # the one that differs, and no row that does not


def _unpadded(text: str) -> str:
    """With one space between the words of a line, and none at its end."""
    return "".join(" ".join(line.split()) + "\n" for line in text.splitlines())
