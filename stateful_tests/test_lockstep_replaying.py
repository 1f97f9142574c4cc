"""Replaying corpus files: is the lie still reported?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from etcd_lockstep import find_divergences
from etcd_lockstep.comparing.comparison import Difference, without_numbers
from etcd_lockstep.console.cli import main
from etcd_lockstep.filing.corpus import save
from etcd_lockstep.names import operation_name
from etcd_lockstep.searching.findings import DIED, SEEN_ONCE, Finding, Signature, signature
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.target import ALL, TargetDied
from etcd_lockstep.trace import LeaseOf, Trace
from etcd_model import Operation, Result
from etcd_model.errors import Code, Error
from etcd_model.operations import Compact, DeleteRange, LeaseGrant, LeaseRevoke, Put, Range, WatchCreate
from etcd_model.results import DeleteRangeResult, WatchCreateResult

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("elsewhere")


def file(folder: Path, trace: Trace, field: str, kind: str, target: str = "mock") -> str:
    found = signature(target, trace[-1], Difference(field, kind))
    return str(save(Finding(found, trace, {}, ()), folder, "none"))


def replay(*arguments: str, etcd: str = "none") -> int:
    return main(["replay", "--etcd", etcd, *arguments])


def own(name: str) -> str:
    return f"{__name__}:{name}"


class DeletesNothing(Specimen):
    name = "deletes-nothing"

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, DeleteRange):
            return DeleteRangeResult(self.state.revision)
        return super().apply(operation)


class Repaired(Specimen):
    name = "repaired"


class DiesOfDeletes(Specimen):
    name = "dies-of-deletes"

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, DeleteRange):
            raise TargetDied("killed by a delete")
        return super().apply(operation)

    def revive(self) -> None:
        pass


class StaysDead(DiesOfDeletes):
    name = "stays-dead"

    def revive(self) -> None:
        raise TargetDied("nobody can bring it back")


class PutsOnly(Specimen):
    name = "puts-only"
    capabilities = frozenset({"put"})


class NoDeletes(Specimen):
    name = "no-deletes"

    def can_express(self, operation: Operation) -> bool:
        return not isinstance(operation, DeleteRange)


DELETE: Trace = (Put(b"a"), DeleteRange(b"a"))
READ_AFTER_DELETE: Trace = (*DELETE, Range(b"a"))
SPECIMEN_LIES: dict[str, tuple[Trace, str, str]] = {
    "count-only-returns-kvs": ((Put(b"a"), Range(b"a", count_only=True)), "kvs", "unexpected"),
    "delete-of-missing-bumps": ((DeleteRange(b"a"),), "revision", "too high"),
    "lease-on-put-ignored": (
        (LeaseGrant(60), Put(b"a", lease=LeaseOf(1)), LeaseRevoke(LeaseOf(1)), Range(b"a")),
        "kvs",
        "unexpected",
    ),
    "unknown-revoke-accepted": ((LeaseRevoke(404),), "error", "accepted (etcdserver: requested lease not found)"),
}


@pytest.mark.parametrize("name", SPECIMEN_LIES)
def test_a_specimen_still_lies_and_nobody_else_does(name: str, tmp_path: Path, capsys: Capture) -> None:
    path = file(tmp_path, *SPECIMEN_LIES[name], name)

    assert replay("--against", name, path) == 1
    trace, field, _kind = SPECIMEN_LIES[name]
    reported = capsys.readouterr().out
    assert f"STILL LIES   {path}\n" in reported
    operation = operation_name(type(trace[-1]))
    assert re.search(rf"^ +{name} at step {len(trace)}: .*{operation} {field} ", reported, flags=re.MULTILINE)

    assert replay("--against", "fake-server", path) == 0
    assert f"FIXED        {path}\n" in capsys.readouterr().out


def test_the_lies_of_specimens_are_none_of_etcd_s(etcd_address: str, tmp_path: Path, capsys: Capture) -> None:
    for name, case in SPECIMEN_LIES.items():
        file(tmp_path, *case, name)
    assert replay("--allow-destroy", str(tmp_path), etcd=f"endpoint:{etcd_address}") == 0
    assert capsys.readouterr().out.count("FIXED  ") == len(SPECIMEN_LIES)


def test_a_lie_is_reported_by_whoever_shows_it(tmp_path: Path) -> None:
    path = file(tmp_path, DELETE, "deleted", "missing", "somebody-else")
    assert replay("--against", own("DeletesNothing"), path) == 1
    assert replay("--against", own("Repaired"), path) == 0


def test_another_lie_of_the_target_is_other_files_business_but_said(tmp_path: Path, capsys: Capture) -> None:
    path = file(tmp_path, READ_AFTER_DELETE, "more", "unexpected")
    assert replay("--against", own("DeletesNothing"), path) == 0
    reported = capsys.readouterr().out
    assert f"FIXED        {path}\n             but deletes-nothing at step 2: delete_range deleted missing" in reported


def test_a_voter_that_is_wrong_is_never_other_files_business(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deletes_nothing(self: object, operation: Operation) -> Result:
        result = honest(self, operation)  # type: ignore[arg-type]  # the fake's
        return DeleteRangeResult(result.revision) if isinstance(result, DeleteRangeResult) else result

    from etcd_lockstep.targets.fake import FakeTarget

    honest = FakeTarget.apply
    monkeypatch.setattr(FakeTarget, "apply", deletes_nothing)
    path = file(tmp_path, READ_AFTER_DELETE, "more", "unexpected")
    assert replay(path) == 1
    assert "STILL LIES" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "trace", "reason"),
    [
        ("PutsOnly", READ_AFTER_DELETE, "puts-only knows no delete_range, range"),
        ("NoDeletes", READ_AFTER_DELETE, "no-deletes has no words for it"),
        ("DiesOfDeletes", READ_AFTER_DELETE, "dies-of-deletes died at step 2: killed by a delete"),
    ],
)
def test_what_can_t_be_replayed_says_why(
    target: str, trace: Trace, reason: str, tmp_path: Path, capsys: Capture
) -> None:
    path = file(tmp_path, trace, "kvs", "missing")
    assert replay("--against", own(target), path) == 2, "nothing was replayed"
    reported = capsys.readouterr().out
    assert f"NOT REPLAYED {path}\n             {reason}\n" in reported
    assert reported.endswith("\n1 NOT REPLAYED\n")
    plain = file(tmp_path, (Put(b"a"),), "kvs", "missing", "plain")
    assert replay("--against", own(target), path, plain) == 0


def test_what_would_kill_a_real_etcd_is_not_replayed(tmp_path: Path, capsys: Capture) -> None:
    killer = (Put(b"a"), Put(b"b"), Range(b"a", b"\x00", sort_order=1, sort_target=99))
    path = file(tmp_path, killer, "kvs", "missing")
    assert replay(path) == 2
    assert f"NOT REPLAYED {path}\n" in capsys.readouterr().out


def test_a_death_that_the_file_reports_of(tmp_path: Path, capsys: Capture) -> None:
    path = save(Finding(Signature("mock", "delete_range", DIED.field, DIED.kind), DELETE, {}, ()), tmp_path, "none")
    read = file(tmp_path, (Put(b"a"), Range(b"a")), "kvs", "missing")
    assert replay("--against", own("DiesOfDeletes"), str(path), read) == 1
    reported = capsys.readouterr().out
    assert f"STILL LIES   {path}\n             dies-of-deletes died at step 2: killed by a delete\n" in reported
    assert f"FIXED        {read}\n" in reported


def test_a_target_that_stays_dead_ends_the_replay(tmp_path: Path, capsys: Capture) -> None:
    read = file(tmp_path, (Put(b"a"), Range(b"a")), "kvs", "missing")
    path = file(tmp_path, DELETE, "deleted", "missing")
    assert replay("--against", own("StaysDead"), read, path) == 3
    reported = capsys.readouterr()
    assert f"FIXED        {read}\n" in reported.out
    assert reported.err == ("etcd-lockstep: stays-dead died at step 2: killed by a delete; nobody can bring it back\n")


def test_one_of_many_still_lies(tmp_path: Path, capsys: Capture) -> None:
    names = [file(tmp_path, *case, name) for name, case in SPECIMEN_LIES.items()]
    names.append(file(tmp_path, (Put(b"a"), Compact(1)), "error", "accepted (x)"))
    assert replay("--against", "count-only-returns-kvs", str(tmp_path)) == 1
    reported = capsys.readouterr().out
    assert reported.count("STILL LIES ") == 1
    assert reported.count("FIXED  ") == len(names) - 1
    assert reported.endswith(f"\n1 STILL LIES, {len(names) - 1} FIXED\n")
    assert re.findall(r"/\S+\.json", reported) == sorted(names)


def test_a_path_with_brackets_is_printed_as_it_is(tmp_path: Path, capsys: Capture) -> None:
    path = file(tmp_path / "[red]" / "[", (Put(b"a"), Range(b"a")), "kvs", "missing")
    assert replay(path) == 0
    assert f"FIXED        {path}\n" in capsys.readouterr().out


def test_what_was_seen_once_only_is_not_fixed_by_not_being_seen(tmp_path: Path, capsys: Capture) -> None:
    found = signature("mock", Range(b"a"), Difference("count", "too low"))
    path = save(Finding(found, (Range(b"a"),), {}, (), SEEN_ONCE), tmp_path, "none")
    assert replay(str(path), "--against", own("Repaired")) == 0
    printed = capsys.readouterr().out
    assert "1 NOT REPRODUCED" in printed
    assert "FIXED" not in printed


class InventsIds(Specimen):
    """It refuses what etcd accepts, with an id of its own that is another one each time."""

    name = "invents-ids"
    ids = 0x7B945A7D42485E3A

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, LeaseGrant):
            InventsIds.ids += 1
            return Error(Code.UNKNOWN, f"request {InventsIds.ids:x} ({InventsIds.ids}) failed")
        return super().apply(operation)


def test_an_id_of_a_target_s_own_makes_one_finding_that_replays(tmp_path: Path, capsys: Capture) -> None:
    found = find_divergences(InventsIds, etcd="none", examples=30, families=["lease"], seed=1)
    refused = [one for one in found if "refused" in one.fingerprint]
    assert [str(one.signature) for one in refused] == ["lease_grant error refused (request … (…) failed)"]
    new = save(refused[0], tmp_path / "new", "none")
    assert replay(str(new), "--against", own("InventsIds")) == 1
    old = tmp_path / "old.json"  # as it was written before numbers were left out
    old.write_text(
        new.read_text().replace("request \\u2026 (\\u2026) failed", "request 7b945a7d42485e3a (8904) failed")
    )
    assert "7b945a7d42485e3a" in old.read_text()
    assert replay(str(old), "--against", own("InventsIds")) == 1
    assert capsys.readouterr().out.count("STILL LIES") >= 2


class WatchesNothing(Specimen):
    """It refuses every watch of one key."""

    name = "watches-nothing"
    capabilities = ALL

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, WatchCreate) and not operation.range_end:
            return WatchCreateResult(self.state.revision, -1, canceled=True, cancel_reason="no")
        return super().apply(operation)


@pytest.mark.parametrize(("field", "kind"), [("canceled", "unexpected"), ("cancel_reason", "unexpected")])
def test_a_watch_that_is_refused_wrongly_is_one_lie_and_old_files_about_its_reason_still_replay(
    field: str, kind: str, tmp_path: Path
) -> None:
    trace: Trace = (WatchCreate(b"a"),)
    found = find_divergences(WatchesNothing, etcd="none", examples=10, families=["watch"], seed=1)
    assert [str(one.signature) for one in found] == ["watch_create canceled unexpected"]
    path = file(tmp_path, trace, field, kind, "watches-nothing")
    assert replay(path, "--against", own("WatchesNothing")) == 1


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("etcdserver: permission denied", "etcdserver: permission denied"),
        ("lease 7b945a7d42485e3a not found", "lease … not found"),
        ("lease 8904 of 2 not found at 0x1F", "lease … of 2 not found at …"),
        ("request 123e4567-e89b-12d3-a456-426614174000 failed", "request … failed"),
        ("decade faced added", "decade faced added"),
    ],
)
def test_what_may_be_an_id_is_left_out_and_no_word(text: str, without: str) -> None:
    assert without_numbers(text) == without
