"""Each bug of the limiter, in its shortest schedule, on the fake and on a real etcd; and the limiter without them."""

from __future__ import annotations

import pytest

from etcd_lockstep.servers import RunningEtcd
from etcd_lockstep.simulation import on_real
from limiter import limiter, mended
from limiter.scenarios import SCENARIOS

SHOWN = {
    "S1": ([], "both are admitted: {'worker 1': True, 'worker 2': False}"),
    "S2": ([], "one after the other is admitted: the answers were [True, False]"),
    "S3": ([], "runs alone are listed: 2 are listed"),
    "S4": ([(8, 16)], "worker raised NOT_FOUND: etcdserver: requested lease not found"),
    "S5": ([(4, 0)], "at most one run has a slot: two have one"),
    "S6": ([(2, 16)], "who has a slot acquires it again: the answer was [False]"),
    "S7": ([], "a run that goes on has its slot: it has none"),
    "S8": ([], "every lease has a slot: 1 leases, 0 slots"),
}
"""Of each bug, the shortest schedule that shows it, and what is broken then."""


@pytest.mark.parametrize("bug", SCENARIOS)
def test_the_bug_is_found_in_its_shortest_schedule(bug: str) -> None:
    found = SCENARIOS[bug](limiter.Queue).shortest_failure()
    assert found is not None
    schedule, broken = SHOWN[bug]
    assert found.schedule == schedule
    assert str(found.failure).splitlines()[0] == broken


@pytest.mark.parametrize("bug", SCENARIOS)
def test_a_real_etcd_shows_it_too(bug: str, real_etcd: RunningEtcd) -> None:
    schedule, broken = SHOWN[bug]
    run = SCENARIOS[bug](limiter.Queue).run(schedule, on_real(real_etcd.access))
    assert str(run.failure).splitlines()[0] == broken


@pytest.mark.parametrize("bug", SCENARIOS)
def test_the_mended_limiter_does_not_have_it(bug: str) -> None:
    simulation = SCENARIOS[bug](mended.Queue)
    assert simulation.run(SHOWN[bug][0]).failure is None
    found = simulation.shortest_failure(examples=200)
    assert found is None, str(found.failure)


@pytest.mark.parametrize("bug", SCENARIOS)
def test_the_mended_limiter_does_not_have_it_on_a_real_etcd(bug: str, real_etcd: RunningEtcd) -> None:
    simulation = SCENARIOS[bug](mended.Queue)
    assert simulation.run(SHOWN[bug][0], on_real(real_etcd.access)).failure is None
    found = simulation.shortest_failure(examples=30, backend=on_real(real_etcd.access))
    assert found is None, str(found.failure)
