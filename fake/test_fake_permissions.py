"""Permissions: what each request needs while auth is on, by release."""

from collections.abc import Iterator

import pytest
from google.protobuf.message import Message

from fake_etcd import Engine, EtcdError
from fake_etcd.wire import messages as pb

VERSIONS = ["3.4.23", "3.5.1", "3.5.16", "3.5.30", "3.6.16", "3.7.3"]
NEW = {"3.5.30", "3.6.16", "3.7.3"}

READ, WRITE, READWRITE = (pb.Permission.Type.Value(name) for name in ("READ", "WRITE", "READWRITE"))

KV, LEASE, MAINTENANCE, CLUSTER = (f"/etcdserverpb.{name}/" for name in ("KV", "Lease", "Maintenance", "Cluster"))

NOBODY = "etcdserver: user name is empty"
BAD = "etcdserver: invalid auth token"
DENIED = "etcdserver: permission denied"

Grant = tuple[int, bytes, bytes]


class Guarded:
    """An engine with auth on: a user `u` with some grants, and root."""

    def __init__(self, version: str, *grants: Grant, leases: int = 0) -> None:
        self.engine = Engine(version)
        for id in range(1, leases + 1):
            self.engine.call(LEASE + "LeaseGrant", pb.LeaseGrantRequest(ID=id, TTL=1000))
        self._call("UserAdd", pb.AuthUserAddRequest(name="root", password="r"))
        self._call("UserAdd", pb.AuthUserAddRequest(name="u", password="u"))
        self._call("RoleAdd", pb.AuthRoleAddRequest(name="r"))
        for kind, key, end in grants:
            permission = pb.Permission(permType=kind, key=key, range_end=end)  # type: ignore[arg-type]
            self._call("RoleGrantPermission", pb.AuthRoleGrantPermissionRequest(name="r", perm=permission))
        self._call("UserGrantRole", pb.AuthUserGrantRoleRequest(user="root", role="root"))
        self._call("UserGrantRole", pb.AuthUserGrantRoleRequest(user="u", role="r"))
        self._call("AuthEnable", pb.AuthEnableRequest())
        self.root = self._login("root", "r")
        self.user = self._login("u", "u")

    def _call(self, method: str, request: Message) -> Message:
        return self.engine.call(f"/etcdserverpb.Auth/{method}", request)

    def _login(self, name: str, password: str) -> str:
        response = self._call("Authenticate", pb.AuthenticateRequest(name=name, password=password))
        assert isinstance(response, pb.AuthenticateResponse)
        return response.token

    def ask(self, path: str, request: Message, token: str | None = None) -> str:
        """`ok`, or the message of the refusal; asked by the user, if no token is reported."""
        token = self.user if token is None else token
        try:
            if path.endswith("Snapshot"):
                list(self.engine.stream(path, request, token))
            else:
                self.engine.call(path, request, token)
        except EtcdError as error:
            return error.message
        return "ok"

    def everybody(self, path: str, request: Message) -> list[str]:
        """What nobody, a bad token, the user and root are reported."""
        return [self.ask(path, request, token) for token in ("", "no.1", self.user, self.root)]


@pytest.mark.parametrize(
    ("grants", "key", "end", "is_covered"),
    [
        ([(READ, b"k", b"")], b"k", b"", True),
        ([(READ, b"k", b"")], b"l", b"", False),
        ([(READ, b"k", b"")], b"k", b"k\0", True),
        ([(READ, b"k", b"")], b"k", b"l", False),
        ([(READ, b"a", b"c")], b"b", b"", True),
        ([(READ, b"a", b"c")], b"c", b"", False),
        ([(READ, b"a", b"c"), (READWRITE, b"c", b"e")], b"a", b"e", True),
        ([(READ, b"a", b"d"), (READ, b"b", b"f")], b"a", b"f", True),
        ([(READ, b"a", b"c"), (READ, b"d", b"e")], b"a", b"e", False),
        ([(READ, b"a", b""), (READ, b"b", b"")], b"a", b"b\0", False),
        ([(READ, b"b", b"\0")], b"c", b"\0", True),
        ([(READ, b"b", b"\0")], b"a", b"\0", False),
        ([(READ, b"b", b"z")], b"c", b"\0", False),
        ([(READ, b"\0", b"\0")], b"\0", b"\0", True),
        ([(WRITE, b"k", b"")], b"k", b"", False),
        ([(READ, b"k", b"l")], b"k2", b"k1", True),  # a range that ends before it begins
        ([(READ, b"k", b"l")], b"l", b"k", False),
        ([], b"k", b"", False),
    ],
)
def test_a_range_needs_grants_without_a_gap(grants: list[Grant], key: bytes, end: bytes, is_covered: bool) -> None:
    guarded = Guarded("3.5.30", *grants)
    assert guarded.ask(KV + "Range", pb.RangeRequest(key=key, range_end=end)) == ("ok" if is_covered else DENIED)


