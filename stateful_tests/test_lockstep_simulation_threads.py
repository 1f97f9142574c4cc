"""The threads of simulated programs: what they block on takes part in the schedule, and what does not is named."""

from __future__ import annotations

import queue
import re
import threading
import time
import uuid
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from etcd_lockstep.simulation import (
    BlockedOutside,
    Client,
    Deadlock,
    NotFinished,
    SwallowedCrash,
)
from etcd_lockstep.simulation.running import CRASH
from fake_etcd.wire import messages as pb
from simulated import made

_real_sleep = time.sleep
_really_allocate_lock = threading.Lock
_really_locked = threading.Lock()


pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def test_a_thread_that_swallows_its_crash_is_named() -> None:
    stop = threading.Event()

    def stubborn(me: Client) -> None:
        while not stop.is_set():
            try:
                me.etcd.put("/k", "1")
            except BaseException:
                me.note("tries again")

    before = set(threading.enumerate())
    failure = made(stubborn, faults=[CRASH]).run([(2, 16)]).failure
    assert isinstance(failure, SwallowedCrash)
    assert "stubborn was crashed, and catches it again and again" in str(failure)
    assert "in stubborn" in str(failure)
    (left,) = set(threading.enumerate()) - before
    assert left.daemon


def test_locks_events_queues_and_threads_of_a_program_take_part() -> None:
    def busy(me: Client) -> None:
        done = threading.Event()
        results: queue.SimpleQueue[int] = queue.SimpleQueue()

        def background() -> None:
            me.etcd.put("/k", "1")
            results.put(1)
            done.set()

        thread = threading.Thread(target=background)
        thread.start()
        assert done.wait()
        assert results.get() == 1
        thread.join()
        assert not thread.is_alive()
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(lambda key: me.etcd.get(key)[0], ["/k", "/missing"])) == [b"1", None]
        assert not threading.Event().wait(5)
        with pytest.raises(queue.Empty):
            queue.Queue[int]().get(timeout=5)
        assert time.monotonic() == 10

    simulation = made(busy, busy, faults=())
    assert simulation.run().failure is None
    assert simulation.shortest_failure(examples=100) is None


def test_a_daemon_thread_ends_with_its_client() -> None:
    def keeps_alive(me: Client) -> None:
        lease = me.etcd.lease(10)

        def keep() -> None:
            while True:
                time.sleep(3)
                lease.refresh()

        threading.Thread(target=keep, daemon=True).start()
        time.sleep(20)
        assert lease.remaining_ttl > 0

    assert made(keeps_alive, faults=()).run().failure is None


def _gets_from_a_queue(_: Client) -> None:
    queue.Queue[int]().get()


def _waits_in_a_condition(_: Client) -> None:
    changed = threading.Condition()
    with changed:
        changed.wait()


def _joins(_: Client) -> None:
    waits = threading.Thread(target=threading.Event().wait, daemon=True)
    waits.start()
    waits.join()


def _acquires_a_semaphore(_: Client) -> None:
    with threading.Semaphore(0):
        pass


def _waits_for_a_future(_: Client) -> None:
    futures.Future[int]().result()


def _takes_a_lock_twice(_: Client) -> None:
    lock = threading.Lock()
    with lock, lock:
        pass


def _waits_behind_an_installed_library(me: Client) -> None:
    """python-etcd3 waits in a queue."""
    me.etcd.watch_once("/k")


