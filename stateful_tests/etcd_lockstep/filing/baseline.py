"""The baseline: a JSON file of the findings that a user accepts, each with a reason.

    {
      "format": 1,
      "accepted": [
        {
          "finding": "my-mock lies: put: prev_kv missing",
          "reason": "nothing of ours asks for it",
          "odd_one_out": "my-mock", "operation": "put", "field": "prev_kv", "difference": "missing",
          "trace": [
            …
          ]
        }
      ]
    }

`finding` is for readers; the rest is what a corpus file holds of a finding.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from etcd_lockstep.filing.corpus import FORMAT, BadEntry, BadFile, check_format, parse_entry, read_object
from etcd_lockstep.filing.notation import to_json
from etcd_lockstep.filing.writing import write_whole
from etcd_lockstep.reporting.finding_text import headline
from etcd_lockstep.searching.findings import Finding


@dataclass(frozen=True, slots=True)
class AcceptedFinding:
    """A finding that a user accepts."""

    finding: Finding
    """As far as the file holds it: its signature, its trace, and whether the server was over its quota."""
    reason: str
    """Why it is accepted; empty until the user writes it."""


def load_baseline(path: Path) -> list[AcceptedFinding]:
    """Read a baseline. Raises `BadFile`, whose one line says which entry is wrong."""
    _text, content = read_object(path, "a baseline")
    check_format(content, str(path), "a baseline")
    entries = content.get("accepted")
    if not isinstance(entries, list):
        raise BadFile(f"{path}: not a baseline: 'accepted' is missing, or not a list")
    accepted = []
    for number, entry in enumerate(entries, 1):
        where = f"{path}: accepted finding {number}"
        if not isinstance(entry, dict):
            raise BadFile(f"{where}: not an object")
        reason = entry.get("reason")
        if not isinstance(reason, str):
            raise BadFile(f"{where}: 'reason' is missing, or not a str")
        try:
            finding = parse_entry(entry)
        except BadEntry as error:
            raise BadFile(f"{where}: {error}") from error
        accepted.append(AcceptedFinding(finding, reason))
    return accepted


def accepted_findings(allow: Iterable[str | Path | Finding]) -> list[Finding]:
    """The findings that are named by themselves or by a baseline, which is a `Path` or a text that ends in `.json`.

    Raises `BadFile`.
    """
    accepted: list[Finding] = []
    for one in allow:
        if isinstance(one, Finding):
            accepted.append(one)
        elif isinstance(one, Path) or one.endswith(".json"):
            accepted += [entry.finding for entry in load_baseline(Path(one))]
    return accepted


def save_baseline(path: Path, accepted: Sequence[AcceptedFinding]) -> None:
    """Write a baseline, a step a line, sorted so that the difference between two of them can be read.

    Raises `OSError`.
    """
    entries = ",\n".join(map(_pretty, sorted(accepted, key=_order)))
    entries = f"[\n{entries}\n  ]" if entries else "[]"
    write_whole(path, f'{{\n  "format": {FORMAT},\n  "accepted": {entries}\n}}\n')


def _order(accepted: AcceptedFinding) -> tuple[str, str]:
    return accepted.finding.odd_one_out, accepted.finding.fingerprint


def _pretty(accepted: AcceptedFinding) -> str:
    finding = accepted.finding
    values = {
        "finding": headline(finding),
        "reason": accepted.reason,
        "odd_one_out": finding.odd_one_out,
        "operation": finding.signature.operation,
        "field": finding.signature.field,
        "difference": finding.signature.kind,
        **({"over_quota": True} if finding.over_quota else {}),
        **({"tokens": finding.tokens} if finding.tokens else {}),
    }
    lines = [f"      {json.dumps(key)}: {json.dumps(value)}" for key, value in values.items()]
    steps = ",\n        ".join(json.dumps(to_json(operation)) for operation in finding.trace)
    lines.append(f'      "trace": [\n        {steps}\n      ]')
    return "    {\n" + ",\n".join(lines) + "\n    }"
