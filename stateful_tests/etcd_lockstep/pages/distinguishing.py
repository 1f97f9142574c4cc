"""Distinguishing traces: for each quirk, the shortest trace that a version with it answers otherwise.

It is found by the search itself: the model is compared with a model in which that one quirk is the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from etcd_lockstep.searching.driver import fuzz
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.known_quirks import Otherwise, without
from etcd_lockstep.searching.search import Search
from etcd_lockstep.strategies.generator_state import KEYS
from etcd_lockstep.strategies.workloads import TIME, WORKLOADS, Workload
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import Trace
from etcd_model import Quirks, Server, quirks_of

SECONDS = 8.0
"""How long a workload is searched for a quirk."""

_WORKLOADS = [workload for workload in WORKLOADS if workload is not TIME and not workload.settings.tokens]
"""No quirk is about the passing of time."""


def find(quirk: str, versions: Iterable[str], seed: int = 0) -> Trace | None:
    """The shortest trace that shows a quirk in the first of these versions that has it, or in the last that has not."""
    having: list[Quirks] = []
    lacking: list[Quirks] = []
    for quirks in map(quirks_of, versions):
        (having if getattr(quirks, quirk) else lacking).append(quirks)
    for quirks in (*having[:1], *lacking[-1:]):
        for workload in _WORKLOADS:
            findings = _search(quirks, quirk, workload, seed)
            if findings:
                return min((finding.trace for finding in findings), key=lambda trace: (len(trace), len(repr(trace))))
    return None


def _search(quirks: Quirks, quirk: str, workload: Workload, seed: int) -> Sequence[Finding]:
    targets = [Otherwise(Server(without(quirks, quirk))) for _ in range(2)]
    search = Search(ModelTarget(Server(quirks)), targets[:1], second_instances={Otherwise.name: targets[1]})
    operations = workload.operations(workload.families, targets[0].capabilities)
    fuzz(
        search,
        workload,
        operations,
        KEYS,
        final_check=True,
        seconds=SECONDS,
        examples=None,
        seed=seed,
        until=lambda: bool(search.findings),
    )
    return search.findings
