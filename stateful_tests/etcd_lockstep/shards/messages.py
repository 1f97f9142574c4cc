"""What a process that runs a shard, and the one that started it, send each other: a line of JSON each."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, get_args

from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.shards.plain import BadPlainData, from_plain, to_plain
from etcd_lockstep.shards.result import ShardResult, ShardTargets, WorkloadSummary
from etcd_lockstep.shards.shard import Shard


@dataclass(frozen=True, slots=True)
class Begin:
    """To the process: this is the shard to run."""

    shard: Shard


@dataclass(frozen=True, slots=True)
class Known:
    """To the process: another has found that, in targets like its own."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class Targets:
    """From it: its targets have been started."""

    targets: ShardTargets


@dataclass(frozen=True, slots=True)
class WorkloadBegins:
    """From it: what a workload draws."""

    name: str
    drawn: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """From it: something to be printed."""

    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """From it: a finding was made, and with which etcd."""

    finding: Finding
    etcd: str


@dataclass(frozen=True, slots=True)
class Progress:
    """From it, twice a second: how far it is, and what it does besides searching."""

    workloads: tuple[WorkloadSummary, ...]
    doing: str


@dataclass(frozen=True, slots=True)
class Ended:
    """From it: all that it came to, which is None where its targets could not be started; and what ended it early, as
    an exit code and in words, with a code of 0 where nothing did."""

    result: ShardResult | None
    code: int
    reason: str


ToProcess: TypeAlias = Begin | Known
FromProcess: TypeAlias = Targets | WorkloadBegins | Line | Found | Progress | Ended
Message: TypeAlias = ToProcess | FromProcess

_MESSAGES: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Message)}


def to_line(message: Message) -> bytes:
    """A message as a line."""
    held = {field.name: to_plain(getattr(message, field.name)) for field in fields(message)}
    return json.dumps({"message": type(message).__name__, **held}, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> Message:
    """The message again. Raises `BadPlainData`."""
    try:
        held = json.loads(line)
        kind = _MESSAGES[held.pop("message")]
        message: Message = kind(**{name: from_plain(value) for name, value in held.items()})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadPlainData(f"this is no message of ours: {line[:80]!r} ({error})") from error
    return message
