"""Comparison: where two observations differ, as field paths and kinds of difference."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace

from etcd_lockstep.comparing.observation import Observation, Raised
from etcd_lockstep.trace import Symbol
from etcd_model.errors import Error
from etcd_model.results import Event, KeyValue, TxnResult, Waiting, Watched


@dataclass(frozen=True, slots=True)
class Difference:
    """One field on which a target is not with the others."""

    field: str
    """The field's path, without indices: `kvs.value`, `responses.prev_kv.version`. Where txns are nested, it is
    reported like that of the outer one's responses."""
    kind: str
    """`missing`, `unexpected`, `too few`, `too many`, `too low`, `too high`, `different`, `out of order`,
    `refused (…)`, `accepted (…)`, `raised …`; of a watch's events what is in `BROKEN_PROMISES`."""


BROKEN_PROMISES = {
    "lost events": "reliable",
    "events twice": "unique",
    "out of order": "ordered",
    "a revision was split": "atomic",
}
"""What may be wrong with the events of a watcher as a whole, and the promise of etcd's that it breaks
(etcd documentation, "KV API guarantees": watch APIs)."""


def differences(expected: Observation, got: Observation) -> list[Difference]:
    """Every difference, the most telling first: whether there is an answer, what is in it, its header last."""
    if expected == got:
        return []
    match expected, got:
        case _, Raised():
            return [Difference("answer", f"raised {got.exception}")]
        case Raised(), _:
            return [Difference("answer", "answered")]
        case Error(), Error():
            field = "code" if expected.code != got.code else "message"  # another code has another message
            return [Difference(f"error.{field}", "different")]
        case Error(), _:
            return [Difference("error", f"accepted ({expected.message})")]
        case _, Error():
            return [Difference("error", f"refused ({without_numbers(got.message)})")]
        case Waiting(), _ if not isinstance(got, Waiting):
            return [Difference("waiting", "missing")]
        case _, Waiting() if not isinstance(expected, Waiting):
            return [Difference("waiting", "unexpected")]
        case _ if type(expected) is not type(got):
            return [Difference("answer", "of another operation")]
        case _:
            return sorted(set(_compare_fields("", expected, got)), key=_rank)


_NUMBERS = re.compile(
    r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\b(?=[a-f]*[0-9])[0-9a-f]{5,}\b|\b[0-9]{3,}\b",
    re.IGNORECASE,
)


def without_numbers(text: str) -> str:
    """A text with `…` for what may be an id of the target's own invention: it is another one each time."""
    return _NUMBERS.sub("…", text)


_LEAST_TELLING = ("lease", "version", "create_revision", "mod_revision", "revision")


def _rank(difference: Difference) -> tuple[int, int, str, str]:
    last = difference.field.rpartition(".")[2]
    telling = _LEAST_TELLING.index(last) + 1 if last in _LEAST_TELLING else 0
    return telling, difference.field.count("."), difference.field, difference.kind


def _compare_fields(prefix: str, expected: object, got: object) -> Iterator[Difference]:
    """Field by field; both are of one dataclass."""
    found = [
        difference
        for field in fields(expected)  # type: ignore[arg-type]  # any of our frozen dataclasses
        for difference in _compare_values(prefix + field.name, getattr(expected, field.name), getattr(got, field.name))
    ]
    if any(d.field == f"{prefix}succeeded" for d in found):
        # The other branch was taken: all else differs because of that.
        found = [d for d in found if d.field == f"{prefix}succeeded"]
    follow: tuple[str, ...] = ()
    if any(d.field == f"{prefix}kvs" and d.kind in ("missing", "unexpected") for d in found):
        follow = ("count", "more")
    elif any(d.field == f"{prefix}canceled" for d in found):
        follow = ("cancel_reason", "watch_id")
    for difference in found:
        if difference.field.removeprefix(prefix) not in follow:
            yield difference


