"""The fake's HTTP beside a real etcd's, request by request: the same status and type, and the same body but for ids.

One table, in the order in which the requests are sent; each server begins empty. `--etcd-source` chooses the release.
"""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import pytest

from etcd_lockstep import servers
from etcd_lockstep.pytest_plugin import etcd_source
from etcd_lockstep.servers import Endpoint, RunningEtcd
from fake_etcd import Engine, serve


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the answer to it as it is compared."""

    method: str
    target: str
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    lines: int = 0
    """Of a stream, so many lines are read; 0 reads the body to its end."""
    same_words: bool = True
    """Whether the message of an error is compared; Go's words about values of the wrong type are Go's own."""


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def post(path: str, *, lines: int = 0, token: bool = False, same_words: bool = True, **fields: Any) -> Asked:
    headers = {"Authorization": TOKEN} if token else {}
    return Asked("POST", path, json.dumps(fields), headers, lines, same_words)


TOKEN = "the token of the last authentication"

PLAIN = [
    *(Asked("GET", path) for path in ("/version", "/health", "/health?serializable=true", "/health?exclude=NOSPACE")),
    *(Asked("GET", path) for path in ("/livez", "/livez?verbose", "/livez/serializable_read", "/livez/none")),
    *(Asked("GET", path) for path in ("/readyz", "/readyz?exclude=data_corruption", "/readyz?exclude=none")),
    *(Asked("GET", f"/readyz/{check}") for check in ("data_corruption", "linearizable_read", "serializable_read")),
    Asked("GET", "/readyz/data_corruption?verbose"),
    *(Asked(method, "/health") for method in ("POST", "HEAD", "OPTIONS", "DELETE")),
    *(Asked("POST", path) for path in ("/version", "/livez", "/readyz")),
    *(
        Asked("GET", path)
        for path in ("/", "/v2/keys", "/v3/", "/v3/none", "/v3/kv/range", "/v3/kv/put/", "/v3beta/none")
    ),
    Asked("PUT", "/v3/kv/range", "{}"),
]
BODIES = [
    Asked("POST", "/v3/kv/range"),
    Asked("POST", "/v3/kv/range", "{}"),
    Asked("POST", "/v3/kv/range", "x"),
    Asked("POST", "/v3/kv/range", '{"key":'),
    Asked("POST", "/v3/kv/range", '{"key":"YQ==",'),
    Asked("POST", "/v3/kv/range", '{"key":"YQ'),
    Asked("POST", "/v3/kv/range", '{"key" "YQ=="}'),
    Asked("POST", "/v3/kv/range", '{"key":"YQ=="} {"key'),
    Asked("POST", "/v3/kv/range", "[]", same_words=False),
    Asked("POST", "/v3/kv/range", '{"key":5}', same_words=False),
    Asked("POST", "/v3/kv/range", '{"key":"YQ==","limit":"x"}', same_words=False),
    Asked("POST", "/v3/kv/range", '{"key":"YQ==","limit":1.5}', same_words=False),
    Asked("POST", "/v3/kv/range", '{"key":"YQ==","none":1}'),
    Asked("POST", "/v3/lease/keepalive"),
    Asked("POST", "/v3/lease/keepalive", "x"),
    Asked("POST", "/v3/lease/keepalive", '{"ID":1} x'),
]
KEYS = [
    post("/v3/kv/put", key=b64("a"), value=b64("1")),
    post("/v3/kv/put", key=b64("b"), value=b64("ÿ"), prevKv=True),
    post("/v3/kv/put", key=b64("a"), value=b64("2"), prev_kv=True),
    post("/v3/kv/put", key=b64("a"), ignore_value=True, lease="7"),
    post("/v3beta/kv/range", key=b64("a")),
    post("/v3/kv/range", key=b64("a"), rangeEnd=b64("c"), sortOrder="DESCEND", sort_target="KEY", limit=1),
    post("/v3/kv/range", key=b64("a"), range_end=b64("c"), sort_order=2, sort_target=1, limit="1", keys_only=True),
    post("/v3/kv/range", key=b64("a"), revision=99),
    post("/v3/kv/range", key=b64("a"), range_end=b64("c"), count_only=True),
    post(
        "/v3/kv/txn",
        compare=[{"key": b64("a"), "target": "VERSION", "result": "EQUAL", "version": "2"}],
        success=[{"requestPut": {"key": b64("c")}}, {"request_range": {"key": b64("c")}}],
        failure=[{"request_range": {"key": b64("a")}}],
    ),
    post("/v3/kv/txn", compare=[{"key": b64("a"), "target": "VALUE", "value": b64("0")}]),
    post("/v3/kv/deleterange", key=b64("b"), prevKv=True),
    post("/v3/kv/compaction", revision="4"),
    post("/v3/kv/compaction", revision="4"),
    post("/v3/kv/range", key=b64("a"), revision=2),
]
LEASES = [
    post("/v3/lease/grant", TTL=100, ID=7),
    post("/v3/lease/grant", TTL="100", ID="7"),
    post("/v3/kv/put", key=b64("l"), lease=7),
    post("/v3/lease/timetolive", ID=7, keys=True),
    post("/v3/kv/lease/timetolive", ID="8"),
    post("/v3/lease/keepalive", ID=7),
    Asked("POST", "/v3/lease/keepalive", '{"ID":7}{"ID":"8"}'),
    post("/v3/lease/leases"),
    post("/v3/kv/lease/leases"),
    post("/v3/kv/lease/revoke", ID=7),
    post("/v3/lease/revoke", ID=7),
]
WATCHES = [
    post("/v3/watch", lines=1, create_request={"key": b64("w")}),
    post("/v3/watch", lines=2, create_request={"key": b64("a"), "range_end": b64("z"), "startRevision": "5"}),
    post("/v3/watch", lines=2, createRequest={"key": b64("a"), "start_revision": 1}),
    Asked(
        "POST",
        "/v3/watch",
        '{"create_request":{"key":"YQ==","watch_id":"3"}}{"cancel_request":{"watch_id":3}}',
        lines=2,
    ),
]
CONCURRENCY = [
    post("/v3/lease/grant", TTL=100, ID=9),
    post("/v3/lock/lock", name=b64("lock"), lease=9),
    post("/v3/lock/unlock", key=b64("lock/9")),
    post("/v3/election/leader", name=b64("e")),
    post("/v3/election/campaign", name=b64("e"), lease=9, value=b64("me")),
    post("/v3/election/leader", name=b64("e")),
    post("/v3/election/observe", name=b64("e"), lines=1),
    post("/v3/election/proclaim", leader={"name": b64("e"), "key": b64("e/9"), "rev": "1", "lease": 9}),
    post("/v3/election/resign", leader={"name": b64("none"), "key": b64("none"), "rev": "1", "lease": 9}),
]
MAINTENANCE = [
    *(post(f"/v3/maintenance/{name}") for name in ("status", "alarm", "hash", "hashkv", "defragment", "none")),
    post("/v3/maintenance/transfer-leadership", targetID=5),
    post("/v3/maintenance/downgrade", action="CANCEL"),
    post("/v3/cluster/member/list"),
    post("/v3/cluster/member/promote", ID=5),
    post("/v3/cluster/member/remove", ID=5),
    post("/v3/maintenance/alarm", action="ACTIVATE", memberID=1, alarm="NOSPACE"),
    post("/v3/kv/put", key=b64("a")),
    Asked("GET", "/health"),
    Asked("GET", "/health?exclude=NOSPACE"),
    Asked("GET", "/readyz/data_corruption"),
    post("/v3/maintenance/alarm", action=2, memberID=1, alarm=1),
    Asked("GET", "/health"),
]
AUTH = [
    post("/v3/auth/enable"),
    post("/v3/auth/status"),
    post("/v3/auth/user/add", name="root", password="r"),
    post("/v3/auth/user/add", name="root", password="r"),
    post("/v3/auth/user/add", name="u", options={"noPassword": True}),
    post("/v3/auth/role/add", name="root"),
    post("/v3/auth/role/add", name="r"),
    post("/v3/auth/role/grant", name="r", perm={"permType": "READWRITE", "key": b64("a"), "range_end": b64("b")}),
    post("/v3/auth/role/get", role="r"),
    post("/v3/auth/user/grant", user="root", role="root"),
    post("/v3/auth/user/grant", user="u", role="r"),
    post("/v3/auth/user/list"),
    post("/v3/auth/role/list"),
    post("/v3/auth/enable"),
    post("/v3/kv/range", key=b64("a")),
    post("/v3/auth/authenticate", name="root", password="x"),
    post("/v3/auth/authenticate", name="root", password="r"),
    post("/v3/kv/range", key=b64("a"), token=True),
    Asked("POST", "/v3/kv/range", '{"key":"YQ=="}', {"Authorization": "wrong"}),
    Asked("POST", "/v3/kv/range", '{"key":"YQ=="}', {"Grpc-Metadata-Token": TOKEN}),
    post("/v3/watch", lines=1, token=True, create_request={"key": b64("a")}),
    post("/v3/watch", lines=1, create_request={"key": b64("a")}),
    post("/v3/lease/keepalive", ID=9),
    post("/v3/auth/user/get", name="u", token=True),
    post("/v3/auth/role/revoke", role="r", key=b64("a"), range_end=b64("b"), token=True),
    post("/v3/auth/user/revoke", name="u", role="r", token=True),
    post("/v3/auth/user/changepw", name="root", password="s", token=True),
    post("/v3/auth/authenticate", name="root", password="s"),
    post("/v3/auth/user/delete", name="u", token=True),
    post("/v3/auth/role/delete", role="r", token=True),
    post("/v3/auth/disable", token=True),
]
OF_THE_GATEWAY = [Asked("GET", "/v3/none"), post("/v3/auth/enable"), post("/v3/lease/keepalive")]
"""How these are answered is grpc-gateway's own: where it differs, etcd was built with another version of it than its
release has, as Debian's packages are, and only answers with a result are compared."""

