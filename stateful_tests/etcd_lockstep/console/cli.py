"""The command line: options in, exit codes out. What goes wrong outside of us is one line, never a traceback."""

from __future__ import annotations

import argparse
import io
import os
import random
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn, TextIO

from rich.console import Console

from etcd_lockstep import servers
from etcd_lockstep.catalogue import find, find_two, is_etcd
from etcd_lockstep.comparing.ignoring import check_fields
from etcd_lockstep.console.argument_types import (
    PROCESSES_A_CORE,
    check_corpus,
    check_output,
    positive,
    processes,
    seconds,
    seed,
)
from etcd_lockstep.console.campaign_arguments import add_campaign
from etcd_lockstep.console.commands import (
    MOST_REQUESTS,
    Exit,
    FuzzOptions,
    run_check,
    run_fuzz,
    run_record,
    run_replay,
    run_targets,
)
from etcd_lockstep.console.ending import USAGE_ERRORS
from etcd_lockstep.console.interrupts import Interrupts
from etcd_lockstep.console.stress_arguments import add_stress
from etcd_lockstep.filing.baseline import load_baseline
from etcd_lockstep.reporting.html import check_jinja2, html_report
from etcd_lockstep.reporting.junit import junit_report
from etcd_lockstep.reporting.markdown import markdown_report
from etcd_lockstep.reporting.sarif import sarif_report
from etcd_lockstep.reporting.summary import RunSummary
from etcd_lockstep.reporting.text import Detail
from etcd_lockstep.searching.driver import STEPS
from etcd_lockstep.searching.run import NothingToDo, RunOptions
from etcd_lockstep.shards.pool import ShardEnded
from etcd_lockstep.shards.shard import Shard
from etcd_lockstep.strategies.operation_table import FAMILIES
from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.deadline import CALL_TIMEOUT
from etcd_model import DEFAULT_VERSION

DEFAULT_SECONDS = 60.0
_EPILOGUE = (
    "exit codes: 0 agreed; 1 lies found; 2 usage, or refused; 3 a target can't be reached or started; "
    "5 an error of etcd-lockstep's own; 130, 143, 129 ended by a signal"
)

_RECORD_EPILOGUE = (
    "It records until Ctrl-C, SIGTERM or SIGHUP, and then writes the file. "
    "exit codes: 0 written; 2 usage, nothing was asked, or the file can't be written; 3 it can't listen"
)

_CHECK_EPILOGUE = (
    "exit codes: 0 every history is linearizable; 1 one has a violation; 2 usage, or a file can't be read; "
    "4 one is unknown; 130, 143, 129 ended by a signal"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script `etcd-lockstep`."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # where the output's encoding has no ▶ or ≠
    console = Console(file=_own_stdout(), highlight=False, markup=False, emoji=False)
    interrupts = Interrupts()
    try:
        command: Callable[[Console, argparse.Namespace], Exit] = options.command
        with interrupts:
            return command(console, options)
    except USAGE_ERRORS as error:
        return _refuse(str(error), Exit.REFUSED)
    except ShardEnded as ended:
        return _refuse(str(ended), ended.code)
    except (servers.EtcdUnavailable, TargetDied) as error:
        return _refuse(str(error), Exit.UNREACHABLE)
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error), Exit.REFUSED)
    except KeyboardInterrupt:
        return _refuse("interrupted", Exit(interrupts.exit_code))


def _own_stdout() -> TextIO | None:
    """The standard output as a file of ours, so that a target which closes the other one doesn't end the report.

    None, for `sys.stdout`, where that is not the process's own.
    """
    if sys.stdout is not sys.__stdout__ or sys.stdout is None:
        return None
    try:
        sys.stdout.flush()
        return open(os.dup(sys.stdout.fileno()), "w", encoding=sys.stdout.encoding, errors="replace", buffering=1)
    except (OSError, ValueError):
        return None


def _refuse(reason: str, code: Exit) -> Exit:
    print(f"etcd-lockstep: {_one_line(reason)}", file=sys.stderr)
    return code


def _one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def _fuzz(console: Console, options: argparse.Namespace) -> Exit:
    for name in options.against:
        find(name)
    return _search(console, options, options.etcd, options.against)


def _diff(console: Console, options: argparse.Namespace) -> Exit:
    first, second = options.targets
    find_two(first, second, _credentials(options))
    judge, judged = (first, second) if is_etcd(first) else (second, first)
    return _search(console, options, judge, [judged])


