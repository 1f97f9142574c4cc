"""The pytest plugin, as a suite that has etcd-lockstep installed sees it."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CORPUS = Path(__file__).with_name("corpus")
RANGE_LIE = "slot-mock-range-count-missing-2999dd.json"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project of somebody's, without any configuration."""
    monkeypatch.delenv("ETCD_LOCKSTEP_ETCD_SOURCE", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def put_corpus_file(project: pytest.Pytester, name: str, folder: str = "lies-found") -> Path:
    path = project.path / folder
    path.mkdir(exist_ok=True)
    return Path(shutil.copy(CORPUS / name, path))


FAKE_TEST = """
import grpc
from fake_etcd import stubs
from fake_etcd.wire import messages as pb

def put_and_count(address):
    with grpc.insecure_channel(address) as channel:
        etcd = stubs(channel)
        etcd.kv.Put(pb.PutRequest(key=b"a"), timeout=5)
        return etcd.kv.Range(pb.RangeRequest(key=b"a"), timeout=5).kvs[0].version

def test_one(fake_etcd):
    assert put_and_count(fake_etcd.address) == 1

def test_another(fake_etcd):
    assert put_and_count(fake_etcd.address) == 1
"""


def test_each_test_gets_a_fresh_fake(project: pytest.Pytester) -> None:
    project.makepyfile(FAKE_TEST)
    run(project).assert_outcomes(passed=2)


def test_the_fake_emulates_the_release_of_the_ini_option(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nfake_etcd_version = 3.6.16\n")
    project.makepyfile("""
        import grpc
        from fake_etcd import stubs
        from fake_etcd.wire import messages as pb

        def test_version(fake_etcd):
            with grpc.insecure_channel(fake_etcd.address) as channel:
                assert stubs(channel).maintenance.Status(pb.StatusRequest(), timeout=5).version == "3.6.16"
    """)
    run(project).assert_outcomes(passed=1)
    project.makeini("[pytest]\nfake_etcd_version = 2.3\n")
    result = run(project)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fake_etcd_version: *2.3*"])


def test_the_real_etcd_is_started_once(project: pytest.Pytester) -> None:
    project.makepyfile("""
        addresses = set()

        def test_one(real_etcd):
            addresses.add(real_etcd.address)

        def test_another(real_etcd):
            assert addresses == {real_etcd.address}
    """)
    result = run(project, "--etcd-source", "binary")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["the real etcd: etcd *"])


@pytest.mark.parametrize("how", ["option", "environment", "ini"])
def test_without_a_real_etcd_its_tests_are_skipped(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    project.makepyfile("def test_one(real_etcd): pass")
    if how == "environment":
        monkeypatch.setenv("ETCD_LOCKSTEP_ETCD_SOURCE", "none")
    elif how == "ini":
        project.makeini("[pytest]\netcd_source = none\n")
    result = run(project, "-rs", *(["--etcd-source=none"] if how == "option" else []))
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*needs a real etcd, and the session runs with --etcd-source none*"])


def test_an_etcd_that_cannot_be_started_fails_the_test_in_one_line(project: pytest.Pytester) -> None:
    project.makepyfile("def test_one(real_etcd): pass")
    result = run(project, "--etcd-source", "endpoint:127.0.0.1:1")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["no etcd answers at endpoint 127.0.0.1:1*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_search_fails_with_the_report(project: pytest.Pytester) -> None:
    project.makepyfile("""
        def test_mock(etcd_lockstep):
            etcd_lockstep("count-only-returns-kvs", families=["kv"], examples=40, seed=1)

        def test_fake(etcd_lockstep):
            etcd_lockstep("fake-server", families=["kv"], examples=5, seed=1)
    """)
    result = run(project, "--etcd-source", "none")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E * count-only-returns-kvs lies: range: kvs unexpected", 'E *put "a" = ""'])
    result.stdout.no_fnmatch_line("*api.py*")  # no line of ours between the user's and the report


# The corpus


def test_each_corpus_file_is_a_test(project: pytest.Pytester) -> None:
    put_corpus_file(project, RANGE_LIE)
    project.makepyfile("def test_one(): pass")
    options = ["--etcd-source", "none", "--etcd-lockstep-corpus", "lies-found"]
    result = run(project, "-v", *options)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([f"lies-found/{RANGE_LIE}::replay PASSED*"])

    result = run(project, *options, "--etcd-lockstep-target", "slot-mock")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["STILL LIES: slot-mock at step 2: range count missing*", "  1 put *", "  2 range *"])


def test_the_corpus_of_the_ini_option_joins_the_whole_suite_only(project: pytest.Pytester) -> None:
    path = put_corpus_file(project, RANGE_LIE)
    project.makepyfile(test_unit="def test_one(): pass")
    project.makeini(
        "[pytest]\netcd_source = none\netcd_lockstep_corpus = lies-found\netcd_lockstep_target = slot-mock\n"
    )
    run(project).assert_outcomes(passed=1, failed=1)
    run(project, "test_unit.py").assert_outcomes(passed=1)
    run(project, str(path)).assert_outcomes(failed=1)
    run(project, ".").assert_outcomes(passed=1, failed=1)  # the folder lies in it


def test_other_json_files_are_left_alone(project: pytest.Pytester) -> None:
    put_corpus_file(project, RANGE_LIE)
    (project.path / "settings.json").write_text("{}")
    options = ["--etcd-source", "none", "--etcd-lockstep-corpus", "lies-found"]
    run(project, ".", *options).assert_outcomes(passed=1)


def test_a_file_that_is_no_corpus_file_fails_in_one_line(project: pytest.Pytester) -> None:
    put_corpus_file(project, RANGE_LIE).write_text("{}")
    result = run(project, "--etcd-source", "none", "--etcd-lockstep-corpus", "lies-found")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*not a corpus file: it has no format version"])
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--etcd-source", "docker"], "*can't read the etcd 'docker'*"),
        (["--etcd-lockstep-corpus", "nowhere"], "*--etcd-lockstep-corpus nowhere: there is no such folder"),
    ],
)
def test_what_is_wrong_with_an_option_is_one_line(project: pytest.Pytester, arguments: list[str], reason: str) -> None:
    result = run(project, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([reason])


def test_an_unknown_target_is_one_line(project: pytest.Pytester) -> None:
    put_corpus_file(project, RANGE_LIE)
    options = ["--etcd-source", "none", "--etcd-lockstep-corpus", "lies-found", "--etcd-lockstep-target", "nobody"]
    result = run(project, *options)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["no target is called 'nobody'*"])


