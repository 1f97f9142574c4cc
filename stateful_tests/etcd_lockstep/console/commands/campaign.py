"""`campaign`: run and resume a campaign, say how far it is, and report it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from etcd_lockstep.campaigns.coordinator import CampaignListener, Coordinator, Outcome
from etcd_lockstep.campaigns.definition import Cell
from etcd_lockstep.campaigns.figures import CampaignFigures, figures_of
from etcd_lockstep.campaigns.page import campaign_page
from etcd_lockstep.campaigns.state import CampaignState
from etcd_lockstep.console.campaign_metrics import served_metrics
from etcd_lockstep.console.campaign_progress import CampaignBoard, CampaignProgress
from etcd_lockstep.console.ending import ended_by
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.console.interrupts import Interrupts
from etcd_lockstep.filing.corpus import save
from etcd_lockstep.filing.writing import write_whole
from etcd_lockstep.reporting.finding_text import headline
from etcd_lockstep.reporting.text import Detail, print_findings
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.run import NothingToDo

_MOST_REASONS = 10
"""So many cells that came to nothing are named."""


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Where the shards of a campaign run."""

    scheduler: str | None
    """The address of a cluster that is there; without one, there is a cluster on this machine."""
    workers: int
    """Of that."""
    dashboard: bool
    metrics_port: int | None


def check_distributed(*, dashboard: bool) -> None:
    """Raises `NothingToDo` where the engine is not installed, or what its dashboard needs."""
    if find_spec("distributed") is None:
        raise NothingToDo("campaign needs Dask's distributed: pip install 'etcd-lockstep[campaign]'")
    if dashboard and find_spec("bokeh") is None:
        raise NothingToDo("--dashboard needs bokeh: pip install bokeh")


def run_campaign(console: Console, folder: Path, options: ClusterOptions, *, resumed: bool) -> Exit:
    """Run what is left of the campaign with its state in that folder, and print what it has come to."""
    with Interrupts() as interrupts, CampaignState(folder, alone=True) as state:
        under_way, failed = state.take_up()
        if resumed:
            _print_resumed(console, state, under_way, failed)
        code = _run(console, state, options, interrupts)
        interrupts.finish()
        figures = figures_of(state)
        _print_figures(console, figures, Detail.BRIEF)
        console.print(f"state in {folder}: `etcd-lockstep campaign report --html FILE {folder}`", soft_wrap=True)
    if code is Exit.AGREED or (code is Exit.REFUSED and figures.steps):
        return Exit.LIES if figures.sighted else Exit.AGREED
    return code


def _run(console: Console, state: CampaignState, options: ClusterOptions, interrupts: Interrupts) -> Exit:
    from etcd_lockstep.campaigns.cluster import DaskCluster  # an extra, which takes half a second to import

    board = CampaignBoard(state)

    def on_outcome(outcome: Outcome, cell: Cell) -> None:
        board.ended(outcome)
        if outcome.result is None:
            console.print(f"shard {outcome.number}, {cell}: {outcome.reason}", style="yellow", soft_wrap=True)

    said: set[str] = set()

    def on_finding(finding: Finding) -> None:
        board.findings += 1
        if (line := headline(finding)) not in said:
            said.add(line)
            console.print(f"new: {line}", style="bold", soft_wrap=True)

    listener = CampaignListener(
        board.began, on_outcome, on_finding, lambda line: console.print(line, style="yellow", soft_wrap=True)
    )
    try:
        with ExitStack() as stack:
            stack.enter_context(served_metrics(board, options.metrics_port))
            _print_starting(console, state, options)
            cluster = stack.enter_context(
                DaskCluster(
                    options.scheduler,
                    options.workers,
                    state.workers_folder,
                    board.on_progress,
                    dashboard=options.dashboard,
                )
            )
            if options.dashboard:
                console.print(f"the engine's dashboard is at {cluster.dashboard}", style="dim", soft_wrap=True)
            coordinator = Coordinator(state, cluster, listener)
            stack.enter_context(CampaignProgress(console, board))
            coordinator.run()
            return coordinator.code
    except BaseException as error:
        code, reason = ended_by(error, interrupts)
        console.print(
            reason or "interrupted: what was under way is run again by resume", style="bold red", soft_wrap=True
        )
        return code


def _print_starting(console: Console, state: CampaignState, options: ClusterOptions) -> None:
    where = f"the cluster at {options.scheduler}" if options.scheduler else _number(options.workers, "worker")
    console.print(
        f"{_number(len(state.cells), 'cell')}, seed {state.campaign.seed}, on {where}", style="dim", soft_wrap=True
    )


def _print_resumed(console: Console, state: CampaignState, under_way: int, failed: int) -> None:
    done, total = state.by_status().get("done", 0), state.campaign.total
    console.print(
        f"resumed: {done:,}{f' of {total:,}' if total is not None else ''} shards are done, "
        f"{_number(len(state.findings()), 'lie')} known; {under_way} were under way and are run again"
        + (f", and {failed} that failed" if failed else ""),
        soft_wrap=True,
    )


def print_status(console: Console, folder: Path, json_file: Path | None) -> Exit:
    """How far a campaign is; whether one runs on the state or not."""
    with CampaignState(folder, alone=False) as state:
        figures = figures_of(state)
    if json_file is not None:
        write_whole(json_file, json.dumps(figures.to_json(), indent=2) + "\n")
    _print_figures(console, figures, None)
    return Exit.LIES if figures.sighted else Exit.AGREED


def report_campaign(console: Console, folder: Path, html: Path | None, corpus: Path | None, detail: Detail) -> Exit:
    """What a campaign has come to: printed, as a page, and as corpus files."""
    with CampaignState(folder, alone=False) as state:
        figures = figures_of(state)
    _print_figures(console, figures, detail)
    if html is not None:
        write_whole(html, campaign_page(figures))
    if corpus is not None:
        corpus.mkdir(parents=True, exist_ok=True)
        for one in figures.sighted:
            save(one.finding, corpus, one.found_with)
        console.print(f"{_number(len(figures.sighted), 'lie')} filed in {corpus}", soft_wrap=True)
    return Exit.LIES if figures.sighted else Exit.AGREED


def _print_figures(console: Console, figures: CampaignFigures, detail: Detail | None) -> None:
    """Without `detail`, findings are only counted."""
    if detail is not None:
        print_findings(console, figures.causes, detail)
    for name, shards, reason in figures.failures[:_MOST_REASONS]:
        console.print(f"{name}: {_number(shards, 'shard')} came to nothing: {reason}", style="yellow", soft_wrap=True)
    for one in figures.etcds:
        console.print(
            f"etcd {one.etcd}: {_number(one.shards, 'shard')}, {one.sequences:,} sequences, {one.steps:,} steps in "
            f"{one.seconds:,.0f} s of search; {_number(one.findings, 'lie')}",
            soft_wrap=True,
        )
    counts = [
        f"{figures.shards[name]:,} {name}"
        for name in ("done", "running", "planned", "failed")
        if name in figures.shards
    ]
    total = figures.campaign.total
    console.print(f"shards: {', '.join(counts) or 'none yet'}{f', of {total:,}' if total is not None else ''}")
    agreed = bool(figures.steps) and not figures.sighted
    causes = len(figures.causes)
    said = (
        f"{_number(len(figures.sighted), 'lie')} of {_number(causes, 'cause')}" if figures.sighted else "no lies found"
    )
    console.print(said, style="bold green" if agreed else "bold red" if figures.sighted else "")


def _number(number: int, what: str) -> str:
    return f"{number:,} {what if number == 1 else what + 's'}"
