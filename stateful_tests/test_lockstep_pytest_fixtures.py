"""The plugin's fixtures that run on a fake and on a real etcd, and what it says about what a test leaves behind."""

from __future__ import annotations

import importlib.util

import pytest

pytest_plugins = ["pytester"]

for package in ("etcd3", "aetcd"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs the {package} client: pip install 'etcd-lockstep[{package}]'", allow_module_level=True)

REAL = ("--etcd-backend", "real", "--etcd-source", "binary")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project of somebody's, without any configuration."""
    monkeypatch.delenv("ETCD_LOCKSTEP_ETCD_SOURCE", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


SUITE = """
    import asyncio
    from fake_etcd import FakeEtcd, stubs
    from fake_etcd.wire import messages as pb

    def test_etcd3(etcd3_client):
        assert etcd3_client.get("a") == (None, None)
        etcd3_client.put("a", "1")
        events, cancel = etcd3_client.watch("a")
        etcd3_client.put("a", "2")
        assert next(events).value == b"2"
        cancel()

    def test_aetcd(aetcd_client):
        async def main():
            assert await aetcd_client.get(b"a") is None
            await aetcd_client.put(b"a", b"1")
            assert (await aetcd_client.get(b"a")).value == b"1"
            await aetcd_client.close()

        asyncio.run(main())

    def test_stubs(etcd_backend):
        etcd = stubs(etcd_backend.channel())
        assert etcd.kv.Range(pb.RangeRequest(key=b"a", range_end=b"b")).count == 0
        assert etcd.maintenance.Status(pb.StatusRequest()).version == etcd_backend.version
        host, port = etcd_backend.address.split(":")
        assert int(port)

    def test_time(etcd_backend, etcd3_client):
        etcd3_client.put("a", "1", etcd3_client.lease(1))
        etcd_backend.advance(4)
        assert etcd3_client.get("a") == (None, None)
"""


def test_one_suite_runs_on_the_fake_and_on_a_real_etcd(project: pytest.Pytester) -> None:
    project.makepyfile(SUITE)
    fake = run(project, "-W", "error", "--etcd-source", "none")
    fake.assert_outcomes(passed=4)
    fake.stdout.no_fnmatch_line("the real etcd: *")
    real = run(project, "-W", "error", *REAL)
    real.assert_outcomes(passed=4)
    real.stdout.fnmatch_lines(["the real etcd: etcd *"])


def test_the_ini_option_chooses_too_and_without_a_real_etcd_its_tests_are_skipped(project: pytest.Pytester) -> None:
    project.makepyfile("def test_one(etcd_backend): assert etcd_backend.version")
    project.makeini("[pytest]\netcd_backend = real\netcd_source = none\n")
    run(project).assert_outcomes(skipped=1)
    run(project, "--etcd-backend", "fake").assert_outcomes(passed=1)
    project.makeini("[pytest]\netcd_backend = mock\n")
    refused = run(project)
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*etcd_backend is fake or real, not 'mock'"])


def test_the_fixtures_of_one_test_share_a_fake(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import grpc
        from fake_etcd import FakeEtcd, stubs
        from fake_etcd.wire import messages as pb

        def test_one(fake_etcd, fake_etcd_server, etcd_backend, etcd3_client):
            assert isinstance(fake_etcd, FakeEtcd) and etcd_backend is fake_etcd
            assert fake_etcd.address == fake_etcd_server.address
            etcd3_client.put("a", "1")
            with grpc.insecure_channel(fake_etcd_server.address) as channel:
                assert stubs(channel).kv.Range(pb.RangeRequest(key=b"a"), timeout=5).count == 1
    """)
    run(project, "-W", "error").assert_outcomes(passed=1)
    run(project, "-W", "error", *REAL).assert_outcomes(passed=1)  # it asks for the fake, so it stays there


LEFTOVERS = """
    import threading
    import pytest
    from fake_etcd import stubs
    from fake_etcd.wire import messages as pb

    @pytest.fixture
    def lease(etcd3_client):
        lease = etcd3_client.lease(60, lease_id=1)
        yield lease
        lease.revoke()

    def test_tidy(etcd3_client, lease):
        etcd3_client.put("a", "1", lease)

    def test_lease(etcd3_client):
        etcd3_client.put("a", "1", etcd3_client.lease(60, lease_id=0x2a))

    stop = threading.Event()

    def test_thread(etcd_backend):
        threading.Thread(target=stop.wait, name="mine", daemon=True).start()
"""
FAKES_LEFTOVERS = """
    import time
    import pytest
    from fake_etcd import stubs
    from fake_etcd.wire import messages as pb

    def test_watch(etcd3_client):
        etcd3_client.watch_prefix("p/")

    def test_waiter(fake_etcd):
        etcd = stubs(fake_etcd.channel())
        etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=7, TTL=60))
        etcd.lock.Lock(pb.LockRequest(name=b"l", lease=7))
        waiting = etcd.lock.Lock.future(pb.LockRequest(name=b"l"))
        while len(fake_etcd.in_use()) < 3:
            time.sleep(0.01)
"""


@pytest.mark.parametrize("backend", [(), REAL], ids=["fake", "real"])
def test_a_test_that_leaves_something_behind_is_told_so(project: pytest.Pytester, backend: tuple[str, ...]) -> None:
    project.makepyfile(LEFTOVERS)
    result = run(project, *backend)
    result.assert_outcomes(passed=3, warnings=2)
    result.stdout.fnmatch_lines(
        [
            "*LeftBehindWarning: test_lease has left behind: lease 2a (TTL 60 s) of b'a'",
            "*LeftBehindWarning: test_thread has left behind: thread 'mine'",
        ]
    )


def test_of_the_fake_watches_and_waiting_calls_are_told_too(project: pytest.Pytester) -> None:
    project.makepyfile(FAKES_LEFTOVERS)
    result = run(project)
    result.assert_outcomes(passed=2, warnings=2)
    result.stdout.fnmatch_lines(
        [
            "*LeftBehindWarning: test_watch has left behind: watch of prefix b'p/'",
            "*LeftBehindWarning: test_waiter has left behind: lease 7 (TTL 60 s)*, Lock that waits for b'l/*'",
        ]
    )


def test_what_is_left_behind_fails_or_is_ignored_where_the_user_says_so(project: pytest.Pytester) -> None:
    project.makepyfile(LEFTOVERS)
    failed = run(project, "--etcd-leftovers", "fail")
    failed.assert_outcomes(passed=3, errors=2)
    failed.stdout.fnmatch_lines(["test_lease has left behind: lease 2a (TTL 60 s) of b'a'"])
    project.makeini("[pytest]\netcd_leftovers = ignore\n")
    run(project).assert_outcomes(passed=3)
    project.makeini(
        "[pytest]\nfilterwarnings = error\n    ignore::etcd_lockstep.pytest_plugin.LeftBehindWarning\n",
    )
    run(project).assert_outcomes(passed=3)


def test_without_the_client_the_fixture_says_what_to_install(project: pytest.Pytester) -> None:
    project.makeconftest("import importlib.util\nimportlib.util.find_spec = lambda name: None\n")
    project.makepyfile("def test_one(etcd3_client): pass\ndef test_two(aetcd_client): pass\n")
    result = run(project)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            "the etcd3 client is not installed: pip install 'etcd-lockstep?etcd3?'",
            "the aetcd client is not installed: pip install 'etcd-lockstep?aetcd?'",
        ]
    )


def test_a_failing_test_reports_the_journal_of_its_fake(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nfake_etcd_journal = 10")
    pytester.makepyfile(
        """
        def test_it(fake_etcd):
            from fake_etcd import stubs
            from fake_etcd.wire import messages

            stubs(fake_etcd.channel()).kv.Put(messages.PutRequest(key=b"seen"))
            assert False
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*Journal of fake_etcd*", '*Put key: "seen" → revision 2'])
