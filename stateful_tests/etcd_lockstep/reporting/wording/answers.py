"""Answers in words, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from etcd_lockstep.codec import MALFORMED_NAMES
from etcd_lockstep.comparing.observation import Observation, Raised
from etcd_lockstep.names import spelled
from etcd_lockstep.reporting.wording.values import (
    leader_in_words,
    lease_in_words,
    permission_in_words,
    printable,
    quoted,
    quoted_text,
)
from etcd_model.errors import Code, Error
from etcd_model.operations import LeaderKey, Permission
from etcd_model.results import (
    AlarmMember,
    Answer,
    Event,
    KeyValue,
    Member,
    ResponseOp,
    TxnResult,
    Waiting,
    Watched,
    WatchReadResult,
)

NONE = "none"
"""How an absent field reads."""


def kv_in_words(kv: KeyValue) -> str:
    """`"a" = "1", create 2, mod 3, version 2, lease of step 1`."""
    words = [f"{quoted(kv.key)} = {quoted(kv.value)}"]
    words += [f"create {kv.create_revision}", f"mod {kv.mod_revision}", f"version {kv.version}"]
    if kv.lease:
        words.append(lease_in_words(kv.lease))
    return ", ".join(words)


def answer_fields(answer: Observation) -> dict[str, str]:
    """What an answer says, field by field, in words."""
    match answer:
        case Raised() if answer.exception in MALFORMED_NAMES:
            return {"answer": printable(answer.message)}
        case Raised():
            return {"answer": f"raised {answer.exception}\n{printable(answer.message)}".strip()}
        case Error():
            code = Code(answer.code).name if answer.code in list(Code) else f"code {answer.code}"
            return {"answer": f"{code}\n{printable(answer.message)}".strip()}
        case Waiting():
            return {"answer": "would wait"}
        case WatchReadResult():
            numbered = {f"watch {n}": _watched(watched) for n, watched in enumerate(answer.watches, 1)}
            return {name: words for name, words in _fields(answer).items() if name != "watches"} | numbered
        case TxnResult(responses=(_, *_)):
            numbered = {f"response {n}": _response(response) for n, response in enumerate(answer.responses, 1)}
            return {name: words for name, words in _fields(answer).items() if name != "responses"} | numbered
        case _:
            return _fields(answer)


def telling(said: Mapping[str, str]) -> dict[str, str]:
    """The fields that say something: in the others nothing was asked for, or nothing found."""
    return {
        name: words for name, words in said.items() if words not in (NONE, "0") and (name, words) != ("more", "false")
    }


def _fields(answer: Answer) -> dict[str, str]:
    return {field.name: _in_words(field.name, getattr(answer, field.name)) for field in fields(answer)}


def _in_words(name: str, value: object) -> str:
    match value:
        case None | () | "":
            return NONE
        case 0 if name == "revision":
            return NONE
        case 0 if name == "hash":
            return "right"
        case KeyValue():
            return kv_in_words(value)
        case LeaderKey():
            return leader_in_words(value)
        case Member():
            return _member(value)
        case tuple():
            return "\n".join(_element(name, one) for one in value)
        case bool():
            return str(value).lower()
        case bytes():
            return quoted(value)
        case str():
            return printable(value)
        case _:
            return str(value)


def _element(name: str, value: object) -> str:
    match value:
        case KeyValue():
            return kv_in_words(value)
        case bytes():
            return quoted(value)
        case str():
            return printable(value)
        case int():
            return lease_in_words(value) if name == "leases" else str(value)
        case Permission():
            return permission_in_words(value)
        case Member():
            return _member(value)
        case AlarmMember():
            (alarm,) = spelled(AlarmMember, "alarm", value.alarm)
            return f"{alarm} of member {value.member_id}"
        case _:
            return _response(value)  # type: ignore[arg-type]  # there is nothing else in an answer


def _member(member: Member) -> str:
    """`member of step 2, learner, at "http://127.0.0.1:1"`."""
    urls = " ".join(map(quoted_text, member.peer_urls))
    said = (f"member {member.id}", "learner" if member.is_learner else "", f"at {urls}" if urls else "")
    return ", ".join(filter(None, said))


def _watched(watched: Watched) -> str:
    """The events that a watcher was sent, one a line, and what else there is to say of it."""
    lines = [f"watcher {watched.watch_id}:" if watched.events else f"watcher {watched.watch_id}: no events"]
    lines += map(event_in_words, watched.events)
    lines += [f"canceled: {printable(reason)}" if reason else "canceled" for reason in watched.cancels]
    if watched.compact_revision:
        lines.append(f"compact_revision {watched.compact_revision}")
    if not watched.atomic:
        lines.append("a revision is split over responses")
    if watched.header_behind:
        lines.append("a header is behind its events")
    return "\n".join(lines)


_EVENT_TYPES = ("PUT", "DELETE")


def event_in_words(event: Event) -> str:
    """`PUT "a" = "1", create 2, mod 2, version 1`, `DELETE "a", mod 3; before: "a" = …`."""
    known = 0 <= event.type < len(_EVENT_TYPES)
    kind, kv = _EVENT_TYPES[event.type] if known else f"type {event.type}", event.kv
    bare = kv == KeyValue(kv.key, b"", 0, kv.mod_revision, 0)
    said = f"{quoted(kv.key)}, mod {kv.mod_revision}" if bare else kv_in_words(kv)
    before = f"; before: {kv_in_words(event.prev_kv)}" if event.prev_kv is not None else ""
    return f"{kind} {said}{before}"


def _response(response: ResponseOp) -> str:
    """One inside a txn's answer, in one line: `Range: revision 2, kvs ("a" = "", …), count 1`."""
    said = (
        f"{name} ({words})" if name in ("kvs", "prev_kv", "prev_kvs", "responses") else f"{name} {words}"
        for name, words in telling(_fields(response)).items()
    )
    return f"{type(response).__name__.removesuffix('Result')}: {', '.join(said)}".replace("\n", "; ")
