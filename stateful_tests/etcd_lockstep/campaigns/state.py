"""The state of a campaign: a folder with an SQLite file, which one campaign writes at a time and anyone may read.

Each shard's result is one transaction. What was done survives the end of any process, and of the machine.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from etcd_lockstep.campaigns.definition import BadDefinition, Campaign, Cell, campaign_of
from etcd_lockstep.campaigns.planning import THIN
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.searching.coverage import CoverageCounts
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.shards.plain import from_plain, to_plain
from etcd_lockstep.shards.result import ShardResult

FORMAT = 1
"""Of the file; another one is refused."""
FILE: Final = "campaign.sqlite"
_LOCK: Final = "lock"

_TABLES = """
CREATE TABLE campaign (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE shards (
  number INTEGER PRIMARY KEY, round INTEGER NOT NULL, cell INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'running', 'done', 'failed')),
  ended REAL, seconds REAL NOT NULL DEFAULT 0, sequences INTEGER NOT NULL DEFAULT 0, steps INTEGER NOT NULL DEFAULT 0,
  given_up INTEGER NOT NULL DEFAULT 0, etcd TEXT NOT NULL DEFAULT '', code INTEGER NOT NULL DEFAULT 0,
  reason TEXT NOT NULL DEFAULT '');
CREATE INDEX shards_by_status ON shards (status, number);
CREATE TABLE findings (
  finding INTEGER PRIMARY KEY, target TEXT NOT NULL, fingerprint TEXT NOT NULL, length INTEGER NOT NULL,
  plain TEXT NOT NULL, etcd TEXT NOT NULL, UNIQUE (target, fingerprint));
CREATE TABLE sightings (
  finding INTEGER NOT NULL, shard INTEGER NOT NULL, PRIMARY KEY (finding, shard)) WITHOUT ROWID;
CREATE TABLE coverage (
  cell INTEGER NOT NULL, operation TEXT NOT NULL, error TEXT NOT NULL, field TEXT NOT NULL, round INTEGER NOT NULL,
  steps INTEGER NOT NULL, PRIMARY KEY (cell, operation, error, field, round)) WITHOUT ROWID;
"""
_COUNT = (
    "INSERT INTO coverage VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (cell, operation, error, field, round) DO UPDATE SET steps = steps + excluded.steps"
)
_SETTLED = 0
"""Stands for the rounds whose coverage the plan may use, in the column `round` of `coverage`."""


class BadState(BadDefinition):
    """A folder holds no state of a campaign, or one that can't be used now."""


