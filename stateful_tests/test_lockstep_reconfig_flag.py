"""--strict-reconfig-check=false: the same changes of the members on the fake and on a real etcd of a release."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from etcd_lockstep.servers import EtcdUnavailable
from etcd_lockstep.servers.discovery import Program, environment, find_release
from etcd_lockstep.servers.settings import etcd_flags, free_ports
from fake_etcd import FakeEtcd, stubs
from fake_etcd.wire import messages as pb


def said(call: Callable[..., Any], request: Any) -> str:
    try:
        answer = call(request, timeout=10, wait_for_ready=True)
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"
    return f"{len(answer.members)} members, {sum(member.isLearner for member in answer.members)} learners"


def session(address: str) -> Iterator[str]:
    """Before 3.5.31 and 3.6.12 a learner whose URLs are updated counts as a voting member, and a quorum is missing."""
    with grpc.insecure_channel(address) as channel:
        cluster = stubs(channel).cluster
        cluster.MemberList(pb.MemberListRequest(), timeout=10, wait_for_ready=True)
        yield said(cluster.MemberRemove, pb.MemberRemoveRequest(ID=404))
        yield said(cluster.MemberPromote, pb.MemberPromoteRequest(ID=404))
        added = cluster.MemberAdd(pb.MemberAddRequest(peerURLs=["http://127.0.0.1:1"], isLearner=True), timeout=10)
        yield said(cluster.MemberAdd, pb.MemberAddRequest(peerURLs=["http://127.0.0.1:2"], isLearner=True))
        update = pb.MemberUpdateRequest(ID=added.member.ID, peerURLs=["http://127.0.0.1:3"])
        yield said(cluster.MemberUpdate, update)
        yield said(cluster.MemberAdd, pb.MemberAddRequest(peerURLs=["http://127.0.0.1:3"], isLearner=True))
        yield said(cluster.MemberRemove, pb.MemberRemoveRequest(ID=added.member.ID))


def on_etcd(program: Program, strict: str) -> list[str]:
    client_port, peer_port = free_ports()
    with tempfile.TemporaryDirectory(prefix="etcd-lockstep-") as folder:
        flags = etcd_flags(
            name="one", data_dir=f"{folder}/data", listen="127.0.0.1", client_port=client_port, peer_port=peer_port
        )
        with subprocess.Popen(
            [str(program.path), *flags, f"--strict-reconfig-check={strict}", *program.speedups],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                return list(session(f"127.0.0.1:{client_port}"))
            finally:
                process.kill()


def on_fake(program: Program, strict: str) -> list[str]:
    with FakeEtcd(program.version, strict_reconfig_check=strict == "true") as fake:
        return list(session(fake.address))


@pytest.mark.parametrize("release", ["3.4.23", "3.5.30", "3.6.16", "3.7.3"])
def test_changes_that_cost_a_quorum_are_refused_unless_told_otherwise(release: str) -> None:
    try:
        program = find_release(release)
    except EtcdUnavailable as reason:
        pytest.skip(f"needs etcd {release} (scripts/fetch-etcd {release}): {reason}")
    answers = {strict: on_fake(program, strict) for strict in ("true", "false")}
    assert answers == {strict: on_etcd(program, strict) for strict in answers}
    assert (answers["true"] != answers["false"]) is (release in ("3.4.23", "3.5.30"))


def test_the_one_member_can_not_be_removed() -> None:
    """A real etcd would end."""
    with FakeEtcd(strict_reconfig_check=False) as fake, grpc.insecure_channel(fake.address) as channel:
        cluster = stubs(channel).cluster
        [own] = cluster.MemberList(pb.MemberListRequest(), timeout=10).members
        refusal = said(cluster.MemberRemove, pb.MemberRemoveRequest(ID=own.ID))
    assert refusal == "UNIMPLEMENTED: fake-etcd: a real etcd would remove itself, and end"
