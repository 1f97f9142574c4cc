"""Who is let in, and as whom: the same cases of certificates and tokens on the fake and on a real etcd of a release."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from google.protobuf.message import Message

from etcd_lockstep.servers import EtcdUnavailable
from etcd_lockstep.servers.discovery import Program, environment, find_release
from etcd_lockstep.servers.settings import etcd_flags
from fake_etcd import FakeEtcd, Tls, stubs
from fake_etcd.testing import Certificates, certificates
from fake_etcd.token_options import BadTokenOptionsError
from fake_etcd.wire import messages as pb

RELEASES = ("3.4.23", "3.5.1", "3.6.16", "3.7.3")
GET = pb.RangeRequest(key=b"a")
PUT = pb.PutRequest(key=b"a")
READ_ONLY = pb.TxnRequest(success=[pb.RequestOp(request_range=GET)])
USERS = pb.AuthUserListRequest()

DENIED = "PERMISSION_DENIED: etcdserver: permission denied"
INVALID = "UNAUTHENTICATED: etcdserver: invalid auth token"
NOBODY = "INVALID_ARGUMENT: etcdserver: user name is empty"
UNKNOWN_USER = "FAILED_PRECONDITION: etcdserver: user name not found"
NOT_LET_IN = "not let in"
VERIFY_ONLY = "UNKNOWN: auth: token signing attempted with verify-only key"


@pytest.fixture(params=RELEASES)
def program(request: pytest.FixtureRequest) -> Program:
    """A real etcd of a release."""
    try:
        return find_release(request.param)
    except EtcdUnavailable as reason:
        pytest.skip(f"needs etcd {request.param} (scripts/fetch-etcd {request.param}): {reason}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A CA, and the certificate of the servers."""
    return certificates(tmp_path_factory.mktemp("tls"))


class Keys:
    """Private and public keys for each family of sign methods, as files and as PyJWT takes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.private: dict[str, Any] = {
            "RS": rsa.generate_private_key(65537, 2048),
            "ES": ec.generate_private_key(ec.SECP256R1()),
            "Ed": ed25519.Ed25519PrivateKey.generate(),
        }
        for family, key in self.private.items():
            traditional = PrivateFormat.PKCS8 if family == "Ed" else PrivateFormat.TraditionalOpenSSL
            self._file(family).write_bytes(key.private_bytes(Encoding.PEM, traditional, NoEncryption()))
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            self._file(f"{family}-public").write_bytes(public)
        other = rsa.generate_private_key(65537, 2048).public_key()
        self._file("other-public").write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        self.private["HS"] = b"a secret of 64 bytes, for PyJWT warns of those that are shorter."
        self._file("HS").write_bytes(self.private["HS"])

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def option(self, text: str) -> str:
        """An option for --auth-token, in which `{}` is the folder of the keys."""
        return text.replace("{}", str(self.folder))

    def sign(self, claims: Mapping[str, Any], method: str = "RS256") -> str:
        family = "RS" if method.startswith("PS") else method[:2]
        return jwt.encode(dict(claims), self.private[family], method)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


class Client:
    """Calls, each as one line."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.etcd = stubs(channel)

    def ask(self, request: Message, token: str = "") -> str:
        """`ok`, or the refusal; a client who isn't let in finds no server."""
        try:
            self.send(request, token)
        except grpc.RpcError as error:
            is_out = error.code() is grpc.StatusCode.UNAVAILABLE
            return NOT_LET_IN if is_out else f"{error.code().name}: {error.details()}"
        return "ok"

    def send(self, request: Message, token: str = "") -> Any:
        name = type(request).__name__.removesuffix("Request")
        calls: dict[str, Callable[..., Any]] = {
            "Range": self.etcd.kv.Range,
            "Put": self.etcd.kv.Put,
            "Txn": self.etcd.kv.Txn,
            "LeaseGrant": self.etcd.lease.LeaseGrant,
            "LeaseTimeToLive": self.etcd.lease.LeaseTimeToLive,
            "LeaseLeases": self.etcd.lease.LeaseLeases,
            "LeaseRevoke": self.etcd.lease.LeaseRevoke,
            "AuthEnable": self.etcd.auth.AuthEnable,
            "AuthDisable": self.etcd.auth.AuthDisable,
        }
        call = calls.get(name) or getattr(self.etcd.auth, name.removeprefix("Auth") if name[4] != "e" else name)
        return call(request, metadata=(("token", token),) if token else (), timeout=10)

    def login(self, name: str) -> str:
        """A user's token; everybody's password is their name."""
        token: str = self.send(pb.AuthenticateRequest(name=name, password=name)).token
        return token

    def watch(self, token: str) -> str:
        """How a watch of a key begins: `ok`, or why it is cancelled."""
        request = pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))
        stream = self.etcd.watch.Watch(iter([request]), metadata=(("token", token),), timeout=10)
        reason: str = next(stream).cancel_reason
        stream.cancel()
        return reason or "ok"

    def enable_auth(self) -> None:
        """Users root and reader, of whom the latter may read the key a."""
        for name in ("root", "reader"):
            self.send(pb.AuthUserAddRequest(name=name, password=name))
        self.send(pb.AuthUserGrantRoleRequest(user="root", role="root"))
        self.send(pb.AuthRoleAddRequest(name="reads"))
        permission = pb.Permission(permType="READ", key=b"a")
        self.send(pb.AuthRoleGrantPermissionRequest(name="reads", perm=permission))
        self.send(pb.AuthUserGrantRoleRequest(user="reader", role="reads"))
        self.send(pb.AuthEnableRequest())


