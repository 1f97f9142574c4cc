"""Calls, watches and the account as JSON values, in the notation of corpus files (`filing.notation`), and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeAlias

from etcd_lockstep.filing.notation import BadNotation, Json, operation_from_json, to_json
from etcd_lockstep.histories.history import Call, Fault, Indefinite, Watch, WatchResponse
from etcd_model import results
from etcd_model.errors import Code, Error
from etcd_model.operations import WatchCreate
from etcd_model.results import Event, KeyValue

_INT64 = range(-(2**63), 2**63)
_LONGEST = 2**24
_SHOWN = 60

_ANSWERS: tuple[type, ...] = (
    results.RangeResult,
    results.PutResult,
    results.DeleteRangeResult,
    results.TxnResult,
    results.CompactResult,
    results.LeaseGrantResult,
    results.LeaseRevokeResult,
    results.LeaseKeepAliveResult,
    results.LeaseTimeToLiveResult,
    results.LeaseLeasesResult,
    results.StatusResult,
)
"""The answers that a history may hold: those of the operations whose answers are checked."""

_EVENT_TYPES = ("PUT", "DELETE")


def _kind(answer: type) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", answer.__name__.removesuffix("Result")).lower()


_NAMES: dict[type, str] = {answer: _kind(answer) for answer in _ANSWERS}
_NAMED = {name: answer for answer, name in _NAMES.items()}


# To JSON


def call_to_json(call: Call) -> Json:
    """One line of a history. The operation is concrete: `{"op": "put", "key": "a", …}`."""
    line: Json = {"client": call.client, "invoked": call.invoked}
    if call.returned is not None:
        line["returned"] = call.returned
    line["call"] = to_json(call.operation)
    match call.outcome:
        case Indefinite(reason=reason):
            line["indefinite"] = reason
        case Error(code=code, message=message):
            line["error"] = {"code": code.name, "message": message}
        case answer:
            line["answer"] = _answer_to_json(answer)
    return line


def _answer_to_json(answer: Any) -> Json:
    """An answer with its kind, those inside a txn's answer too."""
    shown: Json = {"answer": _NAMES[type(answer)]}
    for field in fields(answer):
        value = getattr(answer, field.name)
        if field.default is MISSING or value != field.default:
            shown[field.name] = [*map(_answer_to_json, value)] if field.name == "responses" else to_json(value)
    return shown


def event_to_json(event: Event) -> Json:
    """`{"type": "PUT", "kv": {…}}`."""
    shown: Json = {"type": _EVENT_TYPES[event.type], "kv": to_json(event.kv)}
    if event.prev_kv is not None:
        shown["prev_kv"] = to_json(event.prev_kv)
    return shown


def watch_to_json(watch: Watch) -> Json:
    """One line of a history."""
    return {
        "client": watch.client,
        "invoked": watch.invoked,
        "watch": to_json(watch.request),
        **({} if watch.created is None else {"created": watch.created}),
        "responses": [_response_to_json(response) for response in watch.responses],
    }


def fault_to_json(fault: Fault) -> Json:
    """One line of a history."""
    return {
        "fault": fault.kind,
        **({"of": fault.of} if fault.of else {}),
        "began": fault.began,
        **({} if fault.ended is None else {"ended": fault.ended}),
    }


def _response_to_json(response: WatchResponse) -> Json:
    shown: Json = {"received": response.received, "revision": response.revision}
    if response.events:
        shown["events"] = [*map(event_to_json, response.events)]
    for name in ("fragment", "canceled", "compact_revision"):
        if getattr(response, name):
            shown[name] = getattr(response, name)
    return shown


# From JSON

Decode: TypeAlias = "Callable[[str, object], Any]"


def call_from_json(line: Mapping[str, Any]) -> Call:
    """Raises `BadNotation`."""
    outcomes = [name for name in ("answer", "error", "indefinite") if name in line]
    if len(outcomes) != 1:
        raise BadNotation("a call has one of 'answer', 'error' and 'indefinite'")
    _only(line, "a call", "client", "invoked", "returned", "call", *outcomes)
    returned = line.get("returned")
    operation = operation_from_json(_needed(line, "call"), 0)
    match outcomes[0]:
        case "answer":
            outcome: Any = answer_from_json(line["answer"])
        case "error":
            outcome = _error(line["error"])
        case _:
            outcome = Indefinite(_text("indefinite", line["indefinite"]))
    return Call(
        int_from_json("client", _needed(line, "client")),
        operation,
        int_from_json("invoked", _needed(line, "invoked")),
        None if returned is None else int_from_json("returned", returned),
        outcome,
    )


def watch_from_json(line: Mapping[str, Any]) -> Watch:
    """Raises `BadNotation`."""
    _only(line, "a watch", "client", "invoked", "watch", "created", "responses")
    request = operation_from_json(_needed(line, "watch"), 0)
    if not isinstance(request, WatchCreate):
        raise BadNotation("a watch is begun by a watch_create")
    created = line.get("created")
    return Watch(
        int_from_json("client", _needed(line, "client")),
        request,
        int_from_json("invoked", _needed(line, "invoked")),
        None if created is None else int_from_json("created", created),
        tuple(_response(one) for one in _list("responses", line.get("responses", []))),
    )


def fault_from_json(line: Mapping[str, Any]) -> Fault:
    """Raises `BadNotation`."""
    _only(line, "a fault", "fault", "of", "began", "ended")
    ended = line.get("ended")
    return Fault(
        _text("fault", line["fault"]),
        int_from_json("began", _needed(line, "began")),
        None if ended is None else int_from_json("ended", ended),
        _text("of", line.get("of", "")),
    )


