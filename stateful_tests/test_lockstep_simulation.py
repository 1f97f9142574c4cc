"""Programs under drawn schedules: what a run is, what can happen in it, and what a failure says."""

from __future__ import annotations

import queue
import time
from typing import Any

import grpc
import pytest

from etcd_lockstep.simulation import Client, ClientFailed, Deadlock, InvariantBroken, World, simulate
from etcd_lockstep.simulation.running import BREAK_WATCH, CLOCK, CRASH, DROP_ANSWER, DROP_REQUEST
from fake_etcd.wire import messages as pb
from simulated import counts, made, simulation_of, with_put

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@simulate(clients=[counts, counts], faults=())
def _counting(world: World) -> None:
    world.etcd.put("/n", "0")

    @world.at_end
    def nothing_is_lost() -> None:
        assert world.etcd.get("/n")[0] == b"2"


# The schedule


def test_in_the_simplest_run_each_client_runs_to_its_end_in_turn() -> None:
    run = simulation_of(_counting).run()
    assert run.failure is None
    assert run.timeline == (
        "   counts 1         counts 2\n"
        "1  get /n → /n = 0\n"
        "2  put /n = 1 → ok\n"
        "3                   get /n → /n = 1\n"
        "4                   put /n = 2 → ok"
    )


def test_a_lost_update_is_found_and_shrunk_to_one_deviation() -> None:
    run = simulation_of(_counting).shortest_failure()
    assert run is not None
    assert isinstance(run.failure, InvariantBroken)
    assert run.schedule == [(2, 0)]
    assert str(run.failure).splitlines()[0] == "nothing is lost: assert b'1' == b'2'"
    assert run.timeline == (
        "   counts 1           counts 2\n"
        "1  get /n\n"
        "2                     get /n → /n = 0\n"
        "3                     put /n = 1 → ok\n"
        "4  (get /n) → /n = 0\n"
        "5  put /n = 1 → ok"
    )


def test_the_same_schedule_gives_the_same_run_a_thousand_times() -> None:
    @simulate(clients=[_watcher, counts, with_put("/n")])
    def watched(world: World) -> None:
        world.etcd.put("/n", "0")

    schedule = [(1, 3), (2, 1), (0, 16), (3, 2), (1, 4), (0, 19), (2, 0)]
    runs = {(run.timeline, str(run.failure)) for run in (simulation_of(watched).run(schedule) for _ in range(1000))}
    assert len(runs) == 1


def test_an_invariant_is_checked_after_each_step() -> None:
    seen: list[bytes | None] = []

    @simulate(clients=[counts], faults=())
    def counting(world: World) -> None:
        world.etcd.put("/n", "0")

        @world.invariant
        def look() -> None:
            seen.append(world.etcd.get("/n")[0])

    assert simulation_of(counting).run().failure is None
    # at the start, started, let through, delivered, let through, delivered
    assert seen == [b"0", b"0", b"0", b"0", b"1", b"1"]


# Faults


def _failing_put(me: Client) -> None:
    try:
        me.stubs.kv.Put(pb.PutRequest(key=b"/k", value=b"1"))
    except grpc.RpcError as error:
        me.note(f"got {error.code().name}")
    read = me.stubs.kv.Range(pb.RangeRequest(key=b"/k"))
    me.note(f"there are {read.count}")


def test_a_dropped_request_is_unavailable_and_did_not_happen() -> None:
    run = made(_failing_put, faults=[DROP_REQUEST]).run([(0, 16)])
    assert run.failure is None
    assert run.timeline == (
        "   _failing_put\n"
        "1  put /k = 1 → UNAVAILABLE: the schedule dropped the request\n"
        "2  got UNAVAILABLE\n"
        "3  get /k → nothing\n"
        "4  there are 0"
    )


def test_a_dropped_answer_is_unavailable_and_did_happen() -> None:
    run = made(_failing_put, faults=[DROP_ANSWER]).run([(0, 16)])
    assert run.failure is None
    assert "the schedule dropped the answer" in run.timeline
    assert run.timeline.endswith("got UNAVAILABLE\n3  get /k → /k = 1\n4  there are 1")


