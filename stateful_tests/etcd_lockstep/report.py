"""The report: a lie for a tired reader. The sequence in etcd's words, the step that differs, and what each said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from etcd_lockstep.lockstep import REFERENCES, UNDECIDED
from etcd_lockstep.observation import Observation
from etcd_lockstep.search import DIED, Lie
from etcd_lockstep.wording import answer_fields, operation_in_words


def headline(lie: Lie) -> str:
    """Who, about what, in one line."""
    odd = lie.odd_one_out
    if lie.symptom.kind == DIED.kind:
        return f"{odd} dies of a {lie.symptom.operation}"
    about = f"{'any answer' if lie.symptom.operation == '*' else lie.symptom.operation}: {lie.symptom.field} {lie.symptom.kind}"
    match odd:
        case "etcd":
            return f"etcd surprises: {about}"
        case "model":
            return f"the model is wrong: {about}"
        case _ if odd == UNDECIDED:
            return f"the model or the fake is wrong (no real etcd to judge): {about}"
        case _:
            return f"{odd} lies: {about}"


def lie_report(lie: Lie, number: int, file: Path | None) -> RenderableType:
    """One lie: its trace, and the fields in which the answers to the last step differ."""
    steps = Table.grid(padding=(0, 1))
    steps.add_column(justify="right")
    steps.add_column(overflow="fold")
    for step, operation in enumerate(lie.trace, 1):
        last = step == len(lie.trace)
        steps.add_row(
            Text(f"{'▶ ' if last else '  '}{step}", style="bold red" if last else "dim"),
            Text(operation_in_words(operation), style="bold" if last else ""),
        )
    parts: list[RenderableType] = [
        Rule(Text(f"{number}. {headline(lie)}", style="bold"), align="left", characters="─"),
        Padding(steps, (0, 0, 1, 1)),
        Padding(_answers(lie), (0, 0, 1, 3)),
    ]
    if lie.note:
        parts.append(Padding(Text(lie.note, style="yellow"), (0, 0, 1, 3)))
    if file is not None:
        parts.append(Padding(Text(str(file), style="dim", overflow="fold"), (0, 0, 1, 3)))
    return Group(*parts)


def _answers(lie: Lie) -> Table:
    """A column for each answer that was given, headed by all who gave it; a row for each field that differs."""
    columns: list[tuple[list[str], dict[str, str]]] = []
    told: Mapping[str, Observation | None] = lie.answers or {lie.odd_one_out: None}
    for name, answer in told.items():
        said = answer_fields(answer)
        backers = next((backers for backers, other in columns if other == said), None)
        if backers is None:
            columns.append(([name], said))
        else:
            backers.append(name)
    table = Table(show_edge=False, pad_edge=False, box=None, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("")
    for backers, _said in columns:
        alone = lie.odd_one_out in backers
        table.add_column(", ".join(backers), style="red" if alone else "green", overflow="fold")
    for field in _differing([said for _backers, said in columns]):
        table.add_row(Text(field, style="dim"), *(said.get(field, "") for _backers, said in columns))
    return table


def _differing(answers: Sequence[Mapping[str, str]]) -> list[str]:
    """An answer and an error have no field in common: then all that each says is shown."""
    names = list(dict.fromkeys(name for said in answers for name in said))
    return [name for name in names if len(answers) == 1 or len({said.get(name) for said in answers}) > 1]


def print_lies(console: Console, lies: Sequence[Lie], files: Mapping[str, Path]) -> None:
    """All of them, the shortest sequence first; at the end a table, if there are several."""
    for number, lie in enumerate(sorted(lies, key=_order), 1):
        console.print(lie_report(lie, number, files.get(lie.fingerprint)))


def _order(lie: Lie) -> tuple[bool, int, str]:
    return lie.odd_one_out not in REFERENCES, len(lie.trace), str(lie.symptom)
