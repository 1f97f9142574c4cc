"""The report: a lie for a tired reader. The sequence in etcd's words, the step that differs, and what each said."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from etcd_lockstep.comparing.comparison import BROKEN_PROMISES
from etcd_lockstep.comparing.lockstep import REFERENCES, UNDECIDED
from etcd_lockstep.console.wording import NONE, answer_fields, operation_in_words, printable, telling
from etcd_lockstep.filing.corpus import file_name
from etcd_lockstep.searching.findings import DIED, Finding
from etcd_lockstep.trace import Trace, bare
from etcd_model.operations import Txn, WatchCreate, WatchRead


def headline(finding: Finding) -> str:
    """Who, about what, in one sentence."""
    odd, kind = finding.odd_one_out, finding.signature.kind
    if kind == DIED.kind:
        return f"{odd} dies of a {finding.signature.operation}"
    match odd:
        case "etcd":
            return f"etcd surprises: {_about(finding)}"
        case "model":
            return f"the model is wrong: {_about(finding)}"
        case _ if odd == UNDECIDED:
            return f"the fake is not with the model, and no real etcd is there to judge: {_about(finding)}"
        case _:
            return f"{odd} lies: {_about(finding)}"


def _about(finding: Finding) -> str:
    """What it does: `it accepts a put that should be refused (key not found)`, `range: kvs missing`."""
    operation, field, kind = finding.signature.operation, finding.signature.field, finding.signature.kind
    verb, _, reason = kind.partition(" ")
    reason = reason.removeprefix("(etcdserver: ").removeprefix("(").removesuffix(")")
    match field, verb:
        case "error", "accepted":
            return f"it accepts a {operation} that should be refused ({reason})"
        case "error", "refused":
            return f"it refuses a {operation} that should be accepted ({reason})"
        case "watches.events", _:
            return (
                f"a watch is not {_promise(finding.trace, kind)}: {kind}"
                if kind in BROKEN_PROMISES
                else f"watch: {kind}"
            )
        case "waiting", "missing":
            return f"it grants a {operation} that should wait"
        case "waiting", "unexpected":
            return f"it lets a {operation} wait that should be granted"
        case "answer", "raised":
            return f"it raises {reason} on a {operation}"
        case _ if operation == "*":
            return f"{field} {kind}, in any answer"
        case _ if isinstance(bare(finding.trace[-1]), Txn) and operation != "txn":
            return f"{operation} in a txn: {field} {kind}"
        case _:
            return f"{operation}: {field} {kind}"


def _promise(trace: Trace, kind: str) -> str:
    """What is promised of a watch and not kept. History that a watcher asks for and doesn't get is another matter
    than an event that gets lost."""
    read = bare(trace[-1])
    if kind == "lost events" and isinstance(read, WatchRead):
        created = [one for one in map(bare, trace) if isinstance(one, WatchCreate) and one.stream == read.stream]
        if any(one.start_revision for one in created):
            return "resumable"
    return BROKEN_PROMISES[kind]


def finding_report(finding: Finding, number: int | None) -> RenderableType:
    """One lie: its trace, and the fields in which the answers to the last step differ."""
    steps = Table.grid(padding=(0, 1))
    steps.add_column(justify="right")
    steps.add_column(overflow="fold")
    for step, operation in enumerate(finding.trace, 1):
        last = step == len(finding.trace)
        steps.add_row(
            Text(f"{'▶ ' if last else '  '}{step}", style="bold red" if last else "dim"),
            Text(operation_in_words(operation), style="bold" if last else ""),
        )
    parts: list[RenderableType] = [
        Text(f"{number}. {headline(finding)}" if number else headline(finding), style="bold"),
        _indented(steps),
    ]
    if finding.answers:
        parts.append(_indented(_answers(finding)))
    if finding.over_quota:
        parts.append(_indented(Text("on a server that is over its quota from the start", style="yellow")))
    if finding.note:
        parts.append(_indented(Text(printable(finding.note), style="yellow")))
    return Group(*parts)


def report_text(finding: Finding) -> str:
    """The report of one finding, as plain text."""
    console = Console(file=io.StringIO(), width=100, highlight=False, markup=False, emoji=False, color_system=None)
    console.print(finding_report(finding, None))
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()).rstrip()


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 1, 3), expand=False)


def _answers(finding: Finding) -> Table:
    """A column for each answer that was given, headed by all who gave it; a row for each field that differs."""
    columns: list[tuple[list[str], dict[str, str]]] = []
    for name, answer in finding.answers.items():
        said = answer_fields(answer)
        backers = next((backers for backers, other in columns if other == said), None)
        if backers is None:
            columns.append(([name], said))
        else:
            backers.append(name)
    fields = _comparable([said for _backers, said in columns])
    table = Table(show_edge=False, pad_edge=False, box=None, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("")
    for backers, _said in columns:
        alone = finding.odd_one_out in backers or (finding.odd_one_out == UNDECIDED and "fake" in backers)
        table.add_column(Text(", ".join(backers)), style="red" if alone else "green", overflow="fold")
    for field in sorted(_differing(fields), key=lambda field: _rank(field, finding)):
        table.add_row(Text(field, style="dim"), *(Text(said.get(field, NONE)) for said in fields))
    return table


def _comparable(answers: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """An answer and an error have no field in common: then each is reported as a whole."""
    if len({"answer" in said for said in answers}) == 1:
        return list(answers)
    return [said if "answer" in said else {"answer": _whole(said)} for said in answers]


def _whole(said: Mapping[str, str]) -> str:
    return "\n".join(("accepted", *(f"{name} {words}" for name, words in telling(said).items())))


def _differing(answers: Sequence[Mapping[str, str]]) -> list[str]:
    names = dict.fromkeys(name for said in answers for name in said)
    return [name for name in names if len(answers) == 1 or len({said.get(name) for said in answers}) > 1]


def _rank(field: str, finding: Finding) -> int:
    """What the lie is about comes first; the header's revision, which follows from much else, last."""
    about = finding.signature.field.removeprefix("header.").partition(".")[0]
    if field == about or field.rstrip("0123456789") == {"responses": "response ", "watches": "watch "}.get(about):
        return 0
    return 2 if field == "revision" else 1


def print_findings(console: Console, findings: Sequence[Finding], files: Mapping[str, Path]) -> None:
    """All of them: first those in which a voter is alone, then the shortest sequence first. `files`: by `file_name`
    where each was filed; a path is never folded, so that it can be copied."""
    for number, finding in enumerate(sorted(findings, key=_order), 1):
        console.print()
        console.print(finding_report(finding, number))
        path = files.get(file_name(finding))
        if path is not None:
            console.print(Text(f"   {path}", style="dim"), soft_wrap=True)
    if findings:
        console.print()


def _order(finding: Finding) -> tuple[bool, int, str]:
    return finding.odd_one_out not in (*REFERENCES, UNDECIDED), len(finding.trace), str(finding.signature)
