"""The shortest trace of each specimen: everybody else answers it as etcd does, and the specimen does not."""

from __future__ import annotations

import pytest

from etcd_lockstep.comparing.lockstep import Lockstep
from etcd_lockstep.comparing.timed import TimedLockstep
from etcd_lockstep.specimens import FAMILIES, SPECIMENS
from etcd_lockstep.specimens.shortest import SHORTEST
from etcd_lockstep.target import Target
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.targets.wire import WireTarget
from etcd_lockstep.trace import takes_time
from etcd_model import Server


def odd_ones_out(name: str, model: ModelTarget, *others: Target) -> list[set[str]]:
    """At each step of a specimen's trace: who is not with the others."""
    trace = SHORTEST[name]
    lockstep = (TimedLockstep if takes_time(trace) else Lockstep)(model, others)
    lockstep.start()
    return [{divergence.odd_one_out for divergence in lockstep.step(operation).divergences} for operation in trace]


def test_every_specimen_with_one_lie_has_a_trace() -> None:
    families = {module.__name__ for module in FAMILIES}
    assert SHORTEST.keys() == {name for name, make in SPECIMENS.items() if make.__module__ in families}


@pytest.mark.parametrize("name", SHORTEST)
def test_the_last_answer_tells_the_specimen_from_the_model_and_the_fake(name: str) -> None:
    *before, last = odd_ones_out(name, ModelTarget(Server()), FakeTarget("3.5.16", 2), SPECIMENS[name]())
    assert not any(before)
    assert last == {name}


@pytest.mark.parametrize("name", SHORTEST)
def test_a_specimen_lies_again_after_a_reset(name: str) -> None:
    model, specimen = ModelTarget(Server()), SPECIMENS[name]()
    assert odd_ones_out(name, model, specimen) == odd_ones_out(name, model, specimen)


@pytest.mark.parametrize("name", [name for name, trace in SHORTEST.items() if not takes_time(trace)])
def test_a_real_etcd_answers_as_the_model_and_the_fake_do(
    name: str, model: ModelTarget, fake: FakeTarget, real: WireTarget
) -> None:
    """Those in which a lease expires are waited for with the transcripts of expiry."""
    assert not any(odd_ones_out(name, model, fake, real))
