"""A fuzz run: the workloads take turns, each for its share of the time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from etcd_lockstep.catalogue import UserTarget
from etcd_lockstep.names import name_of
from etcd_lockstep.searching.driver import STEPS, Driver
from etcd_lockstep.searching.findings import Finding, Signature
from etcd_lockstep.searching.known_quirks import KnownQuirks, quirk_of
from etcd_lockstep.searching.participants import NO_AUTH_REVISION, Participants
from etcd_lockstep.searching.search import Search
from etcd_lockstep.searching.workers import ParallelSearch
from etcd_lockstep.servers import Binary, Endpoint, EtcdSource, EtcdUnavailable
from etcd_lockstep.servers.identities import missing_packages
from etcd_lockstep.strategies.operation_table import FAMILIES
from etcd_lockstep.strategies.workloads import WORKLOADS, Workload
from etcd_lockstep.target import ALL
from etcd_lockstep.targets.deadline import CALL_TIMEOUT
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.trace import Trace, takes_time

TURN = 1.0
"""Seconds that a workload is searched before the next has its turn: what only the last can find is not waited for."""


MOST_SERVERS = 48
"""So many sequences that wait may run at the same time on the servers of one run, whatever a workload would have."""


def _silent(line: str) -> None:
    del line


class AcceptedFindings:
    """The findings that a user accepts, and which of them the targets of a run still show.

    Each is replayed by itself, by the first search that can run it, before that search begins.
    """

    def __init__(self, accepted: Collection[Finding]) -> None:
        self.unchecked = list(accepted)
        """Those that no search was able to replay so far."""
        self.showing: list[Finding] = []
        self.no_longer_showing: list[Finding] = []

    def check(self, search: Search, participants: Participants, *, timed: bool) -> None:
        """Replay those that these participants can run; the ones that show are known to the search.

        Raises `TargetGone`.
        """
        names = {target.name for target in search.targets}
        for finding in tuple(self.unchecked):
            if (
                finding.odd_one_out in names
                and participants.capabilities.issuperset(map(name_of, finding.trace))
                and finding.over_quota is participants.model.server.over_quota
                and finding.tokens == participants.settings.tokens
                and (timed or not takes_time(finding.trace))
            ):
                self.unchecked.remove(finding)
                shows = search.triage.accept(finding)
                (self.showing if shows else self.no_longer_showing).append(finding)


def _quirk_of(trace: Trace, seen: Signature, participants: Participants) -> str:
    compared = next((one for one in participants.others if one.name == seen.target), None)
    if not isinstance(compared, EtcdTarget) or compared.name == "etcd":
        return ""
    return quirk_of(trace, seen, participants.model.server, compared)


class NothingToDo(ValueError):
    """The options leave nothing to run."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What is searched, on what, and for how long."""

    source: EtcdSource
    against: Sequence[str | UserTarget | EtcdSource] = ()
    families: Collection[str] = tuple(FAMILIES)
    workloads: Collection[str] = tuple(workload.name for workload in WORKLOADS)
    """Those that are searched, as far as the families ask for them."""
    seconds: float | None = None
    """Of all workloads together."""
    examples: int | None = None
    """Of each workload."""
    steps: int = STEPS
    seed: int = 0
    traces: Sequence[Trace] = ()
    """Those that are tried before the search, in every workload that knows their operations."""
    allow_destroy: bool = False
    call_timeout: float = CALL_TIMEOUT
    """Seconds that a target of the user's may take for one call."""
    ignored: Sequence[str] = ()
    """Fields that are not compared; see `comparing.ignoring`."""
    accepted: Sequence[Finding] = ()
    """Findings that are known before, and are not reported."""
    most_servers: int = MOST_SERVERS
    """At most so many sequences that wait run at the same time, each on a server of its own."""

    @property
    def starts_all(self) -> bool:
        """Whether every store of the run is one that we start, as our settings will have it. A client that is
        compared with them has one too, but leaves the alarms in it when it is emptied."""
        ours = (held for held in (self.source, *self.against) if held != "fake-server")
        return not any(isinstance(held, UserTarget | Endpoint | str) for held in ours)


