"""The command line of `stress`."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from etcd_lockstep.catalogue import UnknownTarget
from etcd_lockstep.console.argument_types import check_corpus, check_output, positive, seconds, seed
from etcd_lockstep.console.commands import Exit, StressCommand, run_stress
from etcd_lockstep.console.commands.races import replay_race
from etcd_lockstep.console.commands.shrunk import replay_stress
from etcd_lockstep.console.commands.stress import FOUND
from etcd_lockstep.servers import Credentials
from etcd_lockstep.specimens.racing import RACING
from etcd_lockstep.stressing.files import is_stress_file
from etcd_lockstep.stressing.nemesis import FAULTS, OF_CLUSTERS, OF_NETWORK, OF_SERVERS
from etcd_lockstep.stressing.run import StressOptions
from etcd_lockstep.stressing.stores import find_stress_target

_SECONDS = 60.0
_CLIENTS = 6
_MOST_CLIENTS = 200
"""Each has a thread and a channel."""
_MOST_BYTES = 1_000_000
"""etcd takes requests of 1.5 MiB; values grow a little in a round."""
_FAULTS_TIMEOUT = 1.0
"""Seconds after which a client gives a call up where there are faults: some pauses are longer."""

_EPILOGUE = (
    "exit codes: 0 every round is linearizable; 1 one has a violation; 2 usage, or refused; "
    "3 a target can't be reached or started, or did not come back; 4 a round's history is unknown; "
    "130, 143, 129 ended by a signal"
)


def add_stress(
    commands: Any, running: argparse.ArgumentParser, credentials: Callable[[argparse.Namespace], Credentials]
) -> None:
    """Add the command to what `add_subparsers` returned. `running`: the options on how a target is reached, and
    `credentials` what they say."""
    stress = commands.add_parser(
        "stress",
        parents=[running],
        epilog=_EPILOGUE,
        help="let clients race on a store while faults happen, and check what they saw",
    )
    stress.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="an etcd (auto, container[:TAG], binary[:PATH], version:X.Y.Z or endpoint:URL), three of them "
        "(cluster:3[:VERSION] or cluster:3:container[:TAG]), fake-server, "
        "serve:COMMAND; or in this process, where threads run under a schedule: fake, package.module:Class, "
        f"{', '.join(RACING)}",
    )
    stress.add_argument(
        "--replay",
        type=Path,
        metavar="FILE",
        help="run again what was found and filed, on its target or on the one that is named",
    )
    stress.add_argument(
        "--seconds", type=seconds, metavar="N", help=f"how long, for each target (default {_SECONDS:.0f})"
    )
    stress.add_argument(
        "--clients", type=_clients, default=_CLIENTS, metavar="N", help=f"how many clients race (default {_CLIENTS})"
    )
    stress.add_argument(
        "--value-bytes",
        type=_value_bytes,
        default=0,
        metavar="N",
        help=f"let most calls put a value of about that size, {_MOST_BYTES:,} at most (default: small values alone)",
    )
    stress.add_argument("--seed", type=seed, metavar="N", help="draw the same programs and faults as another run")
    stress.add_argument(
        "--faults",
        type=_faults,
        default=(),
        metavar="A,B",
        help="what is done once a round, one of these (default: nothing): to an etcd that the run starts, "
        f"{','.join(OF_SERVERS)}; to the network between clients and store, {','.join(OF_NETWORK)}; to a cluster, "
        f"{','.join(OF_CLUSTERS)}",
    )
    stress.add_argument(
        "--corpus",
        type=Path,
        default=FOUND,
        metavar="DIR",
        help=f"file a history there that is not linearizable (default {FOUND})",
    )
    stress.add_argument("--json", type=Path, metavar="FILE", help="write a summary there")
    stress.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="write a page of what is found there: the clients along time; needs the extra html",
    )
    stress.set_defaults(command=lambda console, options: _stress(console, options, credentials(options)))


def _stress(console: Console, options: argparse.Namespace, credentials: Credentials) -> Exit:
    if options.replay is not None:
        if len(options.targets) > 1:
            raise UnknownTarget("--replay takes one target, or none for the one that the file names")
        if is_stress_file(options.replay):
            name = options.targets[0] if options.targets else None
            return replay_stress(console, options.replay, name, credentials, allow_destroy=options.allow_destroy)
        return replay_race(console, options.replay, options.targets[0] if options.targets else None)
    if not options.targets:
        raise UnknownTarget("name what is to be stressed: an etcd, fake-server, serve:COMMAND or package.module:Class")
    check_output("--json", options.json)
    check_output("--html", options.html)
    check_corpus(options.corpus)
    timeout = min(options.call_timeout, _FAULTS_TIMEOUT) if options.faults else options.call_timeout
    return run_stress(
        console,
        StressCommand(
            [(name, find_stress_target(name, credentials)) for name in options.targets],
            StressOptions(
                seconds=_SECONDS if options.seconds is None else options.seconds,
                clients=options.clients,
                seed=random.randrange(2**32) if options.seed is None else options.seed,
                faults=options.faults,
                value_bytes=options.value_bytes,
                call_timeout=timeout,
            ),
            corpus=options.corpus,
            json_file=options.json,
            html_file=options.html,
            allow_destroy=options.allow_destroy,
        ),
    )


def _clients(text: str) -> int:
    number = positive(text)
    if number > _MOST_CLIENTS:
        raise argparse.ArgumentTypeError(f"{number} are too many clients: at most {_MOST_CLIENTS}")
    return number


def _value_bytes(text: str) -> int:
    number = positive(text)
    if number > _MOST_BYTES:
        raise argparse.ArgumentTypeError(f"{number} are too many bytes: at most {_MOST_BYTES}")
    return number


def _faults(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in FAULTS:
            raise argparse.ArgumentTypeError(f"no fault is called {name!r}: there are {', '.join(FAULTS)}")
    return names
