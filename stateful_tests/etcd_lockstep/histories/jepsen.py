"""Logs of Jepsen's: registers that are read, written and compared-and-set, as Porcupine's test data holds them.

    INFO  jepsen.util - 3    :invoke    :cas    [4 0]
    INFO  jepsen.util - 3    :ok        :cas    [4 0]

A register is one key. A log has no revisions, so such a history is searched. The time of a line is its number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from etcd_lockstep.histories.history import Call, History, Indefinite, Outcome
from etcd_model.operations import Compare, CompareResult, CompareTarget, Operation, Put, Range, Txn
from etcd_model.results import KeyValue, PutResult, RangeResult, TxnResult

KEY = b"register"

_LINE = re.compile(
    r"INFO\s+jepsen\.util\s+-\s+(?P<client>\d+)\s+:(?P<type>invoke|ok|fail|info)\s+:(?P<f>read|write|cas)\s+"
    r"(?P<value>nil|-?\d+|\[-?\d+ -?\d+\]|:timed-out)\s*"
)
_COMMENT = re.compile(r"INFO\s+jepsen\.|\s*$")
"""Other lines of such a log: what the nemesis did, what was set up."""


class BadLog(ValueError):
    """A line that can't be read, and why."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def looks_like_a_log(first: str) -> bool:
    """Whether a file that begins so is a log of Jepsen's."""
    return first.startswith("INFO") and "jepsen." in first


def read_log(lines: Sequence[str]) -> History:
    """The history that a log records. Raises `BadLog`."""
    calls: list[Call] = []
    pending: dict[int, tuple[Operation, int]] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line.rstrip("\n"))
        if match is None:
            if _COMMENT.match(line):
                continue
            raise BadLog("not a line of a log of Jepsen's", number)
        client = int(match["client"])
        if match["type"] == "invoke":
            if client in pending:
                raise BadLog(f"client {client} invokes a call before its last one is over", number)
            pending[client] = _operation(match["f"], match["value"], number), number
            continue
        if client not in pending:
            raise BadLog(f"client {client} is answered, and has invoked nothing", number)
        operation, invoked = pending.pop(client)
        calls.append(Call(client, operation, invoked, number, _outcome(operation, match, number)))
    calls += [Call(client, one, at, None, Indefinite("never returned")) for client, (one, at) in pending.items()]
    return History(calls)


def _operation(f: str, value: str, line: int) -> Operation:
    numbers = re.findall(r"-?\d+", value)
    match f, numbers:
        case "read", _:
            return Range(KEY)
        case "write", [one]:
            return Put(KEY, one.encode())
        case "cas", [old, new]:
            compare = Compare(KEY, CompareTarget.VALUE, CompareResult.EQUAL, old.encode())
            return Txn((compare,), (Put(KEY, new.encode()),))
    raise BadLog(f"a {f} has no value {value!r}", line)


def _outcome(operation: Operation, match: re.Match[str], line: int) -> Outcome:
    timed_out = match["value"] == ":timed-out"
    match match["type"], operation:
        case "info", _:
            return Indefinite("info")
        case "fail", Txn() if not timed_out:
            return TxnResult(0, succeeded=False)
        case "fail", _:
            return Indefinite("timed out")
        case "ok", Range():
            if match["value"] == "nil":
                return RangeResult(0)
            return RangeResult(0, (KeyValue(KEY, match["value"].encode(), 0, 0, 0),), count=1)
        case "ok", Put():
            return PutResult(0)
        case "ok", Txn():
            return TxnResult(0, succeeded=True, responses=(PutResult(0),))
    raise BadLog("not an answer to what was invoked", line)
