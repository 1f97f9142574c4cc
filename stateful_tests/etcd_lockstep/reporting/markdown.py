"""A run as a page of Markdown, such as the summary of a GitHub job: what `--markdown` writes."""

from __future__ import annotations

from etcd_lockstep.reporting.finding_text import headline_and_remarks, report_text
from etcd_lockstep.reporting.summary import Cause, RunSummary
from etcd_lockstep.reporting.text import limits, verdict

_REPORTS = 20
"""How many findings are shown in full: a GitHub summary may have 1 MiB."""


def markdown_report(summary: RunSummary) -> str:
    """A table of the causes, and the report of the first of each."""
    lines = [f"## etcd-lockstep: {', '.join(summary.compared)}", "", f"**{verdict(summary)}**", ""]
    if summary.causes:
        lines += ["| severity | finding | traces | seen again |", "|---|---|---:|---:|"]
        lines += map(_row, summary.causes)
        lines.append("")
    for cause in summary.causes[:_REPORTS]:
        lines += _details(cause)
    if len(summary.causes) > _REPORTS:
        lines += [f"The other {len(summary.causes) - _REPORTS} are in the table above only.", ""]
    lines += [
        f"{summary.etcd or f'No real etcd; the model and the fake emulate etcd {summary.version}'}. "
        f"{summary.sequences:,} sequences, {summary.steps:,} steps in {summary.seconds:.0f} s; seed {summary.seed}.",
        "",
    ]
    lines += [f"- {line}" for line in limits(summary)]
    return "\n".join(lines).rstrip() + "\n"


def _row(cause: Cause) -> str:
    first = cause.findings[0]
    again = sum(one.seen_again for one in cause.findings)
    return (
        f"| {cause.severity.value} | {_cell(headline_and_remarks(first.finding, first.operations))} "
        f"| {len(cause.findings)} | {again:,} |"
    )


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _details(cause: Cause) -> list[str]:
    first = cause.findings[0]
    report = report_text(first.finding)
    fence = "```" if "```" not in report else "~~~~"
    summary = headline_and_remarks(first.finding, first.operations).replace("<", "&lt;")
    return [f"<details><summary>{summary}</summary>", "", fence, report, fence, "", "</details>", ""]
