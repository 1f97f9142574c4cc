"""Snapshots: what the fake sends is a database that etcd reads, and a real etcd's is one that the fake loads."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from fake_etcd import BadSnapshotError, FakeEtcd, Stubs, bbolt, stubs
from fake_etcd.cli import main
from fake_etcd.wire import messages as pb

if TYPE_CHECKING:
    from etcd_lockstep.servers import RunningEtcd

VERSIONS = ["3.4.23", "3.5.30", "3.6.16", "3.7.3"]


def fill(etcd: Stubs, prefix: bytes) -> int:
    """Write with leases, txns, deletions and a compaction. Reports the compacted revision."""
    etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=7, TTL=1000))
    for number in range(30):
        lease = 7 if number % 7 == 3 else 0
        etcd.kv.Put(pb.PutRequest(key=prefix + b"%d" % (number % 7), value=b"v%d" % number, lease=lease))
    request = pb.TxnRequest()
    for number in range(4):
        request.success.add(request_put=pb.PutRequest(key=prefix + b"t%d" % number, value=b"x" * 3000))
    etcd.kv.Txn(request)
    etcd.kv.Put(pb.PutRequest(key=prefix + b"t0", value=b"y" * 20_000))
    compacted: int = etcd.kv.DeleteRange(pb.DeleteRangeRequest(key=prefix + b"1")).header.revision
    etcd.kv.Compact(pb.CompactionRequest(revision=compacted, physical=True))
    etcd.kv.DeleteRange(pb.DeleteRangeRequest(key=prefix + b"2"))
    etcd.kv.Put(pb.PutRequest(key=prefix + b"2", value=b"reborn"))
    etcd.auth.RoleAdd(pb.AuthRoleAddRequest(name="reader"))
    permission = pb.Permission(key=b"a", range_end=b"b", permType="WRITE")
    etcd.auth.RoleGrantPermission(pb.AuthRoleGrantPermissionRequest(name="reader", perm=permission))
    etcd.auth.UserAdd(pb.AuthUserAddRequest(name="nobody", options=pb.UserAddOptions(no_password=True)))
    etcd.auth.UserGrantRole(pb.AuthUserGrantRoleRequest(user="nobody", role="reader"))
    return compacted


def state(etcd: Stubs, compacted: int) -> list[Any]:
    """Everything that a client can learn, at every revision that is left."""
    everything: list[Any] = []
    for revision in range(compacted, compacted + 3):
        everything.append(list(etcd.kv.Range(pb.RangeRequest(key=b"\0", range_end=b"\0", revision=revision)).kvs))
    with pytest.raises(grpc.RpcError, match="compacted"):
        etcd.kv.Range(pb.RangeRequest(key=b"\0", range_end=b"\0", revision=compacted - 1))
    hashed = etcd.maintenance.HashKV(pb.HashKVRequest(revision=compacted + 2))
    lease = etcd.lease.LeaseTimeToLive(pb.LeaseTimeToLiveRequest(ID=7, keys=True))
    everything += [hashed.hash, hashed.compact_revision, hashed.header.revision, lease.grantedTTL, list(lease.keys)]
    everything.append(list(etcd.auth.UserGet(pb.AuthUserGetRequest(name="nobody")).roles))
    everything.append(list(etcd.auth.RoleGet(pb.AuthRoleGetRequest(role="reader")).perm))
    return everything


def snapshot(etcd: Stubs) -> bytes:
    return b"".join(part.blob for part in etcd.maintenance.Snapshot(pb.SnapshotRequest()))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_fake_loads_its_own_snapshot(version: str, tmp_path: Path) -> None:
    file = tmp_path / "snapshot.db"
    with FakeEtcd(version) as etcd:
        client = stubs(etcd.channel())
        compacted = fill(client, b"k")
        client.maintenance.Alarm(pb.AlarmRequest(action="ACTIVATE", memberID=7, alarm="NOSPACE"))
        before = state(client, compacted)
        file.write_bytes(snapshot(client))
    with FakeEtcd.from_snapshot(file, version) as etcd:
        client = stubs(etcd.channel())
        assert state(client, compacted) == before
        assert [alarm.memberID for alarm in client.maintenance.Alarm(pb.AlarmRequest()).alarms] == [7]
        with pytest.raises(grpc.RpcError, match="space exceeded"):
            client.kv.Put(pb.PutRequest(key=b"more"))
        etcd.advance(1001)
        assert not client.kv.Range(pb.RangeRequest(key=b"k3")).kvs


def test_a_fake_loads_the_snapshot_of_a_real_etcd(real_etcd: RunningEtcd, tmp_path: Path) -> None:
    file = tmp_path / "snapshot.db"
    with grpc.insecure_channel(real_etcd.address) as channel:
        client = stubs(channel)
        compacted = fill(client, b"test_fake_snapshot/")
        try:
            before = state(client, compacted)
            file.write_bytes(snapshot(client))
        finally:
            client.lease.LeaseRevoke(pb.LeaseRevokeRequest(ID=7))
            client.kv.DeleteRange(pb.DeleteRangeRequest(key=b"test_fake_snapshot/", range_end=b"test_fake_snapshot0"))
            client.auth.UserDelete(pb.AuthUserDeleteRequest(name="nobody"))
            client.auth.RoleDelete(pb.AuthRoleDeleteRequest(role="reader"))
    with FakeEtcd.from_snapshot(file, real_etcd.version) as etcd:
        assert state(stubs(etcd.channel()), compacted) == before


def test_a_loaded_store_goes_on_and_compacts(tmp_path: Path) -> None:
    file = tmp_path / "snapshot.db"
    with FakeEtcd() as etcd:
        client = stubs(etcd.channel())
        compacted = fill(client, b"k")
        file.write_bytes(snapshot(client))
    with FakeEtcd.from_snapshot(file) as etcd:
        client = stubs(etcd.channel())
        revision = client.kv.Put(pb.PutRequest(key=b"k3", value=b"new")).header.revision
        assert revision == compacted + 3
        client.kv.Compact(pb.CompactionRequest(revision=revision))
        assert client.kv.Range(pb.RangeRequest(key=b"k3")).kvs[0].version == 5
        assert not client.lease.LeaseTimeToLive(pb.LeaseTimeToLiveRequest(ID=7, keys=True)).keys


def test_the_first_bytes_of_a_database_are_those_of_bbolt() -> None:
    """The numbers are from bbolt's source, and the checksum is FNV-1a of what stands before it."""
    data = bbolt.write({b"key": [(b"a", b"1")]})
    assert len(data) == 4 * 4096
    assert data[:16].hex() == "0000000000000000" + "0400" + "0000" + "00000000"
    assert data[16:32].hex() == "edda0ced" + "02000000" + "00100000" + "00000000"
    root = data[3 * 4096 :]
    assert root[:16].hex() == "0300000000000000" + "0200" + "0100" + "00000000"
    assert root[16:32].hex() == "01000000" + "10000000" + "03000000" + "32000000"
    assert root[32:35] == b"key"
    inline = root[35 : 35 + 0x32]
    assert inline.hex() == "00" * 16 + "0000000000000000" + "0200" + "0100" + "00000000" + (
        "00000000" + "10000000" + "01000000" + "01000000" + b"a1".hex()
    )


