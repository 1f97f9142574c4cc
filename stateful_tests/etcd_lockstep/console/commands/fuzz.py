"""`fuzz`: search for lies, report and file them. `diff` is the same search, between two targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from rich.console import Console

from etcd_lockstep.catalogue import REFERENCES
from etcd_lockstep.console.ending import ended_by
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.console.interrupts import Interrupts
from etcd_lockstep.console.progress import SearchProgress
from etcd_lockstep.filing.baseline import AcceptedFinding, save_baseline
from etcd_lockstep.filing.corpus import BadFile, load
from etcd_lockstep.filing.filed import FiledFindings
from etcd_lockstep.filing.writing import write_each
from etcd_lockstep.reporting.as_json import json_report
from etcd_lockstep.reporting.finding_text import headline
from etcd_lockstep.reporting.summary import RunSummary, summarize
from etcd_lockstep.reporting.text import Detail, print_findings, print_summary, verdict
from etcd_lockstep.servers import Credentials
from etcd_lockstep.shards.pool import ShardPool
from etcd_lockstep.shards.result import ShardResult, ShardTargets
from etcd_lockstep.shards.running import Listener, ShardRun
from etcd_lockstep.shards.shard import Shard
from etcd_lockstep.trace import Trace

SCRATCH = Path("lies-found")
"""Where lies are filed unless a corpus is named."""


_CUT_SHORT = {
    **dict.fromkeys((Exit.INTERRUPTED, Exit.TERMINATED, Exit.HUNG_UP), "interrupted"),
    **dict.fromkeys((Exit.REFUSED, Exit.UNREACHABLE, Exit.FAILED), "ended early"),
}


@dataclass(frozen=True, slots=True)
class FuzzOptions:
    """The options of `fuzz`, checked."""

    shard: Shard
    """The whole run."""
    jobs: int = 1
    """How many processes share it."""
    credentials: Credentials | None = None
    """For an endpoint."""
    allow_destroy: bool = False
    """Whether an endpoint that holds something may be emptied."""
    detail: Detail = Detail.USUAL
    json_file: Path | None = None
    reports: Sequence[tuple[Path, Callable[[RunSummary], str]]] = ()
    """What else is to be written where."""
    corpus: Path | None = None
    try_corpus: bool = False
    """Whether the traces that are filed there are tried before the search."""
    baseline: Path | None = None
    """Where accepted findings are read from."""
    accepted: Sequence[AcceptedFinding] = ()
    """What is read from there."""
    new_baseline: Path | None = None
    """Where those that still show, and all that is found, are written to."""


def run_fuzz(console: Console, options: FuzzOptions) -> Exit:
    """Search for lies, report and file them."""
    with Interrupts() as interrupts:
        return _run_fuzz(console, options, interrupts)


def _run_fuzz(console: Console, options: FuzzOptions, interrupts: Interrupts) -> Exit:
    if options.corpus is not None:
        options.corpus.mkdir(parents=True, exist_ok=True)
    folder = options.corpus or SCRATCH
    shard = options.shard
    if options.try_corpus:
        shard = replace(shard, traces=tuple(_traces_in(folder, console)))
    filed = FiledFindings(folder)
    code = None
    with ExitStack() as stack:

        def on_targets(targets: ShardTargets) -> None:
            print_targets(console, targets)
            console.print(f"seed {shard.seed}" + (f", {options.jobs} jobs" if options.jobs > 1 else ""), style="dim")
            others = [name for name in targets.names if name not in REFERENCES]
            two_etcds = others and all(name.startswith("etcd ") for name in others)  # of which neither lies
            nouns = ("difference", "differences") if two_etcds else ("lie", "lies")
            stack.enter_context(SearchProgress(console, search, shard.seconds, nouns))

        listener = Listener(
            on_targets=on_targets,
            on_workload=lambda name, drawn: console.print(f"{name}: {', '.join(drawn)}", style="dim"),
            on_line=console.print,
            on_finding=filed.file,
        )
        search: ShardRun | ShardPool
        if options.jobs > 1:
            search = stack.enter_context(ShardPool(shard.split(options.jobs), listener))
        else:
            search = ShardRun(shard.options(options.credentials, allow_destroy=options.allow_destroy), listener)
        try:
            search.search()
        except BaseException as error:
            if search.result is None:
                raise
            code, reason = ended_by(error, interrupts)
            if reason:
                console.print(reason, style="bold red", soft_wrap=True)
        interrupts.finish()
        if code is not None and isinstance(search, ShardPool):
            search.stop()
        result = search.result
    assert result is not None, "a run whose targets were not started has raised"
    if isinstance(search, ShardPool) and search.died and code is None:
        code = Exit.FAILED
    return _report(console, options, filed, result, code)


def _report(
    console: Console, options: FuzzOptions, filed: FiledFindings, result: ShardResult, code: Exit | None
) -> Exit:
    """Print and write what a run came to. `code`: of one that was cut short."""
    unfiled = filed.file_the_rest(result.findings)
    cut_short = _CUT_SHORT.get(code, "") if code is not None else ""
    summary = summarize(
        result,
        filed.files,
        filed.folder if filed.files else None,
        cut_short,
        has_baseline=bool(options.accepted),
        ignored=options.shard.ignored,
    )
    print_summary(console, summary, options.detail)
    print_findings(console, summary.causes, options.detail)
    for reason in unfiled:
        console.print(reason, style="bold red", soft_wrap=True)
    baseline = _Baseline(options, result)
    if options.baseline:
        baseline.print(console)
    try:
        if options.new_baseline:
            baseline.write(console, options.new_baseline)
    finally:  # what can't be written keeps nothing else from being written
        _print_verdict(console, summary, code)
        accepted = baseline.to_json() if options.baseline else None
        as_json = [(options.json_file, json_report(summary, accepted))] if options.json_file else []
        write_each(chain(as_json, ((path, report(summary)) for path, report in options.reports)))
    if code is None and not result.steps:
        return Exit.REFUSED
    if code is not None:
        return code
    return Exit.LIES if result.findings and not options.new_baseline else Exit.AGREED


def _traces_in(folder: Path, console: Console) -> list[Trace]:
    """The traces of a folder's corpus files. One that can't be read is named, and does not stop the run."""
    traces = []
    for path in sorted(folder.glob("*.json")):
        try:
            traces.append(load(path).trace)
        except BadFile as error:
            console.print(f"not tried: {error}", style="yellow", soft_wrap=True)
    return traces


class _Baseline:
    """What became of the accepted findings in a run."""

    def __init__(self, options: FuzzOptions, result: ShardResult) -> None:
        self._file = options.baseline
        self._result = result
        checked = result.accepted
        self._becomes: dict[str, list[AcceptedFinding]] = {
            status: [one for one in options.accepted if one.finding in findings]
            for status, findings in (
                ("shows", checked.showing),
                ("no longer shows", checked.no_longer_showing),
                ("not checked", checked.unchecked),
            )
        }

    def print(self, console: Console) -> None:
        for status, accepted in self._becomes.items():
            if not accepted:
                continue
            style = "dim" if status == "shows" else "yellow"
            console.print(f"{len(accepted)} of {self._file}: {_STATUS_IN_WORDS[status]}", style=style, soft_wrap=True)
            for one in accepted:
                reason = f" ({one.reason})" if one.reason else ""
                console.print(f"   {headline(one.finding)}{reason}", style=style, soft_wrap=True)
        if self._becomes:
            console.print()

    def write(self, console: Console, path: Path) -> None:
        new = [AcceptedFinding(finding, "") for finding in self._result.findings]
        kept = [*self._becomes["shows"], *self._becomes["not checked"]]
        save_baseline(path, [*kept, *new])
        left_out = len(self._becomes["no longer shows"])
        console.print(
            f"{path}: accepts {len(kept) + len(new)}, of which {len(new)} {'is' if len(new) == 1 else 'are'} new"
            + (f"; {left_out} left out that no longer {'shows' if left_out == 1 else 'show'}" if left_out else ""),
            soft_wrap=True,
        )

    def to_json(self) -> list[dict[str, str]]:
        return [
            {"fingerprint": one.finding.fingerprint, "reason": one.reason, "status": status}
            for status, accepted in self._becomes.items()
            for one in accepted
        ]


_STATUS_IN_WORDS = {
    "shows": "accepted, and not reported again",
    "no longer shows": "no longer shown by the target; --write-baseline leaves them out",
    "not checked": "not checked, because no workload of this run can replay them",
}


def print_targets(console: Console, targets: ShardTargets) -> None:
    """The first line of a run: which etcd, and who takes part."""
    console.print(targets.etcd or f"no real etcd; the model and the fake emulate etcd {targets.version}")
    console.print(f"targets {', '.join(targets.names)}", style="dim")


def _print_verdict(console: Console, summary: RunSummary, code: Exit | None) -> None:
    """`code`: of a run that was cut short."""
    done = f"{summary.sequences:,} sequences, {summary.steps:,} steps in {summary.seconds:.0f} s"
    done += f" ({summary.steps / summary.seconds:,.0f} steps/s)"
    if summary.given_up:
        done += f"; {summary.given_up} sequences given up because too much may have expired meanwhile to report"
    agreed = code is None and summary.steps and not summary.causes
    console.print(verdict(summary), style="bold green" if agreed else "bold red", soft_wrap=True)
    console.print(done)
