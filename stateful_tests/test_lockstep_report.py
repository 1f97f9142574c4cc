"""The report, word for word: each file in `golden/` is what the reader of one report sees.

A change of wording or layout is made visible there: run the tests once with the environment variable
REGENERATE_GOLDEN=1, which writes the files anew and fails for each that changed, and look at the difference
before it is committed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from etcd_lockstep.cli import main
from etcd_lockstep.comparison import Difference
from etcd_lockstep.corpus import file_name
from etcd_lockstep.lies import Symptom, symptom
from etcd_lockstep.names import operation_name
from etcd_lockstep.observation import Observation, Raised
from etcd_lockstep.report import headline, print_lies
from etcd_lockstep.search import DIED, Lie
from etcd_lockstep.trace import LeaseOf, RevisionAt, Trace
from etcd_lockstep.wording import operation_in_words
from etcd_model import errors
from etcd_model.operations import (
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Operation,
    Put,
    Range,
    SortOrder,
    SortTarget,
    Txn,
)
from etcd_model.results import (
    DeleteRangeResult,
    KeyValue,
    LeaseRevokeResult,
    PutResult,
    RangeResult,
    TxnResult,
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


def printed(lies: Sequence[Lie], width: int = 100, folder: Path | None = None) -> str:
    out = StringIO()
    files = {file_name(lie): folder / file_name(lie) for lie in lies} if folder else {}
    print_lies(Console(file=out, width=width, force_terminal=False), lies, files)
    return out.getvalue()


def lie(
    odd: str,
    trace: Trace,
    difference: tuple[str, ...],
    expected: Observation,
    got: Observation,
    voters: str = "model fake",
) -> Lie:
    """A lie of `odd`, against what the voters said."""
    told = {name: got if name == odd else expected for name in dict.fromkeys((*voters.split(), odd))}
    *operation, field, kind = difference
    name = operation[0] if operation else operation_name(type(trace[-1]))
    return Lie(Symptom(odd, name, field, kind), trace, told, ())


def kv(key: bytes, value: bytes = b"", create: int = 2, mod: int = 2, version: int = 1, lease: int = 0) -> KeyValue:
    return KeyValue(key, value, create, mod, version, lease)


A, B = Put(b"a"), Put(b"b", b"1", LeaseOf(2))
ABSENT = Compare(b"a", CompareTarget.CREATE, CompareResult.EQUAL, 0)

LIES: dict[str, list[Lie]] = {
    "one-field-of-many": [
        lie(
            "mock",
            (A, LeaseGrant(60), B, Range(b"a", b"\x00", limit=1)),
            ("kvs", "unexpected"),
            RangeResult(3, (kv(b"a"),), more=True, count=2),
            RangeResult(3, (kv(b"a"), kv(b"b", b"1", 3, 3, 1, LeaseOf(2))), count=2),
            "model fake etcd",
        ),
    ],
    "no-revisions": [
        lie("mock", (A,), ("revision", "missing"), PutResult(2), PutResult(0)),
        lie(
            "mock",
            (A, Range(b"a")),
            ("kvs.version", "missing"),
            RangeResult(2, (kv(b"a"),), count=1),
            RangeResult(0, (kv(b"a", version=0, create=0, mod=0),), count=1),
        ),
    ],
    "accepted": [
        lie(
            "mock",
            (Put(b"a", ignore_lease=True),),
            ("error", "accepted (etcdserver: key not found)"),
            errors.KEY_NOT_FOUND,
            PutResult(0),
        ),
        lie(
            "mock",
            (Range(b"a", revision=RevisionAt(0, 7)),),
            ("error", f"accepted ({errors.FUTURE_REVISION.message})"),
            errors.FUTURE_REVISION,
            RangeResult(1),
            "model fake etcd",
        ),
    ],
    "refused": [
        lie(
            "mock",
            (A, Txn((ABSENT,), (A,), (Range(b"a"), DeleteRange(b"a")))),
            ("error", "refused (boom)"),
            TxnResult(3, False, (RangeResult(3, (kv(b"a"),), count=1), DeleteRangeResult(3, 1))),
            errors.Error(errors.Code.UNKNOWN, "boom"),
        ),
    ],
    "another-error": [
        lie(
            "mock",
            (LeaseRevoke(7),),
            ("error.code", "different"),
            errors.LEASE_NOT_FOUND,
            errors.Error(errors.Code.UNKNOWN, errors.LEASE_NOT_FOUND.message),
        ),
    ],
    "raised": [
        lie(
            "mock",
            (LeaseGrant(60), LeaseRevoke(LeaseOf(1))),
            ("answer", "raised KeyError"),
            LeaseRevokeResult(1),
            Raised("KeyError", "[/red] no markup :smile: and\n\x1b[31mno colour"),
        ),
    ],
    "died": [
        Lie(symptom("mock", A, DIED), (A,), {}, (), "UNAVAILABLE: Socket closed\npanic: oh no"),
        Lie(symptom("etcd", Range(b"a"), DIED), (Range(b"a", sort_target=4),), {}, (), "UNAVAILABLE: Socket closed"),
    ],
    "seen-once": [
        Lie(
            symptom("mock", A, Difference("error", "refused (etcdserver: too many requests)")),
            (LeaseGrant(60), A),
            {},
            (),
            "seen once, and not again",
        ),
    ],
    "voters": [
        lie("mock", (A,), ("prev_kv", "unexpected"), PutResult(2), PutResult(2, kv(b"a"))),
        lie(
            "fake",
            (A, DeleteRange(b"a")),
            ("deleted", "missing"),
            DeleteRangeResult(3, 1),
            DeleteRangeResult(3),
            "model fake etcd",
        ),
        lie(
            "etcd",
            (A, DeleteRange(b"a")),
            ("deleted", "too high"),
            DeleteRangeResult(3, 1),
            DeleteRangeResult(3, 2),
            "model fake etcd",
        ),
        lie(
            "model",
            (A, DeleteRange(b"a")),
            ("deleted", "too low"),
            DeleteRangeResult(3, 2),
            DeleteRangeResult(3, 1),
            "model fake etcd",
        ),
        Lie(
            symptom("model or fake", DeleteRange(b"a"), Difference("deleted", "too low")),
            (DeleteRange(b"a"),),
            {"model": DeleteRangeResult(3, 2), "fake": DeleteRangeResult(3, 1), "mock": DeleteRangeResult(3, 2)},
            (),
        ),
    ],
    "nested-txns": [
        lie(
            "mock",
            (A, Txn((), (Txn((ABSENT,), (), (Put(b"a", b"1", prev_kv=True), Range(b"a"))), Range(b"a")))),
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
    everything = [one for lies in LIES.values() for one in lies]
    for width in (50, 80, 120):
        for line in printed(everything, width, Path("a folder") / ("long " * 30)).splitlines():
            assert len(line) <= width or line.startswith("   a folder/long ")


def test_a_path_is_in_one_line() -> None:
    for width in (20, 80):
        (one,) = LIES["another-error"]
        path = Path("x" * 60) / "[bold]" / file_name(one)
        assert f"\n   {path}\n" in printed([one], width, path.parent)


def test_what_a_target_says_is_neither_markup_nor_orders_to_a_terminal() -> None:
    told = printed(LIES["raised"])
    assert "[/red] no markup :smile: and" in told
    assert "\x1b" not in told


def test_a_report_without_files_names_none() -> None:
    assert "json" not in printed(LIES["voters"])


def test_voters_come_first_and_then_the_shortest() -> None:
    told = printed([*LIES["one-field-of-many"], *LIES["no-revisions"], *LIES["voters"]])
    order = re.findall(r"^\d+\. (.*)$", told, flags=re.MULTILINE)
    assert [line.partition(":")[0] for line in order] == [
        "the fake is not with the model, and no real etcd is there to judge",
        "fake lies",
        "etcd surprises",
        "the model is wrong",
        *["mock lies"] * 4,
    ]
    assert order[-1] == "mock lies: range: kvs unexpected"


def test_headlines_of_different_refusals_differ() -> None:
    headlines = {headline(one) for one in LIES["accepted"]}
    assert headlines == {
        "mock lies: it accepts a put that should be refused (key not found)",
        "mock lies: it accepts a range that should be refused (mvcc: required revision is a future revision)",
    }


# Operations in words


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (Put(b"a", b"1"), 'put "a" = "1"'),
        (Put(b'a"\x00', b"", LeaseOf(2), True), 'put "a\\"\\x00" = "", lease of step 2, prev_kv'),
        (Put(b"a", ignore_value=True, ignore_lease=True), 'put "a", ignore_value, ignore_lease'),
        (Put(b"a", b"1", lease=7), 'put "a" = "1", lease 7'),
        (Range(b"a"), 'range "a"'),
        (Range(b"a", b"b"), 'range ["a", "b")'),
        (Range(b"a", b"\x00"), 'range from "a" on'),
        (Range(b"a", limit=3, revision=RevisionAt(2, -1)), 'range "a", limit 3, revision (revision after step 2 -1)'),
        (Range(b"a", revision=RevisionAt(0)), 'range "a", revision (first revision)'),
        (Range(b"a", revision=-1), 'range "a", revision -1'),
        (
            Range(b"a", sort_order=SortOrder.DESCEND, sort_target=SortTarget.MOD, keys_only=True),
            'range "a", sort_order DESCEND, sort_target MOD, keys_only',
        ),
        (Range(b"a", sort_order=3, sort_target=9), 'range "a", sort_order 3, sort_target 9'),
        (DeleteRange(b"a", b"b", prev_kv=True), 'delete_range ["a", "b"), prev_kv'),
        (Txn(), "txn with nothing in it"),
        (Txn((ABSENT,), (A,), (Range(b"a"),)), 'txn if create of "a" = 0 then {put "a" = ""} else {range "a"}'),
        (Txn((), (Txn(),)), "txn then {txn with nothing in it}"),
        (Txn((), (Range(b"a"),) * 128 + (A,)), 'txn then {range "a" × 128; put "a" = ""}'),
        (
            Txn((ABSENT, Compare(b"a", CompareTarget.VALUE, CompareResult.NOT_EQUAL, b"1", b"b"))),
            'txn if create of "a" = 0 and value of ["a", "b") ≠ "1"',
        ),
        (
            Txn((Compare(b"a", CompareTarget.LEASE, CompareResult.LESS, LeaseOf(1)),)),
            'txn if lease of "a" < (lease of step 1)',
        ),
        (
            Txn((Compare(b"a", CompareTarget.MOD, CompareResult.GREATER, RevisionAt(1)),)),
            'txn if mod of "a" > (revision after step 1)',
        ),
        (Txn((Compare(b"a", 9, 9, 1),)), 'txn if target 9 of "a" result 9 1'),
        (Compact(RevisionAt(1), physical=True), "compact (revision after step 1), physical"),
        (LeaseGrant(60), "lease_grant ttl 60"),
        (LeaseGrant(60, 7), "lease_grant ttl 60, id 7"),
        (LeaseRevoke(LeaseOf(1)), "lease_revoke lease of step 1"),
        (LeaseKeepAlive(404), "lease_keep_alive lease 404"),
        (LeaseTimeToLive(LeaseOf(1), keys=True), "lease_time_to_live lease of step 1, keys"),
        (LeaseLeases(), "lease_leases"),
    ],
    ids=str,
)
def test_an_operation_in_words(operation: Operation, words: str) -> None:
    assert operation_in_words(operation) == words


# A whole run


def test_a_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One specimen, a fixed seed. How many sequences the examples come to depends on what draws them; it is masked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    arguments = "--etcd none --against count-only-returns-kvs --families kv --seed 1 --examples 300"
    assert main(["fuzz", *arguments.split()]) == 1
    told = capsys.readouterr().out
    masked = re.sub(r"[\d,]+ sequences, [\d,]+ steps in \d+ s \([\d,]+ steps/s\)", "N sequences, N steps in N s", told)
    check("whole-run", masked)
