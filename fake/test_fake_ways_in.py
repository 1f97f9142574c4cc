"""FakeEtcd: every way in, what only a fake can do, and that closing it leaves nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from queue import Queue
from typing import Any

import grpc
import pytest

from fake_etcd import FakeEtcd, RunningClock, stubs
from fake_etcd.in_use import HeldLease, OpenWatch, WaitingCall
from fake_etcd.wire import messages as pb

needs_etcd3 = pytest.mark.skipif(find_spec("etcd3") is None, reason="the etcd3 client is not installed")
needs_aetcd = pytest.mark.skipif(find_spec("aetcd") is None, reason="the aetcd client is not installed")
needs_trustme = pytest.mark.skipif(find_spec("trustme") is None, reason="trustme is not installed")


@pytest.fixture
def etcd() -> Iterator[FakeEtcd]:
    with FakeEtcd() as etcd:
        yield etcd


def started(before: set[threading.Thread]) -> list[str]:
    """The names of the threads that are new."""
    return [thread.name for thread in threading.enumerate() if thread not in before]


@needs_etcd3
def test_etcd3(etcd: FakeEtcd) -> None:
    client = etcd.etcd3_client(timeout=5)
    lease = client.lease(60)
    client.put("leader", "me", lease)
    assert client.get("leader")[0] == b"me"
    etcd.advance(60)
    assert client.get("leader") == (None, None)
    assert client.status().version == etcd.version == "3.5.16"
    with client.lock("l", ttl=5) as lock:
        assert lock.is_acquired()
    assert client.transaction(
        compare=[client.transactions.version("a") == 0],
        success=[client.transactions.put("a", "1")],
        failure=[],
    )[0]


@needs_etcd3
def test_etcd3_as_a_user(etcd: FakeEtcd) -> None:
    auth = stubs(etcd.channel()).auth
    auth.UserAdd(pb.AuthUserAddRequest(name="root", password="secret"))
    auth.UserGrantRole(pb.AuthUserGrantRoleRequest(user="root", role="root"))
    auth.AuthEnable(pb.AuthEnableRequest())
    with pytest.raises(grpc.RpcError):
        etcd.etcd3_client().put("a", "1")
    with pytest.raises(grpc.RpcError):
        etcd.etcd3_client(user="root", password="wrong")
    etcd.etcd3_client(user="root", password="secret").put("a", "1")


@needs_etcd3
def test_etcd3_over_a_network_is_left_as_it_is(etcd: FakeEtcd) -> None:
    from fake_etcd.compat.etcd3 import import_etcd3

    etcd.etcd3_client().put("a", "1")
    with import_etcd3().client("127.0.0.1", etcd.port, timeout=5) as client:
        assert type(client.channel) is type(grpc.insecure_channel(""))
        assert client.get("a")[0] == b"1"


@needs_aetcd
def test_aetcd(etcd: FakeEtcd) -> None:
    async def main() -> None:
        async with etcd.aetcd_client(timeout=5) as client:
            watch = await client.watch(b"a")
            await client.put(b"a", b"1")
            assert (await watch.__aiter__().__anext__()).kv.value == b"1"
            lease = await client.lease(60)
            await client.put(b"b", b"1", lease=lease)
            etcd.advance(60)
            assert await client.get(b"b") is None
            async with client.lock(b"l", ttl=5) as lock:
                assert await lock.is_acquired()
        assert etcd.in_use() == [held for held in etcd.in_use() if isinstance(held, HeldLease)]

    before = set(threading.enumerate())
    asyncio.run(main())
    assert started(before) == []


@needs_aetcd
def test_an_aetcd_client_connects_again_on_another_loop(etcd: FakeEtcd) -> None:
    client = etcd.aetcd_client()

    async def put_and_close() -> int:
        response = await client.put(b"a", b"1")
        await client.close()
        return int(response.header.revision)

    assert [asyncio.run(put_and_close()) for _ in range(2)] == [2, 3]


@needs_aetcd
def test_aetcd_as_a_user(etcd: FakeEtcd) -> None:
    import aetcd

    auth = stubs(etcd.channel()).auth
    auth.UserAdd(pb.AuthUserAddRequest(name="root", password="secret"))
    auth.UserGrantRole(pb.AuthUserGrantRoleRequest(user="root", role="root"))
    auth.AuthEnable(pb.AuthEnableRequest())

    async def main() -> None:
        client = etcd.aetcd_client(username="root", password="secret")
        assert isinstance(client, aetcd.Client)
        await client.put(b"a", b"1")
        await client.close()
        with pytest.raises(aetcd.exceptions.InvalidArgumentError):
            await etcd.aetcd_client(username="root", password="wrong").put(b"a", b"1")

    asyncio.run(main())


def test_all_ways_lead_to_one_store(etcd: FakeEtcd) -> None:
    stubs(etcd.channel()).kv.Put(pb.PutRequest(key=b"a"))

    async def count() -> int:
        response = await stubs(etcd.aio_channel()).kv.Range(pb.RangeRequest(key=b"a"))
        return int(response.count)

    assert asyncio.run(count()) == 1
    assert etcd.engine.call("/etcdserverpb.KV/Range", pb.RangeRequest(key=b"a")).count == 1  # type: ignore[attr-defined]
    with grpc.insecure_channel(etcd.address) as channel:
        assert stubs(channel).kv.Range(pb.RangeRequest(key=b"a"), timeout=5).count == 1
    assert etcd.address == f"127.0.0.1:{etcd.port}"
    etcd.reset()
    assert stubs(etcd.channel()).kv.Range(pb.RangeRequest(key=b"a")).count == 0


@needs_trustme
def test_it_serves_with_tls(etcd: FakeEtcd, tmp_path: Path) -> None:
    from fake_etcd.testing import certificates

    made = certificates(tmp_path)
    server = etcd.serve(tls=made.tls())
    trusted = grpc.ssl_channel_credentials(Path(made.ca_file).read_bytes())
    with grpc.secure_channel(f"localhost:{server.port}", trusted) as channel:
        assert stubs(channel).maintenance.Status(pb.StatusRequest(), timeout=5).version == "3.5.16"
    assert etcd.address == server.address  # and not that of a second server


def test_time_goes_by_when_the_test_says_so_and_with_a_running_clock_by_itself_too() -> None:
    with FakeEtcd() as etcd:
        lease = stubs(etcd.channel()).lease
        granted = lease.LeaseGrant(pb.LeaseGrantRequest(TTL=60)).ID
        etcd.advance(59)
        assert lease.LeaseTimeToLive(pb.LeaseTimeToLiveRequest(ID=granted)).grantedTTL == 60
        etcd.advance(1)
        assert lease.LeaseTimeToLive(pb.LeaseTimeToLiveRequest(ID=granted)).TTL == -1
    clock = RunningClock()
    with FakeEtcd(clock=clock) as etcd:
        before = clock()
        etcd.advance(100)
        assert clock() >= before + 100
        assert clock() > clock.__class__()() + 99
    with FakeEtcd(clock=time.monotonic) as etcd, pytest.raises(TypeError, match="only goes by itself"):
        etcd.advance(1)


def test_further_settings_are_those_of_the_engine() -> None:
    with FakeEtcd("3.6.16", max_txn_ops=1) as etcd:
        put = pb.RequestOp(request_put=pb.PutRequest(key=b"a"))
        other = pb.RequestOp(request_put=pb.PutRequest(key=b"b"))
        with pytest.raises(grpc.RpcError, match="too many operations"):
            stubs(etcd.channel()).kv.Txn(pb.TxnRequest(success=[put, other]))
    with pytest.raises(ValueError, match=r"2\.3"):
        FakeEtcd("2.3")


def test_what_is_in_use_is_named(etcd: FakeEtcd) -> None:
    made = stubs(etcd.channel())
    assert etcd.in_use() == []
    made.lease.LeaseGrant(pb.LeaseGrantRequest(ID=7, TTL=60))
    made.kv.Put(pb.PutRequest(key=b"a", lease=7))
    requests = [
        pb.WatchRequest(create_request=pb.WatchCreateRequest(key=key, range_end=range_end))
        for key, range_end in ((b"a", b""), (b"p/", b"p0"), (b"a", b"\0"), (b"a", b"c"))
    ]
    watch = made.watch.Watch(iter(requests))
    for _ in requests:
        assert next(watch).created
    made.lock.Lock(pb.LockRequest(name=b"l", lease=7))
    made.lease.LeaseGrant(pb.LeaseGrantRequest(ID=16, TTL=30))
    waiting = made.lock.Lock.future(pb.LockRequest(name=b"l", lease=16))
    while not any(isinstance(held, WaitingCall) and held.waits_for for held in etcd.in_use()):
        time.sleep(0.001)
    assert etcd.in_use()[0] == HeldLease(7, 60, (b"a", b"l/7"))
    assert OpenWatch(b"a", b"") in etcd.in_use()
    assert [str(held) for held in etcd.in_use()] == [
        "lease 7 (TTL 60 s) of b'a', b'l/7'",
        "lease 10 (TTL 30 s) of b'l/10'",
        "watch of b'a'",
        "watch of prefix b'p/'",
        "watch of all keys from b'a' on",
        "watch of keys from b'a' to b'c'",
        "Lock that waits for b'l/7'",
    ]
    waiting.cancel()
    watch.cancel()
    made.lease.LeaseRevoke(pb.LeaseRevokeRequest(ID=7))
    made.lease.LeaseRevoke(pb.LeaseRevokeRequest(ID=16))
    deadline = time.monotonic() + 5
    while etcd.in_use() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert etcd.in_use() == []


@needs_etcd3
def test_closing_ends_all_that_is_open_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    etcd = FakeEtcd()
    client = etcd.etcd3_client()
    reported: Queue[Any] = Queue()
    client.add_watch_callback("a", reported.put)
    made = stubs(etcd.channel())
    watch = made.watch.Watch(iter([pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))]))
    assert next(watch).created
    made.lock.Lock(pb.LockRequest(name=b"l"))
    waiting = made.lock.Lock.future(pb.LockRequest(name=b"l"))
    with grpc.insecure_channel(etcd.address) as channel:
        remote = stubs(channel).watch.Watch(iter([pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))]))
        assert next(remote).created
        etcd.close()
        assert remote.code() is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(grpc.RpcError) as ended:
        next(watch)
    assert ended.value.code() is grpc.StatusCode.CANCELLED
    with pytest.raises(grpc.FutureCancelledError):
        waiting.result(timeout=5)
    assert isinstance(reported.get(timeout=5), grpc.RpcError)
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=5)  # gRPC's own, of the channel over the network; and on a busy machine the last of ours
    assert started(before) == []
    etcd.close()  # once more does no harm
    for way_in in (etcd.channel, etcd.aio_channel, etcd.serve, etcd.etcd3_client, lambda: etcd.address):
        with pytest.raises(ValueError, match="closed"):
            way_in()


def test_what_waits_on_an_event_loop_learns_of_the_end() -> None:
    async def main() -> list[grpc.StatusCode]:
        etcd = FakeEtcd()
        made = stubs(etcd.aio_channel())
        await made.lock.Lock(pb.LockRequest(name=b"l"))
        waiting = made.lock.Lock(pb.LockRequest(name=b"l"))
        watch = made.watch.Watch([pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))])
        assert (await watch.read()).created
        await asyncio.to_thread(etcd.close)
        with pytest.raises(grpc.RpcError):
            await watch.read()
        return [await waiting.code(), await watch.code()]

    assert asyncio.run(main()) == [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE]


@needs_etcd3
def test_a_users_client_that_closes_itself_may_be_closed_again(etcd: FakeEtcd) -> None:
    with etcd.etcd3_client() as client:
        client.watch("a")
    etcd.close()


@pytest.mark.parametrize(("module", "call"), [("etcd3", "etcd3_client"), ("aetcd", "aetcd_client")])
def test_without_the_client_the_error_says_what_to_install(module: str, call: str) -> None:
    program = (
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"
        "from fake_etcd import FakeEtcd\n"
        f"try: FakeEtcd().{call}()\n"
        "except ImportError as error: print(error)\n"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert printed == f"the {module} client is not installed: pip install 'etcd-lockstep[{module}]'\n"


@needs_aetcd
@needs_etcd3
def test_etcd3_and_aetcd_live_in_one_process(etcd: FakeEtcd) -> None:
    etcd.etcd3_client().put("a", "1")

    async def get() -> bytes:
        async with etcd.aetcd_client() as client:
            return bytes((await client.get(b"a")).value)

    assert asyncio.run(get()) == b"1"
