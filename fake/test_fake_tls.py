"""The server with TLS: who is let in, and who a client with a certificate is."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import grpc
import pytest
import trustme

from fake_etcd import BadCertificateError, Engine, Tls, cli, serve, stubs
from fake_etcd.stubs import Stubs
from fake_etcd.testing import Certificates, certificates
from fake_etcd.wire import messages as pb

GET = pb.RangeRequest(key=b"a")


def channel_of(server: str, made: Certificates, client: trustme.LeafCert | None = None) -> grpc.Channel:
    """A channel of a client who trusts the CA, with or without a certificate, to a server's address."""
    key = None if client is None else client.private_key_pem.bytes()
    chain = None if client is None else client.cert_chain_pems[0].bytes()
    credentials = grpc.ssl_channel_credentials(Path(made.ca_file).read_bytes(), key, chain)
    return grpc.secure_channel("localhost:" + server.rpartition(":")[2], credentials)


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return certificates(tmp_path / "made")


def is_let_in(channel: grpc.Channel) -> bool:
    """Whether a call is answered; a client who is not let in finds no server."""
    with channel:
        try:
            stubs(channel).kv.Range(GET, timeout=20)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017  # the other outcome is an answer
            return False
        return True


def test_a_server_that_shows_a_certificate(made: Certificates) -> None:
    with serve(Engine(), tls=made.tls()) as server:
        with channel_of(server.address, made) as channel:
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


def test_only_clients_with_a_certificate_of_the_ca_are_let_in(made: Certificates) -> None:
    of_ca = made.ca.issue_cert(common_name="someone")
    expired = made.ca.issue_cert(common_name="someone", not_after=datetime(2001, 1, 1, tzinfo=timezone.utc))
    of_other_ca = trustme.CA().issue_cert(common_name="someone")
    with serve(Engine(), tls=replace(made.tls(client_cert_auth=True), client_cert_auth=False)) as server:
        assert is_let_in(channel_of(server.address, made, of_ca))
        for client in (None, expired, of_other_ca):
            assert not is_let_in(channel_of(server.address, made, client))


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
def address(engine_with_users: Engine, made: Certificates) -> Iterator[str]:
    with serve(engine_with_users, tls=made.tls(client_cert_auth=True)) as server:
        yield server.address


def refusal(etcd: Stubs, metadata: tuple[tuple[str, str], ...] = ()) -> str:
    with pytest.raises(grpc.RpcError) as error:
        etcd.kv.Put(pb.PutRequest(key=b"a"), metadata=metadata)
    return str(error.value.details())


def test_a_certificates_common_name_is_the_user(address: str, made: Certificates) -> None:
    """As measured on 3.4.23, 3.5.30, 3.6.16 and 3.7.3."""
    with channel_of(address, made, made.ca.issue_cert(common_name="root")) as channel:
        assert stubs(channel).kv.Put(pb.PutRequest(key=b"a")).header.revision == 2
    with channel_of(address, made, made.ca.issue_cert(common_name="reader")) as channel:
        etcd = stubs(channel)
        assert etcd.kv.Range(GET).count == 1
        assert refusal(etcd) == "etcdserver: permission denied"
        assert refusal(etcd, (("grpcgateway-accept", "*"),)) == "etcdserver: user name is empty"
        assert refusal(etcd, (("token", "nobodys"),)) == "etcdserver: invalid auth token"
        root = pb.AuthenticateRequest(name="root", password="root")
        token = etcd.auth.Authenticate(root).token
        assert etcd.kv.Put(pb.PutRequest(key=b"a"), metadata=(("token", token),)).header.revision == 3
    with channel_of(address, made, made.ca.issue_cert(common_name="nobody")) as channel:
        assert refusal(stubs(channel)) == "etcdserver: permission denied"
        with pytest.raises(grpc.RpcError, match="etcdserver: user name not found"):
            stubs(channel).auth.UserAdd(pb.AuthUserAddRequest(name="x"))
    with channel_of(address, made, made.ca.issue_cert("etcd.test")) as channel:  # without a common name
        assert refusal(stubs(channel)) == "etcdserver: permission denied"
        with pytest.raises(grpc.RpcError, match="etcdserver: user name is empty"):
            stubs(channel).auth.UserAdd(pb.AuthUserAddRequest(name="x"))


