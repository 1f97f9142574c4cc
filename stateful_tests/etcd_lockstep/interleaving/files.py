"""A race as a file: the calls, the schedule, and what came of it. JSON, in the notation of corpus files."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from etcd_lockstep.filing.bad_file import BadFile
from etcd_lockstep.filing.notation import BadNotation, Json, operation_from_json, to_json
from etcd_lockstep.filing.writing import write_whole
from etcd_lockstep.interleaving.program import Preemption, Program, Schedule
from etcd_lockstep.interleaving.searching import Race
from etcd_model.operations import Operation

NAME = "etcd-lockstep race"
FORMAT = 1
"""The version of the format. A file of a newer one is refused, never guessed at."""
_MOST_CLIENTS = 20


def save_race(race: Race, target: str, folder: Path) -> Path:
    """Write a race, under the name of what it shows. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(race_to_json(race, target), indent=2) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    path = folder / f"{re.sub(r'[^A-Za-z0-9]+', '-', f'{target} {race.ran.shows}')}-{digest}.json"
    write_whole(path, text)
    return path


def race_to_json(race: Race, target: str) -> Json:
    return {
        "format": NAME,
        "version": FORMAT,
        "target": target,
        "shows": race.ran.shows,
        "what": race.ran.what,
        "before": [to_json(operation) for operation in race.program.before],
        "clients": [[to_json(operation) for operation in calls] for calls in race.program.clients],
        "schedule": {
            "first": race.schedule.first,
            "preemptions": [
                {"client": one.client, "step": one.step, "to": one.to, "where": one.where}
                for one in race.schedule.preemptions
            ],
        },
    }


def load_race(path: Path) -> tuple[str, str, Program, Schedule]:
    """The target's name, what the file shows, the program and its schedule. Raises `BadFile`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"{path}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise BadFile(f"{path}: not JSON") from error
    except RecursionError as error:
        raise BadFile(f"{path}: nested too deep to be read") from error
    try:
        return _read(content)
    except BadNotation as error:
        raise BadFile(f"{path}: {error}") from error


def _read(content: object) -> tuple[str, str, Program, Schedule]:
    if not isinstance(content, dict) or content.get("format") != NAME:
        raise BadNotation(f"no race: it has no 'format' that is {NAME!r}")
    if content.get("version") != FORMAT:
        raise BadNotation(f"this etcd-lockstep reads version {FORMAT} of the format, not {content.get('version')!r}")
    target, shows, schedule = content.get("target"), content.get("shows"), content.get("schedule")
    clients = _list("clients", content.get("clients"))
    if not isinstance(target, str) or not isinstance(shows, str) or not isinstance(schedule, dict):
        raise BadNotation("a race has 'target' and 'shows', which are text, and 'schedule'")
    if not 1 <= len(clients) <= _MOST_CLIENTS:
        raise BadNotation(f"a race has 1 to {_MOST_CLIENTS} clients, not {len(clients)}")
    program = Program(
        _operations("before", content.get("before")), tuple(_operations("a client", one) for one in clients)
    )
    preemptions = tuple(_preemption(one, len(clients)) for one in _list("preemptions", schedule.get("preemptions")))
    first = schedule.get("first")
    if type(first) is not int or not 1 <= first <= len(clients):
        raise BadNotation("'first' of the schedule is the number of a client")
    return target, shows, program, Schedule(preemptions, first)


def _list(name: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise BadNotation(f"{name!r} is a list")
    return value


def _operations(name: str, value: object) -> tuple[Operation, ...]:
    return tuple(operation_from_json(one, 0) for one in _list(name, value))


def _preemption(value: object, clients: int) -> Preemption:
    if not isinstance(value, dict) or value.keys() != {"client", "step", "to", "where"}:
        raise BadNotation("a preemption has 'client', 'step', 'to' and 'where'")
    client, step, to, where = (value[name] for name in ("client", "step", "to", "where"))
    if any(type(number) is not int for number in (client, step, to)) or not isinstance(where, str):
        raise BadNotation("of a preemption, 'client', 'step' and 'to' are numbers, and 'where' is text")
    if not (1 <= client <= clients and 1 <= to <= clients and client != to and step >= 1):
        raise BadNotation("a preemption is of one client, for another, at a step from 1 on")
    return Preemption(client, step, to, where)