@pytest.mark.parametrize(
    ("waits", "named"),
    [
        (_gets_from_a_queue, "a lock in Queue.get at {} (queue.Queue[int]().get())"),
        (_waits_in_a_condition, "a lock in Condition.wait at {} (changed.wait())"),
        (_joins, "the end of thread 1 of _joins at {} (waits.join())"),
        (_acquires_a_semaphore, "a lock in Semaphore.acquire at {} (with threading.Semaphore(0):)"),
        (_waits_for_a_future, "a lock in Future.result at {} (futures.Future[int]().result())"),
        (_takes_a_lock_twice, "a lock at {} (with lock, lock:)"),
        (_waits_behind_an_installed_library, 'a lock in Etcd3Client.watch_once at {} (me.etcd.watch_once("/k"))'),
    ],
)
def test_who_waits_for_ever_is_named_with_the_line(waits: Callable[[Client], None], named: str) -> None:
    failure = made(waits).run().failure
    assert isinstance(failure, Deadlock)
    said = failure.why.removeprefix("nothing will ever happen again: ")
    place = re.search(r"test_lockstep_simulation_threads\.py:\d+", said)
    assert place is not None
    assert said.startswith(f"{waits.__name__} waits for {named.format(place[0])}")


def test_a_program_that_blocks_outside_is_named_with_the_line() -> None:
    def blocks(_: Client) -> None:
        _really_locked.acquire()

    with _really_locked:
        failure = made(blocks, patience=0.05).run().failure
    assert isinstance(failure, BlockedOutside)
    assert "blocks blocks where the schedule doesn't see it" in str(failure)
    assert "_really_locked.acquire()" in str(failure)
    while any(thread.name == "simulated blocks" for thread in threading.enumerate()):
        _real_sleep(0.01)  # it has the lock now, and comes to its end
    _really_locked.release()


def test_who_is_blocked_by_another_client_outside_ends_without_a_word() -> None:
    """It goes on once the other one has been ended, and its thread must not take part any more."""
    lock = _really_allocate_lock()
    ran = []

    def holds(me: Client) -> None:
        with lock:
            me.etcd.put("/k", me.name)
            me.etcd.put("/k", me.name)
            ran.append(me.name)

    thrown: list[Any] = []
    before, threading.excepthook = threading.excepthook, thrown.append
    try:
        simulation = made(holds, holds, holds, patience=0.05)
        failure = simulation.run([(1, 0)]).failure
        while any(thread.name.startswith("simulated holds") for thread in threading.enumerate()):
            _real_sleep(0.01)
    finally:
        threading.excepthook = before
    assert isinstance(failure, BlockedOutside)
    assert "with lock:" in str(failure)
    assert (thrown, ran) == ([], [])


def test_a_program_that_is_slow_is_waited_for() -> None:
    def computes(_: Client) -> None:
        until = time.perf_counter() + 1
        while time.perf_counter() < until:
            sum(range(100))

    assert made(computes, patience=0.4).run().failure is None


def test_a_run_that_does_not_end_fails() -> None:
    def polls(me: Client) -> None:
        while me.etcd.get("/stop")[0] is None:
            time.sleep(1)

    failure = made(polls, max_steps=50).run().failure
    assert isinstance(failure, NotFinished)
    assert str(failure).startswith("the run is not over after 50 steps")


def test_a_thread_that_is_no_clients_is_refused() -> None:
    def smuggles(me: Client) -> None:
        _exchanges.append(me.stubs)

    _exchanges: list[Any] = []
    made(smuggles).run()
    with pytest.raises(RuntimeError, match="this thread is none of the simulation's clients"):
        _exchanges[0].kv.Put(pb.PutRequest(key=b"/k"))


def test_ids_are_the_same_in_each_run() -> None:
    def names_itself(me: Client) -> None:
        me.etcd.put("/k", uuid.uuid4().bytes)

    runs = [made(names_itself, names_itself).run() for _ in range(2)]
    assert runs[0].timeline == runs[1].timeline
    assert "put /k = uuid000000000001 → ok" in runs[0].timeline
    assert "put /k = uuid000000000002 → ok" in runs[0].timeline


def _sleeps(_me: Client) -> None:
    time.sleep(1)


def test_what_is_patched_is_real_again_afterwards() -> None:
    before = (threading.Lock, threading.RLock, threading.Thread.start, time.sleep, time.monotonic, queue.SimpleQueue)
    made(_sleeps, faults=()).run()
    after = (threading.Lock, threading.RLock, threading.Thread.start, time.sleep, time.monotonic, queue.SimpleQueue)
    assert before == after
