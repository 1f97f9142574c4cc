"""The command line, as its user meets it: what it accepts, what it refuses, and what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from argparse import ArgumentTypeError
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from etcd_lockstep.catalogue import OTHERS, REFERENCES
from etcd_lockstep.console.argument_types import processes
from etcd_lockstep.console.cli import main
from etcd_lockstep.filing.corpus import load
from etcd_lockstep.names import OPERATION_NAMED
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.strategies.operation_table import FAMILIES
from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.wire import WireTarget
from etcd_model import Operation, Result
from etcd_model.operations import Put, Range
from etcd_model.results import RangeResult

PROGRAM = (sys.executable, "-c", "import sys; from etcd_lockstep.console.cli import main; sys.exit(main())")

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("elsewhere")


def run(*arguments: str) -> int:
    """The exit code."""
    try:
        return main(arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1


QUICK = "kv,txn,lease,compact"
"""Families that need neither a server of their own nor time."""


def fuzz(*arguments: str) -> int:
    return run("fuzz", "--etcd", "none", "--seed", "1", "--examples", "10", "--families", QUICK, *arguments)


def refusal(capsys: Capture) -> str:
    """The one line on stderr, without the program's name."""
    reported = capsys.readouterr().err
    assert reported.startswith("etcd-lockstep: ")
    assert reported.count("\n") == 1
    return reported.removeprefix("etcd-lockstep: ").rstrip("\n")


def own(name: str) -> str:
    """How `--against` names a class of this module."""
    return f"{__name__}:{name}"


class NotATarget:
    pass


Alias = dict[str, int]  # of which Python 3.10 says that it is a class


class NeedsAnArgument(Specimen):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address


class Unreachable(Specimen):
    def __init__(self) -> None:
        raise TargetDied("nobody listens\nat all")


class NamedLikeTheRealOne(Specimen):
    name = "etcd"


class NamedLikeASpecimen(Specimen):
    name = "slot-mock"


class WithoutWords(Specimen):
    name = "without-words"

    def can_express(self, operation: Operation) -> bool:  # noqa: ARG002  # whatever it is
        return False


class Forgetful(Specimen):
    """No read finds anything."""

    name = "forgetful"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return RangeResult(result.revision) if isinstance(result, RangeResult) else result


class AsForgetful(Forgetful):
    name = "as-forgetful"


# What is refused


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "the following arguments are required: COMMAND; see etcd-lockstep --help"),
        (["search"], "invalid choice: 'search'"),
        (["fuzz", "--bogus"], "unrecognized arguments: --bogus"),
        (["fuzz", "--seconds", "0"], "argument --seconds: '0' is not a number of seconds above 0"),
        (["fuzz", "--seconds", "-1"], "'-1' is not a number of seconds above 0"),
        (["fuzz", "--seconds", "nan"], "'nan' is not a number of seconds above 0"),
        (["fuzz", "--seconds", "inf"], "'inf' is not a number of seconds above 0"),
        (["fuzz", "--seconds", "soon"], "'soon' is not a number of seconds above 0"),
        (["fuzz", "--seconds"], "argument --seconds: expected one argument"),
        (["fuzz", "--examples", "0"], "argument --examples: '0' is not a whole number from 1 on"),
        (["fuzz", "--examples", "1.5"], "'1.5' is not a whole number from 1 on"),
        (["fuzz", "--steps", "-3"], "argument --steps: '-3' is not a whole number from 1 on"),
        (["fuzz", "--jobs", "100000"], "argument --jobs: 100000 are too many processes: at most "),
        (["campaign", "resume", "state", "--workers", "100000"], "--workers: 100000 are too many processes: at most "),
        (["campaign", "resume", "state", "--metrics-port", "65536"], "65536 is no port: at most 65535"),
        (["fuzz", "--seed", "x"], "argument --seed: 'x' is not a whole number"),
        (["fuzz", "--families", "kv,mutex"], f"no family is called 'mutex': there are {', '.join(FAMILIES)}"),
        (["fuzz", "--families", ""], "no family is called ''"),
        (["fuzz", "--etcd", "docker"], "'docker' is not a kind of source"),
        (["fuzz", "--etcd", "endpoint:localhost"], "needs a host and a port"),
        (["replay", "--etcd", "docker", "x.json"], "'docker' is not a kind of source"),
        (["fuzz", "--against", "nobody"], "no target is called 'nobody': `etcd-lockstep targets` lists them"),
        (["fuzz", "--against", "model"], "model takes part in every run"),
        (["fuzz", "--against", "etcd"], "etcd takes part in every run"),
        (["fuzz", "--against", "no_such_module:Mock"], "can't import no_such_module (ModuleNotFoundError: "),
        (["fuzz", "--against", ":Mock"], "can't import  (ValueError: Empty module name)"),
        (["fuzz", "--against", "json:Mock"], "json:Mock: Mock in json is not there"),
        (["fuzz", "--against", "json:loads"], "loads in json is not a subclass of etcd_lockstep.target.Target"),
        (["replay", "--against", "json:Mock", "x.json"], "json:Mock: Mock in json is not there"),
        (["fuzz", "--json", "nowhere/summary.json"], "--json nowhere/summary.json: there is no folder nowhere"),
        (["fuzz", "--json", "."], "--json .: that is a folder"),
        (["fuzz", "--etcd", "none", "--corpus", "file"], "--corpus file: that is no folder, or it can't be written"),
        (["fuzz", "--etcd", "none", "--against", "etcd3"], "so it can't go with --etcd none"),
        (["replay"], "the following arguments are required: FILE"),
        (["replay", "--etcd", "none", "empty"], "no corpus file in empty"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], reason: str, elsewhere: Path, capsys: Capture) -> None:
    (elsewhere / "file").touch()
    (elsewhere / "empty").mkdir()
    assert run(*arguments) == 2
    assert reason in refusal(capsys)


