"""History files: JSON lines. The first line has the version of the format; every other stands for itself.

A line holds a call, a watch, a fault, or a part of the store's account; see docs/concurrency.md. A log of Jepsen's is
read as well (`jepsen`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from etcd_lockstep.filing.bad_file import BadFile
from etcd_lockstep.filing.notation import BadNotation, Json, to_json
from etcd_lockstep.filing.writing import write_whole
from etcd_lockstep.histories.encoding import (
    call_from_json,
    call_to_json,
    event_from_json,
    event_to_json,
    fault_from_json,
    fault_to_json,
    int_from_json,
    kv_from_json,
    watch_from_json,
    watch_to_json,
)
from etcd_lockstep.histories.history import Account, BadHistory, Beginning, Call, Fault, History, Watch, check_form
from etcd_lockstep.histories.jepsen import BadLog, looks_like_a_log, read_log
from etcd_model.quirks import DEFAULT_VERSION, release_of
from etcd_model.results import Event

NAME = "etcd-lockstep history"
FORMAT = 1
"""The version of the format. A file of a newer one is refused, never guessed at."""

_EVENTS_A_LINE = 100


def save_history(history: History, path: Path) -> None:
    """Write a history, whole or not at all. Raises `OSError`, which names the file."""
    write_whole(path, (json.dumps(line, separators=(",", ":")) + "\n" for line in history_lines(history)))


def history_lines(history: History) -> Iterator[Json]:
    """The lines of a file, as JSON values."""
    beginning = history.beginning
    yield {
        "format": NAME,
        "version": FORMAT,
        "etcd": history.version,
        "beginning": {
            "revision": beginning.revision,
            "compact_revision": beginning.compact_revision,
            "kvs": [to_json(kv) for kv in beginning.kvs],
            "leases": [{"id": lease_id, "ttl": ttl} for lease_id, ttl in beginning.leases.items()],
        },
        **({} if history.min_lease_ttl is None else {"min_lease_ttl": history.min_lease_ttl}),
        **({} if history.members == 1 else {"members": history.members}),
    }
    yield from map(call_to_json, history.calls)
    yield from map(watch_to_json, history.watches)
    yield from map(fault_to_json, history.faults)
    account = history.account
    if account is not None:
        yield {"account": {"asked": account.asked, "until": account.until}}
        for start in range(0, len(account.events), _EVENTS_A_LINE):
            yield {"account_events": [*map(event_to_json, account.events[start : start + _EVENTS_A_LINE])]}


def load_history(path: Path) -> History:
    """Read a file. Raises `BadFile`, which names the line."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise BadFile(f"{path}: can't be read: not a regular file")
        with path.open("rb") as file:
            return _Reader(path).read(file)
    except OSError as error:
        raise BadFile(f"{path}: can't be read: {error.strerror}") from error


