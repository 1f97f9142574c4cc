"""What watchers have missed, read from history for all of a stream's (etcd: watchable_store.go syncWatchers)."""

from collections.abc import Mapping

from fake_etcd.core import Core
from fake_etcd.store import Record
from fake_etcd.watch_hub import Watcher

_REVISIONS = 1000
"""etcd: server/storage/mvcc/watcher_group.go watchBatchMaxRevs."""

_BYTES = 4 * 1024 * 1024 - 256 * 1024
"""Of keys and values in one response. etcd has no such bound; clients refuse messages of 4 MiB by default."""


def read_history(core: Core, behind: Mapping[Watcher, int]) -> tuple[int, dict[Watcher, tuple[Record, ...]]]:
    """What watchers want of so many revisions from theirs on, and from which revision to read on.

    A revision is never split. Only a watcher's own revisions that have something for it count.
    """
    store = core.store
    missed: dict[Watcher, list[Record]] = {}
    counts = dict.fromkeys(behind, 0)
    sizes = dict.fromkeys(behind, 0)
    for records in store.revisions_from(min(behind.values()), core.quirks.compaction_keeps_tombstones):
        if not records:
            continue
        revision = records[0].mod_revision
        wanted: dict[Watcher, list[Record]] = {}
        for watcher, start in behind.items():
            if revision >= start:
                of_watcher = [record for record in records if watcher.covers(record.key) and watcher.wants(record)]
                if of_watcher:
                    wanted[watcher] = of_watcher
        for watcher, of_watcher in wanted.items():
            counts[watcher] += 1
            sizes[watcher] += sum(len(record.key) + len(record.value) for record in of_watcher)
            if counts[watcher] > _REVISIONS or (sizes[watcher] > _BYTES and counts[watcher] > 1):
                return revision, _frozen(missed)
        for watcher, of_watcher in wanted.items():
            missed.setdefault(watcher, []).extend(of_watcher)
    return store.revision + 1, _frozen(missed)


def _frozen(missed: Mapping[Watcher, list[Record]]) -> dict[Watcher, tuple[Record, ...]]:
    return {watcher: tuple(records) for watcher, records in missed.items()}
