"""A campaign's plan, its state, and its coordinator: whatever is interrupted, the same shards come to the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from etcd_lockstep.campaigns.coordinator import ATTEMPTS, CampaignListener, Coordinator, Outcome
from etcd_lockstep.campaigns.definition import BadDefinition, Campaign, Cell, load_campaign
from etcd_lockstep.campaigns.figures import figures_of
from etcd_lockstep.campaigns.page import heat_map, short
from etcd_lockstep.campaigns.planning import apportioned, round_of, turns_for
from etcd_lockstep.campaigns.state import BadState, CampaignState
from etcd_lockstep.campaigns.work import outcome_from_text, outcome_to_text
from etcd_lockstep.console.cli import main
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.searching.findings import Finding, Signature
from etcd_lockstep.shards.plain import to_plain
from etcd_lockstep.shards.result import ShardResult, ShardTargets, WorkloadSummary
from etcd_lockstep.shards.running import run_shard
from etcd_lockstep.shards.shard import Shard, seed_of
from etcd_model import operations as op
from etcd_model.results import RangeResult

Capture = pytest.CaptureFixture[str]

CAMPAIGN = Campaign(etcd=("none",), workloads=("store", "auth", "maintenance"), seed=5, shards=10, shard_examples=1)
BY_STEPS = replace(CAMPAIGN, etcd=("none", "auto"), shards=None, steps=1500)


def finding(field: str, *trace: op.Operation) -> Finding:
    answers = {"model": RangeResult(2, count=7), "fake": RangeResult(2, count=7), "mock": RangeResult(2)}
    return Finding(Signature("mock", "range", field, "missing"), trace, answers, ())


def result_of(shard: Shard) -> ShardResult:
    """What a shard comes to: something that depends on its seed and its workload alone."""
    drawn = random.Random(f"{shard.seed} {shard.workloads}")
    steps = drawn.randrange(50, 100)
    fields = frozenset({"put.key", drawn.choice(("put.lease", "put.prev_kv"))})
    return ShardResult(
        (shard.seed,),
        ShardTargets(None, "3.5.16", ("model", "fake"), (), False),
        seconds=1.0,
        workloads=(WorkloadSummary(shard.workloads[0], 3, steps),),
        findings=(finding(drawn.choice("abcde"), op.Put(b"k" * drawn.randrange(1, 9)), op.Range(b"k")),),
        coverage={(fields, "put", drawn.choice(("", "too large"))): steps},
    )


class Killed(Exception):
    """The coordinator is."""


class Executor:
    """Runs what is under way in any order, and fails or kills the coordinator where it is told to."""

    def __init__(
        self,
        capacity: int = 3,
        *,
        order: int = 0,
        killed_after: int | None = None,
        refuses: str | None = None,
        fails: Callable[[Shard], int] | None = None,
        comes_to: Callable[[Shard], ShardResult] = result_of,
    ) -> None:
        self.capacity = capacity
        self.ran: list[int] = []
        self._under_way: dict[int, Shard] = {}
        self._order = random.Random(order)
        self._killed_after = killed_after
        self._fails = fails or (lambda shard: Exit.REFUSED if shard.workloads == (refuses,) else 0)
        self._comes_to = comes_to

    def submit(self, number: int, shard: Shard) -> None:
        assert len(self._under_way) < self.capacity
        self._under_way[number] = shard

    def wait(self) -> Outcome | None:
        if self._killed_after is not None and len(self.ran) == self._killed_after:
            raise Killed
        number = self._order.choice(sorted(self._under_way))
        shard = self._under_way.pop(number)
        self.ran.append(number)
        if code := self._fails(shard):
            return Outcome(number, "w", None, code, "it fails")
        return outcome_from_text(number, outcome_to_text((to_plain(self._comes_to(shard)), 0, ""), "w"))


def run(folder: Path, executor: Executor, campaign: Campaign = CAMPAIGN, *, uniform: bool = False) -> Exit:
    """Begin a campaign, or go on with one."""
    if not folder.exists():
        CampaignState.create(folder, campaign, turns=1, uniform=uniform)
    with CampaignState(folder, alone=True) as state:
        state.take_up()
        coordinator = Coordinator(state, executor, CampaignListener())
        coordinator.run()
    return coordinator.code


def came_to(folder: Path) -> dict[str, Any]:
    """All figures of a state but the times of day, and what depends on the order in which shards came in."""
    with CampaignState(folder, alone=False) as state:
        figures = figures_of(state).to_json()
        plain = sorted(json.dumps(to_plain(one)) for one, _ in state.findings())
        shards = state.rows("SELECT number, round, cell, status, steps FROM shards ORDER BY number")
    for one in figures["findings"]:
        del one["first_seen"], one["last_seen"], one["searched_seconds"]
    figures["findings"].sort(key=lambda one: one["fingerprint"])
    return {**figures, "traces": plain, "planned": shards}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, dict[str, Any]]:
    """What the campaign comes to, by whether it is uniform."""
    folders = {uniform: tmp_path_factory.mktemp("campaign") / "state" for uniform in (False, True)}
    for uniform, folder in folders.items():
        run(folder, Executor(), uniform=uniform)
    return {uniform: came_to(folder) for uniform, folder in folders.items()}


@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize("killed_after", [0, 1, 7, 20])
def test_a_campaign_that_is_killed_and_resumed_comes_to_the_same(
    tmp_path: Path, undisturbed: dict[bool, dict[str, Any]], killed_after: int, uniform: bool
) -> None:
    folder = tmp_path / "state"
    ran = _killed_and_resumed(folder, killed_after, CAMPAIGN, uniform=uniform)
    assert came_to(folder) == undisturbed[uniform]
    assert ran == list(range(30))


@pytest.mark.parametrize("killed_after", [1, 20])
@pytest.mark.parametrize(
    ("campaign", "refuses"),
    [(BY_STEPS, None), (BY_STEPS, "auth"), (CAMPAIGN, "auth")],
    ids=["steps", "steps, one cell is refused", "shards, one cell is refused"],
)
def test_neither_the_steps_nor_a_cell_that_is_refused_depend_on_the_order(
    tmp_path: Path, campaign: Campaign, refuses: str | None, killed_after: int
) -> None:
    run(tmp_path / "whole", Executor(refuses=refuses), campaign)
    ran = _killed_and_resumed(tmp_path / "killed", killed_after, campaign, refuses=refuses)
    whole = came_to(tmp_path / "whole")
    assert came_to(tmp_path / "killed") == whole
    assert {status for _, _, _, status, _ in whole["planned"]} == {"done", *(["failed"] if refuses else [])}
    assert refuses or ran == list(range(len(whole["planned"])))


def _killed_and_resumed(
    folder: Path, killed_after: int, campaign: Campaign, *, uniform: bool = False, refuses: str | None = None
) -> list[int]:
    """Which shards ran, in both runs together."""
    first, second = Executor(order=1, killed_after=killed_after, refuses=refuses), Executor(order=2, refuses=refuses)
    with pytest.raises(Killed):
        run(folder, first, campaign, uniform=uniform)
    run(folder, second, campaign)
    return sorted(first.ran + second.ran)


def test_thinly_covered_cells_get_more_of_the_time_unless_it_is_uniform(
    undisturbed: dict[bool, dict[str, Any]],
) -> None:
    def shards_by_cell(uniform: bool) -> list[int]:
        cells = [cell for _, _, cell, _, _ in undisturbed[uniform]["planned"]]
        return [cells.count(cell) for cell in range(3)]

    assert shards_by_cell(True) == [10, 10, 10]
    assert sum(shards_by_cell(False)) == 30
    cells = [Cell("none", "", name) for name in ("store", "auth", "time")]
    assert round_of(cells, 1, {}) == [*cells, *cells]
    assert round_of(cells, 2, {cells[1]: 5}) == [*cells, *cells, *[cells[1]] * 6]
    assert apportioned(4, cells, {cells[0]: 3, cells[2]: 1}) == [cells[0], cells[2], cells[0], cells[0]]


@pytest.mark.parametrize(("workers", "cells", "turns"), [(1, 5, 1), (2, 1, 1), (10, 1, 5), (1000, 20, 25)])
def test_a_round_has_a_shard_for_each_worker_at_least(workers: int, cells: int, turns: int) -> None:
    assert turns_for(workers, cells) == turns
    assert len(round_of([Cell("none", str(one), "store") for one in range(cells)], turns, {})) >= workers


def test_the_seed_of_a_shard_is_a_function_of_the_campaigns_and_its_number() -> None:
    cell = CAMPAIGN.cells[1]
    assert CAMPAIGN.shard(7, cell) == Shard("none", workloads=("auth",), examples=1, seed=seed_of(5, 7), most_servers=8)
    assert len({CAMPAIGN.shard(number, cell).seed for number in range(500)}) == 500


def test_the_shortest_trace_of_a_finding_stays_in_whatever_order_shards_come_in(tmp_path: Path) -> None:
    key_lengths: dict[str, int] = {}
    for order in (1, 2):
        folder = tmp_path / str(order)
        run(folder, Executor(order=order), uniform=True)
        with CampaignState(folder, alone=False) as state:
            found = {one.signature.field: one.trace for one, _ in state.findings()}
            planned = state.rows("SELECT number, cell FROM shards")
            for number, cell in planned:
                for one in result_of(CAMPAIGN.shard(number, state.cells[cell])).findings:
                    put, field = one.trace[0], one.signature.field
                    assert isinstance(put, op.Put)
                    key_lengths[field] = min(len(put.key), key_lengths.get(field, 9))
        assert found == {
            field: finding(field, op.Put(b"k" * length), op.Range(b"k")).trace for field, length in key_lengths.items()
        }


def test_a_result_that_comes_in_twice_counts_once(tmp_path: Path) -> None:
    CampaignState.create(tmp_path / "state", CAMPAIGN, turns=1, uniform=True)
    with CampaignState(tmp_path / "state", alone=True) as state:
        state.plan(1, state.cells)
        shard = CAMPAIGN.shard(0, state.cells[0])
        assert len(state.done(0, result_of(shard))) == 1
        once = figures_of(state)
        assert state.done(0, result_of(shard)) == []
        assert figures_of(state) == once


def test_a_campaign_by_steps_ends_when_each_etcd_with_each_target_has_them(tmp_path: Path) -> None:
    campaign = Campaign(etcd=("none", "auto"), workloads=("store",), steps=1000, shard_examples=1)
    run(tmp_path / "state", Executor(), campaign)
    with CampaignState(tmp_path / "state", alone=False) as state:
        steps = state.steps_of_pairs()
    assert all(1000 <= one < 1500 for one in steps.values())


def test_a_cell_that_fails_again_and_again_is_left_out_until_the_campaign_is_resumed(
    tmp_path: Path, undisturbed: dict[bool, dict[str, Any]]
) -> None:
    folder = tmp_path / "state"
    executor = Executor(fails=lambda shard: Exit.UNREACHABLE if shard.workloads == ("auth",) else 0)
    assert run(folder, executor, uniform=True) == Exit.UNREACHABLE
    figures = came_to(folder)
    assert figures["shards"]["failed"] in range(ATTEMPTS, ATTEMPTS + executor.capacity)
    assert figures["failures"][0]["cell"] == "none, auth"
    assert run(folder, Executor()) == Exit.AGREED
    assert came_to(folder)["shards"] == undisturbed[True]["shards"], "what failed is run again"


def test_two_campaigns_on_one_state_are_refused_and_reading_is_not(tmp_path: Path) -> None:
    CampaignState.create(tmp_path / "state", CAMPAIGN, turns=1, uniform=True)
    with CampaignState(tmp_path / "state", alone=True):
        with pytest.raises(BadState, match="another campaign runs on this state"):
            CampaignState(tmp_path / "state", alone=True)
        CampaignState(tmp_path / "state", alone=False).close()
    CampaignState(tmp_path / "state", alone=True).close()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadState, match="holds no campaign's state"):
        CampaignState.create(tmp_path, CAMPAIGN, turns=1, uniform=True)
    assert [one.name for one in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(BadState, match="there is no campaign's state"):
        CampaignState(tmp_path, alone=False)
    (tmp_path / "campaign.sqlite").write_text("nonsense")
    with pytest.raises(BadState, match="not a database"):
        CampaignState(tmp_path, alone=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("seconds = ", "Invalid value"),
        ("seconds = 60\nversion = 'x'", "there is no key 'version'"),
        ("seed = 1", "one of seconds, shards and steps"),
        ("seconds = 60\nsteps = 5", "here are 2 of them"),
        ("seconds = 60\nshard_examples = 5", "seconds needs shards of some seconds"),
        ("seconds = '60'", "seconds is a number above 0, not '60'"),
        ("shards = 0", "shards is a whole number from 1 on, not 0"),
        ("shards = 1\nseed = true", "seed is a whole number"),
        ("shards = 1\netcd = ['3.5.16']", "'3.5.16' is not a kind of source"),
        ("shards = 1\netcd = ['endpoint:127.0.0.1:2379']", "an endpoint is there only once"),
        ("shards = 1\netcd = []", "etcd names nothing"),
        ("shards = 1\ntargets = 'nobody'", "no target is called 'nobody'"),
        ("shards = 1\nworkloads = ['shop']", "no workload is called 'shop'"),
    ],
)
def test_what_is_no_campaign_is_refused_in_a_line(elsewhere: Path, capsys: Capture, text: str, reason: str) -> None:
    Path("c.toml").write_text(text)
    with pytest.raises(BadDefinition, match=r"c\.toml: "):
        load_campaign(Path("c.toml"))
    pytest.importorskip("distributed", reason="the extra [campaign] is not installed")
    assert main(["campaign", "run", "c.toml"]) == 2
    err = capsys.readouterr().err
    assert reason in err
    assert err.count("\n") == 1
    assert [one.name for one in elsewhere.iterdir()] == ["c.toml"]


def test_a_dashboard_is_refused_where_bokeh_is_missing(
    elsewhere: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etcd_lockstep.console.commands.campaign.find_spec", {"distributed": object()}.get)
    Path("c.toml").write_text("shards = 1")
    assert main(["campaign", "run", "c.toml", "--dashboard"]) == 2
    assert capsys.readouterr().err == "etcd-lockstep: --dashboard needs bokeh: pip install bokeh\n"
    assert not (elsewhere / "c-state").exists()


def test_a_campaigns_file_says_what_is_searched(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("etcd = ['version:3.5', 'none']\ntargets = 'slot-mock'\nseconds = 90\nseed = 3\n")
    campaign = load_campaign(tmp_path / "c.toml")
    assert len(campaign.cells) == 2 * 7
    assert str(campaign.cells[0]) == "version:3.5, slot-mock, store"
    assert campaign.total == 3 * 14
    assert campaign.shard(0, campaign.cells[0]).seconds == 30


def test_the_heat_map_has_a_row_for_each_operation_and_a_column_for_each_answer() -> None:
    heat = heat_map({("put", ""): 100, ("put", "too large"): 1, ("range", ""): 10})
    assert heat.answers == ["", "too large"]
    assert heat.rows == [("put", [(100, 9), (1, 1)]), ("range", [(10, 5), (0, 0)])]


def test_large_numbers_fit_into_the_heat_map() -> None:
    numbers = (1, 999, 1200, 9949, 9951, 34_000, 999_499, 999_500, 12_000_000)
    assert " ".join(map(short, numbers)) == "1 999 1.2k 9.9k 10k 34k 999k 1.0M 12M"


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """The state of a campaign that has ended."""
    run(tmp_path / "state", Executor())
    return tmp_path / "state"


def test_status_and_report_say_what_a_campaign_has_come_to(finished: Path, elsewhere: Path, capsys: Capture) -> None:
    assert main(["campaign", "status", str(finished), "--json", "status.json"]) == 1
    out = capsys.readouterr().out
    held = json.loads(Path("status.json").read_text())
    assert held["shards"] == {"planned": 0, "running": 0, "done": 30, "failed": 0}
    assert f"{held['etcds'][0]['steps']:,} steps" in out
    assert "shards: 30 done, of 30" in out
    assert main(["campaign", "report", str(finished), "--html", "page.html", "--corpus", "corpus", "--brief"]) == 1
    assert len(list(Path("corpus").iterdir())) == len(held["findings"])
    page = Path("page.html").read_text()
    for part in ("<polyline", "first seen", 'title="put: too large: ', "mock lies: range: a missing"):
        assert part in page
    assert '<tr><th scope="row">count</th><td>7</td><td>0</td></tr>' in page, "what each said, where they differ"
    assert "://" not in page, "it needs nothing from elsewhere"
    assert {one.name for one in elsewhere.iterdir()} == {"corpus", "page.html", "state", "status.json"}


def test_two_worker_processes_of_which_one_is_killed_and_then_the_coordinator(elsewhere: Path) -> None:
    """On a real etcd, with a target that lies."""
    pytest.importorskip("distributed", reason="the extra [campaign] is not installed")
    Path("c.toml").write_text(
        'etcd = "binary"\ntargets = "token-survives-password-change"\nworkloads = ["store", "auth"]\n'
        "seed = 7\nsteps = 1200\nshard_examples = 3\n"
    )
    program = (
        sys.executable,
        "-c",
        "from etcd_lockstep.console.entry import main; raise SystemExit(main())",
        "campaign",
    )
    run(elsewhere / "whole", Executor(comes_to=run_shard), load_campaign(Path("c.toml")))
    with subprocess.Popen([*program, "run", "c.toml", "--workers", "2", "--state", "killed"], text=True) as process:
        try:
            workers = _wait_for(lambda: _workers_of(process.pid) if _done(elsewhere / "killed") else [])
            os.kill(workers[0], signal.SIGKILL)
            done = _done(elsewhere / "killed")
            _wait_for(lambda: _done(elsewhere / "killed") > done)
        finally:
            process.kill()
    ran = subprocess.run([*program, "resume", "killed", "--workers", "2"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    assert "resumed: " in ran.stdout
    assert "under way and are run again" in ran.stdout
    whole, killed = came_to(elsewhere / "whole"), came_to(elsewhere / "killed")
    for one in (*whole["etcds"], *killed["etcds"]):
        del one["seconds"]
    assert killed == whole
    assert {one["target"] for one in whole["findings"]} == {"token-survives-password-change"}
    assert len(whole["planned"]) > 4, "there is a second round"


def _done(folder: Path) -> int:
    if not (folder / "campaign.sqlite").exists():
        return 0
    with CampaignState(folder, alone=False) as state:
        return state.by_status().get("done", 0)


def _workers_of(pid: int) -> list[int]:
    """The processes of a local cluster's workers."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    every = [*children]
    for thread in Path(f"/proc/{pid}/task").iterdir():
        every += map(int, (thread / "children").read_text().split())
    return [one for one in set(every) if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


T = TypeVar("T")


def _wait_for(what: Callable[[], T]) -> T:
    """What it returns, once that is something."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        if held := what():
            return held
        time.sleep(0.05)
    raise AssertionError("nothing came for ten minutes")
