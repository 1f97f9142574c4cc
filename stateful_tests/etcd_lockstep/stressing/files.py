"""Calls that showed a violation, as a file: what each client calls, the fault, and how often it failed. JSON, in the
notation of corpus files."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etcd_lockstep.filing.bad_file import BadFile
from etcd_lockstep.filing.corpus import read_object
from etcd_lockstep.filing.notation import BadNotation, Json, operation_from_json, to_json
from etcd_lockstep.filing.writing import write_whole
from etcd_lockstep.stressing.nemesis import FAULTS, Planned
from etcd_lockstep.stressing.scripts import Fixed
from etcd_lockstep.stressing.shrinking import Failing
from etcd_lockstep.trace import RevisionAt, Trace, symbols

NAME = "etcd-lockstep stress"
FORMAT = 1
"""The version of the format. A file of a newer one is refused, never guessed at."""
_WHAT = "a file of stress"
_MOST_CLIENTS = 200
_MOST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Filed:
    """What such a file holds."""

    target: str
    """As a command line names it."""
    shows: str
    """The name of the violation."""
    script: Fixed
    failed: int
    runs: int
    """Of so many runs, `failed` showed a violation."""
    call_timeout: float
    """Seconds after which a client gives a call up."""


def save_failing(failing: Failing, target: str, name: str, call_timeout: float, folder: Path) -> Path:
    """Write it, under the name of what it shows. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(failing_to_json(failing, target, call_timeout), indent=2) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    shows = failing.failure.verdict.first.anomaly.value
    path = folder / f"{re.sub(r'[^A-Za-z0-9]+', '-', f'{name} {shows}')}-{digest}.json"
    write_whole(path, text)
    return path


def failing_to_json(failing: Failing, target: str, call_timeout: float) -> Json:
    script, violation = failing.script, failing.failure.verdict.first
    content: Json = {
        "format": NAME,
        "version": FORMAT,
        "target": target,
        "shows": violation.anomaly.value,
        "what": violation.what,
        "failed": failing.failed,
        "runs": failing.runs,
        "call_timeout": call_timeout,
        "clients": [[to_json(operation) for operation in calls] for calls in script.traces],
    }
    if (fault := script.fault) is not None:
        content["fault"] = {
            "kind": fault.kind,
            "after_calls": script.after,
            "seconds": round(fault.seconds, 3),
            **({} if fault.place is None else {"place": fault.place + 1}),
            **({"later": round(fault.later, 3)} if fault.later else {}),
        }
    return content


def is_stress_file(path: Path) -> bool:
    """Whether it says that it is one; False where it can't be read."""
    try:
        _text, content = read_object(path, _WHAT)
    except BadFile:
        return False
    return content.get("format") == NAME


def load_failing(path: Path) -> Filed:
    """Raises `BadFile`."""
    _text, content = read_object(path, _WHAT)
    try:
        return _read(content)
    except BadNotation as error:
        raise BadFile(f"{path}: {error}") from error


def _read(content: Json) -> Filed:
    if content.get("format") != NAME:
        raise BadNotation(f"it has no 'format' that is {NAME!r}")
    if content.get("version") != FORMAT:
        raise BadNotation(f"this etcd-lockstep reads version {FORMAT} of the format, not {content.get('version')!r}")
    target, shows, clients = content.get("target"), content.get("shows"), content.get("clients")
    if not isinstance(target, str) or not isinstance(shows, str):
        raise BadNotation("it has 'target' and 'shows', which are text")
    if not isinstance(clients, list) or not 1 <= len(clients) <= _MOST_CLIENTS:
        raise BadNotation(f"it has 'clients', a list of 1 to {_MOST_CLIENTS}")
    failed, runs = _whole("failed", content.get("failed"), 1), _whole("runs", content.get("runs"), 1)
    if failed > runs:
        raise BadNotation("'failed' is no more than 'runs'")
    fault, after = _fault(content["fault"]) if "fault" in content else (None, 0)
    script = Fixed(tuple(map(_trace, clients)), fault, after)
    return Filed(target, shows, script, failed, runs, _seconds("call_timeout", content.get("call_timeout")))


def _trace(calls: object) -> Trace:
    if not isinstance(calls, list):
        raise BadNotation("a client is a list of operations")
    trace = tuple(operation_from_json(call, step) for step, call in enumerate(calls, 1))
    if any(not isinstance(symbol, RevisionAt) for operation in trace for symbol in symbols(operation)):
        raise BadNotation("a client's operations refer to nothing but revisions of its earlier ones")
    return trace


def _fault(value: object) -> tuple[Planned, int]:
    if not isinstance(value, dict) or value.keys() - {"kind", "after_calls", "seconds", "place", "later"}:
        raise BadNotation("'fault' has 'kind', 'after_calls', 'seconds', and perhaps 'place' and 'later'")
    kind = value.get("kind")
    if kind not in FAULTS:
        raise BadNotation(f"no fault is called {kind!r}: there are {', '.join(FAULTS)}")
    place = _whole("place", value["place"], 1) - 1 if "place" in value else None
    later = _seconds("later", value.get("later", 0.0))
    return Planned(kind, _seconds("seconds", value.get("seconds")), place, later), _whole(
        "after_calls", value.get("after_calls"), 0
    )


def _whole(name: str, value: Any, least: int) -> int:
    if type(value) is not int or value < least:
        raise BadNotation(f"{name!r} is a whole number from {least} on")
    return value


def _seconds(name: str, value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value <= _MOST_SECONDS:
        raise BadNotation(f"{name!r} is a number of seconds from 0 to {_MOST_SECONDS:.0f}")
    return float(value)