def _compare_values(path: str, expected: object, got: object) -> Iterator[Difference]:
    match expected, got:
        case _ if expected == got:
            return
        case tuple(), tuple() if path.endswith("kvs"):
            yield from _compare_kvs(path, expected, got)
        case tuple(), tuple() if path.endswith("responses"):
            yield from _compare_responses(path, expected, got)
        case tuple(), tuple() if path == "watches":
            yield from _compare_watches(path, expected, got)
        case tuple(), tuple():
            if set(expected) - set(got):
                yield Difference(path, "missing")
            if set(got) - set(expected):
                yield Difference(path, "unexpected")
            if set(got) == set(expected):
                yield Difference(path, "out of order" if Counter(got) == Counter(expected) else "different")
        case _ if is_dataclass(expected) and type(expected) is type(got) and not isinstance(expected, Symbol):
            yield from _compare_fields(f"{path}.", expected, got)
        case _:
            last = path.rpartition(".")[2]
            yield Difference(path, "different" if last in _UNRANKED else _kind(expected, got, sized=last not in _NAMES))


_UNRANKED = ("value", "hash", "watch_id")
"""Fields of which zero is a value like any other."""

_NAMES = ("id", "lease")
"""Numbers that have no size: they are names."""


def _kind(expected: object, got: object, *, sized: bool) -> str:
    """An absent field of a message reads as zero."""
    if not got:
        return "missing"
    if not expected:
        return "unexpected"
    if sized and type(expected) is int and type(got) is int:
        return "too low" if got < expected else "too high"
    return "different"


def _compare_kvs(path: str, expected: Sequence[KeyValue], got: Sequence[KeyValue]) -> Iterator[Difference]:
    """Key by key: a list that lacks one is not a list in which all that follow differ."""
    by_key = {kv.key: kv for kv in got}
    wanted = {kv.key for kv in expected}
    if wanted - by_key.keys():
        yield Difference(path, "missing")
    if by_key.keys() - wanted or len(by_key) != len(got):
        yield Difference(path, "unexpected")
    common = [kv.key for kv in expected if kv.key in by_key]
    if common != [kv.key for kv in got if kv.key in wanted]:
        yield Difference(path, "out of order")
    for kv in expected:
        if kv.key in by_key:
            yield from _compare_fields(f"{path}.", kv, by_key[kv.key])


def _compare_responses(path: str, expected: Sequence[object], got: Sequence[object]) -> Iterator[Difference]:
    if len(expected) != len(got):
        yield Difference(path, "missing" if not got else "too few" if len(got) < len(expected) else "too many")
    for one, other in zip(expected, got, strict=False):
        if type(one) is not type(other):
            yield Difference(path, "of another operation")
        elif isinstance(one, TxnResult):
            for difference in _compare_fields(f"{path}.", one, other):
                yield Difference(difference.field.replace("responses.responses", "responses"), difference.kind)
        else:
            yield from _compare_fields(f"{path}.", one, other)


def _compare_watches(path: str, expected: Sequence[Watched], got: Sequence[Watched]) -> Iterator[Difference]:
    """Watcher by watcher. An id may be there more than once: after a cancellation it can be given again."""
    wanted, there = _numbered(expected), _numbered(got)
    if wanted.keys() - there.keys():
        yield Difference(path, "missing")
    if there.keys() - wanted.keys():
        yield Difference(path, "unexpected")
    if [name for name in wanted if name in there] != [name for name in there if name in wanted]:
        yield Difference(path, "out of order")
    for name, watched in wanted.items():
        if name in there:
            yield from _compare_watched(f"{path}.", watched, there[name])


def _numbered(watches: Sequence[Watched]) -> dict[tuple[int, int], Watched]:
    """By watch id, and by which one with that id it is, counted from 0."""
    seen: Counter[int] = Counter()
    numbered = {}
    for watched in watches:
        numbered[watched.watch_id, seen[watched.watch_id]] = watched
        seen[watched.watch_id] += 1
    return numbered