@pytest.mark.parametrize("version", VERSIONS)
def test_who_may_use_keys(version: str) -> None:
    guarded = Guarded(version, (READ, b"r", b""), (WRITE, b"w", b""), (READWRITE, b"b", b""))
    everybody = [NOBODY, BAD, DENIED, "ok"]
    assert guarded.everybody(KV + "Range", pb.RangeRequest(key=b"x")) == everybody
    assert guarded.everybody(KV + "Put", pb.PutRequest(key=b"x")) == everybody
    assert guarded.everybody(KV + "DeleteRange", pb.DeleteRangeRequest(key=b"x")) == everybody
    assert [guarded.ask(KV + "Range", pb.RangeRequest(key=key)) for key in (b"r", b"w", b"b")] == ["ok", DENIED, "ok"]
    for prev_kv, with_write in ((False, "ok"), (True, DENIED)):
        for path, request in ((KV + "Put", pb.PutRequest), (KV + "DeleteRange", pb.DeleteRangeRequest)):
            answers = [guarded.ask(path, request(key=key, prev_kv=prev_kv)) for key in (b"r", b"w", b"b")]
            assert answers == [DENIED, with_write, "ok"]


def test_permission_comes_after_the_requests_own_checks_and_before_the_states() -> None:
    guarded = Guarded("3.5.30")
    asked = [
        (KV + "Range", pb.RangeRequest(), "etcdserver: key is not provided"),
        (KV + "Range", pb.RangeRequest(key=b"x", revision=99), DENIED),
        (KV + "Put", pb.PutRequest(key=b"x", ignore_value=True, value=b"v"), "etcdserver: value is provided"),
        (KV + "Put", pb.PutRequest(key=b"x", value=b"v" * 1_600_000), "etcdserver: request is too large"),
        (KV + "Put", pb.PutRequest(key=b"x", lease=7), DENIED),
        (KV + "Put", pb.PutRequest(key=b"x", ignore_value=True), DENIED),
        (KV + "Compact", pb.CompactionRequest(revision=99), DENIED),
    ]
    assert [guarded.ask(path, request) for path, request, _ in asked] == [answer for _, _, answer in asked]
    assert guarded.ask(KV + "Put", pb.PutRequest(key=b"x", value=b"v" * 1_600_000), "no.1") == BAD


@pytest.mark.parametrize("version", VERSIONS)
def test_a_put_needs_permission_for_all_keys_of_its_lease(version: str) -> None:
    guarded = Guarded(version, (READWRITE, b"mine", b""), leases=2)
    assert guarded.ask(KV + "Put", pb.PutRequest(key=b"theirs", lease=1), guarded.root) == "ok"
    assert guarded.ask(KV + "Put", pb.PutRequest(key=b"mine", lease=1)) == DENIED
    assert guarded.ask(KV + "Put", pb.PutRequest(key=b"mine", lease=2)) == "ok"
    assert guarded.ask(KV + "Put", pb.PutRequest(key=b"mine", lease=3)) == "etcdserver: requested lease not found"
    in_txn = pb.TxnRequest(success=[pb.RequestOp(request_put=pb.PutRequest(key=b"mine", lease=1))])
    assert guarded.ask(KV + "Txn", in_txn) == (DENIED if version in NEW else "ok")


def _txns() -> Iterator[tuple[pb.TxnRequest, bool, bool]]:
    """Txns, whether the user's grants allow them before the repairs of 2026, and since."""
    read, write = pb.RangeRequest(key=b"r"), pb.PutRequest(key=b"w")
    for inner, is_allowed in (
        (pb.RequestOp(request_range=read), True),
        (pb.RequestOp(request_range=pb.RangeRequest(key=b"w")), False),
        (pb.RequestOp(request_put=write), True),
        (pb.RequestOp(request_put=pb.PutRequest(key=b"r")), False),
        (pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=b"r")), False),
        (pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=b"w", prev_kv=True)), False),
    ):
        yield pb.TxnRequest(success=[inner]), is_allowed, is_allowed
        yield pb.TxnRequest(failure=[inner]), is_allowed, is_allowed  # the branch that isn't taken
        yield pb.TxnRequest(success=[pb.RequestOp(request_txn=pb.TxnRequest(success=[inner]))]), True, is_allowed
    reads_too = pb.TxnRequest(success=[pb.RequestOp(request_put=pb.PutRequest(key=b"w", prev_kv=True))])
    yield reads_too, True, False
    yield pb.TxnRequest(compare=[pb.Compare(key=b"r")]), True, True
    yield pb.TxnRequest(compare=[pb.Compare(key=b"w")]), False, False
    yield pb.TxnRequest(), True, True


