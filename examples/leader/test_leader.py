"""What a leader does after its lease ran out, on the fake and on a real etcd."""

from __future__ import annotations

import grpc

from etcd_lockstep.servers import RunningEtcd
from etcd_lockstep.simulation import Client, Simulation, World, on_real, simulate
from leader.leader import FencedMember, Member

STANDS_STILL = [(6, 1)]
"""The shortest schedule: the leader asks for the counter, and stands still until its lease runs out."""
STANDS_STILL_ELECTED = [(4, 1), (8, 0)]
"""It is elected, stands still until the other one leads, and goes on while that one does."""


def no_job_is_handed_out_twice(member: type[Member]) -> Simulation:
    handed_out: list[int] = []

    def worker(me: Client) -> None:
        me_as_member = member(me.etcd, me.name)
        if me_as_member.campaign():
            job = me_as_member.hand_out()
            me.note(f"job {job}")
            if job is not None:
                handed_out.append(job)

    @simulate([worker, worker], may_raise=[grpc.RpcError])  # one whose lease is gone before it is used just fails
    def simulated(world: World) -> None:
        handed_out.clear()

        @world.invariant
        def no_job_is_handed_out_twice() -> None:
            assert len(set(handed_out)) == len(handed_out), handed_out

    simulation: Simulation = simulated.simulation  # type: ignore[attr-defined]  # simulate adds it
    return simulation


def test_a_leader_that_stood_still_hands_out_a_job_again() -> None:
    found = no_job_is_handed_out_twice(Member).shortest_failure()
    assert found is not None
    assert found.schedule == STANDS_STILL
    assert str(found.failure).startswith("no job is handed out twice: [0, 0]")


def test_so_it_does_on_a_real_etcd(real_etcd: RunningEtcd) -> None:
    run = no_job_is_handed_out_twice(Member).run(STANDS_STILL, on_real(real_etcd.access))
    assert str(run.failure).startswith("no job is handed out twice: [0, 0]")


def test_a_fenced_leader_does_not() -> None:
    simulation = no_job_is_handed_out_twice(FencedMember)
    for schedule in (STANDS_STILL, STANDS_STILL_ELECTED):
        assert simulation.run(schedule).failure is None
    found = simulation.shortest_failure(examples=400)
    assert found is None, str(found.failure)


def test_a_fenced_leader_does_not_on_a_real_etcd(real_etcd: RunningEtcd) -> None:
    simulation = no_job_is_handed_out_twice(FencedMember)
    found = simulation.shortest_failure(examples=30, backend=on_real(real_etcd.access))
    assert found is None, str(found.failure)
