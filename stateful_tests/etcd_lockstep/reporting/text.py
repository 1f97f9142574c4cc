"""What a run prints at its end: a summary, and the findings by severity and cause."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum, auto
from itertools import groupby

from rich.console import Console
from rich.text import Text

from etcd_lockstep.reporting.finding_text import finding_report, headline, remarks
from etcd_lockstep.reporting.summary import Cause, Reported, RunSummary
from etcd_lockstep.searching.coverage import Coverage
from etcd_lockstep.searching.findings import pattern
from etcd_lockstep.strategies.operation_table import FAMILIES


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
    _print_remarks(console, one)


def _print_as_the_same(console: Console, one: Reported) -> None:
    """A finding with the same cause as the one above it."""
    where = f", in {one.file}" if one.file is not None else ""
    console.print(
        Text(f"{one.number}. the same after {pattern(one.finding.trace)}{where}", style="dim"), soft_wrap=True
    )
    _print_remarks(console, one)


def _print_remarks(console: Console, one: Reported) -> None:
    for remark in remarks(one.finding):
        console.print(Text(f"   {remark}", style="yellow"), soft_wrap=True)


def _times(number: int) -> str:
    return "time" if number == 1 else "times"


def print_summary(console: Console, summary: RunSummary, detail: Detail = Detail.USUAL) -> None:
    """What was found, by severity and operation, and what was and was not compared: ten lines at most, and in full
    detail one for each feature of the state and each error that was not met."""
    findings = summary.findings
    if findings:
        console.print()
        by_severity = "  ·  ".join(f"{number} {severity.value}" for severity, number in summary.by_severity.items())
        console.print(Text(f"{_lies(len(findings), summary)}: {by_severity}", style="bold"))
        by_operation = ", ".join(f"{operation} {number}" for operation, number in summary.by_operation.items())
        console.print(Text(f"in answers to {by_operation}"))
    for line in (*states_met(summary.coverage, detail), *limits(summary)):
        console.print(Text(line, style="dim"))


def states_met(coverage: Coverage, detail: Detail) -> list[str]:
    """What was met in which states: a line; in full detail the steps by feature, and the errors that weren't met."""
    met = coverage.met
    if not met:
        return []
    answers = len({(operation, error) for operation, error, _ in met})
    lines = [f"met {answers:,} kinds of answers, in {len(met):,} combinations with features of the state"]
    if detail is Detail.FULL:
        lines += [f"  {feature}: {steps:,} steps" for feature, steps in coverage.features.most_common()]
        lines += [f"  not met: {message}" for message in coverage.errors_not_met]
    return lines


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
