"""What happened in a run: a row for each step, a column for each client."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from google.protobuf.message import Message

from etcd_lockstep.simulation.calls import Call
from etcd_lockstep.simulation.words import Words, error_in_words

_WIDTH = 114
"""Of all columns."""
_NARROWEST, _WIDEST = 30, 70
"""A column."""
_GAP = "  "


@dataclass(slots=True)
class Row:
    """One step."""

    client: int | None
    """Whose it is; None for what happens to all, such as time that goes by."""
    text: str


class Timeline:
    """Keeps the steps of a run, and writes them down."""

    def __init__(self, clients: Sequence[str]) -> None:
        self.clients = clients
        self.words = Words()
        self.rows: list[Row] = []

    def say(self, client: int | None, text: str) -> None:
        self.rows.append(Row(client, text))

    def request(self, client: int, call: Call) -> None:
        """A request was let through."""
        self.say(client, self.words.request(call.path, call.request))
        call.row = len(self.rows)

    def answer(self, client: int, call: Call, answer: Message | grpc.RpcError) -> None:
        """It was answered: in the same row, where nothing happened in between."""
        said = error_in_words(answer) if isinstance(answer, grpc.RpcError) else self.words.answer(call.path, answer)
        if call.row == len(self.rows):
            self.rows[-1].text += f" → {said}"
        else:
            self.say(client, f"({self.words.request(call.path, call.request)}) → {said}")

    def given_up(self, client: int, call: Call, said: str) -> None:
        """The client does not wait for it any more."""
        request = self.words.request(call.path, call.request)
        if call.row == len(self.rows):
            self.rows[-1].text += f" → {said}"
        elif call.row is None:
            self.say(client, f"{request} → {said}, not sent")
        else:
            self.say(client, f"({request}) → {said}")

    def __str__(self) -> str:
        """The table; what happens to all stands across it."""
        room = min(_WIDEST, max(_NARROWEST, _WIDTH // len(self.clients)))
        widths = [
            max([len(name), *(min(len(row.text), room) for row in self.rows if row.client == client)])
            for client, name in enumerate(self.clients)
        ]
        number = len(str(len(self.rows)))
        lines = [_line("", number, [*self.clients], widths)]
        for step, row in enumerate(self.rows, 1):
            if row.client is None:
                lines.append(f"{step:>{number}}{_GAP}— {row.text}")
                continue
            for part, text in enumerate(_wrapped(row.text, room)):
                cells = [text if client == row.client else "" for client in range(len(widths))]
                lines.append(_line(str(step) if part == 0 else "", number, cells, widths))
        return "\n".join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False) or [""]


def _line(number: str, width: int, cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (f"{cell:<{room}}" for cell, room in zip(cells, widths, strict=True))
    return _GAP.join([f"{number:>{width}}", *padded]).rstrip()