def test_a_program_that_dies_of_a_fault_is_no_failure() -> None:
    run = made(with_put("/k"), faults=[DROP_REQUEST]).run([(0, 16)])
    assert run.failure is None
    assert "dies: ConnectionFailedError" in run.timeline


def test_a_program_that_raises_of_itself_is_one() -> None:
    def wrong(me: Client) -> None:
        me.etcd.put("/k", "1")
        raise KeyError("oh")

    failure = made(wrong).run().failure
    assert isinstance(failure, ClientFailed)
    assert str(failure).startswith("wrong raised KeyError: 'oh'\n")
    assert isinstance(failure.__cause__, KeyError)


def test_a_client_may_die_of_what_one_says_it_may() -> None:
    def refused(me: Client) -> None:
        me.etcd.put("/k", "1", lease=1234)

    run = made(refused, may_raise=(grpc.RpcError,)).run()
    assert run.failure is None
    assert run.timeline.endswith("dies: NOT_FOUND: etcdserver: requested lease not found")


def test_a_crashed_client_does_nothing_any_more_and_can_be_started_again() -> None:
    cleaned_up = []

    def careful(me: Client) -> None:
        try:
            me.etcd.put("/k", str(me.start))
            me.etcd.put("/done", str(me.start))
        except Exception:
            me.note("handles it")  # a crash is no Exception
        finally:
            try:
                me.etcd.delete("/k")
            except BaseException:
                cleaned_up.append("no")
                raise

    simulation = made(careful, faults=[CRASH])
    crashed = simulation.run([(2, 16)])
    assert crashed.failure is None
    assert crashed.timeline == "   careful\n1  put /k = 1\n2  crashes"
    assert cleaned_up == ["no"]
    again = simulation.run([(2, 16), (0, 0)])  # else it is over: nobody waits for it
    assert again.timeline.startswith("   careful\n1  put /k = 1\n2  crashes\n3  starts again\n4  put /k = 2 → ok\n")


def test_a_crashed_client_that_others_wait_for_is_started_again() -> None:
    def waits(me: Client) -> None:
        while me.etcd.get("/k")[0] is None:
            time.sleep(25)

    run = made(waits, with_put("/k"), faults=[CRASH]).run([(3, 17)])
    assert run.failure is None
    assert "10 s go by\n" in run.timeline
    assert "starts again" in run.timeline


# Time


def test_time_goes_by_when_nobody_can_go_on() -> None:
    times: list[float] = []

    def sleeper(_: Client) -> None:
        begun = time.monotonic()
        time.sleep(3600)
        times.append(time.monotonic() - begun)

    assert made(sleeper, sleeper).run().failure is None
    assert times == [3600, 3600]


def test_a_lease_runs_out_where_the_schedule_says_so() -> None:
    def holder(me: Client) -> None:
        lease = me.etcd.lease(10)
        me.etcd.put("/k", "1", lease=lease)
        me.note(f"{me.etcd.get('/k')[0]}")

    simulation = made(holder, faults=[CLOCK])
    assert simulation.run().timeline.endswith("4  b'1'")
    late = simulation.run([(3, 0)])
    assert late.timeline.endswith(
        "3  — holder stands still, and 10 s go by: lease 1 runs out\n4  get /k → nothing\n5  None"
    )


def test_a_call_has_a_deadline_of_the_clock() -> None:
    def waits(me: Client) -> None:
        me.stubs.lock.Lock(pb.LockRequest(name=b"l", lease=me.etcd.lease(60).id))
        with pytest.raises(grpc.RpcError, match="Deadline"):
            me.stubs.lock.Lock(pb.LockRequest(name=b"l", lease=me.etcd.lease(60).id), timeout=5)
        assert time.monotonic() == 5

    assert made(waits).run().failure is None


def test_a_lock_of_etcds_is_waited_for() -> None:
    def locks(me: Client) -> None:
        lease = me.etcd.lease(60).id
        key = me.stubs.lock.Lock(pb.LockRequest(name=b"l", lease=lease)).key
        me.note("in")
        me.stubs.lock.Unlock(pb.UnlockRequest(key=key))

    run = made(locks, locks, faults=()).run([(5, 0)])
    assert run.failure is None
    assert run.timeline.count("  in") == 2


# Watches


