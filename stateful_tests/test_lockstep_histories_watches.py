"""The checker on watches: each history is right but for the one thing that its test names."""

from __future__ import annotations

from etcd_lockstep import check_history
from etcd_lockstep.histories import Anomaly, History, Linearizable, Violated, Watch, WatchResponse
from etcd_lockstep.histories.proving.written import HISTORY, TRANSFER, TRANSFERRED, A, B, call, deletion, found, put
from etcd_model import operations as op
from etcd_model.results import Event

EVENTS = (put(A, b"1", 2, 2, 1), put(A, b"2", 2, 3, 2), put(A, b"3", 2, 4, 3), put(A, b"4", 2, 5, 4))


def watched(*events: Event, progress: int = 0, key: bytes = A, start: int = 2) -> History:
    responses = [WatchResponse(100, event.kv.mod_revision, (event,)) for event in events]
    responses += [WatchResponse(100, progress)] if progress else []
    return History(HISTORY, (Watch(9, op.WatchCreate(key, start_revision=start), 0, 1, tuple(responses)),))


def test_a_watch_may_be_behind() -> None:
    for number in range(len(EVENTS) + 1):
        assert check_history(watched(*EVENTS[:number])) == Linearizable()
    assert check_history(watched(*EVENTS[2:], start=4)) == Linearizable()
    assert check_history(watched(progress=5, key=B)) == Linearizable()


def test_watch_lost_an_event_before_one_that_it_was_sent() -> None:
    assert found(check_history(watched(EVENTS[0], EVENTS[2]))) is Anomaly.WATCH_LOST


def test_watch_lost_an_event_before_its_progress() -> None:
    assert check_history(watched(EVENTS[0], progress=2)) == Linearizable()
    verdict = check_history(watched(EVENTS[0], progress=3))
    assert found(verdict) is Anomaly.WATCH_LOST
    assert isinstance(verdict, Violated)
    assert (verdict.first.watch, verdict.first.revision) == (0, 3)


def test_watch_repeated_an_event() -> None:
    assert found(check_history(watched(EVENTS[0], EVENTS[1], EVENTS[0], EVENTS[2]))) is Anomaly.WATCH_REPEATED
    assert found(check_history(watched(EVENTS[0], EVENTS[1], EVENTS[1]))) is Anomaly.WATCH_REPEATED


def test_watch_out_of_order() -> None:
    assert found(check_history(watched(EVENTS[0], EVENTS[2], EVENTS[1]))) is Anomaly.WATCH_OUT_OF_ORDER


def test_a_watch_is_sent_what_happened() -> None:
    assert found(check_history(watched(EVENTS[0], put(A, b"9", 2, 3, 2)))) is Anomaly.WRONG_ANSWER
    assert found(check_history(watched(EVENTS[0], deletion(A, 3)))) is Anomaly.WRONG_ANSWER


def test_watch_lost_the_second_half_of_a_revision() -> None:
    request = op.WatchCreate(b"\0", b"\0", start_revision=2)
    halves = (put(A, b"1", 2, 2, 1), put(B, b"1", 2, 2, 1))

    def of(*responses: WatchResponse) -> History:
        return History([call(1, 0, 10, TRANSFER, TRANSFERRED)], (Watch(9, request, 0, 1, responses),))

    assert check_history(of(WatchResponse(20, 2, halves))) == Linearizable()
    assert check_history(of(WatchResponse(20, 2, halves[:1], fragment=True))) == Linearizable()
    assert found(check_history(of(WatchResponse(20, 2, halves[:1])))) is Anomaly.WATCH_LOST
