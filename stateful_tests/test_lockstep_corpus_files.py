"""The corpus, replayed: nobody who votes says one of its lies, and each specimen reports its own still."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from etcd_lockstep.filing.corpus import CorpusFile, load
from etcd_lockstep.filing.replaying import Outcome, replay
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.targets.etcd3 import Etcd3Target
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.targets.wire import WireTarget
from etcd_model.auth.nondeterministic import STALE

CORPUS = [load(path) for path in sorted(Path(__file__).with_name("corpus").glob("*.json"))]


LEFT_OPEN = {
    "etcd-range-error-refused-etcdserver-permission-denied-157ed5": (STALE,),  # etcd 3.5.3 and later 3.5s
}
"""Surprises of a real etcd of which some versions can't know beforehand what they will do, and the reason."""


def name(file: CorpusFile) -> str:
    return file.path.stem


def test_there_is_a_corpus() -> None:
    assert CORPUS


@pytest.mark.parametrize("file", CORPUS, ids=name)
def test_model_fake_and_etcd_agree_on_every_trace(
    file: CorpusFile, model: ModelTarget, fake: FakeTarget, real: WireTarget
) -> None:
    result = replay(file, model, [fake, real])
    if result.remark in LEFT_OPEN.get(file.path.stem, ()):
        assert result.outcome is Outcome.NOT_REPLAYED
    else:
        assert (result.outcome, result.remark) == (Outcome.FIXED, "")


@pytest.mark.parametrize("file", [file for file in CORPUS if file.signature.target in SPECIMENS], ids=name)
def test_a_specimen_still_reports_the_lie_that_was_found_in_it(
    file: CorpusFile, model: ModelTarget, fake: FakeTarget
) -> None:
    result = replay(file, model, [fake, SPECIMENS[file.signature.target]()])
    assert result.outcome is Outcome.STILL_LIES, result.remark


@pytest.mark.parametrize("file", [file for file in CORPUS if file.signature.target == "etcd3"], ids=name)
def test_etcd3_still_reports_the_lie_that_was_found_in_it(
    file: CorpusFile, model: ModelTarget, fake: FakeTarget, etcd_address: str
) -> None:
    with closing(Etcd3Target(etcd_address)) as etcd3:
        result = replay(file, model, [fake, etcd3])
    assert result.outcome is Outcome.STILL_LIES, result.remark
