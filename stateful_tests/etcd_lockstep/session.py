"""What the examples of one `LockstepMachine` class share: its targets, started once, and the search on them."""

from __future__ import annotations

import atexit
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from etcd_lockstep import servers
from etcd_lockstep.catalogue import UserTarget, find, user_target
from etcd_lockstep.comparing.ignoring import check_fields
from etcd_lockstep.comparing.lockstep import Lockstep
from etcd_lockstep.comparing.timed import TimedLockstep
from etcd_lockstep.filing.baseline import accepted_findings
from etcd_lockstep.searching.findings import Finding, Signature
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.run import AcceptedFindings
from etcd_lockstep.searching.search import Search
from etcd_lockstep.strategies.workloads import WORKLOADS, Workload

if TYPE_CHECKING:
    from etcd_lockstep.machine import LockstepMachine


class RaisingSearch(Search):
    """A search whose findings are raised each time that they are seen, as a test has to fail whenever it is run.

    The search of the command line goes on past what is known; here only what is accepted is passed over.
    """

    def __init__(
        self, participants: Participants, accepted: Sequence[Finding], ignored: Collection[str], *, timed: bool
    ) -> None:
        """`timed`: whether time passes in the sequences, so that leases expire."""
        super().__init__(
            participants.model,
            participants.others,
            second_instances=participants.second_instances,
            lockstep=TimedLockstep if timed else Lockstep,
            ignored=ignored,
            judged=1,
        )
        self.raised: dict[Signature, Finding] = {}
        """By the failure signature that was seen: the finding that it turned out to be."""
        accepting = AcceptedFindings(accepted)
        accepting.check(self, participants, timed=timed)
        self._accepts_any = bool(accepting.showing)

    def _finding(self, seen: Signature, patience: float) -> Finding | None:
        if seen not in self.raised:
            finding = self.triage.finding(self._trace, seen, patience)
            if finding is None and not self._accepts_any:
                finding = next(iter(self.findings), None)  # nothing else can have explained it
            if finding is None:
                return None
            self.raised[seen] = finding
        return self.raised[seen]


class Session:
    """The targets of a machine class, and the search of the test that runs on them."""

    def __init__(self, machine: type[LockstepMachine]) -> None:
        """Raises `corpus.BadFile`, `servers.BadSource`, `servers.EtcdUnavailable`, `catalogue.UnknownTarget` and
        ValueError."""
        self.workload = workload_named(machine.workload)
        source = servers.parse_source(machine.etcd)
        self.participants = Participants(source, _targets(machine), settings=self.workload.settings)
        self.operations = frozenset(self.workload.operations(machine.families, self.participants.capabilities))
        if not self.operations:
            self.participants.close()
            raise ValueError(
                f"{machine.__name__}: not every target knows what the workload {machine.workload!r} is about"
            )
        self.final_check = "hash_kv" in self.participants.capabilities
        self._accepted = accepted_findings(machine.allow)
        self._ignored = check_fields(machine.ignore)
        self.new_search()

    def new_search(self) -> None:
        """A test begins: what an earlier one found is forgotten."""
        timed = "advance" in self.operations
        self.search = RaisingSearch(self.participants, self._accepted, self._ignored, timed=timed)


def workload_named(name: str) -> Workload:
    """One of the workloads, but for those that are about servers with certificates, which a target of a user's is not.
    Raises ValueError."""
    named = {workload.name: workload for workload in WORKLOADS if not workload.settings.tokens}
    if name not in named:
        raise ValueError(f"no workload of LockstepMachine is called {name!r}: there are {', '.join(named)}")
    return named[name]


def _targets(machine: type[LockstepMachine]) -> list[str | UserTarget]:
    target = machine.target
    if target is None:
        return []
    return [find(target) if isinstance(target, str) else user_target(target, machine.__name__)]


_sessions: dict[type[LockstepMachine], Session] = {}


def session_of(machine: type[LockstepMachine]) -> Session:
    """The session of a machine class. It is closed when Python ends. Raises what `Session` does."""
    if machine not in _sessions:
        _sessions[machine] = session = Session(machine)
        atexit.register(session.participants.close)
    return _sessions[machine]
