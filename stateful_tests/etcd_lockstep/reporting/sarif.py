"""A run as a SARIF 2.1.0 log, which code scanning shows: what `--sarif` writes.

A rule is a cause, a result is a finding, and its location is its corpus file, as a path relative to the
working directory where it lies below it.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from etcd_lockstep.reporting.finding_text import headline, report_text
from etcd_lockstep.reporting.severity import Severity
from etcd_lockstep.reporting.summary import Cause, Reported, RunSummary

_LEVELS = {Severity.MISSING: "warning", Severity.MESSAGE: "note"}
"""Every other severity is an error."""


def sarif_report(summary: RunSummary) -> str:
    """A log with one run."""
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "etcd-lockstep",
                        "semanticVersion": version("etcd-lockstep"),
                        "rules": [_rule(cause) for cause in summary.causes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(one, index, cause) for index, cause in enumerate(summary.causes) for one in cause.findings
                ],
            }
        ],
    }
    return json.dumps(log, indent=2) + "\n"


def _id(cause: Cause) -> str:
    return f"{cause.signature.target}/{cause.signature}/{'+'.join(cause.operations)}".replace(" ", "-")


def _rule(cause: Cause) -> dict[str, Any]:
    first = cause.findings[0]
    return {
        "id": _id(cause),
        "shortDescription": {"text": headline(first.finding, first.operations)},
        "defaultConfiguration": {"level": _level(cause)},
        "properties": {"severity": cause.severity.value},
    }


def _level(cause: Cause) -> str:
    return _LEVELS.get(cause.severity, "error")


def _result(one: Reported, rule: int, cause: Cause) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": _id(cause),
        "ruleIndex": rule,
        "level": _level(cause),
        "message": {"text": report_text(one.finding)},
        "partialFingerprints": {"finding/v1": f"{one.finding.odd_one_out} {one.finding.fingerprint}"},
    }
    if one.file is not None:
        result["locations"] = [{"physicalLocation": {"artifactLocation": {"uri": _uri(one.file)}}}]
    return result


def _uri(file: Path) -> str:
    resolved = file.resolve()
    try:
        return resolved.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return resolved.as_uri()
