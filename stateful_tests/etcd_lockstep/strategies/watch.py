"""The watch family: what watchers are created with, and when their streams are read."""

from __future__ import annotations

from etcd_lockstep.strategies.dice import Dice
from etcd_lockstep.strategies.vocabulary import Vocabulary
from etcd_model.operations import FilterType, WatchCancel, WatchClose, WatchCreate, WatchProgress, WatchRead

STREAMS = (0, 0, 0, 1)
_FILTERS = ((), (), (), (FilterType.NOPUT,), (FilterType.NODELETE,), (FilterType.NOPUT, FilterType.NODELETE), (7,))
_OWN_IDS = (1, 2, 5, -7)
"""Watch ids that callers pick. -1 is left alone: replies to progress requests carry it."""


def watch_create(dice: Dice, words: Vocabulary) -> WatchCreate:
    """Mostly from now on, on a range; sometimes from the past or the future, with options, with an id of one's own."""
    key = words.key(dice)
    stream = dice.pick(STREAMS)
    if words.plain:
        return WatchCreate(key, words.range_end(dice, key) if dice.pick((False, True)) else b"", stream=stream)
    return WatchCreate(
        key,
        words.range_end(dice, key) if dice.pick((True, False)) else b"",
        words.revision(dice) if dice.one_in(3) else 0,
        progress_notify=dice.one_in(6),
        filters=dice.pick(_FILTERS),
        prev_kv=dice.one_in(3),
        watch_id=dice.pick(_OWN_IDS) if dice.one_in(5) else 0,
        fragment=dice.one_in(6),
        stream=stream,
    )


def watch_cancel(dice: Dice, words: Vocabulary) -> WatchCancel:
    """The ids that a server picks count from 0."""
    return WatchCancel(dice.pick(_OWN_IDS) if dice.one_in(4) else dice.count(2), words.stream(dice))


def watch_progress(dice: Dice, words: Vocabulary) -> WatchProgress:
    return WatchProgress(words.stream(dice))


def watch_read(dice: Dice, words: Vocabulary) -> WatchRead:
    return WatchRead(words.stream(dice))


def watch_close(dice: Dice, words: Vocabulary) -> WatchClose:
    return WatchClose(words.stream(dice))
