"""Runs that show a bug with luck."""

from __future__ import annotations

from collections.abc import Callable

from etcd_lockstep.histories import Unknown, Violated
from etcd_lockstep.known_bugs.bug import Outcome
from etcd_lockstep.servers import Binary, Program
from etcd_lockstep.stressing.nemesis import KILL
from etcd_lockstep.stressing.run import StressOptions, Tally, stress
from etcd_lockstep.stressing.stores import running

_SEED = 1
_CLIENTS = 8
_BIG = 1_000_000
"""Bytes: the larger the values, the longer it takes from the answer to the log."""
_CALL_SECONDS = 2.0


def lost_on_kill(program: Program, seconds: float, progress: Callable[[str], None]) -> Outcome:
    """Clients put large values, and the server is killed and started again on its data, once a round."""
    tally = Tally()
    options = StressOptions(seconds, _CLIENTS, _SEED, (KILL,), _BIG, _CALL_SECONDS)
    with running(Binary(program.path), faults=options.faults, call_timeout=_CALL_SECONDS, progress=progress) as store:
        judged = stress(store, options, tally)
    what = f"{tally.calls:,} calls, {tally.faults[KILL]} kills in {tally.seconds:.0f} s"
    if judged is None:
        return Outcome(False, (f"{what}: {tally.linearizable} rounds are linearizable, {tally.unknown} unknown",))
    return Outcome(True, (what, _named(judged.verdict)))


def _named(verdict: Violated | Unknown) -> str:
    return f"{verdict}: {verdict.first.what}" if isinstance(verdict, Violated) else str(verdict)