def _search(console: Console, options: argparse.Namespace, etcd: str, against: Sequence[str]) -> Exit:
    """`against` may name targets and etcds."""
    how_long: float | None = options.seconds
    if how_long is None and options.examples is None:
        how_long = DEFAULT_SECONDS
    reports: list[tuple[Path | None, Callable[[RunSummary], str]]] = [
        (options.html, html_report),
        (options.junit, junit_report),
        (options.sarif, sarif_report),
        (options.markdown, markdown_report),
    ]
    for option in ("json", "html", "junit", "sarif", "markdown", "write_baseline"):
        check_output(f"--{option.replace('_', '-')}", getattr(options, option))
    if options.html is not None:
        check_jinja2()
    check_corpus(options.corpus)
    baseline: Path | None = options.baseline
    if baseline is None and options.write_baseline is not None and options.write_baseline.exists():
        baseline = options.write_baseline  # whose reasons would be lost otherwise
    accepted = load_baseline(baseline) if baseline is not None else []
    shard = Shard(
        etcd=etcd,
        against=tuple(against),
        families=options.families,
        seconds=how_long,
        examples=options.examples,
        steps=options.steps,
        seed=random.randrange(2**32) if options.seed is None else options.seed,
        call_timeout=options.call_timeout,
        ignored=check_fields(options.ignore),
        accepted=tuple(one.finding for one in accepted),
    )
    credentials = _credentials(options)
    check_jobs(options.jobs, shard.options(credentials))
    return run_fuzz(
        console,
        FuzzOptions(
            shard,
            options.jobs,
            credentials,
            options.allow_destroy,
            detail=Detail.FULL if options.verbose else Detail.BRIEF if options.brief else Detail.USUAL,
            json_file=options.json,
            reports=[(path, report) for path, report in reports if path is not None],
            corpus=options.corpus,
            try_corpus=options.seed is None,  # with one, the same sequences are run whatever is filed
            baseline=baseline,
            accepted=accepted,
            new_baseline=options.write_baseline,
        ),
    )


def _replay(console: Console, options: argparse.Namespace) -> Exit:
    return run_replay(
        console,
        options.files,
        servers.parse_source(options.etcd, _credentials(options)),
        [find(name) for name in options.against],
        allow_destroy=options.allow_destroy,
        call_timeout=options.call_timeout,
    )


def _record(console: Console, options: argparse.Namespace) -> Exit:
    return run_record(console, options.out, options.listen, options.etcd_version, options.most)


def _check(console: Console, options: argparse.Namespace) -> Exit:
    check_output("--json", options.json)
    check_output("--html", options.html)
    return run_check(console, options.files, options.json, options.html)


def _targets(console: Console, _options: argparse.Namespace) -> Exit:
    return run_targets(console)


def _credentials(options: argparse.Namespace) -> servers.Credentials:
    return servers.Credentials.of(options.cacert, options.cert, options.key, options.user)


def _variable(option: str) -> str:
    return f"ETCDCTL_{option.removeprefix('--').upper()}"


class _Parser(argparse.ArgumentParser):
    """One whose complaints are one line; `--help` has the rest."""

    def error(self, message: str) -> NoReturn:
        self.exit(Exit.REFUSED, f"etcd-lockstep: {_one_line(message)}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="etcd-lockstep",
        description="Finds where an etcd mock, fake or look-alike differs from a real etcd.",
        epilog=f"{_EPILOGUE}; of check and stress, 4: a history is unknown",
    )
    parser.add_argument("--version", action="version", version=f"etcd-lockstep {version('etcd-lockstep')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    running = _Parser(add_help=False)
    running.add_argument(
        "--call-timeout",
        type=seconds,
        default=CALL_TIMEOUT,
        metavar="N",
        help=f"seconds after which a call of a target of your own counts as hanging (default {CALL_TIMEOUT:g})",
    )
    for option, what in (
        ("--cacert", "the authorities that the certificate of an https endpoint is checked with"),
        ("--cert", "the client's certificate for an https endpoint"),
        ("--key", "the key of that"),
    ):
        running.add_argument(option, type=Path, metavar="FILE", help=f"{what} (default ${_variable(option)})")
    running.add_argument(
        "--user", metavar="NAME:PASSWORD", help="a user with the role root, where an endpoint has authentication on"
    )
    running.add_argument(
        "--allow-destroy", action="store_true", help="delete everything that a named endpoint holds, and then use it"
    )
    shared = _Parser(add_help=False, parents=[running])
    shared.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="TARGET",
        help="a target to compare with the model, the fake and the real etcd; may be given more than once",
    )
    shared.add_argument(
        "--etcd", default="auto", metavar="SOURCE", help=f"where the real etcd comes from: {servers.ACCEPTED}"
    )
    search = _search_options()
    fuzz = commands.add_parser("fuzz", parents=[shared, search], epilog=_EPILOGUE, help="search for lies")
    fuzz.set_defaults(command=_fuzz)

    diff = commands.add_parser(
        "diff",
        parents=[running, search],
        epilog=_EPILOGUE,
        help="list the lies between two targets, one of them an etcd",
    )
    diff.add_argument(
        "targets",
        nargs=2,
        metavar="TARGET",
        help=f"an etcd ({servers.ACCEPTED}), a target that `targets` lists, or package.module:Class",
    )
    diff.set_defaults(command=_diff)

    replay = commands.add_parser("replay", parents=[shared], epilog=_EPILOGUE, help="run corpus files again")
    replay.add_argument("files", nargs="+", type=Path, metavar="FILE", help="corpus files, or folders of them")
    replay.set_defaults(command=_replay)

    _add_record(commands)
    check = commands.add_parser(
        "check", epilog=_CHECK_EPILOGUE, help="say whether recorded histories of concurrent calls are linearizable"
    )
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="history files, or logs of Jepsen's")
    check.add_argument("--json", type=Path, metavar="FILE", help="write the verdicts there")
    check.add_argument("--html", type=Path, metavar="FILE", help="write a page there: the calls, and what is wrong")
    check.set_defaults(command=_check)

    add_stress(commands, running, _credentials)
    add_campaign(commands)

    targets = commands.add_parser("targets", help="list targets and specimens")
    targets.set_defaults(command=_targets)
    return parser