class CampaignState:
    """An open state. A context manager."""

    def __init__(self, folder: Path, *, alone: bool) -> None:
        """`alone`: for the campaign that runs, until this is closed; others may only read. Raises `BadState`."""
        if not (folder / FILE).is_file():
            raise BadState(f"{folder}: there is no campaign's state; `etcd-lockstep campaign run FILE` makes one")
        self.folder = folder
        self._lock = _locked(folder) if alone else None
        try:
            self._database = sqlite3.connect(folder / FILE, timeout=30, isolation_level=None)
            self.campaign = self._read_campaign()
        except sqlite3.Error as error:
            raise BadState(f"{folder / FILE}: {error}") from error
        self.cells = self.campaign.cells
        self._places = {cell: place for place, cell in enumerate(self.cells)}

    @property
    def workers_folder(self) -> Path:
        """Where the engine may keep files of its workers while the campaign runs."""
        return self.folder / "workers"

    @staticmethod
    def create(folder: Path, campaign: Campaign, *, turns: int, uniform: bool) -> None:
        """Write a new state. `turns`: as `planning.round_of` has it. Raises `BadState`, and OSError."""
        if (folder / FILE).exists():
            raise BadState(f"{folder}: a campaign's state is there already: `etcd-lockstep campaign resume {folder}`")
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BadState(f"{folder}: it is no empty folder, and holds no campaign's state: name another with --state")
        unfinished = folder / (FILE + ".new")
        with closing(sqlite3.connect(unfinished)) as database, database:
            database.executescript(_TABLES)
            held = {"format": FORMAT, "campaign": campaign.to_json(), "turns": turns, "uniform": uniform}
            database.executemany("INSERT INTO campaign VALUES (?, ?)", [(key, json.dumps(held[key])) for key in held])
        unfinished.rename(folder / FILE)

    def _read_campaign(self) -> Campaign:
        held = {key: json.loads(value) for key, value in self._database.execute("SELECT key, value FROM campaign")}
        if held.get("format") != FORMAT:
            raise BadState(f"{self.folder}: a state of format {held.get('format')}; this version reads {FORMAT}")
        self.turns: int = held["turns"]
        self.uniform: bool = held["uniform"]
        try:
            return campaign_of(held["campaign"])
        except ValueError as error:
            raise BadState(f"{self.folder}: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    # What the coordinator writes.

    def take_up(self) -> tuple[int, int]:
        """Have what was under way, and what failed, run again. How many shards each is."""
        with self._transaction():
            counts = self.by_status()
            self._database.execute(
                "UPDATE shards SET status = 'planned', code = 0, reason = '' WHERE status IN ('running', 'failed')"
            )
        return counts.get("running", 0), counts.get("failed", 0)

    def plan(self, number: int, cells: Sequence[Cell]) -> None:
        """Add a round, from 1, of shards in these cells. From now on, plans may use what was seen until two before."""
        with self._transaction():
            self._settle(number - 2)
            first = self.shards_planned
            self._database.executemany(
                "INSERT INTO shards (number, round, cell) VALUES (?, ?, ?)",
                [(first + at, number, self._places[cell]) for at, cell in enumerate(cells)],
            )

    def _settle(self, until: int) -> None:
        self._database.execute(
            "INSERT INTO coverage SELECT cell, operation, error, field, ?, sum(steps) FROM coverage "
            "WHERE round > ? AND round <= ? GROUP BY cell, operation, error, field "
            "ON CONFLICT (cell, operation, error, field, round) DO UPDATE SET steps = steps + excluded.steps",
            (_SETTLED, _SETTLED, until),
        )
        self._database.execute("DELETE FROM coverage WHERE round > ? AND round <= ?", (_SETTLED, until))

    def begin(self, number: int) -> None:
        """A shard has been handed out."""
        self._database.execute("UPDATE shards SET status = 'running' WHERE number = ?", (number,))

    def done(self, number: int, result: ShardResult) -> list[Finding]:
        """Take in what a shard came to, once. Returns the findings that are new."""
        with self._transaction():
            status, cell, round_number = self._shard(number)
            if status == "done":
                return []
            etcd = result.targets.version if result.targets.etcd else f"none ({result.targets.version})"
            steps, sequences, given_up = (
                sum(getattr(workload, name) for workload in result.workloads)
                for name in ("steps", "sequences", "given_up")
            )
            self._database.execute(
                "UPDATE shards SET status = 'done', ended = ?, seconds = ?, sequences = ?, steps = ?, given_up = ?, "
                "etcd = ?, code = 0, reason = '' WHERE number = ?",
                (time.time(), result.seconds, sequences, steps, given_up, etcd, number),
            )
            settled = self._round_planned - 2
            at = round_number if round_number > settled else _SETTLED
            self._database.executemany(
                _COUNT, ((cell, *area, at, steps) for area, steps in areas(result.coverage).items())
            )
            return [one for one in result.findings if self._found(number, one, result.targets.etcd or "none")]

    def failed(self, number: int, code: int, reason: str) -> None:
        """A shard came to nothing, and why."""
        self._database.execute(
            "UPDATE shards SET status = 'failed', ended = ?, code = ?, reason = ? WHERE number = ?",
            (time.time(), code, reason, number),
        )

    def _found(self, shard: int, finding: Finding, etcd: str) -> bool:
        """Whether it is new. Of traces with one fingerprint the shortest one stays, however the shards come in."""
        plain = json.dumps(to_plain(finding), separators=(",", ":"), sort_keys=True)
        known = self._database.execute(
            "SELECT finding, length, plain FROM findings WHERE target = ? AND fingerprint = ?",
            (finding.odd_one_out, finding.fingerprint),
        ).fetchone()
        length = len(json.dumps(to_plain(finding.trace)))
        if known is None:
            key = self._database.execute(
                "INSERT INTO findings (target, fingerprint, length, plain, etcd) VALUES (?, ?, ?, ?, ?)",
                (finding.odd_one_out, finding.fingerprint, length, plain, etcd),
            ).lastrowid
        else:
            key = known[0]
            if (length, plain) < known[1:]:
                self._database.execute(
                    "UPDATE findings SET length = ?, plain = ?, etcd = ? WHERE finding = ?", (length, plain, etcd, key)
                )
        self._database.execute("INSERT OR IGNORE INTO sightings VALUES (?, ?)", (key, shard))
        return known is None

    # What is read.

    def _shard(self, number: int) -> tuple[str, int, int]:
        row: tuple[str, int, int] | None = self._database.execute(
            "SELECT status, cell, round FROM shards WHERE number = ?", (number,)
        ).fetchone()
        if row is None:
            raise KeyError(f"no shard {number} is planned")
        return row

    def rows(self, query: str, *values: object) -> list[Any]:
        """What a query reads."""
        return self._database.execute(query, values).fetchall()

    def by_status(self) -> Mapping[str, int]:
        """How many shards are planned, running, done and failed."""
        return dict(self.rows("SELECT status, count(*) FROM shards GROUP BY status"))

    @property
    def shards_planned(self) -> int:
        """With those that are done."""
        number: int = self.rows("SELECT count(*) FROM shards")[0][0]
        return number

    @property
    def _round_planned(self) -> int:
        number: int = self.rows("SELECT coalesce(max(round), 0) FROM shards")[0][0]
        return number

    def to_run(self) -> list[tuple[int, int, Cell]]:
        """The shards that are planned, in their order: the number, the round, the cell."""
        planned = self.rows("SELECT number, round, cell FROM shards WHERE status = 'planned' ORDER BY number")
        return [(number, round_number, self.cells[cell]) for number, round_number, cell in planned]

    @property
    def next_round(self) -> int:
        """The number of the round that is to be planned next."""
        return self._round_planned + 1

    def thin_areas(self) -> dict[Cell, int]:
        """By cell: how many areas were seen seldom, in the rounds that the plan may use."""
        thin = self.rows(
            "SELECT cell, count(*) FROM coverage WHERE round = ? AND steps < ? GROUP BY cell", _SETTLED, THIN
        )
        return {self.cells[cell]: number for cell, number in thin}

    def refused(self, until: int) -> set[Cell]:
        """The cells with a shard that was refused, in the rounds until this one."""
        refused = self.rows(
            "SELECT DISTINCT cell FROM shards WHERE status = 'failed' AND code = ? AND round <= ?", Exit.REFUSED, until
        )
        return {self.cells[cell] for (cell,) in refused}

    def steps_of_pairs(self) -> dict[tuple[str, str], int]:
        """By etcd and target: the steps that were made."""
        steps: dict[tuple[str, str], int] = dict.fromkeys((cell.pair for cell in self.cells), 0)
        for cell, number in self.rows("SELECT cell, sum(steps) FROM shards GROUP BY cell"):
            steps[self.cells[cell].pair] += number
        return steps

    def findings(self) -> list[tuple[Finding, str]]:
        """All, each with the etcd that it was found with, the first found first."""
        return [
            (from_plain(json.loads(plain)), etcd)
            for plain, etcd in self.rows("SELECT plain, etcd FROM findings ORDER BY finding")
        ]

    def close(self) -> None:
        self._database.close()
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> CampaignState:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def areas(coverage: CoverageCounts) -> dict[tuple[str, str, str], int]:
    """Coverage by operation, error and field that was set; with an empty field, all steps with that answer."""
    counts: dict[tuple[str, str, str], int] = {}
    for (used, operation, error), steps in coverage.items():
        for field in ("", *used):
            counts[operation, error, field] = counts.get((operation, error, field), 0) + steps
    return counts


def _locked(folder: Path) -> sqlite3.Connection:
    """A lock that this process has until its end, whatever ends it: SQLite's own, on a file that holds nothing."""
    lock = sqlite3.connect(folder / _LOCK, timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        raise BadState(f"{folder}: another campaign runs on this state ({error})") from error
    return lock
