"""Fuzzing: rounds of Hypothesis until the time or the examples are spent."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import seed as with_seed
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from etcd_lockstep.searching.machine import BURST, HarnessError, TimeUp, lockstep_machine
from etcd_lockstep.searching.search import NewFinding, Search
from etcd_lockstep.strategies.workloads import Workload

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

STEPS = 50
ROUND = 200
"""Examples to a round. Hypothesis remembers all that it drew in one, so rounds are kept short."""


def fuzz(
    search: Search,
    workload: Workload,
    operations: Sequence[str],
    keys: Sequence[bytes],
    *,
    final_check: bool = False,
    seconds: float | None,
    examples: int | None,
    seed: int,
    steps: int = STEPS,
    remember: bool = True,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Draw sequences of a workload's operations until `seconds` have passed or `examples` have been run, whichever is
    given and comes first, or until `until` says after a round that it is enough.

    What is found stands in `search.findings`. `remember`: Hypothesis's database is read and written, so that a lie
    found before is found first; without it, the same seed draws the same sequences.

    A round ends with each new lie: Hypothesis is told of it as the failure that it is, and starts afresh.
    """
    deadline = time.monotonic() + seconds if seconds is not None else float("inf")
    search.deadline = deadline
    machine = lockstep_machine(
        search, workload, operations, keys, final_check=final_check, steps=steps, deadline=deadline
    )
    left = examples
    for number in itertools.count():
        before = search.examples
        options = settings(
            settings.get_profile("default"),  # whatever the environment: where CI is set, Hypothesis has no database
            max_examples=min(ROUND, left or ROUND),
            stateful_step_count=-(-steps // BURST),
            phases=[Phase.reuse, Phase.generate] if remember and number == 0 else [Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
        )
        if not remember:
            options = settings(options, database=None)
        search.new_round()
        try:
            run_state_machine_as_test(with_seed(seed + number)(machine), settings=options)
        except (TimeUp, NewFinding, Flaky):
            pass  # Flaky: a target answered otherwise the second time. The search has recorded what it saw.
        except HarnessError as failed:
            raise failed.error from None
        except BaseExceptionGroup as group:
            if group.split(NewFinding)[1] is not None:
                raise
        if left is not None:
            left -= search.examples - before
        if time.monotonic() > deadline or (left is not None and left <= 0) or until():
            with suppress(NewFinding):
                search.flush()
            return