def _watcher(me: Client) -> None:
    arrived: queue.Queue[Any] = queue.Queue()
    me.etcd.add_watch_callback("/n", arrived.put)
    response = arrived.get()
    events = getattr(response, "events", None)
    me.note(f"saw {events[0].value.decode()}" if events else "saw an error")


def test_a_watch_delivers_its_events_one_step_at_a_time() -> None:
    run = made(_watcher, with_put("/n"), faults=()).run()
    assert run.failure is None
    assert run.timeline == (
        "   _watcher            putter\n"
        "1  watch /n\n"
        "2  the watch is there\n"
        "3                      put /n = 1 → ok\n"
        "4  watch: PUT /n = 1\n"
        "5  saw 1"
    )


def test_a_watch_breaks_where_the_schedule_says_so() -> None:
    def watches(me: Client) -> None:
        stream = me.stubs.watch.Watch(iter([pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"/n"))]))
        with pytest.raises(grpc.RpcError, match="the schedule dropped the watch stream"):
            next(stream)

    run = made(watches, faults=[BREAK_WATCH]).run([(0, 16)])
    assert run.failure is None
    assert run.timeline == "   watches\n1  the watch breaks"


def test_a_program_on_etcd3_notices_a_broken_watch() -> None:
    @simulate(clients=[_watcher, with_put("/n")], faults=[BREAK_WATCH])
    def watching(_: World) -> None: ...

    before, afterwards = (simulation_of(watching).run([(after, 16)]) for after in (5, 6))
    assert "the watch breaks\n4  dies: ConnectionFailedError" in before.timeline
    assert "the watch breaks\n4  saw an error" in afterwards.timeline


def test_a_watch_that_is_registered_late_is_a_deadlock() -> None:
    @simulate(clients=[_watcher, with_put("/n")], faults=())
    def watching(_: World) -> None: ...

    run = simulation_of(watching).shortest_failure(expected=Deadlock)
    assert run is not None
    assert run.timeline == (
        "   _watcher            putter\n1                      put /n = 1 → ok\n2  watch /n\n3  the watch is there"
    )


# Its edges


def test_a_client_can_make_its_own_etcd3_client() -> None:
    def own(_: Client) -> None:
        import etcd3

        etcd3.client().put("/k", "1")

    @simulate(clients=[own])
    def putting(world: World) -> None:
        @world.at_end
        def it_is_there() -> None:
            assert world.etcd.get("/k")[0] == b"1"

    assert simulation_of(putting).run().failure is None


def test_a_client_that_uses_the_worlds_etcd_goes_by_its_gates_too() -> None:
    shared: list[Any] = []

    def count(_: Client) -> None:
        value, _meta = shared[0].get("/n")
        shared[0].put("/n", str(int(value) + 1))

    @simulate(clients=[count, count], faults=())
    def counting(world: World) -> None:
        world.etcd.put("/n", "0")
        shared[:] = [world.etcd]

    timeline = simulation_of(counting).run([(2, 0)]).timeline
    assert [line.split() for line in timeline.splitlines()[1:3]] == [
        ["1", "get", "/n"],
        ["2", "get", "/n", "→", "/n", "=", "0"],
    ]


def test_etcd3s_iterator_of_watch_events_is_simulated_too() -> None:
    def reads(me: Client) -> None:
        events, cancel = me.etcd.watch("/n")
        me.note(f"saw {next(events).value.decode()}")
        cancel()

    def writes(me: Client) -> None:
        time.sleep(1)
        me.etcd.put("/n", "1")

    run = made(reads, writes, faults=()).run()
    assert run.failure is None
    assert "saw 1" in run.timeline


def test_closing_an_etcd3_client_ends_its_watches() -> None:
    def closes(me: Client) -> None:
        import etcd3

        for client in me.etcd, etcd3.client():
            heard: list[Any] = []
            client.add_watch_callback("/n", heard.append)
            client.close()
            assert len(heard) <= 1  # that the stream is over

    assert made(closes, faults=()).run().failure is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"clients": []}, "a simulation needs clients"),
        ({"clients": [counts], "backend": "redis"}, "no such backend: 'redis'; there are fake, real"),
        ({"clients": [counts], "faults": ["fire"]}, "no such fault: fire; there are break-watch, clock, crash"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        simulate(**wrong)
