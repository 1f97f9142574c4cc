"""The answers to the last step of a finding's trace, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from etcd_lockstep.comparing.lockstep import UNDECIDED
from etcd_lockstep.reporting.wording import NONE, answer_fields, telling
from etcd_lockstep.searching.findings import Finding

_Words = TypeVar("_Words", str, tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Column:
    """One answer, and all who gave it."""

    targets: tuple[str, ...]
    is_odd: bool
    """Whether it is that of the odd one out."""


@dataclass(frozen=True, slots=True)
class Row:
    """One field of the answers, in words."""

    field: str
    values: tuple[str, ...]
    """One for each column."""
    differs: bool


@dataclass(frozen=True, slots=True)
class ComparedAnswers:
    """A table of answers."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    """Those that differ first; of these the one that the finding is about before the others."""


def compared_answers(finding: Finding) -> ComparedAnswers:
    """The table for a finding; empty where nobody's answer is known."""
    columns: list[tuple[list[str], dict[str, str]]] = []
    for name, answer in finding.answers.items():
        said = answer_fields(answer)
        backers = next((backers for backers, other in columns if other == said), None)
        if backers is None:
            columns.append(([name], said))
        else:
            backers.append(name)
    answers = _comparable([said for _backers, said in columns])
    names = dict.fromkeys(name for said in answers for name in said)
    fields = {name: tuple(said.get(name, NONE) for said in answers) for name in names}
    rows = [
        Row(name, values, differs=len(values) == 1 or len(set(values)) > 1) for name, values in _folded(fields).items()
    ]
    return ComparedAnswers(
        [_column(backers, finding) for backers, _said in columns],
        sorted(rows, key=lambda row: (not row.differs, _rank(row.field, finding))),
    )


def _column(backers: Sequence[str], finding: Finding) -> Column:
    """Between two etcds nobody else is named: the model and the fake emulate the one, and say what it says."""
    odd = finding.odd_one_out
    is_odd = odd in backers or (odd == UNDECIDED and "fake" in backers)
    if finding.is_about_an_etcd and "etcd" in backers:
        backers = [f"etcd {finding.etcd}"]
    return Column(tuple(backers), is_odd)


def _comparable(answers: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """An answer and an error have no field in common: then each is reported as a whole."""
    if len({"answer" in said for said in answers}) <= 1:
        return list(answers)
    return [said if "answer" in said else {"answer": _whole(said)} for said in answers]


def _whole(said: Mapping[str, str]) -> str:
    return "\n".join(("accepted", *(f"{name} {words}" for name, words in _folded(telling(said)).items())))


def _folded(fields: Mapping[str, _Words]) -> dict[str, _Words]:
    """Three and more responses in a row that say the same are one: `response 1 to 129`."""
    folded: dict[str, _Words] = {}
    for words, run in groupby(fields, key=lambda name: (name.startswith("response "), fields[name])):
        names = list(run)
        if words[0] and len(names) > 2:
            names = [f"{names[0]} to {names[-1].removeprefix('response ')}"]
        folded.update(dict.fromkeys(names, words[1]))
    return folded


def _rank(field: str, finding: Finding) -> int:
    """What the finding is about comes first; the header's revision, which follows from much else, last."""
    about = finding.signature.field.removeprefix("header.").partition(".")[0]
    if field == about or field.partition(" ")[0] == {"responses": "response", "watches": "watch"}.get(about):
        return 0
    return 2 if field == "revision" else 1
