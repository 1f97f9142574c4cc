"""The known quirks of etcd's releases, each with a trace that distinguishes a release with it from one without.

Where one etcd is compared with another, these traces are run before the search: it takes seconds, a quirk is reported
by its name, and what the search finds afterwards is something else.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from etcd_lockstep.comparing.lockstep import Died, Divergence, Inconclusive, Lockstep, Skipped, Step
from etcd_lockstep.filing.notation import operation_from_json
from etcd_lockstep.names import name_of
from etcd_lockstep.searching.findings import Finding, Signature, signature
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.search import Search
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import Trace
from etcd_model import Quirks, Server, quirks_of
from etcd_model.quirks import SINCE

FOLDER = Path(__file__).parent.parent / "quirk_traces"
"""A JSON file for each quirk that a trace can show."""


class Otherwise(ModelTarget):
    """The model with a quirk the other way round."""

    name = "otherwise"


def without(quirks: Quirks, quirk: str) -> Quirks:
    """The same version, but for one quirk."""
    other: dict[str, Any] = {quirk: not getattr(quirks, quirk)}
    return replace(quirks, **other)


def shows(trace: Trace, quirk: str, quirks: Quirks, *, guarded: bool = True) -> bool:
    """Whether a trace distinguishes this version from the same one with the quirk the other way round. `guarded`: only
    by what a real server may be asked."""
    lockstep = Lockstep(ModelTarget(Server(quirks)), [Otherwise(Server(without(quirks, quirk)))], guarded=guarded)
    try:
        lockstep.start()
        return any(lockstep.step(operation).divergences for operation in trace)
    except (Skipped, Inconclusive, Died):
        return False


def read_trace(path: Path) -> Trace:
    """The trace in a file: a list of steps."""
    held = json.loads(path.read_text(encoding="utf-8"))
    return tuple(operation_from_json(step, number) for number, step in enumerate(held, 1))


@cache
def quirk_traces() -> Mapping[str, Trace]:
    """By the quirk that a trace shows."""
    return {path.stem: read_trace(path) for path in sorted(FOLDER.glob("*.json"))}


def quirk_docstrings() -> Mapping[str, str]:
    """What each quirk is: the text below its field of `Quirks`."""
    tree = ast.parse(inspect.getsource(Quirks).strip())
    body = tree.body[0]
    assert isinstance(body, ast.ClassDef)
    reported = {}
    for declared, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(declared, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            assert isinstance(declared.target, ast.Name)
            reported[declared.target.id] = " ".join(str(text.value.value).split())
    return reported


def quirk_of(trace: Trace, seen: Signature, server: Server, compared: EtcdTarget) -> str:
    """The quirk that makes a model answer the last step of a trace as the compared etcd does; empty where none does."""
    for quirk in SINCE:
        if _differs(quirk, server.quirks, compared) and seen in _signatures(trace, quirk, server, seen.target):
            return quirk
    return ""


def _signatures(trace: Trace, quirk: str, server: Server, name: str) -> list[Signature]:
    """What the last step shows of the model with a quirk the other way round, as if that were the target `name`."""
    other = Otherwise(replace(server, quirks=without(server.quirks, quirk)))
    lockstep = Lockstep(ModelTarget(server), [other])
    step = Step({}, ())
    try:
        lockstep.start()
        for operation in trace:
            step = lockstep.step(operation)
    except (Skipped, Inconclusive, Died):
        return []
    return [signature(name, trace[-1], one) for divergence in step.divergences for one in divergence.differences]


class KnownQuirks:
    """The traces of a run's quirks, each run once, by the first search that can run it."""

    def __init__(self, operations: Collection[str]) -> None:
        """`operations`: the names of those that the run is about."""
        self._left = {
            quirk: trace for quirk, trace in quirk_traces().items() if set(map(name_of, trace)) <= set(operations)
        }

    def look_for(self, search: Search, participants: Participants) -> None:
        """Run the traces that are left on the targets of a search, which takes what they show for known.

        Only where an etcd is compared with another, and no quota is exceeded from the start. Raises `TargetGone`.
        """
        compared = [one for one in participants.others if isinstance(one, EtcdTarget) and one.name != "etcd"]
        if not compared or participants.model.server.over_quota or participants.settings.tokens:
            return
        for quirk, trace in tuple(self._left.items()):
            if participants.capabilities.issuperset(map(name_of, trace)):
                del self._left[quirk]
                names = [one.name for one in compared if _differs(quirk, participants.model.server.quirks, one)]
                if names:
                    _run(quirk, trace, names, search, participants)


def _differs(quirk: str, quirks: Quirks, compared: EtcdTarget) -> bool:
    """Whether the release of the compared etcd has the quirk and the other has not, or the other way round."""
    return bool(getattr(quirks_of(compared.release), quirk) != getattr(quirks, quirk))


def _run(quirk: str, trace: Trace, names: Collection[str], search: Search, participants: Participants) -> None:
    server = participants.model.server
    other = Otherwise(replace(server, quirks=without(server.quirks, quirk)))
    lockstep = Lockstep(participants.model, [*participants.others, other])
    try:
        lockstep.start()
        for number, operation in enumerate(trace, 1):
            step = lockstep.step(operation)
            expected = _divergence(step, Otherwise.name)
            if expected is None:
                continue
            for name in names:
                divergence = _divergence(step, name)
                if divergence is not None:
                    search.triage.record(_finding(quirk, trace[:number], step, divergence, expected))
            return
    except (Skipped, Inconclusive):
        return  # the search may still come upon it
    except Died as died:
        search.revive(died)


def _divergence(step: Step, name: str) -> Divergence | None:
    return next((one for one in step.divergences if one.odd_one_out == name), None)


def _finding(quirk: str, trace: Trace, step: Step, divergence: Divergence, expected: Divergence) -> Finding:
    """`expected`: how the model with the quirk the other way round differs."""
    common = [one for one in divergence.differences if one in expected.differences]
    seen = signature(divergence.odd_one_out, trace[-1], (common or divergence.differences)[0])
    answers = {name: answer for name, answer in step.observations.items() if name != Otherwise.name}
    return Finding(seen, trace, answers, divergence.differences, quirk=quirk)
