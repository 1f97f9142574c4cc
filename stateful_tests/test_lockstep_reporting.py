"""What a run reports beside its text: JSON, a page, test results, code scanning and Markdown."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from etcd_lockstep.comparing.observation import Raised
from etcd_lockstep.console.cli import main
from etcd_lockstep.reporting.severity import Severity, severity_of
from etcd_lockstep.reporting.summary import reported
from etcd_lockstep.searching.findings import SEEN_ONCE, Finding, Signature
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.specimens.read import CountOnlyReturnsKvs
from etcd_model import operations as op
from etcd_model import results


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def finding(*trace: op.Operation, kind: str = "different") -> Finding:
    return Finding(Signature("mock", "range", "kvs", kind), trace, {}, ())


def ran(*options: str, target: str = "slot-mock") -> int:
    return main(["fuzz", "--etcd", "none", "--against", target, "--seed", "1", "--examples", "15", *options])


# Severity


@pytest.mark.parametrize(
    ("signature", "severity"),
    [
        (("put", "answer", "raised ValueError"), Severity.CRASH),
        (("put", "answer", "died"), Severity.CRASH),
        (("txn", "answer", "raised Malformed"), Severity.DATA),
        (("lease_keep_alive", "answer", "raised NoAnswer"), Severity.DATA),
        (("put", "answer", "of another operation"), Severity.DATA),
        (("range", "kvs", "missing"), Severity.DATA),
        (("status", "version", "different"), Severity.MESSAGE),
        (("range", "kvs.value", "missing"), Severity.DATA),
        (("txn", "succeeded", "missing"), Severity.DATA),
        (("watch_read", "watches.events", "lost events"), Severity.DATA),
        (("lease_grant", "ttl", "too low"), Severity.DATA),
        (("put", "revision", "too high"), Severity.REVISION),
        (("range", "kvs.version", "too low"), Severity.REVISION),
        (("put", "error", "accepted (etcdserver: key not found)"), Severity.ACCEPTS),
        (("lock", "waiting", "missing"), Severity.ACCEPTS),
        (("put", "error", "refused (etcdserver: key not found)"), Severity.REFUSES),
        (("lock", "waiting", "unexpected"), Severity.REFUSES),
        (("*", "header.revision", "missing"), Severity.MISSING),
        (("range", "count", "missing"), Severity.MISSING),
        (("put", "prev_kv", "missing"), Severity.MISSING),
        (("put", "error.message", "different"), Severity.MESSAGE),
        (("put", "error.code", "different"), Severity.MESSAGE),
    ],
)
def test_severities(signature: tuple[str, str, str], severity: Severity) -> None:
    assert severity_of(Signature("mock", *signature)) is severity


def test_the_ranks_of_severities_are_their_order() -> None:
    assert [severity.rank for severity in Severity] == list(range(len(Severity)))


# The text


def test_findings_with_one_cause_are_a_report_and_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("--examples", "30") == 1
    usual = capsys.readouterr().out
    assert ran("--examples", "30", "--verbose") == 1
    verbose = capsys.readouterr().out
    assert ran("--examples", "30", "--brief") == 1
    brief = capsys.readouterr().out
    assert len(brief) < len(usual) < len(verbose)
    numbers = [re.findall(r"^(\d+)\. ", text, flags=re.MULTILINE) for text in (brief, usual, verbose)]
    assert numbers[0] == numbers[1] == numbers[2] == [str(n) for n in range(1, len(numbers[0]) + 1)]
    assert "▶" not in brief
    assert verbose.count("▶") == len(numbers[0])
    assert 0 < usual.count("▶") < len(numbers[0])


def test_a_check_that_is_lacking_in_several_operations_is_one_cause() -> None:
    kind = "accepted (etcdserver: key is not provided)"
    put = Finding(Signature("mock", "put", "error", kind), (op.Put(b"", b"1"),), {}, ())
    read = Finding(Signature("mock", "range", "error", kind), (op.LeaseGrant(60), op.Range(b"")), {}, ())
    other = Finding(Signature("mock", "put", "error", "accepted (etcdserver: key not found)"), put.trace, {}, ())
    causes = reported([read, other, put], {})
    assert [[one.finding for one in cause.findings] for cause in causes] == [[put, read], [other]]
    assert [cause.operations for cause in causes] == [("lease_grant", "put", "range"), ("put",)]


def test_the_summary_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    ran()
    text = capsys.readouterr().out
    counts = re.search(r"^(\d+) lies: (.*?)^in answers to (.*?)^not compared", text, flags=re.MULTILINE | re.DOTALL)
    assert counts is not None
    assert counts.start() < text.index("1. slot-mock")
    by_severity = sum(map(int, re.findall(r"(\d+) [a-z]", counts[2])))
    by_operation = sum(map(int, re.findall(r" (\d+)", counts[3])))
    assert int(counts[1]) == by_severity == by_operation == len(re.findall(r"^\d+\. ", text, flags=re.MULTILINE))


def test_a_missing_field_is_said_to_be_missing_where_it_was_seen_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("--brief", "--examples", "30") == 1
    assert re.search(r"header.revision missing, in answers to [a-z_, ]+ and [a-z_]+$", capsys.readouterr().out, re.M)


class PutsOnlyA(CountOnlyReturnsKvs):
    """Has no words for most puts."""

    name = "puts-only-a"

    def can_express(self, operation: op.Operation) -> bool:
        return not isinstance(operation, op.Put) or operation.key == b"\xff"


def test_what_could_not_be_expressed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fuzz", "--etcd", "none", "--against", f"{__name__}:PutsOnlyA", "--seed", "1", "--examples", "15"])
    assert re.search(r"[\d,]+ of [\d,]+ drawn put operations were left out", capsys.readouterr().out)


# Files


def test_the_json_has_severities_and_how_often_a_finding_was_seen() -> None:
    ran("--json", "run.json")
    summary = json.loads(Path("run.json").read_text(encoding="utf-8"))
    assert sum(summary["severities"].values()) == len(summary["lies"])
    assert {one["severity"] for one in summary["lies"]} == set(summary["severities"])
    assert any(one["seen_again"] for one in summary["lies"])
    assert all(one["seen_in"] for one in summary["lies"])


def test_the_sarif_log_is_valid() -> None:
    ran("--sarif", "run.sarif")
    schema = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    log = json.loads(Path("run.sarif").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules) > 0
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert Path(uri).is_file()  # relative to the working directory


def test_the_junit_file_has_a_case_for_each_cause_and_for_each_operation_that_agreed() -> None:
    ran("--junit", "run.xml", "--families", "kv", target="count-only-returns-kvs")
    suite = ElementTree.parse("run.xml").getroot()[0]
    cases = {case.attrib["name"]: case.find("failure") for case in suite}
    failed = {name for name, failure in cases.items() if failure is not None}
    assert failed == {"count-only-returns-kvs lies: range: kvs unexpected"}
    assert {"put", "delete_range"} <= set(cases) - failed
    assert "range" not in cases
    assert suite.attrib["tests"] == str(len(cases))
    assert suite.attrib["failures"] == "1"
    failure = cases[failed.pop()]
    assert failure is not None
    assert failure.text is not None
    assert 'range "a", count_only' in failure.text


def test_what_xml_cannot_hold_is_replaced() -> None:
    class Speaks(CountOnlyReturnsKvs):
        name = "speaks"

        def apply(self, _operation: op.Operation) -> results.Result:
            raise RuntimeError("bell \x07 and surrogate \ud800")

    from etcd_lockstep.api import find_divergences
    from etcd_lockstep.reporting.finding_text import report_text
    from etcd_lockstep.reporting.junit import _xml

    (found, *_) = find_divergences(Speaks, etcd="none", examples=3, families=["kv"], seed=1)
    assert any(isinstance(answer, Raised) for answer in found.answers.values())
    ElementTree.fromstring(f"<a>{_xml(report_text(found)).replace('<', '&lt;')}</a>")
    assert _xml("a\x07\ud800b") == "a��b"


def test_the_markdown_page_has_a_row_for_each_cause() -> None:
    ran("--markdown", "run.md", "--json", "run.json")
    page = Path("run.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!severity|---)(.+?) \| .+ \| (\d+) \| [\d,]+ \|$", page, flags=re.MULTILINE)
    lies = json.loads(Path("run.json").read_text(encoding="utf-8"))["lies"]
    assert sum(int(number) for _severity, number in rows) == len(lies)
    assert page.count("<details>") == page.count("</details>") == min(len(rows), 20)


ONCE = '''
from etcd_lockstep.specimens.specimen import Specimen

class LiesOnce(Specimen):
    """Refuses one put, the twentieth of all its instances, and never another."""
    name = "lies-once"
    puts = 0

    def apply(self, operation):
        LiesOnce.puts += type(operation).__name__ == "Put"
        if type(operation).__name__ == "Put" and LiesOnce.puts == 20:
            raise OSError("once")
        return super().apply(operation)
'''


@pytest.mark.parametrize("detail", [(), ("--brief",), ("--verbose",)])
def test_every_report_says_that_a_finding_was_seen_once(
    detail: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    module = f"lying_once_{len(detail and detail[0])}"
    Path(f"{module}.py").write_text(ONCE, encoding="utf-8")
    files = [word for kind in ("html", "markdown", "junit", "sarif", "json") for word in (f"--{kind}", f"run.{kind}")]
    assert ran(*detail, *files, target=f"{module}:LiesOnce") == 1
    assert capsys.readouterr().out.count(SEEN_ONCE) == 1
    for file in files[1::2]:
        assert SEEN_ONCE in Path(file).read_text(encoding="utf-8"), file
    failure = ElementTree.parse("run.junit").find(".//failure")
    assert failure is not None
    assert SEEN_ONCE in failure.attrib["message"]
    table = [line for line in Path("run.markdown").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert SEEN_ONCE in table[-1]


class Page(HTMLParser):
    """Checks that elements are closed, and collects what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.refers_to: list[str] = []
        self.articles: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.refers_to += [value or "" for name, value in attributes if name in ("src", "href")]
        if tag == "article":
            self.articles.append(dict(attributes))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone() -> None:
    ran("--html", "run.html", "--json", "run.json")
    text = Path("run.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    assert page.refers_to == []
    assert "http" not in text.replace("localhost", "")
    lies = json.loads(Path("run.json").read_text(encoding="utf-8"))["lies"]
    causes: dict[tuple[str, ...], set[str]] = {}
    for one in lies:
        operation, kinds = one["fingerprint"].partition(" ")[0], sorted({step["op"] for step in one["trace"]})
        check_is_lacking = one["severity"] == "accepts"
        key = (one["field"], one["difference"], *([] if check_is_lacking else [operation, *kinds]))
        causes.setdefault(key, set()).add(operation.replace("*", "any"))
    shown = [set((article["data-operation"] or "").split()) for article in page.articles]
    assert sorted(map(sorted, shown)) == sorted(map(sorted, causes.values()))
    assert {article["data-severity"] for article in page.articles} == {one["severity"].upper() for one in lies}


def test_what_a_target_says_is_no_html(monkeypatch: pytest.MonkeyPatch) -> None:
    class Script(CountOnlyReturnsKvs):
        name = "script"

        def apply(self, _operation: op.Operation) -> results.Result:
            raise RuntimeError("<script>alert(1)</script>")

    monkeypatch.setitem(SPECIMENS, "script", Script)
    ran("--html", "run.html", target="script")
    text = Path("run.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)" in text
    assert text.count("<script") == 1


def test_without_jinja2_a_page_is_refused_before_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("etcd_lockstep.reporting.html.find_spec", lambda _name: None)
    assert ran("--html", "run.html") == 2
    printed = capsys.readouterr()
    assert printed.err == "etcd-lockstep: --html needs jinja2: pip install 'etcd-lockstep[html]'\n"
    assert "seed" not in printed.out


@pytest.mark.parametrize("option", ["--html", "--junit", "--sarif", "--markdown"])
def test_a_file_that_cannot_be_is_refused_before_the_run(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(option, "nowhere/run") == 2
    assert capsys.readouterr().err == f"etcd-lockstep: {option} nowhere/run: there is no folder nowhere\n"
