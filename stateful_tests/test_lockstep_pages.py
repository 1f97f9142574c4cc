"""The pages that are made from runs: distinguishing_traces of quirks, and the fields that runs exercise."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path
from unittest.mock import patch

import pytest

import etcd_lockstep
from etcd_lockstep.campaigns.definition import Campaign
from etcd_lockstep.campaigns.state import BadState, CampaignState
from etcd_lockstep.pages import campaigned, distinguishing, fidelity, quirks
from etcd_lockstep.pages.__main__ import main as pages_main
from etcd_lockstep.pages.quirks import UNSEEN, Row
from etcd_lockstep.searching.coverage import ERRORS, Coverage, fields_used
from etcd_lockstep.searching.findings import Finding, Signature
from etcd_lockstep.searching.known_quirks import quirk_traces, shows
from etcd_lockstep.shards.result import ShardResult, ShardTargets, WorkloadSummary
from etcd_model import State, quirks_of, step
from etcd_model.errors import EMPTY_KEY, LEASE_NOT_FOUND
from etcd_model.operations import As, Compare, CompareTarget, Put, Range, Txn
from etcd_model.quirks import SINCE
from etcd_model.results import PutResult

RELEASES = ("3.4.23", "3.5.1", "3.5.16", "3.5.30", "3.6.16", "3.7.3")


@pytest.mark.parametrize("quirk", sorted(SINCE.keys() - UNSEEN.keys()))
def test_every_quirk_has_a_witness(quirk: str) -> None:
    assert any(shows(quirk_traces()[quirk], quirk, quirks_of(release)) for release in RELEASES)


def test_what_has_no_witness_says_why_and_nothing_else_lies_there() -> None:
    assert UNSEEN.keys() <= SINCE.keys()
    assert quirk_traces().keys() == SINCE.keys() - UNSEEN.keys()


def test_a_trace_shows_a_quirk_only_where_the_models_differ() -> None:
    unknown_order = (Range(b"a", sort_order=3),)
    for release in RELEASES:
        assert shows(unknown_order, "sort_options_validated", quirks_of(release))
        assert not shows((Range(b"a"),), "sort_options_validated", quirks_of(release))


def test_a_witness_is_found_by_the_search() -> None:
    found = distinguishing.find("keys_only_omits_lease", ("3.6.16", "3.7.3"))
    assert found is not None
    assert shows(found, "keys_only_omits_lease", quirks_of("3.7.3"))
    # A campaign makes the lease and its key in one step; the trace of the docs makes them in two.
    assert len(found) <= len(quirk_traces()["keys_only_omits_lease"])


def test_the_page_of_the_docs_has_a_row_for_every_quirk() -> None:
    page = (Path(__file__).parent.parent / "docs" / "quirks.md").read_text()
    for quirk in SINCE:
        assert f"\n## {quirk}\n" in page


def test_the_page_groups_versions_by_their_answer_and_marks_what_was_measured() -> None:
    trace = (Range(b"a", sort_order=3),)
    answers = {"3.5.16": "revision 1", "3.6.16": "refused | so"}
    row = Row("sort_options_validated", "About.", ("3.6.0",), trace, answers, ())
    page = quirks.page(["3.5.16", "3.6.16"], [row])
    assert "| [sort_options_validated](#sort_options_validated) | 3.6.0 | ○ | ● |" in page
    assert "| 3.6.16 | `refused \\| so` |" in page
    surprised = Row("sort_options_validated", "About.", ("3.6.0",), trace, answers, ("3.6.16",))
    assert "| 3.6.0 | ○ | (●) |" in quirks.page(["3.5.16", "3.6.16"], [surprised])
    assert "**Not as the model says:** 3.6.16." in quirks.page(["3.5.16", "3.6.16"], [surprised])


# Coverage, and the page made from it


def test_fields_are_counted_wherever_they_stand() -> None:
    nested = Txn((Compare(b"a", CompareTarget.MOD, 0, 7),), (Txn(success=(Put(b"a", b"", 5),)),))
    assert fields_used(nested) >= {
        "txn.compare",
        "txn.success",
        "compare.mod_revision",
        "put.key",
        "put.lease",
        "request_op.request_txn",
        "request_op.request_put",
    }
    assert not fields_used(nested) & {"put.value", "put.prev_kv", "compare.version", "txn.failure"}
    assert fields_used(As("token", Put(b"a"))) == fields_used(Put(b"a")) == {"put.key"}


def test_agreed_steps_are_counted_by_field_and_by_answer() -> None:
    coverage = Coverage()
    coverage.agreed(Put(b"a", b"1"), PutResult(2))
    coverage.agreed(Put(b""), EMPTY_KEY, State())
    more = Coverage()
    more.agreed(Put(b"a"), PutResult(3))
    coverage.add(more)
    assert coverage.to_json() == {
        "fields": {"put.key": 2, "put.value": 1},
        "answers": [
            {"operation": "put", "error": "", "steps": 2},
            {"operation": "put", "error": EMPTY_KEY.message, "steps": 1},
        ],
        "states": [{"operation": "put", "error": EMPTY_KEY.message, "feature": "no keys", "steps": 1}],
        "errors_not_met": sorted(ERRORS - {EMPTY_KEY.message}),
    }


def test_steps_are_counted_by_the_state_in_which_they_were_asked() -> None:
    state = State()
    for operation in (Put(b"a"), Put(b"b")):
        state, _ = step(state, operation)
    some = Range(b"a")
    coverage = Coverage()
    coverage.agreed(some, step(state, some)[1], state)
    assert coverage.met == {
        ("range", "", "several keys"): 1,
        ("range", "", "key without a lease"): 1,
        ("range", "", "covers some"): 1,
    }
    assert Coverage(coverage.counts, coverage.states).met == coverage.met


def test_the_fields_of_requests_are_those_of_the_wire_under_our_names() -> None:
    named = dict(fidelity.request_fields())
    assert named["PutRequest.ignore_lease"] == "put.ignore_lease"
    assert named["LeaseTimeToLiveRequest.ID"] == "lease_time_to_live.id"
    assert named["CompactionRequest.physical"] == "compact.physical"
    assert named["AuthUserAddRequest.name"] == "user_add.name"
    assert named["UserAddOptions.no_password"] == "user_add.no_password"
    assert named["HashKVRequest.revision"] == "hash_kv.revision"
    assert named["MemberAddRequest.peerURLs"] == "member_add.peer_urls"
    assert named["Compare.create_revision"] == "compare.create_revision"
    assert named["WatchCreateRequest.filters"] == "watch_create.filters"
    assert named["AlarmRequest.memberID"] == "alarm.member_id"
    assert len(named) > 90


def test_the_fidelity_page_reports_what_no_run_exercised_and_why() -> None:
    coverage = Coverage()
    coverage.agreed(Put(b"a", b"1"), PutResult(2))
    page = fidelity.page(
        [fidelity.Measured("3.5.16", 1, 0, coverage)], {"sort_options_validated": (Range(b"a", sort_order=3),)}
    )
    assert "| PutRequest.value | 1 |  |" in page
    assert "| PutRequest.lease | — |  |" in page
    assert "- PutRequest.lease: " in page
    assert "| RangeRequest.sort_order | — | [sort_options_validated](quirks.md#sort_options_validated) |" in page
    assert "- AuthUserAddRequest.hashedPassword: drawn too rarely for runs of this length\n" in page


# docs/fidelity.md from a campaign


def done(etcd: str | None, version: str, used: str, steps: int, *found: Finding) -> ShardResult:
    return ShardResult(
        (1,),
        ShardTargets(etcd, version, ("model", "fake"), (), False),
        seconds=1800.0,
        workloads=(WorkloadSummary("store", 1, steps),),
        findings=found,
        coverage={
            (frozenset({"put.key", used}), "put", ""): steps,
            (frozenset({"put.key"}), "put", LEASE_NOT_FOUND.message): 1,
        },
    )


def state_with(folder: Path, campaign: Campaign, *results: ShardResult) -> Path:
    CampaignState.create(folder, campaign, turns=1, uniform=True)
    with CampaignState(folder, alone=True) as state:
        state.plan(1, campaign.cells)
        for number, result in enumerate(results):
            state.done(number, result)
    return folder


def test_a_campaigns_state_is_reported_by_version_the_oldest_first(tmp_path: Path) -> None:
    campaign = Campaign(etcd=("version:3.10", "version:3.9"), workloads=("store", "auth"), seed=7, steps=10)
    lie = Finding(Signature("fake", "put", "revision", "differs"), (Put(b"a"),), {}, ())
    folder = state_with(
        tmp_path / "state",
        campaign,
        done("etcd", "3.10.0", "put.lease", 4),
        done("etcd", "3.10.0", "put.value", 5, lie),
        done("etcd", "3.9.2", "put.value", 1_000),
    )
    measured, how, seed, last = campaigned.searched(folder)
    assert [(one.version, one.steps, one.findings) for one in measured] == [("3.9.2", 1_000, 0), ("3.10.0", 9, 1)]
    assert measured[1].coverage.fields == {"put.key": 11, "put.lease": 4, "put.value": 5}
    assert measured[1].coverage.answers == {("put", ""): 9, ("put", LEASE_NOT_FOUND.message): 2}
    assert 'etcd = ["version:3.10", "version:3.9"]\n' in how
    assert "seed = 7\nsteps = 10\n" in how
    page = fidelity.page(measured, {}, how)
    today = datetime.now(timezone.utc).date().isoformat()[:8]
    assert seed == 7
    assert last.startswith(today)
    assert f"- etcd 3.9.2: 1,000 steps in 1 shard, 0.5 hours of search, on {today}" in page
    assert "| PutRequest.lease | — | 4 |  |" in page
    assert "## States" not in page
    assert "## Errors that were not met" in page


def test_campaigns_add_up_and_one_that_goes_on_counts_once(tmp_path: Path) -> None:
    page = tmp_path / "fidelity.md"

    def made(seed: int, *results: ShardResult) -> str:
        campaign = Campaign(etcd=("version:3.9", "version:3.9.2"), workloads=("store",), seed=seed, shards=2)
        folder = state_with(tmp_path / f"{seed} {len(results)}", campaign, *results)
        with patch.object(sys, "argv", ["pages", "fidelity", "--state", str(folder), "--page", str(page)]):
            assert pages_main() == 0
        return page.read_text(encoding="utf-8")

    shard = done("etcd", "3.9.2", "put.value", 1_000)
    assert "| all | | 1,000 | 0 |" in made(1, shard)
    assert "| all | | 2,000 | 0 |" in made(1, shard, shard)
    both = made(2, shard)
    assert "| all | | 3,000 | 0 |" in both
    assert len([line for line in both.splitlines() if line.startswith(("| 1 |", "| 2 |"))]) == 2
    page.with_suffix(".json").write_text("[1]", encoding="utf-8")
    with patch.object(sys, "argv", ["pages", "fidelity", "--state", str(tmp_path / "2 1"), "--page", str(page)]):
        assert pages_main() == 2


def test_what_a_campaign_ran_without_an_etcd_or_with_a_target_is_no_fidelity(tmp_path: Path) -> None:
    folder = state_with(tmp_path / "none", Campaign(etcd=("none",), shards=1), done(None, "3.6.1", "put.value", 5))
    with pytest.raises(BadState, match="no shard that is done with a real etcd"):
        campaigned.searched(folder)
    mock = Campaign(targets=("slot-mock",), workloads=("store",), shards=1)
    with pytest.raises(BadState, match="and no other target"):
        campaigned.searched(state_with(tmp_path / "mock", mock, done("etcd", "3.6.1", "put.value", 5)))


def test_a_release_that_changed_between_two_sessions_is_refused(tmp_path: Path) -> None:
    campaign = Campaign(etcd=("version:3.6",), workloads=("store",), shards=2)
    folder = tmp_path / "state"
    CampaignState.create(folder, campaign, turns=1, uniform=True)
    with CampaignState(folder, alone=True) as state:
        state.plan(1, campaign.cells * 2)
        for number, version in enumerate(("3.6.1", "3.6.2")):
            state.done(number, done("etcd", version, "put.value", 5))
    with pytest.raises(BadState, match=r"version:3\.6, store was searched with 3\.6\.1,3\.6\.2"):
        campaigned.searched(folder)


def test_a_state_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    with patch.object(sys, "argv", ["pages", "fidelity", "--state", str(tmp_path / "no"), "--page", str(page)]):
        assert pages_main() == 2
    assert "there is no campaign's state" in capsys.readouterr().err
    assert not page.exists()


def test_the_page_on_the_harness_has_every_folder_of_it() -> None:
    page = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    folders = {module.parent.name for module in Path(etcd_lockstep.__file__).parent.glob("*/__init__.py")}
    assert folders
    assert not {folder for folder in folders if f"| `{folder}/` |" not in page}
