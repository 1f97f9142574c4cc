"""Who takes part in a run, and that whoever was started is closed."""

from __future__ import annotations

from typing import ClassVar

import pytest

from etcd_lockstep.catalogue import UnknownTarget, UserTarget, find
from etcd_lockstep.comparing.lockstep import REFERENCES
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.servers import EtcdUnavailable, NoEtcd, RunningEtcd, parse_source
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.strategies.generator_state import KEYS, MOST_KEYS
from etcd_lockstep.target import ALL, Target, TargetDied
from etcd_lockstep.targets.wire import WireTarget
from etcd_model.operations import LeaseGrant, LeaseRevoke, Put, Range
from etcd_model.results import LeaseGrantResult


class Counted(Specimen):
    """Counts how many of it are open."""

    name = "counted"
    opened: ClassVar[int] = 0
    still_open: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        Counted.opened += 1
        Counted.still_open += 1

    def close(self) -> None:
        Counted.still_open -= 1


class OneServer(Counted):
    shared_store = True


class SomeKeys(Counted):
    name = "some-keys"
    keys: ClassVar[tuple[bytes, ...]] = (b"/x", b"/y", b"/x")
    capabilities = frozenset({"put", "range", "txn"})


class ManyKeys(Counted):
    name = "many-keys"
    keys: ClassVar[tuple[bytes, ...]] = tuple(b"/%d" % number for number in range(20))
    capabilities = frozenset({"put", "range", "compact"})


class Fails(Counted):
    def __init__(self) -> None:
        raise ValueError("never")


class Unreachable(Counted):
    def __init__(self) -> None:
        raise TargetDied("not there")


@pytest.fixture(autouse=True)
def counted() -> None:
    Counted.opened = Counted.still_open = 0


def own(*kinds: type[Target]) -> list[str | UserTarget]:
    return [find(f"{__name__}:{kind.__name__}") for kind in kinds]


def names(participants: Participants) -> list[str]:
    return [participants.model.name, *(target.name for target in participants.others)]


def test_without_a_real_etcd_the_model_and_the_fake_take_part() -> None:
    with Participants(NoEtcd(), []) as participants:
        assert names(participants) == ["model", "fake"]
        assert participants.etcd is None
        assert participants.keys == KEYS
        assert participants.capabilities == ALL


def test_all_voters_come_first_and_who_is_held_against_them_after(real_etcd: RunningEtcd) -> None:
    source = parse_source(f"endpoint:{real_etcd.address}")
    with Participants(source, [*own(Counted), "fake-server", find("slot-mock")], allow_destroy=True) as participants:
        assert names(participants) == [*REFERENCES, "counted", "fake-server", "slot-mock"]
        assert participants.etcd is not None
        assert participants.version == participants.etcd.version == real_etcd.version
    assert real_etcd.is_alive()


def test_the_model_and_the_fake_grant_the_ttls_that_the_real_etcd_grants(real_etcd: RunningEtcd) -> None:
    with Participants(parse_source(f"endpoint:{real_etcd.address}"), [], allow_destroy=True) as participants:
        granted = {}
        for target in (participants.model, *participants.others):
            target.reset()
            result = target.apply(LeaseGrant(1))
            assert isinstance(result, LeaseGrantResult)
            target.apply(LeaseRevoke(result.id))
            granted[target.name] = result.ttl
        assert granted.keys() == set(REFERENCES)
        assert len(set(granted.values())) == 1


def test_a_target_has_a_twin_with_a_store_of_its_own() -> None:
    with Participants(NoEtcd(), own(Counted)) as participants:
        (second_instance,) = participants.second_instances.values()
        assert second_instance is not participants.others[-1]
        participants.others[-1].apply(Put(b"a"))
        assert second_instance.apply(Range(b"a")) != participants.others[-1].apply(Range(b"a"))
        assert Counted.opened == 2


def test_a_target_that_has_one_store_for_all_has_no_twin() -> None:
    with Participants(NoEtcd(), own(OneServer)) as participants:
        assert participants.second_instances == {}
        assert Counted.opened == 1


def test_a_server_at_an_address_is_such_a_target() -> None:
    class Served(WireTarget):
        def __init__(self) -> None:
            super().__init__("served", "127.0.0.1:1")

    with Participants(NoEtcd(), [UserTarget("served", Served)]) as participants:
        assert names(participants) == ["model", "fake", "served"]
        assert participants.second_instances == {}


def test_keys_of_all_targets_are_drawn_from_and_operations_that_all_know() -> None:
    with Participants(NoEtcd(), own(SomeKeys, ManyKeys)) as participants:
        assert participants.keys[:3] == (b"/x", b"/y", b"/0")
        assert len(participants.keys) == MOST_KEYS
        assert participants.capabilities == {"put", "range"}


# Whatever happens, everything is closed


def test_a_run_closes_what_it_opened() -> None:
    with Participants(NoEtcd(), own(Counted, SomeKeys)):
        assert Counted.still_open == Counted.opened == 4
    assert Counted.still_open == 0


@pytest.mark.parametrize(("last", "error"), [(Fails, UnknownTarget), (Unreachable, TargetDied)])
def test_a_target_that_can_t_be_made_leaves_nothing_open(last: type[Target], error: type[Exception]) -> None:
    with pytest.raises(error):
        Participants(NoEtcd(), own(Counted, last))
    assert Counted.opened == 2
    assert Counted.still_open == 0


def test_two_of_one_name_leave_nothing_open() -> None:
    with pytest.raises(UnknownTarget, match="two targets of the run are called 'counted'"):
        Participants(NoEtcd(), own(Counted, OneServer))
    assert Counted.still_open == 0


def test_an_error_in_the_run_closes_it_too() -> None:
    with pytest.raises(ZeroDivisionError), Participants(NoEtcd(), own(Counted)):
        raise ZeroDivisionError
    assert Counted.still_open == 0


def test_an_etcd_that_can_t_be_had_is_said_before_anything_is_made() -> None:
    with pytest.raises(EtcdUnavailable):
        Participants(parse_source("endpoint:127.0.0.1:1"), own(Counted))
    assert Counted.opened == 0


# The catalogue


@pytest.mark.parametrize("name", SPECIMENS)
def test_every_specimen_can_be_asked_for(name: str) -> None:
    with Participants(NoEtcd(), [find(name)]) as participants:
        assert names(participants) == ["model", "fake", name]
        assert name in participants.second_instances


def test_the_etcd3_client_needs_a_real_etcd() -> None:
    with pytest.raises(UnknownTarget, match="can't go with --etcd none"):
        Participants(NoEtcd(), ["etcd3"])


def test_the_etcd3_client_has_an_endpoint_to_itself(real_etcd: RunningEtcd) -> None:
    with Participants(parse_source(f"endpoint:{real_etcd.address}"), ["etcd3"], allow_destroy=True) as participants:
        assert names(participants) == ["model", "fake", "etcd3"]