def _add_record(commands: argparse._SubParsersAction[_Parser]) -> None:
    record = commands.add_parser(
        "record", epilog=_RECORD_EPILOGUE, help="serve the fake, and write what it was asked as a file for replay"
    )
    record.add_argument("--out", type=Path, required=True, metavar="FILE", help="write the session there, at its end")
    record.add_argument(
        "--listen",
        default="http://127.0.0.1:2379",
        metavar="URL",
        help="where clients find it: http://HOST:PORT or unix://PATH, or several (default %(default)s)",
    )
    record.add_argument(
        "--etcd-version",
        default=DEFAULT_VERSION,
        metavar="X.Y.Z",
        help="the etcd release to behave like (default %(default)s)",
    )
    record.add_argument(
        "--most",
        type=positive,
        default=MOST_REQUESTS,
        metavar="N",
        help="keep so many requests and responses; the oldest are given up (default %(default)s)",
    )
    record.set_defaults(command=_record)


def _search_options() -> _Parser:
    search = _Parser(add_help=False)
    search.add_argument(
        "--seconds", type=seconds, metavar="N", help=f"how long to search (default {DEFAULT_SECONDS:.0f})"
    )
    search.add_argument(
        "--examples",
        type=positive,
        metavar="N",
        help="how many examples to run instead in each workload; one holds a sequence or several short ones",
    )
    search.add_argument(
        "--steps",
        type=positive,
        default=STEPS,
        metavar="N",
        help=f"at most so many steps an example (default {STEPS})",
    )
    search.add_argument(
        "--jobs",
        type=processes,
        default=1,
        metavar="N",
        help="search in so many processes, each with targets and a seed of its own "
        f"(default 1, at most {PROCESSES_A_CORE} a core)",
    )
    search.add_argument("--seed", type=seed, metavar="N", help="draw the same sequences as another run with this seed")
    search.add_argument(
        "--families",
        type=_families,
        default=tuple(FAMILIES),
        metavar="A,B",
        help=f"only these families of operations: {','.join(FAMILIES)}",
    )
    amount = search.add_mutually_exclusive_group()
    amount.add_argument("--brief", action="store_true", help="print the summary, and each lie in a line")
    amount.add_argument("--verbose", action="store_true", help="print every lie in full, not one for each cause")
    search.add_argument("--json", type=Path, metavar="FILE", help="write a summary there")
    search.add_argument("--html", type=Path, metavar="FILE", help="write a page there that explains each lie")
    search.add_argument("--junit", type=Path, metavar="FILE", help="write test results there, for a CI system")
    search.add_argument("--sarif", type=Path, metavar="FILE", help="write a SARIF log there, for code scanning")
    search.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write a summary there, such as a job's on GitHub"
    )
    search.add_argument(
        "--baseline", type=Path, metavar="FILE", help="accept the findings that the file lists: only new ones count"
    )
    search.add_argument(
        "--write-baseline",
        type=Path,
        metavar="FILE",
        help="accept all that this run finds, and write it there; what the file accepts already keeps its reason",
    )
    search.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="FIELD",
        help="don't compare this field of answers, such as create_revision; may be given more than once",
    )
    search.add_argument("--corpus", type=Path, metavar="DIR", help="file lies there, to be replayed from now on")
    return search


def check_jobs(jobs: int, plan: RunOptions) -> None:
    """Raises `NothingToDo` where a run of several jobs would share a server."""
    if jobs > 1 and any(isinstance(one, servers.Endpoint) for one in (plan.source, *plan.against)):
        raise NothingToDo(f"--jobs {jobs}: an endpoint is there only once: each job needs an etcd of its own")


def _families(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in FAMILIES:
            raise argparse.ArgumentTypeError(f"no family is called {name!r}: there are {', '.join(FAMILIES)}")
    return names
