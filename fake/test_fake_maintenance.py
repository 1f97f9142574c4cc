"""Maintenance and Cluster: alarms, the quota, snapshots, downgrades, members."""

from hashlib import sha256
from typing import cast

import pytest
from google.protobuf.message import Message

from fake_etcd import Engine, EtcdError
from fake_etcd.wire import messages as pb

VERSIONS = ["3.4.23", "3.5.1", "3.5.16", "3.5.30", "3.6.16", "3.7.3"]

KV, LEASE, MAINTENANCE, CLUSTER = (f"/etcdserverpb.{name}/" for name in ("KV", "Lease", "Maintenance", "Cluster"))

NO_SPACE = "RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded"
CORRUPT = "DATA_LOSS: etcdserver: corrupt cluster"
EMPTY_KEY = "INVALID_ARGUMENT: etcdserver: key is not provided"


def ask(engine: Engine, path: str, request: Message) -> str:
    """`ok`, or the refusal."""
    try:
        engine.call(path, request)
    except EtcdError as error:
        return str(error)
    return "ok"


def put(engine: Engine, key: bytes = b"k", **fields: bytes | int) -> str:
    return ask(engine, KV + "Put", pb.PutRequest(key=key, **fields))  # type: ignore[arg-type]


def alarm(engine: Engine, action: str, type: str, member: int = 7) -> list[tuple[int, str]]:
    request = pb.AlarmRequest(action=action, alarm=type, memberID=member)
    response = cast(pb.AlarmResponse, engine.call(MAINTENANCE + "Alarm", request))
    return [(raised.memberID, pb.AlarmType.Name(raised.alarm)) for raised in response.alarms]


def status(engine: Engine) -> pb.StatusResponse:
    return cast(pb.StatusResponse, engine.call(MAINTENANCE + "Status", pb.StatusRequest()))


def txn(*ops: pb.RequestOp, failure: tuple[pb.RequestOp, ...] = ()) -> pb.TxnRequest:
    return pb.TxnRequest(success=ops, failure=failure)


PUT = pb.RequestOp(request_put=pb.PutRequest(key=b"k"))
DELETE = pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=b"k"))
RANGE = pb.RequestOp(request_range=pb.RangeRequest(key=b"k"))


def nested(op: pb.RequestOp) -> pb.RequestOp:
    return pb.RequestOp(request_txn=txn(op))


@pytest.mark.parametrize("version", VERSIONS)
def test_alarms_are_raised_listed_and_ended(version: str) -> None:
    engine = Engine(version)
    assert alarm(engine, "GET", "NONE") == []
    assert alarm(engine, "ACTIVATE", "CORRUPT", 5) == [(5, "CORRUPT")]
    assert alarm(engine, "ACTIVATE", "NOSPACE", 0) == [(0, "NOSPACE")]
    assert alarm(engine, "ACTIVATE", "NOSPACE", 0) == [(0, "NOSPACE")]  # again
    assert alarm(engine, "GET", "NONE") == [(0, "NOSPACE"), (5, "CORRUPT")]
    assert alarm(engine, "GET", "CORRUPT", 99) == [(5, "CORRUPT")]
    texts = ["alarm:NOSPACE ", "memberID:5 alarm:CORRUPT "]
    assert list(status(engine).errors) == ([text.rstrip() for text in texts] if version == "3.7.3" else texts)
    assert alarm(engine, "DEACTIVATE", "CORRUPT", 6) == []
    assert alarm(engine, "DEACTIVATE", "CORRUPT", 5) == [(5, "CORRUPT")]
    assert alarm(engine, "DEACTIVATE", "CORRUPT", 5) == []
    assert alarm(engine, "GET", "NONE") == [(0, "NOSPACE")]


def test_alarm_answers_with_a_header_since_3_5() -> None:
    answers = {}
    for version in ("3.4.45", "3.5.0"):
        response = cast(pb.AlarmResponse, Engine(version).call(MAINTENANCE + "Alarm", pb.AlarmRequest()))
        answers[version] = response.HasField("header")
    assert answers == {"3.4.45": False, "3.5.0": True}


def test_an_alarm_of_no_type() -> None:
    assert alarm(Engine("3.4.23"), "ACTIVATE", "NONE") == [(7, "NONE")]
    assert alarm(Engine("3.5.1"), "ACTIVATE", "NONE") == []
    with pytest.raises(EtcdError, match="would crash"):
        alarm(Engine("3.4.23"), "ACTIVATE", "NONE", 0)