class _Reader:
    """Reads one file, line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._line = 0
        self._calls: list[Call] = []
        self._watches: list[Watch] = []
        self._faults: list[Fault] = []
        self._account: tuple[int, int] | None = None
        self._events: list[Event] = []

    def read(self, file: BinaryIO) -> History:
        lines = iter(file)
        first = self._text(next(lines, b""))
        try:
            if looks_like_a_log(first):
                return read_log([first, *(self._text(line) for line in lines)])
        except BadLog as error:
            raise BadFile(f"{self._path}:{error.line}: {error}") from error
        beginning, etcd, least, members = self._guarded(self._begin, first)
        self._read_lines(lines)
        if self._events and self._account is None:
            raise BadFile(f"{self._path}: it has account_events, and no account that they belong to")
        account = None if self._account is None else Account(*self._account, tuple(self._events))
        watches, faults = tuple(self._watches), tuple(self._faults)
        history = History(self._calls, watches, account, beginning, etcd, least, members, faults)
        try:
            check_form(history)
        except BadHistory as error:
            raise BadFile(f"{self._path}: {error}") from error
        return history

    def _read_lines(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            text = self._text(line)
            if text.strip():
                self._guarded(self._add, text)

    def _text(self, line: bytes) -> str:
        self._line += 1
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise BadFile(f"{self._path}:{self._line}: not UTF-8") from error

    def _guarded(self, read: Any, text: str) -> Any:
        where = f"{self._path}:{self._line}"
        try:
            content = json.loads(text)
            if not isinstance(content, dict):
                raise BadNotation("it holds no object")
            return read(content)
        except json.JSONDecodeError as error:
            raise BadFile(f"{where}: not JSON: {error.msg}") from error
        except RecursionError as error:
            raise BadFile(f"{where}: nested too deep to be read") from error
        except ValueError as error:  # `BadNotation`, or a number of thousands of digits
            raise BadFile(f"{where}: {error}") from error

    def _begin(self, content: Json) -> tuple[Beginning, str, int | None, int]:
        if content.get("format") != NAME:
            raise BadNotation(f"not a history: the first line is an object with 'format', which is {NAME!r}")
        version = content.get("version")
        if type(version) is not int or version < 1:
            raise BadNotation("not a history: it has no format version")
        if version > FORMAT:
            newer = f"version {version} of the format is newer than this etcd-lockstep"
            raise BadNotation(f"{newer}, which reads up to {FORMAT}: upgrade it")
        unknown = content.keys() - {"format", "version", "etcd", "beginning", "min_lease_ttl", "members"}
        if unknown:
            raise BadNotation(f"the first line has no {min(unknown)!r}")
        etcd = content.get("etcd", DEFAULT_VERSION)
        if not isinstance(etcd, str):
            raise BadNotation("'etcd' is the release, as text")
        release_of(etcd)
        least = content.get("min_lease_ttl")
        members = int_from_json("members", content.get("members", 1))
        if members < 1:
            raise BadNotation("'members' is a number from 1 on")
        return (
            _beginning(content.get("beginning", {})),
            etcd,
            None if least is None else int_from_json("min_lease_ttl", least),
            members,
        )

    def _add(self, content: Json) -> None:
        if "call" in content:
            self._calls.append(call_from_json(content))
        elif "watch" in content:
            self._watches.append(watch_from_json(content))
        elif "fault" in content:
            self._faults.append(fault_from_json(content))
        elif content.keys() == {"account_events"} and isinstance(content["account_events"], list):
            self._events += map(event_from_json, content["account_events"])
        elif content.keys() == {"account"} and isinstance(content["account"], dict) and self._account is None:
            account = content["account"]
            if account.keys() != {"asked", "until"}:
                raise BadNotation("an account has 'asked' and 'until'")
            self._account = int_from_json("asked", account["asked"]), int_from_json("until", account["until"])
        else:
            raise BadNotation("a line has 'call', 'watch', 'fault', 'account' (once) or 'account_events'")


def _beginning(given: object) -> Beginning:
    if not isinstance(given, Mapping) or given.keys() - {"revision", "compact_revision", "kvs", "leases"}:
        raise BadNotation("'beginning' is an object with 'revision', 'compact_revision', 'kvs' and 'leases'")
    kvs, leases = given.get("kvs", []), given.get("leases", [])
    if not isinstance(kvs, list) or not isinstance(leases, list):
        raise BadNotation("'kvs' and 'leases' of the beginning are lists")
    held: dict[int, int] = {}
    for lease in leases:
        if not isinstance(lease, dict) or lease.keys() != {"id", "ttl"}:
            raise BadNotation("a lease of the beginning is an object with 'id' and 'ttl'")
        held[int_from_json("id", lease["id"])] = int_from_json("ttl", lease["ttl"])
    return Beginning(
        int_from_json("revision", given.get("revision", 1)),
        tuple(kv_from_json("kvs", kv) for kv in kvs),
        held,
        int_from_json("compact_revision", given.get("compact_revision", -1)),
    )