@dataclass(eq=False, slots=True)
class Stage:
    """One workload of a run, its targets started."""

    workload: Workload
    participants: Participants
    search: Search
    operations: tuple[str, ...]
    driver: Driver
    seconds: float | None
    """Its share of the time."""
    examples: int | None = None
    """How many it has at most."""
    turn: float = float("inf")
    """How much of it the workload has at a time, in seconds."""
    turns: int = 0
    """How many it has had, with the one that it has now."""
    searched: float = 0.0
    """The seconds that it was searched in them."""

    @property
    def used(self) -> float:
        """The seconds that it has had, or has now."""
        return max(self.turns * self.turn, self.searched)

    @property
    def is_last_turn(self) -> bool:
        """Whether it has no other turn after this one."""
        if self.examples is not None and self.driver.examples >= self.examples:
            return True
        return self.seconds is None or self.used >= self.seconds

    @property
    def drawn(self) -> list[str]:
        """The families that are drawn whole, and the operations of those that are not."""
        names: list[str] = []
        for family in FAMILIES:
            drawn = [name for name in FAMILIES[family] if name in self.operations]
            names += [family] if len(drawn) == len(FAMILIES[family]) else drawn
        return names


class Run:
    """The stages of a run, and what they have found so far."""

    def __init__(
        self,
        plan: RunOptions,
        *,
        progress: Callable[[str], None] = lambda _line: None,
        on_busy: Callable[[str], None] = lambda _what: None,
        on_finding: Callable[[Finding, Participants], None] = lambda _lie, _run: None,
    ) -> None:
        """`progress` is called with what a long wait is for; `on_busy` with what the run does besides
        searching, and then with an empty text; `on_finding` as in `Search`."""
        self.plan = plan
        self.searches: list[Search] = []
        """One a stage, in their order."""
        self._left_out: list[str] = []
        """Workloads, each with the reason."""
        self.accepted = AcceptedFindings(plan.accepted)
        self._quirks = KnownQuirks([name for family in plan.families for name in FAMILIES[family]])
        self._seconds_left = plan.seconds
        self._learned: deque[Finding] = deque()
        self._known_elsewhere: list[Finding] = []
        self._progress = progress
        self._on_busy = on_busy
        self._on_finding = on_finding

    @property
    def findings(self) -> list[Finding]:
        """All that were found."""
        return [finding for search in self.searches for finding in search.findings]

    def stages(self) -> Generator[Stage, None, None]:
        """Each stage, to be run (`fuzz`) before the next is asked for: again and again, a turn at a time, until its
        share of the time is over. Where there is a store that all stages share, or no time to share, each stage has
        one turn. Raises `NothingToDo`, and what `Participants` does."""
        with ExitStack() as running:
            stages: list[Stage] = []
            for stage in self._new_stages(running):
                stages.append(stage)
                stage.turns = 1
                yield stage
            while waiting := [stage for stage in stages if not stage.is_last_turn]:
                stage = min(waiting, key=lambda one: one.used / one.workload.share)
                stage.turns += 1
                yield stage

    def _new_stages(self, running: ExitStack) -> Iterator[Stage]:
        """The stages, each with its targets just started; those of the one before stay if they take turns."""
        families = self.plan.families
        wanted = [
            workload
            for workload in WORKLOADS
            if workload.name in self.plan.workloads and set(workload.families) & set(families)
        ]
        asked = [workload for workload in wanted if self.plan.starts_all or not workload.settled]
        if any(workload.settings.tokens for workload in asked) and (missing := missing_packages()):
            for workload in [workload for workload in asked if workload.settings.tokens]:
                self._leave_out(workload, missing)
                asked.remove(workload)
                wanted.remove(workload)
        known: frozenset[str] = ALL
        turn = float("inf")
        for number, workload in enumerate(asked):
            if not workload.operations(families, known):
                continue
            if turn == float("inf"):
                running.close()
            try:
                participants = running.enter_context(self._started(workload))
            except EtcdUnavailable as reason:
                if not workload.settings.tokens or isinstance(self.plan.source, Binary):
                    raise
                self._leave_out(workload, str(reason))
                continue
            if workload.settings.tokens == "jwt" and not participants.report_auth_revisions:
                self._leave_out(workload, NO_AUTH_REVISION)
                participants.close()
                continue
            known = participants.capabilities  # the targets are the same everywhere, and so is what they know
            operations = workload.operations(families, known)
            if operations:
                turn = float("inf") if self.plan.seconds is None or participants.has_the_only_store else TURN
                left = [one for one in asked[number:] if one.operations(families, known)]
                yield self._stage(workload, participants, operations, left, turn)
        for workload in wanted:
            if workload not in asked and workload.operations(families, known):
                self._leave_out(workload, "not every store of this run is one that it starts")
        if not self.searches and self._left_out and all(one.operations(families, known) for one in asked):
            raise NothingToDo("; ".join(self._left_out))
        if not self.searches:
            searched = [one for one in families if any(one in workload.families for workload in wanted)] or families
            raise NothingToDo(f"no target of this run knows an operation of {', '.join(searched)}")

    def _leave_out(self, workload: Workload, reason: str) -> None:
        self._left_out.append(f"{workload.name}: left out: {reason}")
        self._progress(self._left_out[-1])

    def _stage(
        self,
        workload: Workload,
        participants: Participants,
        operations: tuple[str, ...],
        left: Sequence[Workload],
        turn: float,
    ) -> Stage:
        """The first of the workloads that are left."""
        seconds = None
        if self._seconds_left is not None:
            seconds = self._seconds_left * workload.share / sum(one.share for one in left)
            self._seconds_left -= seconds
        search = self._search(participants, timed="advance" in operations)
        driver = Driver(
            search,
            workload,
            operations,
            participants.keys,
            txns=participants.txns,
            final_check="hash_kv" in participants.capabilities,
            seed=self.plan.seed,
            steps=self.plan.steps,
        )
        return Stage(workload, participants, search, operations, driver, seconds, self.plan.examples, turn)

    def fuzz(self, stage: Stage) -> None:
        """Run a stage for a turn. Raises `TargetGone`."""
        if stage.turns == 1:
            self._prepare(stage)
        started = time.monotonic()
        if stage.seconds is not None:
            stage.search.deadline = started + stage.seconds - stage.searched
        if stage.turns == 1:
            stage.driver.try_traces(
                trace for trace in self.plan.traces if set(map(name_of, trace)) <= set(stage.operations)
            )
        stage.driver.run(lambda: self._is_over(started, stage.turn), stage.examples)
        stage.searched += time.monotonic() - started
        if stage.is_last_turn:
            stage.driver.flush()

    def learn(self, finding: Finding) -> None:
        """Take what another run has found in the same targets for known, from the next example on. Any thread may call
        it."""
        self._learned.append(finding)

    def _is_over(self, started: float, turn: float) -> bool:
        """Whether a turn is, that began then. Between two examples, what other runs have found is taken in."""
        while self._learned:
            self._known_elsewhere.append(self._learned.popleft())
            for search in self.searches:
                search.triage.know(self._known_elsewhere[-1])
        return time.monotonic() - started >= turn

    def _prepare(self, stage: Stage) -> None:
        """What comes before the search."""
        self._on_busy("replaying accepted findings" if self.accepted.unchecked else "")
        self.accepted.check(stage.search, stage.participants, timed="advance" in stage.operations)
        self._on_busy("looking for known quirks")
        self._quirks.look_for(stage.search, stage.participants)
        self._on_busy("")

    def _started(self, workload: Workload) -> Participants:
        return Participants(
            self.plan.source,
            self.plan.against,
            settings=workload.settings,
            workers=min(workload.workers, self.plan.most_servers),
            allow_destroy=self.plan.allow_destroy,
            call_timeout=self.plan.call_timeout,
            progress=_silent if self.searches else self._progress,  # where the etcd comes from is said once
        )

    def _search(self, participants: Participants, *, timed: bool) -> Search:
        options: dict[str, Any] = {
            "second_instances": participants.second_instances,
            "ignored": self.plan.ignored,
            "etcd": participants.version if participants.etcd else "",
            "quirk_of": lambda trace, seen: _quirk_of(trace, seen, participants),
            "known": [*self.accepted.showing, *self._known_elsewhere, *self.findings],
            "on_finding": lambda finding: self._found(finding, participants),
            "on_shrinking": lambda what: self._on_busy(f"shrinking: {what}" if what else ""),
        }
        search = (
            ParallelSearch(participants.workers, **options)
            if timed
            else Search(participants.model, participants.others, **options)
        )
        self.searches.append(search)
        return search

    def _found(self, finding: Finding, participants: Participants) -> None:
        for search in self.searches:
            if not any(one is finding for one in search.findings):
                search.triage.know(finding)
        self._on_finding(finding, participants)
