"""One table of cases, on the model, the fake and a real etcd: what one of them is tested for, all of them are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import grpc
import pytest

from etcd_lockstep.comparing.lockstep import Lockstep, Skipped
from etcd_lockstep.pytest_plugin import etcd_source
from etcd_lockstep.servers import Endpoint, RunningEtcd, ServerSettings, open_channel, start
from etcd_lockstep.target import Target
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.targets.wire import WireTarget
from etcd_lockstep.trace import bare
from etcd_lockstep.transcripts import (
    FRESH,
    TRANSCRIPTS,
    ByVersion,
    Departure,
    Since,
    Transcript,
    replay,
    replay_in_lockstep,
    said,
)
from etcd_model import Quirks, Result, Server, State, quirks_of
from etcd_model.auth.nondeterministic import STALE
from etcd_model.operations import (
    OPERATIONS,
    Advance,
    LeaseGrant,
    Operation,
    Put,
    Range,
    UserAdd,
    WatchCreate,
    WatchProgress,
)
from etcd_model.quirks import SINCE
from etcd_model.results import AdvanceResult, LeaseGrantResult, PutResult, RangeResult, StreamResult, WatchCreateResult
from fake_etcd import Engine, EtcdError
from fake_etcd.wire import messages as pb

VERSIONS = ("3.4.23", "3.4.34", "3.5.1", "3.5.16", "3.5.30", "3.5.33", "3.6.16", "3.7.3")

by_name = pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda transcript: transcript.name)


@pytest.fixture(scope="module")
def _cheap(request: pytest.FixtureRequest) -> Iterator[WireTarget]:
    """A real etcd that hashes passwords at the least cost, if it is ours to start; else the one of the session."""
    etcd: RunningEtcd = request.getfixturevalue("real_etcd")
    source = etcd_source(request.config)
    if not etcd.owned or isinstance(source, Endpoint):
        yield request.getfixturevalue("_real")
        return
    with start(source, settings=ServerSettings(cheap_passwords=True)) as cheap:  # type: ignore[arg-type]  # as above
        target = WireTarget("etcd", cheap.address)
        yield target
        target.close()


def play(transcript: Transcript, target: Target, model: ModelTarget) -> None:
    """Replay a transcript from a reset on, beside the model where that is needed."""
    if transcript.takes_a_model:
        replay_in_lockstep(transcript, model, *([] if target is model else [target]))
    else:
        base = target.reset()
        assert base is not None
        replay(transcript, target, base, model.server.quirks)


@by_name
@pytest.mark.parametrize("target_name", ["model", "fake", "etcd"])
def test_it_says(
    target_name: str, transcript: Transcript, model: ModelTarget, quirks: Quirks, request: pytest.FixtureRequest
) -> None:
    if not transcript.holds_for(quirks):
        pytest.skip(f"the running etcd's release is {'without' if transcript.needs else 'one with'} what it is about")
    if target_name == "etcd":
        assert_sendable(transcript, ModelTarget(model.server))
    has_passwords = any(isinstance(bare(operation), UserAdd) for operation, _ in transcript.steps)
    fixture = {"etcd": "_cheap" if has_passwords else "real"}.get(target_name, target_name)
    target = request.getfixturevalue(fixture)
    play(transcript, target, model)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("target_name", ["model", "fake"])
def test_every_release_says_what_the_transcripts_say_of_it(target_name: str, version: str) -> None:
    model = ModelTarget(Server(quirks=quirks_of(version)))
    target = model if target_name == "model" else FakeTarget(version, min_lease_ttl=2)
    departures = []
    for transcript in TRANSCRIPTS:
        if transcript.holds_for(model.server.quirks):
            try:
                play(transcript, target, model)
            except Departure as departure:
                departures.append(str(departure))
    assert departures == []


# A store that was never compacted is had once a server.


class FreshModel(ModelTarget):
    """The model as a server starts with it, before any reset."""

    def reset(self) -> int:
        self.state = State(server=self.server)
        return self.state.revision


class FreshFake(FakeTarget):
    """The fake as a server starts with it."""

    def reset(self) -> int:
        self._engine.reset()
        return 1


class FreshEtcd(WireTarget):
    """A real etcd that was just started."""

    def reset(self) -> int:
        return 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("transcript", FRESH, ids=lambda transcript: transcript.name)
def test_a_fresh_model_and_a_fresh_fake_say(transcript: Transcript, version: str) -> None:
    model = FreshModel(Server(quirks=quirks_of(version)))
    if transcript.holds_for(model.server.quirks):
        for target in (model, FreshFake(version, min_lease_ttl=2)):
            play(transcript, target, model)


@pytest.mark.parametrize("transcript", FRESH, ids=lambda transcript: transcript.name)
def test_a_fresh_etcd_says(transcript: Transcript, real_etcd: RunningEtcd, request: pytest.FixtureRequest) -> None:
    source = etcd_source(request.config)
    if not real_etcd.owned or isinstance(source, Endpoint):
        pytest.skip("an endpoint can't be had fresh: it is not ours to start")
    model = FreshModel(Server(quirks=quirks_of(real_etcd.version)))
    if not transcript.holds_for(model.server.quirks):
        pytest.skip("the running etcd's release is one with what it is about")
    assert_sendable(transcript, FreshModel(model.server))
    with start(source) as fresh:  # type: ignore[arg-type]  # NoEtcd would have skipped
        target = FreshEtcd("etcd", fresh.address)
        try:
            play(transcript, target, model)
        finally:
            target.close()


# The table itself.


def assert_sendable(transcript: Transcript, model: ModelTarget) -> None:
    """That no step would kill a real server, or is answered by a race in it; judged along the model's own way."""
    lockstep = Lockstep(model, ())
    lockstep.start()
    for number, (operation, _) in enumerate(transcript.steps, 1):
        try:
            lockstep.step(operation)
        except Skipped as reason:
            if str(reason) == STALE:
                return  # a rare race of some versions, never seen with a transcript; the rest is judged on the others
            raise AssertionError(f"{transcript.name}, step {number}, {operation}: {reason}") from None


