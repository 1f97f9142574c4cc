"""Makes the calls that showed a violation fewer, by making them again and again.

What takes a race does not show each time. So a smaller script is played until it fails, at most 3 / p times, where p
is how often the present one fails. One that fails as often is then dropped with a chance of 5% at most, since
(1 - p) to the power of 3 / p is below exp(-3).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from etcd_lockstep.histories import Call, History, Violated, check
from etcd_lockstep.interleaving.searching import simpler_call
from etcd_lockstep.stressing.nemesis import Nemesis
from etcd_lockstep.stressing.rounds import Circumstances, Round
from etcd_lockstep.stressing.scripts import Fixed
from etcd_lockstep.stressing.stores import Store
from etcd_lockstep.trace import Trace, subtrace

SHRINKING_SECONDS = 60.0
"""After these, what is smallest so far is reported."""
_FIRST_RUNS, _FIRST_SECONDS = 30, 20.0
"""How often, and for how long about, the calls of a round are made again until they fail for the first time."""
_MOST_RUNS = 300
"""Of one candidate."""
_ENOUGH = 3
"""So many failures tell how often a script fails."""
_CONFIRMING_RUNS, _CONFIRMING_SECONDS = 20, 20.0
"""How often, and for how long about, what is reported is run at the end."""
_TAILS = (1 / 32, 1 / 8, 1 / 2)
"""So much of the end of each client's calls is tried instead of all."""


Smaller: TypeAlias = Callable[[Fixed], Iterator[Fixed]]
"""Scripts a little smaller than one."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a run showed."""

    history: History
    verdict: Violated


@dataclass(frozen=True, slots=True)
class Failing:
    """A script that fails, and how often."""

    script: Fixed
    failed: int
    runs: int
    failure: Failure
    """The last one."""


class Reruns:
    """Plays scripts on a store, one run after the other, each from an empty store on."""

    def __init__(self, store: Store, call_timeout: float, unsettled: Sequence[Call] = ()) -> None:
        """`call_timeout`: seconds after which a client gives a call up. `unsettled`: earlier calls that may still be
        carried out."""
        self._store = store
        self._call_timeout = call_timeout
        self._unsettled = unsettled
        self.runs = 0

    def run(self, script: Fixed) -> Failure | None:
        """What it shows. Raises what `Round.play` does."""
        nemesis = None if script.fault is None else Nemesis(self._store.breaking, (script.fault.kind,))
        one = Round(Circumstances(self._store, self._call_timeout, nemesis), script, self._unsettled)
        history = one.play()
        self._unsettled = one.unsettled()
        self.runs += 1
        verdict = check(history)
        return Failure(history, verdict) if isinstance(verdict, Violated) else None

    def until_failed(self, script: Fixed, most: int, seconds: float = math.inf) -> Failing | None:
        """Run it until it fails, at most so often and so long."""
        end = time.monotonic() + seconds
        for number in range(1, most + 1):
            failure = self.run(script)
            if failure is not None:
                return Failing(script, 1, number, failure)
            if time.monotonic() > end:
                break
        return None

    def measured(self, script: Fixed, runs: int, seconds: float = math.inf) -> tuple[int, Failing | None]:
        """Run it so often, or for about so many seconds. Returns how many runs it were; None where all went well."""
        end = time.monotonic() + seconds
        failed, done, last = 0, 0, None
        while done < runs and (time.monotonic() < end or not done):
            failure = self.run(script)
            done += 1
            failed += failure is not None
            last = failure or last
        return done, None if last is None else Failing(script, failed, done, last)


