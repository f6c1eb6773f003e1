"""The result of the leak test as a table and as JSON."""

from __future__ import annotations

from agentctl.agent.wire import JSONValue
from agentctl.cli.columns import align, terminal_width
from agentctl.cli.invocation import Invocation
from agentctl.grammar import count

from .leak_test import LeakTestResult, Row

_STYLES = {"ok": "32", "skipped": "33", "leak": "1;31", "failed": "1;31"}
"""Green, yellow and bold red."""


def print_result(invocation: Invocation, result: LeakTestResult) -> None:
    """Print the places of secrets, then the sinks, then what is wrong, and a summary."""
    cells = [(row.state, f"{row.kind}: {row.name}", row.detail) for row in result.rows]
    for row, line in zip(result.rows, align(cells, terminal_width()), strict=True):
        invocation.print(line, style=_STYLES[row.state], styled=len(row.state))
    for leak in result.leaks:
        invocation.print(f"leak: {leak}", style=_STYLES["leak"], styled=4)
    for problem in result.problems:
        invocation.print(f"failed: {problem}", style=_STYLES["failed"], styled=6)
    invocation.print(_summary(result))


def result_json(result: LeakTestResult) -> dict[str, JSONValue]:
    """Return the result as JSON."""
    return {
        "places": [_row_json(row) for row in result.rows if row.kind == "place"],
        "sinks": [_row_json(row) for row in result.rows if row.kind == "sink"],
        "leaks": list(result.leaks),
        "problems": list(result.problems),
    }


def _row_json(row: Row) -> dict[str, JSONValue]:
    return {"name": row.name, "state": row.state, "detail": row.detail}


def _summary(result: LeakTestResult) -> str:
    places, sinks = (
        count(sum(row.kind == kind and row.state != "skipped" for row in result.rows), noun)
        for kind, noun in (("place", "secret"), ("sink", "sink"))
    )
    if result.is_ok:
        return f"no leak: {places}, {sinks}"
    return f"{count(len(result.leaks), 'leak')}, {count(len(result.problems), 'problem')}: {places}, {sinks}"
