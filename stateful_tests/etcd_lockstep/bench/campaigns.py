"""Two workers of a campaign over one."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from etcd_lockstep.bench.figures import Figure, Sizes, ratio
from etcd_lockstep.campaigns.coordinator import CampaignListener, Coordinator
from etcd_lockstep.campaigns.definition import Campaign
from etcd_lockstep.campaigns.state import CampaignState
from etcd_lockstep.strategies.workloads import STORE

_LONGER = 4
"""So many times as long as other measurements: each shard starts a process."""


def two_workers_over_one(sizes: Sizes) -> Figure:
    """By a clock, from the first shard to the last, with all that the coordinator does. It needs two cores that do
    nothing else."""
    from etcd_lockstep.campaigns.cluster import DaskCluster  # an extra

    def speed(workers: int, seed: int) -> float:
        campaign = Campaign(
            etcd=("none",),
            workloads=(STORE.name,),
            seed=seed,
            shards=2 * workers,
            shard_seconds=_LONGER * sizes.seconds,
        )
        with tempfile.TemporaryDirectory() as folder:
            CampaignState.create(Path(folder) / "state", campaign, turns=workers, uniform=True)
            with (
                CampaignState(Path(folder) / "state", alone=True) as state,
                DaskCluster(None, workers, state.workers_folder, lambda _how_far: None) as cluster,
            ):
                started = time.monotonic()
                Coordinator(state, cluster, CampaignListener()).run()
                return sum(state.steps_of_pairs().values()) / (time.monotonic() - started)

    return ratio(
        "two workers ÷ one", lambda seed: speed(2, seed), lambda seed: speed(1, seed), 1.8, "steps", sizes.repetitions
    )
