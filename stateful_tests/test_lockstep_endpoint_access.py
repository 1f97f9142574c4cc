"""Endpoints as users have them: with TLS, behind a user, on a socket, several of one cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_lockstep.servers import Access, BadCredentials, BadSource, Credentials, Endpoint, parse_source


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