def test_without_the_flag_a_certificate_names_nobody(engine_with_users: Engine, made: Certificates) -> None:
    root = made.ca.issue_cert(common_name="root")
    tls = replace(made.tls(client_cert_auth=True), client_cert_auth=False)
    with serve(engine_with_users, tls=tls) as server, channel_of(server.address, made, root) as channel:
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
            ["--dev-tls", "x", "--cert-file", "cert.pem"],
            "--dev-tls makes certificates, so --cert-file, --key-file and --trusted-ca-file don't go with it",
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
    made: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(made.folder)
    with pytest.raises(SystemExit) as ended:
        cli.main(["--listen-client-urls", "https://127.0.0.1:0", *arguments])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.startswith(f"fake-etcd: {complaint}")
    assert err.count("\n") == 1


def test_certificates_that_the_server_makes_itself(tmp_path: Path) -> None:
    code = "import sys; from fake_etcd.cli import main; sys.exit(main())"
    flags = ["--listen-client-urls", "https://127.0.0.1:0", "--dev-tls", "tls", "--client-cert-auth"]
    command = [sys.executable, "-c", code, *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip().rpartition("https://")[2]
            ca, key, chain = ((tmp_path / "tls" / name).read_bytes() for name in ("ca.pem", "root-key.pem", "root.pem"))
            with grpc.secure_channel(address, grpc.ssl_channel_credentials(ca, key, chain)) as channel:
                etcd = stubs(channel)
                etcd.auth.UserAdd(pb.AuthUserAddRequest(name="root", password="r"))
                etcd.auth.UserGrantRole(pb.AuthUserGrantRoleRequest(user="root", role="root"))
                etcd.auth.AuthEnable(pb.AuthEnableRequest())
                assert etcd.kv.Put(pb.PutRequest(key=b"a")).header.revision == 2
            assert not is_let_in(grpc.secure_channel(address, grpc.ssl_channel_credentials(ca)))
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_flags_that_a_url_of_http_makes_useless() -> None:
    code = "import sys; from fake_etcd.cli import main; sys.exit(main())"
    flags = ["--listen-client-urls", "http://127.0.0.1:0", "--cert-file", "gone.pem", "--key-file", "gone.pem"]
    command = [sys.executable, "-c", code, *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("fake-etcd serves etcd 3.5.16 at http://127.0.0.1:")
            process.send_signal(signal.SIGTERM)
            notice = "fake-etcd: the URL's scheme is http, so the flags of TLS are ignored\n"
            assert process.communicate(timeout=10)[1] == notice
        finally:
            process.kill()


def test_certificates_without_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(SystemExit) as ended:
        cli.main(["--listen-client-urls", "https://127.0.0.1:0", "--dev-tls", str(tmp_path)])
    complaint = "fake-etcd: --dev-tls and --auto-tls need the package trustme: pip install 'etcd-lockstep[tls]'\n"
    assert (ended.value.code, capsys.readouterr().err) == (2, complaint)


def test_a_folder_that_can_not_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        cli.main(["--listen-client-urls", "https://127.0.0.1:0", "--dev-tls", str(tmp_path / "file")])
    complaint = f"fake-etcd: can't write to {tmp_path / 'file'}: File exists\n"
    assert (ended.value.code, capsys.readouterr().err) == (2, complaint)


def test_files_that_are_missing_from_python(tmp_path: Path) -> None:
    with pytest.raises(BadCertificateError, match="can't read"):
        serve(Engine(), tls=Tls(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")))
