"""A recorded history as a page that needs nothing else: a row for each client, a bar for each call, what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from etcd_lockstep.histories import Call, Fault, History, Indefinite, Unknown, Verdict, Violated, Watch, check
from etcd_lockstep.reporting.html import render
from etcd_lockstep.reporting.wording import answer_fields, event_in_words, operation_in_words, printable, telling
from etcd_model.errors import Error

_MICROSECOND = 1_000


def history_page(title: str, history: History, verdict: Verdict, summary: str) -> str:
    """The page. Raises `NoJinja2`.

    Args:
        title: What was recorded, such as the name of its file.
        history: What was recorded.
        verdict: What the checker says of it.
        summary: The history in a line.
    """
    start = min([*(call.invoked for call in history.calls), *(watch.invoked for watch in history.watches)], default=0)
    clients = sorted({*(call.client for call in history.calls), *(watch.client for watch in history.watches)})
    timeline = {
        "clients": [f"client {client}" for client in clients],
        "calls": [_call(call, start, clients.index(call.client)) for call in history.calls],
        "responses": [
            one for watch in history.watches for one in _responses(watch, start, clients.index(watch.client))
        ],
        "faults": [_fault(fault, start) for fault in history.faults],
        "consistent": None if (until := consistent_until(history, verdict)) is None else _since(start, until),
    }
    return render(
        "history.html.jinja", title=title, verdict=verdict, summary=summary, problems=_problems(verdict), data=timeline
    )


def consistent_until(history: History, verdict: Verdict) -> int | None:
    """For how long all that clients had been answered could still be an etcd's: the time, in nanoseconds, of the first
    answer that makes it a violation; None where there is none.

    What comes later is taken for unanswered. Found by bisection, since answers only ever rule out orders.
    """
    if not isinstance(verdict, Violated):
        return None
    answers = sorted(
        {
            *(call.returned for call in history.calls if call.returned is not None),
            *(response.received for watch in history.watches for response in watch.responses),
        }
    )
    low, high = 0, len(answers)
    while low < high:
        middle = (low + high) // 2
        if isinstance(check(_until(history, answers[middle])), Violated):
            high = middle
        else:
            low = middle + 1
    return answers[low] if low < len(answers) else None


def _until(history: History, time: int) -> History:
    """What had been answered by then, that answer included; calls that were under way may have been carried out."""
    return replace(
        history,
        calls=[
            call
            if call.returned is None or call.returned <= time
            else replace(call, returned=None, outcome=Indefinite("later"))
            for call in history.calls
        ],
        watches=[
            replace(watch, responses=tuple(one for one in watch.responses if one.received <= time))
            for watch in history.watches
        ],
    )


def _since(start: int, time: int) -> float:
    return (time - start) / _MICROSECOND


def _call(call: Call, start: int, row: int) -> dict[str, Any]:
    outcome = call.outcome
    if isinstance(outcome, Indefinite):
        kind, lines, revision = "indefinite", [f"indefinite: {printable(outcome.reason)}".rstrip(": ")], None
    else:
        kind = "refused" if isinstance(outcome, Error) else "answered"
        said = telling(answer_fields(outcome))
        lines = [f"{name}: {line}" for name, words in said.items() for line in words.splitlines()]
        revision = None if isinstance(outcome, Error) else outcome.revision
    return {
        "row": row,
        "from": _since(start, call.invoked),
        "to": None if call.returned is None else _since(start, call.returned),
        "kind": kind,
        "asked": operation_in_words(call.operation),
        "said": lines,
        "revision": revision,
    }


def _responses(watch: Watch, start: int, row: int) -> Iterable[dict[str, Any]]:
    for response in watch.responses:
        said = [event_in_words(event) for event in response.events] or [
            "canceled" if response.canceled else f"progress up to revision {response.revision}"
        ]
        yield {
            "row": row,
            "at": _since(start, response.received),
            "asked": operation_in_words(watch.request),
            "said": said,
            "revision": response.revision,
        }


def _fault(fault: Fault, start: int) -> dict[str, Any]:
    return {
        "from": _since(start, fault.began),
        "to": None if fault.ended is None else _since(start, fault.ended),
        "asked": printable(str(fault)),
        "said": [],
    }


def _problems(verdict: Verdict) -> Sequence[dict[str, Any]]:
    """What is wrong or not known, each with the calls that show it."""
    if isinstance(verdict, Violated):
        return [{"name": one.anomaly.value, "what": one.what, "calls": list(one.calls)} for one in verdict.violations]
    if isinstance(verdict, Unknown):
        return [{"name": "unknown", "what": f"{verdict.where}: {verdict.why}", "calls": list(verdict.calls)}]
    return []
