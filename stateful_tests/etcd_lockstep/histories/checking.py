"""The front door of the checker: a history in, a verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from etcd_lockstep.histories.compactions import Compactions
from etcd_lockstep.histories.history import History, check_form
from etcd_lockstep.histories.leases import Leases
from etcd_lockstep.histories.placing import Placed, place
from etcd_lockstep.histories.real_time import RealTime, beyond_the_account
from etcd_lockstep.histories.refusals import Refusals
from etcd_lockstep.histories.replay import Replay
from etcd_lockstep.histories.store import Crashing
from etcd_lockstep.histories.verdicts import Anomaly, Unknown, Verdict, Violated, Violation, verdict
from etcd_lockstep.histories.watches import Watches
from etcd_lockstep.histories.whole import WholeSearch
from etcd_lockstep.names import operation_name
from etcd_model.quirks import quirks_of
from etcd_model.state import Server


def check(history: History) -> Verdict:
    """Whether a history is linearizable. Raises `BadHistory`."""
    check_form(history)
    placed = place(history)
    if placed.unsupported:
        return _unsupported(history, placed)
    try:
        return _search(history, placed) if placed.unrevealed else _check_by_revision(history, placed)
    except Crashing as crashing:
        return Unknown("a request that no etcd answers", str(crashing))


def _unsupported(history: History, placed: Placed) -> Unknown:
    names = sorted({operation_name(type(history.calls[index].operation)) for index in placed.unsupported})
    where = f"{len(placed.unsupported)} of {len(history.calls)} calls"
    return Unknown(where, f"the answers of {', '.join(names)} are not checked", tuple(placed.unsupported[:10]))


def _search(history: History, placed: Placed) -> Verdict:
    """The search over all calls. Where it finds an order, all else is compared with what that order makes."""
    search = WholeSearch(history, placed, Server(quirks_of(history.version)))
    search.check()
    if search.violations or search.unknowns:
        return verdict(search.violations, search.unknowns, 0)
    if search.account is not None and history.account is None and not placed.unrevealed:
        found = _check_by_revision(replace(history, account=search.account), placed)
        if isinstance(found, Violated):
            why = f"several orders of the calls are possible, and in the one that was found: {found.first.what}"
            return Unknown("the revisions that no answer claims", why, found.first.calls)
        return found
    if history.watches or history.account is not None:
        why = "without the revisions of the calls, they are not compared with them"
        return Unknown("what the watchers or the account show", why)
    return verdict((), (), search.unchecked)


def _confirmed(history: History, placed: Placed, violations: Sequence[Violation]) -> Verdict:
    """What the search says, where a violation may follow from a wrong guess; if it agrees, the violation is named as
    it was found."""
    found = _search(history, placed)
    return verdict(violations, (), 0) if isinstance(found, Violated) else found


def _check_by_revision(history: History, placed: Placed) -> Verdict:
    server = Server(quirks_of(history.version))
    real_time = RealTime(history, placed)
    violations = [*real_time.violations(), *beyond_the_account(history, placed)]
    replay = Replay(history, placed, real_time, server)
    replay.run()
    if replay.guessed and replay.violations and not violations:
        return _confirmed(history, placed, replay.violations)
    violations += replay.violations
    if violations:
        violations.sort(key=lambda violation: violation.anomaly is not Anomaly.TWO_WRITES)
        return verdict(violations, replay.unknowns, 0)
    leases = Leases(history, placed, real_time, replay)
    compactions = Compactions(history, placed, real_time)
    compactions.read()
    refusals = Refusals(history, placed, real_time, replay.store, leases, compactions)
    leases.check()
    compactions.check()
    keeps_tombstones = server.quirks.compaction_keeps_tombstones
    watches = Watches(history, replay.store, compactions.revisions, keeps_tombstones=keeps_tombstones)
    parts = (refusals, leases, compactions)
    unordered = [violation for part in parts for violation in part.violations]
    violations = [*watches.violations, *unordered]
    if leases.certain:
        return verdict([*leases.certain, *violations], (), 0)
    # A revision that nobody was answered at changes nothing that watchers were sent before.
    if violations and (replay.guessed or (replay.may_go_on and not watches.violations)):
        return _confirmed(history, placed, violations)
    unknowns = [*replay.unknowns, *(unknown for part in parts for unknown in part.unknowns)]
    return verdict(violations, unknowns, refusals.unchecked)