def test_so_many_processes_are_taken_for_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert processes("32") == 32
    with pytest.raises(ArgumentTypeError, match="33 are too many processes: at most 32, 16 for each core"):
        processes("33")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("NotATarget", "NotATarget in .* is not a subclass of etcd_lockstep.target.Target$"),
        ("Alias", "Alias in .* is not a subclass of etcd_lockstep.target.Target$"),
        ("NeedsAnArgument", r"NeedsAnArgument\(\) raised TypeError: .* missing 1 required positional argument"),
        ("NamedLikeTheRealOne", "a run has a target called 'etcd' already: give yours another name$"),
    ],
)
def test_a_class_that_is_no_target(name: str, reason: str, capsys: Capture) -> None:
    assert fuzz("--against", own(name)) == 2
    assert re.search(reason, refusal(capsys))


def test_two_targets_of_one_name(capsys: Capture) -> None:
    assert fuzz("--against", "slot-mock", "--against", own("NamedLikeASpecimen")) == 2
    assert refusal(capsys) == "two targets of the run are called 'slot-mock': give yours another name"


@pytest.mark.parametrize("text", ["1 +", "raise ValueError('one\\ntwo')", "import sys; sys.exit(0)"])
def test_a_module_that_fails_at_its_import(text: str, elsewhere: Path, capsys: Capture) -> None:
    (elsewhere / "broken_mock.py").write_text(text)
    assert fuzz("--against", "broken_mock:Mock") == 2
    assert refusal(capsys).startswith("broken_mock:Mock: can't import broken_mock (")


def test_a_target_that_can_t_be_reached_at_its_start(capsys: Capture) -> None:
    assert fuzz("--against", own("Unreachable")) == 3
    assert refusal(capsys) == f"{own('Unreachable')}: nobody listens; at all"


def test_an_endpoint_that_nobody_listens_at(capsys: Capture) -> None:
    assert run("fuzz", "--etcd", "endpoint:127.0.0.1:1", "--seconds", "1") == 3
    assert refusal(capsys).startswith("no etcd answers at endpoint 127.0.0.1:1 ")


def test_families_of_which_a_target_knows_no_operation(capsys: Capture) -> None:
    assert fuzz("--against", "slot-mock", "--families", "compact") == 2
    assert refusal(capsys) == "no target of this run knows an operation of compact"


def test_a_run_in_which_nothing_was_tested_is_not_called_agreement(capsys: Capture) -> None:
    assert fuzz("--against", own("WithoutWords")) == 2
    reported = capsys.readouterr().out
    assert "not one operation was run" in reported
    assert "agreed" not in reported


# What is accepted


def test_the_version(capsys: Capture) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"etcd-lockstep {version('etcd-lockstep')}\n"


@pytest.mark.parametrize("command", [[], ["fuzz"], ["replay"], ["targets"]])
def test_help(command: list[str], capsys: Capture) -> None:
    assert run(*command, "--help") == 0
    assert "usage: etcd-lockstep" in capsys.readouterr().out