@pytest.mark.parametrize("version", VERSIONS)
def test_a_txn_needs_permission_for_compares_and_both_branches(version: str) -> None:
    guarded = Guarded(version, (READ, b"r", b""), (WRITE, b"w", b""))
    for request, before, since in _txns():
        is_allowed = since if version in NEW else before
        assert guarded.ask(KV + "Txn", request) == ("ok" if is_allowed else DENIED), request
    assert guarded.ask(KV + "Txn", pb.TxnRequest(), "") == "ok"  # it needs nothing at all
    assert guarded.ask(KV + "Txn", pb.TxnRequest(), "no.1") == BAD


@pytest.mark.parametrize("version", VERSIONS)
def test_what_lease_calls_need(version: str) -> None:
    guarded = Guarded(version, (READ, b"seen", b""), leases=3)
    for key, lease in ((b"seen", 1), (b"unseen", 2)):
        assert guarded.ask(KV + "Put", pb.PutRequest(key=key, lease=lease), guarded.root) == "ok"
    is_new = version in NEW
    with_keys = [NOBODY, BAD, DENIED, "ok"]
    just_a_user = [NOBODY, BAD, "ok", "ok"]
    grants = guarded.everybody(LEASE + "LeaseGrant", pb.LeaseGrantRequest(TTL=100))
    assert grants == (just_a_user if is_new else ["ok", BAD, "ok", "ok"])
    alive = guarded.everybody(LEASE + "LeaseKeepAlive", pb.LeaseKeepAliveRequest(ID=2))
    assert alive == (with_keys if is_new else ["ok"] * 4)
    leases = guarded.everybody(LEASE + "LeaseLeases", pb.LeaseLeasesRequest())
    assert leases == (with_keys if is_new else ["ok"] * 4)
    left = guarded.everybody(LEASE + "LeaseTimeToLive", pb.LeaseTimeToLiveRequest(ID=2))
    assert left == (just_a_user if is_new else ["ok"] * 4)
    keys = [pb.LeaseTimeToLiveRequest(ID=id, keys=True) for id in (1, 2, 9)]
    of_keys = [guarded.everybody(LEASE + "LeaseTimeToLive", request) for request in keys]
    checked = [just_a_user, with_keys, just_a_user]
    assert of_keys == ([["ok"] * 4] * 3 if version in ("3.4.23", "3.5.1") else checked)
    unknown = "etcdserver: requested lease not found"
    revoke = guarded.everybody(LEASE + "LeaseRevoke", pb.LeaseRevokeRequest(ID=9))
    assert revoke == [NOBODY if is_new else unknown, BAD, unknown, unknown]
    assert guarded.everybody(LEASE + "LeaseRevoke", pb.LeaseRevokeRequest(ID=2)) == with_keys
    assert guarded.ask(LEASE + "LeaseRevoke", pb.LeaseRevokeRequest(ID=3)) == "ok"  # nothing is bound to it


