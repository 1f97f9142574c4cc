"""Code that shows a trace, to be copied out of a report: a test, a client in Python or Go, and etcdctl's commands."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from etcd_lockstep import trace as symbols
from etcd_lockstep.filing.corpus import load
from etcd_lockstep.reporting.etcdctl import etcdctl_snippet
from etcd_lockstep.reporting.snippets import go_snippet, pytest_snippet, python_snippet, python_source, snippets
from etcd_lockstep.searching.findings import Finding, Signature
from etcd_lockstep.trace import LeaseOf, RevisionAt, TokenOf, Trace
from etcd_model import operations as op
from fake_etcd import Engine
from fake_etcd.server import serve

CORPUS = [load(path) for path in sorted((Path(__file__).parent / "corpus").glob("*.json"))]


def finding(*trace: op.Operation) -> Finding:
    return Finding(Signature("mock", "range", "kvs", "different"), trace, {}, ())


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.path.stem)
def test_an_operation_is_what_its_source_makes(file: Any) -> None:
    names = {"op": op, **{kind.__name__: kind for kind in (LeaseOf, RevisionAt, TokenOf)}}
    for operation in file.trace:
        assert eval(python_source(operation), names) == operation  # our own text


def test_the_source_names_only_what_is_set() -> None:
    assert python_source(op.Range(b"a", limit=1, sort_order=op.SortOrder.DESCEND)) == (
        "op.Range(b'a', limit=1, sort_order=op.SortOrder.DESCEND)"
    )
    assert python_source(op.Put(b"a", lease=LeaseOf(1))) == "op.Put(b'a', lease=LeaseOf(1))"


def test_the_pytest_snippet_is_a_test_of_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    trace: Trace = (op.LeaseGrant(60), op.Put(b"a", lease=LeaseOf(1)), op.Range(b"a", count_only=True))
    source = pytest_snippet(finding(*trace))
    asked: list[Any] = []
    monkeypatch.setattr("etcd_lockstep.assert_trace_matches", lambda *arguments: asked.append(arguments))
    names: dict[str, Any] = {}
    exec(source.replace("from my_targets import MyTarget", "MyTarget = 'mine'"), names)  # our own text
    names["test_range_kvs_different"]()
    assert asked == [(trace, "mine")]


@contextlib.contextmanager
def served() -> Iterator[str]:
    with serve(Engine(), "127.0.0.1:0") as server:
        yield server.address


def executed(source: str, address: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(source.replace("127.0.0.1:2379", address), {})  # our own text
    return out.getvalue()


def test_the_python_snippet_shows_the_answers_of_a_server() -> None:
    source = python_snippet(
        finding(
            op.LeaseGrant(60),
            op.Put(b"a", b"1", lease=LeaseOf(1)),
            op.Put(b"a", b"2", ignore_lease=True),
            op.LeaseKeepAlive(LeaseOf(1)),
            op.Range(b"a", revision=RevisionAt(3, -1)),
            op.Range(b"a", revision=RevisionAt(0, 7)),
        )
    )
    assert source is not None
    with served() as address:
        out = executed(source, address)
    assert out.count("TTL: 60") == 2
    assert 'value: "1"' in out
    assert "required revision is a future revision" in out


def test_the_python_snippet_sends_a_token_as_the_trace_does() -> None:
    login: Trace = (
        op.UserAdd("root", "p"),
        op.UserGrantRole("root", "root"),
        op.AuthEnable(),
        op.Authenticate("root", "p"),
    )
    source = python_snippet(
        finding(
            *login,
            op.As(TokenOf(4), op.UserList(), authorization=True),
            op.As(TokenOf(4), op.UserList(), scheme="Bearer "),
            op.As(TokenOf(4), op.AuthDisable()),
        )
    )
    assert source is not None
    assert ', step_4.token, "authorization")' in source
    assert ', "Bearer " + step_4.token)' in source
    with served() as address:
        out = executed(source, address)
    assert out.count('users: "root"') == 1
    assert out.count("invalid auth token") == 2  # as an error's details, and in its text


def test_the_python_snippet_of_every_trace_that_has_one_runs() -> None:
    shown = 0
    for file in CORPUS:
        source = python_snippet(finding(*file.trace))
        if source is not None:
            shown += 1
            with served() as address:
                assert executed(source, address).count("\n") >= len(file.trace)
    assert shown > len(CORPUS) / 2


GUARDED: Trace = (
    op.LeaseGrant(60),
    op.Txn(
        compare=(op.Compare(b"a", op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0),),
        success=(op.Put(b"a", b"1", lease=LeaseOf(1)),),
        failure=(op.Range(b"a"),),
    ),
    op.Range(b"a", b"b", revision=RevisionAt(2), sort_order=op.SortOrder.DESCEND),
)


def test_the_go_snippet() -> None:
    source = go_snippet(finding(*GUARDED))
    assert source is not None
    assert "step1, err := lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 60})" in source
    assert (
        "step2, err := kv.Txn(ctx, &pb.TxnRequest{Compare: []*pb.Compare{&pb.Compare{"
        'Target: pb.Compare_CompareTarget(1), Key: []byte("a"), '
        "TargetUnion: &pb.Compare_CreateRevision{CreateRevision: 0}}}" in source
    )
    assert "revision2 := revision(ctx, client)" in source
    assert "SortOrder: pb.RangeRequest_SortOrder(2)" in source


def test_the_etcdctl_snippet() -> None:
    assert etcdctl_snippet(finding(*GUARDED)) == (
        "# etcdctl 3.5 or newer, and an empty server, which this writes to\n"
        "lease1=$(etcdctl lease grant 60 | awk '{print $2}')\n"
        "etcdctl txn <<END\n"
        'c("a") = "0"\n'
        "\n"
        'put --lease=$lease1 "a" "1"\n'
        "\n"
        'get "a"\n'
        "\n"
        "END\n"
        """revision2=$(etcdctl get --write-out=fields x | awk -F' : ' '$1 == "\\"Revision\\"" {print $2}')\n"""
        "etcdctl get --rev=$revision2 --order=DESCEND -- 'a' 'b'\n"
    )


@pytest.mark.parametrize(
    ("trace", "missing"),
    [
        ((op.Put(b"a\0"),), {"etcdctl"}),
        ((op.Range(b"a", min_mod_revision=2),), {"etcdctl"}),
        ((op.WatchCreate(b"a"), op.WatchRead()), {"etcdctl", "Go", "Python"}),
        ((op.LeaseGrant(60), op.Lock(b"l", LeaseOf(1))), {"etcdctl", "Go", "Python"}),
        ((op.LeaseGrant(2), op.Advance(4)), {"Go", "Python"}),
    ],
    ids=["nul", "filter", "watch", "lock", "time"],
)
def test_what_cannot_show_a_trace_is_left_out(trace: Sequence[op.Operation], missing: set[str]) -> None:
    assert {"pytest", "Python", "Go", "etcdctl"} - snippets(finding(*trace)).keys() == missing
    assert symbols.takes_time(tuple(trace)) is (len(missing) == 2)
