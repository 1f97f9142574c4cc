"""A run: round after round until its time is over, or a history is no etcd's."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from etcd_lockstep.histories import Call, History, Indefinite, Linearizable, Unknown, Verdict, Violated, check
from etcd_lockstep.stressing.nemesis import Nemesis
from etcd_lockstep.stressing.rounds import Circumstances, Round
from etcd_lockstep.stressing.scripts import Drawn, Fixed
from etcd_lockstep.stressing.stores import Store


@dataclass(frozen=True, slots=True)
class StressOptions:
    """What a run does to its store."""

    seconds: float
    """At least one round is played, however little that is."""
    clients: int
    seed: int
    """Draws the same programs and faults. How the clients meet is the machine's doing."""
    faults: tuple[str, ...] = ()
    """Of `nemesis.FAULTS`; only such as the store's `breaking` allows."""
    value_bytes: int = 0
    """Most calls put a value of about that size; 0 for small values alone."""
    call_timeout: float = 10.0
    """Seconds after which a client gives a call up."""


@dataclass(slots=True)
class Tally:
    """What a run did so far."""

    seconds: float = 0.0
    """Since the first round began."""
    rounds: int = 0
    calls: int = 0
    indefinite: int = 0
    without_account: int = 0
    """Rounds in which the store's own account could not be had."""
    unchecked: int = 0
    """Refusals that were not checked (`Linearizable.unchecked`)."""
    faults: Counter[str] = field(default_factory=Counter)
    linearizable: int = 0
    unknown: int = 0
    violations: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """A history that is not linearizable, or of which that is not known."""

    round: int
    history: History
    verdict: Violated | Unknown
    scripts: Sequence[Fixed] = ()
    """The same calls, to be made again: up to what shows the violation, and all of them."""
    unsettled: Sequence[Call] = ()
    """Those that may still be carried out."""


def stress(
    store: Store, options: StressOptions, tally: Tally, on_unknown: Callable[[Judged], None] = lambda _judged: None
) -> Judged | None:
    """Play rounds. Returns the first violation, with which a run ends; None where there was none.

    `tally` is kept up to date, for whoever shows it meanwhile. Raises what `Round.play` does.
    """
    nemesis = None
    if options.faults:
        nemesis = Nemesis(store.breaking, options.faults)
        tally.faults = nemesis.done
    run = Circumstances(store, options.call_timeout, nemesis)
    unsettled: list[Call] = []
    started = time.monotonic()
    while not tally.rounds or tally.seconds < options.seconds:
        one = Round(run, _drawn(options, tally.rounds + 1, store), unsettled)
        history = one.play()
        unsettled = one.unsettled()
        tally.rounds += 1
        tally.calls += len(one.calls)
        tally.indefinite += sum(isinstance(call.outcome, Indefinite) for call in one.calls)
        tally.without_account += history.account is None
        verdict = check(history)
        _count(tally, verdict)
        tally.seconds = time.monotonic() - started
        if isinstance(verdict, Linearizable):
            continue
        judged = Judged(tally.rounds, history, verdict, _scripts(one, history, verdict), unsettled)
        if isinstance(verdict, Violated):
            return judged
        on_unknown(judged)
    return None


def _scripts(one: Round, history: History, verdict: Violated | Unknown) -> tuple[Fixed, ...]:
    if isinstance(verdict, Unknown):
        return ()
    shown = [history.calls[index] for index in verdict.first.calls]
    until = max((call.invoked if call.returned is None else call.returned for call in shown), default=None)
    return (one.played(),) if until is None else (one.played(until), one.played())


def _drawn(options: StressOptions, number: int, store: Store) -> Drawn:
    return Drawn(options.clients, options.seed, number, store.target.capabilities, options.value_bytes)


def _count(tally: Tally, verdict: Verdict) -> None:
    match verdict:
        case Linearizable(unchecked=unchecked):
            tally.linearizable += 1
            tally.unchecked += unchecked
        case Violated():
            tally.violations += 1
        case Unknown():
            tally.unknown += 1
