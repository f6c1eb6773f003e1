"""JUnit XML, as Jenkins, GitLab, Azure Pipelines and others read it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from agentctl.render.escape import escape

if TYPE_CHECKING:
    from .report import Report, ReportedRun, SourceLine

_NOT_XML = re.compile("[\ufffe\uffff]")
"""What XML excludes beside the characters that `escape` replaces."""


def junit_report(report: Report, *, now: float) -> str:
    """Return the report as an XML document; `now` is its time."""
    failures = sum(not run.is_error for run in report.failures)
    totals = {
        "name": _clean(report.title),
        "tests": str(len(report.runs)),
        "failures": str(failures),
        "errors": str(len(report.failures) - failures),
        "time": f"{sum(run.seconds for run in report.runs):.3f}",
    }
    root = Element("testsuites", totals)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    suite = SubElement(root, "testsuite", {**totals, "skipped": "0", "timestamp": stamp})
    for run in report.runs:
        _add_case(suite, run, report.title)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _add_case(suite: Element, run: ReportedRun, title: str) -> None:
    names = {"classname": _clean(title.replace(" ", ".")), "name": _clean(run.name), "time": f"{run.seconds:.3f}"}
    case = SubElement(suite, "testcase", names)
    if run.exit_code:
        message = _clean(run.error or run.outcome)
        kind = "error" if run.is_error else "failure"
        problem = SubElement(case, kind, {"type": run.outcome, "message": message})
        problem.text = f"{_describe_place(run.place)}{message}"
    # The streams of a run: the answer, and the line about it.
    SubElement(case, "system-out").text = _clean(run.text)
    facts = [*run.facts(), *([("trace", str(run.trace_file or run.trace_id))] if run.trace_id else [])]
    SubElement(case, "system-err").text = _clean("\n".join(f"{name}: {value}" for name, value in facts))


def _describe_place(place: SourceLine | None) -> str:
    return "" if place is None else f"{_clean(place.file)}{f':{place.line}' if place.line else ''}: "


def _clean(text: str) -> str:
    """Return text without the characters that XML excludes."""
    return _NOT_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", escape(text))
