"""Learners beside the one server: how they are added, listed, updated and removed, and kept in a snapshot."""

from __future__ import annotations

import json
from typing import cast

import pytest

from fake_etcd import Engine, EtcdError, FakeEtcd
from fake_etcd.database import buckets_of
from fake_etcd.etcd_urls import can_be_probed, parsed
from fake_etcd.quirks import quirks_of
from fake_etcd.wire import messages as pb

CLUSTER = "/etcdserverpb.Cluster/"
URL, OTHER = "http://127.0.0.1:1", "http://127.0.0.1:2"
OLD, NEW = "3.5.30", "3.7.3"


def add(engine: Engine, *urls: str, is_learner: bool = True) -> pb.MemberAddResponse:
    request = pb.MemberAddRequest(peerURLs=urls, isLearner=is_learner)
    return cast(pb.MemberAddResponse, engine.call(CLUSTER + "MemberAdd", request))


def update(engine: Engine, id: int, *urls: str) -> pb.MemberUpdateResponse:
    request = pb.MemberUpdateRequest(ID=id, peerURLs=urls)
    return cast(pb.MemberUpdateResponse, engine.call(CLUSTER + "MemberUpdate", request))


def remove(engine: Engine, id: int) -> pb.MemberRemoveResponse:
    return cast(pb.MemberRemoveResponse, engine.call(CLUSTER + "MemberRemove", pb.MemberRemoveRequest(ID=id)))


def listed(engine: Engine) -> list[pb.Member]:
    answer = cast(pb.MemberListResponse, engine.call(CLUSTER + "MemberList", pb.MemberListRequest()))
    return list(answer.members)


def status(engine: Engine) -> pb.StatusResponse:
    return cast(pb.StatusResponse, engine.call("/etcdserverpb.Maintenance/Status", pb.StatusRequest()))


@pytest.mark.parametrize("version", ["3.4.23", OLD, NEW])
def test_a_learner_is_told_of_by_its_urls_and_has_no_name(version: str) -> None:
    engine = Engine(version)
    answer = add(engine, OTHER, f" HTTP{URL[4:]}")
    learner = answer.member
    assert (list(learner.peerURLs), learner.isLearner, learner.name) == ([URL, OTHER], True, "")
    assert not learner.clientURLs
    assert list(answer.members) == listed(engine)
    assert [member.ID for member in listed(engine)] == sorted(member.ID for member in answer.members)
    assert answer.header.revision == 0
    assert (status(engine).isLearner, len(listed(engine))) == (False, 2)
    assert len(remove(engine, learner.ID).members) == 1


def test_each_change_takes_a_proposal() -> None:
    engine = Engine(NEW)
    before = status(engine).raftIndex
    learner = add(engine, URL).member
    update(engine, learner.ID, OTHER)
    with pytest.raises(EtcdError, match="too many learner"):
        add(engine, URL)
    remove(engine, learner.ID)
    assert status(engine).raftIndex == before + 4


def test_the_same_urls_have_another_id_each_time() -> None:
    engine = Engine(NEW)
    ids = []
    for _ in range(3):
        ids.append(add(engine, URL).member.ID)
        remove(engine, ids[-1])
    assert len(set(ids)) == 3
    with pytest.raises(EtcdError, match="member not found"):
        remove(engine, ids[0])


def test_as_many_learners_as_were_asked_for() -> None:
    engine = Engine(NEW, max_learners=2)
    add(engine, URL)
    add(engine, OTHER)
    with pytest.raises(EtcdError, match="etcdserver: too many learner members in cluster"):
        add(engine, "http://127.0.0.1:3")


def test_an_update_was_the_end_of_a_learner() -> None:
    for version, stays in ((OLD, False), (NEW, True)):
        engine = Engine(version)
        id = add(engine, URL).member.ID
        updated = next(member for member in update(engine, id, OTHER, OTHER).members if id == member.ID)
        assert (list(updated.peerURLs), updated.isLearner) == ([OTHER, OTHER], stays)
        with pytest.raises(EtcdError, match="too many learner members" if stays else "unhealthy cluster"):
            add(engine, URL)
        with pytest.raises(EtcdError, match="bad leader transferee" if stays else "would wait without an end"):
            engine.call("/etcdserverpb.Maintenance/MoveLeader", pb.MoveLeaderRequest(targetID=id))
        remove(engine, id)


