"""The report of one finding, for a tired reader: the sequence in etcd's words, the step that differs, the answers."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from etcd_lockstep.codec import Malformed, NoAnswer
from etcd_lockstep.comparing.comparison import BROKEN_PROMISES
from etcd_lockstep.comparing.lockstep import UNDECIDED
from etcd_lockstep.names import name_of
from etcd_lockstep.reporting.compared_answers import compared_answers
from etcd_lockstep.reporting.wording import operation_in_words, printable
from etcd_lockstep.searching.findings import DIED, Finding
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


def remarks(finding: Finding) -> list[str]:
    """What else there is to say: how certain it is, where its trace was not shrunk, and where it shows."""
    where = ["on a server that is over its quota from the start"] if finding.over_quota else []
    if finding.tokens:
        where.append(f"on a server with TLS, clients' certificates and {finding.tokens} tokens")
    return where + ([printable(finding.note)] if finding.note else [])


def headline_and_remarks(finding: Finding, operations: Sequence[str] = ()) -> str:
    """All of that in a line, for reports that have nothing below it."""
    return "; ".join((headline(finding, operations), *remarks(finding)))


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
        case "answer", "raised" if reason == NoAnswer.__name__:
            return f"it ends the stream of a {operation} without an answer"
        case "answer", "raised" if reason == Malformed.__name__:
            return f"it answers a {operation} as etcd never does"
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
    parts += (_indented(Text(remark, style="yellow")) for remark in remarks(finding))
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