def _response(value: object) -> WatchResponse:
    given = _object("a response", value)
    _only(given, "a response", "received", "revision", "events", "fragment", "canceled", "compact_revision")
    return WatchResponse(
        int_from_json("received", _needed(given, "received")),
        int_from_json("revision", _needed(given, "revision")),
        tuple(map(event_from_json, _list("events", given.get("events", [])))),
        _bool("fragment", given.get("fragment", False)),
        _bool("canceled", given.get("canceled", False)),
        int_from_json("compact_revision", given.get("compact_revision", 0)),
    )


def event_from_json(value: object) -> Event:
    """Raises `BadNotation`."""
    given = _object("an event", value)
    _only(given, "an event", "type", "kv", "prev_kv")
    if given.get("type") not in _EVENT_TYPES:
        raise BadNotation(f"the type of an event is PUT or DELETE, not {_shown(given.get('type'))}")
    kind = _EVENT_TYPES.index(given["type"])
    before = given.get("prev_kv")
    kv = kv_from_json("kv", _needed(given, "kv"))
    return Event(kind, kv, None if before is None else kv_from_json("prev_kv", before))


def answer_from_json(value: object) -> Any:
    """An answer of an operation that is checked. Raises `BadNotation`."""
    given = _object("an answer", value)
    name = given.get("answer")
    kind = _NAMED.get(name) if isinstance(name, str) else None
    if kind is None:
        raise BadNotation(f"no answer is called {_shown(given.get('answer'))}: there are {', '.join(_NAMED)}")
    decoders, needed = _FIELDS[kind]
    read: dict[str, Any] = {}
    for field, one in given.items():
        if field == "answer":
            continue
        decode = decoders.get(field)
        if decode is None:
            raise BadNotation(f"the answer {name} has no {field!r}")
        read[field] = decode(field, one)
    for field in needed:
        if field not in read:
            raise BadNotation(f"the answer {name} needs {field!r}")
    return kind(**read)


def kv_from_json(name: str, value: object) -> KeyValue:
    """Raises `BadNotation`."""
    given = _object(name, value)
    try:
        return KeyValue(
            _bytes("key", given["key"]),
            _bytes("value", given["value"]),
            int_from_json("create_revision", given["create_revision"]),
            int_from_json("mod_revision", given["mod_revision"]),
            int_from_json("version", given["version"]),
            int_from_json("lease", given.get("lease", 0)),
        )
    except KeyError as error:
        raise BadNotation(f"a key-value needs {error.args[0]!r}") from error
    finally:
        _only(given, name, "key", "value", "create_revision", "mod_revision", "version", "lease")


def _error(value: object) -> Error:
    given = _object("an error", value)
    _only(given, "an error", "code", "message")
    code = given.get("code")
    if not isinstance(code, str) or code not in Code.__members__:
        raise BadNotation(f"the code of an error is one of {', '.join(Code.__members__)}, not {_shown(code)}")
    return Error(Code[code], _text("message", _needed(given, "message")))


def int_from_json(name: str, value: object) -> int:
    """Raises `BadNotation`."""
    if type(value) is int and value in _INT64:
        return value
    raise BadNotation(f"{name} is a whole number of 64 bits, not {_shown(value)}")


def _bool(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise BadNotation(f"{name} is true or false, not {_shown(value)}")


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise BadNotation(f"{name} is text, not {_shown(value)}")


def _bytes(name: str, value: object) -> bytes:
    """Text, `{"hex": …}` or `{"repeat": …, "times": …}`."""
    try:
        match value:
            case str():
                return value.encode()
            case {"hex": str(digits), **rest} if not rest:
                return bytes.fromhex(digits)
            case {"repeat": one, "times": int(times), **rest} if not rest and 0 <= times <= _LONGEST:
                byte = _bytes(name, one)
                if len(byte) == 1:
                    return byte * times
    except ValueError as error:  # half of a character, or no hexadecimal digit
        raise BadNotation(f"{name} can't be {_shown(value)}") from error
    raise BadNotation(f"{name} is text, or bytes as hexadecimal digits, not {_shown(value)}")


def _list(name: str, value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    raise BadNotation(f"{name} is a list, not {_shown(value)}")


def _object(name: str, value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise BadNotation(f"{name} is an object, not {_shown(value)}")


def _needed(given: Mapping[str, Any], name: str) -> Any:
    if name not in given:
        raise BadNotation(f"{name!r} is missing")
    return given[name]


def _only(given: Mapping[str, Any], what: str, *names: str) -> None:
    for name in given:
        if name not in names:
            raise BadNotation(f"{what} has no {name!r}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _kv_or_none(name: str, value: object) -> KeyValue | None:
    return None if value is None else kv_from_json(name, value)


def _many(decode: Decode) -> Decode:
    return lambda name, value: tuple([decode(name, one) for one in _list(name, value)])


_DECODERS: dict[str, Decode] = {
    "kvs": _many(kv_from_json),
    "prev_kvs": _many(kv_from_json),
    "prev_kv": _kv_or_none,
    "responses": _many(lambda _name, value: answer_from_json(value)),
    "keys": _many(_bytes),
    "leases": _many(int_from_json),
    "errors": _many(_text),
    "more": _bool,
    "succeeded": _bool,
    "leads": _bool,
    "is_learner": _bool,
    "version": _text,
    "storage_version": _text,
}
"""By field; any other is an int."""

_FIELDS: dict[type, tuple[dict[str, Decode], list[str]]] = {
    kind: (
        {field.name: _DECODERS.get(field.name, int_from_json) for field in fields(kind)},
        [field.name for field in fields(kind) if field.default is MISSING],
    )
    for kind in _ANSWERS
}