TABLE = [*PLAIN, *BODIES, *KEYS, *LEASES, *WATCHES, *CONCURRENCY, *MAINTENANCE, *AUTH]

_NOT_COMPARED = {
    "cluster_id": "of a cluster of its own",
    "member_id": "of a member of its own",
    "leader": "a member's id",
    "raft_term": "of its history as a server",
    "raftTerm": "the same",
    "raftIndex": "the same",
    "raftAppliedIndex": "the same",
    "dbSize": "the fake's is an estimate",
    "dbSizeInUse": "the same",
    "dbSizeQuota": "the suite starts its etcds with one of its own",
    "token": "drawn at random",
    "hash": "in Hash, of the whole database",
    "peerURLs": "of a port of its own",
    "clientURLs": "the same",
    "name": "of the member",
}
"""Fields, each with its reason; that they are there is compared."""


def comparable(value: Any) -> Any:
    """A body without what differs between any two servers."""
    match value:
        case dict():
            return {
                key: "-" if key in _NOT_COMPARED and not isinstance(item, dict) else comparable(item)
                for key, item in value.items()
            }
        case list():
            return [comparable(item) for item in value]
        case str() if re.fullmatch(r"\d{15,20}", value):
            return "an id"
        case _:
            return value


class Client:
    """Asks one server."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host, int(port)
        self._token = ""

    def ask(self, asked: Asked) -> tuple[Any, ...]:
        """What is compared of the answer."""
        connection = HTTPConnection(self._host, self._port, timeout=20)
        headers = {name: self._token if value == TOKEN else value for name, value in asked.headers.items()}
        connection.request(asked.method, asked.target, asked.body.encode() or None, headers)
        response = connection.getresponse()
        if asked.lines:
            text = "".join(response.readline().decode() for _ in range(asked.lines))
        else:
            text = response.read().decode()
        kind = response.getheader("Content-Type")
        connection.close()
        response.close()
        return response.status, kind, response.getheader("Allow"), self._body(asked, text, kind)

    def _body(self, asked: Asked, text: str, kind: str | None) -> Any:
        if kind != "application/json":
            # etcd runs the checks of a probe in any order
            return sorted(text.splitlines()) if "verbose" in asked.target else text
        values = [json.loads(line) for line in text.splitlines()]
        for value in values:
            self._token = value.get("token", self._token)
            if not asked.same_words:
                for word in ("error", "message"):
                    if word in value:
                        value[word] = "-"
        return comparable(values)


@pytest.fixture
def fresh_etcd(real_etcd: RunningEtcd, request: pytest.FixtureRequest) -> Iterator[RunningEtcd]:
    """A real etcd of the session's kind for one test alone."""
    source = etcd_source(request.config)
    if not real_etcd.owned or isinstance(source, Endpoint):
        pytest.skip("this test needs an etcd of its own, and the session's was started by somebody else")
    with servers.start(source) as etcd:  # type: ignore[arg-type]  # NoEtcd would have skipped
        yield etcd


def test_the_fake_answers_each_request_as_etcd_does(fresh_etcd: RunningEtcd) -> None:
    with serve(Engine(fresh_etcd.version), http=True) as server:
        real, fake = Client(fresh_etcd.address), Client(server.address)
        is_another_gateway = any(real.ask(asked) != fake.ask(asked) for asked in OF_THE_GATEWAY)
        differences = []
        for asked in TABLE:
            expected, answered = real.ask(asked), fake.ask(asked)
            if expected != answered and not (is_another_gateway and (expected[0] != 200 or not expected[-1])):
                differences.append(f"{asked.method} {asked.target} {asked.body}\n  etcd {expected}\n  fake {answered}")
    assert not differences, "\n".join(differences)