@dataclass(frozen=True)
class Server:
    """Where a server is, and whose certificates it has; None is one without TLS."""

    address: str
    made: Certificates | None

    @contextmanager
    def client(self, certificate: trustme.LeafCert | None = None) -> Iterator[Client]:
        """A client who trusts the CA, with a certificate of its own or without one."""
        if self.made is None:
            channel = grpc.insecure_channel(self.address)
        else:
            key = None if certificate is None else certificate.private_key_pem.bytes()
            chain = None if certificate is None else certificate.cert_chain_pems[0].bytes()
            credentials = grpc.ssl_channel_credentials(Path(self.made.ca_file).read_bytes(), key, chain)
            channel = grpc.secure_channel(self.address, credentials)
        with channel:
            yield Client(channel)


@contextmanager
def real(program: Program, auth_token: str, tls: Tls | None, made: Certificates) -> Iterator[Server]:
    """A real etcd."""
    with tempfile.TemporaryDirectory(prefix="etcd-lockstep-") as folder:
        client_port, peer_port = _free_ports()
        flags = etcd_flags(
            name="one", data_dir=f"{folder}/data", listen="127.0.0.1", client_port=client_port, peer_port=peer_port
        )
        if tls is not None:
            flags = [flag.replace("http", "https") if "-client-urls=" in flag else flag for flag in flags]
            flags += [f"--cert-file={tls.cert_file}", f"--key-file={tls.key_file}"]
            flags += [f"--trusted-ca-file={tls.trusted_ca_file}"] if tls.trusted_ca_file else []
            flags += ["--client-cert-auth"] if tls.client_cert_auth else []
        command = [str(program.path), *flags, f"--auth-token={auth_token}", "--bcrypt-cost=4", *program.speedups]
        with subprocess.Popen(
            command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                server = Server(f"127.0.0.1:{client_port}", made if tls else None)
                with server.client(made.ca.issue_cert("localhost", common_name="ready")) as client:
                    client.etcd.kv.Range(GET, timeout=5, wait_for_ready=True)
                yield server
            finally:
                process.kill()


def _free_ports() -> tuple[int, int]:
    with socket.socket() as client, socket.socket() as peer:
        client.bind(("127.0.0.1", 0))
        peer.bind(("127.0.0.1", 0))
        return client.getsockname()[1], peer.getsockname()[1]


@contextmanager
def fake(program: Program, auth_token: str, tls: Tls | None, made: Certificates) -> Iterator[Server]:
    """The fake of the same release."""
    with FakeEtcd(program.version, clock=time.monotonic, auth_token=auth_token) as etcd:
        yield Server(etcd.serve(tls=tls).address, made if tls else None)


def both(
    program: Program, auth_token: str, tls: Tls | None, made: Certificates, case: Callable[[Server], Iterable[str]]
) -> list[str]:
    """What both answer in a case, which must be the same."""
    answers = []
    for start in (real, fake):
        with start(program, auth_token, tls, made) as server:
            answers.append(list(case(server)))
    assert answers[1] == answers[0]
    return answers[0]


def old_revision(program: Program) -> str:
    if program.version == "3.5.1":
        return "UNKNOWN: auth: revision in header is old"
    return "INVALID_ARGUMENT: etcdserver: revision of auth store is old"


def test_which_certificates_are_let_in_and_as_whom(program: Program, made: Certificates) -> None:
    def case(server: Server) -> Iterator[str]:
        issue = made.ca.issue_cert
        with server.client(issue("localhost", common_name="root")) as root:
            root.enable_auth()
            yield f"root: {root.ask(USERS)}"
        for name, certificate in {
            "none": None,
            "of another CA": trustme.CA().issue_cert("localhost", common_name="root"),
            "expired": issue("localhost", common_name="root", not_after=datetime(2001, 1, 1, tzinfo=timezone.utc)),
        }.items():
            with server.client(certificate) as client:
                yield f"{name}: {client.ask(GET)}"
        for name, certificate in {
            "reader": issue("localhost", common_name="reader"),
            "nobody": issue("localhost", common_name="nobody"),
            "without a name": issue("etcd.test"),
        }.items():
            with server.client(certificate) as client:
                yield f"{name}: {client.ask(GET)}, {client.ask(PUT)}, {client.ask(USERS)}"
        with server.client(issue("localhost", common_name="reader")) as reader:
            token = reader.login("root")
            yield f"reader with root's token: {reader.ask(USERS, token)}"
            yield f"reader with a wrong token: {reader.ask(GET, 'no.1')}"

    assert both(program, "simple", made.tls(client_cert_auth=True), made, case) == [
        "root: ok",
        f"none: {NOT_LET_IN}",
        f"of another CA: {NOT_LET_IN}",
        f"expired: {NOT_LET_IN}",
        f"reader: ok, {DENIED}, {DENIED}",
        f"nobody: {DENIED}, {DENIED}, {UNKNOWN_USER}",
        f"without a name: {DENIED}, {DENIED}, {NOBODY}",
        "reader with root's token: ok",
        f"reader with a wrong token: {INVALID}",
    ]


def test_a_trusted_ca_alone_names_nobody(program: Program, made: Certificates) -> None:
    """Nor does a server without it look at clients' certificates."""

    def case(server: Server) -> Iterator[str]:
        root = made.ca.issue_cert("localhost", common_name="root")
        with server.client(root) as client:
            client.enable_auth()
            yield client.ask(GET)
            yield client.ask(GET, client.login("reader"))
        with server.client() as client:
            yield client.ask(GET)
        other = trustme.CA().cert_pem.bytes()
        with grpc.secure_channel(server.address, grpc.ssl_channel_credentials(other)) as channel:
            yield f"who trusts another CA: {Client(channel).ask(GET)}"
        with grpc.insecure_channel(server.address) as channel:
            yield f"without TLS: {Client(channel).ask(GET)}"

    tls = made.tls()
    out = [f"who trusts another CA: {NOT_LET_IN}", f"without TLS: {NOT_LET_IN}"]
    assert both(program, "simple", tls, made, case) == [NOBODY, "ok", NOBODY, *out]
    trusting = Tls(tls.cert_file, tls.key_file, made.ca_file)
    assert both(program, "simple", trusting, made, case) == [NOBODY, "ok", NOT_LET_IN, *out]


RS256 = "jwt,sign-method=RS256,priv-key={}/RS.pem,pub-key={}/RS-public.pem"
REVISION = 7
"""Of the auth store, after `enable_auth`."""


def test_what_a_signed_token_claims(program: Program, made: Certificates, keys: Keys) -> None:
    now = int(time.time())
    good = {"username": "reader", "revision": REVISION, "exp": now + 1000}
    changes: dict[str, dict[str, Any]] = {
        "good": {},
        "another user": {"username": "root"},
        "no such user": {"username": "x"},
        "no name": {"username": ""},
        "no end": {"exp": None},
        "end 0": {"exp": 0},
        "ended": {"exp": now - 10},
        "end in words": {"exp": "tomorrow"},
        "issued later": {"iat": now + 1000},
        "not before": {"nbf": now + 1000},
        "for others": {"aud": "others", "iss": "x"},
        "later revision": {"revision": REVISION + 1},
        "revision 0": {"revision": 0},
        "negative revision": {"revision": -1},
        "earlier revision": {"revision": REVISION - 1},
    }

    def case(server: Server) -> Iterator[str]:
        with server.client() as client:
            client.enable_auth()
            given = client.login("reader")
            claims = jwt.decode(given, options={"verify_signature": False})
            yield f"{jwt.get_unverified_header(given)} {claims['username']} {claims['revision']}"
            for name, change in changes.items():
                claims = {claim: value for claim, value in {**good, **change}.items() if value is not None}
                token = keys.sign(claims)
                asked = ", ".join(client.ask(request, token) for request in (GET, READ_ONLY, PUT, USERS))
                yield f"{name}: {asked}, {client.watch(token)}"
            for name, token in {
                "changed": f"{given[:-8]}AAAAAAAA",
                "of another method": jwt.encode(good, "x" * 32, "HS256"),
                "unsigned": jwt.encode(good, "", "none"),
                "no token at all": "x",
                "bearer": f"Bearer {given}",
            }.items():
                yield f"{name}: {client.ask(GET, token)}"

    answers = both(program, keys.option(RS256), None, made, case)
    old, release = old_revision(program), program.version
    watch_denied = "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
    refused = {
        "token": "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
        "old": "rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old",
        "nobody": "rpc error: code = InvalidArgument desc = etcdserver: user name is empty",
    }
    if release == "3.5.1":
        refused = dict.fromkeys(refused, watch_denied)
    good_for = f"ok, ok, {DENIED}, {DENIED}, ok"
    invalid = f"{INVALID}, {INVALID}, {INVALID}, {INVALID}, {refused['token']}"
    assert answers == [
        f"{{'alg': 'RS256', 'typ': 'JWT'}} reader {REVISION}",
        f"good: {good_for}",
        "another user: ok, ok, ok, ok, ok",
        f"no such user: {DENIED}, {DENIED}, {DENIED}, {UNKNOWN_USER}, {watch_denied}",
        f"no name: {DENIED}, {DENIED}, {DENIED}, {NOBODY}, {watch_denied}",
        f"no end: {good_for}",
        f"end 0: {good_for}",
        f"ended: {invalid}",
        f"end in words: {good_for if release == '3.5.1' else invalid}",
        f"issued later: {good_for if release >= '3.6' else invalid}",
        f"not before: {invalid}",
        f"for others: {good_for}",
        f"later revision: {old}, {old}, {DENIED}, {DENIED}, ok",
        f"revision 0: {NOBODY}, {NOBODY}, {NOBODY}, {DENIED}, {refused['nobody']}",
        f"negative revision: {old}, {old}, {DENIED}, {DENIED}, ok",
        f"earlier revision: {old}, {old}, {old}, {DENIED}, {refused['old']}",
        f"changed: {INVALID}",
        f"of another method: {INVALID}",
        f"unsigned: {INVALID}",
        f"no token at all: {INVALID}",
        f"bearer: {'ok' if release >= '3.6' else INVALID}",
    ]


def test_a_change_of_auth_makes_signed_tokens_old(program: Program, made: Certificates, keys: Keys) -> None:
    def case(server: Server) -> Iterator[str]:
        with server.client() as client:
            client.enable_auth()
            root, reader = client.login("root"), client.login("reader")
            yield client.ask(pb.AuthRoleAddRequest(name="more"), root)
            of_keys: list[Message] = [GET, PUT, READ_ONLY, pb.TxnRequest()]
            others: list[Message] = [USERS, pb.LeaseGrantRequest(TTL=60), pb.LeaseTimeToLiveRequest(ID=7, keys=True)]
            for request in (*of_keys, *others):
                yield f"{client.ask(request, reader)}, root {client.ask(request, root)}"
            reader = client.login("reader")
            yield f"anew {client.ask(GET, reader)}"
            client.send(pb.AuthUserDeleteRequest(name="reader"), root)
            yield f"gone {client.ask(GET, reader)}, {client.ask(USERS, reader)}"
            yield f"off {client.ask(pb.AuthDisableRequest(), root)}"
            yield f"{client.ask(GET, root)}, {client.ask(PUT, root)}, {client.ask(GET, 'x')}"
            client.send(pb.AuthEnableRequest())
            yield f"on {client.ask(GET, root)}, {client.ask(USERS, root)}"

    answers = both(program, keys.option(RS256), None, made, case)
    old = old_revision(program)
    assert answers == [
        "ok",
        *[f"{old}, root {old}"] * 4,
        f"{DENIED}, root ok",
        *["ok, root ok"] * 2,
        "anew ok",
        f"gone {old}, {UNKNOWN_USER}",
        "off ok",
        "ok, ok, ok" if program.version >= "3.6" else f"{old}, ok, {INVALID}",
        f"on {old}, ok",
    ]


def test_root_needs_no_token_of_now_for_leases(program: Program, made: Certificates, keys: Keys) -> None:
    """Nor did it for a lease whose keys nobody looked at. 3.5.1 and 3.4.23 look only where it is revoked."""
    of_a_lease: list[Message] = [
        pb.LeaseTimeToLiveRequest(ID=7, keys=True),
        pb.LeaseLeasesRequest(),
        pb.LeaseRevokeRequest(ID=7),
    ]

    def case(server: Server) -> Iterator[str]:
        with server.client() as client:
            client.enable_auth()
            tokens = {name: client.login(name) for name in ("reader", "root")}
            client.send(pb.LeaseGrantRequest(TTL=60, ID=7), tokens["root"])
            client.send(pb.PutRequest(key=b"a", lease=7), tokens["root"])
            client.send(pb.AuthRoleAddRequest(name="more"), tokens["root"])
            for name, token in tokens.items():
                yield f"{name}: {', '.join(client.ask(request, token) for request in of_a_lease)}"

    old = old_revision(program)
    expected = [f"reader: {old}, {old}, {old}", "root: ok, ok, ok"]
    if program.version in ("3.4.23", "3.5.1"):
        expected = [f"{name}: ok, ok, {old}" for name in ("reader", "root")]
    assert both(program, keys.option(RS256), None, made, case) == expected


def test_each_sign_method_signs_and_checks(program: Program, made: Certificates, keys: Keys) -> None:
    methods = {"PS384": "RS", "ES256": "ES", "HS512": "HS", **({"EdDSA": "Ed"} if program.version >= "3.6" else {})}
    for method, family in methods.items():

        def case(server: Server, method: str = method) -> Iterator[str]:
            with server.client() as client:
                client.enable_auth()
                given = client.login("reader")
                yield f"{jwt.get_unverified_header(given)['alg']} {client.ask(GET, given)}"
                yield client.ask(GET, keys.sign({"username": "reader", "revision": REVISION}, method))
                yield client.ask(GET, keys.sign({"username": "reader", "revision": REVISION}, "RS256"))

        options = keys.option(f"jwt,sign-method={method},priv-key={{}}/{family}.pem,ttl=90s")
        assert both(program, options, None, made, case) == [f"{method} ok", "ok", INVALID]


@pytest.mark.parametrize("program", ["3.4.23", "3.7.3"], indirect=True)
def test_a_server_without_the_private_key_checks_only(program: Program, made: Certificates, keys: Keys) -> None:
    """Leases with keys never end there while auth is on: etcd can't sign the token that it revokes them with."""
    root = keys.sign({"username": "root", "revision": REVISION})

    def case(server: Server) -> Iterator[str]:
        with server.client() as client:
            client.enable_auth()
            yield client.ask(pb.AuthenticateRequest(name="root", password="root"))
            yield client.ask(GET, root)
            lease = client.send(pb.LeaseGrantRequest(TTL=1), root).ID
            client.send(pb.PutRequest(key=b"a", lease=lease), root)
            time.sleep(3.2)
            left = client.send(pb.LeaseTimeToLiveRequest(ID=lease), root).TTL
            yield f"{client.send(GET, root).count} key, {'overdue' if left < 0 else 'left'}"

    options = keys.option("jwt,sign-method=RS256,pub-key={}/RS-public.pem")
    assert both(program, options, None, made, case) == [VERIFY_ONLY, "ok", "1 key, overdue"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("jwt", "auth: invalid auth options"),
        ("jwt,sign-method=RS257", "auth: invalid auth options"),
        ("jwt,sign-method=RS256", "auth: missing key data"),
        ("jwt,sign-method=RS256,priv-key={}/gone.pem", "auth: invalid auth options"),
        ("jwt,sign-method=RS256,priv-key={}/RS.pem,ttl=long", "auth: invalid auth options"),
        ("jwt,sign-method=HS256,pub-key={}/HS.pem", "auth: missing key data"),
        ("jwt,sign-method", "auth: invalid auth options"),
        ("jwt,ttl=1s,ttl=1s", "auth: invalid auth options"),
        ("kerberos", "auth: invalid auth options"),
        ("jwt,sign-method=RS256,priv-key={}/RS.pem,pub-key={}/other-public.pem", "don't match"),
        ("jwt,sign-method=RS256,priv-key={}/ES.pem", "private key"),
        ("jwt,sign-method=RS256,priv-key={}/HS.pem", "Key must be a PEM encoded"),
    ],
)
def test_options_that_are_refused_at_the_start(options: str, error: str, keys: Keys, tmp_path: Path) -> None:
    """By the fake in etcd's words, but for those about a key that can't be read."""
    try:
        program = find_release("3.6.16")
    except EtcdUnavailable as reason:
        pytest.skip(f"needs etcd 3.6.16 (scripts/fetch-etcd 3.6.16): {reason}")
    options = keys.option(options)
    command = [str(program.path), f"--data-dir={tmp_path / 'data'}", f"--auth-token={options}"]
    urls = ["--listen-client-urls=http://127.0.0.1:0", "--listen-peer-urls=http://127.0.0.1:0"]
    urls += ["--advertise-client-urls=http://127.0.0.1:0"]
    run = subprocess.run([*command, *urls], env=environment(), capture_output=True, text=True, timeout=20, check=False)
    assert run.returncode == 1
    assert error in run.stderr
    with pytest.raises(BadTokenOptionsError) as refusal:
        FakeEtcd("3.6.16", auth_token=options)
    ours = str(refusal.value)
    assert ours.startswith(f"--auth-token {options}: {error if error.startswith('auth: ') else ''}")
    assert error in ours or "the file of priv-key holds no RSA key" in ours
