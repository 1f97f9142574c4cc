"""The server with TLS: who is let in, and who a client with a certificate is."""

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import grpc
import pytest
import trustme

from fake_etcd import BadCertificateError, Engine, Tls, cli, serve, stubs
from fake_etcd.stubs import Stubs
from fake_etcd.wire import messages as pb

GET = pb.RangeRequest(key=b"a")


class Certificates:
    """A CA, the server's certificate and clients', as files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.folder = folder
        server = self.ca.issue_cert("localhost")
        server.private_key_pem.write_to_path(str(folder / "key.pem"))
        server.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
        self.ca.cert_pem.write_to_path(str(folder / "ca.pem"))

    def tls(self, *, ca: bool = False, client_cert_auth: bool = False) -> Tls:
        return Tls(self.file("cert.pem"), self.file("key.pem"), self.file("ca.pem") if ca else "", client_cert_auth)

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def channel(self, address: str, client: trustme.LeafCert | None = None) -> grpc.Channel:
        key = None if client is None else client.private_key_pem.bytes()
        chain = None if client is None else client.cert_chain_pems[0].bytes()
        credentials = grpc.ssl_channel_credentials(self.ca.cert_pem.bytes(), key, chain)
        return grpc.secure_channel("localhost:" + address.rpartition(":")[2], credentials)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def is_let_in(channel: grpc.Channel) -> bool:
    """Whether a call is answered; a client who is not let in finds no server."""
    with channel:
        try:
            stubs(channel).kv.Range(GET, timeout=20)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017  # the other outcome is an answer
            return False
        return True


def test_a_server_that_shows_a_certificate(certificates: Certificates) -> None:
    with serve(Engine(), tls=certificates.tls()) as server:
        with certificates.channel(server.address) as channel:
            [member] = stubs(channel).cluster.MemberList(pb.MemberListRequest()).members
            assert list(member.clientURLs) == [f"https://{server.address}"]
            watch = stubs(channel).watch.Watch(
                iter([pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))]), timeout=20
            )
            assert next(watch).created
            watch.cancel()
        assert not is_let_in(grpc.insecure_channel(server.address))
        other = trustme.CA().cert_pem.bytes()
        port = server.address.rpartition(":")[2]
        assert not is_let_in(grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(other)))


def test_only_clients_with_a_certificate_of_the_ca_are_let_in(certificates: Certificates) -> None:
    of_ca = certificates.ca.issue_cert(common_name="someone")
    expired = certificates.ca.issue_cert(common_name="someone", not_after=datetime(2001, 1, 1, tzinfo=timezone.utc))
    of_other_ca = trustme.CA().issue_cert(common_name="someone")
    with serve(Engine(), tls=certificates.tls(ca=True)) as server:
        assert is_let_in(certificates.channel(server.address, of_ca))
        for client in (None, expired, of_other_ca):
            assert not is_let_in(certificates.channel(server.address, client))


@pytest.fixture
def engine_with_users() -> Engine:
    engine = Engine()
    for name in ("root", "reader"):
        engine.call("/etcdserverpb.Auth/UserAdd", pb.AuthUserAddRequest(name=name, password=name))
    engine.call("/etcdserverpb.Auth/UserGrantRole", pb.AuthUserGrantRoleRequest(user="root", role="root"))
    engine.call("/etcdserverpb.Auth/RoleAdd", pb.AuthRoleAddRequest(name="reads"))
    grant = pb.AuthRoleGrantPermissionRequest(name="reads", perm=pb.Permission(key=b"a", permType=pb.Permission.READ))
    engine.call("/etcdserverpb.Auth/RoleGrantPermission", grant)
    engine.call("/etcdserverpb.Auth/UserGrantRole", pb.AuthUserGrantRoleRequest(user="reader", role="reads"))
    engine.call("/etcdserverpb.Auth/AuthEnable", pb.AuthEnableRequest())
    return engine


@pytest.fixture
def address(engine_with_users: Engine, certificates: Certificates) -> Iterator[str]:
    with serve(engine_with_users, tls=certificates.tls(ca=True, client_cert_auth=True)) as server:
        yield server.address


def refusal(etcd: Stubs, metadata: tuple[tuple[str, str], ...] = ()) -> str:
    with pytest.raises(grpc.RpcError) as error:
        etcd.kv.Put(pb.PutRequest(key=b"a"), metadata=metadata)
    return str(error.value.details())


def test_a_certificates_common_name_is_the_user(address: str, certificates: Certificates) -> None:
    """As measured on 3.4.23, 3.5.30, 3.6.16 and 3.7.3."""
    with certificates.channel(address, certificates.ca.issue_cert(common_name="root")) as channel:
        assert stubs(channel).kv.Put(pb.PutRequest(key=b"a")).header.revision == 2
    with certificates.channel(address, certificates.ca.issue_cert(common_name="reader")) as channel:
        etcd = stubs(channel)
        assert etcd.kv.Range(GET).count == 1
        assert refusal(etcd) == "etcdserver: permission denied"
        assert refusal(etcd, (("grpcgateway-accept", "*"),)) == "etcdserver: user name is empty"
        assert refusal(etcd, (("token", "nobodys"),)) == "etcdserver: invalid auth token"
        root = pb.AuthenticateRequest(name="root", password="root")
        token = etcd.auth.Authenticate(root).token
        assert etcd.kv.Put(pb.PutRequest(key=b"a"), metadata=(("token", token),)).header.revision == 3
    with certificates.channel(address, certificates.ca.issue_cert(common_name="nobody")) as channel:
        assert refusal(stubs(channel)) == "etcdserver: permission denied"
        with pytest.raises(grpc.RpcError, match="etcdserver: user name not found"):
            stubs(channel).auth.UserAdd(pb.AuthUserAddRequest(name="x"))
    with certificates.channel(address, certificates.ca.issue_cert("etcd.test")) as channel:  # without a common name
        assert refusal(stubs(channel)) == "etcdserver: permission denied"
        with pytest.raises(grpc.RpcError, match="etcdserver: user name is empty"):
            stubs(channel).auth.UserAdd(pb.AuthUserAddRequest(name="x"))


def test_without_the_flag_a_certificate_names_nobody(engine_with_users: Engine, certificates: Certificates) -> None:
    root = certificates.ca.issue_cert(common_name="root")
    tls = certificates.tls(ca=True)
    with serve(engine_with_users, tls=tls) as server, certificates.channel(server.address, root) as channel:
        assert refusal(stubs(channel)) == "etcdserver: user name is empty"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--cert-file", "gone.pem", "--key-file", "key.pem"], "can't read gone.pem: No such file or directory"),
        (
            ["--cert-file", "cert.pem", "--key-file", "ca.pem"],
            "cert.pem and ca.pem are no certificate and its key: ",
        ),
        (
            ["--cert-file", "cert.pem", "--key-file", "key.pem", "--trusted-ca-file", "key.pem"],
            "key.pem holds no certificates: ",
        ),
        (
            ["--cert-file", "cert.pem", "--key-file", "key.pem", "--client-cert-auth"],
            "--client-cert-auth needs --trusted-ca-file: the system's own CAs are not used",
        ),
        (
            ["--cert-file", "cert.pem"],
            "TLS key/cert (--cert-file, --key-file) must be provided for client url https://127.0.0.1:0 with HTTPS",
        ),
    ],
)
def test_wrong_files(
    arguments: list[str],
    complaint: str,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(certificates.folder)
    with pytest.raises(SystemExit) as ended:
        cli.main(["--listen-client-urls", "https://127.0.0.1:0", *arguments])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.startswith(f"fake-etcd: {complaint}")
    assert err.count("\n") == 1


def test_files_that_are_missing_from_python(tmp_path: Path) -> None:
    with pytest.raises(BadCertificateError, match="can't read"):
        serve(Engine(), tls=Tls(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")))
