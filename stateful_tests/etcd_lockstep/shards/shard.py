"""Shards: what one process of a search does, as data that can be sent elsewhere.

A run is one shard. A larger one is several, which differ in their seeds, or in the workloads, the version or the
targets: they can run at the same time, in any order and on several machines, and their results are merged.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from etcd_lockstep import servers
from etcd_lockstep.catalogue import etcd_or_target
from etcd_lockstep.searching.driver import STEPS
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.run import MOST_SERVERS, RunOptions
from etcd_lockstep.servers import Credentials
from etcd_lockstep.strategies.operation_table import FAMILIES
from etcd_lockstep.strategies.workloads import WORKLOADS
from etcd_lockstep.targets.deadline import CALL_TIMEOUT
from etcd_lockstep.trace import Trace


@dataclass(frozen=True, slots=True)
class Shard:
    """What is searched by one process, all of it plain data: names, numbers, traces."""

    etcd: str = "auto"
    """Where the real etcd comes from, as `--etcd` has it. What it takes to use an endpoint is no part of this."""
    against: tuple[str, ...] = ()
    """What is compared, as `--against` has it; or another etcd, as `--etcd` has it."""
    families: tuple[str, ...] = tuple(FAMILIES)
    workloads: tuple[str, ...] = tuple(workload.name for workload in WORKLOADS)
    """Those that are searched, as far as the families ask for them."""
    seconds: float | None = None
    """Of all workloads together."""
    examples: int | None = None
    """Of each workload."""
    steps: int = STEPS
    seed: int = 0
    call_timeout: float = CALL_TIMEOUT
    ignored: tuple[str, ...] = ()
    traces: tuple[Trace, ...] = ()
    accepted: tuple[Finding, ...] = ()
    most_servers: int = MOST_SERVERS
    """At most so many sequences that wait run at the same time, each on a server of its own."""

    def options(self, credentials: Credentials | None = None, *, allow_destroy: bool = False) -> RunOptions:
        """As a run takes them; `credentials` and `allow_destroy` are for an endpoint. Raises `servers.BadSource`,
        `servers.BadCredentials` and `UnknownTarget`."""
        return RunOptions(
            source=servers.parse_source(self.etcd, credentials),
            against=[etcd_or_target(name, credentials) for name in self.against],
            families=self.families,
            workloads=self.workloads,
            seconds=self.seconds,
            examples=self.examples,
            steps=self.steps,
            seed=self.seed,
            traces=self.traces,
            allow_destroy=allow_destroy,
            call_timeout=self.call_timeout,
            ignored=self.ignored,
            accepted=self.accepted,
            most_servers=self.most_servers,
        )

    def split(self, number: int) -> list[Shard]:
        """As so many shards, each with a seed of its own (`seed_of`), which share the examples and the traces between
        them. Fewer where there are fewer examples."""
        if self.examples is not None:
            number = min(number, self.examples)
        return [
            replace(
                self,
                seed=seed_of(self.seed, place),
                examples=None if self.examples is None else len(range(place, self.examples, number)),
                traces=self.traces[place::number],
                most_servers=max(self.most_servers // number, 1),
            )
            for place in range(number)
        ]


def seed_of(seed: int, place: int) -> int:
    """The seed of a shard by its place, from 0: the first has that of the run, the others 32 bits of the SHA-256 of
    `SEED PLACE`, so that runs with neighbouring seeds share none."""
    if not place:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed} {place}".encode()).digest()[:4], "big")
