"""The workloads of certificates and signed tokens: where they run, what they find, and how that is filed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import etcd_lockstep.searching.run
from etcd_lockstep.catalogue import UserTarget, find
from etcd_lockstep.filing.baseline import AcceptedFinding, load_baseline, save_baseline
from etcd_lockstep.filing.corpus import BadFile, load, save
from etcd_lockstep.filing.replaying import Outcome, Replayer
from etcd_lockstep.reporting.snippets import snippets
from etcd_lockstep.reporting.wording import operation_in_words
from etcd_lockstep.searching.driver import fuzz
from etcd_lockstep.searching.findings import Finding, Signature, features
from etcd_lockstep.searching.run import NothingToDo, Run, RunOptions
from etcd_lockstep.searching.search import Search
from etcd_lockstep.servers import EtcdSource, EtcdUnavailable, NoEtcd, RunningEtcd, ServerSettings, parse_source, start
from etcd_lockstep.servers.discovery import find_release
from etcd_lockstep.servers.identities import identities
from etcd_lockstep.strategies.operation_table import simpler
from etcd_lockstep.strategies.workloads import CERTIFICATES, JWT, Workload
from etcd_lockstep.target import ALL
from etcd_lockstep.targets.fake import FakeServerTarget, FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.targets.wire import WireTarget
from etcd_lockstep.trace import AuthRevision, TokenOf, Trace
from etcd_model import Error, Operation, Result, Server, quirks_of
from etcd_model import operations as op

BOTH = ("certificates", "jwt")
GET = op.Range(b"a")
CLAIMS = op.Claims("u", AuthRevision())


def plan(source: EtcdSource, *against: str | UserTarget | EtcdSource, examples: int = 1) -> RunOptions:
    return RunOptions(source, against, families=("auth",), workloads=BOTH, examples=examples, seed=1)


def workloads(source: EtcdSource, *against: str | UserTarget | EtcdSource) -> tuple[list[str], list[str]]:
    """The workloads that run, and what is said of those that don't."""
    said: list[str] = []
    run = Run(plan(source, *against), progress=said.append)
    return [stage.workload.name for stage in run.stages()], [line for line in said if "left out" in line]


# Where they run


def test_they_run_where_users_are_asked_for_and_all_stores_are_started() -> None:
    assert workloads(NoEtcd()) == workloads(NoEtcd(), "fake-server") == ([*BOTH], [])


def test_the_model_the_fake_and_a_real_etcd_agree(real_etcd: RunningEtcd) -> None:
    source = parse_source("binary" if real_etcd.version == "3.5.1" else f"version:{real_etcd.version}")
    run = Run(plan(source, examples=4))
    for stage in run.stages():
        assert [target.name for target in stage.participants.others] == ["fake", "etcd"]
        run.fuzz(stage)
    assert list(map(str, run.findings)) == []
    assert all(search.steps > 100 for search in run.searches)


def test_the_fake_in_this_process_knows_its_clients_as_its_server_does() -> None:
    run = Run(plan(NoEtcd(), "fake-server", examples=12))
    for stage in run.stages():
        assert [type(target) for target in stage.participants.others] == [FakeTarget, FakeServerTarget]
        run.fuzz(stage)
    assert list(map(str, run.findings)) == []
    assert all(search.steps > 300 for search in run.searches)


def test_a_target_of_the_users_is_not_asked_for_certificates() -> None:
    said: list[str] = []
    run = Run(plan(NoEtcd(), find("slot-mock")), progress=said.append)
    with pytest.raises(NothingToDo):
        next(run.stages())
    assert said == [f"{name}: left out: not every store of this run is one that it starts" for name in BOTH]


def test_without_the_packages_they_are_left_out_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "it takes the extras tls and jwt"
    monkeypatch.setattr(etcd_lockstep.searching.run, "missing_packages", lambda: reason)
    said: list[str] = []
    options = replace(plan(NoEtcd()), workloads=("auth", *BOTH))
    run = Run(options, progress=said.append)
    assert [stage.workload.name for stage in run.stages()] == ["auth"]
    assert said == [f"{name}: left out: {reason}" for name in BOTH]