# Beside others


def test_it_can_be_turned_off(project: pytest.Pytester) -> None:
    project.makepyfile("def test_one(real_etcd): pass")
    result = run(project, "-p", "no:etcd_lockstep")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'real_etcd' not found"])


def test_a_suite_that_does_not_use_it_imports_nothing_of_it(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import sys

        def test_one():
            heavy = {"grpc", "hypothesis", "rich", "etcd_model", "fake_etcd", "etcd_lockstep.servers"}
            assert not heavy & set(sys.modules)
    """)
    run(project, "-p", "no:hypothesispytest").assert_outcomes(passed=1)


@pytest.mark.skipif(importlib.util.find_spec("xdist") is None, reason="pytest-xdist is not installed")
def test_with_xdist_each_worker_has_an_etcd_of_its_own(project: pytest.Pytester) -> None:
    put_corpus_file(project, RANGE_LIE)
    project.makepyfile(FAKE_TEST + "\ndef test_real(real_etcd): pass\ndef test_real_2(real_etcd): pass\n")
    options = ["-n", "2", "--etcd-lockstep-corpus", "lies-found"]
    run(project, *options, "--etcd-source", "binary").assert_outcomes(passed=5)
    refused = run(project, *options, "--etcd-source", "endpoint:127.0.0.1:1")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*endpoint:127.0.0.1:1 is one server, and each worker of pytest-xdist needs one*"])


SIMULATION = """
from etcd_lockstep.simulation import simulate

def count(me):
    value, _ = me.etcd.get("/n")
    me.etcd.put("/n", str(int(value) + 1))

@simulate(clients=[count, count], faults=())
def test_counting(world):
    world.etcd.put("/n", "0")

    @world.at_end
    def nothing_is_lost():
        assert world.etcd.get("/n")[0] == b"2", "<one> is"
"""


def test_a_simulation_that_fails_is_written_as_a_page(project: pytest.Pytester) -> None:
    project.makepyfile(test_it=SIMULATION)
    run(project, "--etcd-lockstep-html", "pages").assert_outcomes(failed=1)
    (page,) = (project.path / "pages").iterdir()
    assert page.name == "test-it-py-test-counting.html"
    text = page.read_text(encoding="utf-8")
    assert "http" not in text
    assert "nothing is lost: &lt;one&gt; is" in text
    assert text.count("<th>count ") == 2
    assert text.count('<td class="does">put /n = 1 → ok</td>') == 2


def test_a_simulation_that_passes_leaves_no_page(project: pytest.Pytester) -> None:
    project.makepyfile(test_it=SIMULATION.replace("[count, count]", "[count]").replace('b"2"', 'b"1"'))
    run(project, "--etcd-lockstep-html", "pages").assert_outcomes(passed=1)
    assert not (project.path / "pages").exists()
