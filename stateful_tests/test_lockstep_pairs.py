"""The short form of `make lies PAIRS=N`: two lies in one fake, of which neither hides the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_lockstep.proving.__main__ import main
from etcd_lockstep.proving.covered import COVERED, TAKEN_FOR_ONE
from etcd_lockstep.proving.pairs import Pair, both, is_indistinguishable, kind_of, pairs, sample, search, shows
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.specimens.composed import composed
from etcd_lockstep.specimens.read import LimitIgnored, SortIgnored
from etcd_lockstep.specimens.shortest import SHORTEST
from etcd_lockstep.trace import LeaseOf, Trace
from etcd_model import operations as op

MENDED: tuple[Pair, ...] = (
    ("prev-kv-always-present", "header-constant"),
    ("operator-ignored", "range-compare-over-nothing"),
    ("long-values-cut", "numbers-kept-as-doubles"),
    ("failed-or-read-only-txn-bumps", "txn-revision-per-op"),
    ("limit-zero-means-none", "hidden-suffix"),
    ("values-stripped", "long-values-cut"),
    ("revoked-role-still-counts", "permission-range-end-ignored"),
    ("prev-kv-is-the-new-value", "header-constant"),
    ("same-value-not-counted", "header-constant"),
)
"""Once, one lie of each hid the other."""

OF_EACH_FAMILY: tuple[Pair, ...] = (
    ("sort-ignored", "limit-ignored"),
    ("only-first-compare", "else-dropped"),
    ("deleted-count-wrong", "delete-of-missing-bumps"),
    ("filters-ignored", "delete-event-carries-value"),
    ("keepalive-does-not-renew", "put-renews-lease"),
    ("nameless-may-read", "token-survives-password-change"),
)


def test_two_specimens_in_one_tell_both_lies() -> None:
    kind = composed(LimitIgnored, SortIgnored)
    assert kind.name == "limit-ignored and sort-ignored"
    assert all(shows(SHORTEST[lie], kind) for lie in ("limit-ignored", "sort-ignored"))
    assert not shows(SHORTEST["limit-ignored"], SortIgnored)


def test_every_pair_can_be_composed() -> None:
    assert len(pairs()) > 900
    for pair in pairs():
        assert both(pair)().name == " and ".join(pair)


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    assert sample(20, 1) == sample(20, 1) != sample(20, 2)
    assert len(set(sample(10**6, 1))) == len(pairs())


@pytest.mark.parametrize("pair", MENDED + OF_EACH_FAMILY, ids=" and ".join)
def test_neither_lie_hides_the_other(pair: Pair) -> None:
    searched = search(pair, seed=1)
    assert set(searched.found) == set(pair), searched.findings


@pytest.mark.parametrize(("lie", "behind"), [(lie, row.behind) for row in COVERED for lie in row.lies])
def test_a_lie_that_is_said_to_be_covered_makes_no_difference_in_the_trace_that_shows_it(lie: str, behind: str) -> None:
    pair = next(one for one in pairs() if set(one) == {lie, behind})
    assert shows(SHORTEST[lie], kind_of(lie))
    assert is_indistinguishable(SHORTEST[lie], both(pair), kind_of(behind))


LONGER: dict[Pair, Trace] = {
    ("delete-keeps-attachment", "lease-id-zero"): (
        *(op.LeaseGrant(60), op.LeaseGrant(60), op.Put(b"a", lease=LeaseOf(2)), op.LeaseRevoke(LeaseOf(1))),
        *(op.DeleteRange(b"a"), op.Put(b"a"), op.Range(b"a")),
    )
}
"""What shows a lie beside another one, where its shortest trace does not."""


@pytest.mark.parametrize("taken", TAKEN_FOR_ONE, ids=" behind ".join)
def test_what_is_taken_for_one_cause_could_be_seen(taken: Pair) -> None:
    lie, behind = taken
    assert {lie, behind} <= SPECIMENS.keys()
    pair = next(one for one in pairs() if set(one) == {lie, behind})
    assert is_indistinguishable(SHORTEST[lie], both(pair), kind_of(behind)) is (taken in LONGER)
    assert not is_indistinguishable(LONGER.get(taken, SHORTEST[lie]), both(pair), kind_of(behind))


def test_the_command_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etcd_lockstep.proving.__main__.sample", lambda number, _seed: list(OF_EACH_FAMILY[:number]))
    state = tmp_path / "pairs.jsonl"
    options = ["--pairs", "2", "--jobs", "1", "--state", str(state)]
    assert main(options) == 0
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("2 of ")
    first = state.read_text(encoding="utf-8")
    assert main(options) == 0
    assert state.read_text(encoding="utf-8") == first
    assert capsys.readouterr().err.splitlines()[-1] == said
    assert main([*options, "--seed", "2"]) == 0
    assert len(state.read_text(encoding="utf-8").splitlines()) == 4, "another seed is another search"


def test_how_many_pairs_is_checked() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--pairs", "0"])
    assert ended.value.code == 2