def test_a_base_install_without_any_extra_agrees_with_itself() -> None:
    """In a process of its own, in which no extra can be imported: a hashed password is one that the fake refuses."""
    program = """
import sys
extras = "bcrypt", "jwt", "trustme", "cryptography", "jinja2", "distributed", "etcd3", "testcontainers"
sys.modules.update(dict.fromkeys(extras))
from etcd_lockstep.console.cli import main
sys.exit(main(["fuzz", "--etcd", "none", "--families", "auth", "--examples", "150", "--seed", "3"]))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "every answer agreed" in ended.stdout
    assert "certificates: left out" in ended.stdout


def test_a_container_is_given_no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at is the refusal: no engine is asked."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    said: list[str] = []
    with pytest.raises(NothingToDo):
        next(Run(plan(parse_source("container")), progress=said.append).stages())
    reason = "a server with certificates is started from a binary, not in a container"
    assert said == [f"{name}: left out: {reason}" for name in BOTH]


def test_a_binary_that_cannot_be_started_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(EtcdUnavailable):
        next(Run(plan(parse_source(f"binary:{tmp_path / 'gone'}"))).stages())


def test_tokens_of_a_certain_revision_take_an_etcd_that_tells_it() -> None:
    try:
        find_release("3.4.23")
    except EtcdUnavailable as reason:
        pytest.skip(f"needs etcd 3.4.23 (scripts/fetch-etcd 3.4.23): {reason}")
    names, said = workloads(parse_source("version:3.4.23"))
    assert names == ["certificates"]
    left_out = "jwt: left out: an etcd 3.4 doesn't report the revision of its auth store"
    assert said == [left_out]
    with pytest.raises(NothingToDo, match=f"^{left_out}$"):
        next(Run(replace(plan(parse_source("version:3.4.23")), workloads=("jwt",))).stages())


@pytest.mark.parametrize("tokens", ["simple", "jwt"])
def test_a_server_lets_nobody_in_without_a_certificate(tokens: str, real_etcd: RunningEtcd) -> None:
    source = parse_source("binary" if real_etcd.version == "3.5.1" else f"version:{real_etcd.version}")
    assert not isinstance(source, NoEtcd)
    with start(source, settings=ServerSettings(tokens=tokens)) as etcd:
        assert etcd.access.identities is identities()
        known = WireTarget("known", etcd.access)
        assert not isinstance(known.apply(GET), Error)
        known.close()
        with pytest.raises(Exception, match="UNAVAILABLE"):
            WireTarget("unknown", etcd.address).apply(GET)


# What is found


class Mutant(ModelTarget):
    """A model that takes something else for who sends an operation."""

    name = "mutant"

    def apply(self, operation: Operation) -> Result:
        return super().apply(self.sent(operation) if isinstance(operation, op.As) else operation)

    def sent(self, operation: op.As) -> op.As:
        raise NotImplementedError


class TakesExpired(Mutant):
    def sent(self, operation: op.As) -> op.As:
        claims = operation.claims
        return replace(operation, claims=replace(claims, expired=False)) if claims else operation


class TakesForged(Mutant):
    def sent(self, operation: op.As) -> op.As:
        claims = operation.claims
        return replace(operation, claims=replace(claims, forged=False)) if claims else operation


class TakesAnyRevision(Mutant):
    def sent(self, operation: op.As) -> op.As:
        now, claims = self.state.auth.revision, operation.claims
        return replace(operation, claims=replace(claims, revision=now)) if claims else operation


class SeesNoCertificates(Mutant):
    def sent(self, operation: op.As) -> op.As:
        return replace(operation, certificate="")


class CertificatesCountMore(Mutant):
    def sent(self, operation: op.As) -> op.As:
        return replace(operation, token="", claims=None) if operation.certificate else operation


class BadTokensAreNone(Mutant):
    def sent(self, operation: op.As) -> op.As:
        claims = operation.claims
        return replace(operation, claims=None) if claims and (claims.expired or claims.forged) else operation


@pytest.mark.parametrize(
    ("workload", "mutant"),
    [
        (JWT, TakesExpired),
        (JWT, TakesForged),
        (JWT, TakesAnyRevision),
        (JWT, SeesNoCertificates),
        (JWT, CertificatesCountMore),
        (JWT, BadTokensAreNone),
        (CERTIFICATES, SeesNoCertificates),
        (CERTIFICATES, CertificatesCountMore),
    ],
)
def test_who_takes_it_for_somebody_elses_is_found(workload: Workload, mutant: type[Mutant]) -> None:
    server = Server(quirks_of("3.6.16"), client_cert_auth=True, signed_tokens=workload is JWT)
    search = Search(ModelTarget(server), [mutant(server)])
    operations = workload.operations(("auth",), ALL)
    fuzz(
        search,
        workload,
        operations,
        (b"a", b"b"),
        seconds=None,
        examples=300,
        seed=1,
        until=lambda: bool(search.findings),
    )
    assert search.findings
    assert {finding.tokens for finding in search.findings} == {workload.settings.tokens}


# How it is filed and said


TRACE: Trace = (
    op.UserAdd("root", "p"),
    op.UserGrantRole("root", "root"),
    op.AuthEnable(),
    op.Authenticate("root", "p"),
    op.As(TokenOf(4), GET, "u"),
    op.As("", GET, claims=op.Claims("u", AuthRevision(-1), expired=True)),
)
FOUND = Finding(Signature("x", "range", "kvs", "missing"), TRACE, {}, (), tokens="jwt")


def test_a_file_says_which_server_it_takes(tmp_path: Path) -> None:
    path = save(FOUND, tmp_path, "none")
    loaded = load(path)
    assert (loaded.trace, loaded.tokens) == (TRACE, "jwt")
    with Replayer(NoEtcd()) as replayer:
        assert replayer.replay(loaded).outcome is Outcome.FIXED
        assert replayer.replay(replace(loaded, tokens="simple")).outcome is Outcome.FIXED
    path.write_text(path.read_text().replace('"tokens": "jwt"', '"tokens": "none"'))
    with pytest.raises(BadFile, match="'tokens' is one of simple, jwt"):
        load(path)


def test_an_endpoint_can_not_be_asked(tmp_path: Path) -> None:
    with Replayer(parse_source("endpoint:127.0.0.1:1")) as replayer:
        replay = replayer.replay(load(save(FOUND, tmp_path, "none")))
    assert replay.outcome is Outcome.NOT_REPLAYED
    assert replay.remark == "it takes a server that is started with certificates of its own"


def test_an_etcd_that_does_not_report_the_revision_of_its_auth_store_can_not_be_asked_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etcd_lockstep.searching.participants.Participants.report_auth_revisions", False)
    file = load(save(FOUND, tmp_path, "none"))
    with Replayer(NoEtcd()) as replayer:
        replay = replayer.replay(file)
        assert replayer.replay(replace(file, tokens="simple")).outcome is Outcome.FIXED
    assert replay.outcome is Outcome.NOT_REPLAYED
    assert replay.remark == "an etcd 3.4 doesn't report the revision of its auth store"


def test_a_baseline_says_so_too(tmp_path: Path) -> None:
    save_baseline(tmp_path / "baseline.json", [AcceptedFinding(FOUND, "known")])
    (accepted,) = load_baseline(tmp_path / "baseline.json")
    assert (accepted.finding.trace, accepted.finding.tokens) == (TRACE, "jwt")


def test_a_report_says_so_too() -> None:
    assert "on a server with TLS, clients' certificates and jwt tokens" in str(FOUND)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (op.As(TokenOf(4), GET), 'as the user of step 4: range "a"'),
        (op.As("", GET), 'with the token "": range "a"'),
        (op.As("", GET, "u"), 'with the certificate of "u": range "a"'),
        (op.As(TokenOf(4), GET, "u"), 'with the certificate of "u" and as the user of step 4: range "a"'),
        (op.As("", GET, claims=CLAIMS), 'with a signed token for "u": range "a"'),
        (
            op.As("", GET, "v", op.Claims("u", AuthRevision(-1), expired=True)),
            'with the certificate of "v" and with a signed and expired token for "u" of the auth store\'s revision -1: '
            'range "a"',
        ),
    ],
)
def test_who_sends_it_in_words(operation: op.Operation, words: str) -> None:
    assert operation_in_words(operation) == words


def test_each_way_to_say_who_one_is_has_a_feature() -> None:
    senders = [
        op.As(TokenOf(1), GET),
        op.As("x", GET),
        op.As("", GET, "u"),
        op.As(TokenOf(1), GET, "u"),
        op.As("", GET, claims=CLAIMS),
        op.As("", GET, "u", CLAIMS),
        op.As("", GET, claims=replace(CLAIMS, expired=True)),
        op.As("", GET, claims=replace(CLAIMS, forged=True)),
        op.As("", GET, claims=replace(CLAIMS, revision=AuthRevision(1))),
    ]
    assert len(set(map(features, senders))) == len(senders)
    assert features(op.As("", GET, "u")) == features(op.As("", GET, "v"))


def test_a_sender_is_made_simpler() -> None:
    claims = op.Claims("u", AuthRevision(-1), expired=True, forged=True)
    plainer = list(simpler(op.As("", GET, "u", claims)))
    assert GET in plainer
    assert op.As("", GET, "u") in plainer
    assert op.As("", GET, claims=claims) in plainer
    assert op.As("", GET, "u", replace(claims, expired=False)) in plainer
    assert op.As("", GET, "u", replace(claims, forged=False)) in plainer
    assert op.As("", GET, "u", replace(claims, revision=AuthRevision())) in plainer
    assert op.As("", GET, "u") in list(simpler(op.As(TokenOf(1), GET, "u")))


def test_no_program_is_shown_that_would_need_the_certificates_of_the_run() -> None:
    assert snippets(FOUND) == {}
    assert "Python" in snippets(replace(FOUND, trace=TRACE[:4], tokens=""))
    assert "Python" not in snippets(replace(FOUND, tokens=""))
