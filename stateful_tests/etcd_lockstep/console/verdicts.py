"""Verdicts on histories, for a reader: what is wrong, and the calls that show it, with their times and answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from etcd_lockstep.histories import Call, History, Indefinite, Linearizable, Unknown, Verdict, Violated, Violation
from etcd_lockstep.reporting.wording import answer_fields, event_in_words, operation_in_words, printable, telling

STYLES = {Linearizable: "bold green", Violated: "bold red", Unknown: "bold yellow"}
"""How each verdict is printed."""

_MOST_CALLS = 6
"""So many calls are shown with a violation."""


def verdict_lines(history: History, verdict: Verdict) -> Iterator[str]:
    """All there is to say after the verdict itself."""
    match verdict:
        case Linearizable(unchecked=unchecked):
            if unchecked:
                refusals = "1 refusal" if unchecked == 1 else f"{unchecked:,} refusals"
                yield f"{refusals} had another reason than the keys and leases: whether that was due is not checked"
        case Violated(violations=violations):
            yield from _violation_lines(history, violations[0])
            for violation in violations[1:]:
                yield f"also, and perhaps because of it: {violation.anomaly.value}: {violation.what}"
        case Unknown(where=where, why=why, calls=calls):
            yield f"{where}: {why}"
            yield from _call_lines(history, calls)


def summary(history: History) -> str:
    """`1,204 calls of 8 clients, 12 indefinite; 2 watches; the store's account up to revision 907`."""
    indefinite = sum(isinstance(call.outcome, Indefinite) for call in history.calls)
    clients = len({call.client for call in history.calls})
    parts = [f"{_number(len(history.calls), 'call')} of {_number(clients, 'client')}, {indefinite:,} indefinite"]
    if history.watches:
        parts.append(_number(len(history.watches), "watch", "watches"))
    if history.account is not None:
        parts.append(f"the store's account up to revision {history.account.until}")
    return "; ".join(parts)


def _number(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _violation_lines(history: History, violation: Violation) -> Iterator[str]:
    yield violation.what
    yield from _call_lines(history, violation.calls)
    if violation.watch is not None:
        watch = history.watches[violation.watch]
        yield f"▶ client {watch.client}, from {_time(history, watch.invoked)}: {operation_in_words(watch.request)}"
        near = [
            event
            for response in watch.responses
            for event in response.events
            if violation.revision is not None and abs(event.kv.mod_revision - violation.revision) <= 1
        ]
        yield from (f"     {event_in_words(event)}" for event in near[:_MOST_CALLS])


def _call_lines(history: History, calls: Sequence[int]) -> Iterator[str]:
    for number, index in enumerate(calls[:_MOST_CALLS]):
        yield from _one_call(history, index, history.calls[index], first=not number)
    if len(calls) > _MOST_CALLS:
        yield f"  and {len(calls) - _MOST_CALLS:,} more calls"


def _one_call(history: History, index: int, call: Call, *, first: bool) -> Iterator[str]:
    until = "never returned" if call.returned is None else f"to {_time(history, call.returned)}"
    times = f"{_time(history, call.invoked)} {until}"
    mark, words = "▶" if first else " ", operation_in_words(call.operation)
    yield f"{mark} call {index + 1}, client {call.client}, {times}: {words}"
    yield from (f"     {line}" for line in _answer_lines(call))


def _answer_lines(call: Call) -> list[str]:
    if isinstance(call.outcome, Indefinite):
        return [f"indefinite: {printable(call.outcome.reason)}".rstrip(": ")]
    said = telling(answer_fields(call.outcome))
    return [f"{name}: {line}" for name, words in said.items() for line in words.splitlines()]


def _time(history: History, nanoseconds: int) -> str:
    """Since the first call."""
    start = min(call.invoked for call in history.calls)
    return f"{(nanoseconds - start) / 1e6:,.3f} ms"


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """As `--json` has it. Calls and watches are counted from 1, as in the file."""
    match verdict:
        case Linearizable(unchecked=unchecked):
            return {"verdict": "linearizable", "refusals_not_checked": unchecked}
        case Violated(violations=violations):
            return {
                "verdict": "violation",
                "violations": [
                    {
                        "name": violation.anomaly.value,
                        "what": violation.what,
                        "calls": [index + 1 for index in violation.calls],
                        "watch": None if violation.watch is None else violation.watch + 1,
                        "revision": violation.revision,
                    }
                    for violation in violations
                ],
            }
        case Unknown(where=where, why=why, calls=calls):
            return {"verdict": "unknown", "where": where, "why": why, "calls": [index + 1 for index in calls]}
