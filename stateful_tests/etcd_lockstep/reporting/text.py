"""The report: a lie for a tired reader. The sequence in etcd's words, the step that differs, and what each said."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from enum import Enum, auto
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from etcd_lockstep.comparing.comparison import BROKEN_PROMISES
from etcd_lockstep.comparing.lockstep import UNDECIDED
from etcd_lockstep.names import name_of
from etcd_lockstep.reporting.compared_answers import compared_answers
from etcd_lockstep.reporting.summary import Cause, Reported, RunSummary
from etcd_lockstep.reporting.wording import operation_in_words, printable
from etcd_lockstep.searching.findings import DIED, Finding, pattern
from etcd_lockstep.strategies.operation_table import FAMILIES
from etcd_lockstep.trace import Trace, bare
from etcd_model.operations import Txn, WatchCreate, WatchRead


def headline(finding: Finding, operations: Sequence[str] = ()) -> str:
    """Who, about what, in one sentence. `operations`: those whose answers have shown it, if more is known of that than
    the trace says."""
    about = _about(finding, operations or [name_of(finding.trace[-1])])
    odd, kind = finding.odd_one_out, finding.signature.kind
    if kind == DIED.kind:
        hangs = finding.note.startswith("it hangs")
        return f"{odd} {'hangs on' if hangs else 'dies of'} a {finding.signature.operation}"
    match odd:
        case "etcd":
            return f"etcd surprises: {about}"
        case "model":
            return f"the model is wrong: {about}"
        case _ if odd == UNDECIDED:
            return f"the fake is not with the model, and no real etcd is there to judge: {about}"
        case _ if finding.is_about_an_etcd:
            return f"{odd} differs{f' ({finding.quirk})' if finding.quirk else ''}: {about}"
        case _:
            return f"{odd} lies: {about}"


def _about(finding: Finding, operations: Sequence[str]) -> str:
    """What it does: `it accepts a put that should be refused (key not found)`, `range: kvs missing`."""
    operation, field, kind = finding.signature.operation, finding.signature.field, finding.signature.kind
    verb, _, reason = kind.partition(" ")
    reason = reason.removeprefix("(etcdserver: ").removeprefix("(").removesuffix(")")
    match field, verb:
        case "error", "accepted":
            refused = f"etcd {finding.etcd} refuses" if finding.is_about_an_etcd else "should be refused"
            return f"it accepts a {operation} that {refused} ({reason})"
        case "error", "refused":
            accepted = f"etcd {finding.etcd} accepts" if finding.is_about_an_etcd else "should be accepted"
            return f"it refuses a {operation} that {accepted} ({reason})"
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
            return f"{field} {kind}, in answers to {_listed(operations)}"
        case _ if isinstance(bare(finding.trace[-1]), Txn) and operation != "txn":
            return f"{operation} in a txn: {field} {kind}"
        case _:
            return f"{operation}: {field} {kind}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _promise(trace: Trace, kind: str) -> str:
    """What is promised of a watch and not kept. History that a watcher asks for and doesn't get is another matter
    than an event that gets lost."""
    read = bare(trace[-1])
    if kind == "lost events" and isinstance(read, WatchRead):
        created = [one for one in map(bare, trace) if isinstance(one, WatchCreate) and one.stream == read.stream]
        if any(one.start_revision for one in created):
            return "resumable"
    return BROKEN_PROMISES[kind]


def finding_report(finding: Finding, number: int | None, operations: Sequence[str] = ()) -> RenderableType:
    """One lie: its trace, and the fields in which the answers to the last step differ."""
    about = headline(finding, operations)
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
        Text(f"{number}. {about}" if number else about, style="bold"),
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
    compared = compared_answers(finding)
    table = Table(show_edge=False, pad_edge=False, box=None, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("")
    for column in compared.columns:
        style = "red" if column.is_odd else "green"
        table.add_column(Text(", ".join(column.targets)), style=style, overflow="fold")
    for row in compared.rows:
        if row.differs:
            table.add_row(Text(row.field, style="dim"), *map(Text, row.values))
    return table


class Detail(Enum):
    """How much of the findings is printed."""

    BRIEF = auto()
    """A line each."""
    USUAL = auto()
    """Of those with the same cause, the first in full, and a line for each of the others."""
    FULL = auto()
    """Each in full."""


def print_findings(console: Console, causes: Sequence[Cause], detail: Detail = Detail.USUAL) -> None:
    """All findings, by severity and cause. A path is never folded, so that it can be copied."""
    for severity, of_severity in groupby(causes, key=lambda cause: cause.severity):
        alike = list(of_severity)
        console.print()
        number = sum(len(cause.findings) for cause in alike)
        console.print(Text(f"{severity.value}: {number}", style="bold magenta"))
        for cause in alike:
            for place, one in enumerate(cause.findings):
                if detail is Detail.FULL or (detail is Detail.USUAL and place == 0):
                    _print_in_full(console, one)
                elif place == 0:
                    _print_line(console, one)
                else:
                    _print_as_the_same(console, one)
    if causes:
        console.print()


def _print_in_full(console: Console, one: Reported) -> None:
    console.print()
    console.print(finding_report(one.finding, one.number, one.operations))
    if one.seen_again:
        console.print(Text(f"   seen {one.seen_again:,} more {_times(one.seen_again)}", style="dim"))
    if one.file is not None:
        console.print(Text(f"   {one.file}", style="dim"), soft_wrap=True)


def _print_line(console: Console, one: Reported) -> None:
    steps = len(one.finding.trace)
    console.print(Text(f"{one.number}. {headline(one.finding, one.operations)}", style="bold"), soft_wrap=True)
    where = f", in {one.file}" if one.file is not None else ""
    after = f"{steps} {'step' if steps == 1 else 'steps'}: {pattern(one.finding.trace)}"
    console.print(Text(f"   {after}{where}", style="dim"), soft_wrap=True)


def _print_as_the_same(console: Console, one: Reported) -> None:
    """A finding with the same cause as the one above it."""
    where = f", in {one.file}" if one.file is not None else ""
    console.print(
        Text(f"{one.number}. the same after {pattern(one.finding.trace)}{where}", style="dim"), soft_wrap=True
    )


def _times(number: int) -> str:
    return "time" if number == 1 else "times"


def print_summary(console: Console, summary: RunSummary) -> None:
    """What was found, by severity and operation, and what was and was not compared: ten lines at most."""
    findings = summary.findings
    if findings:
        console.print()
        by_severity = "  ·  ".join(f"{number} {severity.value}" for severity, number in summary.by_severity.items())
        console.print(Text(f"{_lies(len(findings), summary)}: {by_severity}", style="bold"))
        by_operation = ", ".join(f"{operation} {number}" for operation, number in summary.by_operation.items())
        console.print(Text(f"in answers to {by_operation}"))
    for line in limits(summary):
        console.print(Text(line, style="dim"))


def limits(summary: RunSummary) -> list[str]:
    """What a run did not compare, a line each."""
    lines = []
    for operation, (skipped, drawn) in summary.seldom_expressible.items():
        lines.append(
            f"{skipped:,} of {drawn:,} drawn {operation} operations were left out: a target can't express them"
        )
    if summary.ignored:
        lines.append(f"ignored: {', '.join(summary.ignored)}")
    if summary.unknown:
        lines.append(f"not compared, since a target does not know it: {', '.join(_by_family(summary.unknown))}")
    return lines


def _by_family(operations: Collection[str]) -> list[str]:
    """The families of which all operations are among these, and the operations of the others."""
    names: list[str] = []
    for family, of_family in FAMILIES.items():
        among = [name for name in of_family if name in operations]
        names += [family] if len(among) == len(of_family) else among
    return names


def _lies(number: int, summary: RunSummary) -> str:
    """`3 new lies`; between two etcds nobody lies, and it is `3 new differences`."""
    noun = "difference" if summary.is_about_etcds else "lie"
    return f"{number} {'new ' if summary.has_baseline else ''}{noun}{'' if number == 1 else 's'}"


def verdict(summary: RunSummary) -> str:
    """The run in one line: how many lies and where they are, or that there are none."""
    number, accepted = len(summary.findings), summary.accepted
    if number:
        said = _lies(number, summary)
        said += f", filed in {summary.folder}" if summary.folder else ""
    elif not summary.steps:
        said = "not one operation was run"
    elif accepted:
        said = f"no new lie; {accepted} {'is' if accepted == 1 else 'are'} accepted"
    else:
        said = "every answer agreed" + (" until then" if summary.cut_short else "")
    return f"{summary.cut_short}: {said}" if summary.cut_short else said