def test_the_exit_codes_are_in_the_help(capsys: Capture) -> None:
    run("fuzz", "--help")
    reported = " ".join(capsys.readouterr().out.split())
    assert "0 agreed; 1 lies found; 2 usage, or refused; 3 a target can't be reached or started; 5 an error" in reported


def test_every_target_is_listed(capsys: Capture) -> None:
    assert run("targets") == 0
    listed = re.findall(r"^(\S+)", capsys.readouterr().out, flags=re.MULTILINE)
    assert listed == [
        *REFERENCES,
        *OTHERS,
        *SPECIMENS,
        "serve:COMMAND",
        "etcd3:package.module:Class",
        "package.module:Class",
    ]


def test_a_run_that_finds_nothing(elsewhere: Path, capsys: Capture) -> None:
    assert fuzz("--against", "fake-server") == 0
    reported = capsys.readouterr().out
    assert "targets model, fake, fake-server\n" in reported
    assert "every answer agreed\n" in reported
    assert list(elsewhere.iterdir()) == []


def test_a_run_that_finds_a_lie_files_it(elsewhere: Path, capsys: Capture) -> None:
    assert fuzz("--against", own("Forgetful"), "--families", "kv") == 1
    reported = capsys.readouterr().out
    (file,) = (elsewhere / "lies-found").iterdir()
    assert f"\n   lies-found/{file.name}\n" in reported
    assert "1 lie, filed in lies-found\n" in reported


def test_lies_are_filed_where_they_should_be(elsewhere: Path, capsys: Capture) -> None:
    assert fuzz("--against", "slot-mock", "--corpus", "deep/down") == 1
    files = list((elsewhere / "deep" / "down").iterdir())
    assert f"{len(files)} lies, filed in deep/down\n" in capsys.readouterr().out
    assert not (elsewhere / "lies-found").exists()


def test_lies_that_can_t_be_filed_are_reported_all_the_same(elsewhere: Path, capsys: Capture) -> None:
    (elsewhere / "lies-found").touch()
    assert fuzz("--against", "unknown-revoke-accepted", "--families", "lease", "--json", "summary.json") == 1
    reported = capsys.readouterr().out
    assert "unknown-revoke-accepted lies: it accepts a lease_revoke that should be refused" in reported
    assert re.search(r"^lies-found/unknown-revoke-.*\.json can't be written: ", reported, flags=re.MULTILINE)
    assert ", filed in" not in reported
    (finding,) = json.loads(Path("summary.json").read_text())["lies"]
    assert finding["file"] is None


def test_only_operations_of_the_families_are_drawn(capsys: Capture) -> None:
    assert fuzz("--families", "lease, compact") == 0
    assert "\nstore: lease, compact\n" in capsys.readouterr().out


def test_no_example_is_longer_than_asked_for_and_the_last_look(elsewhere: Path) -> None:
    fuzz("--steps", "3", "--json", "summary.json")
    summary = json.loads((elsewhere / "summary.json").read_text())
    assert 0 < summary["steps"] <= 10 * (3 + 1)


def test_two_targets_that_report_the_same_lie_have_a_file_each(elsewhere: Path, capsys: Capture) -> None:
    assert fuzz("--against", own("Forgetful"), "--against", own("AsForgetful"), "--families", "kv") == 1
    reported = capsys.readouterr().out
    liars = {load(file).signature.target for file in (elsewhere / "lies-found").iterdir()}
    assert liars == {"forgetful", "as-forgetful"}
    for name in liars:
        filed = reported.index("   lies-found/", reported.index(f". {name} lies: "))
        assert reported[filed:].startswith(f"   lies-found/{name}-range-")


