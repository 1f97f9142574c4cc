"""The bench's command line, and its table."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import median

import grpc
from rich.console import Console
from rich.table import Table

from etcd_lockstep import servers
from etcd_lockstep.bench.campaigns import two_workers_over_one
from etcd_lockstep.bench.driver import driver_over_bare_loop, lockstep_over_stubs
from etcd_lockstep.bench.fake import FEW_KEYS, fake_over_etcd, many_keys
from etcd_lockstep.bench.figures import Figure, Sizes
from etcd_lockstep.bench.histories import check_speed
from etcd_lockstep.bench.jobs import two_jobs_over_one
from etcd_lockstep.bench.machine import machine_over_driver, machine_over_driver_on_etcd
from etcd_lockstep.console.commands import Exit
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.triage import TargetGone
from etcd_lockstep.servers.calls import explain
from etcd_lockstep.target import TargetDied

SECONDS = 60.0
REPETITIONS = 5
MANY_KEYS = 1_000_000


def measure(console: Console, source: servers.WantedEtcd, sizes: Sizes, *, campaigns: bool) -> list[Figure]:
    """`campaigns`: whether theirs are measured, which start a cluster for each figure."""
    with Participants(source, [], progress=console.print) as run:
        assert run.etcd is not None
        console.print(run.etcd.how)
        figures = []
        with console.status("lockstep"):
            figures.append(lockstep_over_stubs(run, sizes))
        with console.status("driver"):
            figures.append(driver_over_bare_loop(run, sizes))
        with console.status("machine"):
            figures.append(machine_over_driver(run, sizes))
            figures.append(machine_over_driver_on_etcd(run, sizes))
        with console.status("jobs"):
            figures.append(two_jobs_over_one(sizes))
        if campaigns:
            with console.status("workers"):
                figures.append(two_workers_over_one(sizes))
        with console.status("fake"):
            figures.append(fake_over_etcd(run.etcd, sizes))
    with (
        console.status("many keys"),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process,
    ):
        figures += process.submit(many_keys, sizes).result()
    with (
        console.status("checker"),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process,
    ):
        return figures + process.submit(check_speed, sizes).result()


def table(figures: Sequence[Figure]) -> Table:
    made = Table("what", "min", "median", "max", "aim", "met", "medians of the two sides")
    for figure in figures:
        values = (min(figure.values), median(figure.values), max(figure.values))
        aim = f"{'≥' if figure.unit == '×' else '≤'} {figure.aim:g} {figure.unit}"
        met = "[green]yes[/]" if figure.met else "[red]no[/]"
        made.add_row(figure.name, *(f"{value:.2f}" for value in values), aim, met, figure.detail)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m etcd_lockstep.bench", description="How fast the suite is, as ratios."
    )
    parser.add_argument("--etcd", default="auto", metavar="SOURCE", help="where the real etcd comes from, as for fuzz")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="N", help=f"how long to measure, about (default {SECONDS:g})"
    )
    parser.add_argument("--quick", action="store_true", help="measure next to nothing, to see that it works")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    try:
        if not 0 < options.seconds < float("inf"):
            raise servers.BadSource(f"--seconds {options.seconds:g} is no time to measure anything in")
        source = servers.parse_source(options.etcd)
        if isinstance(source, servers.NoEtcd):
            raise servers.BadSource("the bench needs a real etcd to compare with: it can't go with --etcd none")
        sizes = Sizes(options.seconds / (10 * REPETITIONS), REPETITIONS, MANY_KEYS)
        sizes = Sizes(0.1, 2, 2 * FEW_KEYS) if options.quick else sizes
        figures = measure(console, source, sizes, campaigns=not options.quick)
    except (servers.BadSource, servers.NotEmpty) as error:
        return _refuse(str(error), Exit.REFUSED)
    except (servers.EtcdUnavailable, TargetDied, TargetGone) as error:
        return _refuse(str(error), Exit.UNREACHABLE)
    except grpc.RpcError as error:
        return _refuse(f"etcd stopped answering: {explain(error)}", Exit.UNREACHABLE)
    except KeyboardInterrupt:
        return _refuse("interrupted", Exit.INTERRUPTED)
    console.print(table(figures))
    return 0


def _refuse(reason: str, code: Exit) -> Exit:
    print(f"bench: {reason}", file=sys.stderr)
    return code
