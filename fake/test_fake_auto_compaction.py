"""The history is compacted by itself, when etcd would do it."""

from __future__ import annotations

import pytest

from fake_etcd import FakeEtcd, flags, stubs
from fake_etcd.auto_compaction import AutoCompaction, ByRevision, ByTime, auto_compaction
from fake_etcd.stubs import Stubs
from fake_etcd.wire import messages as pb


def put(etcd: Stubs, times: int = 1) -> None:
    for _ in range(times):
        etcd.kv.Put(pb.PutRequest(key=b"a"))


def compacted(etcd: FakeEtcd) -> int:
    """The revision up to which the history is compacted."""
    revision: int = etcd.engine._core.store.compact_revision
    return revision


def test_by_time() -> None:
    """Looks are every second; a revision is compacted once a whole period has passed since the last success."""
    with FakeEtcd(auto_compaction=ByTime(10)) as etcd:
        made = stubs(etcd.channel())
        whole = compacted(etcd)
        put(made, 3)  # revisions 2 to 4
        etcd.advance(9)
        assert compacted(etcd) == whole
        put(made, 2)
        etcd.advance(1)  # the revision of ten seconds ago is the first one
        assert compacted(etcd) == 1
        etcd.advance(9)
        assert compacted(etcd) == 1
        etcd.advance(1)
        assert compacted(etcd) == 4
        etcd.advance(10)
        assert compacted(etcd) == 6


def test_by_time_over_hours_looks_every_six_minutes_and_compacts_every_hour() -> None:
    with FakeEtcd(auto_compaction=ByTime(3 * 3600)) as etcd:
        made = stubs(etcd.channel())
        whole = compacted(etcd)
        seen = []
        for _ in range(6):
            put(made)
            etcd.advance(3600)
            seen.append(compacted(etcd))
        assert seen == [whole, whole, 1, 2, 3, 4]


def test_by_revision_every_five_minutes() -> None:
    with FakeEtcd(auto_compaction=ByRevision(10)) as etcd:
        made = stubs(etcd.channel())
        whole = compacted(etcd)
        put(made, 5)  # up to 6
        etcd.advance(300)
        assert compacted(etcd) == whole
        put(made, 10)  # up to 16
        etcd.advance(299)
        assert compacted(etcd) == whole
        etcd.advance(1)
        assert compacted(etcd) == 6
        put(made, 1)
        etcd.advance(3000)
        assert compacted(etcd) == 7


def test_what_a_user_has_compacted_further_stays_so_and_a_reset_begins_anew() -> None:
    with FakeEtcd(auto_compaction=ByTime(10)) as etcd:
        made = stubs(etcd.channel())
        whole = compacted(etcd)
        put(made, 5)
        made.kv.Compact(pb.CompactionRequest(revision=6))
        etcd.advance(10)
        assert compacted(etcd) == 6
        etcd.reset()
        put(made)
        etcd.advance(9)
        assert compacted(etcd) == whole


def test_a_day_at_once_is_a_day() -> None:
    with FakeEtcd(auto_compaction=ByTime(1)) as etcd:
        put(stubs(etcd.channel()), 3)
        etcd.advance(86_400)
        assert compacted(etcd) == 4


@pytest.mark.parametrize(
    ("mode", "retention", "expected"),
    [
        ("periodic", "0", None),
        ("periodic", "0s", None),
        ("periodic", "2", ByTime(7200)),
        ("periodic", "1m30s", ByTime(90)),
        ("revision", "1000", ByRevision(1000)),
        ("revision", "0", None),
    ],
)
def test_what_the_flags_mean(mode: str, retention: str, expected: AutoCompaction | None) -> None:
    assert auto_compaction(mode, retention, flags.duration) == expected