@pytest.mark.parametrize(("version", "crashes"), [("3.4.23", False), ("3.5.30", True), ("3.6.16", False)])
def test_an_alarm_of_an_unknown_type_kills_3_5(version: str, crashes: bool) -> None:
    request = pb.AlarmRequest(action="ACTIVATE", memberID=7)
    request.alarm = 9  # type: ignore[assignment]
    answer = ask(Engine(version), MAINTENANCE + "Alarm", request)
    assert "would crash" in answer if crashes else answer == "ok"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_alarm_about_space_refuses_what_needs_space(version: str) -> None:
    engine = Engine(version)
    ask(engine, LEASE + "LeaseGrant", pb.LeaseGrantRequest(ID=1, TTL=100))
    alarm(engine, "ACTIVATE", "NOSPACE")
    grant = pb.LeaseGrantRequest(ID=1, TTL=10**10)
    assert put(engine) == put(engine, lease=99) == ask(engine, LEASE + "LeaseGrant", grant) == NO_SPACE
    assert put(engine, b"") == EMPTY_KEY  # for the alarm is looked at when the request is applied
    assert put(engine, value=b"v" * 1_600_000) == "INVALID_ARGUMENT: etcdserver: request is too large"
    assert ask(engine, KV + "Txn", txn(PUT)) == ask(engine, KV + "Txn", txn(failure=(PUT,))) == NO_SPACE
    counts_nested = version in ("3.6.16", "3.7.3")
    assert ask(engine, KV + "Txn", txn(nested(PUT))) == (NO_SPACE if counts_nested else "ok")
    for path, request in (
        (KV + "Txn", txn(DELETE, nested(RANGE))),
        (KV + "Txn", txn(RANGE)),
        (KV + "DeleteRange", pb.DeleteRangeRequest(key=b"k")),
        (KV + "Range", pb.RangeRequest(key=b"k")),
        (KV + "Compact", pb.CompactionRequest(revision=1)),
        (LEASE + "LeaseRevoke", pb.LeaseRevokeRequest(ID=1)),
    ):
        assert ask(engine, path, request) == "ok"
    alarm(engine, "DEACTIVATE", "NOSPACE")
    assert put(engine) == "ok"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_alarm_about_corruption_refuses_all_writes(version: str) -> None:
    engine = Engine(version)
    alarm(engine, "ACTIVATE", "CORRUPT")
    refused: list[tuple[str, Message]] = [
        (KV + "Put", pb.PutRequest(key=b"k")),
        (KV + "DeleteRange", pb.DeleteRangeRequest(key=b"k")),
        (KV + "Txn", txn(nested(RANGE))),
        (KV + "Compact", pb.CompactionRequest()),
        (LEASE + "LeaseGrant", pb.LeaseGrantRequest(TTL=10)),
        (LEASE + "LeaseRevoke", pb.LeaseRevokeRequest(ID=1)),
    ]
    assert {ask(engine, path, request) for path, request in refused} == {CORRUPT}
    assert put(engine, b"") == EMPTY_KEY
    answered: list[tuple[str, Message]] = [
        (KV + "Range", pb.RangeRequest(key=b"k")),
        (KV + "Txn", txn(RANGE)),
        (LEASE + "LeaseLeases", pb.LeaseLeasesRequest()),
        ("/etcdserverpb.Auth/UserAdd", pb.AuthUserAddRequest(name="u")),
        (MAINTENANCE + "Defragment", pb.DefragmentRequest()),
    ]
    assert {ask(engine, path, request) for path, request in answered} == {"ok"}


@pytest.mark.parametrize("version", VERSIONS)
def test_two_alarms_at_once(version: str) -> None:
    """Before 3.6 the last one raised counts alone, and the end of either is the end of both."""
    engine = Engine(version)
    delete = pb.DeleteRangeRequest(key=b"k")
    alarm(engine, "ACTIVATE", "CORRUPT")
    alarm(engine, "ACTIVATE", "NOSPACE")
    together = version in ("3.6.16", "3.7.3")
    assert put(engine) == (CORRUPT if together else NO_SPACE)
    assert ask(engine, KV + "DeleteRange", delete) == (CORRUPT if together else "ok")
    alarm(engine, "DEACTIVATE", "NOSPACE")
    assert put(engine) == (CORRUPT if together else "ok")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_quota_comes_before_everything_and_raises_the_alarm(version: str) -> None:
    engine = Engine(version, quota_bytes=1_000_000)
    puts = 0
    while put(engine, b"%d" % puts, value=b"v" * 1000) == "ok":
        puts += 1
    assert 500 < puts < 800  # a real server: 670, give or take
    assert [type for _, type in alarm(engine, "GET", "NONE")] == ["NOSPACE"]
    assert put(engine, b"", value=b"v" * 1000) == NO_SPACE  # where an empty key would be refused
    member = status(engine).header.member_id
    alarm(engine, "DEACTIVATE", "NOSPACE", member)
    assert put(engine, value=b"v" * 1000) == NO_SPACE
    assert alarm(engine, "GET", "NONE") == [(member, "NOSPACE")]


