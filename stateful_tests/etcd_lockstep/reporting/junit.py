"""A run as a JUnit file, which most CI systems show as test results: what `--junit` writes.

Each operation that was compared is a test case, and so is each cause of findings; the cases of an operation with
findings are its causes.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from etcd_lockstep.reporting.finding_text import headline, headline_and_remarks, report_text
from etcd_lockstep.reporting.summary import Cause, RunSummary

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 can't hold, escaped or not."""


def junit_report(summary: RunSummary) -> str:
    """A document with one suite, named for the targets."""
    agreed = sorted({name for name, _error in summary.coverage.answers} - set(summary.by_operation))
    suite = ElementTree.Element(
        "testsuite",
        name=f"etcd-lockstep {', '.join(summary.compared)}",
        tests=str(len(summary.causes) + len(agreed)),
        failures=str(len(summary.causes)),
        errors="0",
        skipped="0",
        time=f"{summary.seconds:.3f}",
    )
    for cause in summary.causes:
        _add_failure(suite, cause)
    for name in agreed:
        ElementTree.SubElement(suite, "testcase", classname="etcd-lockstep", name=name, time="0")
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _add_failure(suite: ElementTree.Element, cause: Cause) -> None:
    first = cause.findings[0]
    said = headline(first.finding, first.operations)
    case = ElementTree.SubElement(
        suite, "testcase", classname=f"etcd-lockstep.{cause.signature.target}", name=_xml(said), time="0"
    )
    full = headline_and_remarks(first.finding, first.operations)
    failure = ElementTree.SubElement(case, "failure", type=cause.severity.value, message=_xml(full))
    failure.text = _xml(
        "\n\n".join(
            report_text(one.finding) + (f"\n\n   {one.file}" if one.file is not None else "") for one in cause.findings
        )
    )


def _xml(text: str) -> str:
    return _NOT_XML.sub("�", text)
