"""The coordinator of a campaign alone, fed with results of simulated workers: `python -m` runs it.

One shard is really run, and its coverage is that of all results, with other counts. Findings are made up. Everything
from the text that a worker sends to the state on disk is as in a campaign; the engine's scheduler and the network have
no part.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

from etcd_lockstep.campaigns.coordinator import CampaignListener, Coordinator, Outcome
from etcd_lockstep.campaigns.definition import Campaign
from etcd_lockstep.campaigns.figures import figures_of
from etcd_lockstep.campaigns.planning import turns_for
from etcd_lockstep.campaigns.state import FILE, CampaignState
from etcd_lockstep.campaigns.work import outcome_from_text, outcome_to_text
from etcd_lockstep.console.argument_types import positive
from etcd_lockstep.searching.findings import Finding, Signature
from etcd_lockstep.shards.plain import to_plain
from etcd_lockstep.shards.result import ShardResult
from etcd_lockstep.shards.running import run_shard
from etcd_lockstep.shards.shard import Shard
from etcd_model import operations as op

_CAUSES = 500
_KINDS_OF_RESULTS = 10
"""So many texts are made beforehand, so that making them is not measured."""


class _SimulatedWorkers:
    """An executor whose workers are done at once, in the order in which they began."""

    def __init__(self, workers: int, results: list[ShardResult], share: float, findings: int, seed: int) -> None:
        self.capacity = workers
        self._under_way: deque[int] = deque()
        drawn = random.Random(seed)
        self._texts = [_text(replace(one, findings=())) for one in results]
        self._with_findings = [
            _text(replace(one, findings=tuple(_finding(drawn) for _ in range(findings)))) for one in results
        ]
        self._share = share
        self._drawn = drawn

    def submit(self, number: int, shard: Shard) -> None:
        json.dumps(to_plain(shard))  # as the cluster does
        self._under_way.append(number)

    def wait(self) -> Outcome:
        texts = self._with_findings if self._drawn.random() < self._share else self._texts
        return outcome_from_text(self._under_way.popleft(), self._drawn.choice(texts))


def _text(result: ShardResult) -> str:
    return outcome_to_text((to_plain(result), 0, ""), "simulated")


def _finding(drawn: random.Random) -> Finding:
    """One of so many causes."""
    trace = (op.Put(b"a" * drawn.randrange(1, 20), b"1"), op.Range(b"a"))
    return Finding(Signature("mock", "range", f"kvs.field_{drawn.randrange(_CAUSES)}", "missing"), trace, {}, ())


def main() -> int:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(prog="python -m etcd_lockstep.campaigns.simulated")
    parser.add_argument("--workers", type=positive, default=1000, metavar="N")
    parser.add_argument("--shards", type=positive, default=10_000, metavar="N")
    parser.add_argument("--findings", type=positive, default=100_000, metavar="N", help="in 1 of 100 shards")
    options = parser.parse_args()
    versions = ("none", "version:3.4", "version:3.5", "version:3.6", "version:3.7")
    one_each = Campaign(etcd=versions, shards=1, shard_examples=1)
    campaign = replace(one_each, shards=max(options.shards // len(one_each.cells), 1))
    shards = campaign.shards or 0
    print("running one shard, for its coverage")
    result = run_shard(Shard("none", workloads=("store",), examples=300, seed=1))
    results = [
        replace(result, coverage={area: steps * factor for area, steps in result.coverage.items()})
        for factor in range(1, _KINDS_OF_RESULTS + 1)
    ]
    total = shards * len(campaign.cells)
    workers = _SimulatedWorkers(options.workers, results, 0.01, max(options.findings * 100 // total, 1), seed=1)
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / "state"
        CampaignState.create(at, campaign, turns=turns_for(options.workers, len(campaign.cells)), uniform=False)
        quarters = []
        ended = 0

        def on_outcome(_outcome: Outcome, _cell: object) -> None:
            nonlocal ended
            ended += 1
            if ended % max(total // 4, 1) == 0:
                quarters.append(time.monotonic())

        with CampaignState(at, alone=True) as state:
            started, busy = time.monotonic(), time.process_time()
            Coordinator(state, workers, CampaignListener(on_outcome=on_outcome)).run()
            seconds, busy = time.monotonic() - started, time.process_time() - busy
            began = time.monotonic()
            figures = figures_of(state)
            reading = time.monotonic() - began
        times = [end - begin for begin, end in zip([started, *quarters], quarters, strict=False)]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            1024 * 1024 if sys.platform == "darwin" else 1024
        )
        sighted = sum(one.shards for one in figures.sighted)
        print(f"{total:,} shards of {options.workers:,} workers in {seconds:.1f} s: {total / seconds:,.0f} shards/s")
        print(f"{1000 * busy / total:.1f} ms of processor time a shard, with {len(result.coverage):,} kinds of steps")
        print("each quarter took " + ", ".join(f"{one:.1f} s" for one in times))
        print(f"{sighted:,} sightings of {len(figures.sighted):,} findings; figures are read in {reading:.2f} s")
        print(f"{memory:.0f} MiB of memory at most; {(at / FILE).stat().st_size / 2**20:.1f} MiB of state")
    return 0


if __name__ == "__main__":
    sys.exit(main())
