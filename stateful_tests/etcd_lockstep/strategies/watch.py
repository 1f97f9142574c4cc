"""The watch family: what watchers are created with, and when their streams are read."""

from __future__ import annotations

from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import NO_DOUBLE, GeneratorState
from etcd_lockstep.trace import RevisionAt
from etcd_model.operations import FilterType, WatchCancel, WatchClose, WatchCreate, WatchProgress, WatchRead

STREAMS = (0, 0, 0, 1)
_FILTERS = ((), (), (), (FilterType.NOPUT,), (FilterType.NODELETE,), (FilterType.NOPUT, FilterType.NODELETE), (7,))
_OWN_IDS = (1, 2, 5, -7, NO_DOUBLE)
"""Watch ids that callers pick. -1 is left alone: replies to progress requests carry it."""


def watch_create(choices: ChoiceDecoder, state: GeneratorState) -> WatchCreate:
    """Mostly from now on, on a range; sometimes from the past or the future, with options, with an id of one's own."""
    key = state.key(choices)
    stream = choices.pick(STREAMS)
    if state.defaults_only:
        return WatchCreate(key, state.range_end(choices, key) if choices.pick((False, True)) else b"", stream=stream)
    if choices.one_in(4) and state.compacted:
        return _from_the_compacted(choices, state, stream)
    return WatchCreate(
        key,
        state.range_end(choices, key) if choices.pick((True, False)) else b"",
        state.revision(choices) if choices.one_in(3) else 0,
        progress_notify=choices.one_in(6),
        filters=choices.pick(_FILTERS),
        prev_kv=choices.one_in(3),
        watch_id=choices.pick(_OWN_IDS) if choices.one_in(5) else 0,
        fragment=choices.one_in(6),
        stream=stream,
    )


def _from_the_compacted(choices: ChoiceDecoder, state: GeneratorState, stream: int) -> WatchCreate:
    """Of a key that was written, from the revision on from which there are events, or beside it: what was there before
    may be gone."""
    key, compacted = state.key_to_read(choices), choices.pick(state.compacted[-2:])
    return WatchCreate(
        key,
        state.range_end(choices, key) if choices.pick((False, True)) else b"",
        RevisionAt(compacted.step, compacted.plus + choices.pick((0, 1, -1))),
        prev_kv=not choices.one_in(3),
        stream=stream,
    )


def watch_cancel(choices: ChoiceDecoder, state: GeneratorState) -> WatchCancel:
    """The ids that a server picks count from 0."""
    return WatchCancel(choices.pick(_OWN_IDS) if choices.one_in(4) else choices.count(2), state.stream(choices))


def watch_progress(choices: ChoiceDecoder, state: GeneratorState) -> WatchProgress:
    return WatchProgress(state.stream(choices))


def watch_read(choices: ChoiceDecoder, state: GeneratorState) -> WatchRead:
    return WatchRead(state.stream(choices))


def watch_close(choices: ChoiceDecoder, state: GeneratorState) -> WatchClose:
    return WatchClose(state.stream(choices))
