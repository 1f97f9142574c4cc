"""A run as JSON, for programs: what `--json` writes."""

from __future__ import annotations

import json
from typing import Any

from etcd_lockstep.filing.corpus import answers
from etcd_lockstep.filing.notation import to_json
from etcd_lockstep.reporting.summary import Reported, RunSummary


def json_report(summary: RunSummary, accepted: list[dict[str, str]] | None) -> str:
    """`accepted`: what became of each finding of a baseline, if there was one."""
    content: dict[str, Any] = {
        "etcd": {"version": summary.version, "how": summary.etcd} if summary.etcd else None,
        "targets": list(summary.targets),
        "seed": summary.seed,
        "seeds": list(summary.seeds),
        "sequences": summary.sequences,
        "steps": summary.steps,
        "seconds": round(summary.seconds, 3),
        "steps_per_second": round(summary.steps / summary.seconds, 1),
        "arenas": {
            workload.name: {
                "sequences": workload.sequences,
                "steps": workload.steps,
                "given_up": workload.given_up,
            }
            for workload in summary.workloads
        },
        "severities": {severity.name.lower(): number for severity, number in summary.by_severity.items()},
        "ignored": list(summary.ignored),
        "not_compared": list(summary.unknown),
        "inexpressible": {
            name: {"left_out": number, "drawn": summary.drawn[name]}
            for name, number in sorted(summary.inexpressible.items())
        },
        "lies": [_lie(one) for one in summary.findings],
        "coverage": summary.coverage.to_json(),
    }
    if accepted is not None:
        content["accepted"] = accepted
    return json.dumps(content, indent=2) + "\n"


def _lie(one: Reported) -> dict[str, Any]:
    finding = one.finding
    return {
        "fingerprint": finding.fingerprint,
        "severity": one.severity.name.lower(),
        "odd_one_out": finding.odd_one_out,
        "step": len(finding.trace),
        "field": finding.signature.field,
        "difference": finding.signature.kind,
        "seen_again": one.seen_again,
        "seen_in": list(one.operations),
        "trace": [to_json(operation) for operation in finding.trace],
        "answers": answers(finding),
        "file": str(one.file) if one.file is not None else None,
        **({"quirk": finding.quirk} if finding.quirk else {}),
        **({"note": finding.note} if finding.note else {}),
    }