@pytest.mark.parametrize("urls", [(), ("x",), (f"{OTHER} ",), ("http://127.0.0.1:2/a",)])
def test_urls_of_another_member_that_kill_etcd_are_refused(urls: tuple[str, ...]) -> None:
    engine = Engine(NEW)
    learner = add(engine, URL).member
    with pytest.raises(EtcdError, match="would crash on this request"):
        update(engine, learner.ID, *urls)
    assert learner in listed(engine)
    own = next(member.ID for member in listed(engine) if member.name)
    assert next(member for member in update(engine, own, *urls).members if member.name).peerURLs == list(urls)


def test_a_member_that_votes_is_refused_with_the_reason() -> None:
    engine = Engine(NEW)
    with pytest.raises(EtcdError, match="fake-etcd: a cluster of one member can't be given another that votes"):
        add(engine, URL, is_learner=False)
    assert len(listed(engine)) == 1


def test_a_reset_and_a_restored_state_have_the_learners_of_their_time() -> None:
    with FakeEtcd(NEW) as etcd:
        engine = etcd.engine
        before = engine.save_state()
        learner = add(engine, URL).member
        after = engine.save_state()
        engine.restore_state(before)
        assert len(listed(engine)) == 1
        engine.restore_state(after)
        assert learner in listed(engine)
        engine.reset()
        assert len(listed(engine)) == 1


def test_the_database_holds_them() -> None:
    engine = Engine(NEW)
    gone, learner = add(engine, URL).member, None
    remove(engine, gone.ID)
    learner = add(engine, OTHER).member
    buckets = engine.read(buckets_of)
    stored = dict(buckets[b"members"])[f"{learner.ID:x}".encode()]
    assert json.loads(stored) == {"id": learner.ID, "peerURLs": [OTHER], "isLearner": True}
    assert buckets[b"members_removed"] == [(f"{gone.ID:x}".encode(), b"removed")]
    assert json.loads(dict(buckets[b"meta"])[b"confState"])["learners"] == [learner.ID]


MEASURED = {
    "http://127.0.0.1:5": "http://127.0.0.1:5",
    "unix://a:1": "unix://a:1",
    "http://127.0.0.1:6/": None,
    "http://127.0.0.1:6?x": "http://127.0.0.1:6?x",
    "http://127.0.0.1:6#f": "http://127.0.0.1:6#f",
    "HTTP://127.0.0.1:7": "http://127.0.0.1:7",
    " http://127.0.0.1:8 ": "http://127.0.0.1:8",
    "http://127.0.0.1": None,
    "http://127.0.0.1:": "http://127.0.0.1:",
    "http://127.0.0.1:x": None,
    "http://127.0.0.1:99999": "http://127.0.0.1:99999",
    "http://u@127.0.0.1:9": "http://u@127.0.0.1:9",
    "http://:9": "http://:9",
    "127.0.0.1:9": None,
    "": None,
    "ftp://127.0.0.1:9": None,
    "http://[::1]:9": "http://[::1]:9",
    "http://::1:9": None,
    "unixs://b:2": "unixs://b:2",
    "http://127.0.0.1:9/a": None,
    "http://127.0.0.1:9%20": None,
    "http://127.0.0.1:09": "http://127.0.0.1:09",
    "http://127.0.0.1:+9": None,
    "http://exa mple:1": None,
}
"""What etcd 3.4.23, 3.5.1, 3.5.30, 3.6.16 and 3.7.3 keep of each; None: it is refused."""


@pytest.mark.parametrize(("url", "kept"), MEASURED.items())
def test_a_peer_url_is_read_as_etcd_reads_it(url: str, kept: str | None) -> None:
    for version in ("3.4.23", "3.5.1", NEW):
        assert parsed([url], quirks_of(version)) == (None if kept is None else [kept])


def test_a_socket_is_a_path_since_some_release() -> None:
    for url in ("unix://a", "unix:///tmp/a"):
        assert [parsed([url], quirks_of(version)) for version in ("3.4.23", "3.5.12", "3.5.13")] == [None, None, [url]]


def test_all_urls_are_looked_at_and_sorted() -> None:
    quirks = quirks_of(NEW)
    assert parsed([OTHER, URL, URL], quirks) == [URL, URL, OTHER]
    assert (parsed([], quirks), parsed([URL, "x"], quirks)) == (None, None)
    assert (can_be_probed([OTHER, URL], quirks), can_be_probed([f" {URL}"], quirks)) == (True, False)