def _compare_watched(prefix: str, expected: Watched, got: Watched) -> Iterator[Difference]:
    yield from _compare_events(prefix, expected.events, got.events)
    if expected.atomic and not got.atomic:
        yield Difference(f"{prefix}events", "a revision was split")
    got = replace(got, events=(), atomic=True)
    if expected.cancels != got.cancels:
        got = replace(got, compact_revision=expected.compact_revision)  # which a cancellation brings
    yield from _compare_fields(prefix, replace(expected, events=(), atomic=True), got)


def _compare_events(prefix: str, expected: Sequence[Event], got: Sequence[Event]) -> Iterator[Difference]:
    """What a watcher is promised (`BROKEN_PROMISES`), then event by event. An event is known by its type, its key and
    its revision: what is changed in it besides is no other event. Nor is one that has another revision alone."""
    got, kinds = _with_their_revisions(expected, got)
    wanted, there = Counter(map(_reported, expected)), Counter(map(_reported, got))
    path = f"{prefix}events"
    if wanted - there:
        yield Difference(path, "lost events")
    extra = there - wanted
    if any(event in wanted for event in extra):
        yield Difference(path, "events twice")
    if any(event not in wanted for event in extra):
        yield Difference(path, "unexpected events")
    common = wanted & there
    if _firsts(expected, common) != _firsts(got, common):
        yield Difference(path, "out of order")
    for kind in kinds:
        yield Difference(f"{prefix}kv.mod_revision", kind)
    same = {_reported(event): event for event in reversed(got)}
    for event in expected:
        other = same.get(_reported(event))
        if other is not None:
            yield from _compare_fields(f"{prefix}kv.", event.kv, other.kv)
            if event.prev_kv != other.prev_kv:
                yield Difference(f"{prefix}prev_kv", _kind(event.prev_kv, other.prev_kv, sized=False))


def _with_their_revisions(expected: Sequence[Event], got: Sequence[Event]) -> tuple[Sequence[Event], list[str]]:
    """What came, with the revisions of events that came under another one put right, and how those differed.

    These are all, where nothing but revisions differs; otherwise, as many events of one type, key and value that nobody
    expects as there are such that did not come.
    """
    kinds: list[str] = []
    put_right = list(got)
    for meant, place in _same_but_for_revisions(expected, got):
        event, revision = got[place], expected[meant].kv.mod_revision
        if event.kv.mod_revision != revision:
            kinds.append(_kind(revision, event.kv.mod_revision, sized=True))
            put_right[place] = replace(event, kv=replace(event.kv, mod_revision=revision))
    return put_right, list(dict.fromkeys(kinds))


def _same_but_for_revisions(expected: Sequence[Event], got: Sequence[Event]) -> Iterator[tuple[int, int]]:
    """The places in both of what is one event."""
    came = set(map(_reported, got))
    all_came = list(map(_content, got)) == list(map(_content, expected)) and len(came) == len(got)
    if all_came and came != set(map(_reported, expected)):
        yield from ((place, place) for place in range(len(got)))
        return
    lost, extra = _by_content(expected, but=got), _by_content(got, but=expected)
    for content, places in extra.items():
        if len(places) == len(lost.get(content, ())):
            yield from zip(lost[content], places, strict=True)


def _by_content(events: Sequence[Event], but: Sequence[Event]) -> dict[tuple[int, bytes, bytes], list[int]]:
    """Where the events are that are not among the others, by type, key and value."""
    others = set(map(_reported, but))
    found: dict[tuple[int, bytes, bytes], list[int]] = {}
    for place, event in enumerate(events):
        if _reported(event) not in others:
            found.setdefault(_content(event), []).append(place)
    return found


def _content(event: Event) -> tuple[int, bytes, bytes]:
    return event.type, event.kv.key, event.kv.value


def _reported(event: Event) -> tuple[int, bytes, int]:
    return event.type, event.kv.key, event.kv.mod_revision


def _firsts(events: Sequence[Event], common: Container[tuple[int, bytes, int]]) -> list[tuple[int, bytes, int]]:
    """These events in the order in which each comes first."""
    return [event for event in dict.fromkeys(map(_reported, events)) if event in common]
