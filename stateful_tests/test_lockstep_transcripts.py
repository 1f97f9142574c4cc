"""One table of cases, on the model, the fake and a real etcd: what one of them is tested for, all of them are."""

from __future__ import annotations

from collections import Counter

import grpc
import pytest

from etcd_lockstep.codec import decode, encode
from etcd_lockstep.servers import Endpoint, RunningEtcd, open_channel, parse_source, start
from etcd_lockstep.target import Target
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.targets.wire import WireTarget
from etcd_lockstep.trace import RevisionAt, substitute
from etcd_lockstep.transcripts import FRESH, TRANSCRIPTS, Departure, Since, Transcript, replay
from etcd_model import Error, Quirks, Result, Server, State, lethal, quirks_of, step
from etcd_model.errors import Code
from etcd_model.operations import OPERATIONS, Operation, Put, Range
from etcd_model.results import PutResult, RangeResult
from fake_etcd import Engine, EtcdError
from fake_etcd.wire import messages as pb

VERSIONS = ("3.4.23", "3.4.34", "3.5.1", "3.5.16", "3.5.30", "3.6.16", "3.7.3")

by_name = pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda transcript: transcript.name)


@by_name
@pytest.mark.parametrize("target_name", ["model", "fake", "etcd"])
def test_it_says(target_name: str, transcript: Transcript, quirks: Quirks, request: pytest.FixtureRequest) -> None:
    target = request.getfixturevalue("real" if target_name == "etcd" else target_name)
    if not transcript.holds_for(quirks):
        pytest.skip(f"the running etcd's release is without {transcript.needs}")
    assert no_step_is_lethal(transcript, State(server=Server(quirks=quirks), compact_revision=1))
    replay(transcript, target, target.reset(), quirks)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("target_name", ["model", "fake"])
def test_every_release_says_what_the_transcripts_say_of_it(target_name: str, version: str) -> None:
    quirks = quirks_of(version)
    target = ModelTarget(Server(quirks=quirks)) if target_name == "model" else FakeTarget(version, min_lease_ttl=2)
    departures = []
    for transcript in TRANSCRIPTS:
        if transcript.holds_for(quirks):
            try:
                replay(transcript, target, target.reset(), quirks)
            except Departure as departure:
                departures.append(str(departure))
    assert departures == []


# A store that was never compacted is had once a server.


class FreshModel(ModelTarget):
    """The model as a server starts with it, before any reset."""

    def reset(self) -> int:
        self.state = State(server=self.server)
        return self.state.revision


class FreshFake(Target):
    """The fake as a server starts with it."""

    name = "fake"

    def __init__(self, version: str) -> None:
        self._engine = Engine(version)

    def reset(self) -> int:
        self._engine.reset()
        return 1

    def apply(self, operation: Operation) -> Result:
        path, request = encode(operation)
        try:
            return decode(operation, self._engine.call(path, request))
        except EtcdError as error:
            return Error(Code(error.code.value[0]), error.message)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("transcript", FRESH, ids=lambda transcript: transcript.name)
def test_a_fresh_model_and_a_fresh_fake_say(transcript: Transcript, version: str) -> None:
    quirks = quirks_of(version)
    for target in (FreshModel(Server(quirks=quirks)), FreshFake(version)):
        replay(transcript, target, target.reset(), quirks)


@pytest.mark.parametrize("transcript", FRESH, ids=lambda transcript: transcript.name)
def test_a_fresh_etcd_says(transcript: Transcript, etcd: RunningEtcd, request: pytest.FixtureRequest) -> None:
    source = parse_source(request.config.getoption("--etcd"))
    if not etcd.owned or isinstance(source, Endpoint):
        pytest.skip("an endpoint can't be had fresh: it is not ours to start")
    quirks = quirks_of(etcd.version)
    assert no_step_is_lethal(transcript, State(server=Server(quirks=quirks)))
    with start(source) as fresh:  # type: ignore[arg-type]  # NoEtcd would have skipped
        target = WireTarget("etcd", fresh.address)
        try:
            replay(transcript, target, 1, quirks)
        finally:
            target.close()


# The table itself.


def no_step_is_lethal(transcript: Transcript, state: State) -> bool:
    """Judged along the model's own way through the transcript."""
    revisions = [state.revision]
    leases: dict[int, int] = {}
    for number, (operation, _) in enumerate(transcript.steps, 1):
        concrete = substitute(
            operation,
            lambda symbol: (
                revisions[symbol.step] + symbol.plus if isinstance(symbol, RevisionAt) else leases[symbol.step]  # type: ignore[attr-defined]
            ),
        )
        assert lethal(concrete, state) is None, f"step {number} would kill a real server: {operation}"
        state, result = step(state, concrete)
        revisions.append(state.revision)
        leases[number] = getattr(result, "id", 0)
    return True


@pytest.mark.parametrize("version", VERSIONS)
def test_no_transcript_kills_a_real_server(version: str) -> None:
    quirks = quirks_of(version)
    for transcript in TRANSCRIPTS:
        if transcript.holds_for(quirks):
            assert no_step_is_lethal(transcript, State(server=Server(quirks=quirks), compact_revision=1))


def test_every_transcript_has_a_name_of_its_own() -> None:
    assert [name for name, times in Counter(t.name for t in (*TRANSCRIPTS, *FRESH)).items() if times > 1] == []


def test_every_operation_is_in_the_transcripts() -> None:
    assert {type(operation) for t in TRANSCRIPTS for operation, _ in t.steps} == set(OPERATIONS)


# What replaying notices.

A_PUT = Transcript("a put", ((Put(b"a"), PutResult(2)), (Range(b"a", count_only=True), RangeResult(2, count=1))))


def test_a_departure_tells_the_step_and_what_was_said_instead(quirks: Quirks) -> None:
    target = ModelTarget(Server(quirks=quirks))
    replay(A_PUT, target, target.reset(), quirks)
    with pytest.raises(Departure, match=r"(?s)a put\nstep 1: Put.*expected: PutResult\(revision=2.*revision=3") as info:
        replay(A_PUT, target, 1, quirks)  # not reset: one put more
    assert info.value.step == 1


def test_an_answer_that_changed_is_told_by_the_quirk() -> None:
    changed = Since("sort_options_validated", PutResult(2), PutResult(3))
    assert changed.said_by(quirks_of("3.5.30")) == PutResult(2)
    assert changed.said_by(quirks_of("3.6.0")) == PutResult(3)


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
def test_an_operation_with_nothing_in_it_is_told_as_a_key_not_found(
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