def test_a_txn_without_puts_passes_over_quota_but_for_some_3_5() -> None:
    answers = {}
    for version in ("3.4.23", "3.5.1", "3.5.6", "3.5.7", "3.6.16"):
        engine = Engine(version, quota_bytes=10_000)  # less than an empty database
        answers[version] = ask(engine, KV + "Txn", txn(RANGE))
        assert put(engine) == NO_SPACE
        assert ask(engine, KV + "DeleteRange", pb.DeleteRangeRequest(key=b"k")) == "ok"
    assert answers == {"3.4.23": "ok", "3.5.1": NO_SPACE, "3.5.6": NO_SPACE, "3.5.7": "ok", "3.6.16": "ok"}


def test_only_defragmenting_makes_room() -> None:
    engine = Engine(quota_bytes=1_000_000)
    while put(engine, value=b"v" * 1000) == "ok":
        pass
    full = status(engine)
    assert full.dbSize == full.dbSizeInUse > 900_000
    ask(engine, KV + "Compact", pb.CompactionRequest(revision=full.header.revision))
    assert (status(engine).dbSize, status(engine).dbSizeInUse < 100_000) == (full.dbSize, True)
    alarm(engine, "DEACTIVATE", "NOSPACE", full.header.member_id)
    assert put(engine, value=b"v" * 1000) == NO_SPACE  # though there is room within the file
    ask(engine, MAINTENANCE + "Defragment", pb.DefragmentRequest())
    assert status(engine).dbSize < 100_000
    assert put(engine, value=b"v" * 1000) == NO_SPACE  # the alarm is still there
    alarm(engine, "DEACTIVATE", "NOSPACE", full.header.member_id)
    assert put(engine, value=b"v" * 1000) == "ok"


@pytest.mark.parametrize(("quota", "reported"), [(0, 2 * 1024**3), (5_000_000, 5_000_000)])
def test_status_reports_the_quota_since_3_6(quota: int, reported: int) -> None:
    assert status(Engine("3.6.16", quota_bytes=quota)).dbSizeQuota == reported
    assert status(Engine("3.5.30", quota_bytes=quota)).dbSizeQuota == 0


def test_a_negative_quota_is_none() -> None:
    engine = Engine(quota_bytes=-1)
    assert put(engine) == "ok"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_snapshot_is_blobs_and_their_sum(version: str) -> None:
    engine = Engine(version)
    for number in range(100):
        put(engine, b"%d" % number, value=b"v" * 1000)
    *blobs, last = map(_snapshot, engine.stream(MAINTENANCE + "Snapshot", pb.SnapshotRequest()))
    data = b"".join(blob.blob for blob in blobs)
    assert last.blob == sha256(data).digest()
    assert len(data) == status(engine).dbSize
    left = len(data)
    for blob in blobs:
        assert len(blob.blob) == min(32 * 1024, left)
        left -= len(blob.blob)
        assert blob.remaining_bytes == left
    assert left == last.remaining_bytes == 0
    reported = {"3.6.16": "3.6.0", "3.7.3": "3.7.0"}.get(version, "")
    assert {blob.version for blob in (*blobs, last)} == {reported}


def _snapshot(message: Message) -> pb.SnapshotResponse:
    return cast(pb.SnapshotResponse, message)


def test_hash_distinguishes_contents() -> None:
    def hash(engine: Engine) -> int:
        return cast(pb.HashResponse, engine.call(MAINTENANCE + "Hash", pb.HashRequest())).hash

    one, other = Engine(), Engine()
    assert hash(one) == hash(other) != 0
    put(one)
    assert hash(one) != hash(other)
    put(other)
    assert hash(one) == hash(other)


