"""Two jobs over one."""

from __future__ import annotations

from etcd_lockstep.bench.figures import Figure, Sizes, ratio
from etcd_lockstep.shards.pool import ShardPool
from etcd_lockstep.shards.running import Listener
from etcd_lockstep.shards.shard import Shard
from etcd_lockstep.strategies.workloads import STORE


def two_jobs_over_one(sizes: Sizes) -> Figure:
    """By a clock, so it needs two cores that do nothing else."""

    def speed(jobs: int, seed: int) -> float:
        whole = Shard("none", workloads=(STORE.name,), seconds=sizes.seconds, seed=seed)
        with ShardPool(whole.split(jobs), Listener()) as pool:
            pool.search()
            return sum(result.steps / result.seconds for result in pool.results)

    return ratio(
        "two jobs ÷ one job", lambda seed: speed(2, seed), lambda seed: speed(1, seed), 1.8, "steps", sizes.repetitions
    )
