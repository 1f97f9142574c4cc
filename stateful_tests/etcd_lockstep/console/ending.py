"""What ended a run before its time: an exit code, and the reason in words."""

from __future__ import annotations

import traceback
from pathlib import Path

from etcd_lockstep import servers
from etcd_lockstep.campaigns.coordinator import ClusterGone
from etcd_lockstep.catalogue import UnknownTarget
from etcd_lockstep.comparing.ignoring import UnknownField
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.console.interrupts import Interrupts
from etcd_lockstep.filing.bad_file import BadFile
from etcd_lockstep.reporting.html import NoJinja2
from etcd_lockstep.searching.run import NothingToDo
from etcd_lockstep.searching.triage import TargetGone
from etcd_lockstep.shards.pool import ShardEnded
from etcd_lockstep.target import TargetDied, described

USAGE_ERRORS = (
    servers.BadSource,
    servers.BadCredentials,
    servers.NotEmpty,
    UnknownTarget,
    UnknownField,
    NothingToDo,
    BadFile,
    NoJinja2,
)


def ended_by(error: BaseException, interrupts: Interrupts) -> tuple[Exit, str]:
    """The exit code of a run that an error ended, and the reason in words, which is empty for a signal. What follows a
    signal, such as the end of a program that received it too, counts as the signal."""
    if interrupts.signal:
        return Exit(interrupts.exit_code), ""
    match error:
        case ShardEnded(code=code):
            return code, str(error)
        case TargetGone() | TargetDied() | servers.EtcdUnavailable() | ClusterGone():
            return Exit.UNREACHABLE, str(error)
        case _ if isinstance(error, USAGE_ERRORS):
            return Exit.REFUSED, str(error)
        case OSError(filename=filename, strerror=why) if filename:
            return Exit.REFUSED, f"{filename}: {why}"
        case _:
            return Exit.FAILED, f"the run failed {_where(error)}"


def _where(error: BaseException) -> str:
    """An error that nobody expected, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"with {described(error)}{place}"