@pytest.mark.parametrize("version", VERSIONS)
def test_no_transcript_kills_a_real_server_or_asks_what_etcd_leaves_open(version: str) -> None:
    model = ModelTarget(Server(quirks=quirks_of(version)))
    for transcript in TRANSCRIPTS:
        if transcript.holds_for(model.server.quirks):
            assert_sendable(transcript, model)


def test_every_transcript_has_a_name_of_its_own() -> None:
    assert [name for name, times in Counter(t.name for t in (*TRANSCRIPTS, *FRESH)).items() if times > 1] == []


def test_every_operation_is_in_the_transcripts() -> None:
    assert {type(operation) for t in TRANSCRIPTS for operation, _ in t.steps} == set(OPERATIONS)


UNTOLD = {
    "alarm_text_trimmed": "blanks are no part of an observation",
    "compaction_hashed_after_finished_one": "whether a compaction has met another is a race",
    "old_auth_revision_mapped": "it takes a server with JSON Web Tokens",
    "root_skips_lease_keys": "likewise",
    "progress_not_deferred": "an answer that comes after some later event is nondeterministic",
    "put_free_txns_pass": "it takes a server that is full",
    "read_buffer_has_end": "what an older user is found for is nondeterministic",
    "users_read_from_buffer": "likewise",
    "storage_version": "all answers of Status report it",
}
"""The quirks that no transcript is about."""


def test_every_quirk_is_reported_by_a_transcript_or_has_a_reason_not_to_be() -> None:
    reported_by = {quirk for t in (*TRANSCRIPTS, *FRESH) for quirk in (t.needs, t.lacks) if quirk}
    for transcript in (*TRANSCRIPTS, *FRESH):
        for _, answer in transcript.steps:
            if isinstance(answer, Since):
                reported_by.update(answer.quirks())
    assert reported_by == SINCE.keys() - UNTOLD.keys()


