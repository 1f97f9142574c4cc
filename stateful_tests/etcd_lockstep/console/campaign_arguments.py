"""The command line of `campaign`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from rich.console import Console

from etcd_lockstep.campaigns.definition import load_campaign
from etcd_lockstep.campaigns.planning import turns_for
from etcd_lockstep.campaigns.state import CampaignState
from etcd_lockstep.console.argument_types import PROCESSES_A_CORE, check_corpus, check_output, port, processes
from etcd_lockstep.console.commands.campaign import (
    ClusterOptions,
    check_distributed,
    print_status,
    report_campaign,
    run_campaign,
)
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.reporting.html import check_jinja2
from etcd_lockstep.reporting.text import Detail

_EPILOGUE = (
    "exit codes: 0 agreed; 1 lies found, by this run or one before; 2 usage, or refused; 3 a target or the scheduler "
    "can't be reached or started; 5 a shard's processes died, or an error of etcd-lockstep's own; "
    "130, 143, 129 ended by a signal"
)


def add_campaign(commands: Any) -> None:
    """Add the command to what `add_subparsers` returned."""
    campaign = commands.add_parser(
        "campaign", epilog=_EPILOGUE, help="search for hours or days, in many shards, with a state that can be resumed"
    )
    actions = campaign.add_subparsers(required=True, metavar="ACTION")
    run = actions.add_parser("run", epilog=_EPILOGUE, help="begin a campaign")
    run.add_argument("file", type=Path, metavar="FILE", help="what the campaign is to do, as TOML")
    run.add_argument(
        "--state", type=Path, metavar="DIR", help="where its state is kept (default: the file's name, with -state)"
    )
    run.add_argument(
        "--uniform", action="store_true", help="give all cells the same time, however well they are covered"
    )
    _add_cluster(run)
    run.set_defaults(command=_run)

    resume = actions.add_parser("resume", epilog=_EPILOGUE, help="go on with a campaign that was ended")
    _add_state(resume)
    _add_cluster(resume)
    resume.set_defaults(command=_resume)

    status = actions.add_parser("status", epilog=_EPILOGUE, help="say how far a campaign is")
    _add_state(status)
    status.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    status.set_defaults(command=_status)

    report = actions.add_parser("report", epilog=_EPILOGUE, help="report what a campaign has come to")
    _add_state(report)
    report.add_argument("--html", type=Path, metavar="FILE", help="write a page there, with curves and a heat map")
    report.add_argument("--corpus", type=Path, metavar="DIR", help="file the lies there")
    amount = report.add_mutually_exclusive_group()
    amount.add_argument("--brief", action="store_true", help="print each lie in a line")
    amount.add_argument("--verbose", action="store_true", help="print every lie in full, not one for each cause")
    report.set_defaults(command=_report)


def _add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("state", type=Path, metavar="DIR", help="the campaign's state")


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=processes,
        metavar="N",
        help=f"worker processes on this machine (default: one a core, at most {PROCESSES_A_CORE} a core)",
    )
    where.add_argument("--scheduler", metavar="ADDRESS", help="the scheduler of a Dask cluster that is there already")
    parser.add_argument("--dashboard", action="store_true", help="have the engine serve its own dashboard, on loopback")
    parser.add_argument("--metrics-port", type=port, metavar="P", help="serve metrics for Prometheus on loopback")


def _cluster(options: argparse.Namespace) -> ClusterOptions:
    check_distributed(dashboard=options.dashboard and options.scheduler is None)
    workers = options.workers or os.cpu_count() or 1
    return ClusterOptions(options.scheduler, workers, options.dashboard, options.metrics_port)


def _run(console: Console, options: argparse.Namespace) -> Exit:
    cluster = _cluster(options)
    campaign = load_campaign(options.file)
    folder: Path = options.state or options.file.with_name(options.file.stem + "-state")
    turns = turns_for(cluster.workers, len(campaign.cells))
    CampaignState.create(folder, campaign, turns=turns, uniform=options.uniform)
    return run_campaign(console, folder, cluster, resumed=False)


def _resume(console: Console, options: argparse.Namespace) -> Exit:
    return run_campaign(console, options.state, _cluster(options), resumed=True)


def _status(console: Console, options: argparse.Namespace) -> Exit:
    check_output("--json", options.json)
    return print_status(console, options.state, options.json)


def _report(console: Console, options: argparse.Namespace) -> Exit:
    check_output("--html", options.html)
    check_corpus(options.corpus)
    if options.html is not None:
        check_jinja2()
    detail = Detail.FULL if options.verbose else Detail.BRIEF if options.brief else Detail.USUAL
    return report_campaign(console, options.state, options.html, options.corpus, detail)
