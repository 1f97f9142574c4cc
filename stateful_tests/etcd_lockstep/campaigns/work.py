"""What a worker does with a shard: a process of its own runs it, so that nothing of it is left in the worker.

Shards and outcomes are JSON here, whatever the engine between the coordinator and its workers is.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from etcd_lockstep.campaigns.coordinator import Outcome
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.shards.plain import from_plain, to_plain
from etcd_lockstep.shards.pool import ShardEnded, ShardPool
from etcd_lockstep.shards.result import ShardTargets
from etcd_lockstep.shards.running import Listener
from etcd_lockstep.shards.shard import Shard

PROGRESS_EVERY = 1.0
"""Seconds."""

_lock = threading.Lock()
_running: dict[str, set[ShardPool]] = {}
"""By campaign: what runs in this worker."""


def run_apart(campaign: str, shard: Shard, on_progress: Callable[[dict[str, Any]], None]) -> tuple[Any, int, str]:
    """Run a shard in a process of its own: its result as plain data, or None with an exit code and the reason.

    `on_progress` is called about once a second, from a thread, with `steps` and `findings`. `stop` ends it early.
    """
    ended = threading.Event()
    with ShardPool([shard], Listener(on_targets=_refuse_the_only_store)) as pool:
        with _lock:
            _running.setdefault(campaign, set()).add(pool)

        def report() -> None:
            while not ended.wait(PROGRESS_EVERY):
                on_progress({"steps": sum(one.steps for one in pool.workloads), "findings": pool.findings})

        threading.Thread(target=report, daemon=True).start()
        try:
            pool.search()
        except ShardEnded as error:
            return None, int(error.code), str(error) or "it was stopped"
        finally:
            ended.set()
            with _lock:
                _running[campaign].discard(pool)
        return to_plain(pool.result), 0, ""


def _refuse_the_only_store(targets: ShardTargets) -> None:
    if targets.only_store:
        raise ShardEnded(Exit.REFUSED, "a store of this campaign is there only once, so shards can't have one each")


def stop(campaign: str) -> None:
    """Have everything of a campaign that runs in this worker end, and clean up."""
    with _lock:
        pools = list(_running.get(campaign, ()))
    for pool in pools:
        pool.end_early()


def outcome_to_text(outcome: tuple[Any, int, str], worker: str) -> str:
    """As it is sent to the coordinator."""
    plain, code, reason = outcome
    return json.dumps({"worker": worker, "result": plain, "code": code, "reason": reason}, separators=(",", ":"))


def outcome_from_text(number: int, text: str) -> Outcome:
    """The outcome of the shard with that number."""
    held = json.loads(text)
    return Outcome(number, held["worker"], from_plain(held["result"]), held["code"], held["reason"])