@pytest.mark.parametrize("quirk", sorted(SINCE.keys() - UNTOLD.keys()))
def test_the_releases_replayed_are_on_either_side_of_every_quirk(quirk: str) -> None:
    assert {getattr(quirks_of(version), quirk) for version in VERSIONS} == {False, True}


def test_the_transcripts_that_wait_are_few() -> None:
    waits = [sum(o.seconds for o, _ in t.steps if isinstance(o, Advance)) for t in (*TRANSCRIPTS, *FRESH)]
    assert sum(waits) <= 20


# What replaying notices.

A_PUT = Transcript("a put", ((Put(b"a"), PutResult(2)), (Range(b"a", count_only=True), RangeResult(2, count=1))))


def test_a_departure_reports_the_step_and_what_was_said_instead(quirks: Quirks) -> None:
    target = ModelTarget(Server(quirks=quirks))
    replay(A_PUT, target, target.reset(), quirks)
    with pytest.raises(Departure, match=r"(?s)a put\nstep 1: Put.*expected: PutResult\(revision=2.*revision=3") as info:
        replay(A_PUT, target, 1, quirks)  # not reset: one put more
    assert info.value.step == 1


def test_an_answer_that_changed_is_reported_by_the_quirk() -> None:
    changed = Since("sort_options_validated", PutResult(2), Since("auth_status_open", PutResult(3), PutResult(4)))
    assert [said(changed, quirks_of(version)) for version in ("3.5.30", "3.6.0", "3.7.0")] == [
        PutResult(revision) for revision in (2, 3, 4)
    ]
    assert list(changed.quirks()) == ["sort_options_validated", "auth_status_open"]


def test_an_answer_may_report_the_version() -> None:
    assert said(ByVersion(lambda quirks: PutResult(len(quirks.version))), quirks_of("3.5.30")) == PutResult(6)


@pytest.mark.parametrize(
    ("needs", "lacks", "holds"),
    [("", "", "both"), ("sort_options_validated", "", "3.6.0"), ("", "sort_options_validated", "3.5.30")],
)
def test_a_transcript_may_hold_for_some_versions_alone(needs: str, lacks: str, holds: str) -> None:
    transcript = Transcript("a put", A_PUT.steps, needs, lacks)
    assert [transcript.holds_for(quirks_of(version)) for version in ("3.5.30", "3.6.0")] == [
        holds in ("both", version) for version in ("3.5.30", "3.6.0")
    ]


A_WAIT = Transcript(
    "a lease expires",
    (
        (LeaseGrant(2, id=7), LeaseGrantResult(1, 7, 2)),
        (Put(b"a", lease=7), PutResult(2)),
        (Advance(2), AdvanceResult()),
        (Range(b"a"), RangeResult(3)),
    ),
)


class Everlasting(FakeTarget):
    """No lease of this one ever expires."""

    def apply(self, operation: Operation) -> Result:
        return AdvanceResult() if isinstance(operation, Advance) else super().apply(operation)


def test_in_lockstep_too_a_departure_reports_who_said_what(quirks: Quirks) -> None:
    model = ModelTarget(Server(quirks=quirks))
    replay_in_lockstep(A_WAIT, model, FakeTarget(quirks.version, 2))
    with pytest.raises(Departure, match=r"(?s)a lease expires\nstep 4: Range.*fake: .*count=1"):
        replay_in_lockstep(A_WAIT, model, Everlasting(quirks.version, 2))
    wrong = Transcript("a lease expires not", (*A_WAIT.steps[:3], (Range(b"a"), RangeResult(2))))
    with pytest.raises(Departure, match=r"(?s)a lease expires not\nstep 4: Range.*model: ") as info:
        replay_in_lockstep(wrong, model)
    assert info.value.step == 4