def test_an_output_that_has_no_arrows(elsewhere: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    arguments = shlex.split(
        "fuzz --etcd none --seed 1 --examples 10 --families lease --against unknown-revoke-accepted"
    )
    ended = subprocess.run([*PROGRAM, *arguments], capture_output=True, env=environment, cwd=elsewhere, check=False)
    assert ended.stderr == b""
    assert b"? 1 lease_revoke lease " in ended.stdout
    assert ended.returncode == 1


# The summary


def summarized(*arguments: str) -> dict[str, Any]:
    fuzz("--json", "summary.json", *arguments)
    summary: dict[str, Any] = json.loads(Path("summary.json").read_text())
    return summary


def test_the_summary() -> None:
    summary = summarized("--against", "slot-mock", "--examples", "30")
    assert list(summary) == [
        "etcd",
        "targets",
        "seed",
        "seeds",
        "sequences",
        "steps",
        "seconds",
        "steps_per_second",
        "arenas",
        "severities",
        "ignored",
        "not_compared",
        "inexpressible",
        "lies",
        "coverage",
    ]
    assert summary["etcd"] is None
    assert summary["targets"] == ["model", "fake", "slot-mock"]
    assert summary["seed"] == 1
    for number in ("sequences", "steps", "seconds", "steps_per_second"):
        assert summary[number] > 0
    assert len(summary["lies"]) > 2
    for finding in summary["lies"]:
        assert finding.keys() - {"note"} == {
            "fingerprint",
            "severity",
            "seen_again",
            "seen_in",
            "odd_one_out",
            "step",
            "field",
            "difference",
            "trace",
            "answers",
            "file",
        }
        assert finding["odd_one_out"] == "slot-mock"
        assert finding["step"] == len(finding["trace"])
        assert {step["op"] for step in finding["trace"]} <= OPERATION_NAMED.keys()
        assert finding["answers"].keys() == {"model", "fake", "slot-mock"}
        assert finding["answers"]["model"] != finding["answers"]["slot-mock"]
        filed = load(Path(finding["file"]))
        assert filed.name == finding["fingerprint"]
        assert len(filed.trace) == finding["step"]
    assert len({finding["file"] for finding in summary["lies"]}) == len(summary["lies"])


def test_the_summary_names_the_etcd(etcd_address: str) -> None:
    summary = summarized("--etcd", f"endpoint:{etcd_address}", "--allow-destroy", "--steps", "5")
    assert summary["etcd"]["how"] == f"etcd {summary['etcd']['version']} at endpoint {etcd_address}"
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", summary["etcd"]["version"])
    assert summary["targets"] == ["model", "fake", "etcd"]


def test_a_run_that_agrees_has_a_summary_as_well() -> None:
    summary = summarized()
    assert summary["lies"] == []
    assert summary["steps"] > 0


def test_the_same_seed_is_the_same_run() -> None:
    def reported(seed: str) -> dict[str, Any]:
        summary = summarized("--against", "slot-mock", "--examples", "15", "--seed", seed)
        return {name: value for name, value in summary.items() if name not in ("seconds", "steps_per_second")}

    one, other, again = reported("7"), reported("8"), reported("7")
    assert one == again
    assert (one["steps"], one["lies"]) != (other["steps"], other["lies"])


# Somebody's data


def put(address: str, key: bytes) -> None:
    """Nothing else is there."""
    target = WireTarget("theirs", address)
    target.reset()
    target.apply(Put(key, b"theirs"))
    target.close()


def is_there(address: str, key: bytes) -> bool:
    target = WireTarget("theirs", address)
    found = target.apply(Range(key))
    target.close()
    assert isinstance(found, RangeResult)
    return found.count == 1


def test_an_endpoint_with_data_is_refused_and_keeps_it(etcd_address: str, capsys: Capture) -> None:
    put(etcd_address, b"theirs")
    source = f"endpoint:{etcd_address}"
    assert run("fuzz", "--etcd", source, "--seconds", "60") == 2
    assert "holds 1 key and 0 leases, and a run deletes them all" in refusal(capsys)
    assert is_there(etcd_address, b"theirs")

    few = ("--families", "kv", "--examples", "2", "--seed", "1")
    assert run("fuzz", "--etcd", source, "--allow-destroy", *few) == 0
    assert not is_there(etcd_address, b"theirs")


def test_an_endpoint_is_asked_before_a_replay_too(etcd_address: str, elsewhere: Path, capsys: Capture) -> None:
    fuzz("--against", own("Forgetful"), "--families", "kv")
    capsys.readouterr()
    put(etcd_address, b"theirs")
    source = f"endpoint:{etcd_address}"
    assert run("replay", "--etcd", source, os.fspath(elsewhere / "lies-found")) == 2
    assert "holds 1 key and 0 leases" in refusal(capsys)
    assert is_there(etcd_address, b"theirs")

    assert run("replay", "--etcd", source, "--allow-destroy", os.fspath(elsewhere / "lies-found")) == 0
    assert not is_there(etcd_address, b"theirs")
