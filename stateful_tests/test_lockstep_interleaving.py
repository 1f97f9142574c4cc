"""Races in one process: each specimen's is found, made small, and replayed exactly; right stores have none."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path
from threading import Condition, Lock

import pytest

from etcd_lockstep.console.cli import main
from etcd_lockstep.filing.bad_file import BadFile
from etcd_lockstep.interleaving.files import load_race, save_race
from etcd_lockstep.interleaving.program import Preemption, Program, Schedule
from etcd_lockstep.interleaving.running import DEADLOCK, RAISED, Ran, Running, Unschedulable
from etcd_lockstep.interleaving.searching import Race, Search
from etcd_lockstep.interleaving.targets import InProcess, find_in_process
from etcd_lockstep.specimens.racing import RACING, Locked
from etcd_lockstep.specimens.specimen import Specimen
from etcd_model import Operation, Result
from etcd_model.operations import Put, Range

SEED = 2
MODULE_LOCK = Lock()
TWO_PUTS = Program((), ((Put(b"a", b"1"),), (Put(b"a", b"2"),)))


def search(target: InProcess, seconds: float) -> Race | None:
    return Search(target.make, target.own_code(), random.Random(SEED), seconds).go()


def run(make: type[Specimen], program: Program, schedule: Schedule) -> Ran:
    return Running(make, InProcess("mock", make).own_code(), program, schedule).go()


class BothLocks(Specimen):
    """Takes one lock after the other: puts in one order, all else in the other."""

    name = "both-locks"

    def __init__(self) -> None:
        super().__init__()
        self._first, self._second = Lock(), threading.RLock()

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Put):
            with self._first, self._second:
                return super().apply(operation)
        with self._second, self._first:
            return super().apply(operation)


class LockedByModule(Specimen):
    """Right: its lock was made when the module was imported, and it waits for others in a condition."""

    name = "locked-by-module"

    def __init__(self) -> None:
        super().__init__()
        self._condition = Condition()
        self._busy = False

    def apply(self, operation: Operation) -> Result:
        with self._condition:
            while self._busy:
                self._condition.wait()
            self._busy = True
        with MODULE_LOCK:
            time.sleep(5)  # of the run's clock
            result = super().apply(operation)
        with self._condition:
            self._busy = False
            self._condition.notify()
        return result


class Polling(Specimen):
    """Waits in a loop for what nobody does."""

    name = "polling"

    def apply(self, operation: Operation) -> Result:
        while isinstance(operation, Put):
            pass
        return super().apply(operation)


@pytest.mark.parametrize("name", RACING)
def test_the_race_of_a_specimen_is_found_and_replayed(name: str, tmp_path: Path) -> None:
    target = find_in_process(name)
    race = search(target, 60)
    assert race is not None
    assert len(race.program.clients) == race.program.calls == 2
    assert len(race.schedule.preemptions) == 1
    assert race.again == race.replays == 3
    assert (race.ran.shows == RAISED) is (name == "iterate-while-changed")
    file = save_race(race, name, tmp_path)
    assert load_race(file) == (name, race.ran.shows, race.program, race.schedule)
    _, _, program, schedule = load_race(file)
    assert Running(target.make, target.own_code(), program, schedule).go() == race.ran
    in_turn = Running(target.make, target.own_code(), program, Schedule()).go()
    assert in_turn.shows == ""


@pytest.mark.parametrize("make", [Locked, LockedByModule])
def test_a_store_with_locks_shows_no_race_and_no_deadlock(make: type[Specimen]) -> None:
    assert search(InProcess(make.name, make), 1) is None


def test_the_fake_shows_no_race() -> None:
    assert search(find_in_process("fake"), 2) is None


def test_a_deadlock_is_named_with_where_each_client_waits() -> None:
    race = search(InProcess("both-locks", BothLocks), 60)
    assert race is not None
    assert race.ran.shows == DEADLOCK
    assert len(race.program.clients) == race.program.calls == 2
    assert race.ran.what.count("waits for a lock at test_lockstep_interleaving.py:") == 2


def test_a_preemption_takes_place_where_it_says() -> None:
    racing = RACING["lost-update-under-threads"]
    ran = run(racing, TWO_PUTS, Schedule((Preemption(1, 4, 2),)))
    assert ran.shows == "two writes at one revision"
    (taken,) = ran.taken
    assert taken.where.endswith(": self.state = state")
    assert run(racing, TWO_PUTS, Schedule((Preemption(1, 1000, 2),))).taken == ()


def test_an_endless_loop_is_named() -> None:
    ran = run(Polling, Program((), ((Put(b"a", b"1"),), (Range(b"a"),))), Schedule())
    assert ran.shows == "endless loop"
    assert "test_lockstep_interleaving.py" in ran.what


def test_what_blocks_outside_of_the_schedule_is_an_error() -> None:
    held = threading.Lock()
    held.acquire()

    class Outside(Specimen):
        name = "outside"

        def apply(self, operation: Operation) -> Result:
            with held:
                return super().apply(operation)

    try:
        with pytest.raises(Unschedulable, match=r"blocks where the schedule doesn't see it(?s:.)*with held"):
            run(Outside, TWO_PUTS, Schedule())
    finally:
        held.release()


def test_the_command_files_a_race_and_replays_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    name = "lost-update-under-threads"
    assert main(["stress", name, "--seed", "2", "--json", "summary.json"]) == 1
    said = capsys.readouterr().out
    (file,) = Path("violations-found").iterdir()
    assert f"filed as {file}" in said
    assert "violation: two writes at one revision" in said
    assert "client 1 runs first, until it stands at racing.py:" in said
    (one,) = json.loads(Path("summary.json").read_text())
    assert (one["target"], one["seed"], one["first"]["shows"]) == (name, 2, "two writes at one revision")
    assert main(["stress", "--replay", str(file)]) == 1
    assert capsys.readouterr().out.startswith(f"1 of 1 runs: {name}\n")
    assert main(["stress", "fake", "--replay", str(file)]) == 0
    assert "does not show two writes at one revision" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"format": "another"}, "no race"),
        ({"version": 2}, "reads version 1 of the format, not 2"),
        ({"clients": []}, "1 to 20 clients, not 0"),
        ({"clients": [[{"op": "fly"}]]}, "no operation is called 'fly'"),
        ({"schedule": {"first": 3, "preemptions": []}}, "'first' of the schedule"),
        (
            {"schedule": {"first": 1, "preemptions": [{"client": 1, "step": 0, "to": 2, "where": ""}]}},
            "at a step from 1",
        ),
    ],
)
def test_a_file_that_is_no_race_is_refused(changed: dict[str, object], said: str, tmp_path: Path) -> None:
    ran = run(Locked, TWO_PUTS, Schedule())
    file = save_race(Race(TWO_PUTS, Schedule(), ran), "locked", tmp_path)
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))
    with pytest.raises(BadFile, match=said):
        load_race(file)