@pytest.mark.parametrize("count", [0, 1, 2, 3, 200, 20_000])
def test_what_is_written_is_read(count: int) -> None:
    bucket = [(b"%09d" % number, b"v" * (number % 50)) for number in range(count)]
    large = [(b"a", b"x" * 10_000), (b"b", b""), (b"c", b"y" * 70_000)]
    buckets = {b"key": bucket, b"large": large, b"none": []}
    assert bbolt.read(bbolt.write(buckets)) == buckets


def with_sum(data: bytes) -> bytes:
    return data + sha256(data).digest()


@pytest.fixture(scope="module")
def good() -> bytes:
    with FakeEtcd() as etcd:
        client = stubs(etcd.channel())
        fill(client, b"k")
        return snapshot(client)


def test_a_bad_file_is_refused_in_one_line(good: bytes, tmp_path: Path) -> None:
    file = tmp_path / "snapshot.db"
    refused = {}
    for name, data in {
        "nothing": b"",
        "a text": b"hello",
        "zeros": bytes(4096),
        "a flipped bit": good[:20_000] + bytes([good[20_000] ^ 1]) + good[20_001:],
        "cut": good[: len(good) // 2 // 512 * 512],
        "another database": with_sum(bbolt.write({b"users": [(b"a", b"b")]})),
        "a gap": with_sum(bbolt.write({b"key": [(revision(2), value(2)), (revision(4), value(4))], b"meta": []})),
        "a gap above what is compacted": with_sum(
            bbolt.write(
                {
                    b"key": [(revision(3), value(3)), (revision(5), value(5))],
                    b"meta": [(b"finishedCompactRev", revision(3))],
                }
            )
        ),
    }.items():
        file.write_bytes(data)
        with pytest.raises(BadSnapshotError) as caught:
            FakeEtcd.from_snapshot(file)
        refused[name] = (
            str(caught.value).replace(str(file), "FILE").removeprefix("FILE is no snapshot that fake-etcd can load: ")
        )
    assert refused.pop("cut").startswith("cut off: it has ")
    assert refused == {
        "nothing": "0 bytes are neither a database nor one with its sum",
        "a text": "5 bytes are neither a database nor one with its sum",
        "zeros": "no page that a database of bbolt begins with",
        "a flipped bit": "its SHA-256 doesn't match",
        "another database": "the bucket key is missing",
        "a gap": "revision 3 is missing",
        "a gap above what is compacted": "revision 4 is missing",
    }


def revision(main: int) -> bytes:
    return main.to_bytes(8, "big") + b"_" + bytes(8)


def value(main: int) -> bytes:
    return pb.KeyValue(key=b"k", create_revision=main, mod_revision=main, version=1).SerializeToString()


def test_broken_bytes_never_end_in_a_traceback(good: bytes, tmp_path: Path) -> None:
    """Bytes in the heads of all pages, one by one; without the sum, which would find each of them."""
    file, data = tmp_path / "snapshot.db", good[:-32]
    messages = []
    for start in range(0, len(data), 4096):
        for place in range(start, start + 80, 7):
            file.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
            try:
                FakeEtcd.from_snapshot(file).close()
            except BadSnapshotError as error:
                messages.append(str(error))
    assert len(messages) > 20
    assert not [message for message in messages if "\n" in message]


def test_the_command_refuses_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([f"--from-snapshot={tmp_path}/missing"], {})
    assert capsys.readouterr().err == f"fake-etcd: can't read {tmp_path}/missing: No such file or directory\n"


def with_a_password(file: Path) -> None:
    with FakeEtcd() as etcd:
        client = stubs(etcd.channel())
        client.auth.UserAdd(pb.AuthUserAddRequest(name="root", password="secret"))
        client.auth.RoleAdd(pb.AuthRoleAddRequest(name="root"))
        client.auth.UserGrantRole(pb.AuthUserGrantRoleRequest(user="root", role="root"))
        client.auth.AuthEnable(pb.AuthEnableRequest())
        token = client.auth.Authenticate(pb.AuthenticateRequest(name="root", password="secret")).token
        parts = client.maintenance.Snapshot(pb.SnapshotRequest(), metadata=[("token", token)])
        file.write_bytes(b"".join(part.blob for part in parts))


def test_a_password_is_in_the_snapshot(tmp_path: Path) -> None:
    pytest.importorskip("bcrypt", reason="without bcrypt, passwords in snapshots are empty")
    file = tmp_path / "snapshot.db"
    with_a_password(file)
    with FakeEtcd.from_snapshot(file) as etcd:
        client = stubs(etcd.channel())
        assert client.auth.Authenticate(pb.AuthenticateRequest(name="root", password="secret")).token
        with pytest.raises(grpc.RpcError, match="authentication failed"):
            client.auth.Authenticate(pb.AuthenticateRequest(name="root", password="Secret"))


def test_without_bcrypt_a_password_in_the_snapshot_matches_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    file = tmp_path / "snapshot.db"
    with_a_password(file)
    with FakeEtcd.from_snapshot(file) as etcd, pytest.raises(grpc.RpcError, match="authentication failed"):
        stubs(etcd.channel()).auth.Authenticate(pb.AuthenticateRequest(name="root", password="secret"))


def test_a_snapshot_with_passwords_of_bcrypt_needs_bcrypt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    user = pb.User(name=b"root", password=b"$2a$04$").SerializeToString()
    file = tmp_path / "snapshot.db"
    file.write_bytes(with_sum(bbolt.write({b"authUsers": [(b"root", user)], b"key": [], b"meta": []})))
    with pytest.raises(BadSnapshotError, match="the package bcrypt is needed: pip install bcrypt"):
        FakeEtcd.from_snapshot(file)