def test_what_is_to_be_sent_to_nobody_is_not_sent(quirks: Quirks) -> None:
    early = Transcript(
        "progress at once",
        (
            (Put(b"a"), PutResult(2)),
            (WatchCreate(b"a", start_revision=1), WatchCreateResult(2, 0)),
            (WatchProgress(), StreamResult()),
        ),
    )
    with pytest.raises(Skipped, match=r"progress at once, step 3, WatchProgress.*catching up"):
        replay_in_lockstep(early, ModelTarget(Server(quirks=quirks)), FakeTarget(quirks.version, 2))
    with pytest.raises(AssertionError, match="progress at once, step 3"):
        assert_sendable(early, ModelTarget(Server(quirks=quirks)))


# What etcd's wire can say and our operations can't, on the fake and on a real etcd.

TXN = "/etcdserverpb.KV/Txn"


def _ask(target_name: str, request: pb.TxnRequest, request_fixture: pytest.FixtureRequest) -> pb.TxnResponse | str:
    """The answer to a txn, or the message of the refusal, of a server at which a is b."""
    if target_name == "fake":
        engine = Engine(request_fixture.getfixturevalue("etcd_version"))
        engine.call("/etcdserverpb.KV/Put", pb.PutRequest(key=b"a", value=b"b"))
        try:
            answer = engine.call(TXN, request)
        except EtcdError as error:
            return error.message
        assert isinstance(answer, pb.TxnResponse)
        return answer
    real: WireTarget = request_fixture.getfixturevalue("real")
    real.apply(Put(b"a", b"b"))
    with open_channel(request_fixture.getfixturevalue("etcd_address")) as channel:
        call = channel.unary_unary(
            TXN,
            request_serializer=pb.TxnRequest.SerializeToString,
            response_deserializer=pb.TxnResponse.FromString,
        )
        try:
            response: pb.TxnResponse = call(request, timeout=10)
        except grpc.RpcError as error:
            return str(error.details()) if isinstance(error, grpc.Call) else repr(error)
    return response


@pytest.mark.parametrize("target_name", ["fake", "etcd"])
@pytest.mark.parametrize("branch", ["success", "failure"])
def test_an_operation_with_nothing_in_it_is_reported_as_a_key_not_found(
    branch: str, target_name: str, request: pytest.FixtureRequest
) -> None:
    txn = pb.TxnRequest()
    getattr(txn, branch).add()
    assert _ask(target_name, txn, request) == "etcdserver: key not found"


@pytest.mark.parametrize("target_name", ["fake", "etcd"])
@pytest.mark.parametrize(
    ("compare", "succeeded"),
    [
        (pb.Compare(key=b"none", target=pb.Compare.MOD), True),
        (pb.Compare(key=b"a", target=pb.Compare.MOD), False),
        (pb.Compare(key=b"a", target=pb.Compare.VERSION, mod_revision=1), False),
        (pb.Compare(key=b"a", target=pb.Compare.VALUE), False),
        (pb.Compare(key=b"a", target=pb.Compare.VALUE, result=pb.Compare.GREATER, version=1), True),
        (pb.Compare(key=b"a", target=9, version=77), True),  # type: ignore[arg-type]  # any int goes over the wire
        (pb.Compare(key=b"a", target=9, result=pb.Compare.LESS), False),  # type: ignore[arg-type]  # as above
    ],
    ids=[
        "no operand is 0",
        "no operand is 0, and a is there",
        "another target's operand is none",
        "no operand is an empty value",
        "another target's operand is an empty value",
        "an unknown target is equal",
        "an unknown target is not less",
    ],
)
def test_a_compare_without_its_operand(
    compare: pb.Compare, succeeded: bool, target_name: str, request: pytest.FixtureRequest
) -> None:
    answer = _ask(target_name, pb.TxnRequest(compare=[compare]), request)
    assert isinstance(answer, pb.TxnResponse)
    assert answer.succeeded is succeeded