@pytest.mark.parametrize("version", VERSIONS)
def test_what_needs_root(version: str) -> None:
    guarded = Guarded(version)
    root, user, nothing = [NOBODY, BAD, DENIED], [NOBODY, BAD, "ok"], ["ok", "ok", "ok"]
    through_raft = ["ok", BAD, "ok"]
    inner = ["auth: user name is empty", "auth: invalid auth token", "auth: permission denied"]
    is_new, is_old_3_4 = version in NEW, version == "3.4.23"
    hashes = root if version in ("3.6.16", "3.7.3") else inner
    needs: list[tuple[str, Message, list[str]]] = [
        (MAINTENANCE + "Hash", pb.HashRequest(), hashes),
        (MAINTENANCE + "HashKV", pb.HashKVRequest(), hashes),
        (MAINTENANCE + "Defragment", pb.DefragmentRequest(), hashes),
        (MAINTENANCE + "Snapshot", pb.SnapshotRequest(), hashes),
        (MAINTENANCE + "Status", pb.StatusRequest(), user if version > "3.6" else root if is_new else nothing),
        (
            MAINTENANCE + "Alarm",
            pb.AlarmRequest(),
            user if is_new else ["ok", inner[1], "ok"] if is_old_3_4 else through_raft,
        ),
        (CLUSTER + "MemberList", pb.MemberListRequest(), user if is_new else nothing),
        (CLUSTER + "MemberRemove", pb.MemberRemoveRequest(ID=7), root),
        (CLUSTER + "MemberAdd", pb.MemberAddRequest(peerURLs=["http://a:1"]), root),
        (CLUSTER + "MemberUpdate", pb.MemberUpdateRequest(ID=7), root),
        (CLUSTER + "MemberPromote", pb.MemberPromoteRequest(ID=7), root),
        (KV + "Compact", pb.CompactionRequest(), root if is_new else ["ok", BAD, "etcdserver: mvcc"]),
    ]
    for path, request, expected in needs:
        answers = guarded.everybody(path, request)
        assert [answer[: len(text)] for answer, text in zip(answers, expected, strict=False)] == expected, path
        assert answers[3] not in (NOBODY, BAD, DENIED, *inner), path
    leader = guarded.everybody(MAINTENANCE + "MoveLeader", pb.MoveLeaderRequest(targetID=7))
    bad = "etcdserver: bad leader transferee"
    assert leader == ([*root, bad] if is_new else [bad] * 4)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_watch_needs_permission_to_read(version: str) -> None:
    guarded = Guarded(version, (READ, b"k", b"l"))

    def reason(token: str, key: bytes, end: bytes = b"") -> tuple[int, str]:
        stream = guarded.engine.watch(token)
        create = pb.WatchCreateRequest(key=key, range_end=end, watch_id=5)
        stream.send(pb.WatchRequest(create_request=create))
        response = stream.receive(5)
        assert response is not None
        stream.close()
        return response.watch_id, response.cancel_reason

    denied = "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
    if version == "3.5.1":
        refusals = [(5, denied)] * 3
    else:
        refusals = [
            (-1, "rpc error: code = InvalidArgument desc = etcdserver: user name is empty"),
            (-1, "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token"),
            (-1, denied),
        ]
    assert [reason(token, b"x") for token in ("", "no.1", guarded.user)] == refusals
    assert reason(guarded.user, b"k") == (5, "")
    assert reason(guarded.user, b"k", b"l") == (5, "")
    from_key = reason(guarded.user, b"k", b"\0")
    assert from_key == (refusals[2] if version in ("3.6.16", "3.7.3") else (5, ""))


@pytest.mark.parametrize("version", VERSIONS)
def test_an_alarm_switched_permissions_off_until_3_6(version: str) -> None:
    guarded = Guarded(version)
    delete = pb.DeleteRangeRequest(key=b"x")
    assert guarded.ask(KV + "DeleteRange", delete) == DENIED
    alarm = pb.AlarmRequest(action="ACTIVATE", memberID=7, alarm="NOSPACE")
    assert guarded.ask(MAINTENANCE + "Alarm", alarm, guarded.root) == "ok"
    is_open = version < "3.6"
    assert guarded.ask(KV + "DeleteRange", delete) == ("ok" if is_open else DENIED)
    assert guarded.ask("/etcdserverpb.Auth/UserList", pb.AuthUserListRequest()) == ("ok" if is_open else DENIED)
    assert guarded.ask(KV + "Range", pb.RangeRequest(key=b"x")) == DENIED  # that doesn't go through raft
    alarm.action = pb.AlarmRequest.DEACTIVATE
    assert guarded.ask(MAINTENANCE + "Alarm", alarm, guarded.root) == "ok"
    assert guarded.ask(KV + "DeleteRange", delete) == DENIED


def test_a_new_grant_counts_for_an_old_token() -> None:
    guarded = Guarded("3.5.30")
    assert guarded.ask(KV + "Range", pb.RangeRequest(key=b"k")) == DENIED
    grant = pb.AuthRoleGrantPermissionRequest(name="r", perm=pb.Permission(permType="READ", key=b"k"))
    assert guarded.ask("/etcdserverpb.Auth/RoleGrantPermission", grant, guarded.root) == "ok"
    assert guarded.ask(KV + "Range", pb.RangeRequest(key=b"k")) == "ok"
    revoke = pb.AuthUserRevokeRoleRequest(name="u", role="r")
    assert guarded.ask("/etcdserverpb.Auth/UserRevokeRole", revoke, guarded.root) == "ok"
    assert guarded.ask(KV + "Range", pb.RangeRequest(key=b"k")) == DENIED