@pytest.mark.parametrize("version", VERSIONS)
def test_downgrade(version: str) -> None:
    engine = Engine(version)
    line = version.rpartition(".")[0]
    lower = f"3.{int(line[2:]) - 1}"

    def downgrade(action: str, to: str = "") -> str:
        try:
            response = engine.call(MAINTENANCE + "Downgrade", pb.DowngradeRequest(action=action, version=to))
        except EtcdError as error:
            return str(error)
        return cast(pb.DowngradeResponse, response).version

    if version == "3.4.23":
        unknown = "UNIMPLEMENTED: unknown method Downgrade for service etcdserverpb.Maintenance"
        assert downgrade("VALIDATE", lower) == unknown
        return
    answered = version in ("3.6.16", "3.7.3")
    own = line if answered else f"{line}.0"
    timed_out = "UNAVAILABLE: etcdserver: request timed out"
    in_process = "FAILED_PRECONDITION: etcdserver: cluster has a downgrade job in progress"
    for to in ("", "x", "3"):
        message = "INVALID_ARGUMENT: etcdserver: wrong downgrade target version format"
        assert downgrade("VALIDATE", to) == downgrade("ENABLE", to) == message
    for to in (line, version, "3.3", "4.0"):
        assert downgrade("VALIDATE", to) == "INVALID_ARGUMENT: etcdserver: invalid downgrade target version"
    assert [downgrade("VALIDATE", to) for to in (lower, f"{lower}.9")] == [own, own]
    nothing = own if answered else "FAILED_PRECONDITION: etcdserver: no inflight downgrade job"
    assert downgrade("CANCEL") == nothing
    assert downgrade("ENABLE", lower) == (own if answered else timed_out)
    assert downgrade("ENABLE", lower) == downgrade("VALIDATE", lower) == in_process
    assert status(engine).downgradeInfo.targetVersion == (f"{lower}.0" if answered else "")
    assert downgrade("CANCEL") == (own if answered else timed_out)
    assert downgrade("CANCEL") == nothing


@pytest.mark.parametrize("version", VERSIONS)
def test_members(version: str) -> None:
    engine = Engine(version)
    listed = cast(pb.MemberListResponse, engine.call(CLUSTER + "MemberList", pb.MemberListRequest()))
    me = listed.members[0].ID
    assert (len(listed.members), listed.members[0].isLearner, listed.header.revision) == (1, False, 0)
    assert me == listed.header.member_id
    bad_urls = "INVALID_ARGUMENT: etcdserver: given member URLs are invalid"
    for urls in ([], [""], ["x"], ["http://a"], ["http://a:1/path"], ["ftp://a:1"]):
        assert ask(engine, CLUSTER + "MemberAdd", pb.MemberAddRequest(peerURLs=urls)) == bad_urls
    own = pb.MemberAddRequest(peerURLs=listed.members[0].peerURLs)
    assert ask(engine, CLUSTER + "MemberAdd", own) == "FAILED_PRECONDITION: etcdserver: Peer URLs already exists"
    other = pb.MemberAddRequest(peerURLs=["http://a:1"])
    assert ask(engine, CLUSTER + "MemberAdd", other).startswith(
        "UNIMPLEMENTED: fake-etcd: a cluster of one member can't be given another that votes"
    )
    missing = "NOT_FOUND: etcdserver: member not found"
    for request in (pb.MemberRemoveRequest(ID=7), pb.MemberUpdateRequest(ID=7), pb.MemberPromoteRequest(ID=7)):
        assert ask(engine, CLUSTER + type(request).__name__.removesuffix("Request"), request) == missing
    assert ask(engine, CLUSTER + "MemberRemove", pb.MemberRemoveRequest(ID=me)) == (
        "UNKNOWN: etcdserver: re-configuration failed due to not enough started members"
    )
    assert ask(engine, CLUSTER + "MemberPromote", pb.MemberPromoteRequest(ID=me)) == (
        "FAILED_PRECONDITION: etcdserver: can only promote a learner member"
    )
    update = pb.MemberUpdateRequest(ID=me, peerURLs=["x"])
    updated = cast(pb.MemberUpdateResponse, engine.call(CLUSTER + "MemberUpdate", update))
    assert list(updated.members[0].peerURLs) == ["x"]


def test_move_leader_knows_one_member() -> None:
    engine = Engine()
    me = status(engine).leader
    assert ask(engine, MAINTENANCE + "MoveLeader", pb.MoveLeaderRequest(targetID=me)) == "ok"
    assert ask(engine, MAINTENANCE + "MoveLeader", pb.MoveLeaderRequest(targetID=7)) == (
        "FAILED_PRECONDITION: etcdserver: bad leader transferee"
    )