class Shrinking:
    """Of one violation."""

    def __init__(self, reruns: Reruns, seconds: float | None = None) -> None:
        """`seconds`: how long it may take; `SHRINKING_SECONDS` where it is None."""
        self._reruns = reruns
        self._end = time.monotonic() + (SHRINKING_SECONDS if seconds is None else seconds)
        self._taken: list[Failing] = []
        """Each smaller than the one before."""
        self.confirmed: Failing | None = None
        """The smallest that failed, with how often it did when it was run at the end."""

    @property
    def smallest(self) -> Failing | None:
        """So far."""
        return self.confirmed or (self._taken[-1] if self._taken else None)

    def go(self, scripts: Sequence[Fixed]) -> Failing | None:
        """Begin with the first of these that fails, and make it smaller; None where none does. Raises what `Round.play`
        does, after which `smallest` is what there is."""
        for script in scripts:
            found = self._reruns.until_failed(script, _FIRST_RUNS, _FIRST_SECONDS)
            if found is not None:
                self._take(found)
                break
        if not self._taken:
            return None
        self._shrink()
        for one in reversed(self._taken):
            _, self.confirmed = self._reruns.measured(one.script, _CONFIRMING_RUNS, _CONFIRMING_SECONDS)
            if self.confirmed is not None:
                break
        return self.smallest

    def _shrink(self) -> None:
        """The fault first, then much at once, then clients, calls, and what they ask for."""
        self._each(_without_fault)
        self._each(_tails)
        before = None
        while before is not self._taken[-1] and not self._is_over:
            before = self._taken[-1]
            self._each(_fewer_clients)
            self._fewer_calls()
            self._each(_simpler)

    @property
    def _is_over(self) -> bool:
        return time.monotonic() > self._end

    def _take(self, found: Failing) -> None:
        """Note a smaller one, after some more runs that tell how often it fails."""
        failed, runs, failure = found.failed, found.runs, found.failure
        while failed < _ENOUGH and runs < _MOST_RUNS and not self._is_over:
            runs += 1
            again = self._reruns.run(found.script)
            if again is not None:
                failed, failure = failed + 1, again
        self._taken.append(Failing(found.script, failed, runs, failure))

    def _try(self, script: Fixed) -> bool:
        present = self._taken[-1]
        most = min(_MOST_RUNS, math.ceil(3 * present.runs / present.failed))
        found = self._reruns.until_failed(script, most, self._end - time.monotonic())
        if found is not None:
            self._take(found)
        return found is not None

    def _each(self, smaller: Smaller) -> None:
        """Take the candidates that fail, beginning anew with the candidates of each."""
        again = True
        while again and not self._is_over:
            again = False
            for script in smaller(self._taken[-1].script):
                if self._is_over:
                    return
                if self._try(script):
                    again = True
                    break

    def _fewer_calls(self) -> None:
        """Half of a client's calls at once, then a quarter, down to each one (Zeller's delta debugging)."""
        for client in range(self._taken[-1].script.clients):
            size = len(self._taken[-1].script.traces[client]) // 2 or 1
            while size:
                start = 0
                while start < len(calls := self._taken[-1].script.traces[client]) and not self._is_over:
                    kept = [at for at in range(len(calls)) if not start <= at < start + size]
                    if not kept or not self._try(_with_calls(self._taken[-1].script, client, subtrace(calls, kept))):
                        start += size
                size //= 2


def _with_calls(script: Fixed, client: int, calls: Trace) -> Fixed:
    return _with(script, (*script.traces[:client], calls, *script.traces[client + 1 :]))


def _with(script: Fixed, traces: tuple[Trace, ...]) -> Fixed:
    """Other calls; the fault comes after as large a part of them."""
    smaller = replace(script, traces=traces)
    return replace(smaller, after=script.after * smaller.calls // max(1, script.calls))


def _without_fault(script: Fixed) -> Iterator[Fixed]:
    if script.fault is not None:
        yield Fixed(script.traces)


def _tails(script: Fixed) -> Iterator[Fixed]:
    for part in _TAILS:
        traces = tuple(
            subtrace(calls, range(len(calls) - max(1, int(len(calls) * part)), len(calls))) for calls in script.traces
        )
        if traces != script.traces:
            yield _with(script, traces)


def _fewer_clients(script: Fixed) -> Iterator[Fixed]:
    if script.clients > 1:
        for client in range(script.clients):
            yield _with(script, script.traces[:client] + script.traces[client + 1 :])


def _simpler(script: Fixed) -> Iterator[Fixed]:
    for client, calls in enumerate(script.traces):
        for number, call in enumerate(calls):
            for one in simpler_call(call):
                yield _with_calls(script, client, (*calls[:number], one, *calls[number + 1 :]))
